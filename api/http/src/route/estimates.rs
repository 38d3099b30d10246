//! What a plan will cost before it is applied: plan JSON in, Infracost's format 0.2 out. Machines are priced by the tenant's own
//! prices and the price books; what no book knows is unknown.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json as Reply;
use axum::extract::{Request, State};
use grid_analytics::price::PriceQuery;
use grid_estimate::book::{self, Book, Machine};
use grid_estimate::compare;
use grid_estimate::read::plan::{self, Plan};
use grid_estimate::{Inventory, PriceSource, Usage, estimate, show};
use grid_guard::Caller;
use grid_model::{Amount, Currency};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::{Params, from_json, media_type, read_body};
use crate::state::ApiState;

/// Distinct machines that the price books are asked about for one plan; more are unknown.
const LOOKUPS_MAX: usize = 500;

/// How a plan is estimated.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EstimateParams {
    /// Currency of the answer; `USD` if absent. Prices in others count as unknown.
    #[param(example = "USD")]
    currency: Option<String>,
    /// Most that a month may cost, in that currency.
    #[param(example = "1500.00")]
    budget: Option<String>,
}

/// Estimates a plan. The body is what `terraform show -json PLAN` prints, or an object with `plan` (the same), `usage` (the text of a usage
/// file in YAML) and `prices` (the text of a price file in CSV).
#[utoipa::path(post, path = "/api/v1/estimates", tag = "costs", params(EstimateParams),
    request_body(content = Object, description = "A plan in JSON, format 1.x."),
    responses((status = 200, description = "The estimate in Infracost's format 0.2. What is unknown is null, never 0.", body = Object)))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<EstimateParams>,
    request: Request,
) -> Result<Reply<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    match media_type(&parts.headers).as_deref() {
        Some(t) if t == "application/json" || t.ends_with("+json") => {}
        other => {
            let found = other.unwrap_or("a body without a type").to_owned();
            return Err(ApiError::ContentType { found, reads: "application/json" });
        }
    }
    let bytes = read_body(&state, &parts.headers, body).await?;
    let currency = Currency(params.currency.unwrap_or_else(|| "USD".to_owned()).to_uppercase());
    let budget = match &params.budget {
        None => None,
        Some(text) => Some(Amount::parse(text).map_err(|e| ApiError::Parameter(format!("budget: {e}")))?.0),
    };
    let job = in_background(move || Job::read(&bytes)).await??;
    let (job, asked) = in_background(move || {
        let asked = job.machines();
        (job, asked)
    })
    .await?;
    let at = (state.clock)();
    let mut machines = BTreeMap::new();
    for machine in asked.into_iter().take(LOOKUPS_MAX) {
        let mut query = PriceQuery::machine(machine.provider, &machine.kind, &machine.region, at);
        query.service = Some(machine.service.to_owned());
        query.currency = Some(currency.0.clone());
        if !machine.system.is_empty() {
            query = query.with("operating_system", &machine.system);
        }
        if let Ok(quote) = state.engine.price(&caller.tenant, &query).await? {
            machines.insert(machine, quote.price());
        }
    }
    in_background(move || Reply(job.answer(machines, &currency, budget))).await
}

/// Off the threads that answer requests: a large plan takes a while.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ApiError::Parameter(format!("the estimate was not finished: {e}")))
}

struct Job {
    plan: Plan,
    usage: Usage,
    prices: Option<grid_estimate::PriceFile>,
}

impl Job {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let document: Value = from_json(bytes)?;
        let refuse = |e: grid_estimate::read::ReadError| ApiError::Parameter(e.to_string());
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
        let plan = match document.get("plan") {
            Some(inner) => plan::read("plan", inner.to_string().as_bytes()).map_err(refuse)?,
            None => plan::read("the body", bytes).map_err(refuse)?,
        };
        let usage = Usage::read("usage", text("usage")).map_err(refuse)?;
        let prices = match text("prices") {
            "" => None,
            csv => Some(grid_estimate::PriceFile::read("prices", csv).map_err(refuse)?),
        };
        Ok(Self { plan, usage, prices })
    }

    /// The machines whose prices the estimate will ask for.
    fn machines(&self) -> BTreeSet<Machine> {
        book::machines([Some(&self.plan.after), self.plan.before.as_ref()].into_iter().flatten(), &self.usage)
    }

    fn answer(&self, machines: BTreeMap<Machine, Amount>, currency: &Currency, budget: Option<Amount>) -> Value {
        let book = Book { machines, currency: currency.clone() };
        let prices: Vec<Box<dyn PriceSource>> = match &self.prices {
            Some(file) => vec![Box::new(file.clone()), Box::new(book)],
            None => vec![Box::new(book)],
        };
        let priced = |inventory: &Inventory| estimate(inventory, &self.usage, &prices, currency);
        let after = priced(&self.plan.after);
        let before = self.plan.before.as_ref().map(priced);
        let comparison = before.as_ref().and_then(|before| compare::compare(before, &after));
        let verdict = budget.map(|limit| (limit, compare::budget(&after.total, limit)));
        show::json::json("plan", &after, before.as_ref().zip(comparison.as_ref()), verdict)
    }
}
