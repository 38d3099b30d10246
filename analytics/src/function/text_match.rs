//! `match(text, 'query')`: full text. The language is that of [`grid_store::text`], whose tokenizer the text index shares.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::datatypes::{Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use grid_store::text::Query;
use grid_store::text_scan;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Match {
    signature: Signature,
}

impl Default for Match {
    fn default() -> Self {
        Self { signature: Signature::string(2, Volatility::Immutable) }
    }
}

fn query_of(text: &str) -> Result<Query> {
    match Query::parse(text) {
        Ok(query) => Ok(query),
        Err(e) => plan_err!("match: {e} in {text:?}"),
    }
}

impl ScalarUDFImpl for Match {
    fn name(&self) -> &str {
        "match"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// A wrong query is refused before anything is read.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if let Some(Some(text)) = args.scalar_arguments.get(1).and_then(|a| a.and_then(ScalarValue::try_as_str)) {
            query_of(text)?;
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, query] = args.args.as_slice() else { return exec_err!("match takes a text and a query") };
        let ColumnarValue::Scalar(query) = query else { return exec_err!("match takes one query for all rows") };
        let Some(Some(query)) = query.try_as_str() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let query = query_of(query)?;
        let texts = text.to_array(args.number_rows)?;
        match text_scan::matches(&query, &texts) {
            Some(found) => Ok(ColumnarValue::Array(Arc::new(found))),
            None => exec_err!("match searches text, not {}", texts.data_type()),
        }
    }
}
