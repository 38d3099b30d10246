//! What to commit, as proposals: whoever wires the jobs says what the commitments report would buy ([`Commitments`](crate::jobs::Commitments)), and here it gets
//! evidence, a range and a claim like every other change. It only makes cheaper what nobody stops or makes smaller.

use std::collections::BTreeSet;

use grid_findings::size::{MONTH_HOURS, Saving};
use grid_findings::stable_id;
use grid_model::Amount;
use grid_model::table::recommendations::RecommendationRow;
use serde_json::{Value, json};

use super::machines::Park;
use super::{Proposed, common, full, rounded, said};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run};
use crate::read::{amount, literal, number, text};

/// Purchases that are proposed in one run.
const PURCHASES_MAX: usize = 50;
/// Lines of usage of one purchase.
const LINES_MAX: usize = 100;
/// The fall of demand, in percent, at which the least saving is told.
const FALL_PERCENT: i64 = 25;

pub(super) async fn find(run: &Run<'_>, park: &Park, judged: &mut BTreeSet<String>) -> Result<Vec<Proposed>, JobError> {
    let Some(report) = run.commitments else { return Ok(Vec::new()) };
    // What cannot be weighed is no finding; the report itself says why.
    let Ok(report) = report.recommend(run.tenant, run.until).await else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let groups = report["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    for group in groups.iter().filter(|g| g["kind"] == report["best_kind"]).take(PURCHASES_MAX) {
        judged.insert(text(group, "scope").to_owned());
        if text(group, "advice") == "buy"
            && let Some(proposed) = told(run, &report, group, park).await?
        {
            found.push(proposed);
        }
    }
    Ok(found)
}

/// The usage that a purchase is for, as conditions over the report's statement of demand: provider, service, region and family in one text.
fn condition(lines: &[&str]) -> String {
    let key = "concat_ws(' ', provider, service_name, region_id, coalesce(nullif(resource_type, ''), nullif(sku_meter, ''), sku_id))";
    let is = |line: &&str| {
        // A family is followed by a size, or is the whole.
        format!(
            "{key} = {0} OR starts_with({key}, concat({0}, '.')) OR starts_with({key}, concat({0}, '-'))",
            literal(line)
        )
    };
    lines.iter().map(is).collect::<Vec<_>>().join(" OR ")
}

