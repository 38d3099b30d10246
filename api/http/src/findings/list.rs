//! Rows of a table of findings: chosen by a filter, with what was decided about each, in an order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use grid_analytics::Statement;
use grid_finance::exact::sum;
use grid_finance::filter::Filter;
use grid_finance::relation::Relation;
use grid_findings::decision::{DECISION_KIND, Decision, Decisions, Verb};
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::finance::Desk;
use crate::route::rfc3339;
use crate::statement::{rows, text};

/// Rows of a table of findings that are looked at.
const ROWS_MAX: usize = 10_000;
/// Columns that hold JSON as text.
const JSON_COLUMNS: [&str; 6] = ["causes", "parameters", "evidence", "replay", "points", "profile"];

/// Which rows, in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListAsk {
    /// A condition over the columns.
    pub filter: Option<String>,
    /// The state, or several with commas between.
    pub state: Option<String>,
    /// A column; with `-` before it the largest first.
    pub sort: Option<String>,
}

/// The rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// All of them, as JSON objects.
    pub items: Vec<Value>,
}

/// The id column of a table.
pub fn id_column(table: Relation) -> &'static str {
    match table {
        Relation::Anomalies => "anomaly_id",
        Relation::Forecasts => "forecast_id",
        Relation::Patterns => "pattern_id",
        Relation::Recommendations | Relation::Charges | Relation::Allocations => "recommendation_id",
    }
}

/// What a user may order by, the default first. Names without a sign: money and risk large first, times young first.
fn orders(table: Relation) -> &'static [(&'static str, &'static str)] {
    match table {
        Relation::Anomalies => &[("start_time", "-start_time"), ("score", "-score"), ("impact", "-impact")],
        Relation::Forecasts => &[("expected", "expected"), ("earliest", "earliest"), ("subject", "subject")],
        Relation::Patterns => &[
            ("subject", "subject"),
            ("quiet_hours", "-quiet_hours"),
            ("growth", "-growth"),
            ("regularity", "-regularity"),
            ("high", "-high"),
            ("cluster", "cluster"),
        ],
        Relation::Recommendations | Relation::Charges | Relation::Allocations => &[
            ("saving", "-saving"),
            ("money", "-saving"),
            ("risk", "risk"),
            ("monthly_cost", "-monthly_cost"),
            ("created_time", "-created_time"),
            ("expires_time", "expires_time"),
        ],
    }
}

/// Reads, chooses and orders.
pub async fn list(desk: &Desk<'_>, table: Relation, ask: &ListAsk) -> Result<Listed, ApiError> {
    let filter = ask.filter.as_deref().filter(|f| !f.trim().is_empty());
    let filter = filter.map(|f| Filter::parse(table, f)).transpose()?;
    let condition = filter.map_or_else(|| "true".to_owned(), |f| format!("({})", f.sql()));
    let order = ask.sort.as_deref().unwrap_or(orders(table)[0].0);
    let (column, descending) = parse_order(table, order)?;
    let statement = Statement {
        sql: format!(
            "SELECT * FROM {} WHERE {condition} ORDER BY {column} {}, {} LIMIT {ROWS_MAX}",
            table.table(),
            if descending { "DESC NULLS LAST" } else { "ASC NULLS LAST" },
            id_column(table),
        ),
        params: Vec::new(),
    };
    let mut items = rows(desk.engine, &desk.tenant, &statement).await?;
    for item in &mut items {
        unfold(item);
    }
    if table == Relation::Recommendations {
        decorate(&mut items, &decisions(desk).await?, desk.store.now());
    }
    if let Some(states) = ask.state.as_deref().filter(|s| *s != "all") {
        let wanted: Vec<&str> = states.split(',').map(str::trim).collect();
        items.retain(|item| wanted.contains(&text(item, "state")));
    }
    Ok(Listed { items })
}

fn parse_order(table: Relation, order: &str) -> Result<(&'static str, bool), ApiError> {
    let (name, flipped) = order.strip_prefix('-').map_or((order, None), |n| (n, Some(true)));
    let (name, flipped) = name.strip_prefix('+').map_or((name, flipped), |n| (n, Some(false)));
    let known = orders(table).iter().find(|(known, _)| *known == name);
    let Some((_, by)) = known else {
        let names: Vec<&str> = orders(table).iter().map(|(n, _)| *n).collect();
        return Err(ApiError::Parameter(format!("sort is {order:?}, it must be one of {}", names.join(", "))));
    };
    let (column, descending) = by.strip_prefix('-').map_or((*by, false), |c| (c, true));
    Ok((column, flipped.unwrap_or(descending)))
}

/// JSON that rests as text becomes JSON.
fn unfold(item: &mut Value) {
    for name in JSON_COLUMNS {
        if let Some(value) = item.get(name).and_then(Value::as_str).and_then(|t| serde_json::from_str(t).ok()) {
            item[name] = value;
        }
    }
}

/// What was decided, by recommendation.
pub async fn decisions(desk: &Desk<'_>) -> Result<Decisions, ApiError> {
    let all = desk.store.catalog().documents(&desk.tenant, DECISION_KIND).await?;
    let read = |body: &str| serde_json::from_str::<Decision>(body).ok();
    Ok(all.into_iter().filter_map(|d| Some((d.name, read(&d.body)?))).collect())
}

