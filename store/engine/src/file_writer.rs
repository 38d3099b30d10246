//! Files that are too large to be made in memory: rows go in as they come, bytes go to their place as row groups fill.
//!
//! [`Routes`] takes the runs of a merge, sends them to one output per window of time and kind of sample, and cuts an output into
//! files where one gets too large. Nothing of it is visible before the commit; what is dropped before that is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::table::logs;
use grid_model::{Table, Timestamp};
use object_store::{ObjectStoreExt as _, WriteMultipart};

use crate::catalog::{FileEntry, NewFile};
use crate::error::StoreError;
use crate::flush::{Origin, tenant_folder};
use crate::limits::{FILE_RAW_BYTES_MAX, FILE_ROWS_MAX, FLUSH_WINDOWS_MAX, MERGE_READ_BYTES, MERGE_WRITE_BYTES};
use crate::merge::{Gauge, Run, gather};
use crate::parquet_write::{ParquetWriter, Rest};
use crate::sort::{time_bounds, times};
use crate::store::Shared;
use crate::text_index::TextIndexBuilder;
use crate::wal::segment::sync_dir;
use crate::window::Window;

/// Rows that are handed to the Parquet writer at once, if they are short enough.
const GATHER_ROWS: usize = 128 * 1024;
/// Bytes that are handed to the Parquet writer at once.
const GATHER_BYTES: usize = 8 << 20;
/// Bytes of one part of an upload, and how many parts are under way.
const PART_BYTES: usize = 8 << 20;
const PARTS: usize = 2;

/// Files that were written and are not in the catalog. Unless they are taken out they are deleted by the next sweep.
pub(crate) struct Uncommitted {
    shared: Arc<Shared>,
    files: Vec<NewFile>,
}

impl Uncommitted {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), files: Vec::new() }
    }

    /// Takes the files out, for the commit: from here on only the catalog, or the next start, may judge them.
    pub(crate) fn take(mut self) -> Vec<NewFile> {
        std::mem::take(&mut self.files)
    }

    /// Adds the files of another.
    pub(crate) fn extend(&mut self, mut other: Self) {
        self.files.append(&mut other.files);
    }
}

impl Drop for Uncommitted {
    fn drop(&mut self) {
        let never_visible =
            std::mem::take(&mut self.files).into_iter().map(|file| Arc::new(FileEntry { id: 0, file, generation: 0 }));
        self.shared.graveyard.lock().extend(never_visible);
    }
}

/// Where the bytes of a file go while it is made.
enum Sink {
    Local { file: BufWriter<File>, path: PathBuf, root: PathBuf, written: u64 },
    Bucket { upload: Option<WriteMultipart>, runtime: tokio::runtime::Handle, written: u64 },
}

