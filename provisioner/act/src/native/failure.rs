//! What a call that fails means for a runner. How a cloud's answer is read as one is the cloud's own.

use std::error::Error;
use std::fmt::Write as _;

use crate::executor::CloudError;
use crate::limits::{RETRY_AFTER_NS_MAX, SETTLE_NS, WHY_BYTES_MAX};

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The cloud's word for it, such as `QuotaExceeded`; empty if there was none.
    pub code: String,
    /// What it means for the runner.
    pub error: CloudError,
}

impl Failure {
    fn of(error: CloudError) -> Self {
        Self { status: 0, code: String::new(), error }
    }

    /// It will never work.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::of(CloudError::Refused(cut(why.into())))
    }

    /// Nobody knows whether it was done.
    pub fn lost(why: impl Into<String>) -> Self {
        Self::of(CloudError::Lost(cut(why.into())))
    }

    /// The cloud asks to come again, and nothing was done.
    pub fn again(after_ns: Option<i64>, why: impl Into<String>) -> Self {
        let after_ns = after_ns.map(|ns| ns.clamp(0, RETRY_AFTER_NS_MAX));
        Self::of(CloudError::Again { after_ns, why: cut(why.into()) })
    }

    /// It is on its way to another state.
    pub fn unsettled(why: impl Into<String>) -> Self {
        Self::again(Some(SETTLE_NS), why)
    }

    /// The same, with what the cloud said.
    pub fn saying(self, status: u16, code: &str) -> Self {
        Self { status, code: code.to_owned(), ..self }
    }

    /// Whether it says that there is no such thing.
    pub fn is_gone(&self) -> bool {
        self.status == 404
    }
}

impl From<Failure> for CloudError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// The wait that a header `Retry-After` asks for, in nanoseconds. A date is taken for no answer: there is no clock here, and the runner waits anyway.
pub fn retry_after_ns(header: &str) -> Option<i64> {
    let seconds = header.trim().parse::<i64>().ok()?;
    Some(seconds.saturating_mul(1_000_000_000).clamp(0, RETRY_AFTER_NS_MAX))
}

/// What an error says, with all its causes.
pub fn chain(call: &str, error: &dyn Error) -> String {
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
    use super::*;

    #[test]
    fn waits_are_bounded_and_words_are_cut() {
        assert_eq!(retry_after_ns(" 7 "), Some(7_000_000_000));
        assert_eq!(retry_after_ns("99999999999999999"), Some(RETRY_AFTER_NS_MAX));
        assert_eq!(retry_after_ns("Fri, 01 Jan 2027 00:00:00 GMT"), None);
        assert!(Failure::refused("ä".repeat(WHY_BYTES_MAX)).error.to_string().len() <= WHY_BYTES_MAX + 30);
        assert!(Failure::refused("x").saying(404, "NotFound").is_gone());
    }
}
