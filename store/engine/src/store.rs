//! The store as a whole: opening, the state that readers and writers share, closing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use grid_model::{Table, TenantId, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::append::Writer;
use crate::buffer::Buffer;
use crate::catalog::{Catalog, Commit, FileEntry, HiddenCharges};
use crate::error::{OpenError, StoreError};
use crate::health::{Failures, ReadOnly};
use crate::index::SeriesIndex;
use crate::limits::Limits;
use crate::lock::DirLock;
use crate::objects::Objects;
use crate::parquet_read;
use crate::snapshot::Snapshot;
use crate::text_index::TextIndexCache;
use crate::wal::replay::{Recovery, replay};
use crate::wal::segment::sync_dir;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Version of the data directory's layout; see docs/formats/data-dir.md.
pub const FORMAT_VERSION: u32 = 1;

/// How to open a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Folder of lock, WAL and catalog, and of the files unless `object_url` says otherwise.
    pub data_dir: PathBuf,
    /// `s3://BUCKET/PREFIX` to keep the files there.
    pub object_url: Option<String>,
    /// Where the time comes from.
    pub clock: Clock,
    /// The bounds.
    pub limits: Limits,
}

impl StoreOptions {
    /// A store on local disk with default bounds.
    pub fn local(data_dir: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { data_dir: data_dir.into(), object_url: None, clock, limits: Limits::default() }
    }
}

/// The store of one data directory. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Arc<Writer>,
    recovery: Arc<Recovery>,
}

/// Files by tenant and table, each list ordered by `max_seq`.
pub(crate) type FileSet = BTreeMap<(TenantId, Table), Arc<Vec<Arc<FileEntry>>>>;

/// What readers and writers share.
pub(crate) struct Shared {
    pub options: StoreOptions,
    pub catalog: Catalog,
    pub objects: Objects,
    pub lock: DirLock,
    pub state: RwLock<State>,
    /// Held by whatever changes files: flush, rewriting, import, retention, and compaction for its commit. One at a time.
    pub maintenance: Arc<tokio::sync::Mutex<()>>,
    /// Held by a round of compactions.
    pub compacting: tokio::sync::Mutex<()>,
    /// Held by an import from its decision to its commit.
    pub importing: Arc<tokio::sync::Mutex<()>>,
    /// Signalled when the buffer asks for a flush.
    pub flush_wanted: Notify,
    /// Signalled when a flush has made room.
    pub room: Notify,
    /// Why nothing can be written, if so.
    pub read_only: RwLock<Option<ReadOnly>>,
    pub failures: Mutex<Failures>,
    /// Memory of all series indexes, about.
    pub series_bytes: AtomicUsize,
    /// Free bytes of the disk when it was last looked at.
    pub free_bytes_seen: AtomicU64,
    /// Entries that left the catalog and whose files may still be read.
    pub graveyard: Mutex<Vec<Arc<FileEntry>>>,
    pub text_indexes: TextIndexCache,
    pub counters: Counters,
    nonce: AtomicU64,
}

/// What a snapshot is taken of, changed as a whole under one lock.
#[derive(Default)]
pub(crate) struct State {
    pub generation: u64,
    pub files: FileSet,
    pub active: Buffer,
    /// Rows on their way into files, and the last WAL segment that holds any of them.
    pub sealed: Option<(Arc<Buffer>, u64)>,
    pub series: HashMap<TenantId, Arc<SeriesIndex>>,
    /// Charges that a later import replaced.
    pub hidden: HashMap<TenantId, Arc<HiddenCharges>>,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub appended_rows: AtomicU64,
    pub appended_requests: AtomicU64,
    pub refused_requests: AtomicU64,
    pub wal_bytes: AtomicU64,
    pub wal_syncs: AtomicU64,
    pub flushes: AtomicU64,
    pub flush_errors: AtomicU64,
    pub compactions: AtomicU64,
    pub compaction_errors: AtomicU64,
}

