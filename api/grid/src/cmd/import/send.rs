//! Sends decoded rows to a server over the protocols that every client uses: OTLP, and remote write 2.0 for samples that
//! did not come by OTLP.

mod logs;
mod remote_write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arrow::array::RecordBatch;
use bytes::Bytes;
use grid_decode::otlp_encode::metrics::MetricRows;
use grid_decode::{Decoded, otlp_encode};
use grid_model::series::def_of_key;
use grid_model::{SeriesDef, SeriesId, Table};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};

use super::telemetry::Kind;
use crate::client::{Client, words_of_failure};

/// How often a busy server is asked again.
const ATTEMPTS_MAX: u32 = 30;
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a server said about one piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// Items that the server refused although they decoded here.
    pub(super) refused: u64,
    /// Its words.
    pub(super) reason: Option<String>,
}

/// Sends one piece; waits and repeats while the server is busy.
pub(super) async fn send(client: &Client, kind: Kind, decoded: &Decoded, file: &str) -> anyhow::Result<Reply> {
    if decoded.write.is_empty() {
        return Ok(Reply::default());
    }
    match kind {
        Kind::Logs => {
            let request = logs::request(&batches(decoded, Table::Logs), file)?;
            let answer = post_otlp(client, "/v1/logs", &request).await?;
            let partial = ExportLogsServiceResponse::decode(answer).ok().and_then(|r| r.partial_success);
            Ok(partial.map(|p| reply(p.rejected_log_records, p.error_message)).unwrap_or_default())
        }
        Kind::Traces => {
            let request = otlp_encode::traces::encode(&batches(decoded, Table::Spans))?;
            let answer = post_otlp(client, "/v1/traces", &request).await?;
            let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|r| r.partial_success);
            Ok(partial.map(|p| reply(p.rejected_spans, p.error_message)).unwrap_or_default())
        }
        Kind::Metrics => {
            let series = series(decoded)?;
            // A file is of one format, so its series are all OTLP's or all labels alone.
            if series.values().any(|def| def.otlp.is_none()) {
                let body = remote_write::request(decoded, &series)?;
                post_remote_write(client, body).await?;
                return Ok(Reply::default());
            }
            let (samples, exemplars) = (batches(decoded, Table::Samples), batches(decoded, Table::Exemplars));
            let metadata = batches(decoded, Table::Metadata);
            let rows = MetricRows { samples: &samples, exemplars: &exemplars, metadata: &metadata };
            let request = otlp_encode::metrics::encode(rows, |id| series.get(&id).cloned())?.request;
            let answer = post_otlp(client, "/v1/metrics", &request).await?;
            let partial = ExportMetricsServiceResponse::decode(answer).ok().and_then(|r| r.partial_success);
            Ok(partial.map(|p| reply(p.rejected_data_points, p.error_message)).unwrap_or_default())
        }
    }
}

fn batches(decoded: &Decoded, table: Table) -> Vec<RecordBatch> {
    decoded.write.batches.iter().filter(|(t, _)| *t == table).map(|(_, b)| b.clone()).collect()
}

fn series(decoded: &Decoded) -> anyhow::Result<HashMap<SeriesId, Arc<SeriesDef>>> {
    let read = |(id, key): (SeriesId, &[u8])| Ok((id, Arc::new(def_of_key(key).context("read back a series")?)));
    decoded.write.series.iter().map(read).collect()
}

fn reply(refused: i64, reason: String) -> Reply {
    Reply { refused: u64::try_from(refused).unwrap_or(0), reason: Some(reason).filter(|r| !r.is_empty()) }
}

async fn post_otlp(client: &Client, path: &str, request: &impl Message) -> anyhow::Result<Bytes> {
    let body = Bytes::from(request.encode_to_vec());
    let answer = insist(client, path, &body, &[(CONTENT_TYPE.as_str(), "application/x-protobuf")]).await?;
    answer.bytes().await.context("read the answer")
}

async fn post_remote_write(client: &Client, message: Vec<u8>) -> anyhow::Result<()> {
    let body = snap::raw::Encoder::new().compress_vec(&message).context("compress the request")?;
    let headers = [
        (CONTENT_TYPE.as_str(), "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        (CONTENT_ENCODING.as_str(), "snappy"),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ];
    insist(client, "/api/v1/write", &Bytes::from(body), &headers).await.map(|_| ())
}

async fn insist(client: &Client, path: &str, body: &Bytes, headers: &[(&str, &str)]) -> anyhow::Result<Response> {
    for _ in 0..ATTEMPTS_MAX {
        let request = client.request(Method::POST, path).body(body.clone());
        let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
        let answer = client.send_any(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        if !matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let text = answer.text().await.unwrap_or_default();
            bail!("{}", words_of_failure(status, &text));
        }
        let after = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        tokio::time::sleep(after.map_or(PAUSE_DEFAULT, Duration::from_secs).min(PAUSE_MAX)).await;
    }
    bail!("the server was busy {ATTEMPTS_MAX} times in a row; what was sent so far is stored")
}
