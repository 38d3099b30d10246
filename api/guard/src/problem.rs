//! A refusal as the client sees it: `application/problem+json` (RFC 9457) with a code and a hint.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// What went wrong, for a human and for a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code, `GRID-0412`; `grid explain` knows each.
    pub code: &'static str,
    /// What kind of problem, the same words for every occurrence.
    pub title: &'static str,
    /// What happened this time.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Further members of the document, such as `line` and `column` of a syntax error.
    pub members: Vec<(&'static str, Value)>,
}

/// The code of the problem that a response carries, as an extension of the response.
#[derive(Debug, Clone, Copy)]
pub struct ProblemCode(pub &'static str);

impl Problem {
    /// A problem without a hint.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), hint: None, retry_after: None, members: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a member of its own.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// The document's text.
    pub fn to_json(&self) -> Value {
        let mut doc = Map::new();
        doc.insert("type".into(), format!("/docs#{}", self.code).into());
        doc.insert("title".into(), self.title.into());
        doc.insert("status".into(), self.status.as_u16().into());
        doc.insert("detail".into(), self.detail.clone().into());
        doc.insert("code".into(), self.code.into());
        if let Some(hint) = &self.hint {
            doc.insert("hint".into(), hint.clone().into());
        }
        for (name, value) in &self.members {
            doc.insert((*name).into(), value.clone());
        }
        Value::Object(doc)
    }
}

/// A defect of ours.
pub fn internal_error(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0901", "internal error", detail)
        .hint("this is a defect of Grid; please report it with the log lines around it")
}

/// A pause as the header `Retry-After` says it: whole seconds, at least one.
pub fn retry_after_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds(after)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"grid\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"grid\""));
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_whole_seconds_and_never_zero() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_500, 60)] {
            assert_eq!(retry_after_seconds(Duration::from_millis(ms)), seconds, "{ms} ms");
        }
    }

    #[test]
    fn the_document_has_the_members_of_rfc_9457() {
        let p = Problem::new(StatusCode::BAD_REQUEST, "GRID-0106", "tenant name invalid", "empty")
            .hint("name it")
            .member("line", 3);
        assert_eq!(
            p.to_json().to_string(),
            r#"{"code":"GRID-0106","detail":"empty","hint":"name it","line":3,"status":400,"title":"tenant name invalid","type":"/docs#GRID-0106"}"#
        );
    }
}
