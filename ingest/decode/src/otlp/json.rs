//! A reader of OTLP/JSON that takes what clients send, not only what the specification allows.
//!
//! opentelemetry-proto's own serde refuses enum names, `"NaN"` attributes, null arrays and snake_case, and then loses the
//! whole request. Here an unknown key is ignored, null means absent, keys may be camelCase or snake_case, integers may be
//! numbers or strings, enums numbers or names, ids hex or base64; and one bad item does not lose its neighbours.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use grid_model::reject::Rejects;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;

use crate::decoded::DecodeError;

/// Why a JSON value is not what its place asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where: keys from the outermost inwards.
    path: Vec<String>,
    reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.path.iter().rev().enumerate() {
            write!(f, "{}{key}", if i > 0 { "." } else { "" })?;
        }
        write!(f, ": {}", self.reason)
    }
}

pub(crate) type Read<T> = Result<T, Fault>;

fn fault<T>(expected: &str, found: &Value) -> Read<T> {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the text {:?}", s.chars().take(40).collect::<String>()),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Err(Fault { path: Vec::new(), reason: format!("expected {expected}, found {found}") })
}

/// What one document holds beside its message: the items that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) rejects: Rejects,
    items: u64,
}

impl Faults {
    /// Reads a list of items (data points, records, spans), each of which may fail alone.
    pub(crate) fn items<T>(&mut self, value: Value, read: impl Fn(Value) -> Read<T>) -> Read<Vec<T>> {
        let Value::Array(values) = value else { return fault("an array", &value) };
        let mut out = Vec::with_capacity(values.len());
        for value in values {
            self.items += 1;
            match read(value) {
                Ok(item) => out.push(item),
                Err(fault) => self.rejects.push(self.items, fault.to_string()),
            }
        }
        Ok(out)
    }
}

/// Parses a document and reads its root; an empty body is an empty request.
pub(crate) fn document<T: Default>(
    format: &'static str,
    bytes: &[u8],
    read: impl FnOnce(Value, &mut Faults) -> Read<T>,
) -> Result<(T, Rejects), DecodeError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok((T::default(), Rejects::default()));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|e| DecodeError { format, reason: e.to_string() })?;
    let mut faults = Faults::default();
    let message = read(value, &mut faults).map_err(|e| DecodeError { format, reason: e.to_string() })?;
    Ok((message, faults.rejects))
}

/// Hands every non-null field of an object to `set`, keys in camelCase.
pub(crate) fn fields(value: Value, mut set: impl FnMut(&str, Value) -> Read<()>) -> Read<()> {
    let Value::Object(map) = value else { return fault("an object", &value) };
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        let done = if key.contains('_') { set(&camel(&key), value) } else { set(&key, value) };
        done.map_err(|mut fault| {
            fault.path.push(key);
            fault
        })?;
    }
    Ok(())
}

fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut upper = false;
    for c in key.chars() {
        if c == '_' {
            upper = !out.is_empty();
        } else {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    out
}

/// A list of messages; a fault in one is a fault of the whole.
pub(crate) fn list<T>(value: Value, mut read: impl FnMut(Value) -> Read<T>) -> Read<Vec<T>> {
    let Value::Array(values) = value else { return fault("an array", &value) };
    let mut out = Vec::with_capacity(values.len());
    for (i, value) in values.into_iter().enumerate() {
        // A null element is an empty message.
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        out.push(read(value).map_err(|mut fault| {
            fault.path.push(i.to_string());
            fault
        })?);
    }
    Ok(out)
}

pub(crate) fn text(value: Value) -> Read<String> {
    match value {
        Value::String(s) => Ok(s),
        Value::Number(n) => Ok(n.to_string()),
        Value::Bool(b) => Ok(b.to_string()),
        other => fault("a text", &other),
    }
}

pub(crate) fn boolean(value: Value) -> Read<bool> {
    match &value {
        Value::Bool(b) => Ok(*b),
        Value::String(s) if s == "true" => Ok(true),
        Value::String(s) if s == "false" => Ok(false),
        other => fault("a boolean", other),
    }
}

/// An integer as a number, as a text, or as a float without fraction.
fn integer(value: &Value) -> Option<i128> {
    let whole = |d: f64| (d.fract() == 0.0 && d.abs() < 1e30).then_some(d as i128);
    match value {
        Value::Number(n) => {
            n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from)).or_else(|| n.as_f64().and_then(whole))
        }
        Value::String(s) => s.parse().ok().or_else(|| s.parse().ok().and_then(whole)),
        _ => None,
    }
}

