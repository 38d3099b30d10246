//! Demand out of charges, offers out of prices and bills, and the recommendation for each scope.

use std::collections::BTreeMap;

use grid_analytics::commitments::{self, Period, Range};
use grid_analytics::{Engine, QueryError};
use grid_ml::NotEnoughData;
use grid_ml::commit::demand::{HOURLY_MAX, LINES_MAX};
use grid_ml::commit::ladder::Existing;
use grid_ml::commit::{Advice, Demand, Line, Payment, Ratio, Recommendation, Settings, Term, advise, uncovered};
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, TenantId, Timestamp};
use serde_json::{Value, json};

use super::offers::{Kind, Scope, scopes};
use super::show;
use crate::route::{parse_time, rfc3339};
use crate::statement::{rows, text};

/// Days of history that are read.
const DAYS_MAX: i64 = 400;
/// Days over which the present cost of a commitment is averaged.
const EXISTING_DAYS: i64 = 30;
/// The line of everything beyond the largest kinds of usage; no offer covers it.
const REST: &str = "other";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The currency; the one with the most cost if not given.
    pub currency: Option<String>,
    /// Only terms of this length.
    pub term: Option<Term>,
    /// Only payments of this kind.
    pub payment: Option<Payment>,
    /// A committed price as a share of the on-demand price, to weigh beside those that are known.
    pub ratio: Option<Amount>,
    /// How to judge.
    pub settings: Settings,
}

/// Why there is no recommendation.
#[derive(Debug, thiserror::Error)]
pub enum RecommendError {
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The demand cannot be weighed.
    #[error("{0}")]
    Demand(String),
}

/// A kind of usage, with what bills and books need to find its price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Usage {
    pub(super) provider: String,
    pub(super) service: String,
    pub(super) region: String,
    /// `m5` of `m5.large`; the meter or SKU where there is no machine.
    pub(super) family: String,
}

impl Usage {
    pub(super) fn key(&self) -> String {
        format!("{} {} {} {}", self.provider, self.service, self.region, self.family)
    }
}

/// What charges say of one kind of usage.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    hourly: BTreeMap<i64, i128>,
    /// All of it at prices without commitments.
    pub(super) cost: i128,
    /// Cost by type of machine.
    pub(super) types: BTreeMap<String, i128>,
    /// Per commitment: what it covered, at prices without it and with it.
    pub(super) covered: BTreeMap<String, (i128, i128)>,
}

/// A commitment that is in force or was.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) hourly: Amount,
    pub(super) ends: Option<Timestamp>,
}

