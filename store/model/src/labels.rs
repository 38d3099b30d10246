//! Labels: a sorted set of name-value pairs of plain text, as Prometheus and Loki know them.

use xxhash_rust::xxh3::Xxh3;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Label pairs sorted by name, without duplicates and without empty values (an empty value means "absent" in
/// Prometheus' data model).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Vec<(String, String)>);

/// A label name that occurs twice with different values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label {name:?} occurs twice, as {first:?} and as {second:?}")]
pub struct DuplicateLabel {
    /// The name.
    pub name: String,
    /// The value met first.
    pub first: String,
    /// The value met next.
    pub second: String,
}

impl Labels {
    /// Sorts pairs and drops empty values; the same pair twice counts once.
    pub fn new(mut pairs: Vec<(String, String)>) -> Result<Self, DuplicateLabel> {
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        pairs.dedup();
        if let Some(w) = pairs.windows(2).find(|w| w[0].0 == w[1].0) {
            return Err(DuplicateLabel { name: w[0].0.clone(), first: w[0].1.clone(), second: w[1].1.clone() });
        }
        Ok(Self(pairs))
    }

    /// From pairs known to be few and distinct; panics on a duplicate. For tests and generators.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).expect("distinct labels")
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(name)).ok().map(|i| self.0[i].1.as_str())
    }

    /// The metric's name, empty if there is none.
    pub fn metric(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// All pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A 64-bit hash of the content (XXH3 over length-prefixed pairs): the `stream_id` of logs.
    pub fn hash64(&self) -> u64 {
        let mut h = Xxh3::new();
        for (k, v) in &self.0 {
            h.update(&(k.len() as u32).to_le_bytes());
            h.update(k.as_bytes());
            h.update(&(v.len() as u32).to_le_bytes());
            h.update(v.as_bytes());
        }
        h.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_empty_values_do_not_matter() {
        let a = Labels::of(&[("b", "2"), ("a", "1"), ("c", "")]);
        let b = Labels::of(&[("a", "1"), ("b", "2")]);
        assert_eq!(a, b);
        assert_eq!(a.hash64(), b.hash64());
        assert_eq!(a.get("b"), Some("2"));
        let pair = |v: &str| ("a".to_owned(), v.to_owned());
        assert!(Labels::new(vec![pair("1"), pair("2")]).is_err());
    }
}
