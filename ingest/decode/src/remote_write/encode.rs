//! Writes remote write requests: for tests, fuzz seeds and the demo, which enters through the same decoders as real senders.

use std::collections::HashMap;

use grid_model::histogram::{Counts, Span};
use grid_model::table::metadata::MetadataRow;
use grid_model::{Histogram, Labels};

use super::METRIC_TYPES;
use crate::wire::{Writer, zigzag};

/// One series to send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WireSeries {
    /// The labels, `__name__` included.
    pub labels: Labels,
    /// Time in milliseconds, value, start time in milliseconds (2.0 only; 0 = not said).
    pub samples: Vec<(i64, f64, i64)>,
    /// Time in milliseconds, histogram, start time in milliseconds (2.0 only; 0 = not said).
    pub histograms: Vec<(i64, Histogram, i64)>,
    /// Exemplars.
    pub exemplars: Vec<WireExemplar>,
    /// What is said about the metric (2.0 only; its `metric` is not sent).
    pub metadata: Option<MetadataRow>,
    /// Start time of the series in milliseconds, as Prometheus up to 3.5 sends it (2.0 only; 0 = not said).
    pub created_ms: i64,
}

/// One exemplar to send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WireExemplar {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When it was seen, in milliseconds.
    pub time_ms: i64,
}

/// A request of version 1.0 (protobuf; the caller compresses) from series of float samples, each a time in milliseconds and
/// a value.
pub fn encode_v1(series: &[(Labels, Vec<(i64, f64)>)]) -> Vec<u8> {
    let mut w = Writer::default();
    for (labels, samples) in series {
        w.message(1, |w| {
            write_labels(w, labels);
            for (ms, value) in samples {
                write_sample(w, *ms, *value, 0);
            }
        });
    }
    w.out
}

/// A request of version 1.0 with everything that it can carry; start times and metadata of series are not in it.
pub fn encode_v1_series(series: &[WireSeries], metadata: &[MetadataRow]) -> Vec<u8> {
    let mut w = Writer::default();
    for s in series {
        w.message(1, |w| {
            write_labels(w, &s.labels);
            for (ms, value, _) in &s.samples {
                write_sample(w, *ms, *value, 0);
            }
            for e in &s.exemplars {
                w.message(3, |w| {
                    write_labels(w, &e.labels);
                    w.double(2, e.value);
                    w.int(3, e.time_ms);
                });
            }
            for (ms, h, _) in &s.histograms {
                w.message(4, |w| write_histogram(w, *ms, h, 0));
            }
        });
    }
    for m in metadata {
        w.message(3, |w| {
            w.uint(1, type_number(&m.kind));
            w.text(2, &m.metric);
            w.text(4, &m.help);
            w.text(5, &m.unit);
        });
    }
    w.out
}

/// A request of version 2.0.
pub fn encode_v2_series(series: &[WireSeries]) -> Vec<u8> {
    let mut symbols = SymbolTable::default();
    symbols.reference("");
    let mut body = Writer::default();
    for s in series {
        let refs = symbols.references(&s.labels);
        body.message(5, |w| {
            w.packed_uints(1, refs.into_iter());
            for (ms, value, start_ms) in &s.samples {
                write_sample(w, *ms, *value, *start_ms);
            }
            for (ms, h, start_ms) in &s.histograms {
                w.message(3, |w| write_histogram(w, *ms, h, *start_ms));
            }
            for e in &s.exemplars {
                let refs = symbols.references(&e.labels);
                w.message(4, |w| {
                    w.packed_uints(1, refs.into_iter());
                    w.double(2, e.value);
                    w.int(3, e.time_ms);
                });
            }
            if let Some(m) = &s.metadata {
                w.message(5, |w| {
                    w.uint(1, type_number(&m.kind));
                    w.uint(3, symbols.reference(&m.help));
                    w.uint(4, symbols.reference(&m.unit));
                });
            }
            w.int(6, s.created_ms);
        });
    }
    let mut w = Writer::default();
    for symbol in &symbols.texts {
        w.bytes(4, symbol.as_bytes());
    }
    w.out.extend_from_slice(&body.out);
    w.out
}

#[derive(Default)]
struct SymbolTable {
    texts: Vec<String>,
    index: HashMap<String, u64>,
}

impl SymbolTable {
    fn reference(&mut self, text: &str) -> u64 {
        if let Some(&i) = self.index.get(text) {
            return i;
        }
        let i = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.index.insert(text.to_owned(), i);
        i
    }

    fn references(&mut self, labels: &Labels) -> Vec<u64> {
        labels.iter().flat_map(|(k, v)| [k, v]).map(|text| self.reference(text)).collect()
    }
}

fn type_number(kind: &str) -> u64 {
    METRIC_TYPES.iter().position(|t| *t == kind).unwrap_or(0) as u64
}

fn write_labels(w: &mut Writer, labels: &Labels) {
    for (name, value) in labels.iter() {
        w.message(1, |w| {
            w.text(1, name);
            w.text(2, value);
        });
    }
}

fn write_sample(w: &mut Writer, ms: i64, value: f64, start_ms: i64) {
    w.message(2, |w| {
        w.double(1, value);
        w.int(2, ms);
        w.int(3, start_ms);
    });
}

fn write_histogram(w: &mut Writer, ms: i64, h: &Histogram, start_ms: i64) {
    match h.count_float {
        None => w.uint_always(1, h.count),
        Some(count) => w.double_always(2, count),
    }
    w.double(3, h.sum.unwrap_or(0.0));
    w.sint(4, i64::from(h.schema.unwrap_or(0)));
    w.double(5, h.zero_threshold.unwrap_or(0.0));
    match h.zero_count_float {
        None => w.uint_always(6, h.zero_count),
        Some(count) => w.double_always(7, count),
    }
    for (spans, counts, first) in
        [(&h.negative_spans, &h.negative_counts, 8), (&h.positive_spans, &h.positive_counts, 11)]
    {
        for Span { offset, length } in spans {
            w.message(first, |w| {
                w.sint(1, i64::from(*offset));
                w.uint(2, u64::from(*length));
            });
        }
        match counts {
            Counts::Int(counts) => {
                let deltas = counts.iter().scan(0i64, |last, c| {
                    let delta = (*c as i64).wrapping_sub(*last);
                    *last = *c as i64;
                    Some(zigzag(delta))
                });
                w.packed_uints(first + 1, deltas);
            }
            Counts::Float(counts) => w.packed_doubles(first + 2, counts),
        }
    }
    w.uint(14, h.reset_hint.max(0) as u64);
    w.int(15, ms);
    w.packed_doubles(16, &h.bounds);
    w.int(17, start_ms);
}