/// Figures for `/metrics` and the status page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Generation of the catalog.
    pub generation: u64,
    /// Rows not yet in files.
    pub buffered_rows: u64,
    /// Bytes of rows not yet in files.
    pub buffered_bytes: usize,
    /// Visible files.
    pub files: usize,
    /// Bytes of visible files.
    pub file_bytes: u64,
    /// Rows of visible files.
    pub file_rows: u64,
    /// Series over all tenants.
    pub series: usize,
    /// Bytes of the series indexes, about.
    pub series_bytes: usize,
    /// Rows appended since the start.
    pub appended_rows: u64,
    /// Requests appended since the start.
    pub appended_requests: u64,
    /// Requests refused for overload since the start.
    pub refused_requests: u64,
    /// Bytes written to the WAL since the start.
    pub wal_bytes: u64,
    /// Syncs of the WAL since the start.
    pub wal_syncs: u64,
    /// Flushes since the start.
    pub flushes: u64,
    /// Flushes that failed since the start.
    pub flush_errors: u64,
    /// Compactions since the start.
    pub compactions: u64,
    /// Compactions that failed since the start.
    pub compaction_errors: u64,
    /// Free bytes of the data directory's disk when it was last looked at; `None` before that.
    pub disk_free_bytes: Option<u64>,
}

impl Store {
    /// Opens or creates a data directory: takes its lock, loads the catalog and the series index, replays the WAL into the
    /// buffer, removes files that no commit made visible.
    pub async fn open(options: StoreOptions) -> Result<Self, OpenError> {
        let dir = options.data_dir.clone();
        std::fs::create_dir_all(&dir).map_err(StoreError::io("create", &dir))?;
        sync_names_of(&dir)?;
        let lock = DirLock::take(&dir)?;
        check_format(&dir)?;
        let catalog = Catalog::open(&dir.join("catalog.db")).await?;
        let objects = match &options.object_url {
            Some(url) => Objects::bucket(url)?,
            None => Objects::local(&dir.join("files"))?,
        };
        let (entries, generation, flushed) = catalog.load().await?;
        let mut next_seq = entries.iter().map(|e| e.max_seq + 1).max().unwrap_or(1);
        remove_orphans(&objects, &entries).await?;
        let mut state = State { generation, hidden: catalog.hidden_charges().await?, ..State::default() };
        for entry in entries {
            let list = state.files.entry((entry.tenant.clone(), entry.table)).or_default();
            Arc::make_mut(list).push(Arc::new(entry));
        }
        load_series(&objects, &mut state).await?;

        let wal_dir = dir.join("wal");
        std::fs::create_dir_all(&wal_dir).map_err(StoreError::io("create", &wal_dir))?;
        // The folders of log and files are durable before anything in them counts.
        sync_dir(&dir)?;
        let now = (options.clock)();
        let (recovery, next_segment) = replay(&wal_dir, flushed, |record| {
            next_seq = next_seq.max(record.seq + 1);
            state.learn_series(&record.tenant, &record.batches);
            state.active.push(record.seq, now, &record.tenant, record.batches);
        })?;
        let series_bytes = state.series.values().map(|index| index.bytes()).sum();
        let shared = Arc::new(Shared {
            options,
            catalog,
            objects,
            lock,
            state: RwLock::new(state),
            maintenance: Arc::default(),
            compacting: tokio::sync::Mutex::new(()),
            importing: Arc::default(),
            flush_wanted: Notify::new(),
            room: Notify::new(),
            read_only: RwLock::new(None),
            failures: Mutex::default(),
            series_bytes: AtomicUsize::new(series_bytes),
            free_bytes_seen: AtomicU64::new(u64::MAX),
            graveyard: Mutex::new(Vec::new()),
            text_indexes: TextIndexCache::default(),
            counters: Counters::default(),
            nonce: AtomicU64::new(0),
        });
        let writer = Arc::new(Writer::start(Arc::clone(&shared), &wal_dir, next_segment, next_seq)?);
        Ok(Self { shared, writer, recovery: Arc::new(recovery) })
    }

    /// What the start found in the WAL.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Everything of a tenant at this instant.
    pub fn snapshot(&self, tenant: &TenantId) -> Snapshot {
        Snapshot::take(&self.shared.state.read(), tenant)
    }

    /// The same with bills as they were known at a time. Files are those of now: what retention deleted since is gone for this reader too.
    pub async fn snapshot_as_of(&self, tenant: &TenantId, at: Timestamp) -> Result<Snapshot, StoreError> {
        let imports = self.shared.catalog.imports(tenant).await?;
        Ok(self.snapshot(tenant).with_bills_as_of(&imports, at))
    }

