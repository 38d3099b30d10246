//! Rows of a text bill, plain or gzipped, as a stream: memory is bounded by the longest record, not by the file. What kind of
//! text it is, its first byte says; CSV is read here, JSON in [`super::json_rows`].

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, StringRecord};
use flate2::bufread::MultiGzDecoder;

use super::BillError;
use super::json_rows::JsonRows;

/// Longest record in bytes. A quote that is never closed makes the rest of a file one record; this bounds it.
pub const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 10_000;
const READ_BYTES: usize = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Refuses to read on when one record has taken more than its share.
struct Capped<R> {
    inner: R,
    since_record: Arc<AtomicU64>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.since_record.load(Ordering::Relaxed) > RECORD_BYTES_MAX {
            let reason = format!("a record is longer than {} MiB: is a quote not closed?", RECORD_BYTES_MAX >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let n = self.inner.read(buf)?;
        self.since_record.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

pub(crate) struct CsvRows {
    reader: csv::Reader<Capped<Box<dyn Read + Send>>>,
    since_record: Arc<AtomicU64>,
    record: StringRecord,
    pub(crate) line: u64,
    /// Whether bytes of the current record were not UTF-8 and have been replaced.
    pub(crate) lossy: bool,
}

/// Rows of a text file, with the names of their columns.
pub(crate) enum TextRows {
    Csv(CsvRows, Vec<String>),
    Json(JsonRows, Vec<String>),
}

impl TextRows {
    /// Opens a stream, gzipped or not, and reads its header.
    pub(crate) fn open(input: Box<dyn Read + Send>) -> Result<Self, BillError> {
        let mut plain = BufReader::with_capacity(READ_BYTES, input);
        let head = plain.fill_buf().map_err(BillError::Read)?;
        let mut text: BufReader<Box<dyn Read + Send>> = if head.starts_with(&GZIP_MAGIC) {
            BufReader::with_capacity(READ_BYTES, Box::new(MultiGzDecoder::new(plain)))
        } else {
            BufReader::with_capacity(READ_BYTES, Box::new(plain))
        };
        let head = text.fill_buf().map_err(BillError::Read)?;
        if head.is_empty() {
            return Err(BillError::Empty);
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(BillError::NotCsv("the text is UTF-16; save it as UTF-8".to_owned()));
        }
        if head.starts_with(b"PK\x03\x04") {
            return Err(BillError::NotCsv("this is a zip archive or a spreadsheet; unpack it to CSV".to_owned()));
        }
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            text.consume(3);
        }
        // No name of a column begins with a brace.
        let first = text.fill_buf().map_err(BillError::Read)?.trim_ascii_start().first();
        if matches!(first, Some(b'{' | b'[')) {
            let rows = JsonRows::open(Box::new(text))?;
            let header = rows.header().to_vec();
            return Ok(Self::Json(rows, header));
        }
        CsvRows::open(text).map(|(rows, header)| Self::Csv(rows, header))
    }
}

impl CsvRows {
    fn open(text: BufReader<Box<dyn Read + Send>>) -> Result<(Self, Vec<String>), BillError> {
        let since_record = Arc::new(AtomicU64::new(0));
        let capped = Capped { inner: Box::new(text) as Box<dyn Read + Send>, since_record: Arc::clone(&since_record) };
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(capped);
        let mut rows = Self { reader, since_record, record: StringRecord::new(), line: 0, lossy: false };
        if !rows.advance()? {
            return Err(BillError::Empty);
        }
        if rows.record.len() > COLUMNS_MAX {
            return Err(BillError::NotCsv(format!("the header has more than {COLUMNS_MAX} columns")));
        }
        let header = rows.record.iter().map(|name| name.trim().to_owned()).collect();
        Ok((rows, header))
    }

    /// Moves to the next record; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, BillError> {
        let mut bytes: ByteRecord = std::mem::take(&mut self.record).into_byte_record();
        self.since_record.store(0, Ordering::Relaxed);
        let more = self.reader.read_byte_record(&mut bytes).map_err(read_error)?;
        self.line = bytes.position().map_or(0, csv::Position::line);
        (self.record, self.lossy) = match StringRecord::from_byte_record(bytes) {
            Ok(record) => (record, false),
            Err(e) => (StringRecord::from_byte_record_lossy(e.into_byte_record()), true),
        };
        Ok(more)
    }

    pub(crate) fn record(&self) -> &StringRecord {
        &self.record
    }
}

fn read_error(e: csv::Error) -> BillError {
    match e.into_kind() {
        csv::ErrorKind::Io(e) => BillError::Read(e),
        other => BillError::NotCsv(format!("{other:?}")),
    }
}
