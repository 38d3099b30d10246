//! `metadata`: what a client said about a metric: its type, help and unit. The latest row of a metric counts.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::builder::{StringBuilder, TimestampNanosecondBuilder};
use arrow_schema::{Schema, SchemaRef};

use super::column::{UTC, append_nonempty, text, timestamp};
use crate::time::Timestamp;

/// The metric family's name as queried.
pub const METRIC: &str = "metric";
/// When it was said.
pub const TIME: &str = "time";
/// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset` or `unknown`.
pub const TYPE: &str = "type";
/// The help text, OTLP's description.
pub const HELP: &str = "help";
/// The unit.
pub const UNIT: &str = "unit";

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            text(METRIC, false),
            timestamp(TIME, false),
            text(TYPE, false),
            text(HELP, true),
            text(UNIT, true),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MetadataRow {
    /// The metric family's name.
    pub metric: String,
    /// The type's word in lower case.
    pub kind: String,
    /// The help text; empty if absent.
    pub help: String,
    /// The unit; empty if absent.
    pub unit: String,
}

/// A batch of [`schema`] from statements made at one time.
pub fn batch(time: Timestamp, rows: &[MetadataRow]) -> RecordBatch {
    let mut metric = StringBuilder::new();
    let mut at = TimestampNanosecondBuilder::new().with_timezone(UTC);
    let mut kind = StringBuilder::new();
    let mut help = StringBuilder::new();
    let mut unit = StringBuilder::new();
    for row in rows {
        metric.append_value(&row.metric);
        at.append_value(time.nanos());
        kind.append_value(&row.kind);
        append_nonempty(&mut help, &row.help);
        append_nonempty(&mut unit, &row.unit);
    }
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(metric.finish()),
            Arc::new(at.finish()),
            Arc::new(kind.finish()),
            Arc::new(help.finish()),
            Arc::new(unit.finish()),
        ],
    )
    .expect("columns match the schema of metadata")
}
