//! The native HTTP API under `/api/v1`, Prometheus' under `/prometheus`, their OpenAPI document, health and metrics, and the page at `/`.
//!
//! Entry point: [`router`]. Reading order: [`state`] (what handlers need), [`route`] (one file per subject: its handlers and
//! the shapes it speaks), [`finance`] (costs over time, also for the command line), [`findings`] (what jobs concluded, likewise), [`error`] and [`codes`] (how it fails), [`openapi`] (what it promises), [`web`] (the pages).
//!
//! Architecture invariants:
//! - Every answer that is an error is `application/problem+json` with a code that [`codes`] explains, but under `/prometheus`, where errors
//!   are Prometheus'.
//! - Every route is in the OpenAPI document, and the document names no other; within v1 it only grows.
//! - A handler reads and writes for [`grid_guard::Caller::tenant`] only; what spans tenants needs a token for all of them.
//! - The pages load nothing from anywhere else.

pub mod state;
pub mod route;
pub mod finance;
pub mod importer;
pub mod statement;
pub mod commitments;
pub mod findings;
pub mod scraped;
pub mod rules;
pub mod error;
pub mod codes;
pub mod openapi;
pub mod web;
pub mod exposition;
pub mod duration;
mod routes;
mod extract;
mod page;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use grid_guard::{Scope, headers};

pub use codes::{CODES, Code, explain};
pub use error::ApiError;
pub use exposition::Exposition;
pub use importer::{
    BillFile, BillImporter, BillUpload, ImportOutcome, ImporterError, Importing, PriceImporter, PriceImporting,
    PriceOutcome, PriceUpload,
};
pub use route::conformance::conformance_json;
pub use rules::RuleBook;
pub use scraped::{ScrapedTarget, ScrapedTargets, TargetLabels};
pub use state::{ApiLimits, ApiParts, ApiState, MetricsSource, ServerInfo};

use routes::Routes;

/// The whole API behind its guard, with the answer for unknown paths. The binary merges other routers into it; they must
/// not bring a fallback of their own.
pub fn router(state: ApiState) -> Router {
    let guard = state.guard.clone();
    let mut app = Router::new();
    for group in groups() {
        let router = group.routes.router.method_not_allowed_fallback(unknown_method).with_state(state.clone());
        app = app.merge(match group.needs {
            Some(scope) => guard.layer(router, scope),
            None => guard.public(router),
        });
    }
    app.fallback(unknown_route)
}

/// Routes that need the same scope; `None` = open to everyone.
pub(crate) struct Group {
    pub(crate) needs: Option<Scope>,
    pub(crate) routes: Routes,
}

