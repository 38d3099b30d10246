//! Samples of a text file as a remote write request. Text knows floats, exemplars, start times and metadata.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};
use grid_decode::Decoded;
use grid_decode::remote_write::{WireExemplar, WireSeries, encode_v2_series};
use grid_model::attr::AttrValue;
use grid_model::table::metadata::MetadataRow;
use grid_model::table::series::read_attributes;
use grid_model::table::{exemplars, metadata, samples};
use grid_model::{Labels, SeriesDef, SeriesId, Table};

/// The request, not yet compressed.
pub(super) fn request(decoded: &Decoded, defs: &HashMap<SeriesId, Arc<SeriesDef>>) -> anyhow::Result<Vec<u8>> {
    let mut series: Vec<WireSeries> = Vec::with_capacity(defs.len());
    let mut position: HashMap<SeriesId, usize> = HashMap::with_capacity(defs.len());
    for (id, def) in defs {
        position.insert(*id, series.len());
        series.push(WireSeries { labels: def.labels.clone(), ..WireSeries::default() });
    }
    for (table, batch) in &decoded.write.batches {
        match table {
            Table::Samples => add_samples(batch, &position, &mut series),
            Table::Exemplars => add_exemplars(batch, &position, &mut series),
            Table::Metadata => add_metadata(batch, &mut series),
            _ => Some(()),
        }
        .with_context(|| format!("read back rows of {}", table.name()))?;
    }
    Ok(encode_v2_series(&series))
}

fn millis(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}

fn add_samples(batch: &RecordBatch, position: &HashMap<SeriesId, usize>, series: &mut [WireSeries]) -> Option<()> {
    let ids = batch.column_by_name(samples::SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(samples::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let starts = batch.column_by_name(samples::START_TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let values = batch.column_by_name(samples::VALUE)?.as_primitive_opt::<Float64Type>()?;
    for i in 0..batch.num_rows() {
        let start_ms = if starts.is_valid(i) { millis(starts.value(i)) } else { 0 };
        let at = *position.get(&SeriesId(ids.value(i)))?;
        series[at].samples.push((millis(times.value(i)), values.value(i), start_ms));
    }
    Some(())
}

fn add_exemplars(batch: &RecordBatch, position: &HashMap<SeriesId, usize>, series: &mut [WireSeries]) -> Option<()> {
    let ids = batch.column_by_name(exemplars::SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(exemplars::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let values = batch.column_by_name(exemplars::VALUE)?.as_primitive_opt::<Float64Type>()?;
    let trace_ids = batch.column_by_name(exemplars::TRACE_ID)?.as_string_opt::<i32>()?;
    let span_ids = batch.column_by_name(exemplars::SPAN_ID)?.as_string_opt::<i32>()?;
    let attributes = batch.column_by_name(exemplars::ATTRIBUTES)?.as_map_opt()?;
    for i in 0..batch.num_rows() {
        let mut pairs: Vec<(String, String)> = read_attributes(attributes, i)?
            .into_iter()
            .filter_map(|(k, v)| match v {
                AttrValue::String(text) => Some((k, text)),
                _ => None,
            })
            .collect();
        // An id that was written in another way is still among the attributes, under its own label.
        for (name, ids) in [("trace_id", trace_ids), ("span_id", span_ids)] {
            let known = pairs
                .iter()
                .any(|(k, _)| k.to_ascii_lowercase().replace(['_', '.'], "").contains(&name.replace('_', "")));
            if ids.is_valid(i) && !ids.value(i).is_empty() && !known {
                pairs.push((name.to_owned(), ids.value(i).to_owned()));
            }
        }
        let at = *position.get(&SeriesId(ids.value(i)))?;
        let labels = Labels::new(pairs).ok()?;
        series[at].exemplars.push(WireExemplar { labels, value: values.value(i), time_ms: millis(times.value(i)) });
    }
    Some(())
}

/// What is said about a metric goes with its first series; version 2.0 has no other place for it.
fn add_metadata(batch: &RecordBatch, series: &mut [WireSeries]) -> Option<()> {
    let column = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (metrics, kinds) = (column(metadata::METRIC)?, column(metadata::TYPE)?);
    let (helps, units) = (column(metadata::HELP)?, column(metadata::UNIT)?);
    for i in 0..batch.num_rows() {
        let family = metrics.value(i);
        let of_family = |s: &WireSeries| {
            let suffix = s.labels.metric().strip_prefix(family);
            suffix.is_some_and(|rest| ["", "_total", "_sum", "_count", "_bucket", "_created", "_info"].contains(&rest))
        };
        let text = |c: &arrow::array::StringArray| if c.is_valid(i) { c.value(i).to_owned() } else { String::new() };
        if let Some(first) = series.iter_mut().find(|s| of_family(s)) {
            let row =
                MetadataRow { metric: family.to_owned(), kind: text(kinds), help: text(helps), unit: text(units) };
            first.metadata = Some(row);
        }
    }
    Some(())
}
