//! The one place that buffers and inflates foreign bytes: capped before and after inflation, and in time.
//!
//! Memory is bounded three times: per request as received ([`BodyLimits::received_max`]), per request inflated
//! ([`BodyLimits::inflated_max`]), and over all requests together ([`Budget`]), which is given back when the last clone of
//! the returned bytes is dropped.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What is small enough to inflate on the thread that serves the socket.
const INFLATE_INLINE_BYTES_MAX: usize = 64 * 1024;
/// The unit in which the budget is counted.
const BUDGET_UNIT_BYTES: usize = 1024;
/// Largest zstd window that is accepted, as a power of two: 8 MiB, what RFC 9659 allows for HTTP.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The bounds on one request's body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Bytes as received.
    pub received_max: usize,
    /// Bytes after inflation.
    pub inflated_max: usize,
    /// Time from the first to the last byte.
    pub read_timeout: Duration,
    /// What all bodies may hold together.
    pub budget: Budget,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            received_max: 16 * 1024 * 1024,
            inflated_max: 64 * 1024 * 1024,
            read_timeout: Duration::from_secs(30),
            budget: Budget::new(512 * 1024 * 1024),
        }
    }
}

/// Memory that all bodies share. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / BUDGET_UNIT_BYTES).min(Semaphore::MAX_PERMITS))))
    }

    /// Bytes that nobody holds.
    pub fn free_bytes(&self) -> usize {
        self.0.available_permits() * BUDGET_UNIT_BYTES
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BodyError> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT_BYTES)).map_err(|_| BodyError::NoMemory)?;
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| BodyError::NoMemory)
    }
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than [`BodyLimits::received_max`].
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// More bytes than [`BodyLimits::inflated_max`].
    #[error("the body inflates to more than {limit} bytes")]
    InflatesTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sender took too long.
    #[error("the body did not arrive within {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    /// A `Content-Encoding` that is not understood.
    #[error("content encoding {0:?} is not supported")]
    EncodingUnknown(String),
    /// The bytes are not what `Content-Encoding` says.
    #[error("the body is not valid {encoding}")]
    Corrupt {
        /// The encoding that was announced.
        encoding: &'static str,
        /// What the decoder said.
        #[source]
        source: io::Error,
    },
    /// The connection broke before the end.
    #[error("the body ended before its end")]
    Broken(#[source] axum::Error),
    /// All bodies together hold more than the budget.
    #[error("the server has no memory left for another request body")]
    NoMemory,
}

impl BodyError {
    /// The refusal as the client sees it.
    pub fn problem(&self) -> Problem {
        let (status, code, title, hint) = match self {
            Self::TooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "GRID-0120",
                "body too large",
                "send smaller batches, or raise `guard.body_bytes_max`",
            ),
            Self::InflatesTooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "GRID-0121",
                "body inflates too large",
                "send smaller batches, or raise `guard.inflated_bytes_max`",
            ),
            Self::TooSlow(_) => (
                StatusCode::REQUEST_TIMEOUT,
                "GRID-0122",
                "body too slow",
                "check the network, or raise `guard.body_timeout`",
            ),
            Self::EncodingUnknown(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "GRID-0123",
                "content encoding not supported",
                "use gzip, zstd, deflate, snappy (block format) or none",
            ),
            Self::Corrupt { .. } => (
                StatusCode::BAD_REQUEST,
                "GRID-0124",
                "body cannot be inflated",
                "check that Content-Encoding names what was really applied",
            ),
            Self::Broken(_) => (StatusCode::BAD_REQUEST, "GRID-0125", "body broke off", "send the request again"),
            Self::NoMemory => (
                StatusCode::SERVICE_UNAVAILABLE,
                "GRID-0126",
                "no memory for the body",
                "try again after the pause in Retry-After, with smaller batches",
            ),
        };
        let detail = match self {
            Self::Corrupt { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        };
        let problem = Problem::new(status, code, title, detail).hint(hint);
        if matches!(self, Self::NoMemory) { problem.retry_after(Duration::from_secs(1)) } else { problem }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        self.problem().into_response()
    }
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 1950 (zlib), or RFC 1951 bare, which some senders mean by `deflate`.
    Deflate,
    /// RFC 8878, any number of frames.
    Zstd,
    /// Snappy's block format, as remote write and Loki's push use it.
    Snappy,
}

