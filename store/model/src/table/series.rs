//! `series`: everything that identifies a series, written at its first sight. Loaded into the series index at start.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{BooleanBuilder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, MapArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::column::{
    TextMapBuilder, UTC, append_attributes, append_nonempty, append_pairs, attribute_map, map_builder, text, text_map,
    timestamp,
};
use crate::attr::{AttrValue, Attributes};
use crate::labels::Labels;
use crate::series::{MetricKind, NumberKind, OtlpIdentity, SeriesDef, SeriesId, Temporality};
use crate::time::Timestamp;

/// [`SeriesId`], `u64`.
pub const SERIES_ID: &str = "series_id";
/// The metric's name, the label `__name__`.
pub const METRIC: &str = "metric";
/// When the series was first written.
pub const CREATED_TIME: &str = "created_time";
/// All labels but `__name__`.
pub const LABELS: &str = "labels";

/// Whether the series came by OTLP, then the fields of [`OtlpIdentity`]; all null otherwise.
const OTLP_TEXTS: [&str; 9] = [
    "otlp_name",
    "unit",
    "otlp_type",
    "temporality",
    "number_type",
    "resource_schema_url",
    "scope_name",
    "scope_version",
    "scope_schema_url",
];
const MONOTONIC: &str = "monotonic";
const OTLP_MAPS: [&str; 3] = ["resource", "scope_attributes", "attributes"];

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = vec![
            Field::new(SERIES_ID, DataType::UInt64, false),
            text(METRIC, false),
            timestamp(CREATED_TIME, false),
            text_map(LABELS),
        ];
        fields.extend(OTLP_TEXTS.map(|name| text(name, true)));
        fields.push(Field::new(MONOTONIC, DataType::Boolean, true));
        fields.extend(OTLP_MAPS.map(attribute_map));
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// Builds a batch of [`schema`], row by row.
pub struct SeriesBuilder {
    id: UInt64Builder,
    metric: StringBuilder,
    created: TimestampNanosecondBuilder,
    labels: TextMapBuilder,
    texts: [StringBuilder; 9],
    monotonic: BooleanBuilder,
    maps: [TextMapBuilder; 3],
}

impl Default for SeriesBuilder {
    fn default() -> Self {
        Self {
            id: UInt64Builder::new(),
            metric: StringBuilder::new(),
            created: TimestampNanosecondBuilder::new().with_timezone(UTC),
            labels: map_builder(),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            monotonic: BooleanBuilder::new(),
            maps: std::array::from_fn(|_| map_builder()),
        }
    }
}

impl SeriesBuilder {
    /// Appends one series.
    pub fn push(&mut self, id: SeriesId, created: Timestamp, def: &SeriesDef) {
        self.id.append_value(id.0);
        self.metric.append_value(def.labels.metric());
        self.created.append_value(created.nanos());
        append_pairs(&mut self.labels, def.labels.iter().filter(|(k, _)| *k != crate::labels::METRIC_NAME));
        let Some(o) = &def.otlp else {
            self.texts.iter_mut().for_each(StringBuilder::append_null);
            self.monotonic.append_null();
            self.maps.iter_mut().for_each(|m| append_attributes(m, &[]));
            return;
        };
        // The name says whether the row is OTLP's, so it is never null; the other texts are null when empty.
        self.texts[0].append_value(&o.name);
        let texts = [
            o.unit.as_str(),
            o.kind.as_str(),
            o.temporality.as_str(),
            o.number.as_str(),
            &o.resource_schema_url,
            &o.scope_name,
            &o.scope_version,
            &o.scope_schema_url,
        ];
        for (b, t) in self.texts[1..].iter_mut().zip(texts) {
            append_nonempty(b, t);
        }
        self.monotonic.append_value(o.monotonic);
        for (b, a) in self.maps.iter_mut().zip([&o.resource, &o.scope_attributes, &o.attributes]) {
            append_attributes(b, a);
        }
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        let mut columns: Vec<arrow_array::ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.metric.finish()),
            Arc::new(self.created.finish()),
            Arc::new(self.labels.finish()),
        ];
        for b in &mut self.texts {
            columns.push(Arc::new(b.finish()));
        }
        columns.push(Arc::new(self.monotonic.finish()));
        for b in &mut self.maps {
            columns.push(Arc::new(b.finish()));
        }
        RecordBatch::try_new(schema(), columns).expect("columns match the schema of series")
    }
}

