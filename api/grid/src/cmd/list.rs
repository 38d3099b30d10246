//! Lists out of JSON answers: a table for people, CSV, or the answer itself.

use serde_json::Value;

use crate::args::ListFormat;
use crate::out;

/// Decimals of a number in a table.
const DECIMALS_SHOWN: usize = 6;

/// Columns of a list: heading and field.
pub(crate) type Columns = &'static [(&'static str, &'static str)];

/// Prints `items` by columns; as JSON the whole answer, which says more.
pub(crate) fn print(format: ListFormat, answer: &Value, items: &Value, columns: Columns) -> anyhow::Result<()> {
    let rows = items.as_array().into_iter().flatten().map(|item| columns.iter().map(|(_, field)| cell(&item[*field])));
    match format {
        ListFormat::Json => out::line(&serde_json::to_string_pretty(answer)?)?,
        ListFormat::Csv => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(columns.iter().map(|(_, field)| *field))?;
            for row in rows {
                writer.write_record(row)?;
            }
            out::bytes(&writer.into_inner()?)?;
        }
        ListFormat::Table => {
            let mut table = comfy_table::Table::new();
            table.load_preset(comfy_table::presets::NOTHING);
            table.set_header(columns.iter().map(|(heading, _)| *heading));
            for row in rows {
                table.add_row(row.map(shorten));
            }
            out::line(&table.to_string())?;
        }
    }
    Ok(())
}

/// A decimal as people read it: long tails of quotients are cut and say so. JSON and CSV carry every digit.
fn shorten(text: String) -> String {
    match text.split_once('.') {
        Some((whole, decimals))
            if decimals.len() > DECIMALS_SHOWN
                && [whole.trim_start_matches('-'), decimals].concat().bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{whole}.{}…", &decimals[..DECIMALS_SHOWN])
        }
        _ => text,
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(pairs) => {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect();
            pairs.join(" ")
        }
        other => other.to_string(),
    }
}
