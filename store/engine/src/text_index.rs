//! The text index beside a compacted log file: which rows hold which token of `body`. Document number = row number.
//!
//! It narrows, it never decides: an answer holds at least the matching rows, and the scan checks them again. Built by tantivy
//! with the tokenizer of [`crate::text`], without its limit of 40 characters, which would be a silent miss.
//!
//! A file is a bundle: magic, count, then name length, name, data length, data of each of tantivy's files.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use grid_model::table::logs;
use parking_lot::Mutex;
use tantivy::directory::{Directory as _, RamDirectory};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{DocSet as _, Index, TERMINATED, TantivyDocument, Term};

use crate::catalog::FileEntry;
use crate::error::StoreError;
use crate::store::Store;
use crate::text::{Query, tokens_at};

const MAGIC: &[u8; 8] = b"gridtxt1";
const BODY: &str = "body";
const TOKENIZER: &str = "grid";
/// Memory of a build before it spills within the RAM directory.
const BUILD_BYTES: usize = 64 << 20;
/// Bytes of bundles that stay open.
const CACHE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a token that the index keeps; longer ones are found by their beginning. Tantivy drops terms over 65,530 bytes.
const TOKEN_BYTES_MAX: usize = 1024;
/// Terms that a prefix may expand to before it stops narrowing.
const PREFIX_TERMS_MAX: usize = 4096;
/// Beyond this share of rows, reading by row costs more than scanning.
const USEFUL_SHARE: f64 = 0.35;

fn text_error(e: impl std::fmt::Display) -> StoreError {
    StoreError::Text(e.to_string())
}

/// Indexes the bodies of a sorted batch of logs.
pub fn build(sorted: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let body = schema.add_text_field(BODY, TextOptions::default().set_indexing_options(indexing));
    let tokenizers = TokenizerManager::new();
    tokenizers.register(TOKENIZER, Words);
    let mut writer = Index::builder()
        .schema(schema.build())
        .tokenizers(tokenizers)
        .single_segment_index_writer(RamDirectory::create(), BUILD_BYTES)
        .map_err(text_error)?;
    let column = sorted.column_by_name(logs::BODY).and_then(|c| c.as_string_opt::<i32>());
    let column = column.ok_or_else(|| StoreError::Text("logs without a text column body".into()))?;
    for row in 0..column.len() {
        let mut document = TantivyDocument::new();
        if column.is_valid(row) {
            document.add_text(body, column.value(row));
        }
        writer.add_document(document).map_err(text_error)?;
    }
    bundle(&writer.finalize().map_err(text_error)?)
}

fn bundle(index: &Index) -> Result<Vec<u8>, StoreError> {
    let directory = index.directory();
    let mut names: Vec<PathBuf> = directory.list_managed_files().into_iter().collect();
    names.push(PathBuf::from("meta.json"));
    names.sort();
    names.dedup();
    let mut out = MAGIC.to_vec();
    let mut files = Vec::new();
    for name in names {
        if !directory.exists(&name).map_err(text_error)? {
            continue;
        }
        // Raw, with tantivy's footers: `open_read` would strip them, and opening the bundle checks them.
        let bytes = directory.atomic_read(&name).map_err(text_error)?;
        files.push((name, bytes));
    }
    out.extend_from_slice(&(files.len() as u32).to_le_bytes());
    for (name, bytes) in files {
        let name = name.to_string_lossy().into_owned();
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    Ok(out)
}

fn open(bundle: &[u8]) -> Result<Index, StoreError> {
    let short = || StoreError::Text("the bundle is cut short".into());
    let mut at = bundle.strip_prefix(MAGIC).ok_or_else(|| StoreError::Text("not a text index".into()))?;
    let mut take = |n: usize| -> Option<&[u8]> {
        let (head, rest) = at.split_at_checked(n)?;
        at = rest;
        Some(head)
    };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_usize, |n, b| n << 8 | usize::from(*b));
    let count = number(take(4).ok_or_else(short)?);
    let directory = RamDirectory::create();
    for _ in 0..count {
        let length = number(take(4).ok_or_else(short)?);
        let name = String::from_utf8_lossy(take(length).ok_or_else(short)?).into_owned();
        let length = number(take(8).ok_or_else(short)?);
        directory.atomic_write(Path::new(&name), take(length).ok_or_else(short)?).map_err(text_error)?;
    }
    Index::open(directory).map_err(text_error)
}