impl Encoding {
    /// From the header `Content-Encoding`.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, BodyError> {
        let mut found = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            for word in text.split(',').map(|w| w.trim().to_ascii_lowercase()) {
                let encoding = match word.as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    "zstd" => Self::Zstd,
                    "snappy" => Self::Snappy,
                    _ => return Err(BodyError::EncodingUnknown(text)),
                };
                // Packed twice is a bomb's habit and no client's.
                if found != Self::Identity {
                    return Err(BodyError::EncodingUnknown(text));
                }
                found = encoding;
            }
        }
        Ok(found)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
        }
    }
}

/// Reads a whole body and inflates it as `Content-Encoding` says.
pub async fn read(headers: &HeaderMap, body: Body, limits: &BodyLimits) -> Result<Bytes, BodyError> {
    let encoding = Encoding::from_headers(headers)?;
    let (received, permit) = receive(headers, body, limits).await?;
    if encoding == Encoding::Identity {
        return Ok(held(received, permit));
    }
    let inflated = inflate(received, encoding, limits).await?;
    drop(permit);
    Ok(inflated)
}

/// Inflates bytes that were read already; for senders that pack without saying so (Loki's protobuf push).
pub async fn inflate(packed: Bytes, encoding: Encoding, limits: &BodyLimits) -> Result<Bytes, BodyError> {
    let (max, budget) = (limits.inflated_max, limits.budget.clone());
    if packed.len() <= INFLATE_INLINE_BYTES_MAX {
        return inflate_now(&packed, encoding, max, &budget);
    }
    // Inflating megabytes would stall every other request of this thread.
    match tokio::task::spawn_blocking(move || inflate_now(&packed, encoding, max, &budget)).await {
        Ok(result) => result,
        Err(e) => Err(BodyError::Corrupt { encoding: encoding.name(), source: io::Error::other(e) }),
    }
}

async fn receive(
    headers: &HeaderMap,
    mut body: Body,
    limits: &BodyLimits,
) -> Result<(Bytes, OwnedSemaphorePermit), BodyError> {
    let limit = limits.received_max;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    // What is announced is only believed as far as it costs nothing.
    let mut bytes = BytesMut::with_capacity(announced.map_or(0, |n| (n as usize).min(INFLATE_INLINE_BYTES_MAX)));
    let mut permit = limits.budget.take(0)?;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            permit.merge(limits.budget.take(data.len())?);
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    match tokio::time::timeout(limits.read_timeout, reading).await {
        Ok(done) => done?,
        Err(_) => return Err(BodyError::TooSlow(limits.read_timeout)),
    }
    Ok((bytes.freeze(), permit))
}

