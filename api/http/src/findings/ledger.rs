//! The savings ledger: of each accepted recommendation what was promised, and what the bills since then say.

use grid_analytics::Statement;
use grid_finance::calendar::Day;
use grid_finance::exact::sum;
use grid_finance::relation::{Relation, quote};
use grid_findings::decision::Verb;
use grid_findings::ledger::{Outcome, compare};
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use super::list::decisions;
use crate::error::ApiError;
use crate::finance::Desk;
use crate::route::rfc3339;

/// Accepted recommendations that are compared, the youngest first.
const ENTRIES_MAX: usize = 500;

/// The ledger, youngest decision first, with sums by currency.
pub async fn ledger(desk: &Desk<'_>) -> Result<Value, ApiError> {
    let mut accepted: Vec<_> = decisions(desk).await?.into_iter().filter(|(_, d)| d.verb == Verb::Accepted).collect();
    accepted.sort_by(|a, b| (b.1.at, &a.0).cmp(&(a.1.at, &b.0)));
    accepted.truncate(ENTRIES_MAX);
    let known = desk.known(Relation::Charges, None).await?;
    let mut items = Vec::new();
    let mut sums: std::collections::BTreeMap<String, (Vec<Amount>, Vec<Amount>, Vec<Amount>)> = Default::default();
    for (id, decision) in accepted {
        let promised = &decision.promised;
        let sql = format!(
            "SELECT date_trunc('day', charge_period_start) AS day, sum(effective_cost) AS cost FROM charges \
             WHERE resource_id = {} AND billing_currency = {} AND charge_category = 'Usage' GROUP BY 1 ORDER BY 1",
            quote(&promised.resource_id),
            quote(&promised.currency)
        );
        let rows = desk.ask(&sql).await?;
        let daily: Vec<(Day, Amount)> = rows.days("day")?.into_iter().zip(rows.costs("cost")?).collect();
        let decided = Day::of(Timestamp(decision.at));
        let entry = compare(&daily, decided, known.map_or(decided, |k| k.end), promised.likely());
        if entry.outcome != Outcome::Waiting {
            let of = sums.entry(promised.currency.clone()).or_default();
            of.0.push(entry.predicted);
            of.1.push(entry.realised);
            of.2.push(entry.saved);
        }
        items.push(json!({
            "recommendation_id": id,
            "resource_id": promised.resource_id,
            "action": promised.action,
            "proposed": promised.proposed,
            "accepted": rfc3339(Timestamp(decision.at)),
            "currency": promised.currency,
            "predicted": entry.predicted.to_string(),
            "realised": entry.realised.to_string(),
            "saved_so_far": entry.saved.to_string(),
            "outcome": entry.outcome.name(),
            "sql": Statement { sql, params: Vec::new() }.inlined(),
        }));
    }
    let mut totals = Vec::new();
    for (currency, (predicted, realised, saved)) in sums {
        let all = |list: Vec<Amount>| sum(list).map(|a| a.to_string()).ok_or(grid_finance::variance::Overflow);
        totals.push(json!({
            "currency": currency, "predicted": all(predicted)?, "realised": all(realised)?, "saved_so_far": all(saved)?,
        }));
    }
    Ok(json!({ "items": items, "totals": totals }))
}