#[derive(Clone)]
struct Words;

/// Tokens of one text, computed at once: a text is one log line.
struct WordStream {
    tokens: std::vec::IntoIter<(Range<usize>, String)>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream;
    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream {
        let tokens: Vec<_> = tokens_at(text).map(|(at, word)| (at, clip(&word).to_owned())).collect();
        WordStream { tokens: tokens.into_iter(), token: Token::default() }
    }
}

impl TokenStream for WordStream {
    fn advance(&mut self) -> bool {
        let Some((at, text)) = self.tokens.next() else { return false };
        self.token = Token {
            offset_from: at.start,
            offset_to: at.end,
            position: self.token.position.wrapping_add(1),
            text,
            position_length: 1,
        };
        true
    }
    fn token(&self) -> &Token {
        &self.token
    }
    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// The beginning of a token that the index keeps.
fn clip(word: &str) -> &str {
    let mut end = word.len().min(TOKEN_BYTES_MAX);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// A set of rows, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rows(Vec<u64>);

impl Rows {
    fn none(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }
    fn insert(&mut self, row: u32) {
        self.0[row as usize / 64] |= 1 << (row % 64);
    }
    fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
        self
    }
    fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
        self
    }
    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let bits = |(i, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |b| word >> b & 1 == 1).map(move |b| i as u32 * 64 + b)
        };
        self.0.iter().enumerate().flat_map(bits)
    }
    fn len(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }
}

/// Rows that can match a query, ascending; `None` if the index does not narrow it.
fn search(index: &Index, query: &Query) -> Result<Option<Vec<u32>>, StoreError> {
    let reader = index.reader().map_err(text_error)?;
    let searcher = reader.searcher();
    let [segment] = searcher.segment_readers() else {
        // An index of no rows has no segment.
        return Ok(if searcher.segment_readers().is_empty() { Some(Vec::new()) } else { None });
    };
    let field = index.schema().get_field(BODY).map_err(text_error)?;
    let inverted = segment.inverted_index(field).map_err(text_error)?;
    let search = Search { inverted: &inverted, field, rows: segment.max_doc() as usize };
    let Some(rows) = search.candidates(query)? else { return Ok(None) };
    if rows.len() as f64 > USEFUL_SHARE * search.rows as f64 {
        return Ok(None);
    }
    Ok(Some(rows.iter().collect()))
}

struct Search<'a> {
    inverted: &'a tantivy::InvertedIndexReader,
    field: Field,
    rows: usize,
}

