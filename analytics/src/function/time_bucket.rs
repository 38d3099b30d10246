//! `time_bucket(interval, time[, origin])`: the start of the interval in which a time lies. Intervals are counted from
//! 1970-01-01T00:00:00Z, or from `origin`. The same as `date_bin`, with durations as people type them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use grid_model::table::column::{UTC, timestamp_type};

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

    /// As `date_bin`, whose pruning and ordering the optimizer knows.
    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) = args.first() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let interval = duration::parse(text)?;
        args[0] = Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), None);
        Ok(ExprSimplifyResult::Simplified(date_bin().call(args)))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        match inputs {
            [interval, time, ..] if interval.sort_properties == SortProperties::Singleton => Ok(time.sort_properties),
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
        }
        date_bin().invoke_with_args(args)
    }
}
