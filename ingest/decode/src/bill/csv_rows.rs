//! Rows of a text bill, plain or gzipped, as a stream: memory is bounded by the longest record, not by the file. What kind of
//! text it is, its first byte says; CSV is split here ([`split`]), JSON in [`super::json_rows`].
//!
//! CSV is split cell by cell with a search for the next comma or line end, and checked for UTF-8 once per record: an automaton that
//! looks at every byte takes several times as long, and was a third of an import.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memchr3};

use super::BillError;
use super::json_rows::JsonRows;

/// Longest record in bytes. A quote that is never closed makes the rest of a file one record; this bounds it.
pub const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 10_000;
const READ_BYTES: usize = 64 * 1024;
/// What is read at once, and the window that records are split in.
const WINDOW_BYTES: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

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
        CsvRows::open(Box::new(text)).map(|(rows, header)| Self::Csv(rows, header))
    }
}

/// The records of a CSV file.
pub(crate) struct CsvRows {
    input: Box<dyn Read + Send>,
    window: Vec<u8>,
    /// The part of the window that is read and not yet split.
    unread: (usize, usize),
    at_end: bool,
    /// The line on which the next record begins.
    next_line: u64,
    /// The line on which the current record begins, the header being line 1.
    pub(crate) line: u64,
    /// The current record, and behind it the cells that had to be copied.
    text: String,
    cells: Vec<Cell>,
    copied: Vec<u8>,
    /// Whether bytes of the current record were not UTF-8 and have been replaced.
    pub(crate) lossy: bool,
}

/// Where a cell's text is: in the record, or among the copied cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: usize,
    end: usize,
    copied: bool,
}

impl CsvRows {
    fn new(input: Box<dyn Read + Send>, window_bytes: usize) -> Self {
        Self {
            input,
            window: vec![0; window_bytes],
            unread: (0, 0),
            at_end: false,
            next_line: 1,
            line: 0,
            text: String::new(),
            cells: Vec::new(),
            copied: Vec::new(),
            lossy: false,
        }
    }

    fn open(input: Box<dyn Read + Send>) -> Result<(Self, Vec<String>), BillError> {
        let mut rows = Self::new(input, WINDOW_BYTES);
        if !rows.advance()? {
            return Err(BillError::Empty);
        }
        if rows.cells.len() > COLUMNS_MAX {
            return Err(BillError::NotCsv(format!("the header has more than {COLUMNS_MAX} columns")));
        }
        let header = (0..rows.len()).map(|i| rows.cell(i).unwrap_or_default().trim().to_owned()).collect();
        Ok((rows, header))
    }

