//! Expressions: evaluated at a time or over a range, formatted, taken apart, and the exemplars of their series.

use axum::extract::State;
use axum::response::Response;
use grid_analytics::promql::{PromqlAnswer, PromqlRequest};
use grid_guard::Caller;
use grid_promql::points::Grid;
use grid_promql_syntax::ast::ValueType;
use grid_promql_syntax::{Expr, Features, parse, prettify, to_json};
use http::HeaderValue;
use serde::Serialize;

use super::answer::{Failure, Success};
use super::params::Asked;
use super::{json, now_ms};
use crate::route::sql::{Language, Outcome, QUERY_ID, Timer, client};
use crate::state::ApiState;

/// Steps that a range query may have.
const STEPS_MAX: i64 = 11_000;
/// Answers with more samples are written away from the threads that serve sockets.
const SAMPLES_INLINE: usize = 16 * 1024;

/// `query`: an expression at a time.
pub(crate) async fn instant(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.limit()?;
    let time = asked.time_or("time", now_ms(&state))?;
    let grid = Grid::instant(time);
    let request = request(&state, &caller, &asked, grid, false)?;
    answer(&state, &asked, request, false, limit).await
}

/// `query_range`: an expression at the steps of a range.
pub(crate) async fn range(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.limit()?;
    let (start, end) = (asked.time("start")?, asked.time("end")?);
    if end < start {
        return Err(Failure::parameter("end", "end timestamp must not be before start time"));
    }
    let step = asked.duration("step")?;
    if step <= 0 {
        let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::parameter("step", message));
    }
    if (end - start) / step > STEPS_MAX {
        let message = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(Failure::bad_data(message));
    }
    let request = request(&state, &caller, &asked, Grid { start, end, step }, true)?;
    answer(&state, &asked, request, true, limit).await
}

fn request(
    state: &ApiState,
    caller: &Caller,
    asked: &Asked,
    grid: Grid,
    range: bool,
) -> Result<PromqlRequest, Failure> {
    let (timeout, lookback) = (asked.timeout()?, asked.lookback()?);
    let expr = parsed(state, asked)?;
    let kind = expr.value_type();
    if range && !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let name = if kind == ValueType::Matrix { "range vector" } else { "string" };
        let message = format!("invalid expression type {name:?} for range query, must be Scalar or instant Vector");
        return Err(Failure::parameter("query", message));
    }
    Ok(PromqlRequest {
        tenant: caller.tenant.clone(),
        query: asked.text("query").to_owned(),
        grid,
        lookback,
        timeout,
        client: Some(client(caller, &asked.headers)),
    })
}

fn parsed(state: &ApiState, asked: &Asked) -> Result<Expr, Failure> {
    let features = &state.engine.promql_settings().features;
    parse(asked.text("query"), features).map_err(|e| Failure::parameter("query", e))
}

async fn answer(
    state: &ApiState,
    asked: &Asked,
    request: PromqlRequest,
    range: bool,
    limit: usize,
) -> Result<Response, Failure> {
    let mut timer = Timer::start(state, Language::Promql);
    let grid = request.grid;
    // Samples per step are what `stats=all` adds; the engine does not count them by step.
    let wants_stats = !asked.text("stats").is_empty();
    let got = match state.engine.promql(request).await {
        Ok(got) => got,
        Err(e) => {
            timer.ended(Outcome::Failed);
            return Err(Failure::of_query(e));
        }
    };
    let stats = wants_stats.then(|| Stats::of(&got));
    let id = HeaderValue::from_str(&got.query_id);
    let PromqlAnswer { mut answer, .. } = got;
    let (series, samples) = json::size(&answer);
    let success = Success::new()
        .truncated(limit > 0 && series > limit)
        .notes(std::mem::take(&mut answer.notes))
        .large(samples > SAMPLES_INLINE);
    let mut response = success.write(asked, move |out| {
        json::write_result(out, &answer, grid, range, limit)?;
        if let Some(stats) = stats {
            out.text.extend_from_slice(b",\"stats\":");
            serde_json::to_writer(&mut out.text, &stats)?;
        }
        out.text.push(b'}');
        timer.ended(Outcome::Done);
        Ok(())
    });
    if let Ok(id) = id {
        response.headers_mut().insert(QUERY_ID, id);
    }
    Ok(response)
}

/// What a query cost (Prometheus, `util/stats`). Times are seconds; Grid knows the whole and no parts.
#[derive(Debug, Serialize)]
struct Stats {
    timings: Timings,
    samples: SampleStats,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SampleStats {
    total_queryable_samples: u64,
    peak_samples: u64,
}

impl Stats {
    fn of(answer: &PromqlAnswer) -> Self {
        let seconds = answer.elapsed.as_secs_f64();
        Self {
            timings: Timings {
                eval_total_time: seconds,
                result_sort_time: 0.0,
                query_preparation_time: 0.0,
                inner_eval_time: seconds,
                exec_queue_time: 0.0,
                exec_total_time: seconds,
            },
            samples: SampleStats { total_queryable_samples: answer.samples_read, peak_samples: answer.samples_peak },
        }
    }
}

/// `format_query`: an expression over several lines, as people like to read it.
pub(crate) async fn format_query(State(state): State<ApiState>, _: Caller, asked: Asked) -> Result<Response, Failure> {
    let expr = parsed(&state, &asked)?;
    Ok(Success::new().data(&asked, &prettify(&expr)))
}

/// `parse_query`: an expression as a tree.
pub(crate) async fn parse_query(State(state): State<ApiState>, _: Caller, asked: Asked) -> Result<Response, Failure> {
    let expr = parsed(&state, &asked)?;
    Ok(Success::new().data(&asked, &to_json(&expr)))
}

/// `query_exemplars`: the exemplars of the series that an expression selects.
pub(crate) async fn exemplars(
    State(state): State<ApiState>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Failure> {
    let (start, end) = asked.range()?;
    if end < start {
        return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
    }
    let query = asked.text("query");
    // Grafana asks for `test` when a data source is loaded, so what is experimental is no reason to refuse.
    parse(query, &Features::ALL).map_err(Failure::bad_data)?;
    let found = state.engine.exemplars(&caller.tenant, query, (start, end)).await?;
    let samples = found.iter().map(|(_, all)| all.len()).sum::<usize>();
    Ok(Success::new().large(samples > SAMPLES_INLINE).write(&asked, move |out| {
        out.text.push(b'[');
        json::list(out, &found, |out, (labels, exemplars)| {
            out.text.extend_from_slice(b"{\"seriesLabels\":");
            json::push_labels(&mut out.text, labels);
            out.text.extend_from_slice(b",\"exemplars\":[");
            json::list(out, exemplars, |out, exemplar| {
                out.text.extend_from_slice(b"{\"labels\":");
                json::push_labels(&mut out.text, &exemplar.labels);
                out.text.extend_from_slice(b",\"value\":");
                json::push_value(&mut out.text, exemplar.value);
                out.text.extend_from_slice(b",\"timestamp\":");
                json::push_time(&mut out.text, exemplar.time);
                out.text.push(b'}');
                out.flush_if_full()
            })?;
            out.text.extend_from_slice(b"]}");
            Ok(())
        })?;
        out.text.push(b']');
        Ok(())
    }))
}