async fn told(run: &Run<'_>, report: &Value, group: &Value, park: &Park) -> Result<Option<Proposed>, JobError> {
    let buy = &group["buy"];
    let lines: BTreeSet<&str> =
        group["evidence"].as_array().into_iter().flatten().map(|e| text(e, "line")).filter(|l| !l.is_empty()).collect();
    let lines: Vec<&str> = lines.into_iter().take(LINES_MAX).collect();
    let (demand, hours) = (text(&report["sql"], "demand"), number(&report["range"], "hours"));
    if lines.is_empty() || demand.is_empty() || hours.is_nan() || hours < 1.0 {
        return Ok(None);
    }
    let sql = format!(
        "SELECT sum(cost) * CAST({MONTH_HOURS} AS DECIMAL(38, 18)) / CAST({hours} AS DECIMAL(38, 18)) AS monthly_cost, count(*) AS charges,
  min(charge_period_start) AS first_time, max(charge_period_end) AS last_time
FROM (\n{}\n) AS demand
WHERE {}",
        demand.trim_end().trim_end_matches(';'),
        condition(&lines),
    );
    let evidence = Evidence::ask(run.engine, run.tenant, sql).await?;
    let monthly = amount(&evidence.row, "monthly_cost");
    let cap = |a: Amount| a.min(monthly).max(Amount::ZERO);
    let likely = cap(amount(buy, "monthly_saving"));
    let per_month = |a: Amount| a.mul_div(MONTH_HOURS, (hours as i128).max(1)).unwrap_or_default();
    let falls = buy["risk"]["if_demand_falls"].as_array();
    let fall = falls.into_iter().flatten().find(|f| f["percent"].as_i64() == Some(FALL_PERCENT));
    let low = cap(fall.map_or(Amount::ZERO, |f| per_month(amount(f, "saving")))).min(likely);
    let saving = Saving { low, likely, high: likely };
    if likely.0 <= 0 {
        return Ok(None);
    }
    let bootstrap = &buy["risk"]["bootstrap"];
    let risk = Some(number(bootstrap, "losing") / number(bootstrap, "paths")).filter(|r| r.is_finite()).unwrap_or(0.0);
    let (scope, offer, hourly) = (text(group, "scope"), text(buy, "offer"), amount(buy, "hourly_commitment"));
    let currency = text(report, "currency");
    let window = buy["windows"].as_array().and_then(|w| w.last()).cloned().unwrap_or_default();
    let row = RecommendationRow {
        recommendation_id: stable_id(&["commit", scope]),
        action: "commit".to_owned(),
        resource_id: scope.to_owned(),
        resource_kind: "commitment".to_owned(),
        provider: lines.first().and_then(|l| full(l.split(' ').next().unwrap_or_default())),
        title: format!("buy {offer}: {} {currency} an hour; {}", short(hourly), said(&saving, currency)),
        present: "on demand".to_owned(),
        proposed: format!("{offer}, {hourly} {currency} an hour"),
        monthly_cost: monthly,
        saving_low: saving.low,
        saving: saving.likely,
        saving_high: saving.high,
        currency: currency.to_owned(),
        risk: rounded(risk),
        replay: json!({
            "days": window["days"], "utilisation": window["utilisation"], "coverage": window["coverage"],
            "saving": window["saving"], "unused": window["unused"],
        })
        .to_string(),
        effort: "Low".to_owned(),
        restart_needed: false,
        rollback_possible: false,
        rollback: format!("a commitment is paid to its end ({}); it can be sold at best", text(buy, "term")),
        blast_radius: "the bill alone".to_owned(),
        model: "commitment-optimum".to_owned(),
        version: 1,
        parameters: json!({
            "kind": group["kind"], "term": buy["term"], "payment": buy["payment"], "upfront": buy["upfront"],
            "break_even_months": buy["break_even_months"], "fall_percent_of_low": FALL_PERCENT, "lines": lines,
        })
        .to_string(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    };
    Ok(Some(Proposed { resources: covered(park, &lines, scope, monthly), row, is_exclusive: false }))
}

/// The machines that a purchase would make cheaper; what of its cost is none of them stands for itself.
fn covered(park: &Park, lines: &[&str], scope: &str, monthly: Amount) -> Vec<(String, Amount)> {
    let is_covered = |provider: &str, region: &str, machine: &str| {
        lines.iter().any(|line| {
            line.starts_with(&format!("{provider} "))
                && line.rsplit_once(' ').is_some_and(|(rest, family)| {
                    rest.ends_with(&format!(" {region}"))
                        && machine
                            .strip_prefix(family)
                            .is_some_and(|size| size.is_empty() || size.starts_with(['.', '-']))
                })
        })
    };
    let machines = park.machines.iter().filter(|m| is_covered(&m.billed.provider, &m.billed.region, &m.machine));
    let mut all: Vec<(String, Amount)> = machines.map(|m| (m.id.clone(), m.billed.monthly)).collect();
    let known = all.iter().fold(0_i128, |sum, (_, c)| sum.saturating_add(c.0));
    if monthly.0 > known {
        all.push((scope.to_owned(), Amount(monthly.0 - known)));
    }
    all
}

fn short(amount: Amount) -> String {
    grid_finance::exact::rounded_text(amount, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_conditions() {
        let sql = condition(&["aws Amazon Elastic Compute Cloud us-east-1 m5"]);
        assert!(sql.contains("concat('aws Amazon Elastic Compute Cloud us-east-1 m5', '.')"), "{sql}");
        assert!(!condition(&["a'b"]).contains("'a'b'"));
    }
}
