//! How long rows are kept, per table of the caller's tenant. By default for ever.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::Caller;
use grid_model::Table;
use grid_store::catalog::RetentionRule;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::page::{PageParams, cut};
use crate::state::ApiState;

/// A rule as set.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Retention {
    /// The table.
    #[schema(example = "logs")]
    table: String,
    /// Rows older than this are deleted.
    #[schema(example = "30d")]
    keep: String,
}

/// All rules of the tenant. A table without a rule keeps its rows for ever.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionList {
    /// The rules, by table.
    items: Vec<Retention>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A rule to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionSetting {
    /// Rows older than this are deleted; a duration as in Prometheus.
    #[schema(example = "30d")]
    keep: String,
}

fn table(name: &str) -> Result<Table, ApiError> {
    let known = || Table::ALL.map(Table::name).join(", ");
    Table::parse(name).ok_or_else(|| ApiError::Parameter(format!("there is no table {name:?}; tables are {}", known())))
}

async fn rules(state: &ApiState, caller: &Caller) -> Result<Vec<Retention>, ApiError> {
    let all = state.store.catalog().retention().await?;
    let mine = all.into_iter().filter(|r| r.tenant == caller.tenant);
    let mut rules: Vec<Retention> =
        mine.map(|r| Retention { table: r.table.name().to_owned(), keep: duration::format(r.keep_ns) }).collect();
    rules.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(rules)
}

/// All rules of the tenant.
#[utoipa::path(get, path = "/api/v1/retention", tag = "retention", params(PageParams),
    responses((status = 200, description = "The rules.", body = RetentionList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<RetentionList>, ApiError> {
    let (items, next_cursor) = cut(rules(&state, &caller).await?, &page, |r| &r.table)?;
    Ok(Reply(RetentionList { items, next_cursor }))
}

/// The rule of a table.
#[utoipa::path(get, path = "/api/v1/retention/{table}", tag = "retention", params(("table" = String, Path, description = "The table.")),
    responses((status = 200, description = "The rule.", body = Retention), (status = 404, description = "The table has none: its rows are kept for ever.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
) -> Result<Reply<Retention>, ApiError> {
    let table = table(&name)?;
    let rule = rules(&state, &caller).await?.into_iter().find(|r| r.table == table.name());
    rule.map(Reply).ok_or(ApiError::NotFound { what: "retention rule for", id: name })
}

/// Sets the rule of a table. The same setting twice is the same setting.
#[utoipa::path(put, path = "/api/v1/retention/{table}", tag = "retention", params(("table" = String, Path, description = "The table.")),
    request_body = RetentionSetting, responses((status = 200, description = "The rule as set.", body = Retention)))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
    Json(setting): Json<RetentionSetting>,
) -> Result<Reply<Retention>, ApiError> {
    let table = table(&name)?;
    if table == Table::Prices {
        // Most prices hold "since ever", so that any rule would take them all.
        let why = "prices do not go by age: a book is replaced by its next edition";
        return Err(ApiError::Parameter(why.to_owned()));
    }
    let keep_ns = duration::parse(&setting.keep).ok_or_else(|| {
        ApiError::Parameter(format!("keep is {:?}, it must be a duration such as 30d or 12h", setting.keep))
    })?;
    state.store.catalog().set_retention(&RetentionRule { tenant: caller.tenant.clone(), table, keep_ns }).await?;
    tracing::info!(tenant = %caller.tenant, table = table.name(), keep = %setting.keep, by = %caller.subject, "retention set");
    Ok(Reply(Retention { table: name, keep: duration::format(keep_ns) }))
}

/// Drops the rule of a table: its rows are kept for ever again.
#[utoipa::path(delete, path = "/api/v1/retention/{table}", tag = "retention", params(("table" = String, Path, description = "The table.")),
    responses((status = 204, description = "Dropped."), (status = 404, description = "The table had none.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
) -> Result<StatusCode, ApiError> {
    let table = table(&name)?;
    if !state.store.catalog().drop_retention(&caller.tenant, table).await? {
        return Err(ApiError::NotFound { what: "retention rule for", id: name });
    }
    tracing::info!(tenant = %caller.tenant, table = table.name(), by = %caller.subject, "retention dropped");
    Ok(StatusCode::NO_CONTENT)
}
