//! Each selector of a query becomes a scan of its chosen series: stock Parquet scans of the files of one snapshot and the rows of the
//! buffer, merged to series ([`super::merge`]), in as many parts as there are threads.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType, UInt64Type};
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal, in_list};
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::ExecutionPlan;
use grid_model::table::column::UTC;
use grid_model::table::samples::{self, HISTOGRAM, METRIC, SERIES_ID, TIME};
use grid_model::{Table, TimeRange, Timestamp};
use grid_promql::samples::Leaf;

use super::choose::Chosen;
use super::merge::{SeriesMajorExec, input_columns};
use crate::limits::{BATCH_ROWS, SERIES_IN_PREDICATE_MAX};
use crate::table::Source;
use crate::table::files::{ReadOptions, conform, memory};
use crate::table::prune;
use crate::table::series_exec::ById;

/// Series of one part: fewer are not worth a thread of their own.
const SERIES_PER_PART_MIN: usize = 64;
/// Metrics that are named one by one to the Parquet reader; of more only the first and the last.
const METRICS_IN_PREDICATE_MAX: usize = 64;

/// What a selector reads.
#[derive(Debug, Clone)]
pub(super) struct LeafScan {
    /// Its series.
    pub chosen: Arc<Chosen>,
    /// Plans that can run side by side, each over some of the series, in order.
    pub parts: Vec<Arc<dyn ExecutionPlan>>,
}

/// What of a sample is wanted beside its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Start times.
    pub starts: bool,
    /// Of histograms, samples of so many milliseconds before the leaf's.
    pub before: i64,
}

/// The times of a leaf, in the store's unit.
fn range_of(leaf: &Leaf) -> TimeRange {
    let ns = |ms: i64| Timestamp(ms.saturating_mul(1_000_000));
    // Within a millisecond all times are that millisecond.
    TimeRange { start: ns(leaf.after.saturating_add(1)), end: ns(leaf.until.saturating_add(1)) }
}

/// Plans the scan of one selector.
pub(super) async fn scan(source: &Arc<Source>, state: &dyn Session, leaf: &Leaf, wanted: Wanted) -> Result<LeafScan> {
    let index = source.snapshot.series();
    let chosen = Arc::new(Chosen::of(&index, &leaf.matchers));
    let mut scan = LeafScan { chosen: Arc::clone(&chosen), parts: Vec::new() };
    if chosen.is_empty() {
        return Ok(scan);
    }
    let schema = samples::file_schema();
    let buffered = source.snapshot.buffered(Table::Samples);
    let in_range = |range: TimeRange| {
        prune::files(Table::Samples, source.snapshot.files(Table::Samples), range, None, Arc::clone(&schema))
    };
    let mut range = range_of(leaf);
    let mut files = in_range(range)?;
    let mut rows = BufferRows::of(buffered, &chosen.ranks, chosen.series.len(), range);
    let histograms = rows.histograms || any_histograms(source, state, &files, &chosen).await?;
    if histograms {
        // Whether a histogram comes after a counter reset is said by the one before it; the reader drops that.
        range.start = Timestamp(range.start.0.saturating_sub(wanted.before.saturating_mul(1_000_000)));
        files = in_range(range)?;
        rows = BufferRows::of(buffered, &chosen.ranks, chosen.series.len(), range);
    }
    let columns = input_columns(wanted.starts, histograms);
    let at = columns.iter().map(|c| schema.index_of(c)).collect::<Result<Vec<_>, _>>()?;
    let read = Arc::new(schema.project(&at)?);
    let ranks = Arc::new(chosen.ranks.clone());
    let threads = state.config().target_partitions().max(1);
    // Two series with the same labels must meet, so they are read by one.
    let parts = if chosen.alike.is_empty() { (chosen.series.len() / SERIES_PER_PART_MIN).clamp(1, threads) } else { 1 };
    for part in 0..parts {
        let cut = |n: usize| (chosen.series.len() * n / parts) as u32;
        let within = (cut(part), cut(part + 1));
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(files.len() + 1);
        let (predicate, late) = condition(&chosen, within, range, &schema)?;
        for file in &files {
            let options = ReadOptions { late, predicate: Some(Arc::clone(&predicate)), ordering: None };
            inputs.push(source.read_sample_file(state, file, &at, options)?);
        }
        let buffered = rows.batches(within, &read)?;
        if !buffered.is_empty() {
            inputs.push(memory(buffered, Arc::clone(&read), 1)?);
        }
        if !inputs.is_empty() {
            scan.parts.push(Arc::new(SeriesMajorExec::new(inputs, Arc::clone(&ranks), within, range)?));
        }
    }
    Ok(scan)
}

