//! Texts that people write and the allocation obeys: rules (`allocation.toml`), aliases of resources and exchange rates (CSV). Each has
//! versions, and a change names the version it was made to.

use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::cost::CostError;
use grid_analytics::cost::joins::aliases_key;
use grid_analytics::cost::rules_key;
use grid_cost::Rules;
use grid_cost::alias::Aliases;
use grid_cost::rates::Rates;
use grid_guard::Caller;
use grid_store::{Document, DocumentKey};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::route::rfc3339;
use crate::state::ApiState;

/// Kind and name of the table of rates.
const RATES: (&str, &str) = ("exchange-rates", "rates");
/// What the last part of the path may be.
const SUBJECTS: [&str; 3] = ["rules", "aliases", "rates"];

/// One version of a text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CostDocument {
    /// Counted from 1; 0 = the text that holds where nobody has written one.
    version: u64,
    /// The text.
    text: String,
    /// Who wrote it.
    author: Option<String>,
    /// When.
    created: Option<String>,
}

/// A text with the versions before it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CostDocumentAnswer {
    /// What holds now, or held at `as_of`.
    current: CostDocument,
    /// All versions that are kept, newest first; with `history=true`.
    history: Vec<CostDocument>,
}

/// Which version.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DocumentParams {
    /// The version that held at a time.
    as_of: Option<String>,
    /// Answer all versions.
    #[serde(default)]
    history: bool,
}

/// A text to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostDocumentBody {
    /// The text: TOML for rules, CSV for aliases and rates.
    text: String,
    /// The version that the change was made to, 0 = none; refused if another holds by now. Absent: overwrite.
    expected_version: Option<u64>,
    /// Read it only, keep nothing.
    #[serde(default)]
    check: bool,
}

fn key(caller: &Caller, subject: &str) -> Result<DocumentKey, ApiError> {
    match subject {
        "rules" => Ok(rules_key(&caller.tenant)),
        "aliases" => Ok(aliases_key(&caller.tenant)),
        "rates" => Ok(DocumentKey { tenant: caller.tenant.clone(), kind: RATES.0, name: RATES.1.to_owned() }),
        other => {
            let known = SUBJECTS.join(", ");
            Err(ApiError::Parameter(format!("there is no document {other:?} of costs; there are {known}")))
        }
    }
}

/// The text that holds where nobody has written one.
fn preset(subject: &str) -> &'static str {
    if subject == "rules" { grid_cost::rules::DEFAULT } else { "" }
}

fn shown(document: Document) -> CostDocument {
    CostDocument {
        version: document.version,
        text: document.body,
        author: Some(document.author),
        created: Some(rfc3339(document.created)),
    }
}

/// The rates of a tenant.
pub(crate) async fn rates(state: &ApiState, caller: &Caller) -> Result<Rates, ApiError> {
    let document = state.store.catalog().document(&key(caller, "rates")?).await?;
    Rates::parse(document.as_ref().map_or("", |d| d.body.as_str())).map_err(|e| ApiError::Cost(CostError::Document(e)))
}

/// The rules that hold, with their versions.
#[utoipa::path(get, path = "/api/v1/costs/rules", tag = "costs", params(DocumentParams),
    responses((status = 200, description = "`allocation.toml`.", body = CostDocumentAnswer)))]
pub(crate) async fn get_rules(
    state: State<ApiState>,
    caller: Caller,
    params: Params<DocumentParams>,
) -> Result<Reply<CostDocumentAnswer>, ApiError> {
    get(state, caller, Segment("rules".to_owned()), params).await
}

/// Keeps a new version of the rules, once they read; what they touch is computed again.
#[utoipa::path(put, path = "/api/v1/costs/rules", tag = "costs", request_body = CostDocumentBody,
    responses((status = 200, description = "Kept, or checked.", body = CostDocument), (status = 409, description = "Another version holds by now."), (status = 422, description = "They do not read; the problem says where.")))]
