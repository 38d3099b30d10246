//! A series' labels, packed into one allocation: what an evaluation holds a million of.
//!
//! The bytes are those of [`grid_model::series::write_label_key`]: a count, then name and value of each label, sorted by name, each with its
//! length before it. Equal labels are equal bytes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use grid_model::labels::METRIC_NAME;
use grid_model::series::write_label_key;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The labels that say what a metric is, and that go when a result is no longer that metric (Prometheus, `schema/labels.go`).
pub const METADATA_LABELS: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

fn is_metadata(name: &[u8]) -> bool {
    METADATA_LABELS.iter().any(|l| l.as_bytes() == name)
}

/// Labels sorted by name, without empty values. Cheap to clone.
#[derive(Clone)]
pub struct Labels {
    /// Their bytes and perhaps those of others.
    bytes: Arc<[u8]>,
    start: u32,
    len: u32,
}

/// Many labels whose bytes are kept together: one allocation for all.
#[derive(Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// Bytes up to which labels are kept together: who holds one of them holds all.
const PACKED_BYTES: usize = 64 * 1024;

impl Packed {
    /// Adds the labels at the head of a series' canonical key; nothing if the bytes are not one. Answers how many bytes they take.
    pub fn push(&mut self, key: &[u8]) -> Option<usize> {
        let head = head_of_key(key)?;
        self.bytes.extend_from_slice(head);
        self.ends.push(u32::try_from(self.bytes.len()).ok()?);
        Some(head.len())
    }

    /// Whether it is time to take them.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= PACKED_BYTES
    }

    /// Takes all labels, in order.
    pub fn take(&mut self) -> impl Iterator<Item = Labels> + use<> {
        let Self { bytes, ends } = std::mem::take(self);
        let bytes: Arc<[u8]> = bytes.into();
        let mut start = 0;
        ends.into_iter().map(move |end| {
            let labels = Labels { bytes: Arc::clone(&bytes), start, len: end - start };
            start = end;
            labels
        })
    }
}

/// The bytes of the labels in a series' canonical key.
fn head_of_key(key: &[u8]) -> Option<&[u8]> {
    let mut at = key;
    let count = take_len(&mut at)?;
    for _ in 0..2 * count {
        take_bytes(&mut at)?;
    }
    Some(&key[..key.len() - at.len()])
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Labels {}

impl Default for Labels {
    fn default() -> Self {
        Self::from_sorted(&[])
    }
}

/// Hashes the bytes of labels.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length of the bytes, which their hash knows.
    fn write_usize(&mut self, _: usize) {}
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(xxh3_64(self.key()));
    }
}

impl Labels {
    /// From pairs in any order; the last of equal names wins, empty values are left out.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut all: Vec<(&str, &str)> = pairs.into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        let mut kept: Vec<(&str, &str)> = Vec::with_capacity(all.len());
        for pair in all {
            match kept.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => kept.push(pair),
            }
        }
        kept.retain(|(_, value)| !value.is_empty());
        Self::from_sorted(&kept)
    }

    fn from_sorted(pairs: &[(&str, &str)]) -> Self {
        let bytes = pairs.iter().map(|(k, v)| 8 + k.len() + v.len()).sum::<usize>();
        let mut out = Vec::with_capacity(4 + bytes);
        write_label_key(&mut out, pairs.len(), pairs.iter().copied());
        Self::of_bytes(&out)
    }

    fn of_bytes(key: &[u8]) -> Self {
        // A key is far shorter than that: the store bounds what labels may have.
        let len = u32::try_from(key.len()).unwrap_or(0);
        Self { bytes: Arc::from(&key[..len as usize]), start: 0, len }
    }

    /// The labels as the head of a canonical key; [`Self::of_series_key`] reads them back.
    #[inline]
    pub fn key(&self) -> &[u8] {
        &self.bytes[self.start as usize..(self.start + self.len) as usize]
    }

    /// The labels at the head of a series' canonical key ([`grid_model::SeriesDef::key`]); `None` if the bytes are not one. What is not
    /// UTF-8 in it reads as empty.
    pub fn of_series_key(key: &[u8]) -> Option<Self> {
        head_of_key(key).map(Self::of_bytes)
    }

    /// All pairs, sorted by name.
    pub fn iter(&self) -> Pairs<'_> {
        Self::pairs_of_key(self.key())
    }

    /// The pairs of the labels at the head of a series' canonical key, without a copy of them.
    pub fn pairs_of_key(key: &[u8]) -> Pairs<'_> {
        let mut rest = key;
        let left = take_len(&mut rest).unwrap_or(0);
        Pairs { rest, left }
    }

    /// A label's value, empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        Self::value_in_key(self.key(), name)
    }

    /// A label's value in a series' canonical key, empty if it is not there.
    pub fn value_in_key<'k>(key: &'k [u8], name: &str) -> &'k str {
        for (k, v, _) in RawPairs::of(key) {
            match k.cmp(name.as_bytes()) {
                Ordering::Equal => return std::str::from_utf8(v).unwrap_or(""),
                Ordering::Greater => break,
                Ordering::Less => {}
            }
        }
        ""
    }

    /// The names of the labels in a series' canonical key, each with its length before it: equal for series with the same names.
    pub fn names_of_key(key: &[u8], out: &mut Vec<u8>) {
        out.clear();
        for (name, _, whole) in RawPairs::of(key) {
            out.extend_from_slice(&whole[..4 + name.len()]);
        }
    }

    /// How many labels.
    pub fn len(&self) -> usize {
        self.iter().left
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The metric's name, empty if there is none.
    pub fn metric(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Without the labels that say which metric it is: [`METADATA_LABELS`].
    pub fn without_metadata(&self) -> Self {
        if METADATA_LABELS.iter().all(|l| self.get(l).is_empty()) {
            return self.clone();
        }
        self.filter(|name| !METADATA_LABELS.contains(&name))
    }

    /// Only the labels whose names pass.
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        let kept: Vec<_> = self.iter().filter(|(k, _)| keep(k)).collect();
        if kept.len() == self.len() {
            return self.clone();
        }
        Self::from_sorted(&kept)
    }

    /// With one label set, or taken away if the value is empty.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.iter().chain([(name, value)]))
    }

    /// The bytes of the labels that `by` or `without` leaves: what groups are told apart by. `names` are sorted.
    pub(crate) fn group_key(&self, names: &[String], without: bool, out: &mut Vec<u8>) {
        out.clear();
        // Both are sorted, so one walk finds what is listed.
        let mut names = names.iter().map(String::as_bytes).peekable();
        for (k, _, whole) in RawPairs::of(self.key()) {
            while names.peek().is_some_and(|n| *n < k) {
                names.next();
            }
            let listed = names.peek() == Some(&k);
            if listed != without && !(without && is_metadata(k)) {
                out.extend_from_slice(whole);
            }
        }
    }

    /// The labels that `by` or `without` leaves. `names` are sorted.
    pub(crate) fn grouped(&self, names: &[String], without: bool) -> Self {
        self.filter(|k| {
            let listed = names.binary_search_by(|n| n.as_str().cmp(k)).is_ok();
            listed != without && !(without && METADATA_LABELS.contains(&k))
        })
    }

    /// A hash of the content.
    pub fn hash64(&self) -> u64 {
        xxh3_64(self.key())
    }

    /// Bytes of a canonical key that they take.
    pub fn key_bytes(&self) -> usize {
        self.len as usize
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.len as usize + 40
    }

    /// As the nouns of the store.
    pub fn to_model(&self) -> grid_model::Labels {
        let pairs = self.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        grid_model::Labels::new(pairs).unwrap_or_default()
    }
}

