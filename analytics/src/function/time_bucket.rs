//! `time_bucket(interval, time[, origin])`: the start of the interval in which a time lies. Intervals are counted from
//! 1970-01-01T00:00:00Z, or from `origin`. The same as `date_bin`, with durations as people type them, and without its division per row:
//! rows come sorted by time or nearly so, and most lie in the interval of the row before.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, PrimitiveArray};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalUnit, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use grid_model::table::column::{UTC, timestamp_type};
use grid_model::time::DAY_NS;

use super::duration;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimeBucket {
    signature: Signature,
}

impl Default for TimeBucket {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let (interval, times) = match args {
            [interval, times @ ..] if (1..=2).contains(&times.len()) => (interval, times),
            _ => return plan_err!("time_bucket takes an interval, a time and perhaps an origin"),
        };
        let interval = match interval {
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            other => return plan_err!("time_bucket takes an interval such as '5m', not {other}"),
        };
        let time = match &times[0] {
            t @ DataType::Timestamp(..) => t.clone(),
            DataType::Utf8
            | DataType::Utf8View
            | DataType::LargeUtf8
            | DataType::Date32
            | DataType::Date64
            | DataType::Null => timestamp_type(),
            other => return plan_err!("time_bucket takes a time, not {other}"),
        };
        let zone = match &time {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => Some(UTC.into()),
        };
        let origin = times.get(1).map(|_| DataType::Timestamp(TimeUnit::Nanosecond, zone));
        Ok([interval, time].into_iter().chain(origin).collect())
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args.get(1) {
            Some(t @ DataType::Timestamp(..)) => Ok(t.clone()),
            _ => plan_err!("time_bucket takes a time"),
        }
    }

    /// Reads the interval once, before anything else is read: a wrong one is refused.
    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) = args.first() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let interval = duration::parse(text)?;
        args[0] = Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), None);
        Ok(ExprSimplifyResult::Simplified(time_bucket_udf().call(args)))
    }

    /// Times in order have buckets in order.
    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        let is_constant = |p: &ExprProperties| p.sort_properties == SortProperties::Singleton;
        match inputs {
            [interval, time, origin @ ..] if is_constant(interval) && origin.iter().all(is_constant) => {
                Ok(time.sort_properties)
            }
            _ => Ok(SortProperties::Unordered),
        }
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(first) = args.args.first_mut() {
            let interval = match first {
                ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => Some(duration::parse(text)?),
                ColumnarValue::Scalar(ScalarValue::Utf8(None)) => None,
                ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(i)) => *i,
                _ => return exec_err!("time_bucket takes one interval for all rows"),
            };
            *first = ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(interval));
            args.arg_fields[0] = Arc::new(Field::new("interval", DataType::Interval(IntervalUnit::MonthDayNano), true));
            if let (Some(interval), Some(ColumnarValue::Array(times))) = (interval, args.args.get(1))
                && let Some(width) = fixed_width(interval)
                && let Some(origin) = origin_of(args.args.get(2))
                && let Some(buckets) = buckets_of(times, width, origin)
            {
                return Ok(ColumnarValue::Array(buckets));
            }
        }
        date_bin().invoke_with_args(args)
    }
}

fn time_bucket_udf() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(TimeBucket::default())));
    Arc::clone(&UDF)
}

/// The nanoseconds of an interval that has always as many; months have not.
fn fixed_width(interval: IntervalMonthDayNano) -> Option<i64> {
    let days = i64::from(interval.days).checked_mul(DAY_NS)?;
    days.checked_add(interval.nanoseconds).filter(|width| interval.months == 0 && *width > 0)
}

fn origin_of(argument: Option<&ColumnarValue>) -> Option<i64> {
    match argument {
        None => Some(0),
        Some(ColumnarValue::Scalar(ScalarValue::TimestampNanosecond(origin, _))) => *origin,
        Some(_) => None,
    }
}

/// The starts of the buckets of nanoseconds since the epoch; `None` for other units, and for times so near to the ends of their range
/// that a bucket may begin or end beyond it.
fn buckets_of(times: &ArrayRef, width: i64, origin: i64) -> Option<ArrayRef> {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = times.data_type() else { return None };
    let times = times.as_primitive::<TimestampNanosecondType>();
    // An origin as good as the one given, at less than a width from the epoch.
    let origin = origin.rem_euclid(width);
    let inside = i64::MIN.checked_add(width)?.checked_add(origin)?..=i64::MAX.checked_sub(width)?;
    let mut all_inside = true;
    let (mut start, mut end) = (0, 0);
    let buckets: Vec<i64> = times
        .values()
        .iter()
        .map(|time| {
            if !(start..end).contains(time) {
                if !inside.contains(time) {
                    all_inside = false;
                    return 0;
                }
                start = time - (time - origin).rem_euclid(width);
                end = start + width;
            }
            start
        })
        .collect();
    let buckets = PrimitiveArray::<TimestampNanosecondType>::new(buckets.into(), times.nulls().cloned());
    all_inside.then(|| Arc::new(buckets.with_timezone_opt(zone.clone())) as ArrayRef)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::TimestampNanosecondArray;
    use datafusion::config::ConfigOptions;
    use proptest::prelude::*;

    use super::*;

    fn called(function: &ScalarUDF, args: &[ColumnarValue], rows: usize) -> ArrayRef {
        let fields = args.iter().map(|a| Arc::new(Field::new("a", a.data_type(), true))).collect();
        let return_field = Arc::new(Field::new("t", timestamp_type(), true));
        let config_options = Arc::new(ConfigOptions::default());
        let args = args.to_vec();
        let args = ScalarFunctionArgs { args, arg_fields: fields, number_rows: rows, return_field, config_options };
        function.invoke_with_args(args).unwrap().into_array(rows).unwrap()
    }

    proptest! {
        #[test]
        fn buckets_are_those_of_date_bin(
            near in any::<i64>(),
            steps in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![
                4 => 0..3_600_000_000_000_i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)
            ]), 0..30),
            (months, days, ns) in prop_oneof![
                (Just(0), Just(0), 1..7_200_000_000_000_i64), (Just(0), 0..4000, 1..10_i64), (1..3, Just(0), Just(0_i64)),
                (Just(0), Just(0), 1..i64::MAX),
            ],
            origin in prop::option::of(any::<i64>()),
        ) {
            let times = steps.iter().map(|step| step.map(|s| near.saturating_add(s)));
            let times: ArrayRef = Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone(UTC));
            let interval = ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, ns)));
            let mut args = vec![ColumnarValue::Scalar(interval), ColumnarValue::Array(Arc::clone(&times))];
            args.extend(origin.map(|o| ColumnarValue::Scalar(ScalarValue::TimestampNanosecond(Some(o), Some(UTC.into())))));
            let ours = called(&time_bucket_udf(), &args, times.len());
            let theirs = called(&date_bin(), &args, times.len());
            let (ours, theirs) = (ours.as_primitive::<TimestampNanosecondType>(), theirs.as_primitive::<TimestampNanosecondType>());
            prop_assert_eq!(ours.data_type(), theirs.data_type());
            for (row, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                // Where the distance from the origin overflows `date_bin` gives up.
                prop_assert!(ours == theirs || theirs.is_none() && times.is_valid(row), "row {}: {:?} {:?}", row, ours, theirs);
            }
        }
    }
}
