//! JSON objects of scalars, as FOCUS' key-value format writes them.
//!
//! Source: FOCUS 1.2, attribute "Key-Value Format", and column SkuPriceDetails for the properties that FOCUS defines.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::cell::{FORM, TYPE, bit, key_bit};
use crate::rule::{Cells, Keys};

/// The properties of a SKU price that FOCUS defines, and whether they are numbers.
const PROPERTIES: [(&str, bool); 13] = [
    ("CoreCount", true),
    ("DiskMaxIops", true),
    ("DiskSpace", true),
    ("DiskType", false),
    ("GpuCount", true),
    ("InstanceSeries", false),
    ("InstanceType", false),
    ("MemorySize", true),
    ("NetworkMaxIops", true),
    ("NetworkMaxThroughput", true),
    ("OperatingSystem", false),
    ("Redundancy", false),
    ("StorageClass", false),
];

/// The faults of a cell that is not null.
pub(crate) fn faults(text: &str) -> u64 {
    match serde_json::from_str::<Object>(text) {
        Ok(Object(faults)) if faults & (bit(Cells::KeyValueUnique) | bit(Cells::KeyValueScalar)) != 0 => faults | FORM,
        Ok(Object(faults)) => faults,
        Err(_) => FORM | TYPE | bit(Cells::KeyValueObject),
    }
}

/// The faults of a cell that may be any JSON.
pub(crate) fn json_faults(text: &str) -> u64 {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() { 0 } else { FORM | TYPE }
}

/// The faults of an object.
struct Object(u64);

/// What a value is.
enum Value {
    Null,
    Number,
    Text,
    Truth,
    Nested,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let (mut faults, mut seen) = (0, HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    faults |= key_faults(&key, &value);
                    if !seen.insert(key) {
                        faults |= bit(Cells::KeyValueUnique);
                    }
                }
                Ok(Object(faults))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

fn key_faults(key: &str, value: &Value) -> u64 {
    let mut faults = match value {
        Value::Nested => bit(Cells::KeyValueScalar) | bit(Cells::KeyValueFlat),
        Value::Null => key_bit(Keys::Valued),
        Value::Number | Value::Text | Value::Truth => 0,
    };
    let own = key.strip_prefix("x_").unwrap_or(key);
    if !is_pascal(own) {
        faults |= key_bit(Keys::Pascal);
    }
    match PROPERTIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
        Some((name, _)) if *name != key => faults |= key_bit(Keys::Spelling) | key_bit(Keys::Prefixed),
        Some((_, true)) if !matches!(value, Value::Number | Value::Null) => faults |= key_bit(Keys::Types),
        Some((_, false)) if !matches!(value, Value::Text | Value::Null) => faults |= key_bit(Keys::Types),
        Some(_) => {}
        None if own.len() == key.len() => faults |= key_bit(Keys::Prefixed),
        None => {}
    }
    faults
}

/// A capital, then letters and digits.
pub(crate) fn is_pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfValue;
        impl<'de> Visitor<'de> for OfValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Truth)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
                Ok(Value::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
                Ok(Value::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Number)
            }

            fn visit_str<E>(self, _: &str) -> Result<Value, E> {
                Ok(Value::Text)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                // With serde_json's arbitrary precision a number comes as a map of one private key.
                let mut number = false;
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    number = key == "$serde_json::private::Number";
                }
                Ok(if number { Value::Number } else { Value::Nested })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Nested)
            }
        }
        deserializer.deserialize_any(OfValue)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::names;

    #[test]
    fn faults_of_objects() {
        let cases = [
            ("{}", ""),
            (r#"{"CoreCount": 4, "InstanceType": "m5", "x_Team": true}"#, ""),
            (r#"{"x_a": 1.5}"#, "Keys::Pascal"),
            (r#"{"Team": "a"}"#, "Keys::Prefixed"),
            (r#"{"corecount": 4}"#, "Keys::Pascal Keys::Prefixed Keys::Spelling"),
            (r#"{"CoreCount": "4"}"#, "Keys::Types"),
            (r#"{"x_A": null}"#, "Keys::Valued"),
            (r#"{"x_A": 1, "x_A": 2}"#, "FORM KeyValueUnique"),
            (r#"{"x_A": [1]}"#, "FORM KeyValueScalar KeyValueFlat"),
            (r#"{"x_A": {"x": 1}}"#, "FORM KeyValueScalar KeyValueFlat"),
            (r#"["a"]"#, "FORM TYPE KeyValueObject"),
            (r#""a": "b""#, "FORM TYPE KeyValueObject"),
            ("{", "FORM TYPE KeyValueObject"),
        ];
        for (text, expected) in cases {
            assert_eq!(names(faults(text)), expected, "{text}");
        }
        assert_eq!((json_faults("[{\"a\": [1]}]"), names(json_faults("[")).as_str()), (0, "FORM TYPE"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\[{}\",:a1]{0,24}") {
            let _ = (faults(&text), json_faults(&text));
        }
    }
}
