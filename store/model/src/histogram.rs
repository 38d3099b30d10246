//! One struct for every kind of distribution that a client can send, so that what came in can go out again.

/// Which shape a [`Histogram`] has; decides how its fields are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HistogramKind {
    /// OTLP histogram: `bounds` of length n, `positive_counts` of length n+1 (or both empty).
    #[default]
    Explicit,
    /// OTLP exponential histogram: bucket `i` covers `(base^i, base^(i+1)]`, `base = 2^(2^-schema)`; each side is one
    /// span whose offset is OTLP's `offset`.
    Exponential,
    /// Prometheus native histogram: bucket `i` covers `(base^(i-1), base^i]`; schema -53 has custom `bounds`.
    Native,
    /// OTLP or Prometheus summary: `quantiles`.
    Summary,
}

impl HistogramKind {
    /// The word at rest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Exponential => "exponential",
            Self::Native => "native",
            Self::Summary => "summary",
        }
    }

    /// From the word at rest.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Explicit, Self::Exponential, Self::Native, Self::Summary].into_iter().find(|k| k.as_str() == word)
    }
}

/// A run of consecutive buckets (Prometheus' `BucketSpan`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Gap to the end of the previous span; for the first span, the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// Counts that are either whole (most clients) or fractional (Prometheus float histograms). Absolute, never deltas.
#[derive(Debug, Clone, PartialEq)]
pub enum Counts {
    /// Whole counts.
    Int(Vec<u64>),
    /// Fractional counts.
    Float(Vec<f64>),
}

impl Default for Counts {
    fn default() -> Self {
        Self::Int(Vec::new())
    }
}

/// One distribution; see [`HistogramKind`] for which fields matter. `count` and `zero_count` are whole if `count_float` and
/// `zero_count_float` are `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// The shape.
    pub kind: HistogramKind,
    /// Number of observations.
    pub count: u64,
    /// Number of observations of a float histogram.
    pub count_float: Option<f64>,
    /// Sum of observations, if known.
    pub sum: Option<f64>,
    /// Smallest observation, if known.
    pub min: Option<f64>,
    /// Largest observation, if known.
    pub max: Option<f64>,
    /// OTLP `scale`, Prometheus `schema`.
    pub schema: Option<i32>,
    /// Width of the zero bucket.
    pub zero_threshold: Option<f64>,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// Observations in the zero bucket of a float histogram.
    pub zero_count_float: Option<f64>,
    /// Where the positive (or explicit) counts lie.
    pub positive_spans: Vec<Span>,
    /// Counts of positive (or explicit) buckets.
    pub positive_counts: Counts,
    /// Where the negative counts lie.
    pub negative_spans: Vec<Span>,
    /// Counts of negative buckets.
    pub negative_counts: Counts,
    /// Explicit bounds (OTLP) or custom values (Prometheus schema -53), ascending.
    pub bounds: Vec<f64>,
    /// Pairs of quantile and value of a summary.
    pub quantiles: Vec<(f64, f64)>,
    /// Prometheus' counter reset hint (0 unknown, 1 yes, 2 no, 3 gauge).
    pub reset_hint: i32,
}

/// The bits of the NaN that marks a series as stale (Prometheus, `model/value/value.go`, `StaleNaN`).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is Prometheus' stale marker.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}
