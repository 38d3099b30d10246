//! From label pairs as a sender wrote them to a series' id: sorted, checked, hashed, without a copy per label.

use grid_model::SeriesId;
use grid_model::labels::METRIC_NAME;
use grid_model::series::write_label_key;
use grid_model::write::SeriesKeys;

use crate::limits::Limits;

/// Label pairs of one series, borrowed from the request.
pub(crate) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// Sorts and checks pairs, drops empty values (to Prometheus an empty value is an absent label).
pub(crate) fn canonicalize(pairs: &mut Pairs<'_>, limits: &Limits) -> Result<(), String> {
    pairs.retain(|(_, value)| !value.is_empty());
    sort_and_check(pairs, limits)
}

/// The canonical key of a series, from pairs in any order. The error says which bound does not hold.
pub fn canonical_key<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, limits: &Limits) -> Result<Vec<u8>, String> {
    let mut pairs: Pairs<'_> = pairs.collect();
    canonicalize(&mut pairs, limits)?;
    metric_name(&pairs)?;
    let mut key = Vec::with_capacity(4 + pairs.iter().map(|(k, v)| k.len() + v.len() + 8).sum::<usize>());
    write_label_key(&mut key, pairs.len(), pairs.iter().copied());
    Ok(key)
}

/// Sorts and checks pairs.
pub(crate) fn sort_and_check(pairs: &mut Pairs<'_>, limits: &Limits) -> Result<(), String> {
    if pairs.len() > limits.labels_max {
        return Err(format!("series has {} labels, more than {}", pairs.len(), limits.labels_max));
    }
    // Senders must sort, and nearly all do.
    if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
        pairs.sort_unstable();
    }
    for (i, (name, value)) in pairs.iter().enumerate() {
        if name.is_empty() {
            return Err("a label has an empty name".to_owned());
        }
        if i > 0 && pairs[i - 1].0 == *name {
            return Err(format!("label {:?} occurs twice", clip(name)));
        }
        if name.len() > limits.label_name_bytes_max {
            let max = limits.label_name_bytes_max;
            return Err(format!("label name {:?} has {} bytes, more than {max}", clip(name), name.len()));
        }
        if value.len() > limits.label_value_bytes_max {
            let max = limits.label_value_bytes_max;
            return Err(format!("value of label {:?} has {} bytes, more than {max}", clip(name), value.len()));
        }
    }
    Ok(())
}

/// The name of the metric among canonical pairs.
pub(crate) fn metric_name<'a>(pairs: &Pairs<'a>) -> Result<&'a str, String> {
    // `__name__` sorts behind upper-case names, so it is found by search, not at the front.
    match pairs.binary_search_by(|(name, _)| (*name).cmp(METRIC_NAME)) {
        Ok(i) => Ok(pairs[i].1),
        Err(_) => {
            let shown: Vec<String> = pairs.iter().take(4).map(|(k, v)| format!("{}={:?}", clip(k), clip(v))).collect();
            Err(format!("series {{{}}} has no label {METRIC_NAME}", shown.join(", ")))
        }
    }
}

/// Adds the series of canonical pairs to a request's keys; `key` is scratch space.
pub(crate) fn add_series(pairs: &Pairs<'_>, key: &mut Vec<u8>, series: &mut SeriesKeys) -> Result<SeriesId, String> {
    key.clear();
    write_label_key(key, pairs.len(), pairs.iter().copied());
    series.add_key(key).ok_or_else(|| "two series of this request collide in their 64-bit id".to_owned())
}

/// The first characters of foreign text, for a message.
pub(crate) fn clip(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(i, _)| i);
    &text[..end]
}
