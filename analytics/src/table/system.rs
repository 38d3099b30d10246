//! The schema `grid`: the store's own catalog and this engine's queries, of the own tenant only. Small tables, made when
//! they are read.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use grid_focus_rules::table;
use grid_model::table::column::{UTC, text, timestamp, timestamp_type};
use grid_model::{Table, Timestamp};
use grid_store::StoreError;

use super::Source;
use crate::limits::CATALOG_ROWS_MAX;
use crate::registry::QueryInfo;

/// Kind of the documents that hold the states of jobs.
const JOB_KIND: &str = "job";

/// The tables of the schema `grid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Files,
    Generations,
    Imports,
    Rejects,
    Conformance,
    Jobs,
    Queries,
    Retention,
    Tenants,
}

impl System {
    pub(crate) const ALL: [Self; 9] = [
        Self::Conformance,
        Self::Files,
        Self::Generations,
        Self::Imports,
        Self::Jobs,
        Self::Queries,
        Self::Rejects,
        Self::Retention,
        Self::Tenants,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Generations => "generations",
            Self::Imports => "imports",
            Self::Rejects => "rejects",
            Self::Conformance => "conformance",
            Self::Jobs => "jobs",
            Self::Queries => "queries",
            Self::Retention => "retention",
            Self::Tenants => "tenants",
        }
    }

    fn schema(self) -> SchemaRef {
        let count = |name: &str| Field::new(name, DataType::UInt64, false);
        let fields = match self {
            // `path` opens in DuckDB or Polars as it stands.
            Self::Files => vec![
                text("table", false),
                text("path", false),
                count("rows"),
                count("bytes"),
                timestamp("min_time", false),
                timestamp("max_time", false),
                count("level"),
                count("min_seq"),
                count("max_seq"),
                count("generation"),
                text("text_index", true),
                text("import_id", true),
            ],
            Self::Generations => vec![
                count("generation"),
                count("files"),
                count("rows"),
                count("bytes"),
                Field::new("current", DataType::Boolean, false),
            ],
            Self::Imports => vec![
                text("import_id", false),
                text("source", false),
                text("dataset", false),
                timestamp("started", false),
                Field::new("replaces", DataType::Boolean, false),
                text("manifest_version", true),
                text("currency", false),
                text("source_total", false),
                text("stored_total", false),
                text("residual_total", false),
                text("rejected_total", false),
                count("rows_stored"),
                count("rows_rejected"),
                Field::new("superseded", DataType::Boolean, false),
                text("files", false),
                text("left_out_total", false),
                count("rows_left_out"),
                // `effective_cost 0.0000000000000000001, ...`: what rounding took from costs other than the billed one.
                text("rounding", false),
            ],
            Self::Rejects => vec![
                text("import_id", false),
                text("file", false),
                count("row"),
                Field::new("line", DataType::UInt64, true),
                text("reason", false),
                text("cost", true),
                text("currency", true),
                text("raw", false),
            ],
            Self::Conformance => vec![
                text("import_id", false),
                text("version", false),
                text("rule", false),
                text("kind", false),
                text("keyword", false),
                text("demands", false),
                text("status", false),
                count("checked"),
                count("violations"),
                text("file", true),
                Field::new("row", DataType::UInt64, true),
                text("column", true),
                text("value", true),
                text("note", true),
            ],
            // What the loops of insight write as documents of kind `job`.
            Self::Jobs => vec![
                text("job", false),
                Field::new("watermark", timestamp_type(), true),
                timestamp("started", false),
                count("elapsed_ms"),
                count("runs"),
                count("missed"),
                count("rows"),
                count("generation"),
                count("failures"),
                text("error", true),
            ],
            Self::Queries => vec![
                text("query_id", false),
                text("state", false),
                text("client", true),
                text("query", false),
                timestamp("started", false),
                Field::new("elapsed_ms", DataType::Float64, false),
                count("rows"),
                text("error", true),
            ],
            Self::Retention => vec![text("table", false), Field::new("keep_days", DataType::Float64, false)],
            Self::Tenants => vec![
                text("tenant", false),
                count("series"),
                count("files"),
                count("file_rows"),
                count("file_bytes"),
                count("buffered_rows"),
            ],
        };
        Arc::new(Schema::new(fields))
    }
}

/// The schema `grid`.
#[derive(Debug)]
pub(crate) struct SystemSchema {
    pub source: Arc<Source>,
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        System::ALL.iter().map(|t| t.name().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let which = System::ALL.into_iter().find(|t| t.name() == name);
        Ok(which
            .map(|which| Arc::new(SystemTable { source: Arc::clone(&self.source), which }) as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        System::ALL.iter().any(|t| t.name() == name)
    }
}

struct SystemTable {
    source: Arc<Source>,
    which: System,
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemTable({})", self.which.name())
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.which.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.rows().await.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let schema = self.which.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?)
    }
}

