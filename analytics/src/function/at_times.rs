//! Whether a time is one of many spans: a search, where a chain of comparisons would cost as many of them. Planned above reads of files,
//! never written by a user.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Schema, TimestampNanosecondType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use crate::table::overlap::{Interval, contains};

/// Which times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// Those within the intervals.
    Inside,
    /// All others.
    Outside,
}

/// The condition that a time lies inside or outside of ascending, disjoint intervals.
pub(crate) fn at_times(
    time: Arc<dyn PhysicalExpr>,
    schema: &Schema,
    intervals: &[Interval],
    side: Side,
    config: Arc<ConfigOptions>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let signature = Signature::any(1, Volatility::Immutable);
    let udf = ScalarUDF::from(AtTimes { intervals: intervals.to_vec(), side, signature });
    Ok(Arc::new(ScalarFunctionExpr::try_new(Arc::new(udf), vec![time], schema, config)?))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimes {
    intervals: Vec<Interval>,
    side: Side,
    signature: Signature,
}

impl ScalarUDFImpl for AtTimes {
    fn name(&self) -> &str {
        match self.side {
            Side::Inside => "at_shared_times",
            Side::Outside => "at_other_times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(times) = columns.first().and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>()) else {
            return exec_err!("{} wants a time", self.name());
        };
        let times = times.values();
        let inside = self.side == Side::Inside;
        let found = BooleanBuffer::collect_bool(times.len(), |row| contains(&self.intervals, times[row]) == inside);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, None))))
    }
}
