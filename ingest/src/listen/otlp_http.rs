//! OTLP over HTTP: protobuf and JSON, answered in kind.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use grid_decode::{otlp_logs, otlp_metrics, otlp_traces};
use grid_guard::{Caller, Problem, body};
use grid_model::reject::Rejects;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::json;

use super::content_type;
use crate::accept::{Accepted, Ingest};
use crate::metrics::Protocol;
use crate::reply::{Refusal, refusal, rpc_status};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// What a request speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otlp {
    Metrics,
    Logs,
    Traces,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

pub(super) async fn metrics(State(ingest): State<Ingest>, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    export(Otlp::Metrics, ingest, caller, headers, body).await
}

pub(super) async fn logs(State(ingest): State<Ingest>, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    export(Otlp::Logs, ingest, caller, headers, body).await
}

pub(super) async fn traces(State(ingest): State<Ingest>, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    export(Otlp::Traces, ingest, caller, headers, body).await
}

async fn export(signal: Otlp, ingest: Ingest, caller: Caller, headers: HeaderMap, body: Body) -> Response {
    let (media, _) = content_type(&headers);
    let encoding = match media.as_str() {
        PROTOBUF | "application/protobuf" => Encoding::Protobuf,
        JSON => Encoding::Json,
        other => {
            let detail = format!("Content-Type {other:?} is not supported");
            let problem =
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRID-0202", "content type not supported", detail)
                    .hint("send application/x-protobuf or application/json");
            return refuse(&ingest, &problem, Encoding::Json);
        }
    };
    match take(signal, encoding, &ingest, &caller, &headers, body).await {
        Ok(accepted) => success(signal, encoding, &accepted.rejects),
        Err(problem) => refuse(&ingest, &problem, encoding),
    }
}

async fn take(
    signal: Otlp,
    encoding: Encoding,
    ingest: &Ingest,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Accepted, Refusal> {
    let body = body::read(headers, body, ingest.guard().body_limits()).await.map_err(|e| Refusal::from(e.problem()))?;
    ingest
        .accept(Protocol::OtlpHttp, caller, body, move |bytes, options, context| match (signal, encoding) {
            (Otlp::Metrics, Encoding::Protobuf) => otlp_metrics::decode_protobuf(bytes, options, context),
            (Otlp::Metrics, Encoding::Json) => otlp_metrics::decode_json(bytes, options, context),
            (Otlp::Logs, Encoding::Protobuf) => otlp_logs::decode_protobuf(bytes, options, context),
            (Otlp::Logs, Encoding::Json) => otlp_logs::decode_json(bytes, options, context),
            (Otlp::Traces, Encoding::Protobuf) => otlp_traces::decode_protobuf(bytes, context),
            (Otlp::Traces, Encoding::Json) => otlp_traces::decode_json(bytes, context),
        })
        .await
}

fn refuse(ingest: &Ingest, problem: &Problem, encoding: Encoding) -> Response {
    ingest.metrics().refused(Protocol::OtlpHttp, problem.status.as_u16());
    let status = rpc_status(problem);
    match encoding {
        Encoding::Protobuf => refusal(problem, PROTOBUF, status.encode_to_vec()),
        Encoding::Json => refusal(problem, JSON, json!({"code": status.code, "message": status.message}).to_string()),
    }
}

fn success(signal: Otlp, encoding: Encoding, rejects: &Rejects) -> Response {
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, protobuf_success(signal, rejects)),
        Encoding::Json => (JSON, json_success(signal, rejects).into_bytes()),
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The response message of a signal; its partial success is absent if all was taken.
pub(super) fn protobuf_success(signal: Otlp, rejects: &Rejects) -> Vec<u8> {
    let partial = (!rejects.is_empty()).then(|| (i64::try_from(rejects.count).unwrap_or(i64::MAX), rejects.summary()));
    match signal {
        Otlp::Metrics => {
            let part = |(rejected_data_points, error_message)| ExportMetricsPartialSuccess {
                rejected_data_points,
                error_message,
            };
            ExportMetricsServiceResponse { partial_success: partial.map(part) }.encode_to_vec()
        }
        Otlp::Logs => {
            let part = |(rejected_log_records, error_message)| ExportLogsPartialSuccess {
                rejected_log_records,
                error_message,
            };
            ExportLogsServiceResponse { partial_success: partial.map(part) }.encode_to_vec()
        }
        Otlp::Traces => {
            let part = |(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message };
            ExportTraceServiceResponse { partial_success: partial.map(part) }.encode_to_vec()
        }
    }
}

fn json_success(signal: Otlp, rejects: &Rejects) -> String {
    if rejects.is_empty() {
        return "{}".to_owned();
    }
    let rejected = match signal {
        Otlp::Metrics => "rejectedDataPoints",
        Otlp::Logs => "rejectedLogRecords",
        Otlp::Traces => "rejectedSpans",
    };
    // Protobuf's JSON mapping writes 64-bit integers as text.
    json!({"partialSuccess": {rejected: rejects.count.to_string(), "errorMessage": rejects.summary()}}).to_string()
}
