//! Rows of a JSON bill: objects one after the other, on lines of their own, in one array, or printed over many lines. A cell is
//! the text of a value; a number keeps its digits, so no float ever holds money. The records of a BigQuery export
//! ([`is_record`]) become columns `service.id`; other objects and arrays stay JSON text in one cell.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::BufRead;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::csv_rows::{COLUMNS_MAX, RECORD_BYTES_MAX};
use super::{BillError, canonical};

/// Objects that are read ahead to learn the columns: exports leave out what is null.
const AHEAD_ROWS: usize = 256;
const AHEAD_BYTES: usize = 4 * 1024 * 1024;
/// How often later objects may bring new columns: each time the mapping is made anew.
const GROWTHS_MAX: usize = 100;
/// How deep records are taken apart.
const RECORDS_DEEP_MAX: usize = 4;

/// The fields of a Google Cloud billing export that hold fields of their own, in the form of [`canonical`].
const RECORDS: &[&str] = &[
    "service",
    "sku",
    "project",
    "location",
    "usage",
    "invoice",
    "price",
    "resource",
    "subscription",
    "consumptionmodel",
    "adjustmentinfo",
];

/// Whether a field's own fields become columns.
pub(crate) fn is_record(name: &str) -> bool {
    RECORDS.contains(&canonical(name).as_str())
}

pub(crate) struct JsonRows {
    input: Box<dyn BufRead + Send>,
    /// Lines of the input that were read.
    lines: u64,
    ahead: VecDeque<(u64, String)>,
    header: Vec<String>,
    places: HashMap<String, usize>,
    known: usize,
    growths: usize,
    record: String,
    line: u64,
    broken: Option<String>,
    /// The texts of all cells of the current row, one after the other.
    text: String,
    cells: Vec<Option<(usize, usize)>>,
}

impl JsonRows {
    /// Reads ahead to learn the columns.
    pub(crate) fn open(input: Box<dyn BufRead + Send>) -> Result<Self, BillError> {
        let mut rows = Self {
            input,
            lines: 1,
            ahead: VecDeque::new(),
            header: Vec::new(),
            places: HashMap::new(),
            known: 0,
            growths: 0,
            record: String::new(),
            line: 0,
            broken: None,
            text: String::new(),
            cells: Vec::new(),
        };
        let mut ahead = VecDeque::new();
        let mut bytes = 0;
        while ahead.len() < AHEAD_ROWS && bytes < AHEAD_BYTES {
            let Some((line, record)) = rows.next_record()? else { break };
            bytes += record.len();
            rows.take_apart(&record)?;
            ahead.push_back((line, record));
        }
        if rows.header.is_empty() {
            // Nothing but objects that hold nothing, or that are none.
            return Err(rows.broken.take().map_or(BillError::Empty, BillError::NotJson));
        }
        rows.ahead = ahead;
        rows.known = rows.header.len();
        Ok(rows)
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The header, if the current row has brought new columns.
    pub(crate) fn grown_header(&mut self) -> Option<Vec<String>> {
        let grown = self.header.len() > self.known;
        self.known = self.header.len();
        grown.then(|| self.header.clone())
    }

    /// Moves to the next object; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, BillError> {
        let next = match self.ahead.pop_front() {
            Some(next) => Some(next),
            None => self.next_record()?,
        };
        let Some((line, record)) = next else { return Ok(false) };
        self.line = line;
        self.take_apart(&record)?;
        self.growths += usize::from(self.header.len() > self.known);
        if self.growths > GROWTHS_MAX {
            return Err(BillError::NotJson(format!("the object on line {line} brings new fields once too often")));
        }
        self.record = record;
        Ok(true)
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        let (start, end) = (*self.cells.get(column)?)?;
        self.text.get(start..end)
    }

    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The current object's own text.
    pub(crate) fn record(&self) -> &str {
        &self.record
    }

