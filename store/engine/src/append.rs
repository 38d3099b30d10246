//! The way in: a bounded queue, and one thread that writes what waits there as one group, syncs once, makes the rows visible,
//! and only then lets the requests answer.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::array::{AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use grid_model::series::def_of_key;
use grid_model::table::series::SeriesBuilder;
use grid_model::{SeriesId, Table, TenantId, Timestamp, Write};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::health::ReadOnly;
use crate::index::SeriesIndex;
use crate::limits::{APPEND_QUEUE, GROUP_BYTES_MAX, RECORD_BYTES_MAX, SEGMENT_BYTES};
use crate::store::{Shared, Store};
use crate::wal::record::{encode_payload, header};
use crate::wal::segment::Segment;

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Rows that are now durable and visible.
    pub rows: usize,
    /// Series seen for the first time.
    pub new_series: usize,
    /// Rows dropped because their series would be one more than the tenant may have.
    pub rows_over_series_limit: usize,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The store cannot keep up; try again later.
    #[error("the store is overloaded: {reason}")]
    Overloaded {
        /// What is full.
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// Every series of the request would be one more than the tenant may have.
    #[error("tenant {tenant} has {series} series, the limit is {limit}")]
    SeriesLimit {
        /// The tenant.
        tenant: TenantId,
        /// Its series.
        series: usize,
        /// Its limit.
        limit: usize,
    },
    /// Every series of the request would be one more than all tenants together may have.
    #[error("the series of all tenants take {limit} bytes of memory, which is the limit")]
    SeriesMemory {
        /// The limit in bytes.
        limit: usize,
    },
    /// The tenant would be one more than the server may have.
    #[error("{limit} tenants have rows, which is the limit; {tenant} would be one more")]
    TenantLimit {
        /// The tenant.
        tenant: TenantId,
        /// The limit.
        limit: usize,
    },
    /// Two different series have the same id.
    #[error("series {id:016x} collides with another series of the same hash")]
    Collision {
        /// The id.
        id: u64,
    },
    /// The request is larger than a WAL record may be.
    #[error("the request takes {bytes} bytes in the log, the limit is {RECORD_BYTES_MAX}: send smaller batches")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The store is read-only; see [`crate::Store::health`].
    #[error("the store is read-only: {reason}")]
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// The rows do not match their table.
    #[error("rows of {table} do not match their table: {reason}")]
    BadRows {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

/// How long a refused sender should wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Store {
    /// Writes a request's rows. When it returns they survive a power cut, and every later snapshot has them.
    pub async fn append(&self, tenant: &TenantId, write: Write) -> Result<Appended, AppendError> {
        let shared = &self.shared;
        if write.is_empty() {
            return Ok(Appended::default());
        }
        if let Some(cause) = &*shared.read_only.read() {
            return Err(AppendError::ReadOnly { reason: cause.reason().to_owned() });
        }
        let refuse = |reason| {
            shared.counters.refused_requests.fetch_add(1, Ordering::Relaxed);
            shared.flush_wanted.notify_one();
            AppendError::Overloaded { reason, retry_after: RETRY_AFTER }
        };
        if shared.buffered_bytes() > shared.options.limits.buffer_bytes_max {
            return Err(refuse("rows wait to be written to files"));
        }
        let (request, done, appended) = self.prepare(tenant, write)?;
        match self.writer.queue.try_send(Command::Append(Box::new(request))) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(refuse("requests wait for the log")),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(AppendError::Closed),
        }
        done.await.map_err(|_| AppendError::Closed)??;
        shared.counters.appended_rows.fetch_add(appended.rows as u64, Ordering::Relaxed);
        shared.counters.appended_requests.fetch_add(1, Ordering::Relaxed);
        Ok(appended)
    }

    /// The same for bulk loaders of this process: waits for room instead of being refused.
    pub async fn append_waiting(&self, tenant: &TenantId, write: Write) -> Result<Appended, AppendError> {
        loop {
            let room = self.shared.room.notified();
            match self.append(tenant, write.clone()).await {
                Err(AppendError::Overloaded { retry_after, .. }) => {
                    let _ = tokio::time::timeout(retry_after, room).await;
                }
                other => return other,
            }
        }
    }

    fn prepare(&self, tenant: &TenantId, mut write: Write) -> Result<(AppendRequest, Reply, Appended), AppendError> {
        for (table, batch) in &write.batches {
            check_schema(*table, batch)?;
        }
        let tenants_max = self.shared.options.limits.tenants_max;
        let Some(index) = self.shared.state.write().admit(tenant, tenants_max) else {
            self.shared.counters.refused_tenants.fetch_add(1, Ordering::Relaxed);
            return Err(AppendError::TenantLimit { tenant: tenant.clone(), limit: tenants_max });
        };
        let limit = self.shared.options.limits.series_per_tenant_max;
        let mut room = limit.saturating_sub(index.len());
        let memory = self.shared.options.limits.series_bytes_max;
        let mut room_bytes = memory.saturating_sub(self.shared.series_bytes.load(Ordering::Relaxed));
        let mut new_series: Vec<(SeriesId, Vec<u8>)> = Vec::new();
        let mut over: HashSet<u64> = HashSet::new();
        let mut collision = None;
        index.lookup_all(
            write.series.iter(),
            |id, key| {
                let bytes = SeriesIndex::bytes_of(key);
                if room == 0 || room_bytes < bytes {
                    over.insert(id.0);
                } else {
                    room -= 1;
                    room_bytes -= bytes;
                    new_series.push((id, key.to_vec()));
                }
            },
            |id| collision = Some(id),
        );
        if let Some(id) = collision {
            return Err(AppendError::Collision { id: id.0 });
        }
        let mut appended = Appended { new_series: new_series.len(), ..Appended::default() };
        if !over.is_empty() {
            self.shared.counters.refused_series.fetch_add(over.len() as u64, Ordering::Relaxed);
            let before = write.rows();
            write.batches = write.batches.into_iter().map(|(t, b)| (t, without_series(t, b, &over))).collect();
            write.batches.retain(|(_, b)| b.num_rows() > 0);
            appended.rows_over_series_limit = before - write.rows();
            if write.is_empty() && room > 0 {
                return Err(AppendError::SeriesMemory { limit: memory });
            }
            if write.is_empty() {
                return Err(AppendError::SeriesLimit { tenant: tenant.clone(), series: index.len(), limit });
            }
        }
        appended.rows = write.rows();
        if !new_series.is_empty() {
            let now = self.now();
            let mut b = SeriesBuilder::default();
            for (id, key) in &new_series {
                let def = def_of_key(key)
                    .ok_or(AppendError::BadRows { table: "series", reason: "a key does not parse".into() })?;
                b.push(*id, now, &def);
            }
            // In front: replay meets a series before its samples.
            write.batches.insert(0, (Table::Series, b.finish()));
        }
        let payload = encode_payload(tenant, &write.batches)
            .map_err(|e| AppendError::BadRows { table: "request", reason: e.to_string() })?;
        if payload.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes: payload.len() });
        }
        let (reply, done) = oneshot::channel();
        let payload_crc = crc32c::crc32c(&payload);
        Ok((
            AppendRequest { tenant: tenant.clone(), payload, payload_crc, batches: write.batches, new_series, reply },
            done,
            appended,
        ))
    }
}

