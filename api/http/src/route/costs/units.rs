//! `GET /api/v1/costs/units`: the cost of one request, one customer, one trace: costs by owner over what a query counts.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::promql::PromqlRequest;
use grid_cost::unit::per_unit;
use grid_guard::Caller;
use grid_model::Amount;
use grid_promql::points::{Grid, Point};
use grid_promql::query::Value;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{amount, rows, select, sum, text};
use crate::error::ApiError;
use crate::extract::Params;
use crate::state::ApiState;

/// What is counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnitParams {
    /// PromQL, evaluated at the end of the range: how many units each owner had in it.
    #[param(example = "sum by (team) (increase(http_requests_total[1d]))")]
    promql: Option<String>,
    /// SQL instead, with a column `units` and the column that `label` names.
    #[param(example = "SELECT attributes['customer'] AS customer, count(*) AS units FROM spans GROUP BY 1")]
    sql: Option<String>,
    /// The label or column that holds the values of `group_by`; absent: all units together.
    label: Option<String>,
    /// The dimension of costs that it is compared with; `owner` if absent.
    group_by: Option<String>,
    /// Further conditions on the costs, as in /api/v1/costs.
    filter: Option<String>,
    /// First instant: a time or a date.
    from: String,
    /// First instant after.
    to: String,
}

/// One owner's units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnitCost {
    /// The dimension's value; null = all.
    group: Option<String>,
    /// The currency; null where units have no cost.
    currency: Option<String>,
    /// The cost.
    cost: Option<String>,
    /// How many units; null where a cost has none.
    units: Option<f64>,
    /// The cost of one; null where either is missing.
    cost_per_unit: Option<String>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnitReport {
    /// By value of the dimension and currency.
    items: Vec<UnitCost>,
    /// The statement behind the costs.
    sql: String,
}

/// The cost of one of something.
#[utoipa::path(get, path = "/api/v1/costs/units", tag = "costs", params(UnitParams),
    responses((status = 200, description = "Costs, units and their quotient.", body = UnitReport)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<UnitParams>,
) -> Result<Reply<UnitReport>, ApiError> {
    let range = select::range(Some(&params.from), Some(&params.to))?;
    let group = match params.label {
        Some(_) => select::dimensions(Some(params.group_by.as_deref().unwrap_or("owner")))?,
        None => Vec::new(),
    };
    let mut conditions = select::within(range);
    conditions.extend(select::conditions(params.filter.as_deref())?);
    let key = group.first().map_or("''", |d| d.sql.as_str());
    let sql = format!(
        "SELECT coalesce({key}, '') AS g, billing_currency AS currency, sum(cost) AS cost FROM allocations{} GROUP BY 1, 2",
        select::where_clause(&conditions)
    );
    let mut costs: BTreeMap<(String, String), Amount> = BTreeMap::new();
    for row in rows(&state, &caller, &sql).await? {
        let cost = costs.entry((text(&row, "g").to_owned(), text(&row, "currency").to_owned())).or_default();
        *cost = sum(*cost, amount(&row, "cost")?)?;
    }
    let units = count(&state, &caller, &params, range.1).await?;
    let mut items = Vec::new();
    for ((group, currency), cost) in &costs {
        let units = units.get(group).copied();
        items.push(UnitCost {
            group: Some(group.clone()).filter(|_| params.label.is_some()),
            currency: Some(currency.clone()),
            cost: Some(cost.to_string()),
            units,
            cost_per_unit: units.and_then(|u| per_unit(*cost, u)).map(|a| a.to_string()),
        });
    }
    for (group, count) in units.iter().filter(|(g, _)| costs.keys().all(|(known, _)| known != *g)) {
        let units = Some(*count);
        items.push(UnitCost { group: Some(group.clone()), currency: None, cost: None, units, cost_per_unit: None });
    }
    Ok(Reply(UnitReport { items, sql }))
}

/// Units by the label's value; under the empty one if there is no label.
async fn count(
    state: &ApiState,
    caller: &Caller,
    params: &UnitParams,
    end: Option<grid_model::Timestamp>,
) -> Result<BTreeMap<String, f64>, ApiError> {
    let mut units: BTreeMap<String, f64> = BTreeMap::new();
    match (&params.promql, &params.sql) {
        (Some(query), None) => {
            let at = end.map_or(0, |t| t.0 / 1_000_000);
            let request = PromqlRequest {
                tenant: caller.tenant.clone(),
                query: query.clone(),
                grid: Grid::instant(at),
                lookback: None,
                timeout: None,
                client: Some("costs".to_owned()),
            };
            let answer = state.engine.promql(request).await.map_err(|e| ApiError::Parameter(format!("promql: {e}")))?;
            match answer.answer.value {
                Value::Series(series) => {
                    for s in &series {
                        if let Some(Point::Float(value)) = s.points.get(0) {
                            let of = params.label.as_deref().map_or("", |l| s.labels.get(l));
                            *units.entry(of.to_owned()).or_default() += value;
                        }
                    }
                }
                Value::Scalar(values) => {
                    units.insert(String::new(), values.first().copied().unwrap_or(0.0));
                }
                _ => return Err(ApiError::Parameter("promql must be an instant vector or a number".to_owned())),
            }
        }
        (None, Some(query)) => {
            for row in rows(state, caller, query).await? {
                let value = &row["units"];
                let value = value.as_f64().or_else(|| value.as_str().and_then(|t| t.parse().ok()));
                let value =
                    value.ok_or_else(|| ApiError::Parameter("sql must have a column `units` of numbers".to_owned()))?;
                let of = params.label.as_deref().map_or("", |l| text(&row, l));
                *units.entry(of.to_owned()).or_default() += value;
            }
        }
        _ => return Err(ApiError::Parameter("say one of promql and sql".to_owned())),
    }
    Ok(units)
}
