//! Loki's push API: JSON and protobuf (already inflated) to log records.
//!
//! A stream's labels rest as they were sent; its service is found as Loki finds it, but is a column and no label. Structured
//! metadata become attributes. A log line that is not UTF-8 is kept with replacement characters: lines are whatever a program
//! wrote, and one bad byte must not lose it.

mod encode;
mod label_set;

use std::borrow::Cow;
use std::fmt;

use grid_model::attr::AttrValue;
use grid_model::labels::Labels;
use grid_model::table::logs::{LogOrigin, LogRow};
use grid_model::{Attributes, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use encode::{PushEntry, PushStream, encode_json, encode_proto};
pub use label_set::parse_label_set;

use crate::log_rows::{LogRows, check_labels, read_attributes_of};
use crate::parse_time;
use crate::wire::{Reader, WireError};
use crate::{DecodeContext, DecodeError, Decoded};

/// Labels that name the service, in order of trust (Loki's `discover_service_name`, with its own label first).
const SERVICE_LABELS: [&str; 11] = [
    "service_name",
    "service",
    "app",
    "application",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "component",
    "workload",
    "job",
];
/// The service of a stream whose labels name none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Decodes a JSON push. Rejects are positioned by entry over all streams, counted from 1.
pub fn decode_json(bytes: &[u8], ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let text = String::from_utf8_lossy(bytes);
    let push: JsonPush<'_> =
        serde_json::from_str(&text).map_err(|e| DecodeError { format: "Loki push (JSON)", reason: e.to_string() })?;
    let mut rows = LogRows::new(bytes.len(), ctx);
    let mut position = 0;
    for stream in push.streams.unwrap_or_default() {
        let origin = stream.labels().and_then(|labels| origin_of(labels, ctx));
        for entry in stream.values.iter().flatten().chain(stream.entries.iter().flatten()) {
            position += 1;
            let row = match &origin {
                Ok(origin) => read_json_entry(entry).map(|row| (origin, row)),
                Err(reason) => Err(reason.clone()),
            };
            match row {
                Ok((origin, mut row)) => {
                    read_attributes_of(&mut row, &origin.labels);
                    rows.push(position, origin, &row);
                }
                Err(reason) => rows.out.rejects.push(position, reason),
            }
        }
    }
    Ok(rows.finish())
}

/// Decodes a protobuf push (`logproto.PushRequest`). Rejects are positioned by entry over all streams, counted from 1.
pub fn decode_proto(bytes: &[u8], ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let mut rows = LogRows::new(bytes.len(), ctx);
    let mut position = 0;
    let mut read = || -> Result<(), WireError> {
        let mut entries = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            if field == 1 {
                push_stream(value.bytes(field)?, &mut entries, &mut position, &mut rows, ctx)?;
            }
        }
        Ok(())
    };
    read().map_err(|e| DecodeError { format: "Loki push (protobuf)", reason: e.to_string() })?;
    Ok(rows.finish())
}

/// A `StreamAdapter`.
fn push_stream<'a>(
    message: &'a [u8],
    entries: &mut Vec<&'a [u8]>,
    position: &mut u64,
    rows: &mut LogRows<'_>,
    ctx: &DecodeContext<'_>,
) -> Result<(), WireError> {
    let mut labels: &[u8] = b"";
    entries.clear();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => labels = value.bytes(field)?,
            2 => entries.push(value.bytes(field)?),
            _ => {}
        }
    }
    let origin = std::str::from_utf8(labels)
        .map_err(|_| "stream labels are not UTF-8".to_owned())
        .and_then(parse_label_set)
        .and_then(|labels| origin_of(labels, ctx));
    for entry in entries.iter() {
        *position += 1;
        let row = read_proto_entry(entry)?;
        match (&origin, row) {
            (Ok(origin), Ok(mut row)) => {
                read_attributes_of(&mut row, &origin.labels);
                rows.push(*position, origin, &row);
            }
            (Err(reason), _) => rows.out.rejects.push(*position, reason.as_str()),
            (_, Err(reason)) => rows.out.rejects.push(*position, reason),
        }
    }
    Ok(())
}

/// An `EntryAdapter`.
fn read_proto_entry(message: &[u8]) -> Result<Result<LogRow, String>, WireError> {
    let mut row = LogRow { body: Some(AttrValue::String(String::new())), ..LogRow::default() };
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => {
                let mut time = Reader::new(value.bytes(field)?);
                while let Some((field, value)) = time.next()? {
                    match field {
                        1 => seconds = value.int(field)?,
                        2 => nanos = value.int(field)?,
                        _ => {}
                    }
                }
            }
            2 => row.body = Some(AttrValue::String(lossy(value.bytes(field)?))),
            3 => row.attributes.push(read_pair(value.bytes(field)?)?),
            _ => {}
        }
    }
    let time = seconds.checked_mul(1_000_000_000).and_then(|ns: i64| ns.checked_add(nanos));
    Ok(match time {
        Some(time) => {
            row.time = Timestamp(time);
            Ok(row)
        }
        None => Err(format!("time {seconds} s does not fit into nanoseconds")),
    })
}

