//! Building a text index, batch by batch, in memory of a known size.

use std::hash::{BuildHasher as _, RandomState};

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::DataType;
use grid_model::table::logs;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionaryBuilder;

use super::bundle::{BundleWriter, PartBytes};
use super::words::{Scratch, Token, each_token};
use super::{GROUP_BLOCKS, MARKER, filter, postings, text_error};
use crate::error::StoreError;

/// Pairs of word and block after which a part is closed and the next begun.
const PAIRS_MAX: usize = 1 << 22;
/// Distinct words of a part's dictionary; further ones go to the filters as ids do.
const WORDS_MAX: usize = 1 << 17;
/// Blocks of a part; their numbers have 16 bits.
const BLOCKS_MAX: usize = 1 << 16;
/// Bytes that a builder takes at most beside what it has made and what one group of blocks holds: the pairs, twice while they are
/// sorted, and the set of words, which may be half empty.
pub const BUILD_BYTES_MAX: usize = PAIRS_MAX * (4 + 2) + 2 * WORDS_MAX * size_of::<Slot>();
/// Rows of a block. Those of the first are fewer: a block is about a 64th of what precedes it, so that small files are narrowed too.
const BLOCK_ROWS: std::ops::RangeInclusive<u32> = 8..=128;
/// Bytes of text at which a block ends early: long rows cost more to read in vain.
const BLOCK_BYTES: usize = 32 << 10;
/// Recent ids of a group that are known to be in it already; a power of two.
const RECENT_IDS: usize = 4096;

/// Indexes the bodies of a sorted batch of logs.
pub fn build(sorted: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let body = sorted.column_by_name(logs::BODY);
    let body = body.ok_or_else(|| StoreError::Text(format!("logs without a column {}", logs::BODY)))?;
    let mut builder = TextIndexBuilder::new();
    builder.push(body)?;
    builder.finish()
}

/// Indexes the bodies of a log file as they are written, in the order of its rows.
pub struct TextIndexBuilder {
    bundle: BundleWriter,
    part: Part,
    scratch: Scratch,
    /// Rows so far.
    rows: u32,
    /// [`PAIRS_MAX`], fewer in tests.
    pub(super) pairs_max: usize,
}

impl Default for TextIndexBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TextIndexBuilder {
    /// An index of no rows.
    pub fn new() -> Self {
        Self {
            bundle: BundleWriter::new(),
            part: Part::new(),
            scratch: Scratch::default(),
            rows: 0,
            pairs_max: PAIRS_MAX,
        }
    }

    /// Adds the bodies of the next rows: a column of texts, null where a row has none.
    ///
    /// # Errors
    /// If the column is no text, or there are more than 2^32 rows.
    pub fn push(&mut self, body: &dyn Array) -> Result<(), StoreError> {
        match body.data_type() {
            DataType::Utf8 => body.as_string::<i32>().iter().try_for_each(|line| self.push_line(line)),
            DataType::LargeUtf8 => body.as_string::<i64>().iter().try_for_each(|line| self.push_line(line)),
            DataType::Utf8View => body.as_string_view().iter().try_for_each(|line| self.push_line(line)),
            other => Err(StoreError::Text(format!("column {} is {other}, not text", logs::BODY))),
        }
    }

    fn push_line(&mut self, line: Option<&str>) -> Result<(), StoreError> {
        let block_rows = (self.rows / 64).clamp(*BLOCK_ROWS.start(), *BLOCK_ROWS.end());
        self.rows = self.rows.checked_add(1).ok_or_else(|| StoreError::Text("more than 2^32 rows".into()))?;
        let part = &mut self.part;
        if let Some(line) = line {
            each_token(line, &mut self.scratch, |token| part.add(&token));
            part.block_bytes += line.len();
        }
        part.rows += 1;
        if part.rows >= block_rows || part.block_bytes >= BLOCK_BYTES {
            part.end_block();
            if part.is_full(self.pairs_max) {
                std::mem::replace(part, Part::new()).finish(&mut self.bundle)?;
            }
        }
        Ok(())
    }

    /// The index as bytes.
    ///
    /// # Errors
    /// If tantivy fails.
    pub fn finish(mut self) -> Result<Vec<u8>, StoreError> {
        self.part.finish(&mut self.bundle)?;
        Ok(self.bundle.finish())
    }
}

/// What is being built of one part.
struct Part {
    made: PartBytes,
    words: WordSet,
    /// Numbers of words, block by block, each once per block.
    pairs: Vec<u32>,
    /// Where each block's pairs end.
    ends: Vec<usize>,
    /// Rows and bytes of text of the current block.
    rows: u32,
    block_bytes: usize,
    ids: GroupIds,
    /// Markers: first two bytes of an id, and the group that has it.
    markers: Vec<(u16, u16)>,
}

