//! The OpenAPI 3.1 document: the native routes by their handlers, the ingest routes, which live in another room, by hand.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use grid_analytics::render::Format;
use http::header;
use serde::Serialize;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, RefOr, Required, ResponseBuilder};
use utoipa::{Modify, OpenApi as _, ToSchema};

use crate::route::costs::{documents, joins, report, run, units};
use crate::route::prometheus::{self, Documented};
use crate::route::provision::{actions, environments, plans, releases, scaling, types};
use crate::route::{
    admin, alert_rules, alerts, anomalies, budgets, charges, commitments, cost_reports, delete, deliveries, estimates,
    forecasts, health, imports, metrics, opencost, patterns, prices, queries, recommendations, retention,
    saved_reports, silences, sql, status, tokens, webhooks,
};
use crate::web;

/// Every error of the native API, `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what grid-guard writes")]
pub(crate) struct ProblemDocument {
    /// Where the code is explained.
    #[schema(example = "/docs#GRID-0402")]
    r#type: String,
    /// What kind of problem.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The stable code.
    #[schema(example = "GRID-0402")]
    code: String,
    /// What to do about it.
    hint: Option<String>,
    /// Where in the statement or in the body, counted from 1.
    line: Option<u64>,
    /// Where in the line, counted from 1.
    column: Option<u64>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Grid", description = "Telemetry and cloud bills in one store: metrics, logs, traces and charges in, SQL out. The header X-Scope-OrgID names the tenant; absent, it is `default`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")),
    tags(
        (name = "sql", description = "Queries. Need the scope query."),
        (name = "prometheus", description = "Prometheus' own API, as version 3.5 of it defines. Needs the scope query."),
        (name = "status", description = "What has arrived. Needs the scope query."),
        (name = "imports", description = "Bills. Need the scope ingest."),
        (name = "prices", description = "What things cost: listed, and learnt from one's own bills. Needs the scope query."),
        (name = "commitments", description = "Reservations, savings plans and committed use: what they did, when they end, what to buy. Needs the scope query."),
        (name = "costs", description = "What things cost, who pays, why that changes, where it ends, and whether budgets hold. Reading needs the scope query, changing the scope admin."),
        (name = "alerting", description = "Alert and recording rules, and alerts. Reading needs the scope query, changing the scope admin too."),
        (name = "alerts", description = "Alerts, silences, webhooks and deliveries. Reading needs the scope query, changing the scope admin, sending alerts the scope ingest."),
        (name = "insight", description = "What jobs found: anomalies, forecasts, patterns of use, recommendations. Reading needs the scope query, deciding the scope admin."),
        (name = "provisioning", description = "Resource types, environments, plans, releases, queues, scaling, actions, audit. Reading needs the scope query, changing the scope admin too."),
        (name = "charges", description = "Charges of all bills. Needs the scope query."),
        (name = "ingest", description = "Telemetry over the protocols of others, who define bodies and answers. Need the scope ingest."),
        (name = "retention", description = "How long rows are kept, and deleting by hand. Need the scope admin."),
        (name = "tokens", description = "Who may call. Need the scope admin."),
        (name = "admin", description = "Maintenance by hand. Needs the scope admin and a token for every tenant."),
        (name = "health", description = "For orchestrators and Prometheus. Open, but for /metrics, which needs the scope query."),
        (name = "page", description = "For people. Open."),
    ),
    paths(
        sql::get, sql::post, queries::list, queries::end, status::get,
        imports::post, imports::list, imports::get, prices::post,
        prices::list, prices::lookup, prices::effective,
        commitments::report, commitments::calendar, commitments::recommendations,
        report::get, run::get, run::post, joins::get, units::get, opencost::compute,
        documents::get_rules, documents::put_rules, documents::delete_rules, documents::get, documents::put, documents::delete,
        cost_reports::report, cost_reports::trend, cost_reports::forecast, cost_reports::variance, cost_reports::provisional,
        saved_reports::list, saved_reports::get, saved_reports::put, saved_reports::delete,
        estimates::post,
        alert_rules::list, alert_rules::get, alert_rules::put, alert_rules::delete, alert_rules::alerts,
        alerts::list, alerts::post, alerts::receivers,
        silences::list, silences::get, silences::post, silences::put, silences::expire,
        webhooks::list, webhooks::get, webhooks::post, webhooks::put, webhooks::delete, webhooks::rotate, webhooks::test,
        deliveries::list, deliveries::get, deliveries::replay, deliveries::replay_all,
        budgets::list, budgets::post, budgets::get, budgets::put, budgets::delete, budgets::status,
        anomalies::list, anomalies::get, anomalies::feedback, anomalies::list_incidents,
        forecasts::list, forecasts::get, forecasts::jobs, patterns::list, patterns::get,
        recommendations::list, recommendations::ledger, recommendations::bulk, recommendations::get, recommendations::accept,
        recommendations::dismiss, recommendations::snooze, recommendations::reopen, recommendations::feedback,
        types::list, types::get,
        environments::list, environments::post, environments::get, environments::put, environments::delete, environments::clone,
        environments::promote, environments::write, environments::hibernate, environments::wake, environments::protect,
        environments::compare, environments::drift, environments::import, environments::resources,
        plans::list, plans::post, plans::get, plans::lint,
        releases::list, releases::post, releases::get, releases::events, releases::approve, releases::reject, releases::report,
        releases::cancel, releases::rollback, releases::queues, releases::pause, releases::resume,
        scaling::list, scaling::put, scaling::delete, scaling::simulate,
        actions::list, actions::get, actions::audit,
        charges::export,
        delete::post, retention::list, retention::get, retention::put, retention::delete,
        tokens::list, tokens::create, tokens::revoke,
        admin::flush, admin::compact, admin::expire, admin::backup,
        health::healthz, health::readyz, metrics::get,
        serve, web::docs, web::index, web::asset,
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Finish),
)]
struct Native;

