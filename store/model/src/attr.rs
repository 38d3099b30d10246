//! Typed attribute values (OpenTelemetry's `AnyValue`) and their text form at rest.
//!
//! At rest a set of attributes is an Arrow `Map<Utf8, Utf8>` whose values are JSON text, so a value keeps its type:
//! string `"a"`, bool `true`, int `200`, double `1.0` (always with `.` or an exponent), array `[1,"a"]`, kvlist
//! `{"k":1}`, empty `null`. What JSON lacks is written as OTLP/JSON does: bytes `{"bytesValue":"BASE64"}`, NaN and
//! infinities `{"doubleValue":"NaN"}`; a kvlist that would read as one of those is wrapped as `{"kvlistValue":{...}}`.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of arrays and kvlists that is kept; decoders refuse what is deeper.
pub const NESTING_MAX: usize = 32;

/// One attribute value, typed as OpenTelemetry types it.
#[derive(Debug, Clone, PartialEq)]
pub enum AttrValue {
    /// An `AnyValue` without a value.
    Null,
    /// UTF-8 text.
    String(String),
    /// A boolean.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Double(f64),
    /// Opaque bytes.
    Bytes(Vec<u8>),
    /// A list; elements may differ in type.
    Array(Vec<AttrValue>),
    /// A list of key-value pairs in the sender's order.
    Map(Attributes),
}

/// Attributes in the sender's order. Keys are not checked for uniqueness.
pub type Attributes = Vec<(String, AttrValue)>;

impl AttrValue {
    /// The value as JSON text; see the module's description.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends the value as JSON text.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::String(s) => write_json_string(out, s),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Int(i) => {
                let _ = write!(out, "{i}");
            }
            Self::Double(d) => write_double(out, *d),
            Self::Bytes(b) => {
                out.push_str("{\"bytesValue\":\"");
                STANDARD.encode_string(b, out);
                out.push_str("\"}");
            }
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) if looks_escaped(entries) => {
                out.push_str("{\"kvlistValue\":");
                write_object(out, entries);
                out.push('}');
            }
            Self::Map(entries) => write_object(out, entries),
        }
    }

    /// Reads JSON text that [`AttrValue::to_json`] wrote (any JSON is read, by the same rules).
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<JsonTree>(text).map(|tree| unescape(tree.0))
    }

    /// The value as plain text: strings bare, everything else as its JSON text. Used for labels and full text.
    pub fn to_text(&self) -> String {
        match self {
            Self::String(s) => s.clone(),
            other => other.to_json(),
        }
    }

    /// The text if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }
}

impl From<&str> for AttrValue {
    fn from(s: &str) -> Self {
        Self::String(s.to_owned())
    }
}

fn write_object(out: &mut String, entries: &[(String, AttrValue)]) {
    out.push('{');
    for (i, (k, v)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_json_string(out, k);
        out.push(':');
        v.write_json(out);
    }
    out.push('}');
}

/// Whether a kvlist has the one key by which an escape is recognised.
fn looks_escaped(entries: &[(String, AttrValue)]) -> bool {
    entries.len() == 1 && matches!(entries[0].0.as_str(), "bytesValue" | "doubleValue" | "kvlistValue")
}

fn write_double(out: &mut String, d: f64) {
    if d.is_finite() {
        let _ = write!(out, "{d:?}");
        return;
    }
    let name = if d.is_nan() {
        "NaN"
    } else if d > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    let _ = write!(out, "{{\"doubleValue\":\"{name}\"}}");
}

/// Appends `s` as a JSON string with the escapes of RFC 8259, section 7.
pub fn write_json_string(out: &mut String, s: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (i, b) in s.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&s[plain_from..i]);
        plain_from = i + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{b:04x}");
            }
        }
    }
    out.push_str(&s[plain_from..]);
    out.push('"');
}

/// A JSON tree in which escapes are still plain kvlists.
struct JsonTree(AttrValue);

