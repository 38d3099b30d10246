//! Charges on their way out, as data sets of FOCUS.

use std::time::Duration;

use arrow::array::AsArray as _;
use axum::extract::State;
use axum::response::Response;
use futures::StreamExt as _;
use grid_analytics::SqlRequest;
use grid_analytics::focus_export::{DataSet, EXTRA_COLUMNS_MAX, FOCUS_VERSION, FocusExport};
use grid_analytics::render::Format;
use grid_guard::Caller;
use grid_model::Timestamp;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::Params;
use crate::route::{parse_time, sql};
use crate::state::ApiState;

/// What an export may take, if the server's own bound is not shorter.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(3600);

/// Which charges, and how they are written.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// The version of FOCUS; there is `1.4`.
    #[param(example = "1.4")]
    version: Option<String>,
    /// The data set: `cost-and-usage` (default), `billing-period`, `invoice-detail`.
    #[param(example = "cost-and-usage")]
    set: Option<String>,
    /// Charges of imports of this dataset only.
    dataset: Option<String>,
    /// Charges whose period begins at this time or later: RFC 3339, or seconds since 1970.
    #[param(example = "2026-09-01T00:00:00Z")]
    from: Option<String>,
    /// Charges whose period begins before this time.
    to: Option<String>,
    /// `csv` (default) or `parquet`.
    format: Option<String>,
    /// Further columns of the source as columns `x_...`.
    #[serde(default)]
    x_columns: bool,
}

/// Charges as a data set of FOCUS 1.4: its columns in its order, numbers plain, instants in UTC, tags as JSON text.
#[utoipa::path(get, path = "/api/v1/charges/export", tag = "charges", params(ExportParams),
    responses((status = 200, description = "The rows, streamed. An error that comes while rows flow breaks the connection off.", content_type = "text/csv", body = String)))]
pub(crate) async fn export(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ExportParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wrong = |what: String| ApiError::Parameter(what);
    if let Some(version) = params.version.as_deref().filter(|v| *v != FOCUS_VERSION) {
        return Err(wrong(format!("version is {version:?}; what is written is FOCUS {FOCUS_VERSION}")));
    }
    let set = match params.set.as_deref() {
        None => DataSet::CostAndUsage,
        Some(name) => DataSet::parse(name).ok_or_else(|| {
            wrong(format!("there is no data set {name:?}; there are {}", DataSet::ALL.map(DataSet::name).join(", ")))
        })?,
    };
    let format = match params.format.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        Some(other) => return Err(wrong(format!("there is no format {other:?}; formats are csv, parquet"))),
    };
    let time = |name: &str, text: &Option<String>| -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        parse_time(text)
            .map(Some)
            .ok_or_else(|| wrong(format!("{name} {text:?} is no time; write 2026-09-01T00:00:00Z")))
    };
    let mut export = FocusExport {
        from: time("from", &params.from)?,
        to: time("to", &params.to)?,
        dataset: params.dataset,
        extra: Vec::new(),
    };
    let client = sql::client(&caller, &headers);
    let request = |query: String| {
        let mut request = SqlRequest::new(caller.tenant.clone(), query);
        request.client = Some(client.clone());
        request.unbounded = true;
        request.timeout = Some(EXPORT_TIME_MAX);
        request
    };
    if params.x_columns {
        let mut answer = state.engine.sql(request(export.extra_statement())).await?;
        while let Some(batch) = answer.stream.next().await.transpose()? {
            let names = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)
                .map_err(|e| grid_analytics::QueryError::Internal(format!("read the names of columns: {e}")))?;
            export.extra.extend(names.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        if export.extra.len() > EXTRA_COLUMNS_MAX {
            return Err(wrong(format!(
                "the charges have more than {EXTRA_COLUMNS_MAX} further columns; export without x_columns"
            )));
        }
    }
    sql::stream(&state, request(export.statement(set)), format).await
}
