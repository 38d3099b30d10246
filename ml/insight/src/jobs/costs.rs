//! Unusual costs: per account and currency, by day, with the dimensions that explain them.

use std::collections::BTreeMap;

use grid_finance::calendar::Day;
use grid_findings::cost::{Cube, DIMENSIONS, Event, MODEL, Pattern, Row, VERSION, detect};
use grid_findings::limits::COST_DAYS_MAX;
use grid_findings::{feedback, stable_id};
use grid_model::table::anomalies::AnomalyRow;
use grid_model::{Amount, Timestamp};
use serde_json::json;

use super::{Done, Job, JobError, Run, think};
use crate::evidence::Evidence;
use crate::keep;
use crate::limits::{ANOMALIES_KEPT, EVIDENCE_MAX};
use crate::read::{self, amount, literal, rows, text};

/// The account of a charge.
const ACCOUNT: &str = "coalesce(sub_account_id, billing_account_id)";
/// Each of [`DIMENSIONS`] as an expression over `charges`.
const COLUMNS: [&str; DIMENSIONS.len()] =
    ["service_name", "region_id", "tags['team']", "coalesce(sku_meter, sku_id, charge_description)"];
/// Fees and taxes come when they come: usage is what can be unusual.
const USAGE: &str = "charge_category = 'Usage'";

/// An account in a currency.
type Account = (String, String);

pub(super) async fn run(run: &Run<'_>) -> Result<Done, JobError> {
    let cubes = read_cubes(run).await?;
    let events: Vec<(Account, Event)> = think(move || {
        let of = |(account, cube): (Account, Cube)| detect(&cube).into_iter().map(move |e| (account.clone(), e));
        let mut events: Vec<(Account, Event)> = cubes.into_iter().flat_map(of).collect();
        events.sort_by(|a, b| (a.1.start, &a.0).cmp(&(b.1.start, &b.0)));
        events
    })
    .await?;
    let job = Job::Costs.name();
    let before: Vec<AnomalyRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let mut rows = Vec::new();
    // The youngest count if there are too many.
    for (account, event) in events.iter().rev().take(EVIDENCE_MAX) {
        rows.push(anomaly(run, account, event).await?);
    }
    rows.sort_by(|a, b| (a.start_time, &a.anomaly_id).cmp(&(b.start_time, &b.anomaly_id)));
    rows.truncate(ANOMALIES_KEPT);
    feedback::apply(&mut rows, &keep::feedback(run.store, run.tenant).await?);
    let count = rows.len();
    Ok(Done {
        rows: count,
        changed: keep::replace(run.store, run.tenant, job, &before, rows).await?,
        failed: Vec::new(),
    })
}

async fn read_cubes(run: &Run<'_>) -> Result<BTreeMap<Account, Cube>, JobError> {
    let today = Day::of(run.until);
    let first = today.plus(-(COST_DAYS_MAX as i64));
    let names = DIMENSIONS.iter().zip(COLUMNS).map(|(name, sql)| format!("coalesce({sql}, '') AS {name}"));
    let sql = format!(
        "SELECT {ACCOUNT} AS account, billing_currency AS currency, {}, \
         CAST(date_trunc('day', charge_period_start) AS BIGINT) AS day, sum(effective_cost) AS cost \
         FROM charges WHERE {USAGE} AND {} GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7",
        names.collect::<Vec<_>>().join(", "),
        read::within("charge_period_start", first.start(), today.start()),
    );
    // Per account: rows by their keys, with costs by day.
    let mut accounts: BTreeMap<Account, BTreeMap<[String; DIMENSIONS.len()], BTreeMap<i64, Amount>>> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let account = (text(&row, "account").to_owned(), text(&row, "currency").to_owned());
        let keys = DIMENSIONS.map(|name| text(&row, name).to_owned());
        let day = Day::of(Timestamp(read::whole(&row, "day"))).0;
        accounts.entry(account).or_default().entry(keys).or_default().insert(day, amount(&row, "cost"));
    }
    let cube = |of: BTreeMap<[String; DIMENSIONS.len()], BTreeMap<i64, Amount>>| {
        let days = || of.values().flat_map(|costs| costs.keys().copied());
        let (first, last) = (days().min().unwrap_or(0), days().max().unwrap_or(0));
        let n = (last - first + 1) as usize;
        let list = |costs: &BTreeMap<i64, Amount>| {
            (first..=last).map(|d| costs.get(&d).copied().unwrap_or_default()).collect()
        };
        let rows = of.iter().map(|(keys, costs)| Row { keys: keys.clone(), costs: list(costs) }).collect();
        Cube::new(Day(first), n, rows)
    };
    Ok(accounts.into_iter().map(|(account, of)| (account, cube(of))).collect())
}