impl Search<'_> {
    /// A superset of the matching rows; `None` means all.
    fn candidates(&self, query: &Query) -> Result<Option<Rows>, StoreError> {
        match query {
            Query::Phrase { terms, prefix } => {
                let mut all: Option<Rows> = None;
                for (i, term) in terms.iter().enumerate() {
                    let rows =
                        if *prefix && i + 1 == terms.len() { self.prefix(term)? } else { Some(self.term(term)?) };
                    all = meet(all, rows);
                }
                Ok(all)
            }
            Query::And(parts) => parts.iter().try_fold(None, |all, part| Ok(meet(all, self.candidates(part)?))),
            Query::Or(parts) => {
                let mut any = Rows::none(self.rows);
                for part in parts {
                    let Some(rows) = self.candidates(part)? else { return Ok(None) };
                    any = any.or(&rows);
                }
                Ok(Some(any))
            }
            // The complement of a superset is no superset.
            Query::Not(_) => Ok(None),
        }
    }

    fn term(&self, term: &str) -> Result<Rows, StoreError> {
        let mut rows = Rows::none(self.rows);
        let term = Term::from_field_text(self.field, clip(term));
        if let Some(postings) = self.inverted.read_postings(&term, IndexRecordOption::Basic).map_err(text_error)? {
            add(&mut rows, postings);
        }
        Ok(rows)
    }

    fn prefix(&self, prefix: &str) -> Result<Option<Rows>, StoreError> {
        let prefix = clip(prefix).as_bytes();
        let mut rows = Rows::none(self.rows);
        let mut stream = self.inverted.terms().range().ge(prefix).into_stream().map_err(text_error)?;
        let mut terms = 0;
        while stream.advance() && stream.key().starts_with(prefix) {
            terms += 1;
            if terms > PREFIX_TERMS_MAX {
                return Ok(None);
            }
            let info = stream.value().clone();
            let postings =
                self.inverted.read_postings_from_terminfo(&info, IndexRecordOption::Basic).map_err(text_error)?;
            add(&mut rows, postings);
        }
        Ok(Some(rows))
    }
}

fn add(rows: &mut Rows, mut postings: tantivy::postings::SegmentPostings) {
    if postings.doc_freq() == 0 {
        return;
    }
    let mut doc = postings.doc();
    while doc != TERMINATED {
        rows.insert(doc);
        doc = postings.advance();
    }
}

fn meet(a: Option<Rows>, b: Option<Rows>) -> Option<Rows> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.and(&b)),
        (one, None) | (None, one) => one,
    }
}

/// Indexes by path with their sizes, the paths in the order of their opening, and the bytes of all.
type OpenIndexes = (HashMap<String, (Arc<Index>, usize)>, std::collections::VecDeque<String>, usize);

/// Opened indexes, the oldest leaving first.
#[derive(Default)]
pub(crate) struct TextIndexCache {
    open: Mutex<OpenIndexes>,
}

impl TextIndexCache {
    fn get(&self, path: &str) -> Option<Arc<Index>> {
        self.open.lock().0.get(path).map(|(index, _)| Arc::clone(index))
    }

    fn put(&self, path: &str, index: Arc<Index>, bytes: usize) {
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
    /// The rows of a log file whose body can match, ascending: at least those that do. `None` if there is no index or it does not
    /// narrow the search.
    pub async fn text_search(&self, file: &FileEntry, query: &Query) -> Result<Option<Vec<u32>>, StoreError> {
        let Some(path) = &file.text_index else { return Ok(None) };
        let cache = &self.shared.text_indexes;
        let index = match cache.get(path) {
            Some(index) => index,
            None => {
                let bytes = self.shared.objects.get(path).await?;
                let index = Arc::new(open(&bytes)?);
                cache.put(path, Arc::clone(&index), bytes.len());
                index
            }
        };
        search(&index, query)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wal::record::tests::log_batch;

    #[test]
    fn candidates_hold_every_match() {
        let long = format!("x {} y", "A".repeat(70_000));
        let mut lines: Vec<String> = (0..200).map(|i| format!("user:{i} connected to shard-{}", i % 7)).collect();
        lines.push("Connection RESET by peer".into());
        lines.push(long.clone());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bundle = build(&log_batch(&lines)).unwrap();
        let index = open(&bundle).unwrap();
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
            let matching: Vec<u32> = (0..lines.len() as u32).filter(|i| query.matches(lines[*i as usize])).collect();
            let Some(found) = search(&index, &query).unwrap() else { continue };
            assert!(matching.iter().all(|row| found.contains(row)), "{text}: {matching:?} not in {found:?}");
            assert!(found.len() < 80, "{text} does not narrow");
        }
        assert_eq!(search(&index, &Query::parse("NOT reset").unwrap()).unwrap(), None);
        assert_eq!(search(&index, &Query::parse("absent").unwrap()).unwrap(), Some(vec![]));
    }
}