    /// The catalog's small facts: retention, tokens, imports.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Where files rest.
    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.shared.options.data_dir
    }

    /// The store's clock.
    pub fn now(&self) -> Timestamp {
        (self.shared.options.clock)()
    }

    /// Writes down where this process serves, for whoever finds the directory locked.
    pub fn advertise(&self, address: &str) -> std::io::Result<()> {
        self.shared.lock.advertise(address)
    }

    /// Every tenant that has rows.
    pub fn tenants(&self) -> Vec<TenantId> {
        let state = self.shared.state.read();
        let mut tenants: Vec<TenantId> = state.files.keys().map(|(t, _)| t.clone()).collect();
        let sealed = state.sealed.as_ref().map(|(b, _)| Arc::clone(b));
        tenants.extend(state.active.iter().map(|(t, _, _)| t.clone()));
        tenants.extend(sealed.iter().flat_map(|b| b.iter().map(|(t, _, _)| t.clone()).collect::<Vec<_>>()));
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }

    /// Figures.
    pub fn stats(&self) -> StoreStats {
        let state = self.shared.state.read();
        let c = &self.shared.counters;
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let files = || state.files.values().flat_map(|list| list.iter());
        let sealed = state.sealed.as_ref().map(|(b, _)| (b.rows, b.bytes)).unwrap_or_default();
        StoreStats {
            generation: state.generation,
            buffered_rows: state.active.rows + sealed.0,
            buffered_bytes: state.active.bytes + sealed.1,
            files: files().count(),
            file_bytes: files().map(|f| f.bytes).sum(),
            file_rows: files().map(|f| f.rows).sum(),
            series: state.series.values().map(|s| s.len()).sum(),
            series_bytes: self.shared.series_bytes.load(Ordering::Relaxed),
            appended_rows: get(&c.appended_rows),
            appended_requests: get(&c.appended_requests),
            refused_requests: get(&c.refused_requests),
            wal_bytes: get(&c.wal_bytes),
            wal_syncs: get(&c.wal_syncs),
            flushes: get(&c.flushes),
            flush_errors: get(&c.flush_errors),
            compactions: get(&c.compactions),
            compaction_errors: get(&c.compaction_errors),
            disk_free_bytes: Some(get(&self.shared.free_bytes_seen)).filter(|n| *n != u64::MAX),
        }
    }

    /// Waits until the buffer asks for a flush (by size).
    pub async fn flush_wanted(&self) {
        self.shared.flush_wanted.notified().await;
    }

    /// When the oldest row of the buffer arrived.
    pub fn buffered_since(&self) -> Option<Timestamp> {
        let state = self.shared.state.read();
        // What an earlier flush could not write is older.
        state.sealed.as_ref().and_then(|(sealed, _)| sealed.since).or(state.active.since)
    }

    /// Flushes, stops the writer and closes the catalog. Appends that come later are refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        let flushed = self.flush().await.map(|_| ());
        self.writer.stop().await;
        self.shared.catalog.close().await;
        flushed
    }
}

impl State {
    /// The series index of a tenant, made on first use.
    pub(crate) fn series_of(&mut self, tenant: &TenantId) -> Arc<SeriesIndex> {
        Arc::clone(self.series.entry(tenant.clone()).or_default())
    }

    fn learn_series(&mut self, tenant: &TenantId, batches: &[(Table, arrow::array::RecordBatch)]) {
        for (_, batch) in batches.iter().filter(|(table, _)| *table == Table::Series) {
            let index = self.series_of(tenant);
            for (_, def) in grid_model::table::series::read(batch).unwrap_or_default() {
                index.insert(&def);
            }
        }
    }
}

impl Shared {
    /// A part of a file name that no other file of this directory has.
    pub(crate) fn nonce(&self) -> String {
        let n = self.nonce.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{n:x}", (self.options.clock)().0)
    }

    /// Applies a catalog commit to the state that readers see. `drop_sealed`: the sealed rows are in these files.
    pub(crate) fn publish(&self, added: Vec<FileEntry>, removed: &[i64], generation: u64, drop_sealed: bool) {
        let mut dead = Vec::new();
        {
            let mut state = self.state.write();
            for list in state.files.values_mut() {
                if list.iter().any(|f| removed.contains(&f.id)) {
                    dead.extend(list.iter().filter(|f| removed.contains(&f.id)).cloned());
                    Arc::make_mut(list).retain(|f| !removed.contains(&f.id));
                }
            }
            for entry in added {
                let list = Arc::make_mut(state.files.entry((entry.tenant.clone(), entry.table)).or_default());
                list.push(Arc::new(entry));
                list.sort_by_key(|f| (f.max_seq, f.id));
            }
            state.files.retain(|_, list| !list.is_empty());
            if drop_sealed {
                state.sealed = None;
            }
            state.generation = generation;
        }
        self.graveyard.lock().extend(dead);
        self.room.notify_waiters();
    }

