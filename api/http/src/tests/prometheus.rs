//! Prometheus' API as Grafana's data source uses it (each call of `grafana_calls.md`, section 1), and the answers that the recorded calls of
//! `tests/tests/promql_http.rs` do not reach.

use std::io::Read as _;

use grid_analytics::QueryLimits;
use grid_analytics::promql::PromqlSettings;
use grid_guard::AuthMode;
use grid_model::table::exemplars::{ExemplarRow, ExemplarsBuilder};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::SamplesBuilder;
use grid_model::time::SECOND_NS;
use grid_model::{AttrValue, Labels, SeriesDef, Table, TenantId, Timestamp, Write};
use grid_promql_syntax::Features;
use serde_json::{Value, json};

use super::{App, Got, NOW};
use crate::ApiLimits;

/// Where the samples end, in seconds: the tests' now.
const END: i64 = NOW.0 / SECOND_NS;
const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// A counter `http_requests_total` of two jobs, and `my.metric` with a dot in its name: 41 samples 15 s apart, ending now.
async fn app() -> App {
    let app = App::new(AuthMode::Anonymous).await;
    fill(&app).await;
    app
}

async fn fill(app: &App) {
    let mut write = Write::default();
    let mut samples = SamplesBuilder::with_capacity(128);
    let mut exemplars = ExemplarsBuilder::default();
    for (name, job, rate) in
        [("http_requests_total", "a", 1.0), ("http_requests_total", "b", 2.0), ("my.metric", "a", 0.5)]
    {
        let def = SeriesDef::of_labels(Labels::of(&[("__name__", name), ("job", job), ("ü.x", "1")]));
        let id = write.series.add(&def).unwrap();
        for i in 0..=40 {
            let time = Timestamp(NOW.0 - (40 - i) * 15 * SECOND_NS);
            samples.push_float(id, time, None, rate * 15.0 * i as f64);
        }
        if job == "b" {
            let attributes = vec![("trace_id".to_owned(), AttrValue::String("abc".to_owned()))];
            exemplars.push(id, &ExemplarRow { time: NOW, value: Some(1.25), attributes, ..ExemplarRow::default() });
        }
    }
    write.push(Table::Samples, samples.finish());
    write.push(Table::Exemplars, exemplars.finish());
    let described = MetadataRow {
        metric: "http_requests_total".to_owned(),
        kind: "counter".to_owned(),
        help: "Requests.".to_owned(),
        unit: String::new(),
    };
    write.push(Table::Metadata, metadata::batch(NOW, &[described]));
    app.state.store.append(&TenantId::default_tenant(), write).await.unwrap();
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

impl App {
    async fn prom(&self, path: &str, parameters: &[(&str, &str)]) -> Got {
        self.get(&format!("/prometheus/api/v1/{path}?{}", encoded(parameters)), &[]).await
    }

    /// As a form and in the URL; both must agree.
    async fn both(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let get = self.prom(path, parameters).await;
        let post = self.call("POST", &format!("/prometheus/api/v1/{path}"), &[FORM], encoded(parameters)).await;
        assert_eq!(get.status, post.status, "{path}: {} {}", get.text(), post.text());
        assert_eq!(get.json(), post.json(), "{path}");
        get.json()
    }
}

#[track_caller]
fn data(answer: &Value) -> &Value {
    assert_eq!(answer["status"], "success", "{answer}");
    &answer["data"]
}

#[tokio::test]
async fn what_grafana_asks_when_a_data_source_is_saved_and_loaded() {
    let app = app().await;
    // P1, P2: the health check.
    let two = app.both("query", &[("query", "1+1"), ("time", "4")]).await;
    assert_eq!(*data(&two), json!({ "resultType": "scalar", "result": [4, "2"] }));
    let build = app.prom("status/buildinfo", &[]).await.json();
    assert_eq!(data(&build)["version"], "3.5.3");
    assert!(data(&build).get("features").is_none(), "Grafana would take Grid for Mimir");
    // P5: the probe for exemplars has its times in milliseconds.
    let probe =
        app.prom("query_exemplars", &[("query", "test"), ("start", "1793145600000"), ("end", "1793149200000")]).await;
    assert_eq!(*data(&probe.json()), json!([]));
    // P10 to P12.
    let about = json!({ "http_requests_total": [{ "type": "counter", "help": "Requests.", "unit": "" }] });
    assert_eq!(*data(&app.prom("metadata", &[("limit", "40000")]).await.json()), about);
    assert_eq!(*data(&app.prom("metadata", &[("metric", "http_requests_total")]).await.json()), about);
    assert_eq!(*data(&app.prom("metadata", &[("metric", "x")]).await.json()), json!({}));
    assert_eq!(*data(&app.prom("rules", &[("type", "record")]).await.json()), json!({ "groups": [] }));
    assert_eq!(*data(&app.prom("alerts", &[]).await.json()), json!({ "alerts": [] }));
    // P14: what is only ever asked by GET.
    for path in [
        "targets",
        "targets/metadata",
        "scrape_pools",
        "alertmanagers",
        "notifications",
        "status/config",
        "status/flags",
        "status/runtimeinfo",
        "status/tsdb",
        "status/walreplay",
    ] {
        let got = app.prom(path, &[]).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert!(data(&got.json()).is_object() || data(&got.json()).is_array(), "{path}");
        let post = app.call("POST", &format!("/prometheus/api/v1/{path}"), &[FORM], "").await;
        assert_eq!(post.status, 405, "{path}");
    }
    let stats = app.prom("status/tsdb", &[("limit", "1")]).await.json();
    assert_eq!(data(&stats)["headStats"]["numSeries"], 3, "{stats}");
    assert_eq!(data(&stats)["seriesCountByMetricName"], json!([{ "name": "http_requests_total", "value": 2 }]));
}

#[tokio::test]
async fn what_panels_and_variables_ask() {
    let app = app().await;
    let end = END.to_string();
    let start = (END - 60).to_string();
    // P3, P13.
    let asked =
        [("query", "sum by (job) (rate(http_requests_total[1m]))"), ("start", &start), ("end", &end), ("step", "30")];
    let rates = app.both("query_range", &asked).await;
    let times = [END - 60, END - 30, END];
    // Extrapolation divides by the sampled seconds and by the range in turn, which costs the last bit in Prometheus too.
    let matrix = |job: &str, rate: &str| json!({ "metric": { "job": job }, "values": times.map(|t| json!([t, rate])) });
    assert_eq!(
        *data(&rates),
        json!({ "resultType": "matrix", "result": [matrix("a", "0.9999999999999999"), matrix("b", "1.9999999999999998")] })
    );
    // A step of half a second, and a start between two.
    let start_half = format!("{}.5", END - 1);
    let half =
        [("query", "vector(1)"), ("start", start_half.as_str()), ("end", &end), ("step", "0.5"), ("timeout", "10s")];
    let half = app.both("query_range", &half).await;
    assert_eq!(data(&half)["result"][0]["values"], json!([[END as f64 - 0.5, "1"], [END, "1"]]));
    // P4; without a time it is now. A parameter of the form goes before that of the URL.
    let instant = app.both("query", &[("query", "http_requests_total{job=\"a\"}"), ("time", &end)]).await;
    let sample =
        json!([{ "metric": { "__name__": "http_requests_total", "job": "a", "ü.x": "1" }, "value": [END, "600"] }]);
    assert_eq!(*data(&instant), json!({ "resultType": "vector", "result": sample }));
    let now = app.call("POST", "/prometheus/api/v1/query?query=2", &[FORM], "query=time()").await.json();
    assert_eq!(data(&now)["result"], json!([END, END.to_string()]));
    // P5.
    let exemplars = app
        .both("query_exemplars", &[("query", "rate(http_requests_total[1m])"), ("start", &start), ("end", &end)])
        .await;
    let labels = json!({ "__name__": "http_requests_total", "job": "b", "ü.x": "1" });
    let exemplar = json!([{ "labels": { "trace_id": "abc" }, "value": "1.25", "timestamp": END }]);
    assert_eq!(*data(&exemplars), json!([{ "seriesLabels": labels, "exemplars": exemplar }]));
    // P6, P8: names in paths are escaped.
    for (name, values) in [
        ("__name__", json!(["http_requests_total", "my.metric"])),
        ("job", json!(["a", "b"])),
        ("U___fc__2e_x", json!(["1"])),
        ("%C3%BC.x", json!(["1"])),
        ("nosuch", json!([])),
    ] {
        let got =
            app.prom(&format!("label/{name}/values"), &[("start", &start), ("end", &end), ("limit", "0")]).await.json();
        assert_eq!(*data(&got), values, "{name}");
    }
    let matched = app.prom("label/job/values", &[("match[]", "{\"my.metric\"}"), ("limit", "40000")]).await.json();
    assert_eq!(*data(&matched), json!(["a"]));
    // P7, P9.
    let labels = app.both("labels", &[("start", &start), ("end", &end), ("match[]", "http_requests_total")]).await;
    assert_eq!(*data(&labels), json!(["__name__", "job", "ü.x"]));
    let series =
        app.both("series", &[("match[]", "{__name__!=\"\"}"), ("start", &start), ("end", &end), ("limit", "2")]).await;
    assert_eq!(data(&series).as_array().unwrap().len(), 2);
    assert_eq!(series["warnings"], json!(["results truncated due to limit"]));
}

#[tokio::test]
async fn headers_of_grafana_are_taken_and_answers_are_packed() {
    let app = app().await;
    // P15.
    let headers = [
        "x-dashboard-uid: d",
        "x-panel-id: 3",
        "x-grafana-org-id: 1",
        "accept-encoding: gzip",
        "x-scope-orgid: default",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ];
    for (steps, packed) in [(2, false), (200, true), (10_999, true)] {
        let parameters = [
            ("query", "vector(time())".to_owned()),
            ("start", (END - steps).to_string()),
            ("end", END.to_string()),
            ("step", "1".to_owned()),
        ];
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let path = format!("/prometheus/api/v1/query_range?{}", encoded(&parameters));
        let plain = app.get(&path, &[]).await;
        let got = app.get(&path, &headers).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.headers.contains_key("content-encoding"), packed, "{steps} steps");
        assert!(got.headers.contains_key("x-grid-query-id"));
        let mut text = String::new();
        if packed {
            flate2::read::GzDecoder::new(got.body.as_slice()).read_to_string(&mut text).unwrap();
        } else {
            text = got.text();
        }
        assert_eq!(text, plain.text(), "{steps} steps");
        assert_eq!(plain.json()["data"]["result"][0]["values"].as_array().unwrap().len() as i64, steps + 1);
    }
    let page = app.get("/metrics", &[]).await.text();
    assert!(page.contains("grid_query_total{language=\"promql\",outcome=\"done\"} 6"), "{page}");
}

