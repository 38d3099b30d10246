//! Anomalies, incidents, and what people say about them.

use axum::Json as Reply;
use grid_finance::relation::Relation;
use grid_guard::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::asker::Asker;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::findings::decide::{FeedbackBody, say};
use crate::findings::list::{ListAsk, incidents, list as read, one};
use crate::page::{PageParams, cut};

/// Which findings, in which order, which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindingParams {
    /// A condition over the columns: `kind = 'errors' and score > 2`.
    pub(crate) filter: Option<String>,
    /// Only these states, with commas between; all if absent.
    pub(crate) state: Option<String>,
    /// The column to order by; `-` before it turns the order into the largest first, `+` into the smallest first.
    pub(crate) sort: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<usize>,
    /// `next_cursor` of the last answer.
    pub(crate) cursor: Option<String>,
}

impl FindingParams {
    pub(crate) fn ask(&self) -> ListAsk {
        ListAsk { filter: self.filter.clone(), state: self.state.clone(), sort: self.sort.clone() }
    }

    pub(crate) fn page(&self) -> PageParams {
        PageParams { limit: self.limit, cursor: self.cursor.clone() }
    }
}

/// A page of findings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingList {
    /// Rows of the table, with all of its columns (`DESCRIBE anomalies`, `DESCRIBE forecasts`).
    #[schema(value_type = Vec<Object>)]
    pub(crate) items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    pub(crate) next_cursor: Option<String>,
}

/// Cuts a page out of items by the text of a field.
pub(crate) fn page_of(items: Vec<Value>, params: &FindingParams, field: &'static str) -> Result<FindingList, ApiError> {
    let key = |item: &Value| item[field].as_str().unwrap_or_default().to_owned();
    let keyed: Vec<(String, Value)> = items.into_iter().map(|item| (key(&item), item)).collect();
    let (page, next_cursor) = cut(keyed, &params.page(), |(key, _)| key)?;
    Ok(FindingList { items: page.into_iter().map(|(_, item)| item).collect(), next_cursor })
}

/// What was unusual, the youngest first.
#[utoipa::path(get, path = "/api/v1/anomalies", tag = "insight", params(FindingParams),
    responses((status = 200, description = "A page of anomalies.", body = FindingList)))]
pub(crate) async fn list(asker: Asker, Params(params): Params<FindingParams>) -> Result<Reply<FindingList>, ApiError> {
    let found = read(&asker.desk(), Relation::Anomalies, &params.ask()).await?;
    Ok(Reply(page_of(found.items, &params, "anomaly_id")?))
}

/// One anomaly.
#[utoipa::path(get, path = "/api/v1/anomalies/{id}", tag = "insight", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The anomaly.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn get(asker: Asker, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(one(&asker.desk(), Relation::Anomalies, &id).await?))
}

/// Says whether an anomaly was worth telling, or was planned. It changes what is reported from the next run on.
#[utoipa::path(post, path = "/api/v1/anomalies/{id}/feedback", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = FeedbackBody,
    responses((status = 200, description = "The anomaly as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn feedback(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<FeedbackBody>,
) -> Result<Reply<Value>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    Ok(Reply(say(&asker.desk(), &id, &body, &asker.caller.subject).await?))
}

/// Anomalies grouped into incidents, the youngest first; within one the likeliest cause first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "insight", params(FindingParams),
    responses((status = 200, description = "A page of incidents, each with its anomalies and causes.", body = FindingList)))]
pub(crate) async fn list_incidents(
    asker: Asker,
    Params(params): Params<FindingParams>,
) -> Result<Reply<FindingList>, ApiError> {
    let found = read(&asker.desk(), Relation::Anomalies, &params.ask()).await?;
    Ok(Reply(page_of(incidents(found.items), &params, "incident_id")?))
}
