//! Which rows can match a query.

use std::ops::Range;

use tantivy::postings::TermInfo;

use super::bundle::Part;
use super::words::is_id;
use super::{GROUP_BLOCKS, build, filter, postings, text_error};
use crate::error::StoreError;
use crate::text::Query;

/// Terms that a prefix may expand to before it stops narrowing.
const PREFIX_TERMS_MAX: usize = 4096;
/// Beyond this share of rows, reading by row costs more than scanning.
const USEFUL_SHARE: f64 = 0.35;

/// Ranges of rows that can match a query, ascending and apart; `None` if the index does not narrow it.
pub(super) fn search(parts: &[Part], query: &Query) -> Result<Option<Vec<Range<u32>>>, StoreError> {
    let mut ranges: Vec<Range<u32>> = Vec::new();
    let (mut found, mut total) = (0_u64, 0_u64);
    for part in parts {
        total += u64::from(part.starts[part.blocks()] - part.starts[0]);
        let candidates = Search { part }.candidates(query)?;
        for (block, rows) in part.starts.windows(2).enumerate() {
            let rows = rows[0]..rows[1];
            if rows.is_empty() || candidates.as_ref().is_some_and(|blocks| !blocks.holds(block)) {
                continue;
            }
            found += u64::from(rows.end - rows.start);
            match ranges.last_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => ranges.push(rows),
            }
        }
    }
    Ok((found as f64 <= USEFUL_SHARE * total as f64).then_some(ranges))
}

/// A set of blocks, one bit each.
struct Blocks(Vec<u64>);

impl Blocks {
    fn none(part: &Part) -> Self {
        Self(vec![0; part.blocks().div_ceil(64)])
    }
    fn insert(&mut self, block: usize) {
        self.0[block / 64] |= 1 << (block % 64);
    }
    fn insert_group(&mut self, group: usize, part: &Part) {
        for block in group * GROUP_BLOCKS..part.blocks().min((group + 1) * GROUP_BLOCKS) {
            self.insert(block);
        }
    }
    fn holds(&self, block: usize) -> bool {
        self.0[block / 64] >> (block % 64) & 1 == 1
    }
    fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
        self
    }
    fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
        self
    }
}

struct Search<'a> {
    part: &'a Part,
}

impl Search<'_> {
    /// A superset of the blocks with matching rows; `None` means all.
    fn candidates(&self, query: &Query) -> Result<Option<Blocks>, StoreError> {
        match query {
            Query::Phrase { terms, prefix } => {
                let mut all: Option<Blocks> = None;
                for (i, term) in terms.iter().enumerate() {
                    let blocks = if *prefix && i + 1 == terms.len() { self.prefix(term)? } else { self.term(term)? };
                    all = meet(all, blocks);
                }
                Ok(all)
            }
            Query::And(parts) => parts.iter().try_fold(None, |all, part| Ok(meet(all, self.candidates(part)?))),
            Query::Or(parts) => {
                let mut any = Blocks::none(self.part);
                for part in parts {
                    let Some(blocks) = self.candidates(part)? else { return Ok(None) };
                    any = any.or(&blocks);
                }
                Ok(Some(any))
            }
            // The complement of a superset is no superset.
            Query::Not(_) => Ok(None),
        }
    }

    fn term(&self, term: &str) -> Result<Option<Blocks>, StoreError> {
        if term.is_empty() {
            return Ok(None);
        }
        let mut blocks = Blocks::none(self.part);
        if let Some(info) = self.part.dictionary.get(term).map_err(text_error)? {
            self.each_in_list(&info, self.part.blocks(), |block| blocks.insert(block))?;
            // A word that got into the dictionary is in no filter.
            return Ok(Some(blocks));
        }
        if self.part.words_in_filters || is_id(term) {
            let hash = filter::hash(term.as_bytes());
            for (group, _) in self.part.filters().enumerate().filter(|(_, f)| filter::holds(f, hash)) {
                blocks.insert_group(group, self.part);
            }
        }
        Ok(Some(blocks))
    }

    fn prefix(&self, prefix: &str) -> Result<Option<Blocks>, StoreError> {
        if prefix.is_empty() {
            return Ok(None);
        }
        let mut blocks = Blocks::none(self.part);
        let part = self.part;
        let words = self.each_with_prefix(prefix.as_bytes(), part.blocks(), |block| blocks.insert(block))?;
        let marker = build::marker(prefix.as_bytes());
        let ids = words && self.each_with_prefix(&marker, part.groups(), |group| blocks.insert_group(group, part))?;
        Ok(ids.then_some(blocks))
    }

    /// Calls `each` with what the lists of all terms with a prefix hold; false if there are too many terms.
    fn each_with_prefix(&self, prefix: &[u8], bound: usize, mut each: impl FnMut(usize)) -> Result<bool, StoreError> {
        let mut stream = self.part.dictionary.range().ge(prefix).into_stream().map_err(text_error)?;
        let mut terms = 0;
        while stream.advance() && stream.key().starts_with(prefix) {
            terms += 1;
            if terms > PREFIX_TERMS_MAX {
                return Ok(false);
            }
            self.each_in_list(stream.value(), bound, &mut each)?;
        }
        Ok(true)
    }

    /// Calls `each` with the numbers below `bound` in the list of a term.
    fn each_in_list(&self, info: &TermInfo, bound: usize, each: impl FnMut(usize)) -> Result<(), StoreError> {
        let list = self.part.postings.get(info.postings_range.clone());
        match list {
            Some(list) if postings::each(list, info.doc_freq as usize, bound, each) => Ok(()),
            _ => Err(StoreError::Text("a term's list of blocks is malformed".into())),
        }
    }
}

fn meet(a: Option<Blocks>, b: Option<Blocks>) -> Option<Blocks> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.and(&b)),
        (one, None) | (None, one) => one,
    }
}