    /// Why the current object is none.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Cuts the next object out of the stream, with the line on which it begins. What stands between objects (commas, the brackets
    /// of an array) is passed over.
    fn next_record(&mut self) -> Result<Option<(u64, String)>, BillError> {
        let mut record: Vec<u8> = Vec::new();
        let mut line = self.lines;
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        loop {
            let bytes = self.input.fill_buf().map_err(BillError::Read)?;
            if bytes.is_empty() {
                // An object that never ends is a broken one.
                return Ok((!record.is_empty()).then(|| (line, text_of(record))));
            }
            let mut used = 0;
            let mut done = false;
            for b in bytes {
                used += 1;
                self.lines += u64::from(*b == b'\n');
                if depth == 0 {
                    if *b == b'{' {
                        (depth, line) = (1, self.lines);
                        record.push(*b);
                    } else if !b.is_ascii_whitespace() && !matches!(b, b',' | b'[' | b']') {
                        // Anything else up to the end of its line is a row that is no object.
                        (depth, line, in_text) = (usize::MAX, self.lines, false);
                        record.push(*b);
                    }
                    continue;
                }
                if depth == usize::MAX {
                    if *b == b'\n' {
                        done = true;
                        break;
                    }
                    record.push(*b);
                    continue;
                }
                record.push(*b);
                match b {
                    _ if escaped => escaped = false,
                    b'\\' if in_text => escaped = true,
                    b'"' => in_text = !in_text,
                    b'{' | b'[' if !in_text => depth += 1,
                    b'}' | b']' if !in_text => {
                        depth -= 1;
                        if depth == 0 {
                            done = true;
                            break;
                        }
                    }
                    _ => {}
                }
            }
            self.input.consume(used);
            if record.len() as u64 > RECORD_BYTES_MAX {
                let mib = RECORD_BYTES_MAX >> 20;
                let reason = format!("the object on line {line} is longer than {mib} MiB: is a quote not closed?");
                return Err(BillError::NotJson(reason));
            }
            if done {
                return Ok(Some((line, text_of(record))));
            }
        }
    }

    fn take_apart(&mut self, record: &str) -> Result<(), BillError> {
        self.text.clear();
        self.cells.clear();
        self.cells.resize(self.header.len(), None);
        self.broken = None;
        match serde_json::from_str::<Object<'_>>(record) {
            Ok(object) => self.enter(object, "", 0),
            Err(e) => {
                self.broken = Some(format!("not a JSON object: {e}"));
                Ok(())
            }
        }
    }

    fn enter(&mut self, object: Object<'_>, prefix: &str, deep: usize) -> Result<(), BillError> {
        for (name, value) in object.0 {
            let json = value.get();
            let name = if prefix.is_empty() { name } else { Cow::Owned(format!("{prefix}.{name}")) };
            if json.starts_with('{')
                && deep < RECORDS_DEEP_MAX
                && (deep > 0 || is_record(&name))
                && let Ok(inner) = serde_json::from_str::<Object<'_>>(json)
            {
                self.enter(inner, &name, deep + 1)?;
                continue;
            }
            let column = match self.places.get(name.as_ref()) {
                Some(column) => *column,
                None if self.header.len() >= COLUMNS_MAX => {
                    return Err(BillError::NotJson(format!("the objects have more than {COLUMNS_MAX} fields")));
                }
                None => {
                    self.places.insert(name.clone().into_owned(), self.header.len());
                    self.header.push(name.into_owned());
                    self.cells.push(None);
                    self.header.len() - 1
                }
            };
            let start = self.text.len();
            match json {
                "null" => continue,
                quoted if quoted.starts_with('"') => match serde_json::from_str::<Text<'_>>(quoted) {
                    Ok(Text(text)) => self.text.push_str(&text),
                    Err(_) => self.text.push_str(quoted),
                },
                other => self.text.push_str(other),
            }
            self.cells[column] = Some((start, self.text.len()));
        }
        Ok(())
    }
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// A text, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The fields of an object with the JSON text of their values.
pub(crate) struct Object<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
