//! Where in a file the rows of each series are, and what is alike in all of them: their times and the form of their numbers.
//!
//! Files of samples are sorted by series, so the ids of a row group are a list of runs; read once, it tells every later query which rows to
//! decode, and spares it the columns that say so. Targets are scraped as a whole: the series of one have the same times, which are kept
//! once ([`Clock`]), and a series' numbers have one scale and one base ([`samples::restore`]). What is left to read of a sample is then one
//! column.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Weak};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use futures::StreamExt as _;
use grid_model::Table;
use grid_model::table::samples::{self, BASE, SCALE, SERIES_ID, TIME};
use grid_store::FileEntry;
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;

use super::Source;
use super::files::ReadOptions;
use crate::limits::{CLOCKS_BYTES, SERIES_ROWS_CACHE_BYTES};

/// Times of the rows of a run, in milliseconds.
pub(crate) type Clock = Vec<i64>;

/// The series of one row group in the order of its rows.
#[derive(Debug)]
pub(crate) struct SeriesRows {
    /// Each series once per run; several runs of one series follow each other where the form of its numbers changes.
    pub ids: Vec<u64>,
    /// One past the last row of each run; the first begins at 0.
    pub ends: Vec<u32>,
    /// What is alike in each run; `None` where too little is.
    pub numbers: Option<Numbers>,
}

/// How the numbers of a run rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// All as whole numbers: add the base, apply the scale.
    Decimal { base: i64, scale: f64 },
    /// Some so, some as they are.
    Mixed { base: i64, scale: f64 },
    /// All as they are.
    Plain,
}

/// Times and forms of runs.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    clocks: Vec<Arc<Clock>>,
    /// Which of them, by run.
    clock_of: Vec<u16>,
    scales: Vec<f64>,
    /// [`PLAIN`], or which of the scales, with [`MIXED`] if only some numbers are decimals.
    form_of: Vec<u8>,
    /// By run; empty if all are 0.
    bases: Vec<i64>,
}

const PLAIN: u8 = 0x7f;
const MIXED: u8 = 0x80;

impl Numbers {
    /// The times of a run and the form of its numbers.
    #[inline]
    pub(crate) fn of(&self, run: usize) -> Option<(&Arc<Clock>, Form)> {
        let clock = self.clocks.get(usize::from(*self.clock_of.get(run)?))?;
        let form = *self.form_of.get(run)?;
        if form == PLAIN {
            return Some((clock, Form::Plain));
        }
        let (scale, base) = (*self.scales.get(usize::from(form & PLAIN))?, self.bases.get(run).copied().unwrap_or(0));
        Some((clock, if form < MIXED { Form::Decimal { base, scale } } else { Form::Mixed { base, scale } }))
    }

    fn push(&mut self, clock: &Arc<Clock>, form: Form) -> Option<()> {
        // Mostly the clock of the run before, or of one of few targets.
        let known = self.clocks.iter().rposition(|c| Arc::ptr_eq(c, clock));
        let at = known.unwrap_or_else(|| {
            self.clocks.push(Arc::clone(clock));
            self.clocks.len() - 1
        });
        self.clock_of.push(u16::try_from(at).ok()?);
        let (base, scale, mixed) = match form {
            Form::Plain => {
                self.form_of.push(PLAIN);
                (0, None, 0)
            }
            Form::Decimal { base, scale } => (base, Some(scale), 0),
            Form::Mixed { base, scale } => (base, Some(scale), MIXED),
        };
        if let Some(scale) = scale {
            let at = self.scales.iter().position(|s| s.to_bits() == scale.to_bits()).unwrap_or_else(|| {
                self.scales.push(scale);
                self.scales.len() - 1
            });
            self.form_of.push(u8::try_from(at).ok().filter(|at| *at < PLAIN)? | mixed);
        }
        if base != 0 || !self.bases.is_empty() {
            self.bases.resize(self.form_of.len() - 1, 0);
            self.bases.push(base);
        }
        Some(())
    }

    fn bytes(&self) -> usize {
        self.clocks.len() * 8 + self.clock_of.len() * 3 + (self.scales.len() + self.bases.len()) * 8
    }
}

/// Rows of a row group as they are read to find its runs.
#[derive(Debug, Default)]
struct Rows {
    ids: Vec<u64>,
    /// Nanoseconds.
    times: Vec<i64>,
    /// NaN where a number is no decimal.
    scales: Vec<f64>,
    /// 0 where there is none.
    bases: Vec<i64>,
}

