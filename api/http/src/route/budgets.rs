//! Budgets: judged for whoever may query, written by whoever may administrate as well (two scopes on one path, so the handlers check the second).

use axum::Json as Reply;
use grid_finance::calendar::Day;
use grid_guard::Scope;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asker::Asker;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::finance::ask::day;
use crate::finance::budget::{self, BudgetSetting, BudgetStatus, KeptBudget};
use crate::page::{PageParams, cut};

/// The budgets of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetList {
    /// The budgets, by name.
    items: Vec<BudgetItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A budget, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetItem {
    /// Its name.
    name: String,
    /// What it says.
    budget: KeptBudget,
    /// How it stands.
    status: BudgetStatus,
}

/// On which day, and which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// The day on which budgets are judged: the period is the one it lies in. Today if absent.
    on: Option<String>,
    /// Only budgets in this state: `ok`, `at_risk` or `exceeded`.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

fn on(asker: &Asker, text: Option<&str>) -> Result<Day, ApiError> {
    text.map_or_else(|| Ok(Day::of(asker.now())), |text| day("on", text))
}

/// All budgets with their states.
#[utoipa::path(get, path = "/api/v1/budgets", tag = "costs", params(ListParams),
    responses((status = 200, description = "The budgets.", body = BudgetList)))]
pub(crate) async fn list(asker: Asker, Params(params): Params<ListParams>) -> Result<Reply<BudgetList>, ApiError> {
    let desk = asker.desk();
    let on = on(&asker, params.on.as_deref())?;
    let wanted = params.state.as_deref();
    if let Some(word) = wanted.filter(|w| !["ok", "at_risk", "exceeded"].contains(w)) {
        return Err(ApiError::Parameter(format!("state is {word:?}, it must be ok, at_risk or exceeded")));
    }
    let mut items = Vec::new();
    for kept in budget::list(&desk).await? {
        let status = budget::status(&desk, &kept.setting.check()?, on).await?;
        if wanted.is_none_or(|w| w == status.state) {
            items.push(BudgetItem { name: kept.setting.name.clone(), budget: kept, status });
        }
    }
    let page = PageParams { limit: params.limit, cursor: params.cursor };
    let (items, next_cursor) = cut(items, &page, |item| &item.name)?;
    Ok(Reply(BudgetList { items, next_cursor }))
}

/// A budget.
#[utoipa::path(get, path = "/api/v1/budgets/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The budget.", body = KeptBudget), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(asker: Asker, Segment(name): Segment) -> Result<Reply<KeptBudget>, ApiError> {
    Ok(Reply(budget::get(&asker.desk(), &name).await?))
}

/// On which day.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusParams {
    /// The day on which the budget is judged: the period is the one it lies in. Today if absent.
    on: Option<String>,
}

/// How a budget stands, with the evidence.
#[utoipa::path(get, path = "/api/v1/budgets/{id}/status", tag = "costs", params(("id" = String, Path, description = "Its name."), StatusParams),
    responses((status = 200, description = "The state.", body = BudgetStatus), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn status(
    asker: Asker,
    Segment(name): Segment,
    Params(params): Params<StatusParams>,
) -> Result<Reply<BudgetStatus>, ApiError> {
    let desk = asker.desk();
    let kept = budget::get(&desk, &name).await?;
    let on = on(&asker, params.on.as_deref())?;
    Ok(Reply(budget::status(&desk, &kept.setting.check()?, on).await?))
}

/// The version that the writer has seen: `If-Match: 3`, `If-None-Match: *` for none.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or_default().trim().trim_matches('"'));
    if text(header::IF_NONE_MATCH) == Some("*") {
        return Ok(Some(0));
    }
    match text(header::IF_MATCH) {
        None | Some("*") => Ok(None),
        Some(version) => version
            .parse()
            .map(Some)
            .map_err(|_| ApiError::Parameter(format!("If-Match is {version:?}, it must be the version of the budget"))),
    }
}

/// Makes a budget. One of the same name is replaced, unless `If-None-Match: *` says that there must be none.
#[utoipa::path(post, path = "/api/v1/budgets", tag = "costs", request_body = BudgetSetting,
    responses((status = 200, description = "The budget as kept.", body = KeptBudget), (status = 409, description = "There is one already."), (status = 422, description = "A field makes no sense.")))]
pub(crate) async fn post(asker: Asker, Json(setting): Json<BudgetSetting>) -> Result<Reply<KeptBudget>, ApiError> {
    write(&asker, setting).await
}

/// Sets the budget of a name. With `If-Match: VERSION` only if it still has that version.
#[utoipa::path(put, path = "/api/v1/budgets/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")), request_body = BudgetSetting,
    responses((status = 200, description = "The budget as kept.", body = KeptBudget), (status = 409, description = "It has another version."), (status = 422, description = "A field makes no sense.")))]
pub(crate) async fn put(
    asker: Asker,
    Segment(name): Segment,
    Json(mut setting): Json<BudgetSetting>,
) -> Result<Reply<KeptBudget>, ApiError> {
    if !setting.name.is_empty() && setting.name != name {
        return Err(ApiError::Parameter(format!("the path names {name:?}, the body {:?}", setting.name)));
    }
    setting.name = name;
    write(&asker, setting).await
}

async fn write(asker: &Asker, setting: BudgetSetting) -> Result<Reply<KeptBudget>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    let kept = budget::put(&asker.desk(), &setting, &asker.caller.subject, expected(&asker.headers)?).await?;
    tracing::info!(tenant = %asker.caller.tenant, budget = %setting.name, version = kept.version, by = %asker.caller.subject, "budget set");
    Ok(Reply(kept))
}

/// Deletes a budget.
#[utoipa::path(delete, path = "/api/v1/budgets/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(asker: Asker, Segment(name): Segment) -> Result<StatusCode, ApiError> {
    asker.caller.require(Scope::Admin)?;
    budget::delete(&asker.desk(), &name, &asker.caller.subject).await?;
    tracing::info!(tenant = %asker.caller.tenant, budget = %name, by = %asker.caller.subject, "budget deleted");
    Ok(StatusCode::NO_CONTENT)
}
