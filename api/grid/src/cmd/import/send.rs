//! Sends decoded pieces to a server, over the protocols that every client uses: OTLP, and remote write 2.0 for samples.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use grid_decode::remote_write::{WireSeries, encode_v2_series};
use grid_decode::{otlp_encode, Decoded};
use grid_model::series::def_of_key;
use grid_model::table::samples;
use grid_model::{SeriesId, Table};
use prost::Message as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use super::read::{Piece, Signal};
use crate::client::{Client, words_of_failure};

/// How often a busy server is asked again.
const ATTEMPTS_MAX: u32 = 30;
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a server said about one piece.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Items that the server refused although they decoded here.
    pub(super) refused: u64,
    /// Its words.
    pub(super) reason: Option<String>,
}

/// Sends one piece; waits and repeats while the server is busy.
pub(super) async fn send(client: &Client, signal: Signal, piece: &Piece) -> anyhow::Result<Reply> {
    if let Some(request) = &piece.request {
        let path = format!("/v1/{}", signal.name());
        let make = || client.request(Method::POST, &path).header(CONTENT_TYPE, "application/json").body(request.clone());
        let answer = insist(client, make).await?;
        return Ok(partial_success(&answer.text().await.unwrap_or_default()));
    }
    if piece.decoded.write.is_empty() {
        return Ok(Reply::default());
    }
    let batches = |table| {
        piece.decoded.write.batches.iter().filter(move |(t, _)| *t == table).map(|(_, b)| b.clone()).collect::<Vec<_>>()
    };
    let (path, kind, body) = match signal {
        Signal::Metrics => ("/api/v1/write", Kind::RemoteWrite, remote_write(&piece.decoded)?),
        Signal::Logs => ("/v1/logs", Kind::Otlp, otlp_encode::logs::encode(&batches(Table::Logs))?.encode_to_vec()),
        Signal::Traces => ("/v1/traces", Kind::Otlp, otlp_encode::traces::encode(&batches(Table::Spans))?.encode_to_vec()),
    };
    let body = bytes::Bytes::from(body);
    let make = || {
        let request = client.request(Method::POST, path).body(body.clone());
        match kind {
            Kind::Otlp => request.header(CONTENT_TYPE, "application/x-protobuf"),
            Kind::RemoteWrite => request
                .header(CONTENT_TYPE, "application/x-protobuf;proto=io.prometheus.write.v2.Request")
                .header(CONTENT_ENCODING, "snappy")
                .header("x-prometheus-remote-write-version", "2.0.0"),
        }
    };
    insist(client, make).await?;
    Ok(Reply::default())
}

#[derive(Clone, Copy)]
enum Kind {
    Otlp,
    RemoteWrite,
}

async fn insist(client: &Client, make: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
    for _ in 0..ATTEMPTS_MAX {
        let answer = client.send_any(make()).await?;
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

/// `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"..."}}`
fn partial_success(text: &str) -> Reply {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Reply::default() };
    let Some(partial) = value.get("partialSuccess").and_then(|p| p.as_object()) else { return Reply::default() };
    let number = |v: &serde_json::Value| v.as_u64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
    Reply {
        refused: partial.iter().filter(|(k, _)| k.starts_with("rejected")).filter_map(|(_, v)| number(v)).sum(),
        reason: partial.get("errorMessage").and_then(|m| m.as_str()).filter(|m| !m.is_empty()).map(str::to_owned),
    }
}

/// Samples of a text file as a remote write request, compressed. Text knows only floats, exemplars and start times.
fn remote_write(decoded: &Decoded) -> anyhow::Result<Vec<u8>> {
    let mut series: Vec<WireSeries> = Vec::new();
    let mut position: HashMap<SeriesId, usize> = HashMap::new();
    for (id, key) in decoded.write.series.iter() {
        let def = def_of_key(key).context("read back a series")?;
        position.insert(id, series.len());
        series.push(WireSeries { labels: def.labels, ..WireSeries::default() });
    }
    for (_, batch) in decoded.write.batches.iter().filter(|(table, _)| *table == Table::Samples) {
        add_samples(batch, &position, &mut series).context("read back samples")?;
    }
    let message = encode_v2_series(&series);
    snap::raw::Encoder::new().compress_vec(&message).context("compress the request")
}

fn add_samples(batch: &RecordBatch, position: &HashMap<SeriesId, usize>, series: &mut [WireSeries]) -> Option<()> {
    let ids = batch.column_by_name(samples::SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(samples::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let starts = batch.column_by_name(samples::START_TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let values = batch.column_by_name(samples::VALUE)?.as_primitive_opt::<Float64Type>()?;
    let integers = batch.column_by_name(samples::VALUE_INT).and_then(|c| c.as_primitive_opt::<Int64Type>());
    for i in 0..batch.num_rows() {
        let value = match integers {
            Some(integers) if values.is_null(i) && integers.is_valid(i) => integers.value(i) as f64,
            _ => values.value(i),
        };
        let start_ms = if starts.is_valid(i) { starts.value(i).div_euclid(1_000_000) } else { 0 };
        let at = *position.get(&SeriesId(ids.value(i)))?;
        series[at].samples.push((times.value(i).div_euclid(1_000_000), value, start_ms));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read() {
        let reply = partial_success(r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too long"}}"#);
        assert_eq!((reply.refused, reply.reason.as_deref()), (2, Some("too long")));
        assert_eq!(partial_success("{}").refused, 0);
    }
}
