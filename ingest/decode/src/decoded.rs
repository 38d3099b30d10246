//! What every decoder takes besides bytes, and what it answers.

use grid_model::reject::Rejects;
use grid_model::{Timestamp, Write};

use crate::limits::Limits;

/// What a decoder may know besides the bytes.
#[derive(Debug, Clone, Copy)]
pub struct DecodeContext<'a> {
    /// The time of receipt.
    pub now: Timestamp,
    /// Bounds on items.
    pub limits: &'a Limits,
}

/// Rows and rejects of one request or file.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The good part.
    pub write: Write,
    /// The bad part.
    pub rejects: Rejects,
    /// What was accepted, by the protocol's words.
    pub counts: Counts,
}

/// How many items of each kind were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Float samples (stale markers included); OTLP number points.
    pub samples: u64,
    /// Distributions: native, explicit and exponential histograms, summaries.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Statements about metrics.
    pub metadata: u64,
    /// Log records.
    pub logs: u64,
    /// Spans.
    pub spans: u64,
}

/// The bytes are not of the format at all: nothing could be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {format} payload: {reason}")]
pub struct DecodeError {
    /// The format that was expected, as users call it.
    pub format: &'static str,
    /// What was found instead, and where.
    pub reason: String,
}
