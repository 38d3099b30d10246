//! OTLP over gRPC.
//!
//! The three services have one unary method each, so the framing is done here and not by tonic's server: bodies then pass
//! the guard like all others (authentication before the first byte of a body, one memory budget, caps before and after
//! inflation, a time-out), and are decoded off the threads that serve sockets.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::{BufMut as _, Bytes, BytesMut};
use grid_decode::{otlp_logs, otlp_metrics, otlp_traces};
use grid_guard::body::{self, Encoding};
use grid_guard::{Problem, Scope};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;

use super::content_type;
use super::otlp_http::{Otlp, protobuf_success};
use crate::accept::{Accepted, Ingest};
use crate::metrics::Protocol;
use crate::reply::{Refusal, rpc_code, rpc_status, sentence};

/// Compressed flag and length in front of each message.
const FRAME_HEAD_BYTES: usize = 5;
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// OTLP's collector services for HTTP/2, with prior knowledge or after an upgrade. It asks the guard itself, because a gRPC
/// client wants refusals as gRPC statuses; do not put it behind [`grid_guard::Guard::layer`].
pub fn grpc_router(ingest: Ingest) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(metrics))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(logs))
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(traces))
        .fallback(unknown)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(ingest)
}

async fn metrics(State(ingest): State<Ingest>, request: Request) -> Response {
    export(Otlp::Metrics, ingest, request).await
}

async fn logs(State(ingest): State<Ingest>, request: Request) -> Response {
    export(Otlp::Logs, ingest, request).await
}

async fn traces(State(ingest): State<Ingest>, request: Request) -> Response {
    export(Otlp::Traces, ingest, request).await
}

async fn unknown(request: Request) -> Response {
    tonic::Status::unimplemented(format!("no method {}", request.uri().path())).into_http()
}

async fn export(signal: Otlp, ingest: Ingest, request: Request) -> Response {
    // What is not gRPC gets no gRPC answer (PROTOCOL-HTTP2, "Requests").
    if !content_type(request.headers()).0.starts_with("application/grpc") {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    match take(signal, &ingest, request).await {
        Ok(accepted) => success(&protobuf_success(signal, &accepted.rejects)),
        Err(problem) => {
            ingest.metrics().refused(Protocol::OtlpGrpc, problem.status.as_u16());
            let details = rpc_status(&problem).encode_to_vec().into();
            tonic::Status::with_details(rpc_code(problem.status), sentence(&problem), details).into_http()
        }
    }
}

async fn take(signal: Otlp, ingest: &Ingest, request: Request) -> Result<Accepted, Refusal> {
    let (parts, body) = request.into_parts();
    let guard = ingest.guard();
    let caller = guard.authenticate(&parts.headers).await.map_err(|e| Refusal::from(e.problem()))?;
    caller.require(Scope::Ingest).map_err(|e| Refusal::from(e.problem()))?;
    let _permit = guard.admit(Scope::Ingest).map_err(|e| Refusal::from(e.problem()))?;
    let framed = body::read(&parts.headers, body, guard.body_limits()).await.map_err(|e| Refusal::from(e.problem()))?;
    let message = message(&parts.headers, framed, ingest).await?;
    ingest
        .accept(Protocol::OtlpGrpc, &caller, message, move |bytes, options, context| match signal {
            Otlp::Metrics => otlp_metrics::decode_protobuf(bytes, options, context),
            Otlp::Logs => otlp_logs::decode_protobuf(bytes, options, context),
            Otlp::Traces => otlp_traces::decode_protobuf(bytes, context),
        })
        .await
}

/// The one message of a unary call, inflated.
async fn message(headers: &HeaderMap, framed: Bytes, ingest: &Ingest) -> Result<Bytes, Refusal> {
    let malformed = |detail: &str| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "GRID-0201", "body is not what the route expects", detail);
        Refusal::from(problem.hint("check that nothing between client and server changes the body"))
    };
    let head = framed.first_chunk::<FRAME_HEAD_BYTES>().ok_or_else(|| malformed("the message has no length"))?;
    let (compressed, length) = (head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize);
    let message = framed.slice(FRAME_HEAD_BYTES..);
    if message.len() != length {
        return Err(malformed(&format!("a message of {length} bytes was announced, {} came", message.len())));
    }
    match compressed {
        0 => Ok(message),
        1 => {
            let encoding = encoding(headers)?;
            body::inflate(message, encoding, ingest.guard().body_limits()).await.map_err(|e| Refusal::from(e.problem()))
        }
        other => Err(malformed(&format!("the compressed flag is {other}"))),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = headers.get(GRPC_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    match name {
        "gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        "deflate" => Ok(Encoding::Deflate),
        other => {
            let detail = format!("grpc-encoding {other:?} is not supported");
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRID-0123", "content encoding not supported", detail)
                .hint("use gzip, zstd, deflate or none")
                .into())
        }
    }
}

fn success(message: &[u8]) -> Response {
    let mut framed = BytesMut::with_capacity(FRAME_HEAD_BYTES + message.len());
    framed.put_u8(0);
    // An answer holds a count and a few sentences.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip,zstd,deflate"));
    response
}
