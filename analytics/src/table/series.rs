//! `series`: every series with what identifies it, and what clients said about its metric (type, unit, help).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TableProviderFilterPushDown,
    TableType, Volatility,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use grid_model::Table;
use grid_model::table::column::text;
use grid_model::table::{metadata, series};

use super::Source;
use super::files::conform;

/// Type of the metric: what its clients said last, else what OTLP's kind translates to.
const TYPE: &str = "type";
/// Help of the metric: what its clients said last.
const HELP: &str = "help";
/// Unit: OTLP's, else what clients said last.
const UNIT: &str = "unit";
const OTLP_TYPE: &str = "otlp_type";

/// The columns a user sees: those at rest, and the facts of the metric after its name.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = Vec::new();
        for field in series::schema().fields() {
            fields.push(Arc::clone(field));
            if field.name() == series::METRIC {
                fields.push(Arc::new(text(TYPE, true)));
                fields.push(Arc::new(text(HELP, true)));
            }
        }
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// What clients said about a metric last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct MetricFacts {
    pub kind: String,
    pub help: Option<String>,
    pub unit: Option<String>,
}

/// Facts of all metric families, by name.
pub(crate) type Facts = BTreeMap<String, MetricFacts>;

impl Source {
    /// What clients said about each metric family last; read once per query.
    pub(crate) async fn metric_facts(&self) -> Result<&Arc<Facts>, DataFusionError> {
        self.facts.get_or_try_init(|| async { self.read_facts().await.map(Arc::new) }).await
    }

    async fn read_facts(&self) -> Result<Facts> {
        let mut facts: BTreeMap<String, (i64, MetricFacts)> = BTreeMap::new();
        let schema = Table::Metadata.schema();
        let mut batches = Vec::new();
        // Few rows, whole: a metric's facts change rarely, and compaction keeps the files few.
        for file in self.snapshot.files(Table::Metadata) {
            let bytes =
                self.store.objects().get(&file.path).await.map_err(|e| DataFusionError::External(Box::new(e)))?;
            let rows = grid_store::parquet_read::read_all(Table::Metadata, bytes);
            batches.extend(rows.map_err(|e| DataFusionError::External(Box::new(e)))?);
        }
        batches.extend(self.snapshot.buffered(Table::Metadata).iter().cloned());
        for batch in batches {
            let batch = conform(&batch, &schema)?;
            let column = |name: &str| batch.column_by_name(name).map(|c| c.as_string::<i32>().clone());
            let (Some(metric), Some(kind), Some(help), Some(unit)) =
                (column(metadata::METRIC), column(metadata::TYPE), column(metadata::HELP), column(metadata::UNIT))
            else {
                return exec_err!("metadata lacks a column");
            };
            let times = batch.column(schema.index_of(metadata::TIME)?).as_primitive::<TimestampNanosecondType>();
            let optional = |a: &arrow::array::StringArray, row: usize| a.is_valid(row).then(|| a.value(row).to_owned());
            for row in 0..batch.num_rows() {
                let time = times.value(row);
                if facts.get(metric.value(row)).is_none_or(|(known, _)| *known <= time) {
                    let said = MetricFacts {
                        kind: kind.value(row).to_owned(),
                        help: optional(&help, row),
                        unit: optional(&unit, row),
                    };
                    facts.insert(metric.value(row).to_owned(), (time, said));
                }
            }
        }
        Ok(facts.into_iter().map(|(name, (_, f))| (name, f)).collect())
    }
}

/// Facts of a series' metric: by its name, or by the name of the family whose part it is (`x_bucket` of `x`).
fn facts_of<'a>(facts: &'a Facts, metric: &str) -> Option<&'a MetricFacts> {
    let family = || {
        ["_bucket", "_count", "_sum", "_total", "_created", "_info"]
            .iter()
            .filter_map(|suffix| metric.strip_suffix(suffix))
            .find_map(|family| facts.get(family))
    };
    facts.get(metric).or_else(family)
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    pub source: Arc<Source>,
}

