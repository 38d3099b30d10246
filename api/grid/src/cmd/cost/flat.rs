//! Flat lists of objects as a table, CSV or JSON: the members of the first are the columns.

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::out;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// As the API answers
    Json,
    /// With a header, exact
    Csv,
}

/// Prints items; `columns` names those of a table, in order, where not all of them fit.
pub(super) fn print(items: &[Value], columns: Option<&[&str]>, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return Ok(out::line(&serde_json::to_string_pretty(items)?)?);
    }
    let mut all: Vec<String> = items.first().and_then(Value::as_object).map(names).unwrap_or_default();
    all.sort_by_key(|name| place(name));
    let chosen: Vec<String> = match columns {
        Some(columns) if format == Format::Table => columns.iter().map(|c| (*c).to_owned()).collect(),
        _ => all,
    };
    let cells = |item: &Value| -> Vec<String> { chosen.iter().map(|c| text(&item[c])).collect() };
    if format == Format::Csv {
        out::line(&line(&chosen))?;
        return items.iter().try_for_each(|item| Ok(out::line(&line(&cells(item)))?));
    }
    if items.is_empty() {
        out::say("nothing");
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(&chosen);
    for item in items {
        table.add_row(cells(item));
    }
    Ok(out::line(&table.to_string())?)
}

/// Where a column stands: what it is first, then dimensions by name, then numbers, the most important one before what explains it.
fn place(name: &str) -> usize {
    const FIRST: [&str; 12] = [
        "name", "state", "time", "label", "period", "currency", "service", "item", "resource", "region", "account",
        "basis",
    ];
    const LAST: [&str; 28] = [
        "amount",
        "spent",
        "spent_percent",
        "left",
        "actual",
        "actual_days",
        "to_come",
        "seconds",
        "hourly",
        "predicted",
        "billed",
        "before",
        "cost",
        "total",
        "low",
        "high",
        "forecast",
        "forecast_percent",
        "change",
        "change_percent",
        "error",
        "error_percent",
        "moving_mean",
        "effect",
        "level_percent",
        "history_days",
        "partial",
        "provisional",
    ];
    let first = FIRST.iter().position(|n| *n == name);
    first.or_else(|| LAST.iter().position(|n| *n == name).map(|i| 100 + i)).unwrap_or(50)
}

/// Members that are one value.
fn names(object: &Map<String, Value>) -> Vec<String> {
    object.iter().filter(|(_, v)| !v.is_object() && !v.is_array()).map(|(k, _)| k.clone()).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of CSV (RFC 4180).
fn line(fields: &[String]) -> String {
    let quoted = fields.iter().map(|f| {
        if f.contains([',', '"', '\n', '\r']) { format!("\"{}\"", f.replace('"', "\"\"")) } else { f.clone() }
    });
    quoted.collect::<Vec<_>>().join(",")
}
