//! Metrics as protobuf: `io.prometheus.client.MetricFamily` messages, each behind its length as a varint
//! (prometheus/client_model, `io/prometheus/client/metrics.proto`). The only exposition format with native histograms.
//!
//! As [`super::decode_page`] for text: a page is read as Prometheus' `protobufparse.go` reads it, whole or not at all. Samples come
//! in its order (of a summary or histogram: count, sum, then quantiles or buckets), bounds in labels are spelled as
//! OpenMetrics spells them, and a histogram without a bucket for +Inf gets one.

use grid_model::labels::METRIC_NAME;
use grid_model::reject::Reject;
use grid_model::series::write_label_key;
use grid_model::table::metadata::MetadataRow;
use grid_model::table::samples::SampleValue;
use grid_model::{SeriesId, Timestamp};

use super::{Fault, Out, Page, float_text};
use crate::DecodeContext;
use crate::growth::Growth;
use crate::label_pairs::{Pairs, canonicalize, clip, sort_and_check};
use crate::remote_write::exemplar_row;
use crate::remote_write::histogram::{Draft, push_span};
use crate::wire::{Reader, Value, WireError};

/// What of a histogram is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtobufOptions {
    /// Whether native histograms are taken; if not, a histogram that has a native part gives its classic one.
    pub native_histograms: bool,
    /// Whether the classic part is taken beside the native one.
    pub classic_histograms: bool,
}

/// The types of metric families, by their number on the wire.
const TYPES: [&str; 6] = ["counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram"];
/// The hint that a histogram is a gauge, so that a smaller count is no reset.
const GAUGE_HINT: i32 = 3;

/// Decodes a whole page. A malformed one is told by the number of the message, counted from 1.
pub fn decode_page(bytes: &[u8], options: ProtobufOptions, ctx: &DecodeContext<'_>) -> Page {
    let mut page = Reading { options, ctx, growth: Growth::of_request(bytes.len()), out: Out::default(), message: 0 };
    let mut rest = bytes;
    let mut malformed = None;
    while !rest.is_empty() && malformed.is_none() {
        page.message += 1;
        let taken = match split_delimited(rest) {
            Some((message, after)) => {
                rest = after;
                page.family(message)
            }
            None => Err(Fault::Syntax("the message ends before its length".to_owned())),
        };
        malformed = taken.err().map(|fault| match fault {
            Fault::Syntax(reason) | Fault::Bound(reason) => Reject { position: page.message, reason },
        });
    }
    Page::new(page.out, malformed, ctx)
}

/// A message and what follows it.
fn split_delimited(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        length |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if *byte < 0x80 {
            return bytes.get(i + 1..)?.split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

impl From<WireError> for Fault {
    fn from(e: WireError) -> Self {
        Self::Syntax(e.to_string())
    }
}

struct Reading<'c> {
    options: ProtobufOptions,
    ctx: &'c DecodeContext<'c>,
    growth: Growth,
    out: Out,
    /// The number of the message at hand.
    message: u64,
}

/// What all samples of one metric share.
struct Metric<'a> {
    name: &'a str,
    labels: Pairs<'a>,
    time: Timestamp,
    start: Option<Timestamp>,
}

/// The message `Histogram`, with its buckets and exemplars still on the wire.
#[derive(Default)]
struct HistogramMessage<'a> {
    native: Draft,
    buckets: Vec<Bucket<'a>>,
    exemplars: Vec<&'a [u8]>,
    start: Option<Timestamp>,
}

struct Bucket<'a> {
    upper: f64,
    count: f64,
    exemplar: Option<&'a [u8]>,
}