/// Reads the rows of a batch of [`schema`]; the ids are those stored, not recomputed. Columns are found by name.
/// `None` if a column is missing or of another type.
pub fn read(batch: &RecordBatch) -> Option<Vec<(SeriesId, SeriesDef)>> {
    let column = |name: &str| batch.column_by_name(name);
    let ids = column(SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let metric = column(METRIC)?.as_string_opt::<i32>()?;
    let labels = column(LABELS)?.as_map_opt()?;
    let texts: Vec<_> = OTLP_TEXTS.iter().map(|n| column(n)?.as_string_opt::<i32>()).collect::<Option<_>>()?;
    let monotonic = column(MONOTONIC)?.as_boolean_opt()?;
    let maps: Vec<_> = OTLP_MAPS.iter().map(|n| column(n)?.as_map_opt()).collect::<Option<_>>()?;
    let mut out = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut pairs = read_pairs(labels, row)?;
        pairs.push((crate::labels::METRIC_NAME.to_owned(), metric.value(row).to_owned()));
        let labels = Labels::new(pairs).ok()?;
        let text = |i: usize| if texts[i].is_valid(row) { texts[i].value(row) } else { "" };
        let otlp = if texts[0].is_valid(row) {
            Some(OtlpIdentity {
                name: text(0).to_owned(),
                unit: text(1).to_owned(),
                kind: MetricKind::parse(text(2))?,
                temporality: Temporality::parse(text(3))?,
                number: NumberKind::parse(text(4))?,
                resource_schema_url: text(5).to_owned(),
                scope_name: text(6).to_owned(),
                scope_version: text(7).to_owned(),
                scope_schema_url: text(8).to_owned(),
                monotonic: monotonic.is_valid(row) && monotonic.value(row),
                resource: read_attributes(maps[0], row)?,
                scope_attributes: read_attributes(maps[1], row)?,
                attributes: read_attributes(maps[2], row)?,
            })
        } else {
            None
        };
        out.push((SeriesId(ids.value(row)), SeriesDef { labels, otlp }));
    }
    Some(out)
}

/// The pairs in row `row` of a map column of plain text.
pub fn read_pairs(maps: &MapArray, row: usize) -> Option<Vec<(String, String)>> {
    let entries = maps.value(row);
    let keys = entries.column(0).as_string_opt::<i32>()?;
    let values = entries.column(1).as_string_opt::<i32>()?;
    Some((0..entries.len()).map(|i| (keys.value(i).to_owned(), values.value(i).to_owned())).collect())
}

/// The typed attributes in row `row` of a map column of JSON texts.
pub fn read_attributes(maps: &MapArray, row: usize) -> Option<Attributes> {
    read_pairs(maps, row)?.into_iter().map(|(k, v)| Some((k, AttrValue::from_json(&v).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_come_back_with_the_same_key() {
        let plain = SeriesDef::of_labels(Labels::of(&[("__name__", "up"), ("job", "ä\u{0}")]));
        let otlp = SeriesDef {
            labels: Labels::of(&[("__name__", "x_total")]),
            otlp: Some(OtlpIdentity {
                name: "x".into(),
                monotonic: true,
                resource: vec![("b".into(), AttrValue::Bytes(vec![0, 255])), ("a".into(), AttrValue::Array(vec![]))],
                ..OtlpIdentity::default()
            }),
        };
        let mut b = SeriesBuilder::default();
        for def in [&plain, &otlp] {
            b.push(def.id(), Timestamp(5), def);
        }
        let back = read(&b.finish()).unwrap();
        assert_eq!(back, [(plain.id(), plain), (otlp.id(), otlp)]);
        assert!(back.iter().all(|(id, def)| *id == def.id()));
    }
}
