//! The text index beside a compacted log file: which rows can hold which token of `body`.
//!
//! It narrows, it never decides: an answer holds at least the matching rows, and the scan checks them again. So it speaks of blocks of
//! adjacent rows. Words rest in tantivy's term dictionary, each with its blocks. What looks like an id (ids,
//! long numbers, blobs) is different in nearly every row and would make the dictionary larger than the rows, so it rests in Bloom
//! filters, one per group of blocks; the first two bytes of every id are a term of tantivy too, for prefixes. The reasons are in
//! ADR 0013.

mod build;
mod bundle;
mod filter;
mod postings;
mod search;
mod words;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

pub use self::build::{BUILD_BYTES_MAX, TextIndexBuilder, build};
use self::bundle::Part;
use crate::catalog::FileEntry;
use crate::error::StoreError;
use crate::store::Store;
use crate::text::Query;

/// Blocks that share a filter.
const GROUP_BLOCKS: usize = 8;
/// What begins a term that is the beginning of ids; no word holds it, and all sort after it.
const MARKER: u8 = 1;
/// Bytes of bundles that stay open.
const CACHE_BYTES_MAX: usize = 64 << 20;

fn text_error(e: impl std::fmt::Display) -> StoreError {
    StoreError::Text(e.to_string())
}

/// An opened text index; without parts if it does not narrow anything.
struct TextIndex {
    parts: Option<Vec<Part>>,
}

impl TextIndex {
    /// Opens the index of a file of `rows` rows. One that cannot be used costs speed, never an answer: it does not narrow.
    fn open(path: &str, bundle: &[u8], rows: u64) -> Self {
        let parts = bundle::open(bundle).and_then(|parts| match parts {
            Some(parts) if parts.last().map_or(0, Part::end_row) != rows => {
                Err(StoreError::Text(format!("not of a file of {rows} rows")))
            }
            parts => Ok(parts),
        });
        parts.map_or_else(|error| Self::unusable(path, &error), |parts| Self { parts })
    }

    fn unusable(path: &str, error: &StoreError) -> Self {
        tracing::warn!(path, %error, "a text index cannot be used; searches scan its file until it is compacted again");
        Self { parts: None }
    }

    fn search(&self, query: &Query) -> Result<Option<Vec<Range<u32>>>, StoreError> {
        self.parts.as_ref().map_or(Ok(None), |parts| search::search(parts, query))
    }
}

/// Indexes by path with their sizes, the paths in the order of their opening, and the bytes of all.
type OpenIndexes = (HashMap<String, (Arc<TextIndex>, usize)>, std::collections::VecDeque<String>, usize);

/// Opened indexes, the oldest leaving first.
#[derive(Default)]
pub(crate) struct TextIndexCache {
    open: Mutex<OpenIndexes>,
}

impl TextIndexCache {
    fn get(&self, path: &str) -> Option<Arc<TextIndex>> {
        self.open.lock().0.get(path).map(|(index, _)| Arc::clone(index))
    }

    fn put(&self, path: &str, index: Arc<TextIndex>, bytes: usize) {
        let (map, order, total) = &mut *self.open.lock();
        if map.insert(path.to_owned(), (index, bytes)).is_none() {
            order.push_back(path.to_owned());
            *total += bytes;
        }
        while *total > CACHE_BYTES_MAX && order.len() > 1 {
            let Some(oldest) = order.pop_front() else { break };
            *total -= map.remove(&oldest).map_or(0, |(_, b)| b);
        }
    }

    pub(crate) fn forget(&self, path: &str) {
        let (map, order, total) = &mut *self.open.lock();
        if let Some((_, bytes)) = map.remove(path) {
            order.retain(|p| p != path);
            *total -= bytes;
        }
    }
}