pub(crate) async fn put_rules(
    state: State<ApiState>,
    caller: Caller,
    body: Json<CostDocumentBody>,
) -> Result<Reply<CostDocument>, ApiError> {
    put(state, caller, Segment("rules".to_owned()), body).await
}

/// Deletes the rules: the default ones hold again.
#[utoipa::path(delete, path = "/api/v1/costs/rules", tag = "costs",
    responses((status = 204, description = "Deleted."), (status = 404, description = "There were none.")))]
pub(crate) async fn delete_rules(state: State<ApiState>, caller: Caller) -> Result<StatusCode, ApiError> {
    delete(state, caller, Segment("rules".to_owned())).await
}

/// The text that holds, with its versions.
#[utoipa::path(get, path = "/api/v1/costs/documents/{subject}", tag = "costs", params(("subject" = String, Path, description = "`rules`, `aliases` or `rates`."), DocumentParams),
    responses((status = 200, description = "The text.", body = CostDocumentAnswer)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(subject): Segment,
    Params(params): Params<DocumentParams>,
) -> Result<Reply<CostDocumentAnswer>, ApiError> {
    let key = key(&caller, &subject)?;
    let catalog = state.store.catalog();
    let document = match params.as_of.as_deref() {
        None => catalog.document(&key).await?,
        Some(text) => {
            let (at, _) = super::select::range(Some(text), None)?;
            catalog.document_as_of(&key, at.unwrap_or(grid_model::Timestamp::MAX)).await?
        }
    };
    let none = || CostDocument { version: 0, text: preset(&subject).to_owned(), author: None, created: None };
    let history = if params.history { catalog.document_history(&key).await? } else { Vec::new() };
    let history = history.into_iter().map(shown).collect();
    Ok(Reply(CostDocumentAnswer { current: document.map_or_else(none, shown), history }))
}

/// Keeps a new version of a text, once it reads. Rules compute again what they touch.
#[utoipa::path(put, path = "/api/v1/costs/documents/{subject}", tag = "costs", params(("subject" = String, Path, description = "`rules`, `aliases` or `rates`.")),
    request_body = CostDocumentBody,
    responses((status = 200, description = "Kept, or checked.", body = CostDocument), (status = 409, description = "Another version holds by now."), (status = 422, description = "It does not read; the problem says where.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(subject): Segment,
    Json(body): Json<CostDocumentBody>,
) -> Result<Reply<CostDocument>, ApiError> {
    caller.require(grid_guard::Scope::Admin)?;
    let key = key(&caller, &subject)?;
    match subject.as_str() {
        "rules" => Rules::parse(&body.text).map(drop).map_err(CostError::Rules)?,
        "aliases" => Aliases::parse(&body.text).map(drop).map_err(CostError::Document)?,
        _ => Rates::parse(&body.text).map(drop).map_err(CostError::Document)?,
    }
    if body.check {
        return Ok(Reply(CostDocument { version: 0, text: body.text, author: None, created: None }));
    }
    let now = (state.clock)();
    let kept = state.store.catalog().put_document(&key, &body.text, &caller.subject, body.expected_version, now).await;
    let document = kept.map_err(CostError::Ledger)?;
    tracing::info!(tenant = %caller.tenant, subject, version = document.version, by = %caller.subject, "cost document changed");
    Ok(Reply(shown(document)))
}

/// Deletes a text: what held before anybody wrote one holds again.
#[utoipa::path(delete, path = "/api/v1/costs/documents/{subject}", tag = "costs", params(("subject" = String, Path, description = "`rules`, `aliases` or `rates`.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There was none.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(subject): Segment,
) -> Result<StatusCode, ApiError> {
    caller.require(grid_guard::Scope::Admin)?;
    let key = key(&caller, &subject)?;
    let gone = state.store.catalog().delete_document(&key, &caller.subject, None, (state.clock)()).await;
    if !gone.map_err(CostError::Ledger)? {
        return Err(ApiError::NotFound { what: "cost document", id: subject });
    }
    Ok(StatusCode::NO_CONTENT)
}
