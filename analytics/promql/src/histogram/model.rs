//! To and from [`grid_model::Histogram`], and Prometheus' `Validate`.

use grid_model::histogram::{Counts, Histogram, HistogramKind};

use super::layout::{self, Misfit};
use super::{CUSTOM_SCHEMA, FloatHistogram, MAX_SCHEMA, MIN_SCHEMA, ResetHint, Span, bounds};

/// Width that OTLP's exponential histograms get for their zero bucket if they name none, as in Prometheus.
const OTLP_ZERO_THRESHOLD: f64 = 1e-128;

/// What is wrong with a histogram or with what is asked of it. The words are Prometheus' where it has some.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistogramError {
    /// Neither exponential nor custom.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {schema}"
    )]
    InvalidSchema {
        /// The schema.
        schema: i32,
    },
    /// A span steps back.
    #[error("{side} side: span number {span} with offset {offset}: histogram has a span whose offset is negative")]
    NegativeOffset {
        /// "positive" or "negative".
        side: &'static str,
        /// Number of the span, from 1.
        span: usize,
        /// Its offset.
        offset: i32,
    },
    /// Spans and counts disagree.
    #[error(
        "{side} side: spans need {spans} buckets, have {buckets} buckets: histogram spans specify different number of buckets than provided"
    )]
    SpanMismatch {
        /// "positive" or "negative".
        side: &'static str,
        /// Buckets that the spans name.
        spans: u64,
        /// Buckets that there are.
        buckets: usize,
    },
    /// Spans reach beyond what an index can say.
    #[error("{side} side: histogram spans reach beyond bucket indexes of 32 bits")]
    IndexRange {
        /// "positive" or "negative".
        side: &'static str,
    },
    /// A count below zero.
    #[error(
        "{side} side: bucket number {bucket} has observation count of {count}: histogram has a bucket whose observation count is negative"
    )]
    NegativeBucket {
        /// "positive" or "negative".
        side: &'static str,
        /// Number of the bucket, from 1.
        bucket: usize,
        /// Its count.
        count: f64,
    },
    /// The zero bucket's count is below zero.
    #[error("zero bucket has observation count of {0}: histogram has a bucket whose observation count is negative")]
    NegativeZeroBucket(f64),
    /// The total is below zero.
    #[error("observation count is {0}: histogram's observation count is negative")]
    NegativeCount(f64),
    /// The zero bucket has no width that makes sense.
    #[error("zero threshold is {0}: must be a finite number from 0 on")]
    ZeroThreshold(f64),
    /// More custom buckets than bounds (and one for +Inf).
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total span length of {needed}: histogram custom bounds are too few"
    )]
    TooFewBounds {
        /// Bounds that there are.
        bounds: usize,
        /// Index after the last bucket.
        needed: i64,
    },
    /// Custom bounds must ascend.
    #[error(
        "custom buckets: previous bound is {before} and current is {bound}: histogram custom bounds must be in strictly increasing order"
    )]
    BoundOrder {
        /// A bound.
        before: f64,
        /// The one after.
        bound: f64,
    },
    /// Custom bounds must be numbers; +Inf is implicit.
    #[error("custom buckets: bound is {0}: histogram custom bounds must be finite")]
    BoundNotFinite(f64),
    /// Custom buckets know no zero bucket and no negative side.
    #[error("custom buckets: must have no {what}")]
    NotForCustom {
        /// What there is.
        what: &'static str,
    },
    /// Exponential buckets have no bounds of their own.
    #[error("histogram with exponential schema must not have custom bounds")]
    BoundsForExponential,
    /// Resolution of custom buckets cannot be reduced.
    #[error("cannot reduce resolution when there are custom buckets (schema {schema})")]
    NoResolution {
        /// The schema.
        schema: i32,
    },
    /// Resolution can only be reduced.
    #[error("cannot reduce resolution from schema {from} to {to}: only to a lower one from -4 on")]
    HigherResolution {
        /// The schema that is.
        from: i32,
        /// The schema asked for.
        to: i32,
    },
}

impl FloatHistogram {
    /// Checks that spans fit buckets, bounds fit the schema and no count is negative, as Prometheus does with every
    /// histogram that it stores. That the buckets hold no more than the count is not checked: rounding breaks it.
    pub fn validate(&self) -> Result<(), HistogramError> {
        self.check_structure()?;
        if self.zero_count < 0.0 {
            return Err(HistogramError::NegativeZeroBucket(self.zero_count));
        }
        if self.count < 0.0 {
            return Err(HistogramError::NegativeCount(self.count));
        }
        for (side, buckets) in [("negative", &self.negative_buckets), ("positive", &self.positive_buckets)] {
            if let Some((position, count)) = buckets.iter().enumerate().find(|(_, count)| **count < 0.0) {
                return Err(HistogramError::NegativeBucket { side, bucket: position + 1, count: *count });
            }
        }
        Ok(())
    }

