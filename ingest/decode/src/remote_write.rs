//! Prometheus remote write 1.0 and 2.0: protobuf bytes (already inflated) to samples, exemplars and metadata.
//!
//! The hot path of all ingest, hence no generated code: labels are borrowed from the request, written once into the
//! series' canonical key in a reused buffer, and samples go straight into columns. What one series has wrong is rejected
//! with a reason and the rest is kept, as the specification asks ("partial writes"); bytes that are not the message at all
//! fail as a whole.
//!
//! Field numbers: prometheus/prometheus, `prompb/types.proto`, `prompb/remote.proto` and
//! `prompb/io/prometheus/write/v2/types.proto`. Version 2.0 moved the start timestamp from the series (field 6,
//! `created_timestamp`, up to Prometheus 3.5) to the sample (3) and the histogram (17); both are read.

mod encode;
pub(crate) mod histogram;

use std::collections::HashSet;

use grid_model::attr::AttrValue;
use grid_model::series::SeriesId;
use grid_model::table::exemplars::{ExemplarRow, ExemplarsBuilder};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::{Table, Timestamp};

pub use encode::{WireExemplar, WireSeries, encode_v1, encode_v1_series, encode_v2_series};

use crate::growth::Growth;
use crate::label_pairs::{Pairs, add_series, canonicalize, metric_name};
use crate::trace_ids;
use crate::wire::{Reader, Value, WireError};
use crate::{DecodeContext, DecodeError, Decoded};

/// The types of metrics, by their number on the wire (the same in both versions).
const METRIC_TYPES: [&str; 8] =
    ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"];

/// Decodes a `prometheus.WriteRequest` (remote write 1.0). Rejects are positioned by series, counted from 1; metadata come
/// after the series.
pub fn decode_v1(bytes: &[u8], ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    const TIMESERIES: u32 = 1;
    const METADATA: u32 = 3;
    let mut sink = Sink::new(bytes.len(), ctx);
    let mut read = || -> Result<(), WireError> {
        let mut series = Series::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            match field {
                TIMESERIES => {
                    series.read_v1(value.bytes(field)?)?;
                    sink.push_series(&mut series, None)?;
                }
                METADATA => sink.push_metadata_v1(value.bytes(field)?)?,
                _ => {}
            }
        }
        Ok(())
    };
    read().map_err(|e| not_a("remote write 1.0", e))?;
    Ok(sink.finish())
}

/// Decodes an `io.prometheus.write.v2.Request` (remote write 2.0). Rejects are positioned by series, counted from 1.
pub fn decode_v2(bytes: &[u8], ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    const SYMBOLS: u32 = 4;
    const TIMESERIES: u32 = 5;
    let mut sink = Sink::new(bytes.len(), ctx);
    let mut read = || -> Result<(), WireError> {
        // Symbols come first from every known sender, but protobuf does not promise it.
        let mut symbols = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            if field == SYMBOLS {
                symbols.push(std::str::from_utf8(value.bytes(field)?).ok());
            }
        }
        let mut series = Series::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            if field == TIMESERIES {
                series.read_v2(value.bytes(field)?, &symbols)?;
                sink.push_series(&mut series, Some(&symbols))?;
            }
        }
        Ok(())
    };
    read().map_err(|e| not_a("remote write 2.0", e))?;
    Ok(sink.finish())
}

fn not_a(format: &'static str, error: WireError) -> DecodeError {
    DecodeError { format, reason: error.to_string() }
}

/// The strings of a version 2.0 request; `None` where one is not UTF-8.
type Symbols<'a> = [Option<&'a str>];