/// Bytes that hold their part of the budget until the last clone is dropped.
fn held(bytes: Bytes, permit: OwnedSemaphorePermit) -> Bytes {
    struct Held(Bytes, #[allow(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    if bytes.is_empty() { bytes } else { Bytes::from_owner(Held(bytes, permit)) }
}

fn inflate_now(packed: &[u8], encoding: Encoding, max: usize, budget: &Budget) -> Result<Bytes, BodyError> {
    let corrupt = |source| BodyError::Corrupt { encoding: encoding.name(), source };
    match encoding {
        Encoding::Identity => Ok(Bytes::copy_from_slice(packed)),
        // An empty body is an empty message however it was packed; some senders do not pack "nothing".
        _ if packed.is_empty() => Ok(Bytes::new()),
        Encoding::Gzip => drain(flate2::read::MultiGzDecoder::new(packed), encoding, max, budget),
        Encoding::Deflate if is_zlib(packed) => drain(flate2::read::ZlibDecoder::new(packed), encoding, max, budget),
        Encoding::Deflate => drain(flate2::read::DeflateDecoder::new(packed), encoding, max, budget),
        Encoding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(packed).map_err(corrupt)?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(corrupt)?;
            drain(reader, encoding, max, budget)
        }
        Encoding::Snappy => {
            let announced = snap::raw::decompress_len(packed).map_err(|e| corrupt(io::Error::other(e)))?;
            if announced > max {
                return Err(BodyError::InflatesTooLarge { limit: max });
            }
            let permit = budget.take(announced)?;
            let bytes = snap::raw::Decoder::new().decompress_vec(packed).map_err(|e| corrupt(io::Error::other(e)))?;
            Ok(held(bytes.into(), permit))
        }
    }
}

/// Whether the first two bytes are zlib's (RFC 1950, section 2.2).
fn is_zlib(packed: &[u8]) -> bool {
    packed.len() >= 2 && packed[0] & 0x0f == 8 && u16::from_be_bytes([packed[0], packed[1]]).is_multiple_of(31)
}

