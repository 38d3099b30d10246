//! What is paid for and not used: disks without a machine, old snapshots, balancers without a byte, addresses that point nowhere,
//! clusters without nodes.

use std::collections::{BTreeMap, BTreeSet};

use grid_finance::exact::rounded_text;
use grid_findings::limits::RESOURCES_MAX;
use grid_findings::size::{Price, saving};
use grid_findings::stable_id;
use grid_findings::waste::{MODEL, Thing, VERSION, Waste, judge, kind_of};
use grid_model::table::recommendations::RecommendationRow;
use grid_model::time::DAY_NS;
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use super::machines::CPU;
use super::{Proposed, common};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run};
use crate::read::{amount, columns, literal, rows, text, whole, within};

/// Days that say whether something is used.
const DAYS: i64 = 14;
/// Meter, SKU and type of a charge, in the bill's words.
const WORDS: &str = "concat_ws(' ', sku_meter, charge_description, resource_type, service_subcategory)";
/// A unit of time: what runs by the hour; anything else is what it carries.
/// (A balancer's capacity units are what it carried, though they are sold by the hour.)
const BY_TIME: &str = "((lower(coalesce(pricing_unit, consumed_unit, '')) LIKE '%h%r%' OR lower(coalesce(pricing_unit, consumed_unit, '')) LIKE '%mo%') \
     AND lower(coalesce(pricing_unit, consumed_unit, '')) NOT LIKE '%lcu%')";
const MONTHLY: &str = "sum(effective_cost) * CAST(730 AS DECIMAL(38, 18)) / CAST(24 * count(DISTINCT date_trunc('day', charge_period_start)) AS DECIMAL(38, 18))";

pub(super) async fn find(run: &Run<'_>, judged: &mut BTreeSet<String>) -> Result<Vec<Proposed>, JobError> {
    // Bills come late: the last billed days are what counts.
    let known = rows(
        run.engine,
        run.tenant,
        "SELECT CAST(max(charge_period_start) AS BIGINT) AS last FROM charges WHERE charge_category = 'Usage'",
    )
    .await?;
    let last = known.first().map_or(0, |row| whole(row, "last")).min(run.until.0);
    if last <= 0 {
        return Ok(Vec::new());
    }
    let end = Timestamp((last.div_euclid(DAY_NS) + 1) * DAY_NS);
    let start = end.saturating_add(-DAYS * DAY_NS);
    let sql = format!(
        "SELECT resource_id AS id, billing_currency AS currency, max({WORDS}) AS words, max(resource_name) AS label, \
         count(DISTINCT date_trunc('day', charge_period_start)) AS days, {MONTHLY} AS monthly, \
         max(coalesce(sub_account_id, billing_account_id)) AS account, max(region_id) AS region, \
         max(coalesce(service_provider_name, provider_name)) AS provider, max(tags['team']) AS team, \
         sum(consumed_quantity) FILTER (WHERE NOT {BY_TIME}) AS carried, count(*) FILTER (WHERE NOT {BY_TIME}) AS carrying \
         FROM charges WHERE charge_category = 'Usage' AND resource_id IS NOT NULL AND resource_id <> '' AND {} \
         GROUP BY 1, 2 HAVING sum(effective_cost) > 0 ORDER BY monthly DESC, 1, 2 LIMIT {RESOURCES_MAX}",
        within("charge_period_start", start, end)
    );
    let things = rows(run.engine, run.tenant, &sql).await?;
    // A disk whose name is that of a machine on the same bill has a user; of one without a name nobody can tell.
    let machines: BTreeSet<String> = things
        .iter()
        .filter(|row| kind_of(text(row, "words")).is_none())
        .flat_map(|row| [text(row, "label").to_owned(), text(row, "id").to_owned()])
        .filter(|n| !n.is_empty())
        .collect();
    let clusters = clusters(run, start, end).await?;
    let first = first_billed(run).await?;
    let mut found = Vec::new();
    for row in things.iter().filter(|row| kind_of(text(row, "words")).is_some()) {
        let id = text(row, "id");
        let age_days = (end.0 - first.get(id).copied().unwrap_or(end.0)).max(0) / DAY_NS;
        let label = text(row, "label");
        let thing = Thing {
            resource: id.to_owned(),
            words: text(row, "words").to_owned(),
            days: whole(row, "days"),
            age_days,
            has_user: if kind_of(text(row, "words")) == Some(Waste::Cluster) {
                // Where nobody measures nodes nobody can tell.
                clusters.as_ref().is_none_or(|with_nodes| {
                    with_nodes.iter().any(|c| c == label || id.rsplit(['/', ':']).next() == Some(c.as_str()))
                })
            } else {
                label.is_empty()
                    || machines.contains(label)
                    || machines.iter().any(|m| id.starts_with(m.as_str()) && m.len() > 8)
            },
            carried: (whole(row, "carrying") > 0).then(|| amount(row, "carried")),
        };
        judged.insert(id.to_owned());
        if let Some((waste, risk)) = judge(&thing) {
            found.push(Proposed::changes(told(run, row, waste, risk, age_days, start, end).await?));
        }
    }
    Ok(found)
}

