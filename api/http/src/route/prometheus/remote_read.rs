//! Remote read (`prometheus.ReadRequest`): raw samples of the series that matchers select, all at once (`samples`) or as a stream of
//! XOR chunks, one series a frame. Errors are plain text, as Prometheus' are.

use std::io;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use grid_analytics::promql::metadata::Selection;
use grid_guard::Caller;
use grid_promql::Labels;
use grid_promql::histogram::{FloatHistogram, ResetHint};
use grid_promql::samples::Samples;
use grid_promql_syntax::Matcher;
use grid_promql_syntax::matcher::MatchOp;
use http::{HeaderValue, StatusCode, header};
use prost::Message as _;

use super::answer::{Failure, Out, send};
use super::params::TIME_RANGE;
use super::xor_chunk::{CHUNK_SAMPLES, encode, push_frame};
use crate::error::ApiError;
use crate::extract::read_body;
use crate::state::ApiState;

/// Queries of one request.
const QUERIES_MAX: usize = 100;
/// Samples of one answer, as in Prometheus by default.
const SAMPLES_MAX: usize = 50_000_000;
/// Bytes of chunks after which a frame ends; the series goes on in the next.
const FRAME_BYTES: usize = 1 << 20;

/// Answers a request.
pub(crate) async fn post(State(state): State<ApiState>, caller: Caller, request: Request) -> Response {
    match read(&state, &caller, request).await {
        Ok(response) => response,
        Err(failure) => failure.plain(),
    }
}

/// The series of one query.
type Found = Vec<(Labels, Samples)>;

async fn read(state: &ApiState, caller: &Caller, request: Request) -> Result<Response, Failure> {
    let bytes = message(state, request).await?;
    let request = proto::ReadRequest::decode(bytes).map_err(Failure::bad_data)?;
    if request.queries.len() > QUERIES_MAX {
        return Err(Failure::bad_data(format!("{} queries; at most {QUERIES_MAX} are taken", request.queries.len())));
    }
    let (mut all, mut samples, mut histograms) = (Vec::with_capacity(request.queries.len()), 0, false);
    for query in &request.queries {
        let found = state.engine.raw_series(&selection(caller, query)?).await?;
        samples += found.iter().map(|(_, s)| s.len()).sum::<usize>();
        if samples > SAMPLES_MAX {
            return Err(Failure::bad_data(format!("exceeded sample limit ({SAMPLES_MAX})")));
        }
        histograms |= found.iter().any(|(_, s)| !s.histograms.is_empty());
        all.push(found);
    }
    let accepted = &request.accepted_response_types;
    // Chunks are written of numbers only; whoever takes both forms gets histograms in the other.
    let takes_samples = accepted.is_empty() || accepted.contains(&proto::SAMPLES);
    let takes_chunks = accepted.contains(&proto::STREAMED_XOR_CHUNKS);
    let mut response = match (takes_chunks, takes_samples) {
        (true, _) if !histograms => chunked(all),
        (_, true) => sampled(all),
        (true, false) => {
            let message = "native histograms are not streamed in chunks: accept SAMPLES, too";
            return Err(Failure::bad_data(message));
        }
        (false, false) => return Err(Failure::bad_data("none of the requested response types are supported")),
    };
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// The body without its packing. Clients name the coding or not; the protocol has only one.
async fn message(state: &ApiState, request: Request) -> Result<Bytes, Failure> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(state, &parts.headers, body).await?;
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(bytes);
    }
    let corrupt = |_| Failure::bad_data("snappy: corrupt input");
    let limit = state.guard.body_limits().inflated_max;
    if snap::raw::decompress_len(&bytes).map_err(corrupt)? > limit {
        return Err(ApiError::Parameter(format!("the request has more than {limit} bytes")).into());
    }
    if bytes.is_empty() {
        return Err(Failure::bad_data("snappy: corrupt input"));
    }
    Ok(snap::raw::Decoder::new().decompress_vec(&bytes).map_err(corrupt)?.into())
}

