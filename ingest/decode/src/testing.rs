//! Reads decoded rows back, for tests.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use grid_model::series::def_of_key;
use grid_model::table::column::is_attribute_map;
use grid_model::table::exemplars::{self, ExemplarRow};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::series::{read_attributes, read_pairs};
use grid_model::table::{logs, samples};
use grid_model::{Attributes, Histogram, Labels, Table, Timestamp};

use crate::{DecodeContext, Decoded, Limits};

/// The time of receipt in tests: 2026-01-01T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// The default limits at [`NOW`].
pub(crate) fn ctx() -> DecodeContext<'static> {
    static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);
    DecodeContext { now: NOW, limits: &LIMITS }
}

/// A file or folder of the shared test data; says so if there is none.
pub(crate) fn shared_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GRID_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("SKIPPED: no shared test data {path} (set GRID_SHARED_DATA)");
    None
}

/// One row of `samples` with its series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SampleBack {
    pub(crate) labels: Labels,
    pub(crate) time: i64,
    pub(crate) start: Option<i64>,
    /// Bits of the float.
    pub(crate) value: Option<u64>,
    pub(crate) histogram: Option<Histogram>,
}

fn batches(decoded: &Decoded, table: Table) -> impl Iterator<Item = &RecordBatch> {
    decoded.write.batches.iter().filter(move |(t, _)| *t == table).map(|(_, b)| b)
}

pub(crate) fn samples(decoded: &Decoded) -> Vec<SampleBack> {
    let series: HashMap<_, _> =
        decoded.write.series.iter().map(|(id, key)| (id.0, def_of_key(key).unwrap().labels)).collect();
    let mut out = Vec::new();
    for batch in batches(decoded, Table::Samples) {
        let ids = batch.column_by_name(samples::SERIES_ID).unwrap().as_primitive::<UInt64Type>();
        let time = batch.column_by_name(samples::TIME).unwrap().as_primitive::<TimestampNanosecondType>();
        let start = batch.column_by_name(samples::START_TIME).unwrap().as_primitive::<TimestampNanosecondType>();
        let value = batch.column_by_name(samples::VALUE).unwrap().as_primitive::<Float64Type>();
        let histograms = batch.column_by_name(samples::HISTOGRAM).map(|c| c.as_struct());
        for i in 0..batch.num_rows() {
            out.push(SampleBack {
                labels: series[&ids.value(i)].clone(),
                time: time.value(i),
                start: start.is_valid(i).then(|| start.value(i)),
                value: value.is_valid(i).then(|| value.value(i).to_bits()),
                histogram: histograms.and_then(|h| samples::read_histogram(h, i)),
            });
        }
    }
    out
}

pub(crate) fn exemplars(decoded: &Decoded) -> Vec<ExemplarRow> {
    let mut out = Vec::new();
    for batch in batches(decoded, Table::Exemplars) {
        let time = batch.column_by_name(exemplars::TIME).unwrap().as_primitive::<TimestampNanosecondType>();
        let value = batch.column_by_name(exemplars::VALUE).unwrap().as_primitive::<Float64Type>();
        let value_int = batch.column_by_name(exemplars::VALUE_INT).unwrap().as_primitive::<Int64Type>();
        let attributes = batch.column_by_name(exemplars::ATTRIBUTES).unwrap().as_map();
        for i in 0..batch.num_rows() {
            out.push(ExemplarRow {
                time: Timestamp(time.value(i)),
                sample_time: None,
                value: value.is_valid(i).then(|| value.value(i)),
                value_int: value_int.is_valid(i).then(|| value_int.value(i)),
                trace_id: text(batch, exemplars::TRACE_ID, i),
                span_id: text(batch, exemplars::SPAN_ID, i),
                attributes: read_attributes(attributes, i).unwrap(),
            });
        }
    }
    out
}

pub(crate) fn metadata(decoded: &Decoded) -> Vec<MetadataRow> {
    let mut out = Vec::new();
    for batch in batches(decoded, Table::Metadata) {
        for i in 0..batch.num_rows() {
            out.push(MetadataRow {
                metric: text(batch, metadata::METRIC, i),
                kind: text(batch, metadata::TYPE, i),
                help: text(batch, metadata::HELP, i),
                unit: text(batch, metadata::UNIT, i),
            });
        }
    }
    out
}

/// One row of `logs`, as far as plain formats fill it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LogBack {
    pub(crate) time: i64,
    pub(crate) severity: String,
    pub(crate) severity_number: i32,
    pub(crate) service: String,
    pub(crate) body: String,
    pub(crate) labels: Labels,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) attributes: Attributes,
}

pub(crate) fn logs(decoded: &Decoded) -> Vec<LogBack> {
    let mut out = Vec::new();
    for batch in batches(decoded, Table::Logs) {
        let time = batch.column_by_name(logs::TIME).unwrap().as_primitive::<TimestampNanosecondType>();
        let number = batch.column_by_name(logs::SEVERITY_NUMBER).unwrap().as_primitive::<Int32Type>();
        let labels = batch.column_by_name(logs::LABELS).unwrap().as_map();
        let stream = batch.column_by_name(logs::STREAM_ID).unwrap().as_primitive::<UInt64Type>();
        let schema = batch.schema();
        assert!(is_attribute_map(schema.field_with_name(logs::ATTRIBUTES).unwrap()));
        let attributes = batch.column_by_name(logs::ATTRIBUTES).unwrap().as_map();
        for i in 0..batch.num_rows() {
            let labels = Labels::new(read_pairs(labels, i).unwrap()).unwrap();
            assert_eq!(stream.value(i), labels.hash64());
            out.push(LogBack {
                time: time.value(i),
                severity: text(batch, logs::SEVERITY, i),
                severity_number: number.value(i),
                service: text(batch, logs::SERVICE, i),
                body: text(batch, logs::BODY, i),
                labels,
                trace_id: text(batch, logs::TRACE_ID, i),
                span_id: text(batch, logs::SPAN_ID, i),
                attributes: read_attributes(attributes, i).unwrap(),
            });
        }
    }
    out
}

fn text(batch: &RecordBatch, column: &str, i: usize) -> String {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    if column.is_valid(i) { column.value(i).to_owned() } else { String::new() }
}