impl Sink {
    /// A new file; in a bucket it appears when it is finished. Must be called on a thread that may block.
    fn create(shared: &Shared, path: &str) -> Result<Self, StoreError> {
        if let Some(root) = shared.objects.local_dir() {
            let (path, root) = (root.join(path), root.to_owned());
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
            }
            let file = File::create_new(&path).map_err(StoreError::io("create", &path))?;
            return Ok(Self::Local { file: BufWriter::with_capacity(256 << 10, file), path, root, written: 0 });
        }
        let runtime = tokio::runtime::Handle::current();
        let (store, _) = shared.objects.parts();
        let location = shared.objects.object_path(path);
        let upload = runtime.block_on(async move { store.put_multipart(&location).await })?;
        let upload = Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES));
        Ok(Self::Bucket { upload, runtime, written: 0 })
    }

    /// Makes the file durable; how many bytes it has.
    fn finish(mut self) -> Result<u64, StoreError> {
        match &mut self {
            Self::Local { file, path, root, written } => {
                let synced = file.flush().and_then(|()| file.get_ref().sync_all());
                synced.map_err(StoreError::io("write", path.as_path()))?;
                // The folders may be new: each entry up to the root must be durable too.
                for folder in path.ancestors().skip(1).take_while(|a| a.starts_with(&*root)) {
                    sync_dir(folder)?;
                }
                Ok(*written)
            }
            Self::Bucket { upload, runtime, written } => {
                if let Some(upload) = upload.take() {
                    runtime.block_on(upload.finish())?;
                }
                Ok(*written)
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Local { file, written, .. } => {
                let n = file.write(bytes)?;
                *written += n as u64;
                Ok(n)
            }
            Self::Bucket { upload, runtime, written } => {
                let Some(upload) = upload else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
                let _context = runtime.enter();
                runtime.block_on(upload.wait_for_capacity(PARTS)).map_err(std::io::Error::other)?;
                upload.write(bytes);
                *written += bytes.len() as u64;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Local { file, .. } => file.flush(),
            Self::Bucket { .. } => Ok(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // An upload that is not finished would be paid for until someone aborts it.
        if let Self::Bucket { upload, runtime, .. } = self
            && let Some(upload) = upload.take()
        {
            runtime.spawn(upload.abort());
        }
    }
}

/// One file in the making.
struct FileWriter {
    /// What the catalog will say of it; bytes, rows and times are filled in at the end.
    file: NewFile,
    writer: ParquetWriter<Sink>,
    text: Option<TextIndexBuilder>,
    raw_bytes: u64,
}

/// What all files of one job have in common.
struct Making {
    shared: Arc<Shared>,
    origin: Origin,
    /// Rows that a file may have, at most.
    rows: usize,
    indexed: bool,
    written: Uncommitted,
}

impl Making {
    fn begin(&mut self, first: &RecordBatch) -> Result<FileWriter, StoreError> {
        let origin = &self.origin;
        let folder = format!("{}/{}", tenant_folder(&origin.tenant), origin.table.name());
        let name = format!("{folder}/{:016x}-{}", origin.seqs.1, self.shared.nonce());
        let file = NewFile {
            tenant: origin.tenant.clone(),
            table: origin.table,
            path: format!("{name}.parquet"),
            bytes: 0,
            rows: 0,
            min_time: Timestamp(i64::MAX),
            max_time: Timestamp(i64::MIN),
            min_seq: origin.seqs.0,
            max_seq: origin.seqs.1,
            level: origin.level,
            text_index: self.indexed.then(|| format!("{name}.text")),
            import_id: origin.import_id.clone(),
        };
        // Entered before it exists: whatever fails, it is deleted.
        self.written.files.push(file.clone());
        let sink = Sink::create(&self.shared, &file.path)?;
        let writer = ParquetWriter::new(origin.table, first, self.rows, Rest::of_level(origin.level), sink)?;
        Ok(FileWriter { file, writer, text: self.indexed.then(TextIndexBuilder::new), raw_bytes: 0 })
    }

    fn end(&mut self, done: FileWriter) -> Result<(), StoreError> {
        let FileWriter { mut file, writer, text, .. } = done;
        file.bytes = writer.finish()?.finish()?;
        if let (Some(text), Some(path)) = (text, &file.text_index) {
            let index = text.finish()?;
            let mut sink = Sink::create(&self.shared, path)?;
            sink.write_all(&index).map_err(StoreError::io("write", path))?;
            sink.finish()?;
        }
        if let Some(entered) = self.written.files.iter_mut().find(|f| f.path == file.path) {
            *entered = file;
        }
        Ok(())
    }
}

impl FileWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        let Some((min, max)) = time_bounds(rows, self.file.table.time_column())? else { return Ok(()) };
        self.file.min_time = self.file.min_time.min(Timestamp(min));
        self.file.max_time = self.file.max_time.max(Timestamp(max));
        self.file.rows += rows.num_rows() as u64;
        self.writer.write(rows)?;
        if let (Some(text), Some(bodies)) = (&mut self.text, rows.column_by_name(logs::BODY)) {
            text.push(bodies)?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.file.rows >= FILE_ROWS_MAX || self.raw_bytes >= FILE_RAW_BYTES_MAX
    }
}

/// Rows on their way into one file after the other.
#[derive(Default)]
struct Output {
    pending: Vec<Run>,
    rows: usize,
    bytes: usize,
    writer: Option<FileWriter>,
}

/// Numbers and distributions rest apart, and so do windows: start of the window, if that matters, and whether distributions.
type Route = (i64, bool);

/// Sends runs to where they rest.
pub(crate) struct Routes {
    making: Making,
    /// Seen from when windows are cut; `None` if all rows belong together.
    split: Option<Timestamp>,
    outputs: BTreeMap<Route, Output>,
    /// What earlier passes wrote.
    done: BTreeSet<Route>,
    /// Windows that did not fit into this pass.
    left_over: bool,
    gauge: Arc<Gauge>,
}

impl Routes {
    /// Routes for about `rows` rows. `split`: into windows as they are seen from that moment.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        origin: Origin,
        rows: u64,
        split: Option<Timestamp>,
        gauge: &Arc<Gauge>,
    ) -> Self {
        // A file out of many windows is an intermediate: each of its parts is merged again and indexed then.
        let indexed = origin.table == Table::Logs && origin.level > 0 && split.is_none();
        let rows = usize::try_from(rows.min(FILE_ROWS_MAX)).unwrap_or(usize::MAX);
        let making = Making { shared: Arc::clone(shared), origin, rows, indexed, written: Uncommitted::new(shared) };
        Self {
            making,
            split,
            outputs: BTreeMap::new(),
            done: BTreeSet::new(),
            left_over: false,
            gauge: Arc::clone(gauge),
        }
    }

    /// Takes the next rows of the merge.
    pub(crate) fn push(&mut self, run: Run) -> Result<(), StoreError> {
        let is_distributions = run.of.has_distributions();
        let Some(now) = self.split else { return self.push_to((0, is_distributions), run) };
        let parts = {
            let times = times(&run.of.batch, self.making.origin.table.time_column())?;
            let mut parts: Vec<(i64, usize, usize)> = Vec::new();
            let mut window: Option<Window> = None;
            for (row, time) in times.iter().enumerate().skip(run.start).take(run.len) {
                let time = Timestamp(*time);
                match (&window, parts.last_mut()) {
                    (Some(w), Some((_, _, len))) if w.holds(time, time) => *len += 1,
                    _ => {
                        let of = Window::of(time, now);
                        parts.push((of.start, row, 1));
                        window = Some(of);
                    }
                }
            }
            parts
        };
        for (window, start, len) in parts {
            let route = (window, is_distributions);
            if self.done.contains(&route) {
                continue;
            }
            if !self.outputs.contains_key(&route) && self.outputs.len() >= FLUSH_WINDOWS_MAX {
                self.left_over = true;
                continue;
            }
            self.push_to(route, Run { of: Arc::clone(&run.of), start, len })?;
        }
        Ok(())
    }

    fn push_to(&mut self, route: Route, run: Run) -> Result<(), StoreError> {
        let output = self.outputs.entry(route).or_default();
        output.rows += run.len;
        output.bytes += run.bytes();
        output.pending.push(run);
        if output.rows >= GATHER_ROWS || output.bytes >= GATHER_BYTES {
            emit(&mut self.making, output)?;
            self.bound_writers()?;
        }
        // What is pending keeps whole batches alive, however few of their rows it wants.
        if self.gauge.now() > MERGE_READ_BYTES {
            for output in self.outputs.values_mut() {
                emit(&mut self.making, output)?;
            }
            self.bound_writers()?;
        }
        Ok(())
    }

    /// Ends the largest row groups early if all of them together take too much memory.
    fn bound_writers(&mut self) -> Result<(), StoreError> {
        let mut held: Vec<(usize, &mut FileWriter)> =
            self.outputs.values_mut().filter_map(|o| o.writer.as_mut()).map(|w| (w.writer.held_bytes(), w)).collect();
        let mut total: usize = held.iter().map(|(bytes, _)| bytes).sum();
        self.gauge.note_encoded(total);
        if total <= MERGE_WRITE_BYTES {
            return Ok(());
        }
        held.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, writer) in held {
            if total <= MERGE_WRITE_BYTES / 2 {
                break;
            }
            writer.writer.end_row_group()?;
            total -= bytes;
        }
        Ok(())
    }

    /// Ends a pass over the inputs. Whether another is needed, for windows that were too many.
    pub(crate) fn end_pass(&mut self) -> Result<bool, StoreError> {
        for (route, mut output) in std::mem::take(&mut self.outputs) {
            emit(&mut self.making, &mut output)?;
            if let Some(writer) = output.writer {
                self.making.end(writer)?;
            }
            self.done.insert(route);
        }
        Ok(std::mem::take(&mut self.left_over))
    }

    /// The files.
    pub(crate) fn finish(self) -> Uncommitted {
        self.making.written
    }
}

/// Writes what is pending.
fn emit(making: &mut Making, output: &mut Output) -> Result<(), StoreError> {
    if output.pending.is_empty() {
        return Ok(());
    }
    let batch = gather(&output.pending)?;
    output.pending.clear();
    let raw_bytes = std::mem::take(&mut output.bytes) as u64;
    output.rows = 0;
    let writer = match &mut output.writer {
        Some(writer) => writer,
        None => output.writer.insert(making.begin(&batch)?),
    };
    writer.write(&batch)?;
    writer.raw_bytes += raw_bytes;
    if writer.is_full()
        && let Some(full) = output.writer.take()
    {
        making.end(full)?;
    }
    Ok(())
}
