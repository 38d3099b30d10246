//! From buffer to files: sealed rows become sorted Parquet, one commit makes them visible and their WAL segments superfluous.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};
use grid_model::{Table, TenantId, Timestamp};

use crate::buffer::Buffer;
use crate::catalog::{Commit, NewFile};
use crate::error::StoreError;
use crate::index::SeriesIndex;
use crate::limits::FLUSH_WINDOWS_MAX;
use crate::parquet_write::Rest;
use crate::sort::{sort_rows, split_by, time_bounds};
use crate::store::{Shared, Store};
use crate::wal::segment;
use crate::window::Window;
use crate::{parquet_write, text_index};

/// Files encoded at the same time.
const ENCODERS: usize = 2;

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// Rows that were buffered.
    pub rows: u64,
    /// Files written.
    pub files: usize,
    /// Bytes written.
    pub bytes: u64,
    /// The generation afterwards.
    pub generation: u64,
}

impl Store {
    /// Writes everything buffered to files. On an error the rows stay where they are, visible, and the next flush tries again.
    pub async fn flush(&self) -> Result<FlushReport, StoreError> {
        // On a task of its own: a caller that leaves must not leave a commit that nobody took note of.
        let this = self.clone();
        let task = tokio::spawn(async move {
            let _one_at_a_time = this.shared.maintenance.lock().await;
            let done = this.flush_locked().await;
            this.shared.note_flush(done.as_ref().err());
            done
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    async fn flush_locked(&self) -> Result<FlushReport, StoreError> {
        // What an earlier, failed flush left comes first.
        let mut report = self.flush_sealed().await?;
        self.writer.seal().await?;
        let second = self.flush_sealed().await?;
        report.rows += second.rows;
        report.files += second.files;
        report.bytes += second.bytes;
        report.generation = self.shared.state.read().generation;
        Ok(report)
    }

    async fn flush_sealed(&self) -> Result<FlushReport, StoreError> {
        let shared = &self.shared;
        let sealed = shared.state.read().sealed.clone();
        let Some((buffer, through)) = sealed else { return Ok(FlushReport::default()) };
        let files = write_buffer(shared, &buffer).await?;
        let (count, bytes) = (files.len(), files.iter().map(|f| f.bytes).sum());
        let commit = Commit { add: files, remove: Vec::new(), flushed_segment: Some(through) };
        let (added, generation) = shared.catalog.commit(commit).await?;
        shared.publish(added, &[], generation, true);
        let wal = shared.options.data_dir.join("wal");
        for number in segment::list(&wal)?.into_iter().filter(|n| *n <= through) {
            let path = segment::path(&wal, number);
            std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(FlushReport { rows: buffer.rows, files: count, bytes, generation })
    }
}

async fn write_buffer(shared: &Arc<Shared>, buffer: &Arc<Buffer>) -> Result<Vec<NewFile>, StoreError> {
    let now = (shared.options.clock)();
    let seqs = buffer.seqs.unwrap_or_default();
    // Boxed in a list: over an iterator of closures the compiler cannot prove that the stream may move between threads.
    let mut jobs: Vec<BoxFuture<'_, Result<Vec<NewFile>, StoreError>>> = Vec::new();
    for (tenant, table, batches) in buffer.iter() {
        let (tenant, batches) = (tenant.clone(), batches.to_vec());
        let index = shared.state.write().series_of(&tenant);
        jobs.push(Box::pin(async move {
            let encoded = {
                let origin = Origin { tenant, table, seqs, level: 0, import_id: None };
                let shared = Arc::clone(shared);
                blocking(move || encode_rows(&shared, &origin, batches, &index, now)).await?
            };
            put_all(shared, encoded).await
        }));
    }
    let done: Vec<Vec<NewFile>> = futures::stream::iter(jobs).buffer_unordered(ENCODERS).try_collect().await?;
    Ok(done.into_iter().flatten().collect())
}

/// Where rows come from, which decides how their files are entered.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub tenant: TenantId,
    pub table: Table,
    pub seqs: (u64, u64),
    pub level: u8,
    pub import_id: Option<String>,
}

/// A file's entry, its bytes, and the bytes of its text index.
pub(crate) type Encoded = (NewFile, Vec<u8>, Option<Vec<u8>>);

/// Runs CPU work off the IO threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}

/// Rows in the order of their writes as sorted files, one per window of time; all in one if they spread too wide.
pub(crate) fn encode_rows(
    shared: &Shared,
    origin: &Origin,
    batches: Vec<RecordBatch>,
    index: &SeriesIndex,
    now: Timestamp,
) -> Result<Vec<Encoded>, StoreError> {
    let mut encoded = Vec::new();
    let parts = sort_rows(origin.table, &batches, index)?;
    // The rows are there a second time now.
    drop(batches);
    for sorted in parts {
        encoded.extend(encode_sorted(shared, origin, sorted, now)?);
    }
    Ok(encoded)
}

fn encode_sorted(
    shared: &Shared,
    origin: &Origin,
    sorted: RecordBatch,
    now: Timestamp,
) -> Result<Vec<Encoded>, StoreError> {
    let time_column = origin.table.time_column();
    let Some((min, max)) = time_bounds(&sorted, time_column)? else { return Ok(Vec::new()) };
    // Series are looked up by id, not by time; they stay together.
    let one_window =
        origin.table == Table::Series || Window::of(Timestamp(min), now).holds(Timestamp(min), Timestamp(max));
    if !one_window {
        let groups = split_by(&sorted, time_column, |t| Window::of(Timestamp(t), now))?;
        if groups.len() <= FLUSH_WINDOWS_MAX || origin.level > 0 {
            let files = groups.into_iter();
            return files.map(|(_, rows)| encode_file(shared, origin, &rows_at(&sorted, &rows)?)).collect();
        }
    }
    Ok(vec![encode_file(shared, origin, &sorted)?])
}

/// Rows at ascending positions; those of a table sorted by time lie together, and are not copied.
fn rows_at(batch: &RecordBatch, rows: &UInt32Array) -> Result<RecordBatch, StoreError> {
    match (rows.values().first(), rows.values().last()) {
        (Some(first), Some(last)) if (last - first) as usize + 1 == rows.len() => {
            Ok(batch.slice(*first as usize, rows.len()))
        }
        _ => Ok(take_record_batch(batch, rows)?),
    }
}

fn encode_file(shared: &Shared, origin: &Origin, sorted: &RecordBatch) -> Result<Encoded, StoreError> {
    let bytes = parquet_write::encode(origin.table, sorted, Rest::of_level(origin.level))?;
    let (min, max) = time_bounds(sorted, origin.table.time_column())?.unwrap_or_default();
    let folder = format!("{}/{}", tenant_folder(&origin.tenant), origin.table.name());
    let name = format!("{folder}/{:016x}-{}", origin.seqs.1, shared.nonce());
    let index = match origin.table {
        // A flushed file is small and short-lived; indexing pays once it is compacted.
        Table::Logs if origin.level > 0 => Some(text_index::build(sorted)?),
        _ => None,
    };
    let file = NewFile {
        tenant: origin.tenant.clone(),
        table: origin.table,
        path: format!("{name}.parquet"),
        bytes: bytes.len() as u64,
        rows: sorted.num_rows() as u64,
        min_time: Timestamp(min),
        max_time: Timestamp(max),
        min_seq: origin.seqs.0,
        max_seq: origin.seqs.1,
        level: origin.level,
        text_index: index.is_some().then(|| format!("{name}.text")),
        import_id: origin.import_id.clone(),
    };
    Ok((file, bytes, index))
}

/// Writes files and their indexes; durable when it returns.
pub(crate) async fn put_all(shared: &Shared, encoded: Vec<Encoded>) -> Result<Vec<NewFile>, StoreError> {
    let mut files = Vec::with_capacity(encoded.len());
    for (file, bytes, index) in encoded {
        shared.objects.put(&file.path, bytes).await?;
        if let (Some(path), Some(index)) = (&file.text_index, index) {
            shared.objects.put(path, index).await?;
        }
        files.push(file);
    }
    Ok(files)
}

/// A tenant's name as a folder: characters that object stores escape in their own ways are escaped here, in one way.
pub(crate) fn tenant_folder(tenant: &TenantId) -> String {
    let mut out = String::new();
    for b in tenant.as_str().bytes() {
        if b.is_ascii_alphanumeric() || b == b'-' || b == b'_' {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("={b:02x}"));
        }
    }
    out
}