#[tokio::test]
async fn refusals_are_prometheus() {
    let app = app().await;
    let range = |step: &'static str| [("query", "up"), ("start", "0"), ("end", "11000"), ("step", step)];
    for (path, parameters, status, kind, message) in [
        (
            "query",
            &[("query", "up"), ("limit", "-1")][..],
            400,
            "bad_data",
            "invalid parameter \"limit\": limit must be non-negative",
        ),
        (
            "query",
            &[("query", "up"), ("limit", "x")],
            400,
            "bad_data",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            "query",
            &[("query", "up"), ("lookback_delta", "x")],
            400,
            "bad_data",
            "error parsing lookback delta duration: cannot parse \"x\" to a valid duration",
        ),
        (
            "query",
            &[("query", "label_replace(http_requests_total, \"job\", \"x\", \"job\", \".*\")")],
            422,
            "execution",
            "vector cannot contain metrics with the same labelset",
        ),
        (
            "query_range",
            &range("x"),
            400,
            "bad_data",
            "invalid parameter \"step\": cannot parse \"x\" to a valid duration",
        ),
        (
            "query_range",
            &[("query", "up"), ("end", "1"), ("step", "1")],
            400,
            "bad_data",
            "invalid parameter \"start\": cannot parse \"\" to a valid timestamp",
        ),
        ("query_exemplars", &[("query", "sum(")], 400, "bad_data", "1:5: parse error: unclosed left parenthesis"),
        (
            "labels",
            &[("match[]", "{a=~\".*\"}")],
            400,
            "bad_data",
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher",
        ),
        (
            "labels",
            &[("start", "x")],
            400,
            "bad_data",
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp",
        ),
        ("metadata", &[("limit", "x")], 400, "bad_data", "limit must be a number"),
        ("rules", &[("type", "x")], 400, "bad_data", "invalid parameter \"type\": not supported value \"x\""),
        ("status/tsdb", &[("limit", "0")], 400, "bad_data", "limit must be a positive number"),
        (
            "query",
            &[("query", "sum(http_requests_total)"), ("timeout", "0")],
            503,
            "timeout",
            "query timed out in expression evaluation",
        ),
    ] {
        let got = app.prom(path, parameters).await;
        assert_eq!(got.status, status, "{path} {parameters:?}: {}", got.text());
        assert_eq!(got.json(), json!({ "status": "error", "errorType": kind, "error": message }));
        assert_eq!(got.headers["content-type"], "application/json");
    }
    // 11,000 intervals are taken, one more is not.
    assert_eq!(app.prom("query_range", &range("1")).await.status, 200);
    assert_eq!(app.prom("query_range", &range("0.999")).await.status, 400);
}