/// Recommends what to commit. "Not enough data" is an answer of its own.
pub async fn recommend(
    engine: &Engine,
    tenant: &TenantId,
    now: Timestamp,
    request: &Request,
) -> Result<Value, RecommendError> {
    let extent = rows(engine, tenant, &commitments::extent()).await?;
    let wanted = |row: &&Value| request.currency.as_deref().is_none_or(|c| text(row, "currency") == c);
    let Some(extent) = extent.iter().find(wanted) else {
        return Ok(
            json!({ "status": "not enough data", "detail": "there are no charges for usage; `grid import bill` reads a bill" }),
        );
    };
    let currency = text(extent, "currency").to_owned();
    let time = |name: &str| parse_time(text(extent, name)).unwrap_or_default();
    // Whole hours that the bills cover.
    let end = Timestamp(time("last_time").0.div_euclid(HOUR_NS) * HOUR_NS);
    let first = time("first_time").0.max(end.0.saturating_sub(DAYS_MAX * DAY_NS));
    let range = Range { start: Timestamp(-(-first).div_euclid(HOUR_NS) * HOUR_NS), end };
    let statement = commitments::demand(range, &currency);
    let usage = read_demand(&rows(engine, tenant, &statement).await?, range);
    let demand = demand(&usage, range).map_err(RecommendError::Demand)?;
    let held = held(engine, tenant, end, &currency).await?;
    let (scopes, unpriced) = scopes(engine, tenant, now, &usage, &held, request).await?;
    let existing: Vec<Existing> = held.iter().map(|h| existing(h, &usage)).collect();

    let need = request.settings.days_min as usize * 24;
    if demand.hours() < need.max(24) {
        let NotEnoughData { have, need } = NotEnoughData { have: demand.hours(), need: need.max(24) };
        return Ok(json!({
            "status": "not enough data", "currency": currency,
            "detail": format!("{have} hours of usage are there, {need} are needed"),
            "hours": have, "hours_needed": need, "groups": [], "sql": { "demand": statement.inlined() },
        }));
    }
    let (hours, settings) = (demand.hours(), request.settings.clone());
    // Replays are work for the processor, which must not hold up the threads that serve sockets.
    let weighed = tokio::task::spawn_blocking(move || {
        let open = uncovered(&demand, &existing, now);
        let weigh = |scope: Scope| {
            let keys: Vec<&str> =
                scope.offers.iter().flat_map(|o| o.rates.iter().map(|(key, _)| key.as_str())).collect();
            let found = advise(&open.narrowed(&keys), &scope.offers, &existing, now, &settings);
            (scope, found)
        };
        scopes.into_iter().map(weigh).collect::<Vec<_>>()
    });
    let weighed = weighed.await.map_err(|e| RecommendError::Demand(format!("weigh the offers: {e}")))?;
    let mut savings: BTreeMap<Kind, i128> = BTreeMap::new();
    for (scope, found) in &weighed {
        if let Advice::Buy(at) = found.advice {
            *savings.entry(scope.kind).or_default() += found.candidates[at].monthly_saving.0;
        }
    }
    let groups: Vec<Value> = weighed.iter().map(|(scope, found)| show::group(scope, found)).collect();
    let best = savings.iter().max_by_key(|(_, saved)| **saved).map(|(kind, _)| kind.name());
    Ok(json!({
        "status": if groups.is_empty() { "unknown" } else { "ok" },
        "detail": if groups.is_empty() {
            "no committed price is known for any usage: import a price list, or give a ratio"
        } else {
            "groups of different kinds cover the same usage: buy of one kind only"
        },
        "currency": currency,
        "range": { "start": rfc3339(range.start), "end": rfc3339(range.end), "hours": hours },
        "best_kind": best,
        "groups": groups,
        "existing": held.iter().map(|h| json!({
            "commitment_id": h.id, "name": h.name, "hourly_cost": h.hourly.to_string(), "ends": h.ends.map(rfc3339),
            "counts": h.ends.is_none_or(|end| end > now),
        })).collect::<Vec<_>>(),
        "unpriced": unpriced,
        "sql": { "demand": statement.inlined(), "existing": commitments::calendar().inlined() },
    }))
}

/// Charges by kind of usage, spread over the hours of their periods.
fn read_demand(rows: &[Value], range: Range) -> BTreeMap<Usage, Facts> {
    let mut out: BTreeMap<Usage, Facts> = BTreeMap::new();
    for row in rows {
        let amount = |name: &str| Amount::parse(text(row, name)).map_or(0, |(a, _)| a.0);
        let (Some(start), Some(end)) =
            (parse_time(text(row, "charge_period_start")), parse_time(text(row, "charge_period_end")))
        else {
            continue;
        };
        let machine = text(row, "resource_type");
        let family = [machine, text(row, "sku_meter"), text(row, "sku_id")].into_iter().find(|t| !t.is_empty());
        let family = family.unwrap_or_default();
        let usage = Usage {
            provider: text(row, "provider").to_owned(),
            service: text(row, "service_name").to_owned(),
            region: text(row, "region_id").to_owned(),
            family: if machine.is_empty() { family.to_owned() } else { family_of(machine) },
        };
        let facts = out.entry(usage).or_default();
        let cost = amount("cost");
        facts.cost += cost;
        *facts.types.entry(machine.to_owned()).or_default() += cost;
        let commitment = text(row, "commitment_discount_id");
        if !commitment.is_empty() {
            let covered = facts.covered.entry(commitment.to_owned()).or_default();
            covered.0 += cost;
            covered.1 += amount("effective_cost");
        }
        // Each hour gets the same; what does not divide goes to the first hours, a unit each, so that the sum stays exact.
        let from = start.0.div_euclid(HOUR_NS);
        let hours = ((end.0 - start.0 + HOUR_NS - 1) / HOUR_NS).clamp(1, 366 * 24);
        let (each, rest) = (cost / i128::from(hours), cost % i128::from(hours));
        for hour in 0..hours {
            let at = from + hour;
            if at * HOUR_NS >= range.start.0 && at * HOUR_NS < range.end.0 {
                *facts.hourly.entry(at).or_default() += each + i128::from(i128::from(hour) < rest);
            }
        }
    }
    out
}