fn selection(caller: &Caller, query: &proto::Query) -> Result<Selection, Failure> {
    let matchers: Result<Vec<Matcher>, Failure> = query.matchers.iter().map(matcher).collect();
    let (first, last) = TIME_RANGE;
    let range = (query.start_timestamp_ms.clamp(first, last), query.end_timestamp_ms.clamp(first, last));
    Ok(Selection { tenant: caller.tenant.clone(), sets: vec![matchers?], range, limit: 0 })
}

fn matcher(wire: &proto::LabelMatcher) -> Result<Matcher, Failure> {
    let op = match wire.r#type {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        other => return Err(Failure::bad_data(format!("invalid matcher type {other}"))),
    };
    Matcher::new(wire.name.as_str(), op, wire.value.as_str()).map_err(Failure::bad_data)
}

fn typed(mut response: Response, kind: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Everything in one message.
fn sampled(all: Vec<Found>) -> Response {
    let written = send(false, true, move |out| {
        let results = all
            .into_iter()
            .map(|found| {
                let timeseries = found.into_iter().map(|(labels, samples)| series(&labels, &samples)).collect();
                proto::QueryResult { timeseries }
            })
            .collect();
        let message = proto::ReadResponse { results }.encode_to_vec();
        out.text = snap::raw::Encoder::new().compress_vec(&message).map_err(io::Error::other)?;
        out.flush_if_full()
    });
    let mut response = typed(written, "application/x-protobuf");
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    response
}

fn label_pairs(labels: &Labels) -> Vec<proto::Label> {
    labels.iter().map(|(name, value)| proto::Label { name: name.to_owned(), value: value.to_owned() }).collect()
}

fn series(labels: &Labels, samples: &Samples) -> proto::TimeSeries {
    let floats = samples.times.iter().zip(&samples.values);
    let histograms = samples.histogram_times.iter().zip(&samples.histograms);
    proto::TimeSeries {
        labels: label_pairs(labels),
        samples: floats.map(|(time, value)| proto::Sample { value: *value, timestamp: *time }).collect(),
        histograms: histograms.map(|(time, h)| histogram(*time, h)).collect(),
    }
}

fn histogram(time: i64, h: &FloatHistogram) -> proto::Histogram {
    let spans = |spans: &[grid_promql::histogram::Span]| {
        spans.iter().map(|s| proto::BucketSpan { offset: s.offset, length: s.length }).collect()
    };
    proto::Histogram {
        count_float: Some(h.count),
        sum: h.sum,
        schema: h.schema,
        zero_threshold: h.zero_threshold,
        zero_count_float: Some(h.zero_count),
        negative_spans: spans(&h.negative_spans),
        negative_counts: h.negative_buckets.clone(),
        positive_spans: spans(&h.positive_spans),
        positive_counts: h.positive_buckets.clone(),
        reset_hint: match h.reset_hint {
            ResetHint::Unknown => 0,
            ResetHint::CounterReset => 1,
            ResetHint::NotCounterReset => 2,
            ResetHint::Gauge => 3,
        },
        timestamp: time,
        custom_values: h.custom_values.to_vec(),
    }
}

/// A frame for each series, or several if it is long.
fn chunked(all: Vec<Found>) -> Response {
    let written = send(false, true, move |out| {
        for (query, found) in all.into_iter().enumerate() {
            for (labels, samples) in found {
                write_series(out, query as i64, &labels, &samples)?;
            }
        }
        Ok(())
    });
    typed(written, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
}

fn write_series(out: &mut Out, query_index: i64, labels: &Labels, samples: &Samples) -> io::Result<()> {
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    let mut parts = samples.times.chunks(CHUNK_SAMPLES).zip(samples.values.chunks(CHUNK_SAMPLES)).peekable();
    while let Some((times, values)) = parts.next() {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { continue };
        let data = encode(times, values);
        bytes += data.len();
        chunks.push(proto::Chunk { min_time_ms: *first, max_time_ms: *last, r#type: proto::XOR, data });
        if bytes >= FRAME_BYTES || parts.peek().is_none() {
            bytes = 0;
            let chunked_series =
                vec![proto::ChunkedSeries { labels: label_pairs(labels), chunks: std::mem::take(&mut chunks) }];
            let message = proto::ChunkedReadResponse { chunked_series, query_index }.encode_to_vec();
            push_frame(&mut out.text, &message);
            out.flush_if_full()?;
        }
    }
    Ok(())
}

/// The messages (Prometheus, `prompb/remote.proto` and `prompb/types.proto`).
mod proto {
    pub(super) const SAMPLES: i32 = 0;
    pub(super) const STREAMED_XOR_CHUNKS: i32 = 1;
    /// `Chunk.Encoding`.
    pub(super) const XOR: i32 = 1;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ReadRequest {
        #[prost(message, repeated, tag = "1")]
        pub(super) queries: Vec<Query>,
        #[prost(int32, repeated, tag = "2")]
        pub(super) accepted_response_types: Vec<i32>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Query {
        #[prost(int64, tag = "1")]
        pub(super) start_timestamp_ms: i64,
        #[prost(int64, tag = "2")]
        pub(super) end_timestamp_ms: i64,
        #[prost(message, repeated, tag = "3")]
        pub(super) matchers: Vec<LabelMatcher>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct LabelMatcher {
        #[prost(int32, tag = "1")]
        pub(super) r#type: i32,
        #[prost(string, tag = "2")]
        pub(super) name: String,
        #[prost(string, tag = "3")]
        pub(super) value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ReadResponse {
        #[prost(message, repeated, tag = "1")]
        pub(super) results: Vec<QueryResult>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct QueryResult {
        #[prost(message, repeated, tag = "1")]
        pub(super) timeseries: Vec<TimeSeries>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(super) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub(super) histograms: Vec<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(double, tag = "1")]
        pub(super) value: f64,
        #[prost(int64, tag = "2")]
        pub(super) timestamp: i64,
    }

    /// Counts are fractions here, as PromQL computes with them.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Histogram {
        #[prost(double, optional, tag = "2")]
        pub(super) count_float: Option<f64>,
        #[prost(double, tag = "3")]
        pub(super) sum: f64,
        #[prost(sint32, tag = "4")]
        pub(super) schema: i32,
        #[prost(double, tag = "5")]
        pub(super) zero_threshold: f64,
        #[prost(double, optional, tag = "7")]
        pub(super) zero_count_float: Option<f64>,
        #[prost(message, repeated, tag = "8")]
        pub(super) negative_spans: Vec<BucketSpan>,
        #[prost(double, repeated, tag = "10")]
        pub(super) negative_counts: Vec<f64>,
        #[prost(message, repeated, tag = "11")]
        pub(super) positive_spans: Vec<BucketSpan>,
        #[prost(double, repeated, tag = "13")]
        pub(super) positive_counts: Vec<f64>,
        #[prost(int32, tag = "14")]
        pub(super) reset_hint: i32,
        #[prost(int64, tag = "15")]
        pub(super) timestamp: i64,
        #[prost(double, repeated, tag = "16")]
        pub(super) custom_values: Vec<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct BucketSpan {
        #[prost(sint32, tag = "1")]
        pub(super) offset: i32,
        #[prost(uint32, tag = "2")]
        pub(super) length: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ChunkedReadResponse {
        #[prost(message, repeated, tag = "1")]
        pub(super) chunked_series: Vec<ChunkedSeries>,
        #[prost(int64, tag = "2")]
        pub(super) query_index: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ChunkedSeries {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(super) chunks: Vec<Chunk>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Chunk {
        #[prost(int64, tag = "1")]
        pub(super) min_time_ms: i64,
        #[prost(int64, tag = "2")]
        pub(super) max_time_ms: i64,
        #[prost(int32, tag = "3")]
        pub(super) r#type: i32,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) data: Vec<u8>,
    }
}
