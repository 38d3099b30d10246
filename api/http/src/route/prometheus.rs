//! Prometheus' HTTP API under `/prometheus`: what Grafana's data source and every other client of a Prometheus asks for. Parameters,
//! envelope, error types, statuses and messages are those of Prometheus 3.5.
//!
//! Reading order: [`ROUTES`] (what there is), `params` (what is asked), `answer` and `json` (how it is answered), then one file per
//! subject.

mod params;
mod answer;
pub(crate) mod json;
mod query;
mod metadata;
mod status;
mod targets;
mod rules;
mod federate;
mod remote_read;
mod xor_chunk;

use crate::routes::Routes;
use crate::state::ApiState;

/// A route as the OpenAPI document shows it.
pub(crate) struct Documented {
    /// Its path.
    pub(crate) path: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Whether its parameters may come as a form, too.
    pub(crate) form: bool,
    /// Its parameters. Those in `[]` may come several times.
    pub(crate) parameters: &'static [&'static str],
}

const fn get(path: &'static str, about: &'static str, parameters: &'static [&'static str]) -> Documented {
    Documented { path, about, form: false, parameters }
}

const fn form(path: &'static str, about: &'static str, parameters: &'static [&'static str]) -> Documented {
    Documented { path, about, form: true, parameters }
}

/// Where remote read is; its body is protobuf, so it is documented by itself.
pub(crate) const REMOTE_READ: &str = "/prometheus/api/v1/read";

/// All other routes, for the OpenAPI document.
pub(crate) const ROUTES: &[Documented] = &[
    form(
        "/prometheus/api/v1/query",
        "A PromQL expression at a time.",
        &["query", "time", "timeout", "limit", "lookback_delta", "stats"],
    ),
    form(
        "/prometheus/api/v1/query_range",
        "A PromQL expression at the steps of a range.",
        &["query", "start", "end", "step", "timeout", "limit", "lookback_delta", "stats"],
    ),
    form(
        "/prometheus/api/v1/query_exemplars",
        "Exemplars of the series that an expression selects.",
        &["query", "start", "end"],
    ),
    form("/prometheus/api/v1/format_query", "An expression, formatted.", &["query"]),
    form("/prometheus/api/v1/parse_query", "An expression as a tree.", &["query"]),
    form("/prometheus/api/v1/series", "The labels of series.", &["match[]", "start", "end", "limit"]),
    form("/prometheus/api/v1/labels", "The names of labels.", &["match[]", "start", "end", "limit"]),
    get("/prometheus/api/v1/label/{name}/values", "The values of a label.", &["match[]", "start", "end", "limit"]),
    get(
        "/prometheus/api/v1/metadata",
        "Kinds, descriptions and units of metrics.",
        &["metric", "limit", "limit_per_metric"],
    ),
    get(
        "/prometheus/api/v1/targets",
        "Targets that are scraped, and those that relabelling dropped.",
        &["state", "scrapePool"],
    ),
    get(
        "/prometheus/api/v1/targets/metadata",
        "Metadata by target; always empty.",
        &["match_target", "metric", "limit"],
    ),
    get("/prometheus/api/v1/scrape_pools", "The names of groups of targets.", &[]),
    get(
        "/prometheus/api/v1/rules",
        "Alert and recording rules, and how they stand.",
        &[
            "type",
            "rule_name[]",
            "rule_group[]",
            "file[]",
            "match[]",
            "exclude_alerts",
            "group_limit",
            "group_next_token",
        ],
    ),
    get("/prometheus/api/v1/alerts", "Alerts that are pending or firing.", &[]),
    get("/prometheus/api/v1/alertmanagers", "Receivers of alerts; always empty.", &[]),
    get("/prometheus/api/v1/notifications", "Notices to the user of a page; always empty.", &[]),
    get("/prometheus/api/v1/status/buildinfo", "The version of Prometheus whose API this is, and Grid's.", &[]),
    get("/prometheus/api/v1/status/runtimeinfo", "When the server started, and on how many threads it runs.", &[]),
    get("/prometheus/api/v1/status/flags", "Settings by the names of Prometheus' flags.", &[]),
    get("/prometheus/api/v1/status/config", "An empty configuration.", &[]),
    get("/prometheus/api/v1/status/tsdb", "How large the index of series is, and what makes it so.", &["limit"]),
    get("/prometheus/api/v1/status/walreplay", "Whether the log is still read; it never is.", &[]),
    get("/prometheus/federate", "The latest samples of series, to be scraped.", &["match[]"]),
    get("/prometheus/-/healthy", "Whether the server answers.", &[]),
    get("/prometheus/-/ready", "Whether the server takes requests.", &[]),
];

/// The handlers.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/prometheus/api/v1/query", query::instant)
        .post("/prometheus/api/v1/query", query::instant)
        .get("/prometheus/api/v1/query_range", query::range)
        .post("/prometheus/api/v1/query_range", query::range)
        .get("/prometheus/api/v1/query_exemplars", query::exemplars)
        .post("/prometheus/api/v1/query_exemplars", query::exemplars)
        .get("/prometheus/api/v1/format_query", query::format_query)
        .post("/prometheus/api/v1/format_query", query::format_query)
        .get("/prometheus/api/v1/parse_query", query::parse_query)
        .post("/prometheus/api/v1/parse_query", query::parse_query)
        .get("/prometheus/api/v1/series", metadata::series)
        .post("/prometheus/api/v1/series", metadata::series)
        .get("/prometheus/api/v1/labels", metadata::labels)
        .post("/prometheus/api/v1/labels", metadata::labels)
        .get("/prometheus/api/v1/label/{name}/values", metadata::label_values)
        .get("/prometheus/api/v1/metadata", metadata::metadata)
        .get("/prometheus/api/v1/targets", targets::list)
        .get("/prometheus/api/v1/targets/metadata", metadata::of_targets)
        .get("/prometheus/api/v1/scrape_pools", targets::pools)
        .get("/prometheus/api/v1/rules", rules::rules)
        .get("/prometheus/api/v1/alerts", rules::alerts)
        .get("/prometheus/api/v1/alertmanagers", status::alertmanagers)
        .get("/prometheus/api/v1/notifications", status::notifications)
        .get("/prometheus/api/v1/status/buildinfo", status::build_info)
        .get("/prometheus/api/v1/status/runtimeinfo", status::runtime_info)
        .get("/prometheus/api/v1/status/flags", status::flags)
        .get("/prometheus/api/v1/status/config", status::config)
        .get("/prometheus/api/v1/status/tsdb", status::tsdb)
        .get("/prometheus/api/v1/status/walreplay", status::wal_replay)
        .get("/prometheus/federate", federate::get)
        .post(REMOTE_READ, remote_read::post)
        .get("/prometheus/-/healthy", status::healthy)
        .get("/prometheus/-/ready", status::ready)
}

/// Now, in milliseconds since 1970.
fn now_ms(state: &ApiState) -> i64 {
    (state.clock)().0.div_euclid(1_000_000)
}

/// The `data` of an answer as `query` and `query_range` give it, for who has an engine and no server.
pub fn answer_json(answer: &grid_promql::query::Answer, grid: grid_promql::points::Grid, range: bool) -> Vec<u8> {
    let mut out = answer::Out::held();
    // Writing to memory does not fail.
    let _ = json::write_result(&mut out, answer, grid, range, 0);
    out.text.push(b'}');
    out.text
}
