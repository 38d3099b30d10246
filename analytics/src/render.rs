//! Batches as bytes that others read: JSON, NDJSON, CSV, Arrow, Parquet, or a table of text.
//!
//! The same value reads the same in JSON, NDJSON, CSV and text:
//! - decimals (money, quantities): texts, without trailing zeros, never numbers;
//! - times: RFC 3339 in UTC with `Z`, as many digits of a second as needed (none, 3, 6 or 9);
//! - floats: numbers; NaN and infinities are the texts `NaN`, `Infinity`, `-Infinity`;
//! - integers: numbers; beyond 2^53 - 1, where JavaScript would round, texts (series ids nearly always are);
//! - attribute maps: objects with typed values; label maps: objects of texts; bytes: base64.
//!
//! An error that comes while rows flow ends JSON and NDJSON with an `error` object, so that a reader sees that rows are
//! missing; the other formats break off.

mod cell;
mod write;

use std::io;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::engine::SqlAnswer;
use crate::error::QueryError;
use crate::table::files::{conform, retyped};
use cell::{Cells, Columns};

/// Rows of a row group of a Parquet answer: they are held in memory until it is full.
const ROW_GROUP_ROWS: usize = 64 * 1024;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"columns": [{"name", "type"}], "rows": [{...}]}`.
    Json,
    /// One object per line.
    Ndjson,
    /// RFC 4180 with a header row; NULL is empty, an empty text is `""`.
    Csv,
    /// Arrow IPC stream.
    Arrow,
    /// Parquet.
    Parquet,
    /// A table for people. Written as a whole at the end.
    Table,
}

impl Format {
    /// By its word on the command line.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "json" => Self::Json,
            "ndjson" | "jsonl" => Self::Ndjson,
            "csv" => Self::Csv,
            "arrow" => Self::Arrow,
            "parquet" => Self::Parquet,
            "table" | "text" => Self::Table,
            _ => return None,
        })
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Table => "text/plain; charset=utf-8",
        }
    }

    /// The first format of an `Accept` header that this module writes; JSON if the header is empty or takes anything.
    /// `None` if it takes nothing that this module writes. Weights (`q=`) count, ties go to the first.
    pub fn of_accept(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Json);
        }
        let weighed = accept.split(',').enumerate().filter_map(|(i, range)| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?.to_ascii_lowercase();
            let weight = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok())?;
            let format = match kind.as_str() {
                "application/json" | "application/*" | "*/*" => Self::Json,
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Ndjson,
                "text/csv" => Self::Csv,
                "application/vnd.apache.arrow.stream" => Self::Arrow,
                "application/vnd.apache.parquet" | "application/x-parquet" => Self::Parquet,
                "text/plain" | "text/*" => Self::Table,
                _ => return None,
            };
            (weight > 0.0).then_some((weight, std::cmp::Reverse(i), format))
        });
        weighed.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|(_, _, format)| format)
    }
}

/// Writes batches of one schema, piece by piece: [`Renderer::head`], [`Renderer::batch`] for each, [`Renderer::tail`].
pub struct Renderer {
    format: Format,
    schema: SchemaRef,
    rows: usize,
    arrow: Option<StreamWriter<Vec<u8>>>,
    parquet: Option<(ArrowWriter<Shared>, Shared)>,
    table: Vec<Vec<String>>,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Renderer({:?}, {} rows)", self.format, self.rows)
    }
}

fn failed(e: impl std::fmt::Display) -> QueryError {
    QueryError::Internal(format!("write the answer: {e}"))
}

impl Renderer {
    /// A renderer of batches of `schema`.
    pub fn new(format: Format, schema: SchemaRef) -> Result<Self, QueryError> {
        // Not every reader of Arrow and Parquet knows views.
        let schema = match format {
            Format::Arrow | Format::Parquet => retyped(&schema, &DataType::Utf8View, &DataType::Utf8),
            _ => schema,
        };
        let mut this = Self { format, schema, rows: 0, arrow: None, parquet: None, table: Vec::new() };
        match format {
            Format::Arrow => this.arrow = Some(StreamWriter::try_new(Vec::new(), &this.schema).map_err(failed)?),
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .build();
                let sink = Shared::default();
                let writer = ArrowWriter::try_new(sink.clone(), Arc::clone(&this.schema), Some(properties));
                this.parquet = Some((writer.map_err(failed)?, sink));
            }
            _ => {}
        }
        Ok(this)
    }

    /// What stands before the first row.
    pub fn head(&mut self) -> Vec<u8> {
        match self.format {
            Format::Json => {
                let columns: Vec<Value> = columns_json(&self.schema);
                let mut out = br#"{"columns":"#.to_vec();
                out.extend_from_slice(Value::Array(columns).to_string().as_bytes());
                out.extend_from_slice(br#","rows":["#);
                out
            }
            Format::Csv => {
                let mut out = String::new();
                for (i, field) in self.schema.fields().iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write::csv_text(&mut out, field.name());
                }
                out.push_str("\r\n");
                out.into_bytes()
            }
            Format::Arrow => self.arrow.as_mut().map(|w| std::mem::take(w.get_mut())).unwrap_or_default(),
            Format::Ndjson | Format::Parquet | Format::Table => Vec::new(),
        }
    }

    /// The rows of one batch.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let first = self.rows == 0;
        self.rows += batch.num_rows();
        match self.format {
            Format::Json | Format::Ndjson => {
                let columns = Columns::new(batch)?;
                Ok(write::json_rows(&columns, batch.num_rows(), self.format == Format::Ndjson, first))
            }
            Format::Csv => Ok(write::csv_rows(&Columns::new(batch)?, batch.num_rows())),
            Format::Table => {
                let columns = Columns::new(batch)?;
                self.table.extend((0..batch.num_rows()).map(|row| write::text_row(&columns, row)));
                Ok(Vec::new())
            }
            Format::Arrow => {
                let Some(writer) = &mut self.arrow else { return Err(failed("it was finished")) };
                writer.write(&conform(batch, &self.schema).map_err(failed)?).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Format::Parquet => {
                let Some((writer, sink)) = &mut self.parquet else { return Err(failed("it was finished")) };
                writer.write(&conform(batch, &self.schema).map_err(failed)?).map_err(failed)?;
                Ok(sink.take())
            }
        }
    }

    /// What stands after the last row. With an error only JSON and NDJSON can end well; for others it comes back.
    pub fn tail(&mut self, error: Option<&QueryError>) -> Result<Vec<u8>, QueryError> {
        match (self.format, error) {
            (Format::Json, None) => Ok(b"]}".to_vec()),
            (Format::Json, Some(e)) => Ok(format!("],\"error\":{}}}", error_json(e)).into_bytes()),
            (Format::Ndjson, None) | (Format::Csv, None) => Ok(Vec::new()),
            (Format::Ndjson, Some(e)) => Ok(format!("{}\n", json!({ "error": error_json(e) })).into_bytes()),
            (_, Some(e)) => Err(e.clone()),
            (Format::Table, None) => Ok(write::table(&self.schema, &self.table).into_bytes()),
            (Format::Arrow, None) => {
                let Some(mut writer) = self.arrow.take() else { return Err(failed("it was finished")) };
                writer.finish().map_err(failed)?;
                writer.into_inner().map_err(failed)
            }
            (Format::Parquet, None) => {
                let Some((writer, sink)) = self.parquet.take() else { return Err(failed("it was finished")) };
                writer.close().map_err(failed)?;
                Ok(sink.take())
            }
        }
    }
}

/// An error as JSON answers carry it.
pub fn error_json(error: &QueryError) -> Value {
    let position = error.position().map(|p| json!({ "line": p.line, "column": p.column }));
    json!({ "code": error.code(), "detail": error.to_string(), "hint": error.hint(), "position": position })
}

/// The columns of an answer as JSON: name and type.
pub fn columns_json(schema: &SchemaRef) -> Vec<Value> {
    schema.fields().iter().map(|f| json!({ "name": f.name(), "type": cell::type_name(f) })).collect()
}

/// A whole answer as a stream of bytes. Dropping it ends the query.
pub fn stream(
    answer: SqlAnswer,
    format: Format,
) -> Result<impl Stream<Item = Result<Bytes, QueryError>> + Send, QueryError> {
    let renderer = Renderer::new(format, Arc::clone(&answer.schema))?;
    let state = (renderer, answer.stream, Stage::Head);
    let pieces = futures::stream::unfold(state, |(mut renderer, mut rows, stage)| async move {
        let (piece, next) = match stage {
            Stage::Done => return None,
            Stage::Head => (Ok(renderer.head()), Stage::Rows),
            Stage::Rows => match rows.next().await {
                None => (renderer.tail(None), Stage::Done),
                Some(Err(e)) => (renderer.tail(Some(&e)), Stage::Done),
                Some(Ok(batch)) => match renderer.batch(&batch) {
                    Ok(piece) => (Ok(piece), Stage::Rows),
                    Err(e) => (renderer.tail(Some(&e)), Stage::Done),
                },
            },
        };
        let next = if piece.is_err() { Stage::Done } else { next };
        Some((piece.map(Bytes::from), (renderer, rows, next)))
    });
    Ok(pieces.filter(|piece| std::future::ready(piece.as_ref().map_or(true, |bytes| !bytes.is_empty()))))
}

enum Stage {
    Head,
    Rows,
    Done,
}

/// All rows as JSON objects, for callers that want values (MCP, tests).
pub fn rows_json(batch: &RecordBatch) -> Result<Vec<Value>, QueryError> {
    let columns = Columns::new(batch)?;
    let lines = write::json_rows(&columns, batch.num_rows(), true, true);
    serde_json::Deserializer::from_slice(&lines).into_iter().collect::<Result<_, _>>().map_err(failed)
}

/// Each cell of an array as JSON text; null stays null.
pub(crate) fn json_texts(field: &Field, array: &ArrayRef) -> Result<Vec<Option<String>>, QueryError> {
    let cells = Cells::new(field, array)?;
    let text = |row: usize| {
        let mut out = String::new();
        cells.json(row, &mut out);
        out
    };
    Ok((0..array.len()).map(|row| array.is_valid(row).then(|| text(row))).collect())
}

/// A sink that can be emptied while a writer holds it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