#[tokio::test]
async fn other_tenants_see_nothing_and_strangers_are_refused() {
    let app = App::new(AuthMode::Tokens).await;
    fill(&app).await;
    let path = "/prometheus/api/v1/label/__name__/values";
    assert_eq!(app.get(path, &[]).await.status, 401);
    let ingest = app.token("default", "ingest").await;
    assert_eq!(app.get(path, &[&format!("authorization: Bearer {ingest}")]).await.status, 403);
    for (tenant, names) in [("default", 2), ("other", 0)] {
        let token = app.token(tenant, "query").await;
        let bearer = format!("authorization: Bearer {token}");
        let got = app.get(path, &[&bearer]).await.json();
        assert_eq!(data(&got).as_array().unwrap().len(), names);
        let page = app.get("/prometheus/federate?match[]=%7Bjob!=%22%22%7D", &[&bearer]).await;
        assert_eq!(page.text().lines().filter(|l| !l.starts_with('#')).count(), if names > 0 { 3 } else { 0 });
        let sum = app.get("/prometheus/api/v1/query?query=count(http_requests_total)", &[&bearer]).await.json();
        assert_eq!(data(&sum)["result"].as_array().unwrap().len(), usize::from(names > 0));
    }
}

#[tokio::test]
async fn features_are_behind_flags() {
    let experimental = [("query", "limitk(1, http_requests_total)")];
    let off = app().await.prom("query", &experimental).await;
    let words = "limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions";
    assert_eq!(off.json()["error"], format!("invalid parameter \"query\": 1:1: parse error: {words}"));
    let promql = PromqlSettings { features: Features::ALL, lookback: 60_000, ..PromqlSettings::default() };
    let limits = QueryLimits { promql, ..QueryLimits::default() };
    let app = App::with(AuthMode::Anonymous, limits, ApiLimits::default()).await;
    fill(&app).await;
    assert_eq!(data(&app.prom("query", &experimental).await.json())["result"].as_array().unwrap().len(), 1);
    let flags = app.prom("status/flags", &[]).await.json();
    assert_eq!(data(&flags)["query.lookback-delta"], "1m");
    assert!(data(&flags)["enable-feature"].as_str().unwrap().starts_with("promql-experimental-functions,"));
}

#[tokio::test]
async fn federation_gives_the_latest_samples() {
    let app = app().await;
    let got = app.get("/prometheus/federate?match[]=http_requests_total", &[]).await;
    let at = END * 1000;
    assert_eq!(
        got.text(),
        format!(
            "# TYPE http_requests_total untyped\n\
             http_requests_total{{job=\"a\",__x=\"1\",instance=\"\"}} 600 {at}\n\
             http_requests_total{{job=\"b\",__x=\"1\",instance=\"\"}} 1200 {at}\n"
        )
    );
    let utf8 = app
        .get(
            "/prometheus/federate?match[]=%7B%22my.metric%22%7D",
            &["accept: text/plain;version=1.0.0;escaping=allow-utf-8"],
        )
        .await;
    assert_eq!(
        utf8.text(),
        format!("# TYPE \"my.metric\" untyped\n{{\"my.metric\",job=\"a\",\"ü.x\"=\"1\",instance=\"\"}} 300 {at}\n")
    );
    assert_eq!(app.get("/prometheus/federate?match[]=%7B", &[]).await.status, 400);
    assert_eq!(app.get("/prometheus/federate", &[]).await.text(), "");
}