/// What is known of the chosen series as a condition on the columns of files, and whether rows are to be chosen by it while
/// decoding.
fn condition(
    chosen: &Chosen,
    within: (u32, u32),
    range: TimeRange,
    schema: &SchemaRef,
) -> Result<(Arc<dyn PhysicalExpr>, bool)> {
    let column = |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, schema)?)) };
    let literal = |value: ScalarValue| -> Arc<dyn PhysicalExpr> { Arc::new(Literal::new(value)) };
    let compare = |name: &str, op, value| -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(BinaryExpr::new(column(name)?, op, literal(value))))
    };
    let text = |t: &str| ScalarValue::Utf8(Some(t.to_owned()));
    let time = |t: Timestamp| ScalarValue::TimestampNanosecond(Some(t.0), Some(UTC.into()));
    let metrics = chosen.metrics_of(within.0, within.1);
    let mut all = Vec::new();
    match metrics {
        [(only, _)] => {
            all.push(compare(METRIC, Operator::Eq, text(only))?);
            let ids = &chosen.series[within.0 as usize..within.1 as usize];
            if let (Some((first, _)), Some((last, _))) = (ids.first(), ids.last()) {
                all.push(compare(SERIES_ID, Operator::GtEq, ScalarValue::UInt64(Some(first.0)))?);
                all.push(compare(SERIES_ID, Operator::LtEq, ScalarValue::UInt64(Some(last.0)))?);
            }
        }
        [(first, _), .., (last, _)] => {
            all.push(compare(METRIC, Operator::GtEq, text(first))?);
            all.push(compare(METRIC, Operator::LtEq, text(last))?);
            if metrics.len() <= METRICS_IN_PREDICATE_MAX {
                let names = metrics.iter().map(|(m, _)| literal(text(m))).collect();
                all.push(in_list(column(METRIC)?, names, &false, schema)?);
            }
        }
        [] => {}
    }
    let n = (within.1 - within.0) as usize;
    let few = n <= SERIES_IN_PREDICATE_MAX && chosen.series.len() * 4 < chosen.of;
    if few {
        let ids = chosen.series[within.0 as usize..within.1 as usize].iter();
        let ids = ids.map(|(id, _)| literal(ScalarValue::UInt64(Some(id.0)))).collect();
        all.push(in_list(column(SERIES_ID)?, ids, &false, schema)?);
    }
    all.push(compare(TIME, Operator::GtEq, time(range.start))?);
    all.push(compare(TIME, Operator::Lt, time(range.end))?);
    Ok((conjunction(all), few))
}

/// Whether any file may hold histograms of the chosen metrics, by what footers say of row groups.
async fn any_histograms(
    source: &Source,
    state: &dyn Session,
    files: &[Arc<grid_store::FileEntry>],
    chosen: &Chosen,
) -> Result<bool> {
    let (Some((first, _)), Some((last, _))) = (chosen.metrics.first(), chosen.metrics.last()) else { return Ok(false) };
    for file in files {
        let metadata = source.file_metadata(state, file).await?;
        let columns = metadata.file_metadata().schema_descr();
        // Any column within the histogram tells: all are null where it is.
        let position = |path: &str| (0..columns.num_columns()).find(|i| columns.column(*i).path().string() == path);
        let Some(count) = position(&format!("{HISTOGRAM}.kind")) else { continue };
        let metric = position(METRIC);
        for group in metadata.row_groups() {
            let nulls = group.column(count).statistics().and_then(|s| s.null_count_opt());
            if nulls == u64::try_from(group.num_rows()).ok() {
                continue;
            }
            let statistics = metric.and_then(|i| group.column(i).statistics());
            let bounds = statistics.and_then(|s| Some((s.min_bytes_opt()?, s.max_bytes_opt()?)));
            match bounds {
                Some((low, high)) if last.as_bytes() < low || first.as_bytes() > high => {}
                _ => return Ok(true),
            }
        }
    }
    Ok(false)
}