fn check_schema(table: Table, batch: &RecordBatch) -> Result<(), AppendError> {
    let schema = batch.schema();
    let number_samples = table == Table::Samples && schema == grid_model::table::samples::number_schema();
    if number_samples || schema == table.schema() {
        return Ok(());
    }
    Err(AppendError::BadRows { table: table.name(), reason: format!("columns {:?}", schema.fields()) })
}

/// The rows whose series is not in `over`.
fn without_series(table: Table, batch: RecordBatch, over: &HashSet<u64>) -> RecordBatch {
    if !matches!(table, Table::Samples | Table::Exemplars) {
        return batch;
    }
    let Some(ids) = batch.column(0).as_primitive_opt::<UInt64Type>() else { return batch };
    let keep: BooleanArray = ids.values().iter().map(|id| Some(!over.contains(id))).collect();
    filter_record_batch(&batch, &keep).unwrap_or(batch)
}

type Reply = oneshot::Receiver<Result<(), AppendError>>;

struct AppendRequest {
    tenant: TenantId,
    payload: Vec<u8>,
    payload_crc: u32,
    batches: Vec<(Table, RecordBatch)>,
    new_series: Vec<(SeriesId, Vec<u8>)>,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

enum Command {
    Append(Box<AppendRequest>),
    /// Begin a new segment and seal what is buffered.
    Seal(oneshot::Sender<Result<(), StoreError>>),
    /// Begin a new segment after the old one could not be written.
    Reopen(oneshot::Sender<Result<(), StoreError>>),
    Stop,
}

/// The handle of the thread that owns the WAL.
pub(crate) struct Writer {
    queue: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread with a fresh segment. If that cannot be made (a full disk), the store is read-only until it can.
    pub(crate) fn start(shared: Arc<Shared>, dir: &Path, number: u64, next_seq: u64) -> Result<Self, StoreError> {
        let (queue, commands) = mpsc::channel(APPEND_QUEUE);
        let mut log = Log { shared, dir: dir.to_owned(), segment: None, number: number.saturating_sub(1), next_seq };
        if let Err(e) = log.begin_segment() {
            log.fail(&e);
        }
        let thread = std::thread::Builder::new()
            .name("grid-wal".into())
            .spawn(move || log.run(commands))
            .map_err(StoreError::io("start the writer of", dir))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Seals what is buffered, see [`Command::Seal`].
    pub(crate) async fn seal(&self) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        self.queue.send(Command::Seal(reply)).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Tries to write again, see [`Command::Reopen`].
    pub(crate) async fn reopen(&self) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        self.queue.send(Command::Reopen(reply)).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets the thread finish what waits and ends it.
    pub(crate) async fn stop(&self) {
        let _ = self.queue.send(Command::Stop).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// The thread's own state.
struct Log {
    shared: Arc<Shared>,
    dir: PathBuf,
    /// `None` until one could be created, and after a failed write.
    segment: Option<Segment>,
    /// Number of the last segment that was begun.
    number: u64,
    next_seq: u64,
}

impl Log {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            // Whatever waits by now shares one sync.
            while let Some(command) = next.take() {
                match command {
                    Command::Append(request) => {
                        bytes += request.payload.len();
                        group.push(*request);
                        if bytes < GROUP_BYTES_MAX {
                            next = commands.try_recv().ok();
                        }
                    }
                    Command::Seal(reply) => {
                        self.commit(std::mem::take(&mut group));
                        let _ = reply.send(self.seal());
                    }
                    Command::Reopen(reply) => {
                        self.commit(std::mem::take(&mut group));
                        let _ = reply.send(self.reopen());
                    }
                    Command::Stop => {
                        self.commit(group);
                        return;
                    }
                }
            }
            self.commit(group);
        }
    }

    /// Writes, syncs, shows and answers one group.
    fn commit(&mut self, group: Vec<AppendRequest>) {
        if group.is_empty() {
            return;
        }
        let mut bytes = Vec::with_capacity(group.iter().map(|r| r.payload.len() + 64).sum());
        for (i, request) in group.iter().enumerate() {
            bytes.extend_from_slice(&header(self.next_seq + i as u64, &request.payload, request.payload_crc));
            bytes.extend_from_slice(&request.payload);
        }
        let refused = self.shared.read_only.read().as_ref().map(|cause| cause.reason().to_owned());
        if let Some(reason) = refused.or_else(|| self.write(&bytes).err()) {
            for request in group {
                let _ = request.reply.send(Err(AppendError::ReadOnly { reason: reason.clone() }));
            }
            return;
        }
        let counters = &self.shared.counters;
        counters.wal_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        counters.wal_syncs.fetch_add(1, Ordering::Relaxed);
        let now: Timestamp = (self.shared.options.clock)();
        let mut replies = Vec::with_capacity(group.len());
        let full = {
            let mut state = self.shared.state.write();
            for request in group {
                if !request.new_series.is_empty() {
                    let index = state.series_of(&request.tenant);
                    request.new_series.iter().for_each(|(id, key)| index.insert_key(*id, key));
                    let bytes = request.new_series.iter().map(|(_, key)| SeriesIndex::bytes_of(key)).sum();
                    self.shared.series_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                state.active.push(self.next_seq, now, &request.tenant, request.batches);
                self.next_seq += 1;
                replies.push(request.reply);
            }
            state.active.bytes >= self.shared.options.limits.flush_bytes
        };
        if full {
            self.shared.flush_wanted.notify_one();
        }
        for reply in replies {
            // A sender that gave up does not undo what is durable.
            let _ = reply.send(Ok(()));
        }
    }

    /// Makes bytes durable, or says why not. After a failed sync nobody knows what the disk holds, so the store takes no
    /// further writes until a new segment could be begun (see [`Log::reopen`]).
    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.segment.as_ref().is_none_or(|s| s.bytes > SEGMENT_BYTES) {
            self.begin_segment().map_err(|e| self.fail(&e))?;
        }
        let Some(segment) = &mut self.segment else { return Err("the log has no segment".to_owned()) };
        match segment.append_synced(bytes) {
            Ok(()) => Ok(()),
            Err((e, _)) => {
                // What stands at its end is unknown: nothing may ever be written behind it.
                self.segment = None;
                Err(self.fail(&e))
            }
        }
    }

    /// The old segment stays the current one if the new one cannot be made.
    fn begin_segment(&mut self) -> Result<(), StoreError> {
        self.segment = Some(Segment::create(&self.dir, self.number + 1)?);
        self.number += 1;
        Ok(())
    }

    fn fail(&self, e: &StoreError) -> String {
        let reason = e.to_string();
        tracing::error!(error = %reason, "the log cannot be written; the store is read-only");
        *self.shared.read_only.write() = Some(ReadOnly::Log(reason.clone()));
        reason
    }

    /// A new segment that could be created and synced ends the read-only state of a log that could not be written.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if !matches!(*self.shared.read_only.read(), Some(ReadOnly::Log(_))) {
            return Ok(());
        }
        self.begin_segment()?;
        *self.shared.read_only.write() = None;
        tracing::info!("the log can be written again; writes are taken");
        Ok(())
    }

    fn seal(&mut self) -> Result<(), StoreError> {
        let through = self.number;
        if self.shared.state.read().active.is_empty() {
            return self.reopen();
        }
        self.begin_segment()?;
        let mut cause = self.shared.read_only.write();
        if matches!(*cause, Some(ReadOnly::Log(_))) {
            *cause = None;
            tracing::info!("the log can be written again; writes are taken");
        }
        drop(cause);
        let mut state = self.shared.state.write();
        debug_assert!(state.sealed.is_none(), "a flush seals only after the last one is done");
        let active = std::mem::take(&mut state.active);
        if !active.is_empty() {
            state.sealed = Some((Arc::new(active), through));
        }
        Ok(())
    }
}