/// Gives every recommendation its state.
fn decorate(items: &mut [Value], decisions: &Decisions, now: Timestamp) {
    for item in items {
        let decision = decisions.get(text(item, "recommendation_id"));
        let state = decision.map_or(Verb::Open, |d| d.state(now));
        let expired = crate::route::parse_time(text(item, "expires_time")).is_some_and(|t| t <= now);
        item["state"] = json!(if expired && state == Verb::Open { "expired" } else { state.name() });
        item["reason"] = json!(decision.and_then(|d| d.reason.clone()));
        item["decided"] = json!(decision.map(|d| rfc3339(Timestamp(d.at))));
        item["snoozed_until"] = json!(decision.and_then(|d| d.until).map(|t| rfc3339(Timestamp(t))));
        item["useful"] = json!(decision.and_then(|d| d.useful));
    }
}

/// One row by its id.
pub async fn one(desk: &Desk<'_>, table: Relation, id: &str) -> Result<Value, ApiError> {
    let column = id_column(table);
    let statement = Statement {
        sql: format!("SELECT * FROM {} WHERE {column} = $1 LIMIT 1", table.table()),
        params: vec![Value::from(id)],
    };
    let what = match table {
        Relation::Anomalies => "anomaly",
        Relation::Forecasts => "forecast",
        Relation::Patterns => "pattern",
        Relation::Recommendations | Relation::Charges | Relation::Allocations => "recommendation",
    };
    let mut found = rows(desk.engine, &desk.tenant, &statement).await?;
    let Some(item) = found.first_mut() else { return Err(ApiError::NotFound { what, id: id.to_owned() }) };
    unfold(item);
    if table == Relation::Recommendations {
        decorate(std::slice::from_mut(item), &decisions(desk).await?, desk.store.now());
    }
    Ok(item.clone())
}

/// What all items save together, by currency, exactly: low, likely, high, and what they cost.
pub fn totals(items: &[Value]) -> Result<Vec<Value>, ApiError> {
    let mut by: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for item in items {
        by.entry(text(item, "currency")).or_default().push(item);
    }
    let of = |items: &[&Value], name: &str| -> Result<String, ApiError> {
        let read = |item: &&Value| Amount::parse(text(item, name)).map_or(Amount::ZERO, |(a, _)| a);
        let all = sum(items.iter().map(read)).ok_or(grid_finance::variance::Overflow)?;
        Ok(all.to_string())
    };
    by.into_iter()
        .map(|(currency, items)| {
            Ok(json!({
                "currency": currency,
                "count": items.len(),
                "monthly_cost": of(&items, "monthly_cost")?,
                "saving_low": of(&items, "saving_low")?,
                "saving": of(&items, "saving")?,
                "saving_high": of(&items, "saving_high")?,
            }))
        })
        .collect()
}

/// Anomalies by their incidents, the youngest incident first; within one the likeliest cause first.
pub fn incidents(items: Vec<Value>) -> Vec<Value> {
    let mut by: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in items {
        by.entry(text(&item, "incident_id").to_owned()).or_default().push(item);
    }
    let mut incidents: Vec<Value> = by
        .into_iter()
        .map(|(id, mut members)| {
            members.sort_by_key(|m| m["rank"].as_u64().unwrap_or(u64::MAX));
            let times = |name: &str| {
                members.iter().map(|m| text(m, name).to_owned()).filter(|t| !t.is_empty()).collect::<Vec<_>>()
            };
            let is_open = members.iter().any(|m| m["end_time"].is_null());
            let number = |m: &Value| m["score"].as_f64().unwrap_or(0.0);
            let score = members.iter().map(number).fold(0.0, f64::max);
            json!({
                "incident_id": id,
                "start_time": times("start_time").into_iter().min(),
                "end_time": if is_open { None } else { times("end_time").into_iter().max() },
                "score": score,
                "cause": members.first().map(|m| m["cause"].clone()),
                "causes": members.first().map(|m| m["causes"].clone()),
                "title": members.first().map(|m| m["title"].clone()),
                "anomalies": members,
            })
        })
        .collect();
    incidents.sort_by(|a, b| {
        let start = |i: &Value| text(i, "start_time").to_owned();
        match start(b).cmp(&start(a)) {
            Ordering::Equal => text(a, "incident_id").cmp(text(b, "incident_id")),
            other => other,
        }
    });
    incidents
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn orders_are_named_and_flipped() {
        for (table, order, expected) in [
            (Relation::Recommendations, "saving", Some(("saving", true))),
            (Relation::Recommendations, "+saving", Some(("saving", false))),
            (Relation::Recommendations, "risk", Some(("risk", false))),
            (Relation::Recommendations, "-risk", Some(("risk", true))),
            (Relation::Anomalies, "start_time", Some(("start_time", true))),
            (Relation::Anomalies, "risk", None),
            (Relation::Forecasts, "expected", Some(("expected", false))),
        ] {
            assert_eq!(parse_order(table, order).ok(), expected, "{order}");
        }
    }

    #[test]
    fn incidents_begin_with_their_cause_and_totals_are_exact() {
        let of = |incident: &str, rank: u64, start: &str| json!({ "incident_id": incident, "rank": rank, "start_time": start, "end_time": null, "cause": format!("c{rank}"), "score": 1.0 });
        let found = incidents(vec![of("a", 2, "2026-01-01"), of("b", 1, "2026-01-03"), of("a", 1, "2026-01-02")]);
        let shown: Vec<(&str, &str, &str)> =
            found.iter().map(|i| (text(i, "incident_id"), text(i, "cause"), text(i, "start_time"))).collect();
        assert_eq!(shown, [("b", "c1", "2026-01-03"), ("a", "c1", "2026-01-01")]);
        let money = |c: &str, saving: &str| json!({ "currency": c, "saving": saving, "monthly_cost": "1" });
        let sums = totals(&[money("USD", "0.1"), money("USD", "0.2"), money("EUR", "5")]).unwrap();
        assert_eq!((text(&sums[1], "saving"), sums[1]["count"].as_u64()), ("0.3", Some(2)));
    }
}