pub(crate) fn u64_of(value: Value) -> Read<u64> {
    integer(&value).and_then(|i| u64::try_from(i).ok()).map_or_else(|| fault("an unsigned 64-bit integer", &value), Ok)
}

pub(crate) fn i64_of(value: Value) -> Read<i64> {
    integer(&value).and_then(|i| i64::try_from(i).ok()).map_or_else(|| fault("a 64-bit integer", &value), Ok)
}

pub(crate) fn u32_of(value: Value) -> Read<u32> {
    integer(&value).and_then(|i| u32::try_from(i).ok()).map_or_else(|| fault("an unsigned 32-bit integer", &value), Ok)
}

pub(crate) fn i32_of(value: Value) -> Read<i32> {
    integer(&value).and_then(|i| i32::try_from(i).ok()).map_or_else(|| fault("a 32-bit integer", &value), Ok)
}

pub(crate) fn f64_of(value: Value) -> Read<f64> {
    let parsed = match &value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => match s.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            other => other.parse().ok(),
        },
        _ => None,
    };
    parsed.map_or_else(|| fault("a number", &value), Ok)
}

/// An enum as its number or its name.
pub(crate) fn enumeration(value: Value, by_name: impl Fn(&str) -> Option<i32>) -> Read<i32> {
    if let Value::String(name) = &value
        && let Some(number) = by_name(name)
    {
        return Ok(number);
    }
    i32_of(value)
}

/// Bytes in base64 of either alphabet, padded or not.
pub(crate) fn bytes(value: Value) -> Read<Vec<u8>> {
    let Value::String(s) = &value else { return fault("base64", &value) };
    decode_base64(s).map_or_else(|| fault("base64", &value), Ok)
}

fn decode_base64(s: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    if s.contains(['-', '_']) { URL_SAFE.decode(s).ok() } else { PLAIN.decode(s).ok() }
}

/// An id in hex, as OTLP wants, or in base64, as protobuf's general JSON mapping has it.
pub(crate) fn id(value: Value) -> Read<Vec<u8>> {
    let Value::String(s) = &value else { return fault("an id in hex", &value) };
    if let Ok(id) = hex::decode(s) {
        return Ok(id);
    }
    match decode_base64(s) {
        Some(id) if id.len() == 16 || id.len() == 8 => Ok(id),
        _ => fault("an id in hex", &value),
    }
}