impl SystemTable {
    async fn rows(&self) -> Result<RecordBatch, StoreError> {
        let mut rows = Rows::new(self.which.schema());
        let snapshot = &self.source.snapshot;
        let catalog = self.source.store.catalog();
        match self.which {
            System::Files => {
                for file in Table::ALL.iter().flat_map(|t| snapshot.files(*t)) {
                    rows.text(file.table.name());
                    rows.text(&self.source.store.objects().public_path(&file.path));
                    rows.count(file.rows);
                    rows.count(file.bytes);
                    rows.time(file.min_time);
                    rows.time(file.max_time);
                    rows.count(u64::from(file.level));
                    rows.count(file.min_seq);
                    rows.count(file.max_seq);
                    rows.count(file.generation);
                    rows.maybe_text(
                        file.text_index.as_ref().map(|p| self.source.store.objects().public_path(p)).as_deref(),
                    );
                    rows.maybe_text(file.import_id.as_deref());
                }
            }
            System::Generations => {
                let mut by_generation = std::collections::BTreeMap::from([(snapshot.generation, (0, 0, 0))]);
                for file in Table::ALL.iter().flat_map(|t| snapshot.files(*t)) {
                    let entry: &mut (u64, u64, u64) = by_generation.entry(file.generation).or_default();
                    *entry = (entry.0 + 1, entry.1 + file.rows, entry.2 + file.bytes);
                }
                for (generation, (files, file_rows, bytes)) in by_generation {
                    rows.count(generation);
                    rows.count(files);
                    rows.count(file_rows);
                    rows.count(bytes);
                    rows.truth(generation == snapshot.generation);
                }
            }
            System::Imports => {
                for import in catalog.imports(&snapshot.tenant).await? {
                    let files = import.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
                    for total in &import.totals {
                        rows.text(&import.id);
                        rows.text(&import.source);
                        rows.text(&import.dataset);
                        rows.time(import.started);
                        rows.truth(import.replaces);
                        rows.maybe_text(import.manifest_version.as_deref());
                        for amount in [&total.currency, &total.source, &total.stored, &total.residual, &total.rejected]
                        {
                            rows.text(amount);
                        }
                        rows.count(total.rows_stored);
                        rows.count(total.rows_rejected);
                        rows.truth(import.is_superseded());
                        rows.text(&files);
                        rows.text(if total.left_out.is_empty() { "0" } else { &total.left_out });
                        rows.count(total.rows_left_out);
                        let rounding = total.rounding.iter().map(|(column, took)| format!("{column} {took}"));
                        rows.text(&rounding.collect::<Vec<_>>().join(", "));
                    }
                }
            }
            System::Rejects => {
                let mut left = CATALOG_ROWS_MAX;
                for import in catalog.imports(&snapshot.tenant).await? {
                    if import.rejected == 0 || left == 0 {
                        continue;
                    }
                    for reject in catalog.rejects(&snapshot.tenant, &import.id).await?.into_iter().take(left) {
                        left -= 1;
                        rows.text(&import.id);
                        rows.text(&reject.file);
                        rows.count(reject.row);
                        rows.maybe_count(reject.line);
                        rows.text(&reject.reason);
                        rows.maybe_text(reject.cost.as_deref());
                        rows.maybe_text(reject.currency.as_deref());
                        rows.text(&reject.raw);
                    }
                }
            }
            System::Conformance => {
                let known: std::collections::HashMap<&str, &grid_focus_rules::Rule> =
                    table::model().chain(table::later()).map(|r| (r.id, r)).collect();
                let mut left = CATALOG_ROWS_MAX;
                for import in catalog.imports(&snapshot.tenant).await? {
                    let Some(found) = catalog.conformance(&snapshot.tenant, &import.id).await? else { continue };
                    for r in found.rules.iter().take(left) {
                        left -= 1;
                        let rule = known.get(r.rule.as_str());
                        let first = r.examples.first();
                        rows.text(&import.id);
                        rows.text(&found.version);
                        rows.text(&r.rule);
                        rows.text(rule.map_or("", |r| r.kind.name()));
                        rows.text(rule.map_or("", |r| r.keyword.name()));
                        rows.text(&rule.map(|r| r.sentence()).unwrap_or_default());
                        rows.text(&r.status);
                        rows.count(r.checked);
                        rows.count(r.violations);
                        rows.maybe_text(first.map(|e| e.file.as_str()));
                        rows.maybe_count(first.map(|e| e.row));
                        rows.maybe_text(first.map(|e| e.column.as_str()));
                        rows.maybe_text(first.map(|e| e.value.as_str()));
                        rows.maybe_text(r.note.as_deref());
                    }
                }
            }
            System::Jobs => {
                for document in catalog.documents(&snapshot.tenant, JOB_KIND).await? {
                    let Ok(state) = serde_json::from_str::<serde_json::Value>(&document.body) else { continue };
                    let number = |name: &str| state[name].as_u64().unwrap_or(0);
                    rows.text(&document.name);
                    rows.maybe_time(state["watermark"].as_i64().map(Timestamp));
                    rows.time(Timestamp(state["started"].as_i64().unwrap_or(0)));
                    for name in ["elapsed_ms", "runs", "missed", "rows", "generation", "failures"] {
                        rows.count(number(name));
                    }
                    rows.maybe_text(state["error"].as_str());
                }
            }
            System::Queries => {
                let own = |q: &QueryInfo| q.tenant == snapshot.tenant;
                let registry = &self.source.registry;
                for query in registry.running().iter().chain(registry.slow().iter()).filter(|q| own(q)) {
                    rows.text(&query.id);
                    rows.text(query.state.as_str());
                    rows.maybe_text(query.client.as_deref());
                    rows.text(&query.query);
                    rows.time(query.started);
                    rows.number(query.elapsed.as_secs_f64() * 1e3);
                    rows.count(query.rows);
                    rows.maybe_text(query.error.as_deref());
                }
            }
            System::Retention => {
                for rule in catalog.retention().await?.into_iter().filter(|r| r.tenant == snapshot.tenant) {
                    rows.text(rule.table.name());
                    rows.number(rule.keep_ns as f64 / grid_model::time::DAY_NS as f64);
                }
            }
            System::Tenants => {
                let files = || Table::ALL.iter().flat_map(|t| snapshot.files(*t));
                let buffered: usize =
                    Table::ALL.iter().flat_map(|t| snapshot.buffered(*t)).map(RecordBatch::num_rows).sum();
                rows.text(snapshot.tenant.as_str());
                rows.count(snapshot.series().len() as u64);
                rows.count(files().count() as u64);
                rows.count(files().map(|f| f.rows).sum());
                rows.count(files().map(|f| f.bytes).sum());
                rows.count(buffered as u64);
            }
        }
        rows.finish()
    }
}

