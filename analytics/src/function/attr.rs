//! `attr(map, 'key')`, also written `map['key']`: one attribute or label as plain text. Typed attributes rest as JSON texts;
//! strings come back bare, everything else as its JSON text, an absent or empty one as NULL.

use std::sync::Arc;

use arrow::array::{Array, AsArray, MapArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, GetFieldAccess, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use grid_model::table::column::is_attribute_map;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attr {
    signature: Signature,
}

impl Default for Attr {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Attr {
    fn name(&self) -> &str {
        "attr"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match args {
            [map @ DataType::Map(..), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null] => {
                Ok(vec![map.clone(), DataType::Utf8])
            }
            _ => plan_err!("attr takes a map of attributes or labels and the name of one"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    /// The column is named as it was asked for.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(match args {
            [map, Expr::Literal(key, _)] => format!("{}['{key}']", map.schema_name()),
            [map, key] => format!("{}[{}]", map.schema_name(), key.schema_name()),
            _ => "attr".to_owned(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [map, key] = args.args.as_slice() else { return exec_err!("attr takes a map and a name") };
        let typed = is_attribute_map(&args.arg_fields[0]);
        let maps = map.to_array(args.number_rows)?;
        let Some(maps) = maps.as_map_opt() else { return exec_err!("attr takes a map") };
        let found = match key {
            ColumnarValue::Scalar(ScalarValue::Utf8(key)) => look_up(maps, |_| key.as_deref(), typed)?,
            ColumnarValue::Scalar(_) => return exec_err!("attr takes a name"),
            ColumnarValue::Array(keys) => {
                let keys = keys.as_string::<i32>();
                look_up(maps, |row| keys.is_valid(row).then(|| keys.value(row)), typed)?
            }
        };
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn look_up<'a>(maps: &MapArray, key_of: impl Fn(usize) -> Option<&'a str>, typed: bool) -> Result<StringArray> {
    let (Some(keys), Some(values)) = (maps.keys().as_string_opt::<i32>(), maps.values().as_string_opt::<i32>()) else {
        return exec_err!("attr takes a map from text to text");
    };
    let offsets = maps.value_offsets();
    let mut out = StringBuilder::new();
    for row in 0..maps.len() {
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        let found = key_of(row)
            .filter(|_| maps.is_valid(row))
            .and_then(|key| entries.into_iter().find(|i| keys.value(*i) == key))
            .filter(|i| values.is_valid(*i))
            .map(|i| values.value(i));
        match found {
            Some(json) if typed => append_plain(&mut out, json),
            plain => out.append_option(plain),
        }
    }
    Ok(out.finish())
}

/// Appends what a JSON text stands for, as plain text.
fn append_plain(out: &mut StringBuilder, json: &str) {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => out.append_value(inner),
        Some(_) => match serde_json::from_str::<String>(json) {
            Ok(text) => out.append_value(text),
            Err(_) => out.append_value(json),
        },
        None if json == "null" => out.append_null(),
        None => out.append_value(json),
    }
}

/// Makes `map['key']` and `map.key` mean [`Attr`].
#[derive(Debug)]
pub(crate) struct AttrPlanner {
    pub udf: Arc<ScalarUDF>,
}

impl ExprPlanner for AttrPlanner {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if !matches!(access.expr.get_type(schema)?, DataType::Map(..)) {
            return Ok(PlannerResult::Original(access));
        }
        let key = match access.field_access {
            GetFieldAccess::NamedStructField { name } => Expr::Literal(name, None),
            GetFieldAccess::ListIndex { key } => *key,
            range @ GetFieldAccess::ListRange { .. } => {
                return Ok(PlannerResult::Original(RawFieldAccessExpr { field_access: range, expr: access.expr }));
            }
        };
        Ok(PlannerResult::Planned(self.udf.call(vec![access.expr, key])))
    }
}
