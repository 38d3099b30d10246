//! What listens: one file per protocol.

pub mod otlp_http;
pub mod otlp_grpc;
pub mod remote_write;
pub mod loki;
#[cfg(test)]
mod end_to_end;

use axum::Router;
use axum::routing::post;
use http::{HeaderMap, header};

pub use otlp_grpc::grpc_router;

use crate::accept::Ingest;

/// Everything that is pushed over HTTP/1.1 and HTTP/2. Put it behind [`grid_guard::Guard::layer`] with
/// [`grid_guard::Scope::Ingest`]: handlers take their [`grid_guard::Caller`] from there.
pub fn http_router(ingest: Ingest) -> Router {
    Router::new()
        .route("/v1/metrics", post(otlp_http::metrics))
        .route("/v1/logs", post(otlp_http::logs))
        .route("/v1/traces", post(otlp_http::traces))
        .route("/prometheus/api/v1/write", post(remote_write::write))
        .route("/api/v1/write", post(remote_write::write))
        .route("/loki/api/v1/push", post(loki::push))
        // The guard caps bodies, before and after inflation.
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(ingest)
}

/// The media type of `Content-Type` in lower case, and its parameters as sent.
fn content_type(headers: &HeaderMap) -> (String, String) {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (media, parameters) = value.split_once(';').unwrap_or((value, ""));
    (media.trim().to_ascii_lowercase(), parameters.trim().to_owned())
}