/// One series of a request; reused from series to series.
#[derive(Default)]
struct Series<'a> {
    pairs: Pairs<'a>,
    /// Why the labels cannot be read.
    bad_labels: Option<String>,
    items: Vec<Item<'a>>,
    metadata: Option<Metadata<'a>>,
    /// Start of all samples that do not say their own; 0 = not said.
    created_ms: i64,
    refs: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Sample(&'a [u8]),
    Histogram(&'a [u8]),
    Exemplar(&'a [u8]),
}

/// What a series' sender says about its metric.
#[derive(Clone, Copy)]
struct Metadata<'a> {
    kind: &'static str,
    help: &'a str,
    unit: &'a str,
}

impl<'a> Series<'a> {
    fn clear(&mut self) {
        self.pairs.clear();
        self.bad_labels = None;
        self.items.clear();
        self.metadata = None;
        self.created_ms = 0;
    }

    fn read_v1(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        self.clear();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => match read_label(value.bytes(field)?)? {
                    Ok(pair) => self.pairs.push(pair),
                    Err(reason) => self.bad_labels = Some(reason),
                },
                2 => self.items.push(Item::Sample(value.bytes(field)?)),
                3 => self.items.push(Item::Exemplar(value.bytes(field)?)),
                4 => self.items.push(Item::Histogram(value.bytes(field)?)),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_v2(&mut self, message: &'a [u8], symbols: &Symbols<'a>) -> Result<(), WireError> {
        self.clear();
        self.refs.clear();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => {
                    value.uints(field, message.len(), &mut self.refs)?;
                }
                2 => self.items.push(Item::Sample(value.bytes(field)?)),
                3 => self.items.push(Item::Histogram(value.bytes(field)?)),
                4 => self.items.push(Item::Exemplar(value.bytes(field)?)),
                5 => match read_metadata_v2(value.bytes(field)?, symbols)? {
                    Ok(metadata) => self.metadata = metadata,
                    Err(reason) => self.bad_labels = Some(reason),
                },
                6 => self.created_ms = value.int(field)?,
                _ => {}
            }
        }
        if let Err(reason) = resolve(&self.refs, symbols, &mut self.pairs) {
            self.bad_labels = Some(reason);
        }
        Ok(())
    }
}

/// A `prometheus.Label`.
fn read_label(message: &[u8]) -> Result<Result<(&str, &str), String>, WireError> {
    let (mut name, mut text): (&[u8], &[u8]) = (b"", b"");
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => name = value.bytes(field)?,
            2 => text = value.bytes(field)?,
            _ => {}
        }
    }
    Ok(match (std::str::from_utf8(name), std::str::from_utf8(text)) {
        (Ok(name), Ok(text)) => Ok((name, text)),
        (Ok(name), Err(_)) => Err(format!("value of label {:?} is not UTF-8", crate::label_pairs::clip(name))),
        (Err(_), _) => Err("a label's name is not UTF-8".to_owned()),
    })
}

/// Pairs of symbol references to pairs of strings.
fn resolve<'a>(refs: &[u64], symbols: &Symbols<'a>, pairs: &mut Pairs<'a>) -> Result<(), String> {
    let (chunks, rest) = refs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} label references: not an even number", refs.len()));
    }
    for [name, value] in chunks {
        pairs.push((symbol(*name, symbols)?, symbol(*value, symbols)?));
    }
    Ok(())
}

fn symbol<'a>(reference: u64, symbols: &Symbols<'a>) -> Result<&'a str, String> {
    match usize::try_from(reference).ok().and_then(|i| symbols.get(i)) {
        Some(Some(text)) => Ok(text),
        Some(None) => Err(format!("symbol {reference} is not UTF-8")),
        None => Err(format!("symbol {reference} is referenced, but the request has {}", symbols.len())),
    }
}

/// Version 2.0's metadata of a series; `None` if it says nothing (senders in Go write the empty message too).
fn read_metadata_v2<'a>(
    message: &[u8],
    symbols: &Symbols<'a>,
) -> Result<Result<Option<Metadata<'a>>, String>, WireError> {
    let (mut kind, mut help, mut unit) = (0, 0, 0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => kind = value.uint(field)?,
            3 => help = value.uint(field)?,
            4 => unit = value.uint(field)?,
            _ => {}
        }
    }
    if (kind, help, unit) == (0, 0, 0) {
        return Ok(Ok(None));
    }
    let resolve =
        || Ok(Some(Metadata { kind: metric_type(kind), help: symbol(help, symbols)?, unit: symbol(unit, symbols)? }));
    Ok(resolve())
}

fn metric_type(number: u64) -> &'static str {
    usize::try_from(number).ok().and_then(|i| METRIC_TYPES.get(i)).unwrap_or(&METRIC_TYPES[0])
}

/// The metric family of which a series is part: the name without the suffix that its type gives it. Version 2.0 states
/// metadata per series; the table `metadata` knows families.
fn family_of<'a>(metric: &'a str, kind: &str) -> &'a str {
    let suffixes: &[&str] = match kind {
        "histogram" => &["_bucket", "_count", "_sum"],
        "gaugehistogram" => &["_bucket", "_gcount", "_gsum"],
        "summary" => &["_count", "_sum"],
        _ => &[],
    };
    suffixes.iter().find_map(|s| metric.strip_suffix(s)).filter(|f| !f.is_empty()).unwrap_or(metric)
}

/// What goes wrong with one item: the request as a whole, or the item alone.
enum Fault {
    Wire(WireError),
    Item(String),
}

impl From<WireError> for Fault {
    fn from(e: WireError) -> Self {
        Self::Wire(e)
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Item(reason)
    }
}

