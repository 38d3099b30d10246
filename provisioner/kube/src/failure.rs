//! What the cluster says when a call fails, as the things that a runner can do about it: come again, look up, give up. Fields that others own come out
//! of it by name.

use std::error::Error;
use std::fmt::Write as _;

use grid_act::executor::CloudError;
use kube::core::Status;

use crate::limits::{OWNED_MAX, RETRY_AFTER_NS_MAX, SETTLE_NS, WHY_BYTES_MAX};

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The HTTP status; 0 if there was no answer.
    pub(crate) code: u16,
    /// What it means for the runner.
    pub(crate) error: CloudError,
    /// Fields that others own, by the place in the object, and who.
    pub(crate) owned: Vec<(String, String)>,
}

impl Failure {
    /// Of what the client says. `call` names the call and the object.
    pub(crate) fn of(call: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::answered(call, status),
            // Nothing was sent.
            kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::TlsRequired => {
                Self::refused(chain(call, error))
            }
            kube::Error::Service(source) if source.downcast_ref::<kube::client::AuthError>().is_some() => {
                Self::refused(chain(call, error))
            }
            _ => Self::lost(chain(call, error)),
        }
    }

    fn answered(call: &str, status: &Status) -> Self {
        let (code, said) = (status.code, status.message.as_str());
        let reason = if status.reason.is_empty() { format!("HTTP {code}") } else { status.reason.clone() };
        let mut why = cut(format!("{call}: {reason}: {said}"));
        let details = status.details.as_ref();
        let asked = details.map_or(0, |d| d.retry_after_seconds);
        let after_ns = (asked > 0).then(|| (i64::from(asked) * 1_000_000_000).min(RETRY_AFTER_NS_MAX));
        let causes = details.map(|d| d.causes.as_slice()).unwrap_or_default();
        let owned: Vec<(String, String)> = causes
            .iter()
            .filter(|c| c.reason == "FieldManagerConflict")
            .take(OWNED_MAX)
            .map(|c| (c.field.clone(), manager(&c.message).to_owned()))
            .collect();
        let error = match code {
            429 | 503 => CloudError::Again { after_ns, why },
            // Somebody wrote between a look and this call: nothing was done, and another look tells what is there.
            409 if owned.is_empty() && status.reason == "Conflict" => {
                CloudError::Again { after_ns: after_ns.or(Some(SETTLE_NS)), why }
            }
            // What is being deleted with a namespace cannot be made meanwhile, and such.
            500 | 502 | 504 => CloudError::Lost(why),
            401 => {
                why.push_str(": the cluster does not know who asks: renew the credentials of provision.kubeconfig");
                CloudError::Refused(why)
            }
            403 => {
                why.push_str(": grant it as in docs/kubernetes.md");
                CloudError::Refused(why)
            }
            _ => CloudError::Refused(why),
        };
        Self { code, error, owned }
    }

    /// It will never work.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self { code: 0, error: CloudError::Refused(cut(why.into())), owned: Vec::new() }
    }

    /// Nobody knows whether it was done.
    pub(crate) fn lost(why: impl Into<String>) -> Self {
        Self { code: 0, error: CloudError::Lost(cut(why.into())), owned: Vec::new() }
    }

    /// It is on its way to another state.
    pub(crate) fn unsettled(why: impl Into<String>) -> Self {
        let error = CloudError::Again { after_ns: Some(SETTLE_NS), why: cut(why.into()) };
        Self { code: 0, error, owned: Vec::new() }
    }

    /// Whether it says that there is no such thing.
    pub(crate) fn is_gone(&self) -> bool {
        self.code == 404
    }
}

impl From<Failure> for CloudError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Who is named by `conflict with "kubectl" with subresource "scale" using apps/v1`.
fn manager(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or(message)
}

/// What an error says, with all its causes.
pub(crate) fn chain(call: &str, error: &dyn Error) -> String {
    let mut text = format!("{call}: {error}");
    let mut cause = error.source();
    while let Some(of) = cause {
        let said = of.to_string();
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = of.source();
    }
    cut(text)
}

fn cut(mut text: String) -> String {
    if text.len() > WHY_BYTES_MAX {
        let end = (0..=WHY_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn check(status: Value, expected: &str) -> Failure {
        let status: Status = serde_json::from_value(status.clone()).unwrap();
        let failure = Failure::answered("patch a/deployment/b", &status);
        let shown = match &failure.error {
            CloudError::Again { after_ns, .. } => format!("again {after_ns:?}"),
            CloudError::Lost(_) => "lost".to_owned(),
            CloudError::Refused(_) => "refused".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(shown, expected, "{status:?}");
        failure
    }

    #[test]
    fn answers_are_come_again_look_up_or_give_up() {
        check(
            json!({"code": 429, "reason": "TooManyRequests", "details": {"retryAfterSeconds": 7}}),
            "again Some(7000000000)",
        );
        check(
            json!({"code": 429, "details": {"retryAfterSeconds": 4_000_000_000_u32}}),
            &format!("again Some({RETRY_AFTER_NS_MAX})"),
        );
        check(json!({"code": 503}), "again None");
        check(json!({"code": 409, "reason": "Conflict"}), &format!("again Some({SETTLE_NS})"));
        check(json!({"code": 409, "reason": "AlreadyExists"}), "refused");
        check(json!({"code": 500, "reason": "InternalError"}), "lost");
        check(json!({"code": 504, "reason": "Timeout"}), "lost");
        check(json!({"code": 422, "reason": "Invalid"}), "refused");
        assert!(check(json!({"code": 403}), "refused").error.to_string().contains("docs/kubernetes.md"));
        assert!(check(json!({"code": 404}), "refused").is_gone());
        let taken = check(
            json!({"code": 409, "reason": "Conflict", "details": {"causes": [
                {"reason": "FieldManagerConflict", "field": ".spec.replicas",
                 "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1"}]}}),
            "refused",
        );
        assert_eq!(taken.owned, [(".spec.replicas".to_owned(), "kubectl".to_owned())]);
    }

    #[test]
    fn long_words_are_cut() {
        assert!(Failure::refused("ä".repeat(WHY_BYTES_MAX)).error.to_string().len() <= WHY_BYTES_MAX + 30);
    }
}