/// The buffer's rows of the chosen series, put in order by counting: rows of one series stand in the order of their writes.
struct BufferRows<'a> {
    batches: &'a [RecordBatch],
    /// Batch and row, by rank, each series' rows by time, each time once.
    rows: Vec<(u32, u32)>,
    /// Where each rank's rows end.
    ends: Vec<usize>,
    histograms: bool,
}

impl<'a> BufferRows<'a> {
    fn of(batches: &'a [RecordBatch], ranks: &ById<u32>, series: usize, range: TimeRange) -> Self {
        let mut found: Vec<(u32, i64, u32, u32)> = Vec::new();
        let mut counts = vec![0_usize; series];
        let mut histograms = false;
        for (n, batch) in batches.iter().enumerate() {
            let Some((ids, times)) = keys(batch) else { continue };
            let mut any = false;
            for (row, (id, time)) in ids.iter().zip(times).enumerate() {
                if *time < range.start.0 || *time >= range.end.0 {
                    continue;
                }
                if let Some(rank) = ranks.get(id) {
                    counts[*rank as usize] += 1;
                    found.push((*rank, *time, n as u32, row as u32));
                    any = true;
                }
            }
            histograms |= any && batch.column_by_name(HISTOGRAM).is_some_and(|h| h.null_count() < h.len());
        }
        let mut starts: Vec<usize> = counts
            .iter()
            .scan(0, |at, n| {
                let start = *at;
                *at += n;
                Some(start)
            })
            .collect();
        let mut placed = vec![(0_i64, 0_u32, 0_u32); found.len()];
        for (rank, time, n, row) in found {
            let at = &mut starts[rank as usize];
            placed[*at] = (time, n, row);
            *at += 1;
        }
        let mut this =
            Self { batches, rows: Vec::with_capacity(placed.len()), ends: Vec::with_capacity(series), histograms };
        let mut from = 0;
        for until in starts {
            let own = &mut placed[from..until];
            if own.windows(2).any(|w| w[0].0 >= w[1].0) {
                own.sort_unstable();
            }
            for (i, (time, n, row)) in own.iter().enumerate() {
                // Of one time the last written counts.
                if own.get(i + 1).is_none_or(|next| next.0 != *time) {
                    this.rows.push((*n, *row));
                }
            }
            this.ends.push(this.rows.len());
            from = until;
        }
        this
    }

    fn batches(&self, within: (u32, u32), schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let end = |rank: u32| rank.checked_sub(1).map_or(0, |r| self.ends[r as usize]);
        let rows = &self.rows[end(within.0)..end(within.1)];
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let sources = self.batches.iter().map(|b| conform(b, schema)).collect::<Result<Vec<_>>>()?;
        let mut out = Vec::with_capacity(rows.len().div_ceil(BATCH_ROWS));
        for chunk in rows.chunks(BATCH_ROWS) {
            let at: Vec<(usize, usize)> = chunk.iter().map(|(n, row)| (*n as usize, *row as usize)).collect();
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for column in 0..schema.fields().len() {
                let arrays: Vec<&dyn Array> = sources.iter().map(|b| b.column(column).as_ref()).collect();
                columns.push(interleave(&arrays, &at)?);
            }
            let options = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
            out.push(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?);
        }
        Ok(out)
    }
}

fn keys(batch: &RecordBatch) -> Option<(&[u64], &[i64])> {
    let ids = batch.column_by_name(SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    Some((ids.values(), times.values()))
}
