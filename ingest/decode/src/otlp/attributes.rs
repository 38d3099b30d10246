//! OTLP's `KeyValue`s to typed attributes and back. Bounds are checked on the way in.

use grid_model::attr::{AttrValue, Attributes, NESTING_MAX};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

use crate::limits::Limits;

/// Longest JSON escape of one byte, `\u0000`.
const JSON_ESCAPE_BYTES_MAX: usize = 6;

/// Attributes in the sender's order, or the bound that they exceed.
pub(crate) fn convert(attributes: Vec<KeyValue>, limits: &Limits) -> Result<Attributes, String> {
    if attributes.len() > limits.attributes_max {
        return Err(format!("{} attributes, the limit is {}", attributes.len(), limits.attributes_max));
    }
    let mut out = Vec::with_capacity(attributes.len());
    for KeyValue { key, value, .. } in attributes {
        if key.len() > limits.label_name_bytes_max {
            let max = limits.label_name_bytes_max;
            return Err(format!("attribute name of {} bytes, the limit is {max}", key.len()));
        }
        let value = convert_value(value, limits.attribute_value_bytes_max)
            .map_err(|reason| format!("attribute {key:?}: {reason}"))?;
        out.push((key, value));
    }
    Ok(out)
}

/// One value, or the bound that it exceeds; `bytes_max` counts its JSON text.
pub(crate) fn convert_value(value: Option<AnyValue>, bytes_max: usize) -> Result<AttrValue, String> {
    let value = typed(value.and_then(|v| v.value), NESTING_MAX)?;
    let fits = match &value {
        AttrValue::String(s) if s.len() <= bytes_max / JSON_ESCAPE_BYTES_MAX => true,
        AttrValue::Null | AttrValue::Bool(_) | AttrValue::Int(_) | AttrValue::Double(_) => true,
        other => other.to_json().len() <= bytes_max,
    };
    if fits { Ok(value) } else { Err(format!("value has more than {bytes_max} bytes")) }
}

fn typed(value: Option<Value>, depth_left: usize) -> Result<AttrValue, String> {
    let deeper = || depth_left.checked_sub(1).ok_or_else(|| format!("nested deeper than {NESTING_MAX}"));
    Ok(match value {
        // String tables exist for profiles alone; elsewhere an index points nowhere.
        None | Some(Value::StringValueStrindex(_)) => AttrValue::Null,
        Some(Value::StringValue(s)) => AttrValue::String(s),
        Some(Value::BoolValue(b)) => AttrValue::Bool(b),
        Some(Value::IntValue(i)) => AttrValue::Int(i),
        Some(Value::DoubleValue(d)) => AttrValue::Double(d),
        Some(Value::BytesValue(b)) => AttrValue::Bytes(b),
        Some(Value::ArrayValue(ArrayValue { values })) => {
            let depth = deeper()?;
            AttrValue::Array(values.into_iter().map(|v| typed(v.value, depth)).collect::<Result<_, _>>()?)
        }
        Some(Value::KvlistValue(KeyValueList { values })) => {
            let depth = deeper()?;
            let pair = |kv: KeyValue| Ok((kv.key, typed(kv.value.and_then(|v| v.value), depth)?));
            AttrValue::Map(values.into_iter().map(pair).collect::<Result<_, String>>()?)
        }
    })
}

/// Attributes back as OTLP writes them.
pub(crate) fn encode(attributes: &[(String, AttrValue)]) -> Vec<KeyValue> {
    let pair =
        |(k, v): &(String, AttrValue)| KeyValue { key: k.clone(), value: Some(encode_value(v)), key_strindex: 0 };
    attributes.iter().map(pair).collect()
}

/// One value back as OTLP writes it.
pub(crate) fn encode_value(value: &AttrValue) -> AnyValue {
    let value = match value {
        AttrValue::Null => None,
        AttrValue::String(s) => Some(Value::StringValue(s.clone())),
        AttrValue::Bool(b) => Some(Value::BoolValue(*b)),
        AttrValue::Int(i) => Some(Value::IntValue(*i)),
        AttrValue::Double(d) => Some(Value::DoubleValue(*d)),
        AttrValue::Bytes(b) => Some(Value::BytesValue(b.clone())),
        AttrValue::Array(items) => {
            Some(Value::ArrayValue(ArrayValue { values: items.iter().map(encode_value).collect() }))
        }
        AttrValue::Map(entries) => Some(Value::KvlistValue(KeyValueList { values: encode(entries) })),
    };
    AnyValue { value }
}