/// Names of clusters of which a node was measured; `None` if no node says its cluster.
async fn clusters(run: &Run<'_>, start: Timestamp, end: Timestamp) -> Result<Option<BTreeSet<String>>, JobError> {
    if !columns(run.engine, run.tenant, CPU).await?.contains("cluster") {
        return Ok(None);
    }
    let sql = format!(
        "SELECT cluster, count(*) AS samples FROM metrics.{CPU} WHERE cluster <> '' AND {} GROUP BY 1 ORDER BY 1",
        within("time", start, end)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    Ok((!rows.is_empty()).then(|| rows.iter().map(|row| text(row, "cluster").to_owned()).collect()))
}

/// When each resource that could be waste was first billed.
async fn first_billed(run: &Run<'_>) -> Result<BTreeMap<String, i64>, JobError> {
    let sql = format!(
        "SELECT resource_id AS id, CAST(min(charge_period_start) AS BIGINT) AS first FROM charges \
         WHERE charge_category = 'Usage' AND resource_id IS NOT NULL AND resource_id <> '' \
         AND regexp_like(lower({WORDS}), 'snapshot|volume|disk|pd capacity|address|static ip|balanc|forwarding|unassociated|cluster') \
         GROUP BY 1 ORDER BY 2, 1 LIMIT {RESOURCES_MAX}"
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    Ok(rows.iter().map(|row| (text(row, "id").to_owned(), whole(row, "first"))).collect())
}

async fn told(
    run: &Run<'_>,
    row: &Value,
    waste: Waste,
    risk: f64,
    age_days: i64,
    start: Timestamp,
    end: Timestamp,
) -> Result<RecommendationRow, JobError> {
    let id = text(row, "id");
    let evidence = Evidence::ask(
        run.engine,
        run.tenant,
        format!(
            "SELECT {MONTHLY} AS monthly_cost, count(DISTINCT date_trunc('day', charge_period_start)) AS days, max({WORDS}) AS meter
FROM charges
WHERE charge_category = 'Usage' AND resource_id = {} AND billing_currency = {}
  AND {}",
            literal(id),
            literal(text(row, "currency")),
            within("charge_period_start", start, end),
        ),
    )
    .await?;
    let monthly = amount(row, "monthly");
    let all = saving(Price { monthly, list: None, is_committed: false }, Amount::ZERO);
    let short = id.rsplit(['/', ':']).next().unwrap_or(id);
    let currency = text(row, "currency");
    let money = rounded_text(monthly, 2);
    let title = match waste {
        Waste::Disk => {
            format!("delete the disk {short}: no machine on the bill has it; saves {money} {currency} a month")
        }
        Waste::Snapshot => {
            format!("delete the snapshot {short}: it is {age_days} days old; saves {money} {currency} a month")
        }
        Waste::Balancer => format!("delete the balancer {short}: it carries nothing; saves {money} {currency} a month"),
        Waste::Address => format!("release the address {short}: it points nowhere; saves {money} {currency} a month"),
        Waste::Cluster => format!("delete the cluster {short}: it has no node; saves {money} {currency} a month"),
    };
    let (rollback_possible, rollback) = match waste {
        Waste::Disk => (true, "take a snapshot before, and restore it"),
        Waste::Snapshot => (false, "a deleted snapshot is gone"),
        Waste::Balancer => (true, "create it again; it gets another address"),
        Waste::Address => (false, "the same address can seldom be had again"),
        Waste::Cluster => (true, "create it again, and apply what was kept of its objects"),
    };
    let full = |column: &str| Some(text(row, column).to_owned()).filter(|s| !s.is_empty());
    Ok(RecommendationRow {
        recommendation_id: stable_id(&[waste.action(), id]),
        action: waste.action().to_owned(),
        resource_id: id.to_owned(),
        resource_kind: waste.kind().to_owned(),
        provider: full("provider"),
        account: full("account"),
        region: full("region"),
        team: full("team"),
        title,
        present: text(row, "words").to_owned(),
        proposed: String::new(),
        monthly_cost: monthly,
        saving_low: all.low,
        saving: all.likely,
        saving_high: all.high,
        currency: currency.to_owned(),
        risk: (risk * 1e4).round() / 1e4,
        replay: json!({ "days": whole(row, "days"), "used": 0 }).to_string(),
        effort: "VeryLow".to_owned(),
        restart_needed: false,
        rollback_possible,
        rollback: rollback.to_owned(),
        blast_radius: "whoever still reads it, if anybody does".to_owned(),
        model: MODEL.to_owned(),
        version: VERSION,
        parameters: json!({ "days": DAYS }).to_string(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    })
}
