//! `metrics."NAME"`: the samples of one metric with labels as columns.
//!
//! Conditions on labels are decided on the labels alone, before any sample is read: they choose series, and only those are
//! looked for in files. Stale markers are no samples here: a series that went stale has a gap.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::conjunction;
use datafusion::physical_plan::ExecutionPlan;
use grid_model::labels::METRIC_NAME;
use grid_model::series::MetricKind;
use grid_model::table::column::{append_pairs, map_builder, text, text_map, timestamp};
use grid_model::table::samples::{HISTOGRAM, SERIES_ID, TIME, VALUE, histogram_fields};
use grid_model::{SeriesDef, SeriesId, Table, TenantId};
use parking_lot::Mutex;

use super::files::keep_columns;
use super::samples::Choice;
use super::scan_exec::{ScanCounts, ScanExec};
use super::series_exec::{ById, SeriesExec, Source as From};
use super::{Source, prune};
use crate::limits::LABEL_COLUMNS_MAX;

/// The map of labels that have no column of their own.
pub(crate) const LABELS: &str = "labels";
/// Series over all metrics whose labels are kept between queries.
const CACHED_SERIES_MAX: usize = 500_000;

/// The labels of one metric's series, one column per label.
pub(crate) struct MetricLabels {
    /// Ids; row `i` of each column belongs to `ids[i]`.
    ids: Vec<SeriesId>,
    /// Columns: the label's name in SQL, and its values, null where absent.
    columns: Vec<(String, ArrayRef)>,
    /// Further labels, if there are more than [`LABEL_COLUMNS_MAX`].
    rest: Option<ArrayRef>,
    /// Whether any series holds numbers, whether any holds distributions, as far as OTLP says; Prometheus does not.
    numbers: bool,
    distributions: bool,
    untyped: bool,
}

impl MetricLabels {
    fn of(defs: &[(SeriesId, SeriesDef)]) -> Self {
        let names: BTreeSet<&str> =
            defs.iter().flat_map(|(_, d)| d.labels.iter().map(|(k, _)| k)).filter(|k| *k != METRIC_NAME).collect();
        let (own, other): (Vec<&str>, Vec<&str>) = {
            let mut names = names.into_iter();
            (names.by_ref().take(LABEL_COLUMNS_MAX).collect(), names.collect())
        };
        let mut taken: HashSet<String> = [TIME, VALUE, HISTOGRAM, SERIES_ID, LABELS].map(str::to_owned).into();
        taken.extend(own.iter().filter(|n| !is_reserved(n)).map(|n| (*n).to_owned()));
        let columns = own
            .iter()
            .map(|name| {
                let mut values = StringBuilder::new();
                defs.iter().for_each(|(_, d)| values.append_option(d.labels.get(name)));
                (column_name(name, &mut taken), Arc::new(values.finish()) as ArrayRef)
            })
            .collect();
        let rest = (!other.is_empty()).then(|| {
            let mut maps = map_builder();
            for (_, d) in defs {
                let beyond = d.labels.iter().filter(|(k, _)| other.binary_search(k).is_ok());
                append_pairs(&mut maps, beyond);
            }
            Arc::new(maps.finish()) as ArrayRef
        });
        let kinds = || defs.iter().filter_map(|(_, d)| d.otlp.as_ref()).map(|o| o.kind);
        let is_number = |k: MetricKind| matches!(k, MetricKind::Gauge | MetricKind::Sum);
        Self {
            ids: defs.iter().map(|(id, _)| *id).collect(),
            columns,
            rest,
            numbers: kinds().any(is_number),
            distributions: kinds().any(|k| !is_number(k)),
            untyped: defs.iter().any(|(_, d)| d.otlp.is_none()),
        }
    }

