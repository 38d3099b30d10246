//! Costs for which no bill has come yet: hours that telemetry saw, times the price of the last billed days.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use grid_finance::calendar::{Day, Grain, Period};
use grid_finance::provisional::{Alive, Billed, Provisional, RATE_DAYS, Rates, Subject, replay};
use grid_finance::trend::{Daily, buckets};
use grid_model::Amount;
use grid_model::time::SECOND_NS;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Group;
use super::desk::{Rows, condition, within};
use super::trend::TrendItem;
use super::{CostAsk, CostScope, DayRange, Desk};
use crate::error::ApiError;

/// Days without a bill that are estimated at most.
pub const DAYS_MAX: i64 = 45;
/// Billed days for which the estimate is checked.
const CHECKED_DAYS: i64 = 14;
/// Resources whose life is looked at.
const RESOURCES_MAX: usize = 2_000;
/// Labels that name a resource as the bill does, in order of trust.
const RESOURCE_LABELS: [&str; 4] = ["cloud_resource_id", "cloud.resource_id", "resource_id", "host_id"];
/// Metrics that are there whenever the resource is, the best first; others serve where none of them is.
const LIFE_SIGNS: [&str; 7] = [
    "node_memory_MemTotal_bytes",
    "machine_memory_bytes",
    "system.memory.limit",
    "node_boot_time_seconds",
    "kube_node_info",
    "kube_node_status_capacity",
    "up",
];
/// Seconds for which one sample says that its resource is alive.
const SIGN_SECONDS: i64 = 300;

/// What is estimated, and how well that went before.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProvisionalCosts {
    /// The days that are estimated: from the day after the last billed one to today.
    pub period: DayRange,
    /// One per day, currency, service and resource.
    pub items: Vec<ProvisionalItem>,
    /// Per billed day and currency what the estimate was, what the bill said, and the difference.
    pub outcomes: Vec<OutcomeItem>,
    /// Resources of the bill whose life telemetry shows.
    pub resources_seen: usize,
    /// The statements for bills and life.
    pub sql: Vec<String>,
}

/// One estimate.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProvisionalItem {
    /// The day.
    pub time: String,
    /// The currency.
    pub currency: String,
    /// The service.
    pub service: String,
    /// The resource as the bill calls it; null for charges without one.
    pub resource: Option<String>,
    /// `telemetry`: seconds of life times the resource's price; `carried`: the mean of the last billed days.
    pub basis: &'static str,
    /// Seconds that are charged.
    pub seconds: i64,
    /// The price of an hour.
    pub hourly: Option<String>,
    /// What they cost.
    pub cost: String,
    /// Always true.
    pub provisional: bool,
}

/// An estimate and its bill.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutcomeItem {
    /// The day.
    pub time: String,
    /// The currency.
    pub currency: String,
    /// What was estimated from the days before it.
    pub predicted: String,
    /// What was billed.
    pub billed: String,
    /// Predicted less billed.
    pub error: String,
    /// The error in percent of the bill; null if nothing was billed.
    pub error_percent: Option<String>,
}

/// What all answers about estimates need.
struct Ground {
    billed: Billed,
    alive: Alive,
    seen: usize,
    sql: Vec<String>,
}

impl Ground {
    /// Reads bills from `from` to the end of what is known, and life up to today.
    async fn read(desk: &Desk<'_>, scope: &CostScope, from: Day, known: Period, today: Day) -> Result<Self, ApiError> {
        let mut ground = Self { billed: Billed::new(), alive: Alive::new(), seen: 0, sql: Vec::new() };
        let sql = format!(
            "SELECT date_trunc('day', charge_period_start) AS day, billing_currency AS currency, service_name AS service, resource_id AS resource, sum({}) AS cost\nFROM charges\nWHERE {} AND {}\nGROUP BY 1, 2, 3, 4",
            scope.measure.column(),
            within(Period { start: from, end: known.end }),
            condition(scope.filter.as_ref()),
        );
        let rows = desk.ask(&sql).await?;
        ground.sql.push(sql);
        let subjects = rows.words("currency")?.into_iter().zip(rows.words("service")?).zip(rows.texts("resource")?);
        let costs = rows.days("day")?.into_iter().zip(rows.costs("cost")?);
        for (((currency, service), resource), (day, cost)) in subjects.zip(costs) {
            ground.billed.insert((Subject { currency, service, resource }, day), cost);
        }
        let on_bill: BTreeSet<&str> = ground.billed.keys().filter_map(|(s, _)| s.resource.as_deref()).collect();
        let signs = signs(desk, &on_bill).await?;
        ground.seen = signs.values().collect::<BTreeSet<_>>().len();
        if !signs.is_empty() {
            let sql = life_sql(&signs, Period { start: from, end: today.plus(1) });
            let rows = desk.ask(&sql).await?;
            ground.sql.push(sql);
            ground.alive = life(&rows, &signs)?;
        }
        Ok(ground)
    }
}