/// What the derive cannot say: version, security, the answer to every error, the ingest routes.
struct Finish;

impl Modify for Finish {
    fn modify(&self, doc: &mut OpenApi) {
        doc.info.version = env!("CARGO_PKG_VERSION").to_owned();
        let components = doc.components.get_or_insert_default();
        for (name, scheme) in [("bearer", HttpAuthScheme::Bearer), ("basic", HttpAuthScheme::Basic)] {
            let what = match name {
                "bearer" => "A token, `grid_...`.",
                _ => "Any user name; the password is a token.",
            };
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(what)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
        for (path, what) in INGEST {
            doc.paths.paths.insert((*path).to_owned(), ingest(what));
        }
        for route in prometheus::ROUTES {
            doc.paths.paths.insert(route.path.to_owned(), of_prometheus(route));
        }
        doc.paths.paths.insert(prometheus::REMOTE_READ.to_owned(), remote_read());
        let open = ["/healthz", "/readyz", "/api/v1/openapi.json", "/docs", "/", "/assets/{file}"];
        for (path, item) in &mut doc.paths.paths {
            let operations = [
                ("get", &mut item.get),
                ("post", &mut item.post),
                ("put", &mut item.put),
                ("delete", &mut item.delete),
            ];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                operation.operation_id = Some(operation_id(method, path));
                let none: [&str; 0] = [];
                operation.security = if open.contains(&path.as_str()) {
                    Some(Vec::new())
                } else {
                    Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("basic", none)])
                };
                if !open.contains(&path.as_str()) {
                    operation.parameters.get_or_insert_default().push(tenant_header().into());
                }
                if path == "/api/v1/sql"
                    && let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200")
                {
                    for format in [Format::Ndjson, Format::Csv, Format::Table, Format::Arrow, Format::Parquet] {
                        answer.content.insert(format.content_type().to_owned(), Content::default().into());
                    }
                }
                if path == "/api/v1/imports"
                    && let Some(RefOr::T(body)) = &mut operation.request_body
                {
                    body.content.insert("multipart/form-data".to_owned(), Content::default().into());
                }
                if path.starts_with("/api/v1/") && !INGEST.iter().any(|(p, _)| p == path) {
                    let schema = utoipa::openapi::Ref::from_schema_name("ProblemDocument");
                    let problem = ResponseBuilder::new()
                        .description("Any error.")
                        .content("application/problem+json", Content::new(Some(schema)))
                        .build();
                    operation.responses.responses.entry("default".to_owned()).or_insert_with(|| problem.into());
                }
            }
        }
    }
}

