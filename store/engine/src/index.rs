//! The series index: which series a tenant has, in memory, so that label matchers never touch samples.
//!
//! Rebuilt at start from the `series` table. It only grows while the process runs; readers share it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use grid_model::series::{def_of_key, id_of_key};
use grid_model::{SeriesDef, SeriesId};
use parking_lot::RwLock;

/// Ids are hashes already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
    fn write_u64(&mut self, id: u64) {
        self.0 ^= id;
    }
}

/// What a series takes beside its key: an entry in each table, and the room that growing tables keep.
const SERIES_BYTES: usize = 64;

#[derive(Default)]
struct Maps {
    /// Position by id.
    by_id: HashMap<u64, u32, BuildHasherDefault<IdHasher>>,
    /// Canonical keys, one after the other.
    keys: Vec<u8>,
    /// End of each key in `keys`.
    ends: Vec<usize>,
    /// Ids in order of first sight.
    ids: Vec<u64>,
    /// Metric of each series, as a position in `metrics`.
    metric_of: Vec<u32>,
    /// Metric names in order of first sight.
    metrics: Vec<Arc<str>>,
    /// Positions of the series of a metric.
    by_metric: BTreeMap<Arc<str>, (u32, Vec<u32>)>,
}

impl Maps {
    fn key(&self, n: usize) -> &[u8] {
        let start = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.keys[start..self.ends[n]]
    }
}

/// What the index knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Never seen.
    New,
    /// Seen with the same content.
    Same,
    /// The id belongs to another series: a collision of the hash.
    Other,
}

/// The series of one tenant.
#[derive(Default)]
pub struct SeriesIndex {
    maps: RwLock<Maps>,
}

impl SeriesIndex {
    /// What is known of a series, by id and canonical key.
    pub fn lookup(&self, id: SeriesId, key: &[u8]) -> Known {
        let maps = self.maps.read();
        match maps.by_id.get(&id.0) {
            None => Known::New,
            Some(&n) if maps.key(n as usize) == key => Known::Same,
            Some(_) => Known::Other,
        }
    }