impl Part {
    fn new() -> Self {
        Self {
            made: PartBytes::default(),
            words: WordSet::new(),
            pairs: Vec::new(),
            ends: Vec::new(),
            rows: 0,
            block_bytes: 0,
            ids: GroupIds::new(),
            markers: Vec::new(),
        }
    }

    /// Whether it ends with a group and should not get another.
    fn is_full(&self, pairs_max: usize) -> bool {
        let large = self.pairs.len() + self.markers.len() >= pairs_max || self.ends.len() > BLOCKS_MAX - GROUP_BLOCKS;
        large && self.ends.len().is_multiple_of(GROUP_BLOCKS)
    }

    #[inline]
    fn add(&mut self, token: &Token<'_>) {
        if token.is_id() {
            self.ids.add(token.bytes());
            return;
        }
        match self.words.stamp(token.words(), self.ends.len() as u32) {
            Stamped::Before => {}
            Stamped::Now(word) => self.pairs.push(word),
            Stamped::Full => {
                self.made.words_in_filters = true;
                self.ids.add(token.bytes());
            }
        }
    }

    fn end_block(&mut self) {
        self.made.block_rows.push(self.rows as u8);
        self.ends.push(self.pairs.len());
        (self.rows, self.block_bytes) = (0, 0);
        if self.ends.len().is_multiple_of(GROUP_BLOCKS) {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        let group = self.made.filter_words.len() as u16;
        let before = self.made.filters.len();
        self.ids.take(&mut self.made.filters, |beginning| self.markers.push((beginning, group)));
        self.made.filter_words.push(((self.made.filters.len() - before) / 8) as u32);
    }

    fn finish(mut self, bundle: &mut BundleWriter) -> Result<(), StoreError> {
        if self.rows > 0 {
            self.end_block();
        }
        if self.ends.is_empty() {
            return Ok(());
        }
        if !self.ends.len().is_multiple_of(GROUP_BLOCKS) {
            self.end_group();
        }
        let mut dictionary = Dictionary::new()?;
        // Markers begin with a byte below those of words.
        self.markers.sort_unstable();
        for same in self.markers.chunk_by(|a, b| a.0 == b.0) {
            let groups = same.iter().map(|(_, group)| *group);
            dictionary.add(&marker(&same[0].0.to_be_bytes()), groups, self.made.filter_words.len())?;
        }
        // Pairs by word: each word's place follows from how many the words before it have.
        let mut starts = vec![0_usize; self.words.length + 1];
        for word in &self.pairs {
            starts[*word as usize + 1] += 1;
        }
        for word in 0..self.words.length {
            starts[word + 1] += starts[word];
        }
        let mut blocks = vec![0_u16; self.pairs.len()];
        let mut free = starts.clone();
        let mut from = 0;
        for (block, end) in self.ends.iter().enumerate() {
            for word in &self.pairs[from..*end] {
                let at = &mut free[*word as usize];
                blocks[*at] = block as u16;
                *at += 1;
            }
            from = *end;
        }
        for (word, number) in self.words.sorted() {
            let bytes = word.map(u64::to_le_bytes);
            let word = bytes.as_flattened();
            let length = word.iter().position(|b| *b == 0).unwrap_or(word.len());
            let list = &blocks[starts[number as usize]..starts[number as usize + 1]];
            dictionary.add(&word[..length], list.iter().copied(), self.ends.len())?;
        }
        (self.made.dictionary, self.made.postings) = dictionary.finish()?;
        bundle.add(&self.made);
        Ok(())
    }
}

/// Tantivy's dictionary of terms, and where each term occurs.
struct Dictionary {
    terms: TermDictionaryBuilder<Vec<u8>>,
    postings: Vec<u8>,
}

impl Dictionary {
    fn new() -> Result<Self, StoreError> {
        Ok(Self { terms: TermDictionaryBuilder::create(Vec::new()).map_err(text_error)?, postings: Vec::new() })
    }

    /// Adds a term, which comes after all before it.
    fn add(&mut self, term: &[u8], list: impl ExactSizeIterator<Item = u16>, bound: usize) -> Result<(), StoreError> {
        let (count, from) = (list.len() as u32, self.postings.len());
        postings::append(list, bound, &mut self.postings);
        let info = TermInfo { doc_freq: count, postings_range: from..self.postings.len(), positions_range: 0..0 };
        self.terms.insert(term, &info).map_err(text_error)
    }

