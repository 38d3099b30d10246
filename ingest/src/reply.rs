//! Answers in each protocol's own shape.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use grid_guard::Problem;
use grid_guard::problem::{ProblemCode, retry_after_seconds};
use http::{HeaderValue, StatusCode, header};
use prost::Message;

/// Why nothing of a request was written.
pub(crate) type Refusal = Box<Problem>;

/// `google.rpc.Status`, the body of every OTLP error.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// A code of `google.rpc.Code`.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For a human.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Further messages.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// The message's type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message's bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`: without it an OTLP client does not retry RESOURCE_EXHAUSTED.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The code of gRPC that says what a problem's HTTP status says.
pub(crate) fn rpc_code(status: StatusCode) -> tonic::Code {
    match status {
        StatusCode::BAD_REQUEST => tonic::Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => tonic::Code::Unauthenticated,
        StatusCode::FORBIDDEN => tonic::Code::PermissionDenied,
        StatusCode::REQUEST_TIMEOUT => tonic::Code::DeadlineExceeded,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => tonic::Code::ResourceExhausted,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => tonic::Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
        _ => tonic::Code::Internal,
    }
}

/// A problem as `google.rpc.Status`.
pub(crate) fn rpc_status(problem: &Problem) -> RpcStatus {
    let retry = problem.retry_after.map(|after| RetryInfo { retry_delay: Some(delay(after)) });
    let detail = |info: RetryInfo| Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    RpcStatus {
        code: rpc_code(problem.status) as i32,
        message: sentence(problem),
        details: retry.map(detail).into_iter().collect(),
    }
}

fn delay(after: Duration) -> Delay {
    // A pause of more than 2^63 seconds is not meant.
    Delay { seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX), nanos: after.subsec_nanos().cast_signed() }
}

/// A problem as one line for protocols whose errors are plain text.
pub(crate) fn sentence(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{}: {} ({}); {hint}", problem.code, problem.title, problem.detail),
        None => format!("{}: {} ({})", problem.code, problem.title, problem.detail),
    }
}

/// A problem in the body that a protocol wants.
pub(crate) fn refusal(problem: &Problem, content_type: &'static str, body: impl Into<Body>) -> Response {
    /// Quotas are counted where they are checked.
    const COUNTED: &str = "GRID-0110";
    let mut response = Response::new(body.into());
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(after) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds(after)));
    }
    if problem.code != COUNTED {
        response.extensions_mut().insert(ProblemCode(problem.code));
    }
    response
}

/// A problem as plain text.
pub(crate) fn text_refusal(problem: &Problem) -> Response {
    refusal(problem, "text/plain; charset=utf-8", sentence(problem))
}

/// Plain text with a status.
pub(crate) fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Nothing to say.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
