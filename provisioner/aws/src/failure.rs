//! What the SDK says when a call fails, as the three things that a runner can do about it: come again, look up, give up.

use std::error::Error;
use std::fmt::Write as _;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use grid_act::executor::CloudError;

use crate::limits::{RETRY_AFTER_NS_MAX, SETTLE_NS, WHY_BYTES_MAX};

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The cloud's word for it, such as `Throttling`; empty if there was no answer.
    pub(crate) code: String,
    /// What it means for the runner.
    pub(crate) error: CloudError,
}

/// Codes by which services say that they are asked too often.
const THROTTLED: [&str; 11] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "SlowDown",
];

/// Parts of codes by which services say that something is on its way to another state: nothing was done, and it may be asked again.
const UNSETTLED: [&str; 10] = [
    "IncorrectInstanceState",
    "IncorrectState",
    "IncorrectModificationState",
    "InvalidDBInstanceState",
    "InvalidReplicationGroupState",
    "ResourceInUse",
    "ScalingActivityInProgress",
    "ResourceContention",
    "ResourceConflict",
    "IncorrectFileSystemLifeCycleState",
];

impl Failure {
    /// Of what the SDK says. `call` names the operation.
    pub(crate) fn of<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let lost = |why: String| Self { code: String::new(), error: CloudError::Lost(why) };
        match error {
            SdkError::ConstructionFailure(_) => Self::refused("", chain(call, error)),
            SdkError::TimeoutError(_) => lost(chain(call, error)),
            SdkError::DispatchFailure(failure) => {
                let why = chain(call, error);
                // Without credentials, or with an address that is none, nothing was sent.
                if failure.is_user() || why.contains("credentials") { Self::refused("", why) } else { lost(why) }
            }
            SdkError::ResponseError(_) => lost(chain(call, error)),
            SdkError::ServiceError(answer) => {
                let raw = answer.raw();
                let status = raw.status().as_u16();
                let header = |name: &str| raw.headers().get(name).and_then(|v| v.trim().parse::<i64>().ok());
                let after_ns = header("retry-after")
                    .map(|s| s.saturating_mul(1_000_000_000))
                    .or_else(|| header("x-amz-retry-after").map(|ms| ms.saturating_mul(1_000_000)));
                let (code, said) = (answer.err().code(), answer.err().message());
                Self::answered(call, status, code.unwrap_or_default(), said.unwrap_or_default(), after_ns)
            }
            other => lost(chain(call, other)),
        }
    }

    /// Of an answer: its HTTP status, its code and text, and how long it asks to wait, in nanoseconds.
    fn answered(call: &str, status: u16, code: &str, said: &str, after_ns: Option<i64>) -> Self {
        let name = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
        let why = cut(format!("{call}: {name}: {said}"));
        let after_ns = after_ns.map(|ns| ns.clamp(0, RETRY_AFTER_NS_MAX));
        let error = if status < 300 {
            // It said yes in words that the SDK cannot read.
            CloudError::Lost(format!("{why}: the answer cannot be read"))
        } else if status == 429 || THROTTLED.contains(&code) {
            CloudError::Again { after_ns, why }
        } else if UNSETTLED.iter().any(|part| code.contains(part)) {
            CloudError::Again { after_ns: after_ns.or(Some(SETTLE_NS)), why }
        } else if status == 503 {
            CloudError::Again { after_ns, why }
        } else if status >= 500 && status != 501 {
            // It may have been done before it failed.
            CloudError::Lost(why)
        } else {
            CloudError::Refused(why)
        };
        Self { code: code.to_owned(), error }
    }

    /// It will never work.
    pub(crate) fn refused(code: &str, why: impl Into<String>) -> Self {
        Self { code: code.to_owned(), error: CloudError::Refused(cut(why.into())) }
    }

    /// An answer lacks what it always has.
    pub(crate) fn odd(call: &str, what: &str) -> Self {
        Self { code: String::new(), error: CloudError::Lost(format!("{call}: the answer has no {what}")) }
    }

    /// It is on its way to another state.
    pub(crate) fn unsettled(why: impl Into<String>) -> Self {
        Self { code: String::new(), error: CloudError::Again { after_ns: Some(SETTLE_NS), why: cut(why.into()) } }
    }

    /// Whether it says that there is no such thing.
    pub(crate) fn is_gone(&self) -> bool {
        let code = &self.code;
        code.contains("NotFound") || code.ends_with("FileSystemNotFound") || self.says("not found")
    }

    /// Whether it says that the name is taken.
    pub(crate) fn is_taken(&self) -> bool {
        ["AlreadyExists", "ResourceInUseException", "ResourceConflict", "ConflictException"]
            .iter()
            .any(|part| self.code.contains(part))
    }

    /// Auto Scaling has one code for all that is wrong.
    fn says(&self, words: &str) -> bool {
        self.code == "ValidationError"
            && matches!(&self.error, CloudError::Refused(why) if why.to_ascii_lowercase().contains(words))
    }
}

impl From<Failure> for CloudError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What an error says, with all its causes.
fn chain(call: &str, error: &dyn Error) -> String {
    let mut text = format!("{call}: {error}");
    let mut cause = error.source();
    while let Some(of) = cause {
        let _ = write!(text, ": {of}");
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
    use super::*;

    fn check(status: u16, code: &str, after_ns: Option<i64>, expected: &str) {
        let failure = Failure::answered("ModifyThing", status, code, "said", after_ns);
        let shown = match failure.error {
            CloudError::Again { after_ns, .. } => format!("again {after_ns:?}"),
            CloudError::Lost(_) => "lost".to_owned(),
            CloudError::Refused(_) | CloudError::Owned { .. } => "refused".to_owned(),
            CloudError::Unsupported { .. } => "unsupported".to_owned(),
        };
        assert_eq!(shown, expected, "{status} {code}");
    }

    #[test]
    fn answers_are_come_again_look_up_or_give_up() {
        check(400, "Throttling", None, "again None");
        check(400, "RequestLimitExceeded", Some(2_000_000_000), "again Some(2000000000)");
        check(429, "", Some(7), "again Some(7)");
        check(429, "", Some(i64::MAX), &format!("again Some({RETRY_AFTER_NS_MAX})"));
        check(503, "ServiceUnavailable", None, "again None");
        check(400, "InvalidDBInstanceStateFault", None, &format!("again Some({SETTLE_NS})"));
        check(400, "IncorrectInstanceState", None, &format!("again Some({SETTLE_NS})"));
        check(200, "", None, "lost");
        check(500, "InternalFailure", None, "lost");
        check(504, "", None, "lost");
        check(501, "NotImplemented", None, "refused");
        check(400, "ValidationError", None, "refused");
        check(403, "AccessDenied", None, "refused");
    }

    #[test]
    fn what_is_gone_and_what_is_taken() {
        let of = |code: &str, said: &str| Failure::answered("X", 400, code, said, None);
        assert!(of("InvalidVolume.NotFound", "").is_gone());
        assert!(of("DBInstanceNotFound", "").is_gone());
        assert!(of("ValidationError", "AutoScalingGroup name not found - x").is_gone());
        assert!(!of("ValidationError", "min above max").is_gone());
        assert!(of("DBInstanceAlreadyExists", "").is_taken());
        assert!(!of("Throttling", "").is_taken());
    }

    #[test]
    fn long_words_are_cut() {
        let failure = Failure::refused("", "ä".repeat(WHY_BYTES_MAX));
        assert!(failure.error.to_string().len() <= WHY_BYTES_MAX + 30);
    }
}