/// Gathers the rows of a request.
struct Sink<'c> {
    ctx: &'c DecodeContext<'c>,
    out: Decoded,
    samples: SamplesBuilder,
    exemplars: ExemplarsBuilder,
    metadata: Vec<MetadataRow>,
    metadata_seen: HashSet<MetadataRow>,
    growth: Growth,
    /// Scratch for canonical keys.
    key: Vec<u8>,
    position: u64,
}

impl<'c> Sink<'c> {
    fn new(request_bytes: usize, ctx: &'c DecodeContext<'c>) -> Self {
        Self {
            ctx,
            out: Decoded::default(),
            // A series with one sample takes 40 bytes (2.0) to 250 bytes (1.0).
            samples: SamplesBuilder::with_capacity(request_bytes / 128),
            exemplars: ExemplarsBuilder::default(),
            metadata: Vec::new(),
            metadata_seen: HashSet::new(),
            growth: Growth::of_request(request_bytes),
            key: Vec::new(),
            position: 0,
        }
    }

    fn push_series<'a>(&mut self, series: &mut Series<'a>, symbols: Option<&Symbols<'a>>) -> Result<(), WireError> {
        self.position += 1;
        let id = match self.identify(series) {
            Ok(id) => id,
            Err(reason) => {
                for _ in 0..series.items.len().max(1) {
                    self.out.rejects.push(self.position, reason.as_str());
                }
                return Ok(());
            }
        };
        let mut last_ms = 0;
        for item in &series.items {
            let pushed = match *item {
                Item::Sample(message) => self.push_sample(id, message, series.created_ms, &mut last_ms),
                Item::Histogram(message) => self.push_histogram(id, message, series.created_ms, &mut last_ms),
                Item::Exemplar(message) => self.push_exemplar(id, message, symbols, last_ms),
            };
            match pushed {
                Ok(()) => {}
                Err(Fault::Wire(e)) => return Err(e),
                Err(Fault::Item(reason)) => self.out.rejects.push(self.position, reason),
            }
        }
        Ok(())
    }

    /// Checks the labels, adds the series, and takes what is said about its metric.
    fn identify(&mut self, series: &mut Series<'_>) -> Result<SeriesId, String> {
        if let Some(reason) = series.bad_labels.take() {
            return Err(reason);
        }
        canonicalize(&mut series.pairs, self.ctx.limits)?;
        let metric = metric_name(&series.pairs)?;
        self.growth.spend(series.pairs.iter().map(|(k, v)| k.len() + v.len() + 8).sum())?;
        if let Some(said) = series.metadata {
            let row = MetadataRow {
                metric: family_of(metric, said.kind).to_owned(),
                kind: said.kind.to_owned(),
                help: said.help.to_owned(),
                unit: said.unit.to_owned(),
            };
            self.push_metadata(row)?;
        }
        if series.items.is_empty() {
            // Metadata alone make no series.
            return Ok(SeriesId(0));
        }
        add_series(&series.pairs, &mut self.key, &mut self.out.write.series)
    }

    #[inline]
    fn push_sample(&mut self, id: SeriesId, message: &[u8], created_ms: i64, last_ms: &mut i64) -> Result<(), Fault> {
        let (mut v, mut ms, mut start_ms) = (0.0, 0, created_ms);
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => v = value.double(field)?,
                2 => ms = value.int(field)?,
                3 => start_ms = nonzero_or(value.int(field)?, start_ms),
                _ => {}
            }
        }
        let time = self.time_of(ms)?;
        let start = start_of(start_ms)?;
        *last_ms = ms;
        self.samples.push_float(id, time, start, v);
        self.out.counts.samples += 1;
        Ok(())
    }

    fn push_histogram(
        &mut self,
        id: SeriesId,
        message: &[u8],
        created_ms: i64,
        last_ms: &mut i64,
    ) -> Result<(), Fault> {
        let read = histogram::read(message, self.ctx.limits)?;
        let time = self.time_of(read.time_ms)?;
        let start = start_of(nonzero_or(read.start_ms, created_ms))?;
        *last_ms = read.time_ms;
        self.samples.push(id, time, start, SampleValue::Histogram(Box::new(read.histogram)));
        self.out.counts.histograms += 1;
        Ok(())
    }

    fn push_exemplar<'a>(
        &mut self,
        id: SeriesId,
        message: &'a [u8],
        symbols: Option<&Symbols<'a>>,
        last_ms: i64,
    ) -> Result<(), Fault> {
        let mut pairs = Pairs::new();
        let mut refs = Vec::new();
        let (mut v, mut ms) = (0.0, 0);
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match (field, symbols) {
                (1, None) => pairs.push(read_label(value.bytes(field)?)??),
                (1, Some(_)) => {
                    value.uints(field, message.len(), &mut refs)?;
                }
                (2, _) => v = value.double(field)?,
                (3, _) => ms = value.int(field)?,
                _ => {}
            }
        }
        if let Some(symbols) = symbols {
            resolve(&refs, symbols, &mut pairs)?;
        }
        canonicalize(&mut pairs, self.ctx.limits).map_err(|reason| format!("exemplar: {reason}"))?;
        self.growth.spend(pairs.iter().map(|(k, v)| k.len() + v.len() + 8).sum())?;
        // 0 means "not said" in drafts of version 2.0.
        let time = self.time_of(nonzero_or(ms, last_ms))?;
        self.exemplars.push(id, &exemplar_row(time, v, &pairs));
        self.out.counts.exemplars += 1;
        Ok(())
    }

    /// A `prometheus.MetricMetadata`.
    fn push_metadata_v1(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.position += 1;
        let mut row = MetadataRow { kind: METRIC_TYPES[0].to_owned(), ..MetadataRow::default() };
        let mut all_utf8 = true;
        let mut text = |value: Value<'_>, field| -> Result<String, WireError> {
            let text = String::from_utf8_lossy(value.bytes(field)?);
            all_utf8 &= matches!(text, std::borrow::Cow::Borrowed(_));
            Ok(text.into_owned())
        };
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => row.kind = metric_type(value.uint(field)?).to_owned(),
                2 => row.metric = text(value, field)?,
                4 => row.help = text(value, field)?,
                5 => row.unit = text(value, field)?,
                _ => {}
            }
        }
        let pushed = if !all_utf8 {
            Err("metadata are not UTF-8".to_owned())
        } else if row.metric.is_empty() {
            Err("metadata without a metric's name".to_owned())
        } else {
            self.push_metadata(row)
        };
        if let Err(reason) = pushed {
            self.out.rejects.push(self.position, reason);
        }
        Ok(())
    }

    fn push_metadata(&mut self, row: MetadataRow) -> Result<(), String> {
        let max = self.ctx.limits.attribute_value_bytes_max;
        if row.help.len().max(row.unit.len()).max(row.metric.len()) > max {
            return Err(format!("metadata text has more than {max} bytes"));
        }
        if !self.metadata_seen.contains(&row) {
            self.growth.spend(2 * (row.metric.len() + row.kind.len() + row.help.len() + row.unit.len()))?;
            self.metadata_seen.insert(row.clone());
            self.metadata.push(row);
        }
        self.out.counts.metadata += 1;
        Ok(())
    }

    #[inline]
    fn time_of(&self, ms: i64) -> Result<Timestamp, String> {
        let time = Timestamp::from_millis(ms).ok_or_else(|| format!("time {ms} ms does not fit into nanoseconds"))?;
        self.ctx.limits.check_time(time, self.ctx.now)?;
        Ok(time)
    }

    fn finish(mut self) -> Decoded {
        self.out.write.push(Table::Samples, self.samples.finish());
        self.out.write.push(Table::Exemplars, self.exemplars.finish());
        self.out.write.push(Table::Metadata, metadata::batch(self.ctx.now, &self.metadata));
        self.out
    }
}