    /// One row per series, one column per label.
    fn batch(&self) -> Result<RecordBatch> {
        let fields: Vec<Field> = self.columns.iter().map(|(name, _)| text(name, true)).collect();
        let columns = self.columns.iter().map(|(_, values)| Arc::clone(values)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.ids.len()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }
}

fn is_reserved(name: &str) -> bool {
    [TIME, VALUE, HISTOGRAM, SERIES_ID, LABELS].contains(&name)
}

/// A label's name as a column; one that another column has already gets `label_` in front.
fn column_name(label: &str, taken: &mut HashSet<String>) -> String {
    if !is_reserved(label) {
        return label.to_owned();
    }
    let mut name = format!("label_{label}");
    while !taken.insert(name.clone()) {
        name.insert_str(0, "label_");
    }
    name
}

/// Labels of metrics that queries asked for. An entry holds as long as its metric has as many series: the index only grows.
#[derive(Default)]
pub(crate) struct MetricCache {
    by_name: Mutex<HashMap<(TenantId, String), Arc<MetricLabels>>>,
}

impl MetricCache {
    fn get(&self, source: &Source, metric: &str) -> Option<Arc<MetricLabels>> {
        let index = source.snapshot.series();
        let count = index.count_of(metric);
        if count == 0 {
            return None;
        }
        let key = (source.snapshot.tenant.clone(), metric.to_owned());
        if let Some(known) = self.by_name.lock().get(&key).filter(|k| k.ids.len() == count) {
            return Some(Arc::clone(known));
        }
        let defs = index.defs_of_metric(metric);
        let labels = Arc::new(MetricLabels::of(&defs));
        let mut by_name = self.by_name.lock();
        if by_name.values().map(|l| l.ids.len()).sum::<usize>() + defs.len() > CACHED_SERIES_MAX {
            by_name.clear();
        }
        by_name.insert(key, Arc::clone(&labels));
        Some(labels)
    }
}

/// The schema `metrics`: one table per metric name.
#[derive(Debug)]
pub(crate) struct MetricsSchema {
    pub source: Arc<Source>,
}

#[async_trait]
impl SchemaProvider for MetricsSchema {
    fn table_names(&self) -> Vec<String> {
        self.source.snapshot.series().metrics().into_iter().map(|(name, _)| name.to_string()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let Some(labels) = self.source.metrics.get(&self.source, name) else { return Ok(None) };
        let distributions =
            labels.distributions || labels.untyped && self.source.has_distributions(name, &labels).await?;
        let numbers = labels.numbers || labels.untyped || !distributions;
        Ok(Some(Arc::new(MetricTable::new(Arc::clone(&self.source), name, labels, numbers, distributions))))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.source.snapshot.series().count_of(name) > 0
    }
}

impl Source {
    /// Whether a metric of Prometheus clients holds native histograms: its type says so, or buffered samples do.
    async fn has_distributions(&self, metric: &str, labels: &MetricLabels) -> Result<bool> {
        if self
            .metric_facts()
            .await?
            .get(metric)
            .is_some_and(|f| matches!(f.kind.as_str(), "histogram" | "gaugehistogram"))
        {
            return Ok(true);
        }
        let with_histograms =
            self.snapshot.buffered(Table::Samples).iter().filter_map(|b| Some((b, b.column_by_name(HISTOGRAM)?)));
        let mut ids: Option<HashSet<u64>> = None;
        for (batch, histograms) in with_histograms {
            let ids = ids.get_or_insert_with(|| labels.ids.iter().map(|id| id.0).collect());
            let Some(of) = batch.column_by_name(SERIES_ID) else { continue };
            let of = of.as_primitive::<arrow::datatypes::UInt64Type>();
            if (0..batch.num_rows()).any(|row| histograms.is_valid(row) && ids.contains(&of.value(row))) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// See the module.
pub(crate) struct MetricTable {
    source: Arc<Source>,
    metric: String,
    labels: Arc<MetricLabels>,
    schema: SchemaRef,
}

impl fmt::Debug for MetricTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricTable({})", self.metric)
    }
}

impl MetricTable {
    fn new(source: Arc<Source>, metric: &str, labels: Arc<MetricLabels>, numbers: bool, distributions: bool) -> Self {
        let mut fields = vec![timestamp(TIME, false)];
        if numbers {
            fields.push(Field::new(VALUE, DataType::Float64, true));
        }
        if distributions {
            fields.push(Field::new(HISTOGRAM, DataType::Struct(histogram_fields()), true));
        }
        fields.extend(labels.columns.iter().map(|(name, _)| text(name, true)));
        if labels.rest.is_some() {
            fields.push(text_map(LABELS));
        }
        fields.push(Field::new(SERIES_ID, DataType::UInt64, false));
        Self { source, metric: metric.to_owned(), labels, schema: Arc::new(Schema::new(fields)) }
    }

    fn is_label(&self, name: &str) -> bool {
        self.labels.columns.iter().any(|(column, _)| column == name)
    }

    fn about_labels_only(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|c| self.is_label(&c.name)) && !filter.is_volatile()
    }

