//! `increase(value, time[, series_id])` and `rate(value, time[, series_id])`: how much counters grew, in all and per second,
//! over the samples of a group.
//!
//! Counter resets as in Prometheus: a value below its predecessor means a restart from nothing, so it counts whole. Other
//! than Prometheus' functions of these names, nothing is extrapolated beyond the first and last sample, because a group has
//! no window: the answer is what the samples show. With `series_id` each series counts for itself and the results are
//! added; without it all samples of the group are one counter. Fewer than two samples of a series say nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use grid_model::histogram::is_stale;
use grid_model::table::column::timestamp_type;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Counter {
    per_second: bool,
    signature: Signature,
}

impl Counter {
    pub(crate) fn increase() -> Self {
        Self { per_second: false, signature: Signature::user_defined(Volatility::Immutable) }
    }

    pub(crate) fn rate() -> Self {
        Self { per_second: true, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Counter {
    fn name(&self) -> &str {
        if self.per_second { "rate" } else { "increase" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let ok = |value: &DataType, time: &DataType| {
            (value.is_numeric() || *value == DataType::Null) && matches!(time, DataType::Timestamp(..) | DataType::Null)
        };
        match args {
            [value, time] if ok(value, time) => Ok(vec![DataType::Float64, timestamp_type()]),
            [value, time, id] if ok(value, time) && (id.is_integer() || *id == DataType::Null) => {
                Ok(vec![DataType::Float64, timestamp_type(), DataType::UInt64])
            }
            _ => plan_err!("{0} is written {0}(value, time) or {0}(value, time, series_id)", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name: &str, item: DataType| -> FieldRef {
            let item = Arc::new(Field::new_list_field(item, true));
            Arc::new(Field::new(format_state_name(args.name, name), DataType::List(item), true))
        };
        Ok(vec![list("ids", DataType::UInt64), list("times", DataType::Int64), list("values", DataType::Float64)])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Samples { per_second: self.per_second, samples: Vec::new() }))
    }
}

/// All samples of one group: partial results of one series may interleave in time, so none can be summed up early.
#[derive(Debug)]
struct Samples {
    per_second: bool,
    samples: Vec<(u64, i64, f64)>,
}

impl Accumulator for Samples {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [values, times, ids @ ..] = columns else { return exec_err!("a counter has values and times") };
        let (values, times) = (values.as_primitive::<Float64Type>(), times.as_primitive::<TimestampNanosecondType>());
        let ids = ids.first().map(|ids| ids.as_primitive::<UInt64Type>());
        for row in 0..values.len() {
            if values.is_null(row) || times.is_null(row) || is_stale(values.value(row)) {
                continue;
            }
            let id = ids.map_or(0, |ids| if ids.is_valid(row) { ids.value(row) } else { 0 });
            self.samples.push((id, times.value(row), values.value(row)));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [ids, times, values] = states else { return exec_err!("the state of a counter has three lists") };
        for row in 0..ids.len() {
            let (ids, times, values) = (
                ids.as_list::<i32>().value(row),
                times.as_list::<i32>().value(row),
                values.as_list::<i32>().value(row),
            );
            let ids = ids.as_primitive::<UInt64Type>().values().iter();
            let times = times.as_primitive::<Int64Type>().values().iter();
            let values = values.as_primitive::<Float64Type>();
            self.samples.extend(ids.zip(times).zip(values.values()).map(|((id, time), value)| (*id, *time, *value)));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let samples = std::mem::take(&mut self.samples);
        let list = |array: ArrayRef| SingleRowListArrayBuilder::new(array).with_nullable(true).build_list_scalar();
        Ok(vec![
            list(Arc::new(samples.iter().map(|s| Some(s.0)).collect::<arrow::array::UInt64Array>())),
            list(Arc::new(samples.iter().map(|s| Some(s.1)).collect::<arrow::array::Int64Array>())),
            list(Arc::new(samples.iter().map(|s| Some(s.2)).collect::<arrow::array::Float64Array>())),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.samples.sort_unstable_by_key(|a| (a.0, a.1));
        let mut total = None;
        for series in self.samples.chunk_by(|a, b| a.0 == b.0) {
            let ([first, ..], [.., last]) = (series, series) else { continue };
            if series.len() < 2 || first.1 == last.1 {
                continue;
            }
            let step = |w: &[(u64, i64, f64)]| if w[1].2 < w[0].2 { w[1].2 } else { w[1].2 - w[0].2 };
            let grown: f64 = series.windows(2).map(step).sum();
            let seconds = (last.1 - first.1) as f64 / 1e9;
            *total.get_or_insert(0.0) += if self.per_second { grown / seconds } else { grown };
        }
        Ok(ScalarValue::Float64(total))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.samples.capacity() * size_of::<(u64, i64, f64)>()
    }
}
