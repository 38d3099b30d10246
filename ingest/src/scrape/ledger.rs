//! What a scraper remembers of a target: under which key each exposed series is stored, and which series are alive. From a
//! page it makes the rows to write, stale markers of what is gone among them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::compute::filter_record_batch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, TimestampNanosecondArray, UInt64Array};
use grid_decode::exposition::Page;
use grid_decode::{Decoded, Limits, canonical_key};
use grid_model::histogram::{STALE_NAN_BITS, is_stale};
use grid_model::series::{id_of_key, label_pairs_of_key};
use grid_model::table::{exemplars, samples};
use grid_model::{SeriesId, Table, Timestamp, Write};
use grid_scrape_config::{LabelMap, ScrapeConfig, sample_labels};

/// The series that a scrape writes about itself, in the order of [`Report::values`].
const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// How many series may be known beyond those of good pages, besides as many again.
const KNOWN_FREE: usize = 1000;

/// A series' key, shared between memory and rows.
type Key = Arc<[u8]>;

/// What is known of one target.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By the id of the series as exposed: the key under which it is stored; `None` = dropped by relabelling. 64-bit ids stand for
    /// the exposed labels: two exposed series of one id would be one target's attack on itself.
    known: HashMap<SeriesId, Known>,
    /// Series of the last good scrape that get a stale marker when they are gone.
    alive: HashMap<SeriesId, Key>,
    reports: Option<[Key; REPORTS.len()]>,
    scrape: u64,
}

#[derive(Debug)]
struct Known {
    stored: Option<(SeriesId, Key)>,
    /// The last scrape that had it.
    scrape: u64,
}

/// What a scrape says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Report {
    /// Whether it was good.
    pub(super) up: bool,
    /// How long it took.
    pub(super) duration: Duration,
    /// Samples on the page.
    pub(super) scraped: usize,
    /// Samples that relabelling left.
    pub(super) kept: usize,
    /// Series that were not on the page before.
    pub(super) added: usize,
}

impl Report {
    fn values(&self) -> [f64; REPORTS.len()] {
        let up = f64::from(u8::from(self.up));
        [up, self.duration.as_secs_f64(), self.scraped as f64, self.kept as f64, self.added as f64]
    }
}

/// How the pages of one target are to be taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) job: &'a ScrapeConfig,
    pub(super) target: &'a LabelMap,
    pub(super) limits: &'a Limits,
    /// The time of the scrape.
    pub(super) time: Timestamp,
}

/// Rows that grow.
#[derive(Default)]
struct Rows {
    write: Write,
    samples: samples::SamplesBuilder,
}

impl Rows {
    fn add(&mut self, key: &[u8]) -> Result<SeriesId, String> {
        self.write.series.add_key(key).ok_or_else(|| "two series collide in their 64-bit id".to_owned())
    }

    fn push(&mut self, key: &[u8], time: Timestamp, value: f64) {
        // Keys that collide were refused when their samples came.
        if let Ok(id) = self.add(key) {
            self.samples.push_float(id, time, None, value);
        }
    }

    fn finish(mut self) -> Write {
        self.write.push(Table::Samples, self.samples.finish());
        self.write
    }
}

impl Ledger {
    /// Takes a page. An error, which is a sentence, fails the scrape: call [`Ledger::take_failure`] then. The report says what was
    /// read in both cases.
    pub(super) fn take_page(&mut self, page: Page, rules: Rules<'_>, report: &mut Report) -> Result<Decoded, String> {
        self.scrape += 1;
        let is_empty = page.scraped == 0 && page.malformed.is_none();
        let known_before = self.known.len();
        report.scraped = usize::try_from(page.scraped).unwrap_or(usize::MAX);
        let malformed = page.malformed.map(|m| format!("{} at line or message {}", m.reason, m.position));
        let mut taken = self.take_rows(page.decoded, rules, report);
        if let Some(malformed) = malformed {
            taken = Err(malformed);
        }
        let scrape = self.scrape;
        // Series that a failing or empty page lacks may come back; but failing pages must not fill the memory.
        if (taken.is_ok() && !is_empty) || self.known.len() > 2 * known_before + KNOWN_FREE {
            self.known.retain(|_, known| known.scrape == scrape);
        }
        let (mut rows, alive, decoded) = taken?;
        for (id, key) in self.alive.iter().filter(|(id, _)| !alive.contains_key(*id)) {
            debug_assert_eq!(*id, id_of_key(key));
            rows.push(key, rules.time, f64::from_bits(STALE_NAN_BITS));
        }
        self.alive = alive;
        Ok(Decoded { write: rows.finish(), ..decoded })
    }

