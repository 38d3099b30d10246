//! Rows as JSON, CSV and text.

use arrow::datatypes::SchemaRef;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use grid_model::attr::write_json_string;

use super::cell::{Columns, Kind};

/// Objects, one per line or separated by commas; `first`: no row was written before.
pub(super) fn json_rows(columns: &Columns, rows: usize, lines: bool, first: bool) -> Vec<u8> {
    let mut names = Vec::with_capacity(columns.columns.len());
    for (i, (name, _)) in columns.columns.iter().enumerate() {
        let mut text = String::from(if i == 0 { "{" } else { "," });
        write_json_string(&mut text, name);
        text.push(':');
        names.push(text);
    }
    let mut out = String::with_capacity(rows * 32 * columns.columns.len().max(1));
    for row in 0..rows {
        if !(lines || first && row == 0) {
            out.push(',');
        }
        if names.is_empty() {
            out.push('{');
        }
        for (name, (_, cells)) in names.iter().zip(&columns.columns) {
            out.push_str(name);
            cells.json(row, &mut out);
        }
        out.push('}');
        if lines {
            out.push('\n');
        }
    }
    out.into_bytes()
}

/// Records of RFC 4180.
pub(super) fn csv_rows(columns: &Columns, rows: usize) -> Vec<u8> {
    let mut out = String::with_capacity(rows * 16 * columns.columns.len().max(1));
    let mut cell = String::new();
    for row in 0..rows {
        for (i, (_, cells)) in columns.columns.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            cell.clear();
            if cells.plain(row, &mut cell) != Kind::Null {
                csv_text(&mut out, &cell);
            }
        }
        out.push_str("\r\n");
    }
    out.into_bytes()
}

/// A field of a record: quoted if it must be, or if it is empty (NULL is empty without quotes).
pub(super) fn csv_text(out: &mut String, text: &str) {
    if text.is_empty() || text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

/// The cells of one row for a table of text.
pub(super) fn text_row(columns: &Columns, row: usize) -> Vec<String> {
    let text = |cells: &super::cell::Cells| {
        let mut out = String::new();
        if cells.plain(row, &mut out) == Kind::Null {
            out.push_str("NULL");
        }
        out
    };
    columns.columns.iter().map(|(_, cells)| text(cells)).collect()
}

/// A table of text with a header and the number of rows.
pub(super) fn table(schema: &SchemaRef, rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header(schema.fields().iter().map(|f| f.name().clone()));
    for row in rows {
        table.add_row(row.iter().map(String::as_str));
    }
    for (i, field) in schema.fields().iter().enumerate() {
        if field.data_type().is_numeric()
            && let Some(column) = table.column_mut(i)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let count = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
    format!("{table}\n{count}\n")
}
