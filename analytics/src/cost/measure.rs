//! Measurements by which shared cost is split: PromQL at the end of each hour, or SQL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use grid_cost::rules::{Metric, MetricQuery};
use grid_cost::split::Weight;
use grid_cost::weights::User;
use grid_cost::{Rules, Weights};
use grid_model::resource::ResourceKey;
use grid_model::time::HOUR_NS;
use grid_model::{TenantId, TimeRange, Timestamp};
use grid_promql::points::{Grid, Point};
use grid_promql::query::Value;
use grid_promql_syntax::ast::ValueType;

use super::CostError;
use crate::engine::{Engine, SqlRequest};
use crate::promql::PromqlRequest;

/// Hours of one billing period that are measured; a charge for years (a reservation) does not ask for years of samples.
const HOURS_MAX: i64 = 24 * 400;

/// One series of numbers at the ends of hours.
pub(super) struct Measured {
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// The hour's start, and the number.
    pub hours: Vec<(Timestamp, f64)>,
}

impl Measured {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Questions about the same hours.
pub(super) struct Hours<'a> {
    pub engine: &'a Engine,
    pub tenant: &'a TenantId,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Hours<'_> {
    /// What a cluster's metrics say.
    pub(super) async fn of_cluster(&self, query: &str) -> Result<Vec<Measured>, CostError> {
        let asked = self.engine.hourly(self.tenant, query, self.from, self.until).await;
        asked.map_err(|reason| fault("kubernetes", reason))
    }
}

impl Engine {
    /// The measurements that the rules use, between two instants.
    pub(super) async fn measure(
        &self,
        tenant: &TenantId,
        rules: &Rules,
        range: Option<(Timestamp, Timestamp)>,
    ) -> Result<Weights, CostError> {
        let mut weights = Weights::default();
        let Some((from, until)) = range else { return Ok(weights) };
        let until = until.min(self.shared.store.now());
        for (name, metric) in rules.used_metrics() {
            match &metric.query {
                MetricQuery::Promql(query) => {
                    for series in self.hourly(tenant, query, from, until).await.map_err(|r| fault(name, r))? {
                        let user = user(metric, |label| series.label(label));
                        let resource = resource(metric, |label| series.label(label));
                        for (hour, value) in series.hours {
                            weights.add(name, &resource, hour, user.clone(), Weight::of_measurement(value));
                        }
                    }
                }
                MetricQuery::Sql(query) => {
                    let scope =
                        grid_model::Scope { tenant: tenant.clone(), range: TimeRange { start: from, end: until } };
                    let request = SqlRequest { scope, ..SqlRequest::new(tenant.clone(), query.clone()) };
                    self.measure_sql(name, metric, request, &mut weights).await?;
                }
                MetricQuery::Kubernetes => {
                    self.measure_cluster(tenant, name, metric, from, until, &mut weights).await?
                }
            }
        }
        Ok(weights)
    }

    /// A PromQL query at the end of each hour that `from..until` touches.
    pub(super) async fn hourly(
        &self,
        tenant: &TenantId,
        query: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Measured>, String> {
        let first = from.0.div_euclid(HOUR_NS);
        let last = until.0.saturating_sub(1).div_euclid(HOUR_NS).min(first.saturating_add(HOURS_MAX));
        if last < first {
            return Ok(Vec::new());
        }
        let millis = |hour: i64| hour.saturating_mul(HOUR_NS / 1_000_000);
        let grid = Grid { start: millis(first + 1), end: millis(last + 1), step: HOUR_NS / 1_000_000 };
        let request = PromqlRequest {
            tenant: tenant.clone(),
            query: query.to_owned(),
            grid,
            lookback: None,
            timeout: Some(self.limits().timeout_max),
            client: Some("allocation".to_owned()),
        };
        let answer = self.promql(request).await.map_err(|e| e.to_string())?;
        let hour_of = |step: usize| Timestamp((first + step as i64) * HOUR_NS);
        match answer.answer.value {
            Value::Series(series) => Ok(series
                .into_iter()
                .map(|s| Measured {
                    labels: s.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                    hours: s
                        .points
                        .iter()
                        .filter_map(|(step, point)| match point {
                            Point::Float(value) => Some((hour_of(step), value)),
                            Point::Histogram(_) => None,
                        })
                        .collect(),
                })
                .collect()),
            _ if answer.answer.value_type == ValueType::Vector => Ok(Vec::new()),
            _ => Err("the expression is no instant vector".to_owned()),
        }
    }

    async fn measure_sql(
        &self,
        name: &str,
        metric: &Metric,
        request: SqlRequest,
        weights: &mut Weights,
    ) -> Result<(), CostError> {
        let batches = self.sql(request).await?.collect().await?;
        for batch in batches {
            let column = |wanted: &str| {
                batch.column_by_name(wanted).ok_or_else(|| fault(name, format!("the answer has no column {wanted:?}")))
            };
            let as_type = |wanted: &str, kind: &DataType| {
                cast(column(wanted)?, kind).map_err(|e| fault(name, format!("column {wanted:?}: {e}")))
            };
            let nanos = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
            let times = cast(&as_type("time", &nanos)?, &DataType::Int64).map_err(|e| fault(name, e.to_string()))?;
            let (times, values) = (times.as_primitive::<Int64Type>(), as_type("value", &DataType::Float64)?);
            let values = values.as_primitive::<Float64Type>();
            let names = metric.dimensions.iter().chain([&metric.owner]).chain(&metric.resource);
            let mut texts = HashMap::new();
            for wanted in names {
                texts.insert(wanted.as_str(), as_type(wanted, &DataType::Utf8)?);
            }
            for row in (0..batch.num_rows()).filter(|row| !times.is_null(*row) && !values.is_null(*row)) {
                let text = |wanted: &str| {
                    let column = texts.get(wanted).map(|c| c.as_string::<i32>());
                    column.filter(|c| !c.is_null(row)).map_or("", |c| c.value(row))
                };
                let hour = Timestamp(times.value(row));
                let (user, resource) = (user(metric, text), resource(metric, text));
                weights.add(name, &resource, hour, user, Weight::of_measurement(values.value(row)));
            }
        }
        Ok(())
    }
}

pub(super) fn fault(metric: &str, reason: impl Into<String>) -> CostError {
    CostError::Metric { metric: metric.to_owned(), reason: reason.into() }
}

/// Who used it: a series without the owner's label is nobody's use, hence idle.
fn user<'a>(metric: &Metric, label: impl Fn(&str) -> &'a str) -> User {
    let owner = Some(label(&metric.owner)).filter(|o| !o.is_empty()).map(Arc::from);
    let dimensions = metric.dimensions.iter().map(|d| (Arc::from(d.as_str()), Arc::from(label(d)))).collect();
    User { owner, dimensions }
}

fn resource<'a>(metric: &Metric, label: impl Fn(&str) -> &'a str) -> String {
    let id = metric.resource.as_deref().map(label).unwrap_or_default();
    ResourceKey::of_id(id).map(|k| k.to_string()).unwrap_or_default()
}
