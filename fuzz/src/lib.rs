//! What the fuzz targets share: the claims that every answer must keep.

#[cfg(feature = "decode")]
pub mod decode;
pub mod promql;
#[cfg(feature = "store")]
pub mod store;

#[cfg(feature = "decode")]
pub use decode::*;
use grid_model::AttrValue;

/// Checks that what is read as an attribute value has one text form.
pub fn check_attribute(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(value) = AttrValue::from_json(text) else { return };
    let written = value.to_json();
    let back = AttrValue::from_json(&written).expect("what was written reads back");
    assert_eq!(back.to_json(), written, "the text form is stable");
    let _ = value.to_text();
}

/// Checks that bytes which are a series' key are its only key.
pub fn check_series_key(data: &[u8]) {
    let Some(def) = grid_model::series::def_of_key(data) else { return };
    let key = def.key();
    let back = grid_model::series::def_of_key(&key).expect("a key that was written reads back");
    assert_eq!(back.key(), key, "the key is stable");
}