impl Reading<'_> {
    fn family(&mut self, message: &[u8]) -> Result<(), Fault> {
        let (mut name, mut help, mut unit, mut kind) = ("", "", "", 0);
        let mut metrics = Vec::new();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => name = text(value, field)?,
                2 => help = text(value, field)?,
                3 => kind = value.uint(field)?,
                4 => metrics.push(value.bytes(field)?),
                5 => unit = text(value, field)?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err(Fault::Syntax("a metric family has no name".to_owned()));
        }
        let Some(kind) = usize::try_from(kind).ok().and_then(|i| TYPES.get(i)).copied() else {
            return Err(Fault::Syntax(format!("metric family {:?} has the unknown type {kind}", clip(name))));
        };
        if !unit.is_empty() && !name.strip_suffix(unit).is_some_and(|n| n.ends_with('_')) {
            return Err(Fault::Syntax(format!("unit {:?} is not a suffix of metric {:?}", clip(unit), clip(name))));
        }
        let max = self.ctx.limits.attribute_value_bytes_max;
        if name.len().max(help.len()).max(unit.len()) > max {
            self.out.decoded.rejects.push(self.message, format!("metadata text has more than {max} bytes"));
        } else {
            let (metric, kind) = (name.to_owned(), kind.to_owned());
            self.out.metadata.push(MetadataRow { metric, kind, help: help.to_owned(), unit: unit.to_owned() });
            self.out.decoded.counts.metadata += 1;
        }
        metrics.into_iter().try_for_each(|metric| self.metric(name, kind, metric))
    }

    fn metric(&mut self, name: &str, kind: &str, message: &[u8]) -> Result<(), Fault> {
        let mut metric = Metric { name, labels: Pairs::new(), time: self.ctx.now, start: None };
        let mut body = None;
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match (field, kind) {
                (1, _) => metric.labels.push(label(value.bytes(field)?)?),
                (2, "gauge")
                | (3, "counter")
                | (4, "summary")
                | (5, "unknown")
                | (7, "histogram" | "gaugehistogram") => body = Some(value.bytes(field)?),
                (6, _) => match value.int(field)? {
                    0 => {}
                    ms => {
                        let time = Timestamp::from_millis(ms);
                        metric.time =
                            time.ok_or_else(|| Fault::Syntax(format!("time {ms} ms does not fit into nanoseconds")))?;
                    }
                },
                _ => {}
            }
        }
        metric.labels.sort_unstable();
        if let Some(twice) = metric.labels.windows(2).find(|w| w[0].0 == w[1].0) {
            return Err(Fault::Syntax(format!("label {:?} of {:?} occurs twice", clip(twice[0].0), clip(name))));
        }
        // What is left out has the values of an empty message.
        let body = body.unwrap_or_default();
        match kind {
            "histogram" | "gaugehistogram" => self.histogram(&mut metric, kind, body),
            "summary" => self.summary(&mut metric, body),
            _ => self.number(&mut metric, body),
        }
    }

    /// A counter, gauge or untyped metric.
    fn number(&mut self, metric: &mut Metric<'_>, message: &[u8]) -> Result<(), Fault> {
        let (mut number, mut exemplar) = (0.0, None);
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => number = value.double(field)?,
                2 => exemplar = Some(value.bytes(field)?),
                3 => metric.start = time(value.bytes(field)?)?,
                _ => {}
            }
        }
        if let Some(id) = self.sample(metric, "", None, number)?
            && let Some(exemplar) = exemplar
        {
            self.exemplar(id, metric.time, exemplar)?;
        }
        Ok(())
    }

    fn summary(&mut self, metric: &mut Metric<'_>, message: &[u8]) -> Result<(), Fault> {
        let (mut count, mut sum) = (0, 0.0);
        let mut quantiles = Vec::new();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => count = value.uint(field)?,
                2 => sum = value.double(field)?,
                3 => {
                    let (mut quantile, mut at) = (0.0, 0.0);
                    let mut reader = Reader::new(value.bytes(field)?);
                    while let Some((field, value)) = reader.next()? {
                        match field {
                            1 => quantile = value.double(field)?,
                            2 => at = value.double(field)?,
                            _ => {}
                        }
                    }
                    quantiles.push((quantile, at));
                }
                4 => metric.start = time(value.bytes(field)?)?,
                _ => {}
            }
        }
        self.sample(metric, "_count", None, count as f64)?;
        self.sample(metric, "_sum", None, sum)?;
        for (quantile, value) in quantiles {
            self.sample(metric, "", Some(("quantile", quantile)), value)?;
        }
        Ok(())
    }

    fn histogram(&mut self, metric: &mut Metric<'_>, kind: &str, message: &[u8]) -> Result<(), Fault> {
        let mut read = self.read_histogram(message)?;
        metric.start = read.start;
        let native = &mut read.native;
        let is_native = !native.positive.spans.is_empty()
            || !native.negative.spans.is_empty()
            || native.h.zero_threshold.is_some_and(|width| width > 0.0)
            || native.h.zero_count > 0
            || native.h.zero_count_float.is_some_and(|count| count > 0.0);
        let count = native.h.count_float.unwrap_or(native.h.count as f64);
        let sum = native.h.sum.unwrap_or(0.0);
        let takes_native = is_native && self.options.native_histograms;
        if takes_native {
            if kind == "gaugehistogram" {
                native.h.reset_hint = GAUGE_HINT;
            }
            let histogram = std::mem::take(native).finish(self.ctx.limits).map_err(Fault::Syntax)?;
            let value = SampleValue::Histogram(Box::new(histogram));
            if let Some(id) = self.add(metric, "", None)? {
                self.out.samples.push(id, metric.time, metric.start, value);
                self.out.decoded.counts.histograms += 1;
                let of_buckets = read.buckets.iter().filter_map(|b| b.exemplar);
                let exemplars: Vec<_> =
                    if read.exemplars.is_empty() { of_buckets.collect() } else { read.exemplars.clone() };
                for exemplar in exemplars {
                    self.exemplar(id, metric.time, exemplar)?;
                }
            }
            if !self.options.classic_histograms || read.buckets.is_empty() {
                return Ok(());
            }
        }
        self.sample(metric, "_count", None, count)?;
        self.sample(metric, "_sum", None, sum)?;
        let ends = read.buckets.last().is_some_and(|b| b.upper == f64::INFINITY);
        if !ends {
            read.buckets.push(Bucket { upper: f64::INFINITY, count, exemplar: None });
        }
        for bucket in &read.buckets {
            let id = self.sample(metric, "_bucket", Some(("le", bucket.upper)), bucket.count)?;
            if let (Some(id), Some(exemplar)) = (id, bucket.exemplar) {
                self.exemplar(id, metric.time, exemplar)?;
            }
        }
        Ok(())
    }

    fn read_histogram<'a>(&self, message: &'a [u8]) -> Result<HistogramMessage<'a>, Fault> {
        let max = self.ctx.limits.histogram_buckets_max;
        let mut out = HistogramMessage::default();
        let d = &mut out.native;
        let mut fits = true;
        let (mut count_float, mut zero_count_float) = (0.0, 0.0);
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => d.h.count = value.uint(field)?,
                2 => d.h.sum = Some(value.double(field)?),
                3 if out.buckets.len() < max => out.buckets.push(bucket(value.bytes(field)?)?),
                3 => return Err(Fault::Syntax(format!("a histogram has more than {max} buckets"))),
                4 => count_float = value.double(field)?,
                5 => d.schema = value.sint(field)?,
                6 => d.h.zero_threshold = Some(value.double(field)?),
                7 => d.h.zero_count = value.uint(field)?,
                8 => zero_count_float = value.double(field)?,
                9 => fits &= push_span(value, field, max, &mut d.negative.spans)?,
                10 => fits &= value.uints(field, max, &mut d.negative.deltas)?,
                11 => fits &= value.doubles(field, max, &mut d.negative.counts)?,
                12 => fits &= push_span(value, field, max, &mut d.positive.spans)?,
                13 => fits &= value.uints(field, max, &mut d.positive.deltas)?,
                14 => fits &= value.doubles(field, max, &mut d.positive.counts)?,
                15 => out.start = time(value.bytes(field)?)?,
                16 if out.exemplars.len() < max => out.exemplars.push(value.bytes(field)?),
                _ => {}
            }
        }
        d.overflows = !fits;
        // Proto2 messages hold both kinds of counts; a fraction above zero makes it a histogram of fractions.
        let is_float = count_float > 0.0 || zero_count_float > 0.0;
        d.is_float = Some(is_float);
        if is_float {
            d.h.count_float = Some(count_float);
            d.h.zero_count_float = Some(zero_count_float);
            (d.h.count, d.h.zero_count) = (0, 0);
        }
        Ok(out)
    }

    /// Adds a number; `None` if a bound of Grid's own refuses it.
    fn sample(
        &mut self,
        metric: &Metric<'_>,
        suffix: &str,
        bound: Option<(&str, f64)>,
        value: f64,
    ) -> Result<Option<SeriesId>, Fault> {
        let id = self.add(metric, suffix, bound)?;
        if let Some(id) = id {
            self.out.push(id, metric.time, metric.start, value);
        }
        Ok(id)
    }

    /// Adds the series of a sample: the metric's labels, and one for a bucket or quantile.
    fn add(
        &mut self,
        metric: &Metric<'_>,
        suffix: &str,
        bound: Option<(&str, f64)>,
    ) -> Result<Option<SeriesId>, Fault> {
        let name = format!("{}{suffix}", metric.name);
        let bound = bound.map(|(label, value)| (label, float_text::canonical(value)));
        let mut pairs = metric.labels.clone();
        pairs.push((METRIC_NAME, &name));
        if let Some((label, value)) = &bound {
            pairs.retain(|(name, _)| name != label);
            pairs.push((label, value));
        }
        let bounded = self
            .ctx
            .limits
            .check_time(metric.time, self.ctx.now)
            .and_then(|()| sort_and_check(&mut pairs, self.ctx.limits));
        if let Err(reason) = bounded {
            self.out.decoded.rejects.push(self.message, reason);
            return Ok(None);
        }
        // A few labels times many buckets: the page must not outgrow its bytes.
        self.growth.spend(pairs.iter().map(|(k, v)| k.len() + v.len() + 8).sum()).map_err(Fault::Bound)?;
        let mut key = std::mem::take(&mut self.out.key);
        key.clear();
        write_label_key(&mut key, pairs.len(), pairs.iter().copied());
        let id = self.out.add(&key).map_err(Fault::Bound);
        self.out.key = key;
        id.map(Some)
    }

    fn exemplar(&mut self, id: SeriesId, sample_time: Timestamp, message: &[u8]) -> Result<(), Fault> {
        let mut pairs = Pairs::new();
        let (mut number, mut at) = (0.0, None);
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => pairs.push(label(value.bytes(field)?)?),
                2 => number = value.double(field)?,
                3 => at = time(value.bytes(field)?)?,
                _ => {}
            }
        }
        let at = at.unwrap_or(sample_time);
        let checked =
            canonicalize(&mut pairs, self.ctx.limits).and_then(|()| self.ctx.limits.check_time(at, self.ctx.now));
        if let Err(reason) = checked {
            self.out.decoded.rejects.push(self.message, format!("exemplar: {reason}"));
            return Ok(());
        }
        self.out.exemplars.push(id, &exemplar_row(at, number, &pairs));
        self.out.decoded.counts.exemplars += 1;
        Ok(())
    }
}

