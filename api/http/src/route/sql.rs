//! SQL over HTTP: one read-only statement in, rows out in the format that the client asks for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use grid_analytics::engine::AnswerStream;
use grid_analytics::render::{Format, Renderer};
use grid_analytics::{QueryError, SqlRequest};
use grid_guard::Caller;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::exposition::Exposition;
use crate::extract::{Params, from_json, media_type, read_body};
use crate::state::ApiState;

/// The types of answers, for messages.
const GIVES: &str = "application/json, application/x-ndjson, text/csv, text/plain, application/vnd.apache.arrow.stream, application/vnd.apache.parquet";
/// The header that names the query, by which it can be ended.
pub(crate) const QUERY_ID: HeaderName = HeaderName::from_static("x-grid-query-id");

/// A statement with its bounds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlBody {
    /// One statement that reads: SELECT, WITH, VALUES, SHOW, DESCRIBE, EXPLAIN.
    #[schema(example = "SELECT service, count(*) FROM logs WHERE severity = $1 GROUP BY 1")]
    query: String,
    /// Values of `$1`, `$2`, ...
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!(["ERROR"]))]
    params: Vec<Value>,
    /// How long it may take, in milliseconds; the server has a default and a maximum.
    #[schema(example = 30000)]
    timeout_ms: Option<u64>,
    /// Rows that the answer may have; more is an error, not a cut.
    max_rows: Option<usize>,
    /// Shows charges as their bills were known at this time: later restatements and imports are not seen.
    #[schema(example = "2026-11-05T00:00:00Z")]
    bills_as_of: Option<String>,
}

/// A statement as parameters; for links, and for clients that can only GET.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SqlParams {
    /// One statement that reads. With POST it may be the body instead.
    #[param(example = "SHOW TABLES")]
    query: Option<String>,
    /// Values of `$1`, `$2`, ... as a JSON array.
    params: Option<String>,
    /// How long it may take, in milliseconds.
    timeout_ms: Option<u64>,
    /// Rows that the answer may have; more is an error, not a cut.
    max_rows: Option<usize>,
    /// Shows charges as their bills were known at this time.
    bills_as_of: Option<String>,
    /// `json`, `ndjson`, `csv`, `arrow`, `parquet` or `table`; goes before the header Accept.
    format: Option<String>,
}

/// What both ways of asking come to.
struct Asked {
    body: SqlBody,
    format: Format,
}

/// Rows as JSON. Decimals and integers beyond 2^53 are strings, times RFC 3339, attributes typed.
#[derive(Debug, serde::Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what the renderer writes")]
pub(crate) struct SqlAnswerBody {
    /// The columns, in order.
    columns: Vec<Column>,
    /// One object per row.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// One column of an answer.
#[derive(Debug, serde::Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what the renderer writes")]
pub(crate) struct Column {
    /// Its name.
    name: String,
    /// Its type.
    r#type: String,
}

/// Answers a statement that comes as parameters.
#[utoipa::path(get, path = "/api/v1/sql", tag = "sql", params(SqlParams),
    responses(
        (status = 200, description = "The rows, streamed, in the format that Accept or `format` chooses. An error that comes while rows flow is the last line of NDJSON, `{\"error\": ...}`; every other format breaks the connection off.", body = SqlAnswerBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<SqlParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = params.query.clone().ok_or_else(|| ApiError::Parameter("query is missing".to_owned()))?;
    let asked = asked(query, params, &headers)?;
    answer(&state, &caller, asked, &headers).await
}

/// Answers a statement. The body is JSON, or the bare statement as `application/sql` or `text/plain`.
#[utoipa::path(post, path = "/api/v1/sql", tag = "sql", params(SqlParams),
    request_body(content(
        (SqlBody = "application/json"),
        (String = "application/sql", example = "SELECT 1"))),
    responses(
        (status = 200, description = "The rows, streamed, in the format that Accept or `format` chooses. An error that comes while rows flow is the last line of NDJSON, `{\"error\": ...}`; every other format breaks the connection off.", body = SqlAnswerBody)))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<SqlParams>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&state, &parts.headers, body).await?;
    let kind = media_type(&parts.headers);
    let asked = match kind.as_deref() {
        Some("application/json") => {
            let format = format_of(params.format.as_deref(), &parts.headers)?;
            if params.query.is_some() || params.params.is_some() {
                return Err(ApiError::Parameter(
                    "the statement comes twice: as a parameter and in the body".to_owned(),
                ));
            }
            Asked { body: from_json(&bytes)?, format }
        }
        Some("application/sql" | "text/plain") => {
            let text = std::str::from_utf8(&bytes).map_err(|e| ApiError::Json {
                detail: format!("the statement is not UTF-8: {e}"),
                line: 0,
                column: 0,
            })?;
            asked(text.to_owned(), params, &parts.headers)?
        }
        // A form without a body is a GET in disguise; some clients POST their parameters in the URL.
        _ if bytes.is_empty() && params.query.is_some() => {
            let query = params.query.clone().unwrap_or_default();
            asked(query, params, &parts.headers)?
        }
        other => {
            let found = other.unwrap_or("a body without a type").to_owned();
            return Err(ApiError::ContentType { found, reads: "application/json, application/sql and text/plain" });
        }
    };
    answer(&state, &caller, asked, &parts.headers).await
}

