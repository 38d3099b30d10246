//! The bytes of a text index, version 2. Numbers are little-endian.
//!
//! ```text
//! "gridtxt2", u64 xxh3-64 of all that follows, u32 number of parts, then per part:
//!   u8 whether some words are in the filters
//!   u32 number of blocks, u8 rows of each
//!   u32 length of each group's filter in units of 8 bytes (one group per 8 blocks, the last may have fewer)
//!   the filters
//!   u32 length and bytes of tantivy's term dictionary
//!   u32 length and bytes of the postings
//! ```
//! The dictionary says of each term how many blocks it has and where their list lies in the postings. A word's list is of blocks, a marker's
//! (byte 1, then the first two bytes of ids) of groups.

use tantivy::directory::FileSlice;
use tantivy::termdict::TermDictionary;

use super::{GROUP_BLOCKS, text_error};
use crate::error::StoreError;

const MAGIC: &[u8; 8] = b"gridtxt2";
/// Version 1 had documents of one row; it is not read any more.
const MAGIC_1: &[u8; 8] = b"gridtxt1";

/// What a part consists of.
#[derive(Default)]
pub(super) struct PartBytes {
    /// Whether words that are no ids are in the filters.
    pub words_in_filters: bool,
    /// Rows of each block.
    pub block_rows: Vec<u8>,
    /// Length of each group's filter, in units of 8 bytes.
    pub filter_words: Vec<u32>,
    /// The filters, one after the other.
    pub filters: Vec<u8>,
    /// Tantivy's dictionary.
    pub dictionary: Vec<u8>,
    /// Where terms occur.
    pub postings: Vec<u8>,
}

/// Gathers parts.
pub(super) struct BundleWriter {
    out: Vec<u8>,
    parts: u32,
}

impl BundleWriter {
    pub(super) fn new() -> Self {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[0; 12]);
        Self { out, parts: 0 }
    }

    pub(super) fn add(&mut self, part: &PartBytes) {
        let out = &mut self.out;
        out.push(u8::from(part.words_in_filters));
        out.extend_from_slice(&(part.block_rows.len() as u32).to_le_bytes());
        out.extend_from_slice(&part.block_rows);
        out.extend(part.filter_words.iter().flat_map(|n| n.to_le_bytes()));
        out.extend_from_slice(&part.filters);
        for bytes in [&part.dictionary, &part.postings] {
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        self.parts += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out[16..20].copy_from_slice(&self.parts.to_le_bytes());
        let sum = xxhash_rust::xxh3::xxh3_64(&self.out[16..]);
        self.out[8..16].copy_from_slice(&sum.to_le_bytes());
        self.out
    }
}

/// An opened part.
pub(super) struct Part {
    /// Whether words that are no ids are in the filters.
    pub words_in_filters: bool,
    /// First row of each block, and the row after the last: counted within the file.
    pub starts: Vec<u32>,
    filters: Vec<u8>,
    /// Where each group's filter begins in `filters`, and where the last one ends.
    filter_starts: Vec<usize>,
    /// Which terms there are.
    pub dictionary: TermDictionary,
    /// Where they occur.
    pub postings: Vec<u8>,
}

impl Part {
    /// Blocks of the part.
    pub(super) fn blocks(&self) -> usize {
        self.starts.len() - 1
    }

    /// The row after the last of its blocks.
    pub(super) fn end_row(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0).into()
    }

    /// Groups of the part.
    pub(super) fn groups(&self) -> usize {
        self.filter_starts.len() - 1
    }

    /// The filters of the groups, in order.
    pub(super) fn filters(&self) -> impl Iterator<Item = &[u8]> {
        self.filter_starts.windows(2).map(|w| &self.filters[w[0]..w[1]])
    }
}

/// Opens a bundle: its parts; `None` if it is of version 1.
///
/// # Errors
/// If it is not a text index, or not what was written.
pub(super) fn open(bundle: &[u8]) -> Result<Option<Vec<Part>>, StoreError> {
    if bundle.starts_with(MAGIC_1) {
        return Ok(None);
    }
    let rest = bundle.strip_prefix(MAGIC).ok_or_else(|| StoreError::Text("not a text index".into()))?;
    let mut reader = Reader { rest };
    let sum = u64::from_le_bytes(reader.array()?);
    // All further reading is of what was written: tantivy does not expect damage everywhere.
    if xxhash_rust::xxh3::xxh3_64(reader.rest) != sum {
        return Err(StoreError::Text("damaged: its checksum does not match".into()));
    }
    let mut first_row = 0;
    let mut parts = Vec::new();
    for _ in 0..reader.u32()? {
        parts.push(part(&mut reader, &mut first_row)?);
    }
    Ok(Some(parts))
}

fn part(reader: &mut Reader<'_>, first_row: &mut u32) -> Result<Part, StoreError> {
    let words_in_filters = reader.take(1)? != [0];
    let blocks = reader.u32()? as usize;
    let mut starts = vec![*first_row];
    for rows in reader.take(blocks)? {
        *first_row = first_row.checked_add(u32::from(*rows)).ok_or_else(malformed)?;
        starts.push(*first_row);
    }
    let mut filter_starts = vec![0];
    let mut end = 0_usize;
    for _ in 0..blocks.div_ceil(GROUP_BLOCKS) {
        end = end.checked_add(reader.u32()? as usize * 8).ok_or_else(malformed)?;
        filter_starts.push(end);
    }
    let filters = reader.take(end)?.to_vec();
    let length = reader.u32()? as usize;
    let dictionary = TermDictionary::open(FileSlice::from(reader.take(length)?.to_vec())).map_err(text_error)?;
    let length = reader.u32()? as usize;
    let postings = reader.take(length)?.to_vec();
    Ok(Part { words_in_filters, starts, filters, filter_starts, dictionary, postings })
}

fn malformed() -> StoreError {
    StoreError::Text("malformed".into())
}

/// What is left to read; never reads or allocates more than there is.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], StoreError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*head)
    }
    fn u32(&mut self) -> Result<u32, StoreError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}