pub(crate) fn resource(value: Value) -> Read<Resource> {
    let mut out = Resource::default();
    fields(value, |key, value| {
        match key {
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

pub(crate) fn scope(value: Value) -> Read<InstrumentationScope> {
    let mut out = InstrumentationScope::default();
    fields(value, |key, value| {
        match key {
            "name" => out.name = text(value)?,
            "version" => out.version = text(value)?,
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

pub(crate) fn attributes(value: Value) -> Read<Vec<KeyValue>> {
    list(value, key_value)
}

fn key_value(value: Value) -> Read<KeyValue> {
    let mut out = KeyValue::default();
    fields(value, |key, value| {
        match key {
            "key" => out.key = text(value)?,
            "value" => out.value = Some(any_value(value)?),
            _ => {}
        }
        Ok(())
    })?;
    out.value.get_or_insert_default();
    Ok(out)
}

/// An `AnyValue`; a bare JSON value is taken for what it is. Nesting is bounded by the JSON parser's own limit.
pub(crate) fn any_value(value: Value) -> Read<AnyValue> {
    let value = match value {
        Value::Null => None,
        Value::Bool(b) => Some(Any::BoolValue(b)),
        Value::String(s) => Some(Any::StringValue(s)),
        Value::Number(n) => n.as_i64().map(Any::IntValue).or_else(|| n.as_f64().map(Any::DoubleValue)),
        Value::Array(_) => Some(Any::ArrayValue(ArrayValue { values: list(value, any_value)? })),
        Value::Object(_) => {
            let mut out = None;
            fields(value, |key, value| {
                match key {
                    "stringValue" => out = Some(Any::StringValue(text(value)?)),
                    "boolValue" => out = Some(Any::BoolValue(boolean(value)?)),
                    "intValue" => out = Some(Any::IntValue(i64_of(value)?)),
                    "doubleValue" => out = Some(Any::DoubleValue(f64_of(value)?)),
                    "bytesValue" => out = Some(Any::BytesValue(bytes(value)?)),
                    "arrayValue" => out = Some(Any::ArrayValue(ArrayValue { values: values(value, any_value)? })),
                    "kvlistValue" => out = Some(Any::KvlistValue(KeyValueList { values: values(value, key_value)? })),
                    _ => {}
                }
                Ok(())
            })?;
            out
        }
    };
    Ok(AnyValue { value })
}

/// The list under `values` of an array or kvlist.
fn values<T>(value: Value, read: impl Fn(Value) -> Read<T>) -> Read<Vec<T>> {
    let mut out = Vec::new();
    fields(value, |key, value| {
        if key == "values" {
            out = list(value, &read)?;
        }
        Ok(())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn any_values_of_every_spelling() {
        let cases = [
            (json!({"stringValue": "a"}), Some(Any::StringValue("a".into()))),
            (json!({"string_value": "a"}), Some(Any::StringValue("a".into()))),
            (json!({"intValue": "9223372036854775807"}), Some(Any::IntValue(i64::MAX))),
            (json!({"intValue": 9_007_199_254_740_993_i64}), Some(Any::IntValue(9_007_199_254_740_993))),
            (json!({"intValue": "-1"}), Some(Any::IntValue(-1))),
            (json!({"doubleValue": "Infinity"}), Some(Any::DoubleValue(f64::INFINITY))),
            (json!({"doubleValue": 5}), Some(Any::DoubleValue(5.0))),
            (json!({"boolValue": true, "unknown": [1]}), Some(Any::BoolValue(true))),
            (json!({"bytesValue": "AP8="}), Some(Any::BytesValue(vec![0, 255]))),
            (json!({"bytesValue": "AP8"}), Some(Any::BytesValue(vec![0, 255]))),
            (json!({"bytesValue": "-_8"}), Some(Any::BytesValue(vec![0xfb, 0xff]))),
            (json!({"stringValue": null}), None),
            (json!({}), None),
            (json!({"arrayValue": {"values": null}}), Some(Any::ArrayValue(ArrayValue { values: vec![] }))),
            (json!({"arrayValue": {}}), Some(Any::ArrayValue(ArrayValue { values: vec![] }))),
            (json!("bare"), Some(Any::StringValue("bare".into()))),
        ];
        for (value, expected) in cases {
            assert_eq!(any_value(value.clone()).unwrap().value, expected, "{value}");
        }
        let nan = any_value(json!({"doubleValue": "NaN"})).unwrap().value;
        assert!(matches!(nan, Some(Any::DoubleValue(d)) if d.is_nan()));
    }

    #[test]
    fn ids_are_hex_of_either_case_or_base64() {
        let bytes: Vec<u8> = (0..16).collect();
        for text in ["000102030405060708090a0b0c0d0e0f", "000102030405060708090A0B0C0D0E0F", "AAECAwQFBgcICQoLDA0ODw=="]
        {
            assert_eq!(id(json!(text)).unwrap(), bytes, "{text}");
        }
        assert_eq!(id(json!("")).unwrap(), Vec::<u8>::new());
        assert!(id(json!("xyz")).is_err());
        assert!(id(json!(12)).is_err());
    }

    #[test]
    fn faults_say_where() {
        let e =
            attributes(json!([{"key": "a", "value": {"stringValue": "x"}}, {"key": "b", "value": {"intValue": "x"}}]));
        assert_eq!(e.unwrap_err().to_string(), "1.value.intValue: expected a 64-bit integer, found the text \"x\"");
    }
}