fn asked(query: String, params: SqlParams, headers: &HeaderMap) -> Result<Asked, ApiError> {
    let format = format_of(params.format.as_deref(), headers)?;
    let values = match &params.params {
        None => Vec::new(),
        Some(text) => {
            serde_json::from_str(text).map_err(|e| ApiError::Parameter(format!("params is not a JSON array: {e}")))?
        }
    };
    let body = SqlBody {
        query,
        params: values,
        timeout_ms: params.timeout_ms,
        max_rows: params.max_rows,
        bills_as_of: params.bills_as_of,
    };
    Ok(Asked { body, format })
}

fn format_of(word: Option<&str>, headers: &HeaderMap) -> Result<Format, ApiError> {
    if let Some(word) = word {
        let known = "json, ndjson, csv, arrow, parquet, table";
        return Format::parse(word)
            .ok_or_else(|| ApiError::Parameter(format!("there is no format {word:?}; formats are {known}")));
    }
    let accept: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let accept = accept.join(",");
    Format::of_accept(&accept).ok_or(ApiError::NotAcceptable { accept, gives: GIVES })
}

async fn answer(state: &ApiState, caller: &Caller, asked: Asked, headers: &HeaderMap) -> Result<Response, ApiError> {
    let mut request = SqlRequest::new(caller.tenant.clone(), asked.body.query);
    request.params = asked.body.params;
    request.timeout = asked.body.timeout_ms.map(Duration::from_millis);
    request.max_rows = asked.body.max_rows;
    request.client = Some(client(caller, headers));
    request.bills_as_of = asked.body.bills_as_of.as_deref().map(super::as_of).transpose()?;
    stream(state, request, asked.format).await
}

/// Runs a statement and streams its rows.
pub(crate) async fn stream(state: &ApiState, request: SqlRequest, format: Format) -> Result<Response, ApiError> {
    let timer = Timer::start(state, Language::Sql);
    let (answer, first, timer) = start(state, request, timer).await?;
    let renderer = Renderer::new(format, answer.schema)?;
    let rows = Rows { renderer, first, stream: answer.stream, stage: Stage::Head, format, timer };
    let body = futures::stream::unfold(Some(rows), Rows::piece);
    let mut response = Body::from_stream(body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Ok(id) = HeaderValue::from_str(&answer.query_id) {
        response.headers_mut().insert(QUERY_ID, id);
    }
    Ok(response)
}

/// Who asks, for the list of queries.
pub(crate) fn client(caller: &Caller, headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok());
    match agent {
        Some(agent) => format!("{} {}", caller.subject, agent.chars().take(100).collect::<String>()),
        None => caller.subject.clone(),
    }
}

type First = Option<Result<RecordBatch, QueryError>>;

/// Runs until the first rows are there, so that an error that comes before them still has a status of its own.
async fn start(
    state: &ApiState,
    request: SqlRequest,
    mut timer: Timer,
) -> Result<(grid_analytics::SqlAnswer, First, Timer), ApiError> {
    let started = async {
        let mut answer = state.engine.sql(request).await?;
        let first = answer.stream.next().await.transpose()?.map(Ok);
        Ok((answer, first))
    };
    match started.await {
        Ok((answer, first)) => Ok((answer, first, timer)),
        Err(e) => {
            timer.outcome = Outcome::Failed;
            Err(ApiError::Query(e))
        }
    }
}

/// An answer on its way out. Dropping it, as happens when the client goes away, ends the query.
struct Rows {
    renderer: Renderer,
    first: First,
    stream: AnswerStream,
    stage: Stage,
    format: Format,
    timer: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Rows,
    Done,
}

