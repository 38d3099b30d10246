//! Functions that make much of little: `repeat('x', 2000000000)` is one value of two gigabytes, and no memory pool sees it.
//! These are DataFusion's, refused where one batch of answers would be larger than [`FUNCTION_BYTES_MAX`].

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType};
use datafusion::common::{Result, resources_datafusion_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::limits::FUNCTION_BYTES_MAX;

/// What an answer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Cost {
    /// The first argument, as often as the second says.
    Times,
    /// As much as the second argument says.
    Length,
    /// One item per step from the first argument to the second.
    Steps,
}

const BOUNDED: [(&str, Cost); 7] = [
    ("repeat", Cost::Times),
    ("lpad", Cost::Length),
    ("rpad", Cost::Length),
    ("array_repeat", Cost::Length),
    ("array_resize", Cost::Length),
    ("range", Cost::Steps),
    ("generate_series", Cost::Steps),
];

/// Puts bounds around those of `functions` that need them.
pub(crate) fn bound(functions: Vec<Arc<ScalarUDF>>) -> Vec<Arc<ScalarUDF>> {
    let bounded = |inner: Arc<ScalarUDF>| match BOUNDED.iter().find(|(name, _)| *name == inner.name()) {
        Some((_, cost)) => Arc::new(ScalarUDF::from(Bounded { inner, cost: *cost })),
        None => inner,
    };
    functions.into_iter().map(bounded).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    cost: Cost,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.inner.return_type(args)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = self.cost.of(&args)?;
        if bytes > FUNCTION_BYTES_MAX {
            let name = self.inner.name();
            return Err(resources_datafusion_err!(
                "{name} would make {bytes} bytes at once, the limit is {FUNCTION_BYTES_MAX}"
            ));
        }
        self.inner.invoke_with_args(args)
    }
}

impl Cost {
    /// Bytes of all answers, about. What cannot be estimated counts nothing: it is of a type that the function refuses.
    fn of(self, args: &ScalarFunctionArgs) -> Result<u64> {
        // Scalars count once: the answer is a scalar too.
        let all_scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if all_scalar { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|a| a.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let Some(first) = arrays.first() else { return Ok(0) };
        let numbers = arrays.iter().map(as_numbers).collect::<Vec<_>>();
        let number = |column: usize, row: usize| {
            let of = numbers.get(column)?.as_ref()?;
            (row < of.len() && of.is_valid(row)).then(|| of.value(row))
        };
        let mut total: u64 = 0;
        for row in 0..rows.min(first.len()) {
            let bytes = match self {
                Self::Times => text_length(first, row).saturating_mul(positive(number(1, row))),
                Self::Length => positive(number(1, row)).saturating_mul(16),
                Self::Steps => {
                    let (from, to) = match (number(0, row), number(1, row)) {
                        (Some(to), None) if arrays.len() == 1 => (0, to),
                        (Some(from), Some(to)) => (from, to),
                        _ => continue,
                    };
                    let step = arrays.get(2).map_or(Some(1), |a| step_of(a, number(2, row), row)).unwrap_or(1);
                    (from.abs_diff(to) / step.unsigned_abs().max(1)).saturating_mul(8)
                }
            };
            total = total.saturating_add(bytes);
        }
        Ok(total)
    }
}

fn as_numbers(array: &ArrayRef) -> Option<arrow::array::PrimitiveArray<Int64Type>> {
    match array.data_type() {
        t if t.is_integer() => {}
        DataType::Timestamp(..) | DataType::Date64 => {}
        // In days; steps of dates are intervals, in nanoseconds.
        DataType::Date32 => {
            let days = cast(array, &DataType::Int32).ok()?;
            let days = days.as_primitive::<arrow::datatypes::Int32Type>();
            return Some(days.unary(|d| i64::from(d).saturating_mul(grid_model::time::DAY_NS)));
        }
        _ => return None,
    }
    cast(array, &DataType::Int64).ok().map(|a| a.as_primitive::<Int64Type>().clone())
}

fn step_of(array: &ArrayRef, number: Option<i64>, row: usize) -> Option<i64> {
    if let Some(intervals) = array.as_primitive_opt::<IntervalMonthDayNanoType>() {
        let step = intervals.is_valid(row).then(|| intervals.value(row))?;
        let days = i64::from(step.months) * 30 + i64::from(step.days);
        return Some(days.saturating_mul(grid_model::time::DAY_NS).saturating_add(step.nanoseconds));
    }
    number
}

fn positive(n: Option<i64>) -> u64 {
    n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

fn text_length(array: &ArrayRef, row: usize) -> u64 {
    if array.is_null(row) {
        return 0;
    }
    let length = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::Utf8View => array.as_string_view().value(row).len(),
        _ => 0,
    };
    length as u64
}
