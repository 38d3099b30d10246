//! One row of a source, whatever holds it: its cells by the number of their column.

use super::csv_rows::CsvRows;
use super::json_rows::JsonRows;
use super::parquet_rows::ParquetRows;
use super::{BillError, totals};

/// The rows of one file.
pub(crate) enum Rows {
    Csv(Box<CsvRows>),
    Json(Box<JsonRows>),
    Parquet(Box<ParquetRows>),
}

impl Rows {
    /// Moves to the next row; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, BillError> {
        match self {
            Self::Csv(r) => r.advance(),
            Self::Json(r) => r.advance(),
            Self::Parquet(r) => r.advance(),
        }
    }

    /// The row that [`Rows::advance`] moved to.
    pub(crate) fn row(&self) -> Row<'_> {
        Row(match self {
            Self::Csv(r) => RowKind::Csv(r),
            Self::Json(r) => RowKind::Json(r),
            Self::Parquet(r) => RowKind::Parquet(r),
        })
    }

    /// The line of a text file on which the row begins.
    pub(crate) fn line(&self) -> Option<u64> {
        match self {
            Self::Csv(r) => Some(r.line),
            Self::Json(r) => Some(r.line()),
            Self::Parquet(_) => None,
        }
    }

    /// Whether bytes of the row were not UTF-8 and have been replaced.
    pub(crate) fn lossy(&self) -> bool {
        matches!(self, Self::Csv(r) if r.lossy)
    }

    /// Why the row cannot be taken apart at all; `None` if it can.
    pub(crate) fn broken(&self) -> Option<&str> {
        match self {
            Self::Json(r) => r.broken(),
            Self::Csv(_) | Self::Parquet(_) => None,
        }
    }

    /// The row as text, cut at the bound.
    pub(crate) fn raw(&self) -> String {
        match self {
            Self::Json(r) => {
                let mut text = r.record().to_owned();
                cut(&mut text);
                text
            }
            Self::Csv(_) | Self::Parquet(_) => self.row().to_csv(),
        }
    }

    /// The header with the columns that came up in the current row for the first time; `None` if there are none.
    pub(crate) fn grown_header(&mut self) -> Option<Vec<String>> {
        match self {
            Self::Json(r) => r.grown_header(),
            Self::Csv(_) | Self::Parquet(_) => None,
        }
    }
}

/// The cells of the current row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r>(RowKind<'r>);

#[derive(Clone, Copy)]
enum RowKind<'r> {
    Csv(&'r CsvRows),
    Json(&'r JsonRows),
    Parquet(&'r ParquetRows),
}

impl<'r> Row<'r> {
    pub(crate) fn len(self) -> usize {
        match self.0 {
            RowKind::Csv(r) => r.len(),
            RowKind::Json(j) => j.len(),
            RowKind::Parquet(p) => p.len(),
        }
    }

    /// A cell as the source has it.
    pub(crate) fn raw(self, column: usize) -> Option<&'r str> {
        match self.0 {
            RowKind::Csv(r) => r.cell(column),
            RowKind::Json(j) => j.cell(column),
            RowKind::Parquet(p) => p.cell(column),
        }
    }

    /// A cell, unless it is empty or spells null.
    pub(crate) fn get(self, column: usize) -> Option<&'r str> {
        self.raw(column).filter(|s| !is_null(s))
    }

    /// The cell of a column that may be absent.
    pub(crate) fn find(self, column: Option<usize>) -> Option<&'r str> {
        self.get(column?)
    }

    /// The row as one line of CSV, cut at the bound.
    fn to_csv(self) -> String {
        let mut out = String::new();
        for i in 0..self.len() {
            if i > 0 {
                out.push(',');
            }
            let cell = self.raw(i).unwrap_or("");
            if cell.contains([',', '"', '\n', '\r']) {
                out.push('"');
                out.push_str(&cell.replace('"', "\"\""));
                out.push('"');
            } else {
                out.push_str(cell);
            }
            if out.len() > totals::RAW_BYTES_MAX {
                break;
            }
        }
        cut(&mut out);
        out
    }
}

fn cut(text: &mut String) {
    if text.len() > totals::RAW_BYTES_MAX {
        let end = (0..=totals::RAW_BYTES_MAX).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        text.truncate(end);
    }
}

/// Whether a cell spells null. FOCUS allows only nothing; exports of databases write `NULL` or `\N`.
fn is_null(cell: &str) -> bool {
    match cell.as_bytes() {
        [] => true,
        // Nearly every cell ends here: what begins neither like a placeholder nor with a blank is none.
        [first, ..] if !matches!(first, b'N' | b'n' | b'\\') && first.is_ascii_graphic() => false,
        _ => {
            let cell = cell.trim();
            cell.is_empty() || cell.eq_ignore_ascii_case("null") || cell == "\\N"
        }
    }
}