    /// The part of [`FloatHistogram::validate`] that results of arithmetic keep, too: they may have negative counts.
    pub fn check_structure(&self) -> Result<(), HistogramError> {
        if !self.uses_custom_buckets() && !bounds::is_exponential(self.schema) {
            return Err(HistogramError::InvalidSchema { schema: self.schema });
        }
        let end = check_side("positive", &self.positive_spans, self.positive_buckets.len())?;
        check_side("negative", &self.negative_spans, self.negative_buckets.len())?;
        if !self.uses_custom_buckets() {
            if !self.custom_values.is_empty() {
                return Err(HistogramError::BoundsForExponential);
            }
            if !self.zero_threshold.is_finite() || self.zero_threshold < 0.0 {
                return Err(HistogramError::ZeroThreshold(self.zero_threshold));
            }
            return Ok(());
        }
        let foreign = [
            (self.zero_count != 0.0, "zero count"),
            (self.zero_threshold != 0.0, "zero threshold"),
            (!self.negative_spans.is_empty(), "negative spans"),
            (!self.negative_buckets.is_empty(), "negative buckets"),
            (self.positive_spans.first().is_some_and(|span| span.offset < 0), "bucket below the first"),
        ];
        if let Some((_, what)) = foreign.into_iter().find(|(there, _)| *there) {
            return Err(HistogramError::NotForCustom { what });
        }
        if let Some(bound) = self.custom_values.iter().find(|bound| !bound.is_finite()) {
            return Err(HistogramError::BoundNotFinite(*bound));
        }
        for pair in self.custom_values.windows(2) {
            if let [before, bound] = *pair
                && before >= bound
            {
                return Err(HistogramError::BoundOrder { before, bound });
            }
        }
        if usize::try_from(end).is_ok_and(|end| end > self.custom_values.len() + 1) {
            return Err(HistogramError::TooFewBounds { bounds: self.custom_values.len(), needed: end });
        }
        Ok(())
    }

    /// From what is stored. Whole counts become floats; OTLP's exponential histograms move to Prometheus' indexes (bucket
    /// `i` is theirs of `i - 1`), and to schema 8 if they are finer. `None` for explicit histograms and summaries, for
    /// scales below -4 and for what [`FloatHistogram::check_structure`] refuses.
    pub fn from_model(model: &Histogram) -> Option<Self> {
        let whole = |count: u64, float: Option<f64>| float.unwrap_or(count as f64);
        let mut histogram = Self {
            reset_hint: match model.reset_hint {
                1 => ResetHint::CounterReset,
                2 => ResetHint::NotCounterReset,
                3 => ResetHint::Gauge,
                _ => ResetHint::Unknown,
            },
            schema: model.schema.unwrap_or(0),
            zero_threshold: model.zero_threshold.unwrap_or(0.0),
            zero_count: whole(model.zero_count, model.zero_count_float),
            count: whole(model.count, model.count_float),
            sum: model.sum.unwrap_or(0.0),
            positive_spans: model.positive_spans.clone(),
            negative_spans: model.negative_spans.clone(),
            positive_buckets: floats(&model.positive_counts),
            negative_buckets: floats(&model.negative_counts),
            custom_values: std::sync::Arc::default(),
        };
        match model.kind {
            HistogramKind::Native => {
                if histogram.schema == CUSTOM_SCHEMA {
                    histogram.custom_values = model.bounds.as_slice().into();
                }
            }
            HistogramKind::Exponential => {
                if histogram.schema < MIN_SCHEMA {
                    return None;
                }
                histogram.shift_from_otlp()?;
            }
            HistogramKind::Explicit | HistogramKind::Summary => return None,
        }
        histogram.check_structure().ok()?;
        Some(histogram)
    }

    fn shift_from_otlp(&mut self) -> Option<()> {
        if self.zero_threshold == 0.0 {
            self.zero_threshold = OTLP_ZERO_THRESHOLD;
        }
        for (spans, buckets) in [
            (&mut self.positive_spans, &mut self.positive_buckets),
            (&mut self.negative_spans, &mut self.negative_buckets),
        ] {
            if let Some(first) = spans.first_mut() {
                first.offset = first.offset.checked_add(1)?;
            }
            layout::check(spans, buckets.len()).ok()?;
            if self.schema > MAX_SCHEMA {
                (*spans, *buckets) = layout::reduce(spans, buckets, self.schema, MAX_SCHEMA);
            }
        }
        self.schema = self.schema.min(MAX_SCHEMA);
        Some(())
    }

    /// What to store: a native histogram with float counts.
    pub fn to_model(&self) -> Histogram {
        self.clone().into_model()
    }

    /// What to store, without a copy of the buckets.
    pub fn into_model(self) -> Histogram {
        Histogram {
            kind: HistogramKind::Native,
            count_float: Some(self.count),
            sum: Some(self.sum),
            schema: Some(self.schema),
            zero_threshold: Some(self.zero_threshold),
            zero_count_float: Some(self.zero_count),
            positive_spans: self.positive_spans,
            positive_counts: Counts::Float(self.positive_buckets),
            negative_spans: self.negative_spans,
            negative_counts: Counts::Float(self.negative_buckets),
            bounds: self.custom_values.to_vec(),
            reset_hint: match self.reset_hint {
                ResetHint::Unknown => 0,
                ResetHint::CounterReset => 1,
                ResetHint::NotCounterReset => 2,
                ResetHint::Gauge => 3,
            },
            ..Histogram::default()
        }
    }
}

fn floats(counts: &Counts) -> Vec<f64> {
    match counts {
        Counts::Int(counts) => counts.iter().map(|count| *count as f64).collect(),
        Counts::Float(counts) => counts.clone(),
    }
}

fn check_side(side: &'static str, spans: &[Span], buckets: usize) -> Result<i64, HistogramError> {
    layout::check(spans, buckets).map_err(|misfit| match misfit {
        Misfit::NegativeOffset { span, offset } => HistogramError::NegativeOffset { side, span, offset },
        Misfit::Count { spans } => HistogramError::SpanMismatch { side, spans, buckets },
        Misfit::Range => HistogramError::IndexRange { side },
    })
}
