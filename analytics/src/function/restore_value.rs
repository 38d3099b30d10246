//! The values of samples out of the four columns in which compacted files keep them; see [`samples::restore`]. Planned above
//! reads of files, never written by a user.

use std::sync::{Arc, LazyLock};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use grid_model::table::samples;

/// The one instance. Arguments: `value`, `value_mantissa`, `value_base`, `value_scale`.
pub(crate) fn restore_value_udf() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let arguments = vec![DataType::Float64, DataType::Int64, DataType::Int64, DataType::Float64];
        Arc::new(ScalarUDF::from(RestoreValue { signature: Signature::exact(arguments, Volatility::Immutable) }))
    });
    Arc::clone(&UDF)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RestoreValue {
    signature: Signature,
}

impl ScalarUDFImpl for RestoreValue {
    fn name(&self) -> &str {
        "restore_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let restored = samples::restore(
            columns[0].as_primitive::<Float64Type>(),
            columns[1].as_primitive::<Int64Type>(),
            Some(columns[2].as_primitive::<Int64Type>()),
            columns[3].as_primitive::<Float64Type>(),
        );
        Ok(ColumnarValue::Array(Arc::new(restored)))
    }
}
