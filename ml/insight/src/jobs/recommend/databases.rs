//! Managed databases: use as exporters name it, joined with the charges of the same resource; classes on sale from the price book.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::database::{Change, Cost, Hour, MODEL, Proposal, STORAGE_MARGIN, Use, VERSION, advise};
use grid_findings::limits::{OFFERS_MAX, RESOURCES_MAX};
use grid_findings::size::{HOURS_MAX, Offer, Price, RISK_MAX, TARGET};
use grid_findings::stable_id;
use grid_model::table::recommendations::RecommendationRow;
use grid_model::time::HOUR_NS;
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use super::machines::{MONTHLY, provider};
use super::{Proposed, common, full, replayed, rounded, said};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run, think};
use crate::read::{amount, columns, literal, name, number, rows, text, whole, within};

const GIB: f64 = 1_073_741_824.0;

/// How one exporter names what a database does.
struct Source {
    /// Use of its processors.
    cpu: &'static str,
    /// What makes a share of that.
    cpu_scale: f64,
    connections: &'static str,
    memory_free: &'static str,
    storage_free: &'static str,
    /// Labels that name it, the best first.
    names: &'static [&'static str],
}

/// OpenTelemetry-like names, and CloudWatch's by its two exporters (YACE, cloudwatch_exporter).
const SOURCES: [Source; 2] = [
    Source {
        cpu: "db_cpu_utilization_ratio",
        cpu_scale: 1.0,
        connections: "db_connections",
        memory_free: "db_memory_free_bytes",
        storage_free: "db_storage_free_bytes",
        names: &["resource_id"],
    },
    Source {
        cpu: "aws_rds_cpuutilization_average",
        cpu_scale: 0.01,
        connections: "aws_rds_database_connections_average",
        memory_free: "aws_rds_freeable_memory_average",
        storage_free: "aws_rds_free_storage_space_average",
        names: &["resource_id", "dimension_DBInstanceIdentifier", "dbinstance_identifier"],
    },
];
/// A database's own charges, by the words of providers' bills.
const OF_DATABASES: &str = "charge_category = 'Usage' AND resource_id <> '' \
     AND regexp_like(lower(concat_ws(' ', service_category, service_name)), 'database|rds|sql')";
/// Storage is sold by the month, everything else by the hour.
const IS_STORAGE: &str = "lower(coalesce(pricing_unit, consumed_unit, '')) LIKE '%mo%'";
/// Days of a charge's month.
const MONTH_DAYS: &str =
    "date_part('day', date_trunc('month', charge_period_start) + INTERVAL '1 month' - INTERVAL '1 day')";

/// What bills say of a database.
#[derive(Debug, Clone, Default)]
struct Billed {
    instance: Amount,
    storage: Amount,
    storage_gib: Option<f64>,
    class: String,
    engine: String,
    currency: String,
    account: String,
    region: String,
    provider: String,
    team: String,
    is_committed: bool,
}

/// A database as its metrics name it.
struct Known {
    source: &'static Source,
    label: &'static str,
    name: String,
    hours: BTreeMap<i64, Hour>,
}

pub(super) async fn find(run: &Run<'_>, judged: &mut BTreeSet<String>) -> Result<Vec<Proposed>, JobError> {
    let end = Timestamp(run.until.0 - run.until.0.rem_euclid(HOUR_NS));
    let start = end.saturating_add(-(HOURS_MAX as i64) * HOUR_NS);
    let mut known = Vec::new();
    for source in &SOURCES {
        let has = columns(run.engine, run.tenant, source.cpu).await?;
        if let Some(label) = source.names.iter().find(|l| has.contains(**l)) {
            known.extend(read(run, source, label, start, end).await?);
        }
    }
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let billed = read_billed(run, start, end).await?;
    let mut catalogues: BTreeMap<(String, String, String, String), Vec<Offer>> = BTreeMap::new();
    let mut found = Vec::new();
    for of in &known {
        let Some((id, cost)) = billed.iter().find(|(id, _)| is_same(id, &of.name)) else { continue };
        let place = (cost.provider.clone(), cost.region.clone(), cost.currency.clone(), cost.engine.clone());
        if !catalogues.contains_key(&place) {
            let offers = read_classes(run, &place).await?;
            catalogues.insert(place.clone(), offers);
        }
        let classes = catalogues.get(&place).cloned().unwrap_or_default();
        let class = classes.iter().find(|o| o.name == cost.class).cloned();
        let list = class.as_ref().map(|c| c.price);
        let used = Use { hours: of.hours.values().copied().collect(), class, storage_gib: cost.storage_gib };
        let price = Cost {
            instance: Price { monthly: cost.instance, list, is_committed: cost.is_committed },
            storage: cost.storage,
        };
        let hours = used.hours.len();
        let Ok(advice) = think(move || advise(&used, price, &classes)).await? else { continue };
        judged.insert(id.clone());
        if let Some(p) = advice {
            found.push(Proposed::changes(told(run, of, id, cost, &p, hours, start, end).await?));
        }
    }
    Ok(found)
}

