//! `to_json(value)`: any value as JSON text, written as answers in JSON write it: decimals and large integers as strings, times as RFC 3339, a
//! map as an object. Null stays null.

use std::sync::Arc;

use arrow::array::StringBuilder;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::render::json_texts;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ToJson {
    signature: Signature,
}

impl Default for ToJson {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ToJson {
    fn name(&self) -> &str {
        "to_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let field = args
            .arg_fields
            .first()
            .cloned()
            .unwrap_or_else(|| Arc::new(Field::new("value", array.data_type().clone(), true)));
        let texts = json_texts(&field, &array).map_err(|e| DataFusionError::Execution(e.to_string()))?;
        let mut out = StringBuilder::new();
        texts.into_iter().for_each(|text| out.append_option(text));
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