fn tenant_header() -> Parameter {
    ParameterBuilder::new()
        .name("X-Scope-OrgID")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The tenant. Absent: the token's, or `default`."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}

/// `post_api_v1_sql`: unique, and a name in every language for which clients are generated.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    let path: Vec<&str> = words.collect();
    if path.is_empty() { format!("{method}_page") } else { format!("{method}_{}", path.join("_")) }
}

/// Routes of the ingest room, which speak the protocols of others.
const INGEST: &[(&str, &str)] = &[
    ("/v1/metrics", "OTLP/HTTP metrics: protobuf or JSON, gzip, zstd or deflate."),
    ("/v1/logs", "OTLP/HTTP logs: protobuf or JSON, gzip, zstd or deflate."),
    ("/v1/traces", "OTLP/HTTP traces: protobuf or JSON, gzip, zstd or deflate."),
    ("/prometheus/api/v1/write", "Prometheus remote write 1.0 and 2.0."),
    ("/api/v1/write", "The same as /prometheus/api/v1/write."),
    ("/loki/api/v1/push", "Loki push: JSON, or protobuf with snappy."),
];

fn ingest(what: &str) -> PathItem {
    let body = RequestBodyBuilder::new()
        .description(Some("As the protocol defines it."))
        .content("application/x-protobuf", Content::default())
        .required(Some(Required::True));
    let operation = OperationBuilder::new()
        .tag("ingest")
        .summary(Some(what))
        .request_body(Some(body.build()))
        .response("2XX", ResponseBuilder::new().description("Durable and queryable, in the protocol's own words."))
        .response(
            "4XX",
            ResponseBuilder::new().description("Refused, in the protocol's own words; 429 is a tenant's quota alone."),
        )
        .response("503", ResponseBuilder::new().description("Overloaded; try again after Retry-After."));
    PathItem::new(HttpMethod::Post, operation)
}

/// A route that speaks Prometheus' JSON (or, of a few, its text).
fn of_prometheus(route: &Documented) -> PathItem {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let operation = |form: bool| {
        let kind = if route.path.starts_with("/prometheus/api/") { "application/json" } else { "text/plain" };
        let mut operation = OperationBuilder::new()
            .tag("prometheus")
            .summary(Some(route.about))
            .response(
                "200",
                ResponseBuilder::new().description("As Prometheus answers.").content(kind, Content::default()),
            )
            .response("default", ResponseBuilder::new().description("An error in Prometheus' words."));
        if route.path.contains("{name}") {
            let name = ParameterBuilder::new().name("name").parameter_in(ParameterIn::Path).required(Required::True);
            let about = "The label; UTF-8 names also in the form `U__...`.";
            operation = operation.parameter(name.description(Some(about)).schema(Some(text())));
        }
        if form {
            let body = RequestBodyBuilder::new()
                .description(Some("The parameters as a form; they go before those of the URL."))
                .content("application/x-www-form-urlencoded", Content::default());
            operation = operation.request_body(Some(body.build()));
        }
        for name in route.parameters {
            let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Query);
            let parameter = parameter.required(Required::False).schema(Some(text()));
            operation = operation.parameter(parameter);
        }
        operation.build()
    };
    let mut item = PathItem::new(HttpMethod::Get, operation(false));
    item.post = route.form.then(|| operation(true));
    item
}

fn remote_read() -> PathItem {
    let body = RequestBodyBuilder::new()
        .description(Some("A prometheus.ReadRequest, snappy."))
        .content("application/x-protobuf", Content::default())
        .required(Some(Required::True));
    let operation = OperationBuilder::new()
        .tag("prometheus")
        .summary(Some("Remote read: raw samples, in one message or streamed as XOR chunks."))
        .request_body(Some(body.build()))
        .response("200", ResponseBuilder::new().description("As the protocol defines it."))
        .response("default", ResponseBuilder::new().description("An error as text."));
    PathItem::new(HttpMethod::Post, operation)
}

/// The document.
pub fn document() -> OpenApi {
    Native::openapi()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "page",
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json")))]
pub(crate) async fn serve() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_pretty_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], TEXT.as_str()).into_response()
}