/// Whether a resource of a bill is what a metric names: the same id, or its last part.
fn is_same(resource: &str, name: &str) -> bool {
    resource == name || resource.rsplit([':', '/']).next() == Some(name)
}

/// One number per database and hour; nothing if the metric is not there.
async fn hourly(
    run: &Run<'_>,
    metric: &str,
    label: &str,
    expression: &str,
    (start, end): (Timestamp, Timestamp),
) -> Result<Vec<(String, i64, f64)>, JobError> {
    if !columns(run.engine, run.tenant, metric).await?.contains(label) {
        return Ok(Vec::new());
    }
    let (label, metric) = (name(label), name(metric));
    let sql = format!(
        "SELECT {label} AS id, CAST(time_bucket('1h', time) AS BIGINT) AS hour, {expression} AS value FROM metrics.{metric} \
         WHERE {label} <> '' AND {} GROUP BY 1, 2 ORDER BY 1, 2",
        within("time", start, end)
    );
    let read = |row: &Value| {
        let value = number(row, "value");
        value.is_finite().then(|| (text(row, "id").to_owned(), whole(row, "hour").div_euclid(HOUR_NS), value))
    };
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().filter_map(read).collect())
}

async fn read(
    run: &Run<'_>,
    source: &'static Source,
    label: &'static str,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Known>, JobError> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let range = (start, end);
    for (id, hour, cpu) in hourly(run, source.cpu, label, "max(value)", range).await? {
        if known.len() >= RESOURCES_MAX && !known.contains_key(&id) {
            continue;
        }
        let empty = || Known { source, label, name: id.clone(), hours: BTreeMap::new() };
        let cpu = (cpu * source.cpu_scale).clamp(0.0, 1.0);
        let of = Hour { hour, cpu, connections: None, memory_free_gib: None, storage_free_gib: None };
        known.entry(id.clone()).or_insert_with(empty).hours.insert(hour, of);
    }
    for (metric, expression, put) in [
        (source.connections, "max(value)", (|h, v| h.connections = Some(v)) as fn(&mut Hour, f64)),
        (source.memory_free, "min(value)", |h, v| h.memory_free_gib = Some(v / GIB)),
        (source.storage_free, "min(value)", |h, v| h.storage_free_gib = Some(v / GIB)),
    ] {
        for (id, hour, value) in hourly(run, metric, label, expression, range).await? {
            if let Some(hour) = known.get_mut(&id).and_then(|k| k.hours.get_mut(&hour)) {
                put(hour, value);
            }
        }
    }
    Ok(known.into_values().collect())
}

async fn read_billed(run: &Run<'_>, start: Timestamp, end: Timestamp) -> Result<BTreeMap<String, Billed>, JobError> {
    let sql = format!(
        "SELECT resource_id AS id, billing_currency AS currency, ({storage}) AS is_storage, {MONTHLY} AS monthly, \
         round(sum(CAST(pricing_quantity AS DOUBLE) * {MONTH_DAYS}) / count(DISTINCT date_trunc('day', charge_period_start)), 3) AS gib, \
         max(coalesce(sub_account_id, billing_account_id)) AS account, max(region_id) AS region, \
         max(coalesce(service_provider_name, provider_name)) AS provider, max(tags['team']) AS team, \
         max(coalesce(sku_meter, sku_id, charge_description)) AS meter, max(lower(concat_ws(' ', x_columns['product/databaseEngine'], charge_description))) AS words, \
         count(commitment_discount_id) AS committed \
         FROM charges WHERE {OF_DATABASES} AND {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT {RESOURCES_MAX}",
        within("charge_period_start", start, end),
        storage = IS_STORAGE,
    );
    let mut billed: BTreeMap<String, Billed> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let of = |column: &str| text(&row, column).to_owned();
        let entry = billed.entry(of("id")).or_insert_with(|| Billed { currency: of("currency"), ..Billed::default() });
        if entry.currency != of("currency") {
            continue;
        }
        if row["is_storage"].as_bool() == Some(true) {
            entry.storage = amount(&row, "monthly");
            entry.storage_gib = Some(number(&row, "gib")).filter(|g| g.is_finite() && *g > 0.0);
            continue;
        }
        *entry = Billed {
            instance: amount(&row, "monthly"),
            class: class_of(text(&row, "meter")),
            engine: engine(text(&row, "words")).to_owned(),
            account: of("account"),
            region: of("region"),
            provider: provider(text(&row, "provider")).to_owned(),
            team: of("team"),
            is_committed: number(&row, "committed") > 0.0,
            ..entry.clone()
        };
    }
    billed.retain(|_, b| b.instance.0 > 0);
    Ok(billed)
}