    fn finish(self) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        Ok((self.terms.finish().map_err(text_error)?, self.postings))
    }
}

/// What became of a word.
enum Stamped {
    /// The block had it already.
    Before,
    /// It is new to the block; its number.
    Now(u32),
    /// It is not in the set, which is full.
    Full,
}

/// A word, free where its first number is 0.
#[derive(Clone, Copy, Default)]
struct Slot {
    word: [u64; 3],
    number: u32,
    /// The block that had it last.
    block: u32,
}

/// The words of a part. Which slot a word takes depends on a seed, so that nobody can write lines whose words all meet in one.
struct WordSet {
    slots: Vec<Slot>,
    length: usize,
    seeds: [u64; 3],
}

impl WordSet {
    fn new() -> Self {
        let random = RandomState::new();
        Self { slots: vec![Slot::default(); 1024], length: 0, seeds: std::array::from_fn(|i| random.hash_one(i) | 1) }
    }

    #[inline]
    fn stamp(&mut self, word: [u64; 3], block: u32) -> Stamped {
        let at = self.place(&word);
        let slot = &mut self.slots[at];
        if slot.word[0] != 0 {
            let before = std::mem::replace(&mut slot.block, block) == block;
            return if before { Stamped::Before } else { Stamped::Now(slot.number) };
        }
        if self.length >= WORDS_MAX {
            return Stamped::Full;
        }
        let number = self.length as u32;
        *slot = Slot { word, number, block };
        self.length += 1;
        if self.length * 2 > self.slots.len() {
            self.grow();
        }
        Stamped::Now(number)
    }

    /// Where a word is or would be.
    #[inline]
    fn place(&self, word: &[u64; 3]) -> usize {
        let mask = self.slots.len() - 1;
        let mut hash = fold(word[0] ^ self.seeds[0], word[1] ^ self.seeds[1]);
        if word[2] != 0 {
            hash = fold(hash ^ word[2], self.seeds[2]);
        }
        let mut at = hash as usize & mask;
        while self.slots[at].word[0] != 0 && self.slots[at].word != *word {
            at = (at + 1) & mask;
        }
        at
    }

    #[cold]
    fn grow(&mut self) {
        let doubled = vec![Slot::default(); self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, doubled) {
            if slot.word[0] != 0 {
                let at = self.place(&slot.word);
                self.slots[at] = slot;
            }
        }
    }

    /// The words with their numbers, in the order of their bytes.
    fn sorted(self) -> Vec<([u64; 3], u32)> {
        let mut words = self.slots;
        words.retain(|slot| slot.word[0] != 0);
        words.sort_unstable_by_key(|slot| slot.word.map(u64::swap_bytes));
        words.into_iter().map(|slot| (slot.word, slot.number)).collect()
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The ids of one group of blocks.
struct GroupIds {
    /// Their hashes, with repetitions.
    hashes: Vec<u64>,
    /// Hashes that are among them, by their first bits.
    recent: Vec<u64>,
    /// One bit per possible pair of first bytes.
    beginnings: Vec<u64>,
    /// Room for a filter.
    bits: Vec<u64>,
}

impl GroupIds {
    fn new() -> Self {
        Self { hashes: Vec::new(), recent: vec![0; RECENT_IDS], beginnings: vec![0; 1 << 10], bits: Vec::new() }
    }

    #[inline]
    fn add(&mut self, token: &[u8]) {
        let pair = (usize::from(token[0]) << 8) | usize::from(token.get(1).copied().unwrap_or(0));
        self.beginnings[pair / 64] |= 1 << (pair % 64);
        let hash = filter::hash(token);
        let recent = &mut self.recent[(hash >> 32) as usize % RECENT_IDS];
        // A hash of 0 looks recent; it is kept by another way.
        if std::mem::replace(recent, hash) == hash && hash != 0 {
            return;
        }
        self.hashes.push(hash);
    }

    /// Appends the filter of the group, calls `each` with every two bytes that an id begins with, and begins the next group.
    fn take(&mut self, filters: &mut Vec<u8>, mut each: impl FnMut(u16)) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        filter::append(&self.hashes, &mut self.bits, filters);
        self.hashes.clear();
        self.recent.fill(0);
        for (i, word) in self.beginnings.iter_mut().enumerate() {
            while *word != 0 {
                each((i as u32 * 64 + word.trailing_zeros()) as u16);
                *word &= *word - 1;
            }
        }
    }
}

/// The term whose list says which groups have an id that begins with these bytes, of which two count.
pub(super) fn marker(beginning: &[u8]) -> Vec<u8> {
    std::iter::once(MARKER).chain(beginning.iter().copied().take(2)).collect()
}