impl Rows {
    /// The columns in which they are read.
    const COLUMNS: [&'static str; 4] = [SERIES_ID, TIME, BASE, SCALE];

    fn extend(&mut self, batch: &RecordBatch) -> Option<()> {
        self.ids.extend_from_slice(batch.column(0).as_primitive_opt::<UInt64Type>()?.values());
        self.times.extend_from_slice(batch.column(1).as_primitive_opt::<TimestampNanosecondType>()?.values());
        let bases = batch.column(2).as_primitive_opt::<Int64Type>()?;
        let scales = batch.column(3).as_primitive_opt::<Float64Type>()?;
        match scales.null_count() {
            0 => self.scales.extend_from_slice(scales.values()),
            _ => self.scales.extend(scales.iter().map(|s| s.unwrap_or(f64::NAN))),
        }
        match bases.null_count() {
            0 => self.bases.extend_from_slice(bases.values()),
            _ => self.bases.extend(bases.iter().map(|b| b.unwrap_or(0))),
        }
        Some(())
    }

    /// Takes the first rows away.
    fn take(&mut self, rows: usize) -> Self {
        Self {
            ids: self.ids.drain(..rows).collect(),
            times: self.times.drain(..rows).collect(),
            scales: self.scales.drain(..rows).collect(),
            bases: self.bases.drain(..rows).collect(),
        }
    }
}

const MILLISECOND: i64 = 1_000_000;

impl SeriesRows {
    fn of(rows: &Rows, clocks: &Mutex<Clocks>) -> Self {
        let mut this = Self { ids: Vec::new(), ends: Vec::new(), numbers: Some(Numbers::default()) };
        // A time within a millisecond is not one to PromQL: such rows are read with their times.
        if rows.times.iter().any(|t| t % MILLISECOND != 0) {
            this.numbers = None;
        }
        let mut clock: Arc<Clock> = Arc::default();
        let mut start = 0;
        while let Some(id) = rows.ids.get(start) {
            let (form, end) = match &this.numbers {
                Some(_) => rows.run(start),
                None => (Form::Plain, start + rows.ids[start..].iter().take_while(|other| *other == id).count()),
            };
            if let Some(numbers) = &mut this.numbers {
                let times = &rows.times[start..end];
                let same = clock.len() == times.len() && clock.iter().zip(times).all(|(c, t)| c * MILLISECOND == *t);
                let known = if same { Some(clock) } else { clocks.lock().intern(times) };
                if known.as_ref().and_then(|known| numbers.push(known, form)).is_none() {
                    // Too many times, or too many scales, to be worth it. Runs so far may be cut, which does no harm.
                    this.numbers = None;
                }
                clock = known.unwrap_or_default();
            }
            this.ids.push(*id);
            this.ends.push(end as u32);
            start = end;
        }
        this.ids.shrink_to_fit();
        this.ends.shrink_to_fit();
        this
    }