/// A pattern as a condition over `charges`.
fn condition(pattern: &Pattern) -> String {
    let parts = pattern.0.iter().zip(COLUMNS).filter_map(|(value, sql)| {
        let value = value.as_ref()?;
        Some(format!(" AND coalesce({sql}, '') = {}", literal(value)))
    });
    parts.collect()
}

fn evidence_sql(account: &Account, event: &Event, last: Day) -> String {
    let list = |days: &[Day]| days.iter().map(|d| literal(&d.to_string())).collect::<Vec<_>>().join(", ");
    let day = "substr(CAST(charge_period_start AS VARCHAR), 1, 10)";
    let (start, end) = (event.start, last);
    let (days, reference) = (event.days.max(1), event.reference.len().max(1));
    // What a finding states is rounded here, so that it is found in the answer as it is stated.
    format!(
        "SELECT *, round(actual_cost, 2) AS actual, round(reference_cost * {days} / {reference}, 2) AS expected,
  round(actual_cost / {days}, 2) AS actual_a_day, round(reference_cost / {reference}, 2) AS expected_a_day
FROM (SELECT sum(effective_cost) FILTER (WHERE {day} >= '{start}' AND {day} < '{end}') AS actual_cost,
  count(DISTINCT {day}) FILTER (WHERE {day} >= '{start}' AND {day} < '{end}') AS days,
  coalesce(sum(effective_cost) FILTER (WHERE {day} IN ({})), 0) AS reference_cost
FROM charges
WHERE {USAGE} AND {ACCOUNT} = {} AND billing_currency = {}{})",
        list(&event.reference),
        literal(&account.0),
        literal(&account.1),
        condition(&event.causes[0].pattern),
    )
}

async fn anomaly(run: &Run<'_>, account: &Account, event: &Event) -> Result<AnomalyRow, JobError> {
    let last = event.start.plus(event.days);
    let evidence = Evidence::ask(run.engine, run.tenant, evidence_sql(account, event, last)).await?;
    let best = &event.causes[0].pattern;
    let named = |pattern: &Pattern| {
        let parts: Vec<String> = pattern
            .parts()
            .map(|(name, value)| if value.is_empty() { format!("no {name}") } else { format!("{name} {value}") })
            .collect();
        if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
    };
    let money = |name: &str| text(&evidence.row, name);
    let what = match event.kind {
        grid_findings::cost::Kind::Moved => "moved here",
        grid_findings::cost::Kind::New => "is new",
        grid_findings::cost::Kind::Drift => "drifted",
        grid_findings::cost::Kind::Spike => "rose",
    };
    let title = format!(
        "cost of {} in account {} {what}: {} {} a day instead of {}",
        named(best),
        account.0,
        money("actual_a_day"),
        account.1,
        money("expected_a_day"),
    );
    let subject = account.0.clone();
    let start = event.start.start();
    let id = stable_id(&[event.kind.name(), &subject, &account.1, &named(best), &event.start.to_string()]);
    let causes = event.causes.iter().map(|c| {
        let round = |v: f64| (v * 100.0).round() / 100.0;
        let pattern: BTreeMap<&str, &str> = c.pattern.parts().collect();
        json!({ "dimensions": pattern, "explains": round(c.score), "before_a_day": round(c.before), "after_a_day": round(c.after) })
    });
    let causes: Vec<serde_json::Value> = causes.collect();
    let mut labels: BTreeMap<String, String> = best.parts().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    labels.insert("account".to_owned(), account.0.clone());
    Ok(AnomalyRow {
        anomaly_id: id.clone(),
        kind: event.kind.name().to_owned(),
        subject,
        labels,
        title,
        start_time: start,
        end_time: event.end.map(Day::start),
        score: (event.score * 1000.0).round() / 1000.0,
        actual: evidence.number("actual"),
        expected: evidence.number("expected"),
        unit: account.1.clone(),
        impact: Some(event.impact()),
        currency: Some(account.1.clone()),
        // Bills of a month may change until it is over.
        provisional: last.plus(-1).month_start() == Day::of(run.until).month_start(),
        incident_id: id,
        rank: 1,
        cause: named(best),
        causes: serde_json::Value::Array(causes).to_string(),
        state: "open".to_owned(),
        job: Job::Costs.name().to_owned(),
        model: MODEL.to_owned(),
        version: VERSION,
        parameters:
            json!({ "reference_days": event.reference.len(), "days": event.days, "seen": event.seen.to_string() })
                .to_string(),
        generation: run.generation,
        language: "sql".to_owned(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        made_time: run.until,
    })
}