impl<'de> Deserialize<'de> for JsonTree {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = AttrValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<AttrValue, E> {
        Ok(AttrValue::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<AttrValue, E> {
        Ok(AttrValue::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<AttrValue, E> {
        Ok(AttrValue::Int(i))
    }
    fn visit_u64<E>(self, u: u64) -> Result<AttrValue, E> {
        Ok(i64::try_from(u).map_or(AttrValue::Double(u as f64), AttrValue::Int))
    }
    fn visit_f64<E>(self, d: f64) -> Result<AttrValue, E> {
        Ok(AttrValue::Double(d))
    }
    fn visit_str<E>(self, s: &str) -> Result<AttrValue, E> {
        Ok(AttrValue::String(s.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AttrValue, A::Error> {
        let mut items = Vec::new();
        while let Some(JsonTree(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(AttrValue::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttrValue, A::Error> {
        let mut entries: Attributes = Vec::new();
        while let Some((key, JsonTree(value))) = map.next_entry::<String, JsonTree>()? {
            entries.push((key, value));
        }
        Ok(AttrValue::Map(entries))
    }
}

/// Turns the escapes of a freshly read tree back into values, outermost first: what a `kvlistValue` wraps is a plain
/// kvlist and is not read as an escape again.
fn unescape(value: AttrValue) -> AttrValue {
    match value {
        AttrValue::Array(items) => AttrValue::Array(items.into_iter().map(unescape).collect()),
        AttrValue::Map(entries) if looks_escaped(&entries) => unescape_one(entries),
        AttrValue::Map(entries) => AttrValue::Map(unescape_entries(entries)),
        leaf => leaf,
    }
}

fn unescape_entries(entries: Attributes) -> Attributes {
    entries.into_iter().map(|(k, v)| (k, unescape(v))).collect()
}

fn unescape_one(mut entries: Attributes) -> AttrValue {
    let (key, value) = &mut entries[0];
    match (key.as_str(), value) {
        ("bytesValue", AttrValue::String(s)) => {
            if let Ok(bytes) = STANDARD.decode(s.as_bytes()) {
                return AttrValue::Bytes(bytes);
            }
        }
        ("doubleValue", AttrValue::String(s)) => match s.as_str() {
            "NaN" => return AttrValue::Double(f64::NAN),
            "Infinity" => return AttrValue::Double(f64::INFINITY),
            "-Infinity" => return AttrValue::Double(f64::NEG_INFINITY),
            _ => {}
        },
        ("kvlistValue", AttrValue::Map(inner)) => return AttrValue::Map(unescape_entries(std::mem::take(inner))),
        _ => {}
    }
    AttrValue::Map(unescape_entries(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = AttrValue> {
        let leaf = prop_oneof![
            Just(AttrValue::Null),
            any::<String>().prop_map(AttrValue::String),
            any::<bool>().prop_map(AttrValue::Bool),
            any::<i64>().prop_map(AttrValue::Int),
            prop::num::f64::NORMAL.prop_map(AttrValue::Double),
            Just(AttrValue::Double(-0.0)),
            Just(AttrValue::Double(f64::INFINITY)),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(AttrValue::Bytes),
        ];
        let key = prop_oneof![Just("bytesValue".to_owned()), Just("kvlistValue".to_owned()), ".{0,4}"];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(AttrValue::Array),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(AttrValue::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_its_text_form(v in any_value()) {
            let text = v.to_json();
            let back = AttrValue::from_json(&text).unwrap();
            prop_assert_eq!(&back, &v, "{}", text);
            prop_assert_eq!(back.to_json(), text);
        }
    }

    #[test]
    fn types_differ_in_text() {
        let cases = [
            (AttrValue::Int(1), "1"),
            (AttrValue::Double(1.0), "1.0"),
            (AttrValue::String("1".into()), "\"1\""),
            (AttrValue::Bytes(vec![1]), "{\"bytesValue\":\"AQ==\"}"),
            (AttrValue::Double(f64::NAN), "{\"doubleValue\":\"NaN\"}"),
            (AttrValue::Int(i64::MAX), "9223372036854775807"),
            (AttrValue::String("a\u{0}\"\\\n".into()), "\"a\\u0000\\\"\\\\\\n\""),
        ];
        for (value, text) in cases {
            assert_eq!(value.to_json(), text);
        }
    }
}
