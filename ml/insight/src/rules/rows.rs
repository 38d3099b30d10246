//! Rows of an answer in SQL as series.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use grid_promql::Labels;
use grid_rules::host::LastSample;
use grid_rules::{Sample, SampleValue};

/// The column that is a series' number.
const VALUE: &str = "value";

/// A row for each series: the column `value` is its number, all others are labels. A row whose value is null is none, a label whose value
/// is null is not there.
pub(super) fn samples(batches: &[RecordBatch]) -> Result<Vec<Sample>, String> {
    let mut out = Vec::new();
    for batch in batches {
        let column =
            batch.column_by_name(VALUE).ok_or("the statement answers no column `value`: name one by `AS value`")?;
        let values = cast(column, &DataType::Float64).map_err(|e| format!("the column `value` is no number: {e}"))?;
        let values = values.as_primitive::<Float64Type>();
        let options = FormatOptions::default();
        let mut labels = Vec::new();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if field.name() != VALUE {
                let texts = ArrayFormatter::try_new(column.as_ref(), &options).map_err(|e| e.to_string())?;
                labels.push((field.name().as_str(), column, texts));
            }
        }
        for row in (0..batch.num_rows()).filter(|row| values.is_valid(*row)) {
            let mut pairs = Vec::with_capacity(labels.len());
            for (name, column, texts) in labels.iter().filter(|(_, column, _)| column.is_valid(row)) {
                let text = texts
                    .value(row)
                    .try_to_string()
                    .map_err(|e| format!("column {name:?} ({}): {e}", column.data_type()))?;
                pairs.push((*name, text));
            }
            let labels = Labels::new(pairs.iter().map(|(k, v)| (*k, v.as_str())));
            out.push(Sample { labels, value: SampleValue::Float(values.value(row)) });
        }
    }
    Ok(out)
}

/// Rows of labels (a map), time, value and whether it is a stale marker, by ascending time: the last of each series.
pub(super) fn last_samples(batches: &[RecordBatch]) -> Result<Vec<LastSample>, String> {
    let mut last: std::collections::BTreeMap<Labels, LastSample> = std::collections::BTreeMap::new();
    for batch in batches {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"));
        let times =
            cast(column("time")?, &DataType::Timestamp(TimeUnit::Millisecond, None)).map_err(|e| e.to_string())?;
        let times = cast(&times, &DataType::Int64).map_err(|e| e.to_string())?;
        let times = times.as_primitive::<Int64Type>();
        let values = cast(column("value")?, &DataType::Float64).map_err(|e| e.to_string())?;
        let values = values.as_primitive::<Float64Type>();
        let stale = column("is_stale")?.as_boolean_opt().ok_or("is_stale is no boolean")?;
        let labels = column("labels")?.as_map_opt().ok_or("labels is no map")?;
        for row in 0..batch.num_rows() {
            let entries = labels.value(row);
            let text = |at: usize| cast(entries.column(at), &DataType::Utf8).map_err(|e| e.to_string());
            let (names, texts) = (text(0)?, text(1)?);
            let (names, texts) = (names.as_string::<i32>(), texts.as_string::<i32>());
            let labels = Labels::new((0..names.len()).map(|i| (names.value(i), texts.value(i))));
            let is_stale = stale.is_valid(row) && stale.value(row);
            let value = match is_stale {
                true => f64::from_bits(grid_model::histogram::STALE_NAN_BITS),
                false => values.value(row),
            };
            last.insert(labels.clone(), LastSample { labels, time: times.value(row), value });
        }
    }
    Ok(last.into_values().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn rows_are_series() {
        let columns: [(&str, ArrayRef); 3] = [
            ("value", Arc::new(Int64Array::from(vec![Some(3), None, Some(5)]))),
            ("service", Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]))),
            ("code", Arc::new(Int64Array::from(vec![Some(500), None, Some(200)]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let found = samples(&[batch]).unwrap();
        let shown: Vec<_> = found.iter().map(|s| (s.labels.to_string(), s.value.number())).collect();
        assert_eq!(shown, [(r#"{code="500", service="a"}"#.to_owned(), 3.0), (r#"{code="200"}"#.to_owned(), 5.0)]);
        let other: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let batch = RecordBatch::try_from_iter([("x", other)]).unwrap();
        assert!(samples(&[batch]).unwrap_err().contains("AS value"));
    }
}
