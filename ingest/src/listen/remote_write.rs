//! Prometheus remote write 1.0 and 2.0.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use grid_decode::decoded::Counts;
use grid_decode::remote_write::{decode_v1, decode_v2};
use grid_guard::body::{self, Encoding};
use grid_guard::{Caller, Problem};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::content_type;
use crate::accept::{Accepted, Ingest};
use crate::metrics::Protocol;
use crate::reply::{self, Refusal};

/// How much of a request was written; without them a 2.0 sender assumes that nothing was.
const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

pub(super) async fn write(State(ingest): State<Ingest>, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    let (protocol, taken) = match protocol(&headers) {
        Ok(protocol) => (protocol, take(protocol, &ingest, &caller, &headers, body).await),
        Err(problem) => (Protocol::RemoteWrite1, Err(problem)),
    };
    match taken {
        Ok(accepted) if accepted.rejects.is_empty() => with_written(reply::no_content(), &accepted.counts),
        // A sender does not retry 400: the good part is written, the bad part would be refused again.
        Ok(accepted) => {
            let text = format!("{}; the rest was written", accepted.rejects.summary());
            with_written(reply::text(StatusCode::BAD_REQUEST, text), &accepted.counts)
        }
        Err(problem) => {
            ingest.metrics().refused(protocol, problem.status.as_u16());
            with_written(reply::text_refusal(&problem), &Counts::default())
        }
    }
}

fn protocol(headers: &HeaderMap) -> Result<Protocol, Refusal> {
    let (media, parameters) = content_type(headers);
    let refuse = |what: String| -> Result<Protocol, Refusal> {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRID-0202", "content type not supported", what);
        Err(problem
            .hint("send application/x-protobuf, for remote write 2.0 with proto=io.prometheus.write.v2.Request")
            .into())
    };
    if media != "application/x-protobuf" {
        return refuse(format!("Content-Type {media:?} is not supported"));
    }
    let proto = parameters.split(';').find_map(|p| p.trim().strip_prefix("proto=")).map(|p| p.trim_matches('"'));
    match proto {
        None | Some("prometheus.WriteRequest") => Ok(Protocol::RemoteWrite1),
        Some("io.prometheus.write.v2.Request") => Ok(Protocol::RemoteWrite2),
        Some(other) => refuse(format!("message {other:?} is not supported")),
    }
}

async fn take(
    protocol: Protocol,
    ingest: &Ingest,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Accepted, Refusal> {
    let limits = ingest.guard().body_limits();
    let plain = Encoding::from_headers(headers).map_err(|e| Refusal::from(e.problem()))? == Encoding::Identity;
    let mut body = body::read(headers, body, limits).await.map_err(|e| Refusal::from(e.problem()))?;
    if plain {
        // Remote write is always packed with snappy; some senders forget to say so.
        body = body::inflate(body, Encoding::Snappy, limits).await.map_err(|e| Refusal::from(e.problem()))?;
    }
    let decode = if protocol == Protocol::RemoteWrite2 { decode_v2 } else { decode_v1 };
    ingest.accept(protocol, caller, body, move |bytes, _, context| decode(bytes, context)).await
}

fn with_written(mut response: Response, counts: &Counts) -> Response {
    let written = [
        (SAMPLES_WRITTEN, counts.samples),
        (HISTOGRAMS_WRITTEN, counts.histograms),
        (EXEMPLARS_WRITTEN, counts.exemplars),
    ];
    for (name, n) in written {
        response.headers_mut().insert(name, HeaderValue::from(n));
    }
    response
}