    /// The rows of a page as they are stored, the series that are alive by it, and what was decoded without its rows.
    fn take_rows(
        &mut self,
        mut decoded: Decoded,
        rules: Rules<'_>,
        report: &mut Report,
    ) -> Result<(Rows, HashMap<SeriesId, Key>, Decoded), String> {
        let write = std::mem::take(&mut decoded.write);
        for (id, key) in write.series.iter() {
            if let Some(known) = self.known.get_mut(&id) {
                known.scrape = self.scrape;
                continue;
            }
            let exposed = label_pairs_of_key(key).unwrap_or_default();
            let labels =
                sample_labels::mutate(&exposed, rules.target, rules.job.honor_labels, &rules.job.metric_relabel);
            let mut stored = None;
            if let Some(labels) = labels {
                sample_labels::check(&labels, rules.job.validation, &rules.job.limits)?;
                // What only Grid's own bounds refuse costs the series, not the page.
                match canonical_key(labels.iter(), rules.limits) {
                    Ok(key) => stored = Some((id_of_key(&key), Key::from(key))),
                    Err(reason) => decoded.rejects.push(0, reason),
                }
            }
            report.added += usize::from(stored.is_some());
            self.known.insert(id, Known { stored, scrape: self.scrape });
        }
        let mut page =
            Taking { ledger: self, rules, rows: Rows::default(), alive: HashMap::new(), seen: HashSet::new(), kept: 0 };
        let mut batches = Vec::new();
        for (table, batch) in write.batches {
            let batch = match table {
                Table::Samples => page.take_samples(&batch)?,
                Table::Exemplars => page.take_exemplars(&batch)?,
                _ => batch,
            };
            batches.push((table, batch));
        }
        let Taking { mut rows, alive, seen, kept, .. } = page;
        report.kept = kept;
        decoded.counts.samples = decoded.counts.samples.saturating_sub((report.scraped.saturating_sub(kept)) as u64);
        let max = rules.job.limits.samples;
        if max > 0 && kept > max {
            return Err(format!("the page has {kept} samples, more than sample_limit {max} allows"));
        }
        for _ in seen.len()..kept {
            decoded.rejects.push(0, "a sample of the same series and time came before on the page");
        }
        batches.into_iter().for_each(|(table, batch)| rows.write.push(table, batch));
        Ok((rows, alive, decoded))
    }

    /// The rows of a scrape that failed: everything that was alive is stale.
    pub(super) fn take_failure(&mut self, time: Timestamp) -> Write {
        let mut rows = Rows::default();
        for key in std::mem::take(&mut self.alive).values() {
            rows.push(key, time, f64::from_bits(STALE_NAN_BITS));
        }
        rows.finish()
    }

    /// Adds what the scrape says about itself.
    pub(super) fn report(
        &mut self,
        report: &Report,
        target: &LabelMap,
        limits: &Limits,
        time: Timestamp,
        write: Write,
    ) -> Write {
        let mut rows = Rows { write, ..Rows::default() };
        let keys = self.report_keys(target, limits);
        for (key, value) in keys.iter().zip(report.values()) {
            rows.push(key, time, value);
        }
        rows.finish()
    }

    /// The rows of a target's end: stale markers for all its series and for those about its scrapes.
    pub(super) fn end(mut self, target: &LabelMap, limits: &Limits, time: Timestamp) -> Write {
        let was_scraped = self.reports.is_some();
        let write = self.take_failure(time);
        let mut rows = Rows { write, ..Rows::default() };
        if was_scraped {
            for key in self.report_keys(target, limits) {
                rows.push(&key, time, f64::from_bits(STALE_NAN_BITS));
            }
        }
        rows.finish()
    }