fn drain(mut reader: impl Read, encoding: Encoding, max: usize, budget: &Budget) -> Result<Bytes, BodyError> {
    const STEP: usize = 64 * 1024;
    let mut out = Vec::new();
    let mut permit = budget.take(0)?;
    loop {
        let (len, step) = (out.len(), STEP.min(max - out.len() + 1));
        permit.merge(budget.take(step)?);
        let n = (&mut reader)
            .take(step as u64)
            .read_to_end(&mut out)
            .map_err(|source| BodyError::Corrupt { encoding: encoding.name(), source })?;
        if len + n > max {
            return Err(BodyError::InflatesTooLarge { limit: max });
        }
        if n < step {
            return Ok(held(out.into(), permit));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use futures::stream;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    }

    fn pack(bytes: &[u8], encoding: &str) -> Vec<u8> {
        match encoding {
            "" | "identity" => bytes.to_vec(),
            "gzip" => gzip(bytes),
            "gzip in members" => bytes.chunks(bytes.len() / 3 + 1).flat_map(gzip).collect(),
            "deflate" => {
                let mut w = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(bytes).unwrap();
                w.finish().unwrap()
            }
            "deflate bare" => {
                let mut w = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(bytes).unwrap();
                w.finish().unwrap()
            }
            "zstd" => zstd::encode_all(bytes, 1).unwrap(),
            "zstd in frames" => {
                bytes.chunks(bytes.len() / 3 + 1).flat_map(|c| zstd::encode_all(c, 1).unwrap()).collect()
            }
            "snappy" => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            other => panic!("{other}"),
        }
    }

    const PACKINGS: [&str; 8] =
        ["", "identity", "gzip", "gzip in members", "deflate", "deflate bare", "zstd", "zstd in frames"];

    fn limits(received_max: usize, inflated_max: usize) -> BodyLimits {
        BodyLimits { received_max, inflated_max, ..BodyLimits::default() }
    }

    fn headers(encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let word = encoding.split(' ').next().unwrap();
        if !word.is_empty() {
            headers.insert(header::CONTENT_ENCODING, word.parse().unwrap());
        }
        headers
    }

    /// Sends in chunks, without Content-Length, as the JavaScript exporter does.
    fn chunked(bytes: &[u8], size: usize) -> Body {
        let chunks: Vec<io::Result<Bytes>> = bytes.chunks(size.max(1)).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    fn run<T>(f: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_packing_survives(bytes in prop::collection::vec(any::<u8>(), 1..5000), size in 1..4096usize) {
            for packing in PACKINGS.into_iter().chain(["snappy"]) {
                let got = run(read(&headers(packing), chunked(&pack(&bytes, packing), size), &limits(1 << 20, 1 << 20)));
                prop_assert_eq!(&got.unwrap()[..], &bytes[..], "{}", packing);
            }
        }

        #[test]
        fn rubbish_is_refused_not_feared(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for packing in PACKINGS.into_iter().chain(["snappy"]) {
                let _ = run(read(&headers(packing), Body::from(bytes.clone()), &limits(1 << 20, 1 << 16)));
            }
        }
    }

    #[test]
    fn caps_hold_before_and_after_inflation() {
        let bomb = vec![0u8; 10_000_000];
        for packing in ["gzip", "gzip in members", "deflate", "deflate bare", "zstd", "zstd in frames", "snappy"] {
            let packed = pack(&bomb, packing);
            let limits = limits(1 << 20, 1_000_000);
            let before = limits.budget.free_bytes();
            let got = run(read(&headers(packing), Body::from(packed.clone()), &limits));
            assert!(matches!(got, Err(BodyError::InflatesTooLarge { limit: 1_000_000 })), "{packing}: {got:?}");
            assert_eq!(limits.budget.free_bytes(), before, "{packing}");
            let exact = run(read(
                &headers(packing),
                Body::from(packed),
                &super::BodyLimits { inflated_max: bomb.len(), ..limits.clone() },
            ));
            assert_eq!(exact.unwrap().len(), bomb.len(), "{packing}");
        }
        let got = run(read(&headers(""), chunked(&[7; 101], 10), &limits(100, 100)));
        assert!(matches!(got, Err(BodyError::TooLarge { limit: 100 })), "{got:?}");
        assert_eq!(run(read(&headers(""), chunked(&[7; 100], 10), &limits(100, 100))).unwrap().len(), 100);
        let mut announced = headers("");
        announced.insert(header::CONTENT_LENGTH, "101".parse().unwrap());
        let got = run(read(&announced, Body::from_stream(stream::pending::<io::Result<Bytes>>()), &limits(100, 100)));
        assert!(matches!(got, Err(BodyError::TooLarge { limit: 100 })), "{got:?}");
    }

    #[test]
    fn a_slow_body_is_given_up() {
        let limits = BodyLimits { read_timeout: Duration::from_millis(20), ..BodyLimits::default() };
        let got = run(read(&headers(""), Body::from_stream(stream::pending::<io::Result<Bytes>>()), &limits));
        assert!(matches!(got, Err(BodyError::TooSlow(_))), "{got:?}");
    }

    #[test]
    fn the_budget_is_held_as_long_as_the_bytes() {
        let limits = BodyLimits { budget: Budget::new(100 * 1024), ..BodyLimits::default() };
        let first = run(read(&headers(""), Body::from(vec![1; 60 * 1024]), &limits)).unwrap();
        let part = first.slice(10..20);
        drop(first);
        let second = run(read(&headers(""), Body::from(vec![1; 60 * 1024]), &limits));
        assert!(matches!(second, Err(BodyError::NoMemory)), "{second:?}");
        drop(part);
        assert!(run(read(&headers(""), Body::from(vec![1; 60 * 1024]), &limits)).is_ok());
        assert_eq!(limits.budget.free_bytes(), 100 * 1024);
    }

    #[test]
    fn truncated_and_unknown_are_refused() {
        for packing in ["gzip", "deflate", "zstd", "snappy"] {
            let mut packed = pack(&(0..200u8).collect::<Vec<_>>(), packing);
            packed.truncate(packed.len() / 2);
            let got = run(read(&headers(packing), Body::from(packed), &limits(1 << 20, 1 << 20)));
            assert!(matches!(got, Err(BodyError::Corrupt { .. })), "{packing}: {got:?}");
        }
        for (encoding, known) in
            [("br", false), ("gzip, gzip", false), ("GZIP", true), ("identity, gzip", true), ("snappy-framed", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
            assert_eq!(Encoding::from_headers(&headers).is_ok(), known, "{encoding}");
        }
    }
}
