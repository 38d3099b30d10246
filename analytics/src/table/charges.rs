//! `charges`: what is billed, without what a later bill replaced; and `charges_as_of(...)`, the same as it was earlier.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, SchemaRef, TimestampNanosecondType};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TableProviderFilterPushDown,
    TableType, Volatility,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use grid_model::table::charges::{BILLING_ACCOUNT_ID, BILLING_PERIOD_START, IMPORT_ID};
use grid_model::table::column::timestamp_type;
use grid_model::{Table, Timestamp};
use grid_store::catalog::{AsOf, HiddenCharges};

use super::Source;
use super::files::{keep_columns, scan_schema};

/// See the module.
#[derive(Debug)]
pub(crate) struct ChargesTable {
    pub source: Arc<Source>,
}

#[async_trait]
impl TableProvider for ChargesTable {
    fn schema(&self) -> SchemaRef {
        scan_schema(Table::Charges)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan_schema(Table::Charges);
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let hidden = self.source.snapshot.hidden_charges();
        if hidden.is_empty() {
            return self.source.scan_rows(state, Table::Charges, &wanted, filters).await;
        }
        let keys = [IMPORT_ID, BILLING_ACCOUNT_ID, BILLING_PERIOD_START];
        let mut read = wanted.clone();
        for key in keys {
            let at = schema.index_of(key)?;
            if !read.contains(&at) {
                read.push(at);
            }
        }
        let plan = self.source.scan_rows(state, Table::Charges, &read, filters).await?;
        let below = plan.schema();
        let args = keys
            .iter()
            .map(|k| Ok(Arc::new(Column::new_with_schema(k, &below)?) as Arc<dyn PhysicalExpr>))
            .collect::<Result<Vec<_>>>()?;
        let udf = Arc::new(ScalarUDF::from(NotReplaced::new(hidden.clone())));
        let config = Arc::new(state.config_options().clone());
        let visible = Arc::new(ScalarFunctionExpr::try_new(udf, args, &below, config)?);
        keep_columns(Arc::new(FilterExec::try_new(visible, plan)?), wanted.len())
    }
}

/// `charges_as_of('2026-02-01T00:00:00Z')`, `charges_as_of('imp-...')`: the charges as they were at a time, or just after an import.
#[derive(Debug, Clone)]
pub(crate) struct ChargesAsOf {
    pub source: Arc<Source>,
}

impl TableFunctionImpl for ChargesAsOf {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        const WANTS: &str = "charges_as_of() wants one time or the id of an import as a constant: \
            charges_as_of('2026-02-01T00:00:00Z'), charges_as_of('imp-0123456789abcdef')";
        let [Expr::Literal(value, _)] = args.exprs() else { return plan_err!("{WANTS}") };
        let as_of = match value.try_as_str() {
            Some(Some(id)) if id.starts_with("imp-") => AsOf::Import(id.to_owned()),
            _ => match value.cast_to(&timestamp_type()) {
                Ok(ScalarValue::TimestampNanosecond(Some(time), _)) => AsOf::Time(Timestamp(time)),
                // What is no time may be an import of another name.
                _ => match value.try_as_str() {
                    Some(Some(id)) => AsOf::Import(id.to_owned()),
                    _ => return plan_err!("{WANTS}"),
                },
            },
        };
        match self.source.charges_as_of(&as_of) {
            Ok(source) => Ok(Arc::new(ChargesTable { source: Arc::new(source) })),
            Err(e) => plan_err!("{e}; the imports are in grid.imports"),
        }
    }
}

/// Whether no later bill replaced a charge. Never registered: users cannot call it.
#[derive(Debug, PartialEq, Eq)]
struct NotReplaced {
    hidden: HiddenCharges,
    signature: Signature,
}

impl NotReplaced {
    fn new(hidden: HiddenCharges) -> Self {
        Self { hidden, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl Hash for NotReplaced {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hidden.iter().for_each(|entry| entry.hash(state));
        self.hidden.later().for_each(|import| import.hash(state));
    }
}

impl ScalarUDFImpl for NotReplaced {
    fn name(&self) -> &str {
        "not_replaced"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [import, account, period] = arrays.as_slice() else { return exec_err!("not_replaced needs three columns") };
        let (import, account) = (import.as_string_view(), account.as_string_view());
        let period = period.as_primitive::<TimestampNanosecondType>();
        let visible =
            |row: usize| !self.hidden.contains(import.value(row), account.value(row), Timestamp(period.value(row)));
        let visible: BooleanArray = (0..import.len()).map(|row| Some(visible(row))).collect();
        Ok(ColumnarValue::Array(Arc::new(visible)))
    }
}
