//! One span per request that is worth one, and a log line for those that failed on our side.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, info_span, warn};

/// One write in this many gets a span; reads all do.
const WRITES_PER_SPAN: u64 = 100;
const TENANT_HEADER: &str = "x-scope-orgid";

static WRITES: AtomicU64 = AtomicU64::new(0);

/// A layer around all routes.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let tenant = request.headers().get(TENANT_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("default").to_owned();
    if tenant == "grid" {
        return super::muted(next.run(request)).await;
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let wanted = match kind_of(&path) {
        Kind::Probe => false,
        Kind::Write => WRITES.fetch_add(1, Ordering::Relaxed).is_multiple_of(WRITES_PER_SPAN),
        Kind::Other => true,
    };
    if !wanted {
        let response = next.run(request).await;
        complain(&response, method.as_str(), &path, &tenant);
        return response;
    }
    let span = info_span!(
        "request",
        otel.name = format!("{method} {path}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method.as_str(),
        url.path = path,
        http.response.status_code = tracing::field::Empty,
        tenant,
    );
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    span.in_scope(|| complain(&response, method.as_str(), &path, &tenant));
    response
}

/// 503 is back-pressure, counted elsewhere, and would flood the log exactly when the server is busy.
fn complain(response: &Response, method: &str, path: &str, tenant: &str) {
    let status = response.status().as_u16();
    if status >= 500 && status != 503 {
        warn!(method, path, tenant, status, "request failed");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Probe,
    Write,
    Other,
}

fn kind_of(path: &str) -> Kind {
    match path {
        "/healthz" | "/readyz" | "/metrics" => Kind::Probe,
        "/v1/logs" | "/v1/metrics" | "/v1/traces" => Kind::Write,
        _ if ["/write", "/push", "/Export"].iter().any(|end| path.ends_with(end)) => Kind::Write,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(kind_of("/healthz"), Kind::Probe);
        assert_eq!(kind_of("/loki/api/v1/push"), Kind::Write);
        assert_eq!(kind_of("/prometheus/api/v1/write"), Kind::Write);
        assert_eq!(kind_of("/api/v1/sql"), Kind::Other);
    }
}