    /// Commits a change of files and shows it to readers, on a task of its own that holds the maintenance lock until both are done: a
    /// caller that leaves must not leave catalog and readers apart.
    pub(crate) async fn commit_and_publish(
        self: &Arc<Self>,
        one_at_a_time: tokio::sync::OwnedMutexGuard<()>,
        commit: Commit,
    ) -> Result<(), StoreError> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let removed = commit.remove.clone();
            let (added, generation) = this.catalog.commit(commit).await?;
            this.publish(added, &removed, generation, false);
            drop(one_at_a_time);
            Ok(())
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    /// Deletes files that left the catalog and that no snapshot holds any more.
    pub(crate) async fn sweep(&self) -> Result<usize, StoreError> {
        let free: Vec<Arc<FileEntry>> = {
            let mut graveyard = self.graveyard.lock();
            let (free, held) = graveyard.drain(..).partition(|f| Arc::strong_count(f) == 1);
            *graveyard = held;
            free
        };
        for file in &free {
            self.objects.delete(&file.path).await?;
            if let Some(index) = &file.text_index {
                self.objects.delete(index).await?;
                self.text_indexes.forget(index);
            }
        }
        Ok(free.len())
    }

    /// Bytes of rows that are not yet in files.
    pub(crate) fn buffered_bytes(&self) -> usize {
        let state = self.state.read();
        state.active.bytes + state.sealed.as_ref().map_or(0, |(b, _)| b.bytes)
    }
}

/// Makes the name of a folder durable, and those of the folders above it. At every start: whoever made them may have been killed
/// before it did. Folders that this process may not open have not been made by it.
fn sync_names_of(dir: &Path) -> Result<(), StoreError> {
    let dir = dir.canonicalize().map_err(StoreError::io("resolve", dir))?;
    let synced = dir.ancestors().skip(1).map(sync_dir).take_while(Result::is_ok).count();
    tracing::trace!(synced, "synced the folders above the data directory");
    Ok(())
}

/// Reads or writes the file that names the layout's version. A newer version is refused; an older one would be upgraded here.
fn check_format(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join("FORMAT");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Under another name until it is durable: else a start that is killed here leaves a file that no later start would sync.
            let write = || -> std::io::Result<()> {
                use std::io::Write as _;
                let draft = dir.join("FORMAT.new");
                let mut file = std::fs::File::create(&draft)?;
                file.write_all(format!("grid {FORMAT_VERSION}\n").as_bytes())?;
                file.sync_all()?;
                std::fs::rename(&draft, &path)?;
                std::fs::File::open(dir)?.sync_all()
            };
            write().map_err(StoreError::io("write", &path))?;
            return Ok(());
        }
        Err(e) => return Err(StoreError::io("read", &path)(e).into()),
    };
    let found = text.trim().strip_prefix("grid ").and_then(|v| v.parse::<u32>().ok());
    match found {
        None => Err(OpenError::BadFormat { path, found: text }),
        Some(found) if found > FORMAT_VERSION => {
            Err(OpenError::NewerFormat { dir: dir.to_owned(), found, known: FORMAT_VERSION })
        }
        Some(_) => Ok(()),
    }
}

/// Files that a crash left between their writing and their commit.
async fn remove_orphans(objects: &Objects, entries: &[FileEntry]) -> Result<(), StoreError> {
    let known: std::collections::HashSet<&str> =
        entries.iter().flat_map(|e| std::iter::once(e.path.as_str()).chain(e.text_index.as_deref())).collect();
    for (path, _) in objects.list().await? {
        if !known.contains(path.as_str()) {
            tracing::info!(path, "remove file that no commit made visible");
            objects.delete(&path).await?;
        }
    }
    Ok(())
}

async fn load_series(objects: &Objects, state: &mut State) -> Result<(), StoreError> {
    let lists: Vec<_> = state
        .files
        .iter()
        .filter(|((_, table), _)| *table == Table::Series)
        .map(|((t, _), l)| (t.clone(), Arc::clone(l)))
        .collect();
    for (tenant, list) in lists {
        for file in list.iter() {
            let bytes = objects.get(&file.path).await?;
            for batch in parquet_read::read_all(Table::Series, bytes)? {
                state.learn_series(&tenant, &[(Table::Series, batch)]);
            }
        }
    }
    Ok(())
}