fn nonzero_or(ms: i64, other: i64) -> i64 {
    if ms == 0 { other } else { ms }
}

/// A start timestamp; 0 means "not said" in both versions.
#[inline]
fn start_of(ms: i64) -> Result<Option<Timestamp>, String> {
    if ms == 0 {
        return Ok(None);
    }
    Timestamp::from_millis(ms).map(Some).ok_or_else(|| format!("start time {ms} ms does not fit into nanoseconds"))
}

/// An exemplar from its canonical labels: ids in their usual spelling go to their columns, everything else stays a label.
pub(crate) fn exemplar_row(time: Timestamp, value: f64, pairs: &Pairs<'_>) -> ExemplarRow {
    let mut row = ExemplarRow { time, value: Some(value), ..ExemplarRow::default() };
    for &(name, text) in pairs {
        let (id, column) = if trace_ids::is_trace_key(name) {
            (trace_ids::trace_id(text), &mut row.trace_id)
        } else if trace_ids::is_span_key(name) {
            (trace_ids::span_id(text), &mut row.span_id)
        } else {
            (None, &mut row.trace_id)
        };
        // A label leaves the attributes only if the column alone can give it back.
        let exact = matches!(name, "trace_id" | "span_id") && id.as_deref() == Some(text);
        match id {
            Some(id) if exact || column.is_empty() => *column = id,
            _ => {}
        }
        if !exact {
            row.attributes.push((name.to_owned(), AttrValue::from(text)));
        }
    }
    row
}

#[cfg(test)]
mod tests;