/// The series that shows each resource's life: id of the series to the resource as the bill calls it.
async fn signs(desk: &Desk<'_>, on_bill: &BTreeSet<&str>) -> Result<HashMap<String, String>, ApiError> {
    let labels: Vec<String> = RESOURCE_LABELS.iter().map(|l| format!("labels['{l}']")).collect();
    let resource = format!("coalesce({})", labels.join(", "));
    let known: Vec<String> = LIFE_SIGNS.iter().map(|m| format!("'{m}'")).collect();
    let sql = format!(
        "SELECT CAST(series_id AS VARCHAR) AS id, metric, {resource} AS resource FROM series\nWHERE {resource} IS NOT NULL AND metric IN ({})\nORDER BY 1 LIMIT {}",
        known.join(", "),
        RESOURCES_MAX * LIFE_SIGNS.len(),
    );
    let rows = desk.ask(&sql).await?;
    // Telemetry often knows the last part of an id alone.
    let mut names: HashMap<&str, &str> = HashMap::new();
    for id in on_bill {
        names.insert(id, id);
        if let Some((_, last)) = id.rsplit_once('/') {
            names.entry(last).or_insert(id);
        }
    }
    let mut best: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let found = rows.words("id")?.into_iter().zip(rows.words("metric")?).zip(rows.words("resource")?);
    for ((id, metric), resource) in found {
        let Some(name) = names.get(resource.as_str()) else { continue };
        let trust = LIFE_SIGNS.iter().position(|m| *m == metric).unwrap_or(LIFE_SIGNS.len());
        if best.get(name).is_none_or(|(other, _)| trust < *other)
            && (best.len() < RESOURCES_MAX || best.contains_key(name))
        {
            best.insert(name, (trust, id));
        }
    }
    Ok(best.into_iter().map(|(name, (_, id))| (id, name.to_owned())).collect())
}

fn life_sql(signs: &HashMap<String, String>, period: Period) -> String {
    let mut ids: Vec<&str> = signs.keys().map(String::as_str).collect();
    ids.sort_unstable();
    format!(
        "SELECT date_trunc('day', time) AS day, CAST(series_id AS VARCHAR) AS id, count(DISTINCT time_bucket('{SIGN_SECONDS}s', time)) AS signs\nFROM samples\nWHERE series_id IN ({}) AND time >= '{}T00:00:00Z' AND time < '{}T00:00:00Z' AND NOT is_stale\nGROUP BY 1, 2",
        ids.join(", "),
        period.start,
        period.end,
    )
}

fn life(rows: &Rows, signs: &HashMap<String, String>) -> Result<Alive, ApiError> {
    let mut alive = Alive::new();
    let found = rows.days("day")?.into_iter().zip(rows.words("id")?).zip(rows.counts("signs")?);
    for ((day, id), count) in found {
        if let Some(resource) = signs.get(&id) {
            let seconds = count.unwrap_or(0).saturating_mul(SIGN_SECONDS).min(86_400);
            alive.insert((resource.clone(), day), seconds);
        }
    }
    Ok(alive)
}

/// Seconds of a day that have passed.
fn elapsed(desk: &Desk<'_>, day: Day) -> i64 {
    ((desk.store.now().0 - day.start().0) / SECOND_NS).clamp(0, 86_400)
}

/// The estimates of all days after the last bill, up to today.
fn estimates(
    desk: &Desk<'_>,
    ground: &Ground,
    known: Period,
    today: Day,
) -> Result<Vec<(Provisional, Option<Amount>)>, ApiError> {
    let rates = Rates::of(&ground.billed, &ground.alive, known.end)?;
    let mut all = Vec::new();
    for day in unbilled(known, today) {
        for found in rates.day(&ground.alive, day, elapsed(desk, day))? {
            let hourly = rates.0.get(&found.subject).and_then(|r| r.hourly());
            all.push((found, hourly));
        }
    }
    Ok(all)
}

