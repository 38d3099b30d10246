//! What is scraped (Prometheus, `web/api/v1/api.go`, `targets`).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use grid_guard::Caller;
use grid_promql_syntax::format_duration;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use serde::Serialize;
use serde_json::json;

use super::answer::Success;
use super::params::Asked;
use crate::route::rfc3339;
use crate::scraped::{ScrapedTarget, ScrapedTargets, TargetLabels};
use crate::state::ApiState;

/// What Go writes for a time that is not set: there was no scrape yet.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Names of the machine itself, which nobody elsewhere can open.
const LOCAL: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Active>,
    dropped_targets: Vec<Dropped>,
    /// Of all pools; null if dropped targets are not asked for.
    dropped_target_counts: Option<BTreeMap<String, usize>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Active {
    discovered_labels: TargetLabels,
    labels: TargetLabels,
    scrape_pool: String,
    scrape_url: String,
    global_url: String,
    last_error: String,
    last_scrape: String,
    last_scrape_duration: f64,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    discovered_labels: TargetLabels,
    scrape_pool: String,
}

impl Active {
    fn of(target: ScrapedTarget, headers: &HeaderMap) -> Self {
        let time = |time: Duration| format_duration(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        Self {
            global_url: global_url(&target.url, headers),
            discovered_labels: target.discovered,
            labels: target.labels,
            scrape_pool: target.pool,
            scrape_url: target.url,
            last_error: target.last_error,
            last_scrape: target.last_scrape.map_or_else(|| NEVER.to_owned(), rfc3339),
            last_scrape_duration: target.last_duration.as_secs_f64(),
            health: target.health,
            scrape_interval: time(target.interval),
            scrape_timeout: time(target.timeout),
        }
    }
}

/// `targets`.
pub(crate) async fn list(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Response {
    let of_state = |state: &str| {
        let wanted = asked.text("state").to_ascii_lowercase();
        wanted.is_empty() || wanted == "any" || wanted == state
    };
    let pool = asked.text("scrapePool");
    let of_pool = |name: &str| pool.is_empty() || pool == name;
    let scraped = scraped_for(&state, &caller);
    let mut targets = Targets::default();
    if of_state("active") {
        let all = scraped.map(ScrapedTargets::active).unwrap_or_default();
        let all = all.into_iter().filter(|target| of_pool(&target.pool));
        targets.active_targets = all.map(|target| Active::of(target, &asked.headers)).collect();
    }
    if of_state("dropped") {
        let all = scraped.map(ScrapedTargets::dropped).unwrap_or_default();
        let all = all.into_iter().filter(|(pool, _)| of_pool(pool));
        targets.dropped_targets =
            all.map(|(scrape_pool, discovered_labels)| Dropped { discovered_labels, scrape_pool }).collect();
        targets.dropped_target_counts = Some(scraped.map(ScrapedTargets::dropped_counts).unwrap_or_default());
    }
    Success::new().data(&asked, &targets)
}

/// `scrape_pools`.
pub(crate) async fn pools(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Response {
    let counts = scraped_for(&state, &caller).map(ScrapedTargets::dropped_counts).unwrap_or_default();
    let pools: Vec<String> = counts.into_keys().collect();
    Success::new().data(&asked, &json!({ "scrapePools": pools }))
}

/// The targets, if their samples are the caller's.
fn scraped_for<'a>(state: &'a ApiState, caller: &Caller) -> Option<&'a dyn ScrapedTargets> {
    state.scraped.as_deref().filter(|scraped| *scraped.tenant() == caller.tenant)
}

/// The URL by which others reach a target: one of this machine has the name by which this server was called.
fn global_url(url: &str, headers: &HeaderMap) -> String {
    let called = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let parsed = url.parse::<Uri>().ok();
    let (Some(called), Some(target)) = (called, parsed.as_ref().and_then(Uri::authority)) else {
        return url.to_owned();
    };
    if !LOCAL.contains(&target.host()) {
        return url.to_owned();
    }
    let port = target.port().map(|port| format!(":{port}")).unwrap_or_default();
    url.replacen(target.as_str(), &format!("{}{port}", called.host()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_targets_are_reached_by_the_name_of_the_server() {
        for (called, url, wanted) in [
            ("grid.example:7080", "http://127.0.0.1:9100/metrics", "http://grid.example:9100/metrics"),
            ("[2001:db8::1]:7080", "https://[::1]:9100/m?a=b", "https://[2001:db8::1]:9100/m?a=b"),
            ("grid", "http://localhost/metrics", "http://grid/metrics"),
            ("grid:7080", "http://node:9100/127.0.0.1", "http://node:9100/127.0.0.1"),
            ("", "http://127.0.0.1:9100/metrics", "http://127.0.0.1:9100/metrics"),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, called.parse().unwrap())]);
            assert_eq!(global_url(url, &headers), wanted, "{called}");
        }
    }
}
