//! Files of telemetry: OTLP as JSON lines, Prometheus and OpenMetrics text, log lines; plain or gzip.
//!
//! A file is read and decoded in bounded chunks on its own thread, and written chunk by chunk: memory does not grow with the
//! file, and what was reported as written is durable.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow_array::RecordBatch;
use flate2::read::MultiGzDecoder;
use grid_decode::decoded::Counts;
use grid_decode::exposition::{Exposition, Format};
use grid_decode::lines::Lines;
use grid_decode::{DecodeContext, DecodeError, Decoded, otlp_logs, otlp_metrics, otlp_traces};
use grid_model::reject::{REJECT_TEXTS_MAX, Reject, Rejects};
use grid_model::table::logs::LogOrigin;
use grid_model::{Labels, Table, TenantId, Write};
use grid_store::{AppendError, Clock, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::accept::{IngestOptions, append};
use crate::documents::{Cut, Documents};
use crate::metadata_seen::MetadataSeen;

/// How much of a file is decoded at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes of rows that documents of one chunk gather before they are handed on.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many decoded chunks may wait for the store.
const CHUNKS_WAITING_MAX: usize = 4;
/// How much of a file's end tells its format.
const TAIL_BYTES: usize = 256;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// OTLP JSON, or the text formats of Prometheus and OpenMetrics.
    Metrics,
    /// OTLP JSON, or lines: plain or one JSON object each.
    Logs {
        /// The service of lines that name none; empty if unknown.
        service: String,
        /// Labels of the lines' stream.
        labels: Labels,
    },
    /// OTLP JSON.
    Traces,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read so far, as they rest on disk.
    pub bytes_read: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// Items written so far.
    pub items: u64,
    /// Items rejected so far.
    pub rejected: u64,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileReport {
    /// The format that was found, as users call it.
    pub format: &'static str,
    /// Bytes of the file.
    pub bytes: u64,
    /// What is now durable and visible.
    pub counts: Counts,
    /// What is not; positions are lines of the file.
    pub rejects: Rejects,
}

/// Why an import stopped. What was reported by then as written stays.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Nothing of the file is of a known format.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        #[source]
        source: DecodeError,
    },
    /// The store refused.
    #[error("write rows")]
    Append(#[from] AppendError),
    /// The decoding thread is gone.
    #[error("decoder failed")]
    Decoder,
}

/// Imports files into a store; needs no server.
#[derive(Clone)]
pub struct FileImporter {
    store: Store,
    options: IngestOptions,
    clock: Clock,
    metadata_seen: Arc<MetadataSeen>,
}

impl FileImporter {
    /// An importer into `store`.
    pub fn new(store: Store, options: IngestOptions, clock: Clock) -> Self {
        Self { store, options, clock, metadata_seen: Arc::default() }
    }

