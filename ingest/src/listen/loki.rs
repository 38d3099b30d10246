//! Loki's push: JSON, or protobuf packed with snappy.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use grid_decode::loki::{decode_json, decode_proto};
use grid_guard::body::{self, Encoding};
use grid_guard::{Caller, Problem};
use http::{HeaderMap, StatusCode};

use super::content_type;
use crate::accept::{Accepted, Ingest};
use crate::metrics::Protocol;
use crate::reply::{self, Refusal};

pub(super) async fn push(State(ingest): State<Ingest>, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    match take(&ingest, &caller, &headers, body).await {
        Ok(accepted) if accepted.rejects.is_empty() => reply::no_content(),
        Ok(accepted) => {
            let text = format!("{}; the rest was written\n", accepted.rejects.summary());
            reply::text(StatusCode::BAD_REQUEST, text)
        }
        Err(problem) => {
            ingest.metrics().refused(Protocol::Loki, problem.status.as_u16());
            reply::text_refusal(&problem)
        }
    }
}

async fn take(ingest: &Ingest, caller: &Caller, headers: &HeaderMap, body: Body) -> Result<Accepted, Refusal> {
    let limits = ingest.guard().body_limits();
    let (media, _) = content_type(headers);
    let json = match media.as_str() {
        "application/json" => true,
        // Clients that send no type at all send protobuf, as the first of them did.
        "application/x-protobuf" | "" => false,
        other => {
            let detail = format!("Content-Type {other:?} is not supported");
            let problem =
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRID-0202", "content type not supported", detail);
            return Err(problem.hint("send application/json or application/x-protobuf").into());
        }
    };
    let plain = Encoding::from_headers(headers).map_err(|e| Refusal::from(e.problem()))? == Encoding::Identity;
    let mut body = body::read(headers, body, limits).await.map_err(|e| Refusal::from(e.problem()))?;
    if plain && !json {
        // The protobuf push is packed with snappy without saying so.
        body = body::inflate(body, Encoding::Snappy, limits).await.map_err(|e| Refusal::from(e.problem()))?;
    }
    let decode = if json { decode_json } else { decode_proto };
    ingest.accept(Protocol::Loki, caller, body, move |bytes, _, context| decode(bytes, context)).await
}