impl Rows {
    /// The next bytes. An error given to the server breaks the connection off, which is how a client of a format without a
    /// place for errors learns that rows are missing.
    async fn piece(state: Option<Self>) -> Option<(Result<Bytes, QueryError>, Option<Self>)> {
        let mut rows = state?;
        loop {
            let piece = match rows.stage {
                Stage::Done => return None,
                Stage::Head => {
                    rows.stage = Stage::Rows;
                    Ok(rows.renderer.head())
                }
                Stage::Rows => match rows.next().await {
                    None => rows.end(),
                    Some(Err(e)) => rows.fail(e),
                    Some(Ok(batch)) => match rows.render(batch).await {
                        Ok((back, Ok(piece))) => {
                            rows = back;
                            Ok(piece)
                        }
                        Ok((back, Err(e))) => {
                            rows = back;
                            rows.fail(e)
                        }
                        // The renderer is gone with its panic, so nothing more can be written.
                        Err(e) => return Some((Err(e), None)),
                    },
                },
            };
            match piece {
                Ok(bytes) if bytes.is_empty() => {}
                other => return Some((other.map(Bytes::from), Some(rows))),
            }
        }
    }

    async fn next(&mut self) -> First {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.stream.next().await,
        }
    }

    /// Writes one batch away from the threads that serve sockets: thousands of rows are milliseconds of work.
    async fn render(mut self, batch: RecordBatch) -> Result<(Self, Result<Vec<u8>, QueryError>), QueryError> {
        let written = tokio::task::spawn_blocking(move || {
            let piece = self.renderer.batch(&batch);
            (self, piece)
        });
        written.await.map_err(|e| QueryError::Internal(format!("write the answer: {e}")))
    }

    fn end(&mut self) -> Result<Vec<u8>, QueryError> {
        self.stage = Stage::Done;
        self.timer.outcome = Outcome::Done;
        self.renderer.tail(None)
    }

    fn fail(&mut self, e: QueryError) -> Result<Vec<u8>, QueryError> {
        self.stage = Stage::Done;
        self.timer.outcome = Outcome::Failed;
        if self.format == Format::Ndjson {
            let problem = ApiError::Query(e).problem().to_json();
            return Ok(format!("{}\n", json!({ "error": problem })).into_bytes());
        }
        tracing::warn!(code = e.code(), error = %e, "answer broken off");
        Err(e)
    }
}

/// In what a query is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Sql,
    Promql,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::Sql, Self::Promql];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Promql => "promql",
        }
    }
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    Abandoned,
}

/// Notes a query's end when dropped, whichever way it ends.
pub(crate) struct Timer {
    state: ApiState,
    language: Language,
    began: Instant,
    outcome: Outcome,
}

impl Timer {
    /// Begins to count; the query is abandoned unless it is said to have ended otherwise.
    pub(crate) fn start(state: &ApiState, language: Language) -> Self {
        Self { state: state.clone(), language, began: Instant::now(), outcome: Outcome::Abandoned }
    }

    /// Says how it ended.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.state.query_metrics(self.language).note(self.outcome, self.began.elapsed());
    }
}

/// Upper bounds of the histogram of latencies, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// Counts and times queries.
#[derive(Debug, Default)]
pub struct QueryMetrics {
    outcomes: [AtomicU64; 3],
    buckets: [AtomicU64; BOUNDS.len()],
    above: AtomicU64,
    sum_us: AtomicU64,
}

impl QueryMetrics {
    fn note(&self, outcome: Outcome, took: Duration) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).map_or(&self.above, |i| &self.buckets[i]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn write(&self, language: Language, out: &mut Exposition) {
        let language = language.as_str();
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        for (outcome, n) in ["done", "failed", "abandoned"].into_iter().zip(&self.outcomes) {
            let help = "Queries over HTTP by how they ended.";
            out.counter("grid_query_total", help, &[("language", language), ("outcome", outcome)], get(n) as f64);
        }
        let buckets: Vec<(f64, u64)> = BOUNDS.iter().zip(&self.buckets).map(|(b, n)| (*b, get(n))).collect();
        let help = "Time from a query's arrival over HTTP to its last byte.";
        let sum = get(&self.sum_us) as f64 / 1e6;
        out.histogram("grid_query_duration_seconds", help, &[("language", language)], &buckets, get(&self.above), sum);
    }
}
