//! Commitments of a tenant: what they did, when they end, what to buy. Reads by SQL, decides by [`grid_ml::commit`], answers JSON with the
//! statements that reproduce it. Used by the routes and, on a data directory, by `grid cost commitments`.

mod offers;
mod recommend;
mod show;

use grid_analytics::commitments::{self, Period, Range};
use grid_analytics::{Engine, QueryError};
use grid_model::TenantId;
use serde_json::{Value, json};

pub use recommend::{RecommendError, Request, recommend};

use crate::statement::rows;

/// Per commitment and period: cost, use, saving, and whether the bill adds up; and coverage per currency.
pub async fn report(engine: &Engine, tenant: &TenantId, range: Range, period: Period) -> Result<Value, QueryError> {
    let (per_commitment, coverage) = (commitments::report(range, period), commitments::coverage(range, period));
    Ok(json!({
        "items": rows(engine, tenant, &per_commitment).await?,
        "coverage": rows(engine, tenant, &coverage).await?,
        "sql": { "items": per_commitment.inlined(), "coverage": coverage.inlined() },
    }))
}

/// When each commitment ends.
pub async fn calendar(engine: &Engine, tenant: &TenantId) -> Result<Value, QueryError> {
    let statement = commitments::calendar();
    Ok(json!({ "items": rows(engine, tenant, &statement).await?, "sql": { "items": statement.inlined() } }))
}