/// `db.r6g.2xlarge` of `InstanceUsage:db.r6g.2xl`: AWS' usage types cut the last word of a class.
fn class_of(meter: &str) -> String {
    let class = meter.rsplit(':').next().unwrap_or_default();
    let is_cut = class.ends_with("xl") && class.starts_with("db.");
    if is_cut { format!("{class}arge") } else { class.to_owned() }
}

/// The engine as price books spell it; most are PostgreSQL's prices if nothing says.
fn engine(words: &str) -> &'static str {
    const ENGINES: [&str; 5] = ["mysql", "mariadb", "aurora", "oracle", "sqlserver"];
    ENGINES.into_iter().find(|e| words.contains(e)).unwrap_or("postgresql")
}

async fn read_classes(
    run: &Run<'_>,
    (provider, region, currency, engine): &(String, String, String, String),
) -> Result<Vec<Offer>, JobError> {
    let sql = format!(
        "SELECT resource_type AS class, CAST(max(vcpu) AS DOUBLE) AS cores, CAST(max(memory_gib) AS DOUBLE) AS gib, min(price) AS price \
         FROM prices WHERE provider = {} AND region = {} AND currency = {} AND purchase_option = 'on-demand' AND service ILIKE '%RDS%' \
         AND lower(coalesce(attributes['engine'], '')) = {} AND vcpu IS NOT NULL AND memory_gib IS NOT NULL AND price > 0 \
         GROUP BY 1 ORDER BY 1 LIMIT {OFFERS_MAX}",
        literal(provider),
        literal(region),
        literal(currency),
        literal(engine)
    );
    let offer = |row: &Value| {
        let (cores, gib) = (number(row, "cores"), number(row, "gib"));
        (cores > 0.0 && gib > 0.0).then(|| Offer {
            name: text(row, "class").to_owned(),
            millicores: (cores * 1e3).round() as u64,
            memory_mib: (gib * 1024.0).round() as u64,
            price: amount(row, "price"),
        })
    };
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().filter_map(offer).collect())
}

async fn evidence(
    run: &Run<'_>,
    of: &Known,
    id: &str,
    currency: &str,
    start: Timestamp,
    end: Timestamp,
) -> Result<String, JobError> {
    let mut shown = vec!["c.monthly_cost".to_owned(), "c.storage_gib".to_owned()];
    let mut parts = String::new();
    for (metric, alias, expression) in [
        (of.source.cpu, "cpu_peak", format!("round(max(value) * {}, 4)", of.source.cpu_scale)),
        (of.source.connections, "connections_peak", "max(value)".to_owned()),
        (of.source.memory_free, "memory_free_gib_least", "round(min(value) / 1073741824, 2)".to_owned()),
        (of.source.storage_free, "storage_free_gib_least", "round(min(value) / 1073741824, 2)".to_owned()),
    ] {
        if columns(run.engine, run.tenant, metric).await?.contains(of.label) {
            shown.push(format!("{alias}.{alias}"));
            parts.push_str(&format!(
                "\nCROSS JOIN (SELECT {expression} AS {alias} FROM metrics.{} WHERE {} = {} AND {}) AS {alias}",
                name(metric),
                name(of.label),
                literal(&of.name),
                within("time", start, end)
            ));
        }
    }
    // Storage and instance are billed on the same days or not: each has its own month.
    Ok(format!(
        "SELECT {}
FROM (SELECT sum(monthly) AS monthly_cost, max(gib) FILTER (WHERE is_storage) AS storage_gib FROM (
  SELECT {IS_STORAGE} AS is_storage, {MONTHLY} AS monthly,
    round(sum(CAST(pricing_quantity AS DOUBLE) * {MONTH_DAYS}) / count(DISTINCT date_trunc('day', charge_period_start)), 3) AS gib
  FROM charges WHERE {OF_DATABASES} AND resource_id = {} AND billing_currency = {} AND {} GROUP BY 1)) AS c{parts}",
        shown.join(", "),
        literal(id),
        literal(currency),
        within("charge_period_start", start, end),
    ))
}