    fn bytes(&self) -> usize {
        self.ids.len() * 12 + self.numbers.as_ref().map_or(0, Numbers::bytes) + 320
    }
}

impl Rows {
    /// The run that begins at a row: rows of one series with one base and scale. Where it ends, and the form of its numbers.
    fn run(&self, start: usize) -> (Form, usize) {
        let id = self.ids[start];
        let (mut of, mut others, mut end) = (None, false, start);
        while self.ids.get(end) == Some(&id) {
            let (scale, base) = (self.scales[end], self.bases[end]);
            match of {
                _ if scale.is_nan() => others = true,
                None => of = Some((scale, base)),
                Some((s, b)) if s.to_bits() == scale.to_bits() && b == base => {}
                Some(_) => break,
            }
            end += 1;
        }
        let form = match of {
            None => Form::Plain,
            Some((scale, base)) if others => Form::Mixed { base, scale },
            Some((scale, base)) => Form::Decimal { base, scale },
        };
        (form, end)
    }
}

/// All clocks that are in use, each once.
#[derive(Debug, Default)]
struct Clocks {
    by_hash: HashMap<u64, Vec<Weak<Clock>>>,
    hasher: RandomState,
    /// Of those in use, at most; counted anew when it is too much.
    bytes: usize,
}

impl Clocks {
    /// The clock of some times in nanoseconds; `None` if there are too many already.
    fn intern(&mut self, times: &[i64]) -> Option<Arc<Clock>> {
        let clock: Clock = times.iter().map(|t| t / MILLISECOND).collect();
        let hash = self.hasher.hash_one(&clock);
        let known = self.by_hash.get(&hash).into_iter().flatten().filter_map(Weak::upgrade);
        if let Some(known) = known.into_iter().find(|known| **known == clock) {
            return Some(known);
        }
        let bytes = |clock: &Clock| clock.len() * 8 + 128;
        if self.bytes + bytes(&clock) > CLOCKS_BYTES {
            self.by_hash.values_mut().for_each(|of| of.retain(|c| c.strong_count() > 0));
            self.by_hash.retain(|_, of| !of.is_empty());
            let used = self.by_hash.values().flatten().filter_map(Weak::upgrade);
            self.bytes = used.map(|c| bytes(&c)).sum();
            if self.bytes + bytes(&clock) > CLOCKS_BYTES {
                return None;
            }
        }
        self.bytes += bytes(&clock);
        let clock = Arc::new(clock);
        self.by_hash.entry(hash).or_default().push(Arc::downgrade(&clock));
        Some(clock)
    }
}

/// A file and a row group of it.
type Key = (Arc<str>, usize);

/// What was read of row groups, at most [`SERIES_ROWS_CACHE_BYTES`] and [`CLOCKS_BYTES`] of times: two generations, of which the older goes
/// when the younger is full.
#[derive(Debug, Default)]
pub(crate) struct SeriesRowsCache {
    generations: Mutex<Generations>,
    clocks: Mutex<Clocks>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<SeriesRows>>,
    old: HashMap<Key, Arc<SeriesRows>>,
    young_bytes: usize,
}

impl SeriesRowsCache {
    fn get(&self, key: &Key) -> Option<Arc<SeriesRows>> {
        let mut all = self.generations.lock();
        if let Some(rows) = all.young.get(key) {
            return Some(Arc::clone(rows));
        }
        let rows = all.old.remove(key)?;
        all.put(key.clone(), Arc::clone(&rows));
        Some(rows)
    }

    fn put(&self, key: Key, rows: Arc<SeriesRows>) {
        self.generations.lock().put(key, rows);
    }
}

impl Generations {
    fn put(&mut self, key: Key, rows: Arc<SeriesRows>) {
        let bytes = rows.bytes() + key.0.len();
        if self.young_bytes + bytes > SERIES_ROWS_CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, rows).is_none() {
            self.young_bytes += bytes;
        }
    }
}