/// Every route, by what it needs.
pub(crate) fn groups() -> [Group; 6] {
    use route::costs::{documents, joins, report, run, units};
    use route::{
        admin, alert_rules, alerts, anomalies, budgets, charges, commitments, cost_reports, delete, deliveries,
        estimates, forecasts, health, imports, metrics, opencost, patterns, prices, prometheus, queries,
        recommendations, retention, saved_reports, silences, sql, status, tokens, webhooks,
    };
    [
        Group {
            needs: None,
            routes: Routes::new()
                .get("/healthz", health::healthz)
                .get("/readyz", health::readyz)
                .get("/api/v1/openapi.json", openapi::serve)
                .get("/docs", web::docs)
                .get("/assets/{file}", web::asset)
                .get("/", web::index),
        },
        Group {
            needs: Some(Scope::Query),
            routes: Routes::new()
                .get("/api/v1/sql", sql::get)
                .post("/api/v1/sql", sql::post)
                .get("/api/v1/charges/export", charges::export)
                .get("/api/v1/queries", queries::list)
                .delete("/api/v1/queries/{id}", queries::end)
                .get("/api/v1/commitments", commitments::report)
                .get("/api/v1/commitments/calendar", commitments::calendar)
                .get("/api/v1/commitments/recommendations", commitments::recommendations)
                .get("/api/v1/prices", prices::list)
                .get("/api/v1/prices/lookup", prices::lookup)
                .get("/api/v1/prices/effective", prices::effective)
                .get("/api/v1/status", status::get)
                .get("/api/v1/costs", report::get)
                .get("/api/v1/costs/allocation", run::get)
                .get("/api/v1/costs/joins", joins::get)
                .get("/api/v1/costs/units", units::get)
                .get("/api/v1/costs/rules", documents::get_rules)
                .get("/api/v1/costs/documents/{subject}", documents::get)
                // One path, one group: those that change ask for the scope themselves.
                .post("/api/v1/costs/allocation", run::post)
                .put("/api/v1/costs/rules", documents::put_rules)
                .delete("/api/v1/costs/rules", documents::delete_rules)
                .put("/api/v1/costs/documents/{subject}", documents::put)
                .delete("/api/v1/costs/documents/{subject}", documents::delete)
                .get("/opencost/allocation/compute", opencost::compute)
                .get("/api/v1/costs/report", cost_reports::report)
                .get("/api/v1/costs/trend", cost_reports::trend)
                .get("/api/v1/costs/forecast", cost_reports::forecast)
                .get("/api/v1/costs/variance", cost_reports::variance)
                .get("/api/v1/costs/provisional", cost_reports::provisional)
                .get("/api/v1/costs/reports", saved_reports::list)
                .get("/api/v1/costs/reports/{id}", saved_reports::get)
                .put("/api/v1/costs/reports/{id}", saved_reports::put)
                .delete("/api/v1/costs/reports/{id}", saved_reports::delete)
                .post("/api/v1/estimates", estimates::post)
                .get("/api/v1/budgets", budgets::list)
                .get("/api/v1/budgets/{id}", budgets::get)
                .get("/api/v1/budgets/{id}/status", budgets::status)
                .post("/api/v1/budgets", budgets::post)
                .put("/api/v1/budgets/{id}", budgets::put)
                .delete("/api/v1/budgets/{id}", budgets::delete)
                .get("/api/v1/rules", alert_rules::list)
                .get("/api/v1/rules/{namespace}/{group}", alert_rules::get)
                .put("/api/v1/rules/{namespace}/{group}", alert_rules::put)
                .delete("/api/v1/rules/{namespace}/{group}", alert_rules::delete)
                .get("/api/v1/rules/alerts", alert_rules::alerts)
                .get("/api/v1/alerts", alerts::list)
                .get("/api/v1/receivers", alerts::receivers)
                .get("/api/v1/silences", silences::list)
                .get("/api/v1/silences/{id}", silences::get)
                .post("/api/v1/silences", silences::post)
                .put("/api/v1/silences/{id}", silences::put)
                .delete("/api/v1/silences/{id}", silences::expire)
                .get("/api/v1/webhooks", webhooks::list)
                .get("/api/v1/webhooks/{id}", webhooks::get)
                .post("/api/v1/webhooks", webhooks::post)
                .put("/api/v1/webhooks/{id}", webhooks::put)
                .delete("/api/v1/webhooks/{id}", webhooks::delete)
                .post("/api/v1/webhooks/{id}/secret", webhooks::rotate)
                .post("/api/v1/webhooks/{id}/test", webhooks::test)
                .get("/api/v1/deliveries", deliveries::list)
                .get("/api/v1/deliveries/{id}", deliveries::get)
                .post("/api/v1/deliveries/{id}/replay", deliveries::replay)
                .post("/api/v1/deliveries/replay", deliveries::replay_all)
                .get("/api/v1/anomalies", anomalies::list)
                .get("/api/v1/anomalies/{id}", anomalies::get)
                .post("/api/v1/anomalies/{id}/feedback", anomalies::feedback)
                .get("/api/v1/incidents", anomalies::list_incidents)
                .get("/api/v1/forecasts", forecasts::list)
                .get("/api/v1/forecasts/{id}", forecasts::get)
                .get("/api/v1/patterns", patterns::list)
                .get("/api/v1/patterns/{id}", patterns::get)
                .get("/api/v1/jobs", forecasts::jobs)
                .get("/api/v1/recommendations", recommendations::list)
                .get("/api/v1/recommendations/ledger", recommendations::ledger)
                .post("/api/v1/recommendations/bulk", recommendations::bulk)
                .get("/api/v1/recommendations/{id}", recommendations::get)
                .post("/api/v1/recommendations/{id}/accept", recommendations::accept)
                .post("/api/v1/recommendations/{id}/dismiss", recommendations::dismiss)
                .post("/api/v1/recommendations/{id}/snooze", recommendations::snooze)
                .post("/api/v1/recommendations/{id}/reopen", recommendations::reopen)
                .post("/api/v1/recommendations/{id}/feedback", recommendations::feedback)
                .get("/metrics", metrics::get),
        },
        Group { needs: Some(Scope::Query), routes: provision_routes() },
        Group { needs: Some(Scope::Query), routes: prometheus::routes() },
        Group {
            needs: Some(Scope::Ingest),
            routes: Routes::new()
                .post("/alertmanager/api/v2/alerts", alerts::post)
                .post("/api/v1/imports", imports::post)
                .post("/api/v1/imports/prices", prices::post)
                .get("/api/v1/imports", imports::list)
                .get("/api/v1/imports/{id}", imports::get),
        },
        Group {
            needs: Some(Scope::Admin),
            routes: Routes::new()
                .post("/api/v1/delete", delete::post)
                .get("/api/v1/retention", retention::list)
                .get("/api/v1/retention/{table}", retention::get)
                .put("/api/v1/retention/{table}", retention::put)
                .delete("/api/v1/retention/{table}", retention::delete)
                .post("/api/v1/admin/flush", admin::flush)
                .post("/api/v1/admin/compact", admin::compact)
                .post("/api/v1/admin/expire", admin::expire)
                .post("/api/v1/admin/backup", admin::backup)
                .get("/api/v1/tokens", tokens::list)
                .post("/api/v1/tokens", tokens::create)
                .delete("/api/v1/tokens/{id}", tokens::revoke),
        },
    ]
}