    /// Reads, decodes and writes a file; `progress` is called after every chunk written.
    pub async fn import(
        &self,
        tenant: &TenantId,
        path: &Path,
        signal: Signal,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<FileReport, FileError> {
        let (mut chunks, reader) = decode_file(path, signal, self.options.clone(), Arc::clone(&self.clock));
        let mut report = FileReport::default();
        while let Some(Chunk { decoded, bytes_read, bytes_total }) = chunks.recv().await {
            let accepted = append(&self.store, &self.metadata_seen, (self.clock)(), tenant, decoded, true).await?;
            add(&mut report.counts, &accepted.counts);
            merge(&mut report.rejects, accepted.rejects);
            progress(Progress {
                bytes_read,
                bytes_total,
                items: items(&report.counts),
                rejected: report.rejects.count,
            });
        }
        let (format, bytes) = reader.await.map_err(|_| FileError::Decoder)??;
        if items(&report.counts) == 0
            && let Some(first) = report.rejects.first.first()
        {
            let reason = format!("line {}: {}", first.position, first.reason);
            return Err(FileError::Format { path: path.to_owned(), source: DecodeError { format, reason } });
        }
        Ok(FileReport { format, bytes, ..report })
    }
}

/// Batches of one table as one: a chunk of JSON lines holds thousands of small ones, each of which would cost the log and
/// the buffer more than its rows.
fn joined(batches: Vec<(Table, RecordBatch)>) -> Vec<(Table, RecordBatch)> {
    let mut groups: Vec<(Table, SchemaRef, Vec<RecordBatch>)> = Vec::new();
    for (table, batch) in batches {
        match groups.iter_mut().find(|(t, schema, _)| *t == table && *schema == batch.schema()) {
            Some((_, _, same)) => same.push(batch),
            None => groups.push((table, batch.schema(), vec![batch])),
        }
    }
    let mut out = Vec::with_capacity(groups.len());
    for (table, schema, same) in groups {
        match concat_batches(&schema, &same) {
            Ok(batch) => out.push((table, batch)),
            // Columns beyond Arrow's limit of bytes stay as they are.
            Err(_) => out.extend(same.into_iter().map(|batch| (table, batch))),
        }
    }
    out
}

fn items(c: &Counts) -> u64 {
    c.samples + c.histograms + c.exemplars + c.metadata + c.logs + c.spans
}

fn add(sum: &mut Counts, more: &Counts) {
    sum.samples += more.samples;
    sum.histograms += more.histograms;
    sum.exemplars += more.exemplars;
    sum.metadata += more.metadata;
    sum.logs += more.logs;
    sum.spans += more.spans;
}

fn merge(rejects: &mut Rejects, more: Rejects) {
    rejects.count += more.count;
    let room = REJECT_TEXTS_MAX.saturating_sub(rejects.first.len());
    rejects.first.extend(more.first.into_iter().take(room));
}

/// A decoded part of a file.
#[derive(Debug)]
pub struct Chunk {
    /// Its rows and rejects.
    pub decoded: Decoded,
    /// Bytes of the file read so far, as they rest on disk.
    pub bytes_read: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
}

/// Format and size of a file that was read to its end.
pub type FileEnd = Result<(&'static str, u64), FileError>;

/// Reads and decodes a file without writing it: for a check, or to send it elsewhere. The task answers format and size; it
/// ends early when the receiver is dropped.
pub fn decode_file(
    path: &Path,
    signal: Signal,
    options: IngestOptions,
    clock: Clock,
) -> (mpsc::Receiver<Chunk>, JoinHandle<FileEnd>) {
    let (send, chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
    let path = path.to_owned();
    (chunks, tokio::task::spawn_blocking(move || read_file(&path, signal, &options, &clock, &send)))
}

/// One of the decoders that read a file chunk by chunk.
enum Decoder {
    Text(Box<Exposition>),
    Lines(Box<Lines>),
    Json(Documents, JsonDecode),
}

type JsonDecode = fn(&[u8], &IngestOptions, &DecodeContext<'_>) -> Result<Decoded, DecodeError>;

fn json_metrics(bytes: &[u8], options: &IngestOptions, context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    otlp_metrics::decode_json(bytes, &options.otlp, context)
}

fn json_logs(bytes: &[u8], options: &IngestOptions, context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    otlp_logs::decode_json(bytes, &options.otlp, context)
}

fn json_traces(bytes: &[u8], _: &IngestOptions, context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    otlp_traces::decode_json(bytes, context)
}

/// Reads a whole file on this thread; answers its format and size.
fn read_file(
    path: &Path,
    signal: Signal,
    options: &IngestOptions,
    clock: &Clock,
    send: &mpsc::Sender<Chunk>,
) -> FileEnd {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = open(path).map_err(failed)?;
    let bytes_total = file.bytes_total;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut filled = fill(&mut file, &mut chunk).map_err(failed)?;
    let (decoder, format) = choose(signal, &chunk[..filled], path).map_err(failed)?;
    let mut decoder = Some(decoder);
    // Each line of OTLP JSON repeats what it says about its metrics.
    let metadata_seen = MetadataSeen::default();
    while let Some(mut reading) = decoder.take() {
        let context = DecodeContext { now: clock(), limits: &options.limits };
        let mut parts = reading.feed(&chunk[..filled], options, &context);
        if filled < chunk.len() {
            parts.push(reading.finish(&context));
        } else {
            decoder = Some(reading);
            filled = fill(&mut file, &mut chunk).map_err(failed)?;
        }
        let bytes_read = if decoder.is_some() { file.bytes_read() } else { bytes_total };
        for mut decoded in parts {
            let (write, fresh) = metadata_seen.without_known(&TenantId::default_tenant(), context.now, decoded.write);
            metadata_seen.remember(context.now, fresh);
            decoded.write = Write { batches: joined(write.batches), ..write };
            if send.blocking_send(Chunk { decoded, bytes_read, bytes_total }).is_err() {
                // The receiver has stopped and knows why.
                return Ok((format, bytes_total));
            }
        }
    }
    Ok((format, bytes_total))
}

/// Which decoder reads a file that begins with `head`.
fn choose(signal: Signal, head: &[u8], path: &Path) -> io::Result<(Decoder, &'static str)> {
    let otlp = |decode: JsonDecode| (Decoder::Json(Documents::default(), decode), "OTLP JSON");
    let begins_with_json = head.trim_ascii_start().first() == Some(&b'{');
    let names = |key: &[u8]| head.windows(key.len()).any(|w| w == key);
    Ok(match signal {
        Signal::Traces => otlp(json_traces),
        Signal::Metrics if begins_with_json => otlp(json_metrics),
        Signal::Metrics => {
            let format = Format::of_text(&tail(path)?);
            let name = if format == Format::OpenMetrics { "OpenMetrics text" } else { "Prometheus text" };
            (Decoder::Text(Box::new(Exposition::new(format))), name)
        }
        Signal::Logs { .. } if begins_with_json && (names(b"\"resourceLogs\"") || names(b"\"resource_logs\"")) => {
            otlp(json_logs)
        }
        Signal::Logs { service, labels } => {
            (Decoder::Lines(Box::new(Lines::new(origin_of_lines(service, labels)))), "log lines")
        }
    })
}

fn origin_of_lines(service: String, labels: Labels) -> LogOrigin {
    let mut pairs: Vec<(String, String)> = labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    if !service.is_empty() && labels.get("service_name").is_none() {
        pairs.push(("service_name".to_owned(), service.clone()));
    }
    // One label more, of a name that was not there, cannot occur twice.
    let labels = Labels::new(pairs).unwrap_or(labels);
    LogOrigin { stream_id: labels.hash64(), labels, service, ..LogOrigin::default() }
}

impl Decoder {
    fn feed(&mut self, chunk: &[u8], options: &IngestOptions, context: &DecodeContext<'_>) -> Vec<Decoded> {
        match self {
            Self::Text(text) => vec![text.feed(chunk, context)],
            Self::Lines(lines) => vec![lines.feed(chunk, context)],
            Self::Json(documents, decode) => {
                let mut out = vec![Decoded::default()];
                let mut held_bytes = 0;
                documents.feed(chunk, |cut| {
                    if held_bytes > HELD_BYTES_MAX {
                        out.push(Decoded::default());
                        held_bytes = 0;
                    }
                    let Some(last) = out.last_mut() else { return };
                    match cut {
                        Cut::Refused(line, why) => last.rejects.push(line, why),
                        Cut::Document(line, bytes) => match decode(bytes, options, context) {
                            Ok(decoded) => held_bytes += absorb(last, line, decoded),
                            Err(e) => last.rejects.push(line, e.to_string()),
                        },
                    }
                });
                out
            }
        }
    }

    fn finish(self, context: &DecodeContext<'_>) -> Decoded {
        match self {
            Self::Text(text) => text.finish(context),
            Self::Lines(lines) => lines.finish(context),
            Self::Json(documents, _) => {
                let mut out = Decoded::default();
                documents.finish(|cut| {
                    if let Cut::Refused(line, why) = cut {
                        out.rejects.push(line, why);
                    }
                });
                out
            }
        }
    }
}

/// Adds what a document holds that begins on `line`; answers its bytes.
fn absorb(out: &mut Decoded, line: u64, decoded: Decoded) -> usize {
    let mut collides = false;
    for (_, key) in decoded.write.series.iter() {
        collides |= out.write.series.add_key(key).is_none();
    }
    if collides {
        out.rejects.push(line, "a series of this document has the 64-bit id of another");
        return 0;
    }
    let bytes = decoded.write.batches.iter().map(|(_, b)| b.get_array_memory_size()).sum();
    out.write.batches.extend(decoded.write.batches);
    add(&mut out.counts, &decoded.counts);
    let at_line = |r: Reject| Reject { position: line, reason: format!("item {}: {}", r.position, r.reason) };
    let first = decoded.rejects.first.into_iter().map(at_line).collect();
    merge(&mut out.rejects, Rejects { count: decoded.rejects.count, first });
    bytes
}

/// A file, inflated if it is gzip, that knows how far it was read on disk.
struct Source {
    reader: Box<dyn Read>,
    read: Arc<std::sync::atomic::AtomicU64>,
    bytes_total: u64,
}

impl Source {
    fn bytes_read(&self) -> u64 {
        self.read.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

struct Counted<R>(R, Arc<std::sync::atomic::AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.fetch_add(n as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(n)
    }
}

fn open(path: &Path) -> io::Result<Source> {
    let (file, gzip) = open_raw(path)?;
    let bytes_total = file.metadata()?.len();
    let read = Arc::default();
    let counted = BufReader::new(Counted(file, Arc::clone(&read)));
    let reader: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
    Ok(Source { reader, read, bytes_total })
}

/// A file at its start, and whether it is gzip.
fn open_raw(path: &Path) -> io::Result<(File, bool)> {
    /// What every gzip file begins with (RFC 1952).
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let mut magic = [0; 2];
    let mut file = File::open(path)?;
    let gzip = fill(&mut file, &mut magic)? == GZIP.len() && magic == GZIP;
    file.rewind()?;
    Ok((file, gzip))
}

/// The last bytes of a file, inflated.
fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, gzip) = open_raw(path)?;
    let mut tail = Vec::new();
    if !gzip {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(TAIL_BYTES as u64)))?;
        file.take(TAIL_BYTES as u64).read_to_end(&mut tail)?;
        return Ok(tail);
    }
    let mut file = open(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = fill(&mut file, &mut chunk)?;
        tail.extend_from_slice(&chunk[n.saturating_sub(TAIL_BYTES)..n]);
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
        if n < chunk.len() {
            return Ok(tail);
        }
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
