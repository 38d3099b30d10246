//! Writes Loki pushes: for tests, fuzz seeds and the demo.

use grid_model::attr::write_json_string;
use grid_model::{Labels, Timestamp};

use super::label_set::format_label_set;
use crate::wire::Writer;

/// One stream to send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushStream {
    /// Its labels.
    pub labels: Labels,
    /// Its records.
    pub entries: Vec<PushEntry>,
}

/// One record to send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushEntry {
    /// When it happened.
    pub time: Timestamp,
    /// The line.
    pub line: String,
    /// Structured metadata.
    pub metadata: Vec<(String, String)>,
}

/// A JSON push.
pub fn encode_json(streams: &[PushStream]) -> String {
    let mut out = String::from("{\"streams\":[");
    for (i, s) in streams.iter().enumerate() {
        out.push_str(if i > 0 { ",{\"stream\":" } else { "{\"stream\":" });
        write_object(&mut out, s.labels.iter());
        out.push_str(",\"values\":[");
        for (j, e) in s.entries.iter().enumerate() {
            out.push_str(if j > 0 { ",[\"" } else { "[\"" });
            out.push_str(&e.time.nanos().to_string());
            out.push_str("\",");
            write_json_string(&mut out, &e.line);
            if !e.metadata.is_empty() {
                out.push(',');
                write_object(&mut out, e.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
            out.push(']');
        }
        out.push_str("]}");
    }
    out.push_str("]}");
    out
}

fn write_object<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (i, (k, v)) in pairs.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_json_string(out, k);
        out.push(':');
        write_json_string(out, v);
    }
    out.push('}');
}

/// A protobuf push (the caller compresses it with snappy).
pub fn encode_proto(streams: &[PushStream]) -> Vec<u8> {
    let mut w = Writer::default();
    for s in streams {
        w.message(1, |w| {
            w.text(1, &format_label_set(&s.labels));
            for e in &s.entries {
                w.message(2, |w| {
                    w.message(1, |w| {
                        w.int(1, e.time.nanos().div_euclid(1_000_000_000));
                        w.int(2, e.time.nanos().rem_euclid(1_000_000_000));
                    });
                    w.text(2, &e.line);
                    for (name, value) in &e.metadata {
                        w.message(3, |w| {
                            w.text(1, name);
                            w.text(2, value);
                        });
                    }
                });
            }
        });
    }
    w.out
}