impl Source {
    /// The series of some row groups of a file of samples, in the order of `groups`, which ascend.
    pub(crate) async fn series_rows(
        &self,
        state: &dyn Session,
        file: &FileEntry,
        metadata: &ParquetMetaData,
        groups: &[usize],
    ) -> Result<Vec<Arc<SeriesRows>>> {
        let path: Arc<str> = Arc::from(file.path.as_str());
        let mut found: Vec<Option<Arc<SeriesRows>>> =
            groups.iter().map(|group| self.series_rows.get(&(Arc::clone(&path), *group))).collect();
        let missing: Vec<usize> = groups.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(g, _)| *g).collect();
        let mut read = self.read_series_rows(state, file, metadata, &missing).await?.into_iter();
        for (group, slot) in groups.iter().zip(&mut found) {
            if slot.is_none()
                && let Some(rows) = read.next()
            {
                self.series_rows.put((Arc::clone(&path), *group), Arc::clone(&rows));
                *slot = Some(rows);
            }
        }
        found.into_iter().map(|f| f.ok_or_else(|| internal_datafusion_err!("{path} lacks a row group"))).collect()
    }

    async fn read_series_rows(
        &self,
        state: &dyn Session,
        file: &FileEntry,
        metadata: &ParquetMetaData,
        groups: &[usize],
    ) -> Result<Vec<Arc<SeriesRows>>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut access = ParquetAccessPlan::new_none(metadata.num_row_groups());
        groups.iter().for_each(|group| access.scan(*group));
        let schema = samples::file_schema();
        let part = self.partitioned(Table::Samples, &schema, file, false).with_extension(access);
        let columns = Rows::COLUMNS.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let files = vec![FileGroup::new(vec![part])];
        let plan = self.read_files(state, schema, files, &columns, ReadOptions::default())?;
        let mut batches = plan.execute(0, state.task_ctx())?;
        let mut rows = Rows::default();
        let mut out = Vec::with_capacity(groups.len());
        let mut rows_of = groups.iter().map(|group| metadata.row_group(*group).num_rows() as usize);
        let mut wanted = rows_of.next();
        while let Some(batch) = batches.next().await {
            if rows.extend(&batch?).is_none() {
                return internal_err!("{} has columns of another type", file.path);
            }
            while let Some(n) = wanted.filter(|n| rows.ids.len() >= *n) {
                out.push(Arc::new(SeriesRows::of(&rows.take(n), &self.series_rows.clocks)));
                wanted = rows_of.next();
            }
        }
        if wanted.is_some() {
            return internal_err!("{} has fewer rows than its footer says", file.path);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of series, time in milliseconds, scale and base.
    fn rows(all: &[(u64, i64, f64, i64)]) -> Rows {
        Rows {
            ids: all.iter().map(|r| r.0).collect(),
            times: all.iter().map(|r| r.1 * MILLISECOND).collect(),
            scales: all.iter().map(|r| r.2).collect(),
            bases: all.iter().map(|r| r.3).collect(),
        }
    }

    #[test]
    fn runs_share_their_times_and_know_their_form() {
        let clocks = Mutex::new(Clocks::default());
        let none = f64::NAN;
        let of = rows(&[
            (7, 10, 1.0, 5),
            (7, 20, 1.0, 5),
            (9, 10, none, 0),
            (9, 20, none, 0),
            (8, 10, none, 0),
            (8, 20, -4.0, 2),
            (8, 30, 100.0, 2),
            (8, 40, 100.0, 3),
        ]);
        let found = SeriesRows::of(&of, &clocks);
        assert_eq!((found.ids.as_slice(), found.ends.as_slice()), (&[7, 9, 8, 8, 8][..], &[2, 4, 6, 7, 8][..]));
        let numbers = found.numbers.unwrap();
        let runs: Vec<_> = (0..5).map(|run| numbers.of(run).map(|(c, f)| (c.as_slice(), f)).unwrap()).collect();
        let wanted: [(&[i64], Form); 5] = [
            (&[10, 20], Form::Decimal { base: 5, scale: 1.0 }),
            (&[10, 20], Form::Plain),
            (&[10, 20], Form::Mixed { base: 2, scale: -4.0 }),
            (&[30], Form::Decimal { base: 2, scale: 100.0 }),
            (&[40], Form::Decimal { base: 3, scale: 100.0 }),
        ];
        assert_eq!(runs, wanted);
        assert_eq!(numbers.clocks.len(), 3);
        let again = SeriesRows::of(&of, &clocks).numbers.unwrap();
        assert!(Arc::ptr_eq(&numbers.clocks[2], &again.clocks[2]));
        assert!(SeriesRows::of(&Rows::default(), &clocks).ids.is_empty());
    }

    #[test]
    fn what_does_not_repeat_is_not_remembered() {
        let clocks = Mutex::new(Clocks::default());
        let mut odd = rows(&[(1, 1, 1.0, 0), (1, 2, 10.0, 0), (2, 1, 1.0, 0)]);
        odd.times[2] += 1;
        let found = SeriesRows::of(&odd, &clocks);
        assert_eq!((found.ids.as_slice(), found.ends.as_slice()), (&[1, 2][..], &[2, 3][..]));
        assert!(found.numbers.is_none());

        let long = CLOCKS_BYTES / 8 / 4;
        let of = |first: i64| (0..long as i64).map(|t| (first + t) * MILLISECOND).collect::<Vec<_>>();
        let kept: Vec<_> = (0..3).map(|n| clocks.lock().intern(&of(n))).collect();
        assert!(kept.iter().all(Option::is_some));
        assert!(clocks.lock().intern(&of(3)).is_none());
        assert!(clocks.lock().intern(&of(2)).is_some());
        drop(kept);
        assert!(clocks.lock().intern(&of(3)).is_some());
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let cache = SeriesRowsCache::default();
        let of = |n: usize| {
            let rows: Vec<_> = (0..n as u64).map(|id| (id * 2, 5, 1.0, 0)).collect();
            Arc::new(SeriesRows::of(&rows_of(&rows), &cache.clocks))
        };
        fn rows_of(all: &[(u64, i64, f64, i64)]) -> Rows {
            rows(all)
        }
        let key = |n: usize| (Arc::from("f"), n);
        let large = SERIES_ROWS_CACHE_BYTES / 15 / 8;
        cache.put(key(0), of(3));
        let many = of(large);
        for n in 1..40 {
            cache.put(key(n), Arc::clone(&many));
            assert!(cache.get(&key(0)).is_some(), "{n}");
        }
        let all = cache.generations.lock();
        let bytes: usize = all.young.values().chain(all.old.values()).map(|r| r.bytes()).sum();
        assert!(bytes <= SERIES_ROWS_CACHE_BYTES, "{bytes}");
    }
}