/// A `LabelPairAdapter`.
fn read_pair(message: &[u8]) -> Result<(String, AttrValue), WireError> {
    let (mut name, mut text) = (String::new(), String::new());
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => name = lossy(value.bytes(field)?),
            2 => text = lossy(value.bytes(field)?),
            _ => {}
        }
    }
    Ok((name, AttrValue::String(text)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What all records of a stream share.
fn origin_of(labels: Labels, ctx: &DecodeContext<'_>) -> Result<LogOrigin, String> {
    if labels.is_empty() {
        return Err("stream has no label: at least one is needed to find it again".to_owned());
    }
    check_labels(&labels, ctx.limits)?;
    let service = SERVICE_LABELS.iter().find_map(|name| labels.get(name)).unwrap_or(UNKNOWN_SERVICE).to_owned();
    Ok(LogOrigin { stream_id: labels.hash64(), labels, service, ..LogOrigin::default() })
}

#[derive(Deserialize)]
struct JsonPush<'a> {
    #[serde(borrow)]
    streams: Option<Vec<JsonStream<'a>>>,
}

/// A stream of today's API (`stream`, `values`) or of the first one (`labels`, `entries`), which old clients still send.
#[derive(Deserialize)]
struct JsonStream<'a> {
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    values: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    labels: Option<Cow<'a, str>>,
    #[serde(borrow)]
    entries: Option<Vec<&'a RawValue>>,
}

impl JsonStream<'_> {
    fn labels(&self) -> Result<Labels, String> {
        match (self.stream, &self.labels) {
            (Some(stream), _) => {
                let Metadata(pairs) = serde_json::from_str(stream.get())
                    .map_err(|_| "\"stream\" is not an object of labels".to_owned())?;
                let plain = |value: AttrValue| if value == AttrValue::Null { String::new() } else { value.to_text() };
                Labels::new(pairs.into_iter().map(|(k, v)| (k, plain(v))).collect()).map_err(|e| e.to_string())
            }
            (None, Some(labels)) => parse_label_set(labels),
            (None, None) => Err("stream has neither \"stream\" nor \"labels\"".to_owned()),
        }
    }
}

fn read_json_entry(raw: &RawValue) -> Result<LogRow, String> {
    let entry: JsonEntry<'_> = serde_json::from_str(raw.get()).map_err(|e| format!("entry cannot be read: {e}"))?;
    let row = LogRow {
        time: entry.time,
        body: Some(AttrValue::String(entry.line.into_owned())),
        attributes: entry.metadata,
        ..LogRow::default()
    };
    Ok(row)
}

/// `["NANOSECONDS", "LINE", {METADATA}]`, or `{"ts": RFC 3339, "line": LINE}` of the first API.
struct JsonEntry<'a> {
    time: Timestamp,
    line: Cow<'a, str>,
    metadata: Attributes,
}

impl<'de> Deserialize<'de> for JsonEntry<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = JsonEntry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[\"time in nanoseconds\", \"line\", {optional metadata}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error;
        let JsonTime(time) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let JsonText(line) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let metadata = seq.next_element::<Option<Metadata>>()?.flatten().map_or_else(Vec::new, |m| m.0);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonEntry { time, line, metadata })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error;
        let (mut time, mut line, mut metadata) = (None, None, Vec::new());
        while let Some(JsonText(key)) = map.next_key()? {
            match &*key {
                "ts" | "timestamp" => time = Some(map.next_value::<JsonTime>()?.0),
                "line" => line = Some(map.next_value::<JsonText<'de>>()?.0),
                "structuredMetadata" => {
                    metadata = map.next_value::<Option<Metadata>>()?.map_or_else(Vec::new, |m| m.0);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let time = time.ok_or_else(|| A::Error::missing_field("ts"))?;
        let line = line.ok_or_else(|| A::Error::missing_field("line"))?;
        Ok(JsonEntry { time, line, metadata })
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct JsonText<'a>(#[serde(borrow)] Cow<'a, str>);

/// A time in nanoseconds, as a string or a number, or RFC 3339.
struct JsonTime(Timestamp);

impl<'de> Deserialize<'de> for JsonTime {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = JsonTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in nanoseconds since 1970")
    }

    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<JsonTime, E> {
        let nanos = s.parse().ok().map(Timestamp);
        let time = nanos.or_else(|| parse_time::whole(s));
        time.map(JsonTime)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(crate::label_pairs::clip(s)), &self))
    }

    fn visit_i64<E>(self, n: i64) -> Result<JsonTime, E> {
        Ok(JsonTime(Timestamp(n)))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<JsonTime, E> {
        let time = i64::try_from(n).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))?;
        Ok(JsonTime(Timestamp(time)))
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<JsonTime, E> {
        if n.abs() < i64::MAX as f64 {
            return Ok(JsonTime(Timestamp(n as i64)));
        }
        Err(E::invalid_value(serde::de::Unexpected::Float(n), &self))
    }
}

/// An object of typed values in the sender's order. Loki wants strings; other types are kept as they are.
struct Metadata(Attributes);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        use serde::de::Error;
        let mut out = Attributes::new();
        while let Some((key, raw)) = map.next_entry::<String, &RawValue>()? {
            out.push((key, AttrValue::from_json(raw.get()).map_err(A::Error::custom)?));
        }
        Ok(Metadata(out))
    }
}

#[cfg(test)]
mod tests;