/// `m5` of `m5.large`, `db.m5` of `db.m5.large`, `n2-standard` of `n2-standard-8`.
fn family_of(machine: &str) -> String {
    if let Some((family, _)) = machine.rsplit_once('.') {
        return family.to_owned();
    }
    match machine.rsplit_once('-') {
        Some((family, size)) if size.bytes().all(|b| b.is_ascii_digit()) => family.to_owned(),
        _ => machine.to_owned(),
    }
}

/// The usage as a demand: the largest kinds by themselves, the others together.
fn demand(usage: &BTreeMap<Usage, Facts>, range: Range) -> Result<Demand, String> {
    let hours = usize::try_from((range.end.0 - range.start.0) / HOUR_NS).unwrap_or(0);
    let first = range.start.0 / HOUR_NS;
    let mut largest: Vec<(&Usage, &Facts)> = usage.iter().collect();
    largest.sort_by_key(|(_, facts)| std::cmp::Reverse(facts.cost));
    let mut lines: Vec<Line> = Vec::new();
    for (n, (kind, facts)) in largest.into_iter().enumerate() {
        if n < LINES_MAX {
            let key = if n == LINES_MAX - 1 { REST.to_owned() } else { kind.key() };
            lines.push(Line { key, hourly: vec![Amount::ZERO; hours] });
        }
        let Some(line) = lines.last_mut() else { continue };
        for (hour, cost) in &facts.hourly {
            if let Some(cell) = usize::try_from(hour - first).ok().and_then(|at| line.hourly.get_mut(at)) {
                cell.0 = cell.0.saturating_add(*cost).min(HOURLY_MAX.0);
            }
        }
    }
    if lines.is_empty() {
        lines.push(Line { key: REST.to_owned(), hourly: vec![Amount::ZERO; hours] });
    }
    Demand::new(range.start, lines).map_err(|e| e.to_string())
}

/// Commitments with what they cost per hour lately, and when they end.
async fn held(engine: &Engine, tenant: &TenantId, end: Timestamp, currency: &str) -> Result<Vec<Held>, RecommendError> {
    let start = Timestamp(end.0 - EXISTING_DAYS * DAY_NS);
    let recent = rows(engine, tenant, &commitments::report(Range { start, end }, Period::Whole)).await?;
    let calendar = rows(engine, tenant, &commitments::calendar()).await?;
    let mut out = Vec::new();
    for row in recent.iter().filter(|row| text(row, "currency") == currency) {
        let id = text(row, "commitment_id");
        let ends = calendar.iter().find(|c| text(c, "commitment_id") == id && text(c, "currency") == currency);
        let since = parse_time(text(row, "period_start")).unwrap_or(start);
        let hours = i128::from((end.0 - since.0) / HOUR_NS).max(1);
        let cost = Amount::parse(text(row, "committed_cost")).map_or(0, |(a, _)| a.0);
        out.push(Held {
            id: id.to_owned(),
            name: text(row, "name").to_owned(),
            hourly: Amount((cost / hours).clamp(0, HOURLY_MAX.0)),
            ends: ends.and_then(|c| {
                let ends = text(c, "ends");
                // A time without a zone is UTC.
                parse_time(ends).or_else(|| parse_time(&format!("{ends}Z")))
            }),
        });
    }
    Ok(out)
}

/// A commitment as the model sees it: the usage that it covered, at the share that it covered it at.
fn existing(held: &Held, usage: &BTreeMap<Usage, Facts>) -> Existing {
    let rates = usage.iter().filter_map(|(kind, facts)| {
        let (without, with) = facts.covered.get(&held.id)?;
        Some((kind.key(), Ratio::new(Amount(*with), Amount(*without))?))
    });
    Existing { id: held.id.clone(), rates: rates.collect(), hourly: held.hourly, ends: held.ends }
}

impl Scope {
    /// The best of a recommendation's candidates, and a few more.
    pub(super) fn shown<'a>(&self, found: &'a Recommendation) -> &'a [grid_ml::commit::Candidate] {
        &found.candidates[..found.candidates.len().min(show::CANDIDATES_MAX)]
    }
}