/// Provisioning. Those that change something ask for the scope admin themselves.
fn provision_routes() -> Routes {
    use route::provision::{actions, environments, plans, releases, scaling, types};
    Routes::new()
        .get("/api/v1/types", types::list)
        .get("/api/v1/types/{name}", types::get)
        .get("/api/v1/resources", environments::resources)
        .get("/api/v1/environments", environments::list)
        .post("/api/v1/environments", environments::post)
        .get("/api/v1/environments/{id}", environments::get)
        .put("/api/v1/environments/{id}", environments::put)
        .delete("/api/v1/environments/{id}", environments::delete)
        .post("/api/v1/environments/{id}/clone", environments::clone)
        .post("/api/v1/environments/{id}/promote", environments::promote)
        .post("/api/v1/environments/{id}/override", environments::write)
        .post("/api/v1/environments/{id}/hibernate", environments::hibernate)
        .post("/api/v1/environments/{id}/wake", environments::wake)
        .post("/api/v1/environments/{id}/protect", environments::protect)
        .get("/api/v1/environments/{id}/compare/{other}", environments::compare)
        .post("/api/v1/environments/{id}/drift", environments::drift)
        .post("/api/v1/environments/{id}/import", environments::import)
        .get("/api/v1/plans", plans::list)
        .post("/api/v1/plans", plans::post)
        .get("/api/v1/plans/{id}", plans::get)
        .get("/api/v1/plans/{id}/lint", plans::lint)
        .get("/api/v1/releases", releases::list)
        .post("/api/v1/releases", releases::post)
        .get("/api/v1/releases/{id}", releases::get)
        .get("/api/v1/releases/{id}/events", releases::events)
        .post("/api/v1/releases/{id}/approve", releases::approve)
        .post("/api/v1/releases/{id}/reject", releases::reject)
        .post("/api/v1/releases/{id}/report", releases::report)
        .post("/api/v1/releases/{id}/cancel", releases::cancel)
        .post("/api/v1/releases/{id}/rollback", releases::rollback)
        .get("/api/v1/queues", releases::queues)
        .post("/api/v1/queues/{id}/pause", releases::pause)
        .post("/api/v1/queues/{id}/resume", releases::resume)
        .get("/api/v1/scaling", scaling::list)
        .post("/api/v1/scaling/simulate", scaling::simulate)
        .put("/api/v1/scaling/{environment}/{name}", scaling::put)
        .delete("/api/v1/scaling/{environment}/{name}", scaling::delete)
        .get("/api/v1/actions", actions::list)
        .get("/api/v1/actions/{id}", actions::get)
        .get("/api/v1/audit", actions::audit)
}

async fn unknown_route(request: Request) -> Response {
    let mut response = ApiError::NoRoute(request.uri().path().to_owned()).into_response();
    headers::secure(response.headers_mut());
    response
}

async fn unknown_method(request: Request) -> ApiError {
    ApiError::Method { method: request.method().to_string(), path: request.uri().path().to_owned() }
}
