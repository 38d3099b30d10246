//! Other Alertmanagers: a loop for each, so that one that hangs holds up no other.

use std::collections::BTreeMap;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::Held;
use grid_notify_policy::relay::{RESEND_NS, RETRY_NS, Relay, VALID_NS};
use grid_notify_policy::shape::alertmanager;
use reqwest::Url;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::notifier::Notifier;
use crate::send::chain;

/// How often it is looked whether there is something to send.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What an Alertmanager last said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayState {
    /// When it last took alerts.
    pub taken_at: Option<Timestamp>,
    /// What went wrong since.
    pub error: Option<String>,
}

/// Where it takes alerts.
///
/// # Errors
/// A sentence: the text is no URL of HTTP.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|e| format!("{text:?} is not a URL: {e}"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("an Alertmanager's address starts with http:// or https://".to_owned());
    }
    let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// An address without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Sends all tenants' alerts to one Alertmanager until the token is cancelled.
pub(crate) async fn run(notifier: Notifier, place: usize, url: Url, token: CancellationToken) {
    let mut known: BTreeMap<TenantId, Relay> = BTreeMap::new();
    let mut failures = 0u32;
    loop {
        let pause = match failures {
            0 => LOOK_EVERY,
            n => pause(n),
        };
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let now = notifier.now();
        let due = notifier.relay_due(&mut known, now).await;
        for (tenant, alerts) in due {
            match post(&notifier, &url, &tenant, &alerts, now).await {
                Ok(()) => {
                    failures = 0;
                    known.entry(tenant).or_default().sent(&alerts, now);
                    notifier.relayed(place, alerts.len(), now);
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        warn!(
                            alertmanager = shown(&url),
                            error, "an Alertmanager takes no alerts; sending them again until it does"
                        );
                    } else {
                        debug!(alertmanager = shown(&url), error, failures, "still no alerts taken");
                    }
                    notifier.relay_failed(place, error);
                    break;
                }
            }
        }
    }
}

fn pause(failures: u32) -> Duration {
    let ns = RETRY_NS.saturating_mul(1_i64.checked_shl(failures.min(16) - 1).unwrap_or(i64::MAX)).min(RESEND_NS);
    Duration::from_nanos(ns.unsigned_abs())
}

async fn post(
    notifier: &Notifier,
    url: &Url,
    tenant: &TenantId,
    alerts: &[Held],
    now: Timestamp,
) -> Result<(), String> {
    let body = alertmanager::body(alerts.iter(), now, now.saturating_add(VALID_NS));
    let request = notifier.sender().open().post(url.clone()).header("content-type", "application/json");
    // Alertmanager does not read it; Mimir's, which serves several tenants, does.
    let request = request.header("x-scope-orgid", tenant.as_str()).body(body);
    let response = request.send().await.map_err(|e| chain(&e.without_url()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let said: String = response.text().await.unwrap_or_default().chars().take(200).collect();
    Err(format!("it answered {status}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_and_shown_without_secrets() {
        for (text, full, plain) in [
            ("http://am:9093", "http://am:9093/api/v2/alerts", "http://am:9093/api/v2/alerts"),
            (
                "https://u:p@am/alertmanager/",
                "https://u:p@am/alertmanager/api/v2/alerts",
                "https://am/alertmanager/api/v2/alerts",
            ),
        ] {
            let url = endpoint(text).unwrap();
            assert_eq!((url.as_str(), shown(&url).as_str()), (full, plain));
        }
        assert!(endpoint("am:9093").is_err() && endpoint("").is_err());
        assert_eq!([1, 2, 7, 99].map(|n| pause(n).as_secs()), [1, 2, 60, 60]);
    }
}
