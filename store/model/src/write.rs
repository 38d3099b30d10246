//! What a decoder hands to the store: rows of one tenant from one request. Durable and visible as a whole or not at all.

use std::collections::HashMap;

use arrow_array::RecordBatch;

use crate::series::{SeriesDef, SeriesId, id_of_key};
use crate::table::Table;

/// Canonical keys of the series that a request mentions, each once, in one buffer: the store decodes only those that it has
/// never seen.
#[derive(Debug, Clone, Default)]
pub struct SeriesKeys {
    bytes: Vec<u8>,
    /// Id and end of its key in `bytes`, in order of first mention.
    ends: Vec<(SeriesId, usize)>,
    seen: HashMap<SeriesId, usize>,
}

impl SeriesKeys {
    /// Adds a series by its canonical key (see [`SeriesDef::key`]) and answers its id. `None` if another series of this
    /// request has the same id: a collision of XXH3-64, whose samples must be rejected.
    pub fn add_key(&mut self, key: &[u8]) -> Option<SeriesId> {
        let id = id_of_key(key);
        if let Some(&n) = self.seen.get(&id) {
            return (self.key(n) == key).then_some(id);
        }
        self.seen.insert(id, self.ends.len());
        self.bytes.extend_from_slice(key);
        self.ends.push((id, self.bytes.len()));
        Some(id)
    }

    /// Adds a series; see [`SeriesKeys::add_key`].
    pub fn add(&mut self, def: &SeriesDef) -> Option<SeriesId> {
        self.add_key(&def.key())
    }

    fn key(&self, n: usize) -> &[u8] {
        let start = if n == 0 { 0 } else { self.ends[n - 1].1 };
        &self.bytes[start..self.ends[n].1]
    }

    /// All ids with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (SeriesId, &[u8])> {
        (0..self.ends.len()).map(|n| (self.ends[n].0, self.key(n)))
    }

    /// How many series.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Rows of one request. Batches have the schemas of their tables ([`Table::schema`], for samples also
/// [`crate::table::samples::number_schema`]). Series are not a batch: the store writes a `series` row at first sight.
#[derive(Debug, Clone, Default)]
pub struct Write {
    /// Every series that `batches` mentions.
    pub series: SeriesKeys,
    /// Non-empty batches by table; a table may occur more than once.
    pub batches: Vec<(Table, RecordBatch)>,
}

impl Write {
    /// Adds a batch unless it is empty.
    pub fn push(&mut self, table: Table, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.batches.push((table, batch));
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Rows over all tables.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(|(_, b)| b.num_rows()).sum()
    }
}