    /// Moves to the next record; false at the end. Empty lines are none.
    pub(crate) fn advance(&mut self) -> Result<bool, BillError> {
        loop {
            let (start, end) = self.unread;
            let blank = self.window[start..end].iter().take_while(|b| matches!(b, b'\n' | b'\r'));
            let mut skipped = 0;
            for b in blank {
                skipped += 1;
                self.next_line += u64::from(*b == b'\n');
            }
            self.unread.0 += skipped;
            if self.unread.0 < end {
                break;
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
        loop {
            let (start, end) = self.unread;
            self.cells.clear();
            self.copied.clear();
            if let Some(length) = split(&self.window[start..end], self.at_end, &mut self.cells, &mut self.copied) {
                self.line = self.next_line;
                self.take(start, start + length);
                self.unread.0 = start + length;
                return Ok(true);
            }
            self.fill()?;
        }
    }

    /// Takes a record over out of the window.
    fn take(&mut self, start: usize, end: usize) {
        let record = &self.window[start..end];
        self.next_line += memchr_iter(b'\n', record).count() as u64;
        self.text.clear();
        self.lossy = false;
        match (std::str::from_utf8(record), std::str::from_utf8(&self.copied)) {
            (Ok(record), Ok(copied)) => {
                let behind = record.len();
                self.text.push_str(record);
                self.text.push_str(copied);
                for cell in self.cells.iter_mut().filter(|c| c.copied) {
                    *cell = Cell { start: cell.start + behind, end: cell.end + behind, copied: false };
                }
            }
            _ => {
                self.lossy = true;
                for cell in &mut self.cells {
                    let from = if cell.copied { self.copied.as_slice() } else { record };
                    let at = self.text.len();
                    self.text.push_str(&String::from_utf8_lossy(&from[cell.start..cell.end]));
                    *cell = Cell { start: at, end: self.text.len(), copied: false };
                }
            }
        }
    }

    /// Reads more behind what is unread; false at the end of the input.
    fn fill(&mut self) -> Result<bool, BillError> {
        if self.at_end {
            return Ok(false);
        }
        let (start, end) = self.unread;
        if start > 0 {
            self.window.copy_within(start..end, 0);
            self.unread = (0, end - start);
        } else if end == self.window.len() {
            if self.window.len() as u64 >= RECORD_BYTES_MAX {
                let reason = format!("a record is longer than {} MiB: is a quote not closed?", RECORD_BYTES_MAX >> 20);
                return Err(BillError::Read(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
            self.window.resize((self.window.len() * 2).min(RECORD_BYTES_MAX as usize), 0);
        }
        // All of the room, so that a record that does not fit is split anew only when there is much more of it.
        while self.unread.1 < self.window.len() {
            match self.input.read(&mut self.window[self.unread.1..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => self.unread.1 += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(BillError::Read(e)),
            }
        }
        Ok(self.unread.0 < self.unread.1 || !self.at_end)
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        let cell = self.cells.get(column)?;
        self.text.get(cell.start..cell.end)
    }
}

/// Splits the record at the beginning of `bytes`; answers its length without the line end, or `None` if it goes on behind them.
///
/// A cell that begins with a quote ends with one; two quotes in it are one. What stands between the closing quote and the comma
/// belongs to the cell, and elsewhere quotes are themselves.
fn split(bytes: &[u8], at_end: bool, cells: &mut Vec<Cell>, copied: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = if bytes.get(at) == Some(&b'"') {
            quoted(bytes, at, at_end, cells, copied)?
        } else {
            let end = cell_end(bytes, at, at_end)?;
            cells.push(Cell { start: at, end, copied: false });
            end
        };
        if bytes.get(end) != Some(&b',') {
            return Some(end);
        }
        at = end + 1;
    }
}

/// The next comma or line end.
fn cell_end(bytes: &[u8], at: usize, at_end: bool) -> Option<usize> {
    match memchr3(b',', b'\n', b'\r', &bytes[at..]) {
        Some(n) => Some(at + n),
        None => at_end.then_some(bytes.len()),
    }
}

/// Takes a cell that begins with a quote; answers where it ends.
fn quoted(bytes: &[u8], at: usize, at_end: bool, cells: &mut Vec<Cell>, copied: &mut Vec<u8>) -> Option<usize> {
    let copy = copied.len();
    let mut from = at + 1;
    let close = loop {
        let Some(n) = memchr(b'"', &bytes[from..]) else {
            // A quote that is not closed holds the rest of the file.
            if !at_end {
                return None;
            }
            break bytes.len();
        };
        let quote = from + n;
        match bytes.get(quote + 1) {
            None if !at_end => return None,
            Some(b'"') => {
                // Up to this point a cell without such pairs would not have been copied.
                copied.extend_from_slice(&bytes[if copied.len() == copy { at + 1 } else { from }..=quote]);
                from = quote + 2;
            }
            _ => break quote,
        }
    };
    let is_copied = copied.len() > copy;
    let after = (close + 1).min(bytes.len());
    let end = cell_end(bytes, after, at_end)?;
    if is_copied || end > after {
        copied.extend_from_slice(&bytes[if is_copied { from } else { at + 1 }..close]);
        copied.extend_from_slice(&bytes[after..end]);
        cells.push(Cell { start: copy, end: copied.len(), copied: true });
    } else {
        cells.push(Cell { start: at + 1, end: close, copied: false });
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Hands out a text in pieces of one length.
    struct Pieces(Vec<u8>, usize);

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(self.1).min(buf.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    fn ours(text: &[u8], piece: usize, window: usize) -> Vec<Vec<String>> {
        let mut rows = CsvRows::new(Box::new(Pieces(text.to_vec(), piece)), window);
        let mut out = Vec::new();
        while rows.advance().unwrap() {
            out.push((0..rows.len()).map(|i| rows.cell(i).unwrap().to_owned()).collect());
        }
        out
    }

    fn theirs(text: &[u8]) -> Vec<Vec<String>> {
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        let cells = |record: csv::ByteRecord| record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        reader.into_byte_records().map(|r| cells(r.unwrap())).collect()
    }

    #[test]
    fn records_of_all_kinds() {
        for (text, expected) in [
            ("a,b\n1,2", "a|b / 1|2"),
            ("a,\n,b\r\n,\r", "a| / |b / |"),
            ("\n\n\"a\"\"b\",\"c,\nd\"\n", "a\"b|c,\nd"),
            ("\"a\"x\"y,b\n", "ax\"y|b"),
            ("\"a\"\"\"x,b\n", "a\"x|b"),
            ("a\"b\"\"c,d", "a\"b\"\"c|d"),
            ("\"open, and\nmore", "open, and\nmore"),
            ("\"\",\"\"\"\"", "|\""),
        ] {
            let shown = ours(text.as_bytes(), 3, 4).iter().map(|r| r.join("|")).collect::<Vec<_>>().join(" / ");
            assert_eq!(shown, expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn splits_as_the_csv_crate_does(text in "[a\",\r\né]{0,40}", piece in 1..9_usize, window in 1..9_usize) {
            prop_assert_eq!(ours(text.as_bytes(), piece, window), theirs(text.as_bytes()));
        }
        #[test]
        fn splits_any_bytes_alike(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b',')], 0..60)) {
            prop_assert_eq!(ours(&bytes, 7, 5), theirs(&bytes));
        }
    }
}