    /// Looks many series up under one lock; calls `new` for those never seen and `other` for collisions.
    pub fn lookup_all<'a>(
        &self,
        keys: impl Iterator<Item = (SeriesId, &'a [u8])>,
        mut new: impl FnMut(SeriesId, &'a [u8]),
        mut other: impl FnMut(SeriesId),
    ) {
        let maps = self.maps.read();
        for (id, key) in keys {
            match maps.by_id.get(&id.0) {
                None => new(id, key),
                Some(&n) if maps.key(n as usize) == key => {}
                Some(_) => other(id),
            }
        }
    }

    /// Adds a series unless it is known. A key that is none is ignored.
    pub fn insert(&self, def: &SeriesDef) {
        let key = def.key();
        self.insert_with_metric(id_of_key(&key), &key, def.labels.metric());
    }

    /// Adds a series by id and canonical key unless it is known. A key that is none is ignored.
    pub(crate) fn insert_key(&self, id: SeriesId, key: &[u8]) {
        if let Some(def) = def_of_key(key) {
            self.insert_with_metric(id, key, def.labels.metric());
        }
    }

    fn insert_with_metric(&self, id: SeriesId, key: &[u8], metric: &str) {
        let mut maps = self.maps.write();
        let maps = &mut *maps;
        let Ok(n) = u32::try_from(maps.ids.len()) else { return };
        if maps.by_id.contains_key(&id.0) {
            return;
        }
        maps.by_id.insert(id.0, n);
        maps.keys.extend_from_slice(key);
        maps.ends.push(maps.keys.len());
        maps.ids.push(id.0);
        let metric_n = match maps.by_metric.get_mut(metric) {
            Some((m, list)) => {
                list.push(n);
                *m
            }
            None => {
                let name: Arc<str> = Arc::from(metric);
                let m = maps.metrics.len() as u32;
                maps.metrics.push(Arc::clone(&name));
                maps.by_metric.insert(name, (m, vec![n]));
                m
            }
        };
        maps.metric_of.push(metric_n);
    }

    /// A series by id.
    pub fn get(&self, id: SeriesId) -> Option<SeriesDef> {
        let maps = self.maps.read();
        maps.by_id.get(&id.0).and_then(|n| def_of_key(maps.key(*n as usize)))
    }

    /// The metric of a series, by id.
    pub fn metric_of(&self, id: SeriesId) -> Option<Arc<str>> {
        let maps = self.maps.read();
        maps.by_id.get(&id.0).map(|n| Arc::clone(&maps.metrics[maps.metric_of[*n as usize] as usize]))
    }

    /// All metric names in order, each with its number of series.
    pub fn metrics(&self) -> Vec<(Arc<str>, usize)> {
        self.maps.read().by_metric.iter().map(|(name, (_, list))| (Arc::clone(name), list.len())).collect()
    }

    /// The series of a metric, in order of first sight.
    pub fn of_metric(&self, metric: &str) -> Vec<SeriesId> {
        let maps = self.maps.read();
        maps.by_metric
            .get(metric)
            .map_or_else(Vec::new, |(_, list)| list.iter().map(|n| SeriesId(maps.ids[*n as usize])).collect())
    }

    /// How many series a metric has.
    pub fn count_of(&self, metric: &str) -> usize {
        self.maps.read().by_metric.get(metric).map_or(0, |(_, list)| list.len())
    }

    /// The series of a metric with their definitions, in order of first sight.
    pub fn defs_of_metric(&self, metric: &str) -> Vec<(SeriesId, SeriesDef)> {
        let maps = self.maps.read();
        let Some((_, list)) = maps.by_metric.get(metric) else { return Vec::new() };
        list.iter()
            .filter_map(|n| Some((SeriesId(maps.ids[*n as usize]), def_of_key(maps.key(*n as usize))?)))
            .collect()
    }

    /// Calls `f` for every series in order of first sight. The index is locked for writers meanwhile.
    pub fn for_each(&self, mut f: impl FnMut(SeriesId, SeriesDef)) {
        let maps = self.maps.read();
        for n in 0..maps.ids.len() {
            if let Some(def) = def_of_key(maps.key(n)) {
                f(SeriesId(maps.ids[n]), def);
            }
        }
    }

    /// Calls `f` for every series of a metric with its canonical key ([`SeriesDef::key`]), in order of first sight. The index is locked
    /// for writers meanwhile.
    pub fn for_each_key_of(&self, metric: &str, mut f: impl FnMut(SeriesId, &[u8])) {
        self.for_each_position_of(metric, |_, id, key| f(id, key));
    }

    /// Calls `f` for every series of a metric with its position in the index and its canonical key, in order of first sight. The index
    /// is locked for writers meanwhile.
    pub fn for_each_position_of(&self, metric: &str, mut f: impl FnMut(u32, SeriesId, &[u8])) {
        let maps = self.maps.read();
        for n in maps.by_metric.get(metric).map_or(&[][..], |(_, list)| list.as_slice()) {
            f(*n, SeriesId(maps.ids[*n as usize]), maps.key(*n as usize));
        }
    }

    /// Calls `f` with the canonical keys of series, by their positions.
    pub fn for_each_key_at(&self, positions: impl IntoIterator<Item = u32>, mut f: impl FnMut(&[u8])) {
        let maps = self.maps.read();
        for n in positions.into_iter().filter(|n| (*n as usize) < maps.ids.len()) {
            f(maps.key(n as usize));
        }
    }

    /// How many series.
    pub fn len(&self) -> usize {
        self.maps.read().ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the index takes, about.
    pub fn bytes(&self) -> usize {
        let maps = self.maps.read();
        maps.ids.len() * SERIES_BYTES + maps.keys.len()
    }

    /// Bytes that a series of this key adds, about.
    pub fn bytes_of(key: &[u8]) -> usize {
        SERIES_BYTES + key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_model::Labels;

    #[test]
    fn series_are_found_by_id_and_metric() {
        let index = SeriesIndex::default();
        let defs: Vec<_> = (0..10)
            .map(|i| {
                SeriesDef::of_labels(Labels::of(&[
                    ("__name__", if i % 2 == 0 { "a" } else { "b" }),
                    ("i", &i.to_string()),
                ]))
            })
            .collect();
        for def in defs.iter().chain(&defs) {
            index.insert(def);
        }
        assert_eq!(index.len(), 10);
        assert_eq!(index.get(defs[3].id()).as_ref(), Some(&defs[3]));
        assert_eq!(index.of_metric("a").len(), 5);
        assert_eq!(index.metric_of(defs[3].id()).as_deref(), Some("b"));
        assert_eq!(index.lookup(defs[0].id(), &defs[0].key()), Known::Same);
        assert_eq!(index.lookup(defs[0].id(), &defs[1].key()), Known::Other);
        assert_eq!(index.lookup(SeriesId(1), b""), Known::New);
    }
}