#[allow(clippy::too_many_arguments, reason = "one proposal is made of all that was read of one database")]
async fn told(
    run: &Run<'_>,
    of: &Known,
    id: &str,
    cost: &Billed,
    p: &Proposal,
    hours: usize,
    start: Timestamp,
    end: Timestamp,
) -> Result<RecommendationRow, JobError> {
    let sql = evidence(run, of, id, &cost.currency, start, end).await?;
    let evidence = Evidence::ask(run.engine, run.tenant, sql).await?;
    let short = id.rsplit([':', '/']).next().unwrap_or(id);
    let saves = said(&p.saving, &cost.currency);
    let cpu = format!("{:.1}%", evidence.number("cpu_peak") * 100.0);
    let storage = cost.storage_gib.unwrap_or(0.0).round();
    let (action, present, proposed, title) = match &p.change {
        Change::Stop => (
            "stop",
            cost.class.clone(),
            String::new(),
            format!(
                "stop the database {short} ({}): nobody connected to it in {} days; {saves}",
                cost.class,
                hours / 24
            ),
        ),
        Change::Class(to) => (
            "rightsize",
            cost.class.clone(),
            to.name.clone(),
            format!(
                "make the database {short} a {} instead of a {}: at most {cpu} of its processors are used; {saves}",
                to.name, cost.class
            ),
        ),
        Change::Storage(gib) => (
            "rightsize",
            format!("{storage:.0} GiB"),
            format!("{gib:.0} GiB"),
            format!(
                "give the database {short} {gib:.0} GiB of storage instead of {storage:.0}: {:.0} GiB were always free; {saves}",
                evidence.number("storage_free_gib_least")
            ),
        ),
    };
    let (effort, restart, rollback, blast) = match &p.change {
        Change::Stop => {
            ("Low", true, "start it again, or restore its last snapshot", "who still reads it, if anybody does")
        }
        Change::Class(_) => (
            "Medium",
            true,
            "change the class back; that takes a restart as well",
            "who uses it, for some minutes while it fails over",
        ),
        Change::Storage(_) => (
            "High",
            true,
            "storage can be made larger at any time",
            "who uses it, while its data are copied to smaller storage",
        ),
    };
    Ok(RecommendationRow {
        recommendation_id: stable_id(&[action, "database", id]),
        action: action.to_owned(),
        resource_id: id.to_owned(),
        resource_kind: "database".to_owned(),
        provider: full(&cost.provider),
        account: full(&cost.account),
        region: full(&cost.region),
        team: full(&cost.team),
        title,
        present,
        proposed,
        monthly_cost: amount(&evidence.row, "monthly_cost"),
        saving_low: p.saving.low,
        saving: p.saving.likely,
        saving_high: p.saving.high,
        currency: cost.currency.clone(),
        risk: rounded(p.risk),
        replay: replayed(&p.replay),
        effort: effort.to_owned(),
        restart_needed: restart,
        rollback_possible: true,
        rollback: rollback.to_owned(),
        blast_radius: blast.to_owned(),
        model: MODEL.to_owned(),
        version: VERSION,
        parameters: json!({ "hours": hours, "target": TARGET, "risk_max": RISK_MAX, "storage_margin": STORAGE_MARGIN })
            .to_string(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_names() {
        for (meter, expected) in [
            ("InstanceUsage:db.r6g.xl", "db.r6g.xlarge"),
            ("InstanceUsage:db.r6g.2xl", "db.r6g.2xlarge"),
            ("InstanceUsage:db.t3.large", "db.t3.large"),
            ("GP_Gen5_4", "GP_Gen5_4"),
        ] {
            assert_eq!(class_of(meter), expected);
        }
        assert!(is_same("arn:aws:rds:us-east-1:1:db:orders", "orders") && is_same("x", "x"));
        assert!(!is_same("arn:aws:rds:us-east-1:1:db:orders", "order"));
    }
}
