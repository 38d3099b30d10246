//! What the server is, in Prometheus' words; and the lists of what Grid does not do yet, empty but well-formed.

use axum::extract::State;
use axum::response::Response;
use grid_analytics::promql::metadata::Counted;
use grid_guard::Caller;
use grid_promql_syntax::format_duration;
use serde_json::{Map, Value, json};

use super::answer::{Failure, Success};
use super::params::Asked;
use crate::duration;
use crate::route::rfc3339;
use crate::state::ApiState;

/// The Prometheus whose language and API these are; clients look at it to know what they may ask for.
const PROMETHEUS_VERSION: &str = "3.5.3";
/// Entries of each list of `status/tsdb`, unless the request says otherwise.
const TOP: usize = 10;
/// At most as many.
const TOP_MAX: usize = 10_000;

/// `status/buildinfo`. There is no key `features`: Grafana takes a server that has one for Mimir.
pub(crate) async fn build_info(State(state): State<ApiState>, _: Caller, asked: Asked) -> Response {
    let commit = state.info.commit.as_deref().map(|c| format!("-{c}")).unwrap_or_default();
    let data = json!({
        "version": PROMETHEUS_VERSION,
        "revision": format!("grid-{}{commit}", state.info.version),
        "branch": "grid",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    });
    Success::new().data(&asked, &data)
}

/// `status/runtimeinfo`. What only Go's runtime has is 0 or empty.
pub(crate) async fn runtime_info(State(state): State<ApiState>, _: Caller, asked: Asked) -> Response {
    let started = rfc3339(state.info.started);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let data = json!({
        "startTime": started,
        "CWD": "",
        "hostname": "",
        "serverTime": rfc3339((state.clock)()),
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": "",
    });
    Success::new().data(&asked, &data)
}

/// `status/flags`: Grid's settings by the names of Prometheus' flags, where there is such a flag.
pub(crate) async fn flags(State(state): State<ApiState>, _: Caller, asked: Asked) -> Response {
    let (limits, settings) = (state.engine.limits(), state.engine.promql_settings());
    let timeout = i64::try_from(limits.timeout.as_nanos()).unwrap_or(i64::MAX);
    let data = json!({
        "enable-feature": settings.features.names().join(","),
        "query.lookback-delta": format_duration(settings.lookback),
        "query.timeout": duration::format(timeout),
        "query.max-concurrency": limits.concurrent.to_string(),
        "web.enable-remote-write-receiver": "true",
    });
    Success::new().data(&asked, &data)
}

/// `status/config`. Grid's own settings have another form and may hold what is not for everyone, so this is what a Prometheus without
/// a file answers.
pub(crate) async fn config(_: Caller, asked: Asked) -> Response {
    Success::new().data(&asked, &json!({ "yaml": "global: {}\n" }))
}

/// `status/tsdb`: how large the index is, and what makes it so.
pub(crate) async fn tsdb(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let top = match asked.text("limit") {
        "" => TOP,
        text => match text.parse::<usize>() {
            Ok(limit) if limit > 0 => limit.min(TOP_MAX),
            _ => return Err(Failure::bad_data("limit must be a positive number")),
        },
    };
    let stats = state.engine.index_stats(&caller.tenant, top).await?;
    // An empty head of Prometheus has times that do not fit a number of JSON; zero is what others answer.
    let (first, last) = stats.times.unwrap_or((0, 0));
    let list = |counted: Vec<Counted>| -> Vec<Value> {
        counted.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let data = json!({
        "headStats": {
            "numSeries": stats.series,
            "numLabelPairs": stats.label_pairs,
            "chunkCount": stats.series,
            "minTime": first,
            "maxTime": last,
        },
        "seriesCountByMetricName": list(stats.series_by_metric),
        "labelValueCountByLabelName": list(stats.values_by_label),
        "memoryInBytesByLabelName": list(stats.bytes_by_label),
        "seriesCountByLabelValuePair": list(stats.series_by_pair),
    });
    Ok(Success::new().data(&asked, &data))
}

/// `status/walreplay`: done, or nobody could ask.
pub(crate) async fn wal_replay(_: Caller, asked: Asked) -> Response {
    Success::new().data(&asked, &json!({ "min": 0, "max": 0, "current": 0 }))
}

/// `alertmanagers`.
pub(crate) async fn alertmanagers(_: Caller, asked: Asked) -> Response {
    empty_lists(&asked, &["activeAlertmanagers", "droppedAlertmanagers"])
}

/// `notifications`.
pub(crate) async fn notifications(_: Caller, asked: Asked) -> Response {
    Success::new().data(&asked, &[(); 0])
}

fn empty_lists(asked: &Asked, names: &[&'static str]) -> Response {
    let lists: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), Value::Array(Vec::new()))).collect();
    Success::new().data(asked, &lists)
}

/// `/-/healthy`.
pub(crate) async fn healthy() -> &'static str {
    "Grid is Healthy.\n"
}

/// `/-/ready`.
pub(crate) async fn ready(State(state): State<ApiState>) -> Result<&'static str, (http::StatusCode, &'static str)> {
    if state.is_draining() {
        return Err((http::StatusCode::SERVICE_UNAVAILABLE, "Grid is going down.\n"));
    }
    Ok("Grid is Ready.\n")
}