    /// Forgets how series are stored, as after a change of rules; what is alive stays so.
    pub(super) fn forget_rules(&mut self) {
        self.known.clear();
    }

    fn report_keys(&mut self, target: &LabelMap, limits: &Limits) -> [Key; REPORTS.len()] {
        let make = || {
            REPORTS.map(|metric| {
                let labels = sample_labels::report(metric, target);
                Key::from(canonical_key(labels.iter(), limits).unwrap_or_default())
            })
        };
        self.reports.get_or_insert_with(make).clone()
    }

    fn stored(&self, id: u64) -> Option<&(SeriesId, Key)> {
        self.known.get(&SeriesId(id)).and_then(|known| known.stored.as_ref())
    }
}

/// A page under way.
struct Taking<'a> {
    ledger: &'a Ledger,
    rules: Rules<'a>,
    rows: Rows,
    alive: HashMap<SeriesId, Key>,
    /// Samples by series and time.
    seen: HashSet<(SeriesId, i64)>,
    /// Samples that relabelling left.
    kept: usize,
}

impl Taking<'_> {
    fn take_samples(&mut self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let job = self.rules.job;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column {name}"));
        let ids = column(samples::SERIES_ID)?.as_primitive::<UInt64Type>();
        let times = column(samples::TIME)?.as_primitive::<TimestampNanosecondType>();
        let values = column(samples::VALUE)?.as_primitive::<Float64Type>();
        let (mut new_ids, mut new_times) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        let mut wanted = Vec::with_capacity(ids.len());
        for row in 0..ids.len() {
            let now = self.rules.time.nanos();
            let time = if job.honor_timestamps { times.value(row) } else { now };
            new_times.push(time);
            let Some((id, key)) = self.ledger.stored(ids.value(row)) else {
                new_ids.push(0);
                wanted.push(false);
                continue;
            };
            self.kept += 1;
            new_ids.push(id.0);
            wanted.push(self.seen.insert((*id, time)));
            self.rows.add(key)?;
            // A target that says its own times, or that a series is stale, knows better.
            let is_stale = values.is_valid(row) && is_stale(values.value(row));
            if !is_stale && (time == now || job.track_timestamps_staleness) {
                self.alive.insert(*id, Arc::clone(key));
            }
        }
        let times = TimestampNanosecondArray::from(new_times).with_data_type(times.data_type().clone());
        let columns: [(&str, ArrayRef); 2] =
            [(samples::SERIES_ID, Arc::new(UInt64Array::from(new_ids))), (samples::TIME, Arc::new(times))];
        replaced(batch, &columns, &BooleanArray::from(wanted))
    }

    fn take_exemplars(&mut self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let ids = batch.column_by_name(exemplars::SERIES_ID).ok_or("no column series_id")?;
        let ids = ids.as_primitive::<UInt64Type>();
        let stored: Vec<_> = ids.values().iter().map(|id| self.ledger.stored(*id)).collect();
        for (_, key) in stored.iter().flatten() {
            self.rows.add(key)?;
        }
        let wanted: BooleanArray = stored.iter().map(|s| Some(s.is_some())).collect();
        let new: UInt64Array = stored.iter().map(|s| Some(s.map_or(0, |(id, _)| id.0))).collect();
        replaced(batch, &[(exemplars::SERIES_ID, Arc::new(new))], &wanted)
    }
}

/// The batch with other columns of the same types, and without the rows that are not wanted.
pub(crate) fn replaced(
    batch: &RecordBatch,
    new: &[(&str, ArrayRef)],
    wanted: &BooleanArray,
) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    for (name, column) in new {
        let at = batch.schema_ref().index_of(name).map_err(|e| e.to_string())?;
        columns[at] = Arc::clone(column);
    }
    let batch = RecordBatch::try_new(batch.schema(), columns).map_err(|e| e.to_string())?;
    if wanted.true_count() == wanted.len() {
        return Ok(batch);
    }
    filter_record_batch(&batch, wanted).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