enum Column {
    Text(StringBuilder),
    Count(UInt64Builder),
    Number(Float64Builder),
    Time(TimestampNanosecondBuilder),
    Truth(BooleanBuilder),
}

/// Builds rows cell by cell, left to right.
struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    at: usize,
}

impl Rows {
    fn new(schema: SchemaRef) -> Self {
        let column = |f: &Arc<Field>| match f.data_type() {
            DataType::UInt64 => Column::Count(UInt64Builder::new()),
            DataType::Float64 => Column::Number(Float64Builder::new()),
            DataType::Boolean => Column::Truth(BooleanBuilder::new()),
            DataType::Timestamp(..) => Column::Time(TimestampNanosecondBuilder::new().with_timezone(UTC)),
            _ => Column::Text(StringBuilder::new()),
        };
        Self { columns: schema.fields().iter().map(column).collect(), schema, at: 0 }
    }

    fn next(&mut self) -> &mut Column {
        let at = self.at;
        self.at = (at + 1) % self.columns.len();
        &mut self.columns[at]
    }

    fn text(&mut self, value: &str) {
        self.maybe_text(Some(value));
    }

    fn maybe_text(&mut self, value: Option<&str>) {
        if let Column::Text(b) = self.next() {
            b.append_option(value);
        }
    }

    fn count(&mut self, value: u64) {
        self.maybe_count(Some(value));
    }

    fn maybe_count(&mut self, value: Option<u64>) {
        if let Column::Count(b) = self.next() {
            b.append_option(value);
        }
    }

    fn number(&mut self, value: f64) {
        if let Column::Number(b) = self.next() {
            b.append_value(value);
        }
    }

    fn time(&mut self, value: Timestamp) {
        self.maybe_time(Some(value));
    }

    fn maybe_time(&mut self, value: Option<Timestamp>) {
        if let Column::Time(b) = self.next() {
            b.append_option(value.map(|t| t.0));
        }
    }

    fn truth(&mut self, value: bool) {
        if let Column::Truth(b) = self.next() {
            b.append_value(value);
        }
    }

    fn finish(self) -> Result<RecordBatch, StoreError> {
        let columns = self.columns.into_iter().map(|c| -> ArrayRef {
            match c {
                Column::Text(mut b) => Arc::new(b.finish()),
                Column::Count(mut b) => Arc::new(b.finish()),
                Column::Number(mut b) => Arc::new(b.finish()),
                Column::Time(mut b) => Arc::new(b.finish()),
                Column::Truth(mut b) => Arc::new(b.finish()),
            }
        });
        Ok(RecordBatch::try_new(self.schema, columns.collect())?)
    }
}
