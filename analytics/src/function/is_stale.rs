//! `is_stale(value)`: whether a value is the NaN by which Prometheus marks a series that went away.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use grid_model::histogram::is_stale;

/// The one instance.
pub(crate) fn is_stale_udf() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
        Arc::new(ScalarUDF::from(IsStale { signature }))
    });
    Arc::clone(&UDF)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IsStale {
    signature: Signature,
}

impl ScalarUDFImpl for IsStale {
    fn name(&self) -> &str {
        "is_stale"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// False where there is no value: a distribution is never stale.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let stale: BooleanArray =
            values[0].as_primitive::<Float64Type>().iter().map(|v| Some(v.is_some_and(is_stale))).collect();
        Ok(ColumnarValue::Array(Arc::new(stale)))
    }
}