impl From<&grid_model::Labels> for Labels {
    fn from(labels: &grid_model::Labels) -> Self {
        Self::new(labels.iter())
    }
}

/// The pairs of [`Labels`].
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some((take_str(&mut self.rest), take_str(&mut self.rest)))
    }
}

/// The pairs of a canonical key as bytes: what compares and copies labels need not look at their letters.
#[derive(Debug, Clone)]
struct RawPairs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> RawPairs<'a> {
    fn of(key: &'a [u8]) -> Self {
        let mut rest = key;
        let left = take_len(&mut rest).unwrap_or(0);
        Self { rest, left }
    }
}

impl<'a> Iterator for RawPairs<'a> {
    /// Name, value, and the bytes of both with their lengths.
    type Item = (&'a [u8], &'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let whole = self.rest;
        let name = take_bytes(&mut self.rest)?;
        let value = take_bytes(&mut self.rest)?;
        Some((name, value, &whole[..8 + name.len() + value.len()]))
    }
}

#[inline]
fn take_len(at: &mut &[u8]) -> Option<usize> {
    let (head, rest) = at.split_first_chunk::<4>()?;
    *at = rest;
    Some(u32::from_le_bytes(*head) as usize)
}

#[inline]
fn take_bytes<'a>(at: &mut &'a [u8]) -> Option<&'a [u8]> {
    let n = take_len(at)?;
    let (head, rest) = at.split_at_checked(n)?;
    *at = rest;
    Some(head)
}

fn take_str<'a>(at: &mut &'a [u8]) -> &'a str {
    // Keys are made of texts, so this is checked for the sake of safety alone.
    take_bytes(at).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("")
}

impl Ord for Labels {
    /// By names and values in turn, as Prometheus orders series.
    fn cmp(&self, other: &Self) -> Ordering {
        // The order of texts is that of their bytes.
        let pair = |(name, value, _)| (name, value);
        RawPairs::of(self.key()).map(pair).cmp(RawPairs::of(other.key()).map(pair))
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Labels {
    /// `{__name__="up", job="a"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (k, v)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match grid_promql_syntax::matcher::is_plain_label(k) {
                true => write!(f, "{comma}{k}={v:?}")?,
                false => write!(f, "{comma}{k:?}={v:?}")?,
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_read_back() {
        let labels = Labels::new([("job", "a"), ("__name__", "up"), ("x", ""), ("job", "b")]);
        assert_eq!(labels.to_string(), r#"{__name__="up", job="b"}"#);
        assert_eq!((labels.get("job"), labels.get("y"), labels.metric(), labels.len()), ("b", "", "up", 2));
        assert_eq!(labels.without_metadata(), Labels::new([("job", "b")]));
        assert_eq!(labels.with("job", ""), Labels::new([("__name__", "up")]));
        assert_eq!(Labels::from(&labels.to_model()), labels);
        let key = grid_model::SeriesDef::of_labels(labels.to_model()).key();
        assert_eq!(Labels::of_series_key(&key), Some(labels.clone()));
        assert_eq!(Labels::of_series_key(&key[..key.len() - 1]), None);
        let mut packed = Packed::default();
        assert_eq!(packed.push(&key), Some(labels.key_bytes()));
        assert_eq!((packed.push(b"no"), packed.push(Labels::default().key())), (None, Some(4)));
        assert_eq!(packed.take().collect::<Vec<_>>(), [labels.clone(), Labels::default()]);
        assert!(Labels::new([("a", "2")]) > Labels::new([("a", "1"), ("b", "1")]));
    }
}