    /// The series that pass all conditions on labels, each with its row.
    fn choose(&self, state: &dyn Session, filters: &[Expr]) -> Result<ById<u32>> {
        let about_labels: Vec<&Expr> = filters.iter().filter(|f| self.about_labels_only(f)).collect();
        let row_of = |row: usize| (self.labels.ids[row].0, row as u32);
        if about_labels.is_empty() {
            return Ok((0..self.labels.ids.len()).map(row_of).collect());
        }
        let batch = self.labels.batch()?;
        let schema = DFSchema::try_from(batch.schema().as_ref().clone())?;
        let exprs = about_labels
            .into_iter()
            .map(|f| state.create_physical_expr(prune::unqualified(f.clone())?, &schema))
            .collect::<Result<Vec<_>>>()?;
        let passes = conjunction(exprs).evaluate(&batch)?.into_array(batch.num_rows())?;
        let passes: &BooleanArray = passes.as_boolean();
        Ok((0..passes.len()).filter(|row| passes.is_valid(*row) && passes.value(*row)).map(row_of).collect())
    }
}

#[async_trait]
impl TableProvider for MetricTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let decide = |f: &&Expr| {
            if self.about_labels_only(f) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(decide).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let series = Arc::new(self.choose(state, filters)?);
        let of = self.labels.ids.len();
        let mut counts = ScanCounts { series: Some((series.len(), of - series.len())), ..ScanCounts::default() };
        let schema = Arc::new(self.schema.project(&wanted)?);
        if series.is_empty() {
            counts.files_considered = self.source.snapshot.files(Table::Samples).len();
            counts.files_pruned = counts.files_considered;
            return Ok(ScanExec::above(&self.metric, super::files::union(Vec::new(), &schema)?, counts));
        }

        // The id finds the labels, the value tells stale markers.
        let mut columns = vec![SERIES_ID];
        if self.schema.index_of(VALUE).is_ok() {
            columns.push(VALUE);
        }
        for name in [TIME, HISTOGRAM] {
            if schema.index_of(name).is_ok() && !self.is_label(name) {
                columns.push(name);
            }
        }
        let about_samples: Vec<Expr> = filters
            .iter()
            .filter(|f| f.column_refs().iter().all(|c| [TIME, VALUE, SERIES_ID].contains(&c.name.as_str())))
            .cloned()
            .collect();
        let choice = Choice { metric: &self.metric, series: Arc::clone(&series), of };
        let samples = self.source.scan_samples(state, &columns, &about_samples, Some(&choice), &mut counts)?;
        let samples = keep_columns(samples, columns.len())?;
        let below = samples.schema();
        let sources = schema
            .fields()
            .iter()
            .map(|field| {
                if let Some((_, values)) = self.labels.columns.iter().find(|(name, _)| name == field.name()) {
                    return Ok(From::Label(Arc::clone(values)));
                }
                match &self.labels.rest {
                    Some(rest) if field.name() == LABELS => Ok(From::Label(Arc::clone(rest))),
                    _ => Ok(From::Input(below.index_of(field.name())?)),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let id = below.index_of(SERIES_ID)?;
        let joined = SeriesExec::new(samples, series, id, below.index_of(VALUE).ok(), sources, schema);
        Ok(ScanExec::above(&self.metric, Arc::new(joined), counts))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::Labels;

    #[test]
    fn labels_become_columns_and_never_hide_one() {
        let labels =
            Labels::of(&[("__name__", "m"), ("time", "t"), ("label_time", "l"), ("value", "v"), ("zone", "z")]);
        let def = SeriesDef::of_labels(labels);
        let m = MetricLabels::of(&[(def.id(), def)]);
        let names: Vec<&str> = m.columns.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["label_time", "label_label_time", "label_value", "zone"]);
        assert!(m.rest.is_none());
    }

    #[test]
    fn more_labels_than_columns_go_to_a_map() {
        let pairs: Vec<(String, String)> = (0..300).map(|i| (format!("l{i:03}"), i.to_string())).collect();
        let def = SeriesDef::of_labels(Labels::new(pairs).unwrap());
        let m = MetricLabels::of(&[(def.id(), def)]);
        assert_eq!(m.columns.len(), LABEL_COLUMNS_MAX);
        let rest = m.rest.unwrap();
        assert_eq!(rest.as_map().value(0).len(), 300 - LABEL_COLUMNS_MAX);
    }
}