impl Store {
    /// Ranges of rows of a log file whose body can match, ascending and apart: at least those rows that do. `None` if there is no
    /// index or it does not narrow the search.
    ///
    /// # Errors
    /// If the index cannot be fetched or searched.
    pub async fn text_search(&self, file: &FileEntry, query: &Query) -> Result<Option<Vec<Range<u32>>>, StoreError> {
        let Some(path) = &file.text_index else { return Ok(None) };
        let cache = &self.shared.text_indexes;
        let index = match cache.get(path) {
            Some(index) => index,
            None => {
                let (index, bytes) = match self.shared.objects.get(path).await {
                    Ok(bytes) => (TextIndex::open(path, &bytes, file.rows), bytes.len()),
                    Err(e @ StoreError::Object(object_store::Error::NotFound { .. })) => {
                        (TextIndex::unusable(path, &e), 0)
                    }
                    Err(e) => return Err(e),
                };
                let index = Arc::new(index);
                cache.put(path, Arc::clone(&index), bytes);
                index
            }
        };
        index.search(query)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::StringArray;
    use proptest::prelude::*;

    use crate::wal::record::tests::log_batch;

    fn opened(bundle: &[u8]) -> TextIndex {
        TextIndex { parts: bundle::open(bundle).unwrap() }
    }

    fn rows(ranges: &[Range<u32>]) -> usize {
        ranges.iter().map(ExactSizeIterator::len).sum()
    }

    /// The answered ranges, which hold every matching line.
    fn checked(index: &TextIndex, lines: &[&str], query: &Query) -> Option<Vec<Range<u32>>> {
        let found = index.search(query).unwrap()?;
        assert!(found.windows(2).all(|w| w[0].end < w[1].start), "{found:?}");
        for (row, line) in lines.iter().enumerate().filter(|(_, line)| query.matches(line)) {
            assert!(
                found.iter().any(|r| r.contains(&(row as u32))),
                "{query:?}: row {row} ({line:?}) not in {found:?}"
            );
        }
        Some(found)
    }

    #[test]
    fn candidates_hold_every_match() {
        let long = format!("x {} y", "A".repeat(70_000));
        let mut lines: Vec<String> = (0..200).map(|i| format!("user:{i} connected to shard-{}", i % 7)).collect();
        lines.push("Connection RESET by peer".into());
        lines.push(long.clone());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bundle = build(&log_batch(&lines)).unwrap();
        let index = opened(&bundle);
        let long_word = "a".repeat(70_000);
        let queries = [
            "user:42",
            "\"connection reset\"",
            "conn* AND reset",
            "reset OR user:7",
            "absent",
            "peer NOT absent",
            "user:1*",
            &long_word[..8000],
        ];
        for text in queries {
            let query = Query::parse(text).unwrap();
            let Some(found) = checked(&index, &lines, &query) else { continue };
            assert!(rows(&found) < 80, "{text} does not narrow");
        }
        assert_eq!(index.search(&Query::parse("NOT reset").unwrap()).unwrap(), None);
        assert_eq!(index.search(&Query::parse("absent").unwrap()).unwrap(), Some(vec![]));
    }

    #[test]
    fn ids_are_found_in_their_group_and_words_in_their_block() {
        let line = |i: u32| match i {
            30_000 => "worker-wxyzefg77 Needle STRASSE stra\u{df}e".to_owned(),
            _ => format!(
                "request {} took {}ms trace={:016x}",
                i,
                i % 3000,
                u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ),
        };
        let lines: Vec<String> = (0..40_000).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let index = opened(&build(&log_batch(&lines)).unwrap());
        for (text, rows_max) in [
            ("needle", 128),
            ("NEED*", 128),
            ("stra\u{df}*", 128),
            ("wxyzefg77", 2 * 1024),
            ("wxyz*", 1024),
            ("w*", 1024),
            ("12345", 3 * 1024),
            ("\"request 12345\" took", 3 * 1024),
            ("took AND needle", 128),
        ] {
            let found = checked(&index, &lines, &Query::parse(text).unwrap());
            assert!(found.map_or(40_000, |f| rows(&f)) <= rows_max, "{text} narrows too little");
        }
        assert!(index.search(&Query::parse("request").unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_full_dictionary_misses_nothing() {
        // Words without digits, more than the dictionary takes.
        let word = |mut n: u32| {
            let mut out = String::from("w");
            while n > 0 {
                out.push(char::from(b'a' + (n % 26) as u8));
                n /= 26;
            }
            out
        };
        let lines: Vec<String> =
            (0..3000).map(|i| (0..100).map(|j| word(i * 100 + j)).collect::<Vec<_>>().join(" ")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let index = opened(&build(&log_batch(&lines)).unwrap());
        assert!(index.parts.as_ref().unwrap()[0].words_in_filters);
        for n in [5, 1000, 131_000, 131_072, 140_000, 299_999] {
            let found = checked(&index, &lines, &Query::parse(&word(n)).unwrap()).unwrap();
            assert!(!found.is_empty() && rows(&found) < 300, "{n}: {found:?}");
            let _ = checked(&index, &lines, &Query::parse(&format!("{}*", word(n))).unwrap());
        }
    }

    #[test]
    fn parts_cover_the_rows_one_after_the_other() {
        let lines: Vec<String> = (0..30_000).map(|i| format!("line {} of {i:06}", i % 977)).collect();
        let mut builder = TextIndexBuilder::new();
        builder.pairs_max = 5000;
        for piece in lines.chunks(777) {
            builder.push(&piece.iter().map(Some).collect::<StringArray>()).unwrap();
        }
        let index = TextIndex::open("a.text", &builder.finish().unwrap(), lines.len() as u64);
        assert!(index.parts.as_ref().unwrap().len() > 3);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for text in ["000000", "029999", "017123", "\"line 42\"", "976 AND 021493"] {
            assert!(checked(&index, &lines, &Query::parse(text).unwrap()).is_some_and(|f| !f.is_empty()), "{text}");
        }
    }

    #[test]
    fn damage_is_noticed_and_old_versions_do_not_narrow() {
        let bundle = build(&log_batch(&["a b1234", "c"])).unwrap();
        assert!(bundle::open(&bundle).unwrap().is_some());
        for at in 0..bundle.len() {
            assert!(bundle::open(&bundle[..at]).is_err(), "cut at {at}");
            let mut damaged = bundle.clone();
            damaged[at] ^= 0x41;
            assert!(bundle::open(&damaged).is_err(), "damaged at {at}");
        }
        let query = Query::parse("absent").unwrap();
        for (bundle, rows) in [(b"gridtxt1\x01\0\0\0".as_slice(), 2), (b"", 2), (&bundle[..90], 2), (&bundle, 3)] {
            assert_eq!(TextIndex::open("a.text", bundle, rows).search(&query).unwrap(), None);
        }
        assert_eq!(TextIndex::open("a.text", &bundle, 2).search(&query).unwrap(), Some(vec![]));
        let none = TextIndexBuilder::new().finish().unwrap();
        assert_eq!(TextIndex::open("a.text", &none, 0).search(&query).unwrap(), Some(vec![]));
    }

    /// Lengths and counts that lie, under a right checksum.
    #[test]
    fn lies_about_lengths_are_refused() {
        let bundle = build(&log_batch(&["a b1234", "c"])).unwrap();
        // Up to the dictionary: what is in there is tantivy's, which believes it.
        for at in 16..16 + 4 + 1 + 4 + 1 + 4 + 8 + 4 {
            let mut lying = bundle.clone();
            lying[at] = 0xff;
            let sum = xxhash_rust::xxh3::xxh3_64(&lying[16..]);
            lying[8..16].copy_from_slice(&sum.to_le_bytes());
            let _ = bundle::open(&lying);
        }
    }

    fn a_word() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-c]{1,3}",
            2 => "[ab1-3]{4,6}",
            1 => "[0-9]{4,7}",
            1 => "[a-z0-9]{23,26}",
            1 => "[aA\u{e9}\u{c9}\u{3a3}\u{130}\u{df}1]{1,5}",
        ]
    }

    proptest! {
        #[test]
        fn every_matching_row_is_in_the_ranges(
            vocabulary in prop::collection::vec(a_word(), 1..40),
            picks in prop::collection::vec(prop::option::of(prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 0..400),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            pairs_max in 1..300_usize,
            asked in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, 1..4_usize), 8),
        ) {
            let lines: Vec<Option<String>> = picks
                .iter()
                .map(|p| p.as_ref().map(|p| p.iter().map(|i| i.get(&vocabulary).as_str()).collect::<Vec<_>>().join(" ")))
                .collect();
            let mut builder = TextIndexBuilder::new();
            builder.pairs_max = pairs_max;
            let mut ends: Vec<usize> = cuts.iter().map(|c| c.index(lines.len() + 1)).chain([lines.len()]).collect();
            ends.sort_unstable();
            let mut from = 0;
            for end in ends {
                builder.push(&lines[from..end].iter().map(Option::as_deref).collect::<StringArray>()).unwrap();
                from = end;
            }
            let index = TextIndex::open("a.text", &builder.finish().unwrap(), lines.len() as u64);
            prop_assert!(index.parts.is_some());
            let lines: Vec<&str> = lines.iter().map(|l| l.as_deref().unwrap_or("")).collect();
            let mut before = String::from("absent");
            for (word, kind, length) in asked {
                let word = word.get(&vocabulary);
                let text = match kind {
                    0 => word.clone(),
                    1 => format!("{}*", word.chars().take(length).collect::<String>()),
                    2 => format!("\"{before} {word}\""),
                    3 => format!("{before} AND {word}"),
                    4 => format!("{before} OR {word}"),
                    _ => format!("{word} NOT {before}"),
                };
                before.clone_from(word);
                checked(&index, &lines, &Query::parse(&text).unwrap());
            }
        }
    }
}