fn text<'a>(value: Value<'a>, field: u32) -> Result<&'a str, Fault> {
    std::str::from_utf8(value.bytes(field)?).map_err(|_| Fault::Syntax(format!("field {field} is not UTF-8")))
}

/// A `LabelPair`.
fn label(message: &[u8]) -> Result<(&str, &str), Fault> {
    let (mut name, mut value_text) = ("", "");
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => name = text(value, field)?,
            2 => value_text = text(value, field)?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(Fault::Syntax("a label has an empty name".to_owned()));
    }
    Ok((name, value_text))
}

fn bucket(message: &[u8]) -> Result<Bucket<'_>, Fault> {
    let (mut upper, mut count, mut count_float, mut exemplar) = (0.0, 0, 0.0, None);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => count = value.uint(field)?,
            2 => upper = value.double(field)?,
            3 => exemplar = Some(value.bytes(field)?),
            4 => count_float = value.double(field)?,
            _ => {}
        }
    }
    Ok(Bucket { upper, count: if count_float > 0.0 { count_float } else { count as f64 }, exemplar })
}

/// A `google.protobuf.Timestamp`; `None` where it does not fit into nanoseconds.
fn time(message: &[u8]) -> Result<Option<Timestamp>, Fault> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => seconds = value.int(field)?,
            2 => nanos = value.int(field)?,
            _ => {}
        }
    }
    Ok(seconds.checked_mul(1_000_000_000).and_then(|s| s.checked_add(nanos)).map(Timestamp))
}

#[cfg(test)]
mod tests;