fn unbilled(known: Period, today: Day) -> impl Iterator<Item = Day> {
    (known.end.0..=today.0.min(known.end.0 + DAYS_MAX - 1)).map(Day)
}

/// Answers what the days since the last bill cost, and how good such answers were.
pub async fn provisional(desk: &Desk<'_>, ask: &CostAsk) -> Result<ProvisionalCosts, ApiError> {
    let scope = ask.scope()?;
    let today = Day::of(desk.store.now());
    let Some(known) = desk.known(scope.relation, scope.filter.as_ref()).await? else {
        let period = Period { start: today, end: today.plus(1) };
        let none = Vec::new();
        return Ok(ProvisionalCosts {
            period: period.into(),
            items: Vec::new(),
            outcomes: Vec::new(),
            resources_seen: 0,
            sql: none,
        });
    };
    let from = known.start.max(known.end.plus(-CHECKED_DAYS - RATE_DAYS));
    let ground = Ground::read(desk, &scope, from, known, today).await?;
    let items = estimates(desk, &ground, known, today)?.into_iter().map(|(p, hourly)| ProvisionalItem {
        time: format!("{}T00:00:00Z", p.day),
        currency: p.subject.currency,
        service: p.subject.service,
        resource: p.subject.resource,
        basis: p.basis.name(),
        seconds: p.seconds,
        hourly: hourly.map(|h| h.to_string()),
        cost: p.cost.to_string(),
        provisional: true,
    });
    let checked = (known.start.plus(1).max(known.end.plus(-CHECKED_DAYS)).0..known.end.0).map(Day);
    let outcomes = replay(&ground.billed, &ground.alive, checked)?.into_iter().map(|o| OutcomeItem {
        time: format!("{}T00:00:00Z", o.day),
        currency: o.currency,
        predicted: o.predicted.to_string(),
        billed: o.billed.to_string(),
        error: o.error.to_string(),
        error_percent: o.error_basis_points.map(grid_finance::exact::percent_text),
    });
    Ok(ProvisionalCosts {
        period: DayRange { from: known.end.to_string(), to: today.plus(1).max(known.end).to_string() },
        items: items.collect(),
        outcomes: outcomes.collect(),
        resources_seen: ground.seen,
        sql: ground.sql,
    })
}

/// Buckets of a trend.
pub(crate) struct Estimated {
    pub(crate) items: Vec<TrendItem>,
    pub(crate) sql: Vec<String>,
}

/// Estimates as buckets beside the billed ones. Of the dimensions, those that an estimate knows (service, resource) have their value.
pub(crate) async fn trend_items(
    desk: &Desk<'_>,
    scope: &CostScope,
    known: Period,
    period: Period,
    grain: Grain,
) -> Result<Estimated, ApiError> {
    let today = Day::of(desk.store.now());
    let from = known.start.max(known.end.plus(-RATE_DAYS));
    let ground = Ground::read(desk, scope, from, known, today).await?;
    let mut series: BTreeMap<(String, Group), Daily> = BTreeMap::new();
    for (found, _) in estimates(desk, &ground, known, today)? {
        let value = |name: &str| match name {
            "service" | "service_name" => Some(found.subject.service.clone()),
            "resource" | "resource_id" => found.subject.resource.clone(),
            _ => None,
        };
        let group = scope.by.iter().map(|d| (d.name.clone(), value(&d.name))).collect();
        let day = series.entry((found.subject.currency.clone(), group)).or_default().entry(found.day).or_default();
        *day = day.checked_add(found.cost).ok_or(grid_finance::variance::Overflow)?;
    }
    // A period that was named may end before today; one that was not ends with the last bill, and the estimate goes on.
    let end = if period.end == known.end { today.plus(1) } else { period.end.min(today.plus(1)) };
    let span = Period { start: known.end.max(period.start), end };
    let mut items = Vec::new();
    for ((currency, group), daily) in series {
        for bucket in buckets(&daily, span, grain, scope.fiscal)? {
            items.push(TrendItem {
                time: format!("{}T00:00:00Z", bucket.period.start),
                label: bucket.label,
                currency: currency.clone(),
                group: group.clone(),
                cost: bucket.cost.to_string(),
                change: None,
                moving_mean: None,
                partial: true,
                provisional: true,
            });
        }
    }
    Ok(Estimated { items, sql: ground.sql })
}