#[async_trait]
impl TableProvider for SeriesTable {
    fn schema(&self) -> SchemaRef {
        schema()
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
        let (schema, stored) = (schema(), series::schema());
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let names: Vec<&str> = wanted.iter().map(|i| schema.field(*i).name().as_str()).collect();
        let said = |name: &str| matches!(name, TYPE | HELP | UNIT);
        let mut read: Vec<&str> = names.iter().copied().filter(|n| stored.index_of(n).is_ok()).collect();
        for (needed, by) in [(series::METRIC, [TYPE, HELP, UNIT].as_slice()), (OTLP_TYPE, &[TYPE])] {
            if names.iter().any(|n| by.contains(n)) && !read.contains(&needed) {
                read.push(needed);
            }
        }
        let columns: Vec<usize> = read.iter().map(|n| stored.index_of(n)).collect::<Result<_, _>>()?;
        // What is computed cannot prune.
        let plain: Vec<Expr> =
            filters.iter().filter(|f| !f.column_refs().iter().any(|c| said(&c.name))).cloned().collect();
        let plan = self.source.scan_rows(state, Table::Series, &columns, &plain).await?;
        if !names.iter().any(|n| said(n)) {
            return super::files::keep_columns(plan, names.len());
        }
        let facts = Arc::clone(self.source.metric_facts().await?);
        let below = plan.schema();
        let column =
            |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, &below)?)) };
        let mut exprs = Vec::with_capacity(names.len());
        for name in names {
            let expr = if said(name) {
                let second = match name {
                    TYPE => Some(column(OTLP_TYPE)?),
                    UNIT => Some(column(UNIT)?),
                    _ => None,
                };
                let args = std::iter::once(column(series::METRIC)?).chain(second).collect();
                let udf = Arc::new(ScalarUDF::from(Fact::new(name, Arc::clone(&facts))));
                let config = Arc::new(state.config_options().clone());
                Arc::new(ScalarFunctionExpr::try_new(udf, args, &below, config)?) as Arc<dyn PhysicalExpr>
            } else {
                column(name)?
            };
            exprs.push(ProjectionExpr { expr, alias: name.to_owned() });
        }
        Ok(Arc::new(ProjectionExec::try_new(exprs, plan)?))
    }
}

/// Looks a fact up by the metric's name; a second argument is what OTLP said. Never registered: users cannot call it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fact {
    which: String,
    facts: Arc<Facts>,
    signature: Signature,
}

impl Fact {
    fn new(which: &str, facts: Arc<Facts>) -> Self {
        Self { which: which.to_owned(), facts, signature: Signature::variadic_any(Volatility::Immutable) }
    }

    fn of(&self, metric: &str, otlp: Option<&str>) -> Option<String> {
        let said = facts_of(&self.facts, metric);
        match self.which.as_str() {
            TYPE => said.map(|f| f.kind.clone()).filter(|k| k != "unknown").or_else(|| otlp_type(otlp?)),
            UNIT => otlp.map(str::to_owned).or_else(|| said?.unit.clone()),
            _ => said?.help.clone(),
        }
    }
}

/// The type under which an OTLP metric is published.
fn otlp_type(kind: &str) -> Option<String> {
    let word = match kind {
        "gauge" | "summary" | "histogram" => kind,
        "sum" => "counter",
        "exponential_histogram" => "histogram",
        _ => return None,
    };
    Some(word.to_owned())
}

impl ScalarUDFImpl for Fact {
    fn name(&self) -> &str {
        "metric_fact"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: datafusion::logical_expr::ReturnFieldArgs) -> Result<Arc<Field>> {
        Ok(Arc::new(text(&self.which, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?;
        let texts: Vec<_> = arrays.iter().map(|a| a.as_string::<i32>()).collect();
        let [metric, otlp @ ..] = texts.as_slice() else { return exec_err!("metric_fact needs a metric") };
        let mut out = StringBuilder::new();
        for row in 0..metric.len() {
            let otlp = otlp.first().filter(|o| o.is_valid(row)).map(|o| o.value(row));
            out.append_option(self.of(metric.value(row), otlp));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
