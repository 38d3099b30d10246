//! What an attacker would leave: bursts of refused logins and rights that are given (from logs), new destinations outside (from spans), spend in a region
//! that an account never used (from charges).

use std::collections::BTreeMap;

use grid_findings::limits::SERIES_MAX;
use grid_findings::security::{
    Burst, CALLS_MIN, GRANTED, HISTORY_HOURS, MODEL, REFUSED, Seen, VERSION, bursts, is_outside, newcomers,
};
use grid_model::Timestamp;
use grid_model::time::{DAY_NS, HOUR_NS};
use serde_json::json;

use super::calls::TO_DATABASE;
use super::{Found, REFERENCE_NS, Run, Window};
use crate::jobs::{JobError, think};
use crate::read::{literal, number, rows, text, time, whole, within};

/// Where a call goes to.
const DESTINATION: &str = "coalesce(attributes['server.address'], attributes['net.peer.name'])";
/// Who gives a right, as audit logs say it; else the service that tells.
const ACTOR: &str =
    "coalesce(attributes['enduser.id'], attributes['user.name'], attributes['userIdentity.arn'], service)";
/// Money of a new region that is worth telling, in units of its currency.
const COST_MIN: f64 = 1.0;
/// Lines that give rights of one who never did.
const GRANTS_MIN: f64 = 1.0;
const ACCOUNT: &str = "coalesce(sub_account_id, billing_account_id)";

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let mut found = refused(run, window).await?;
    found.extend(destinations(run, window).await?);
    found.extend(grants(run, window).await?);
    found.extend(regions(run, window).await?);
    Ok(found)
}

/// Lines that match an expression, whatever their case.
fn matching(expression: &str) -> String {
    format!("body IS NOT NULL AND regexp_like(lower(body), {})", literal(expression))
}

fn found(kind: &'static str, node: &str, subject: String, start: Timestamp, score: f64) -> Found {
    Found {
        kind,
        node: node.to_owned(),
        subject,
        labels: BTreeMap::new(),
        start,
        end: None,
        score,
        unit: "",
        model: MODEL,
        version: VERSION,
        parameters: json!({ "history_hours": HISTORY_HOURS }),
        sql: String::new(),
        title: String::new(),
    }
}

async fn refused(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let hours = ((window.end.0 - window.start.0) / HOUR_NS).max(0) as usize;
    // From when on there are logs at all: a service that speaks for the first time has been silent until then.
    let begin = rows(
        run.engine,
        run.tenant,
        &format!(
            "SELECT CAST(min(time) AS BIGINT) AS first FROM logs WHERE {}",
            within("time", window.start, window.end)
        ),
    )
    .await?;
    let Some(first) = begin.first().map(|row| whole(row, "first")).filter(|f| *f > 0) else { return Ok(Vec::new()) };
    let begin = ((first - window.start.0).max(0) / HOUR_NS) as usize;
    let sql = format!(
        "SELECT service, CAST(time_bucket('1h', time) AS BIGINT) AS hour, count(*) AS lines FROM logs \
         WHERE service IS NOT NULL AND {} AND {} GROUP BY 1, 2 ORDER BY 1, 2",
        matching(REFUSED),
        within("time", window.start, window.end)
    );
    let mut series: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let service = text(&row, "service");
        if series.len() >= SERIES_MAX && !series.contains_key(service) {
            continue;
        }
        let lines = series.entry(service.to_owned()).or_insert_with(|| vec![0; hours]);
        let at = (whole(&row, "hour") - window.start.0).div_euclid(HOUR_NS);
        if let Some(count) = usize::try_from(at).ok().and_then(|at| lines.get_mut(at)) {
            *count = whole(&row, "lines").unsigned_abs();
        }
    }
    let judged = think(move || {
        let judge =
            |(service, lines): (String, Vec<u64>)| bursts(&lines, begin).into_iter().map(move |b| (service.clone(), b));
        series.into_iter().flat_map(judge).collect::<Vec<(String, Burst)>>()
    })
    .await?;
    Ok(judged.iter().map(|(service, burst)| told_refused(service, burst, window)).collect())
}

fn told_refused(service: &str, burst: &Burst, window: Window) -> Found {
    let start = window.time(burst.start, HOUR_NS);
    let end = burst.end.map(|end| window.time(end, HOUR_NS));
    let sql = format!(
        "SELECT coalesce(sum(lines) FILTER (WHERE hour >= {0}), 0) AS lines,
  coalesce(max(lines) FILTER (WHERE hour >= {0}), 0) AS actual,
  round(coalesce(sum(lines) FILTER (WHERE hour < {0}), 0) / 24.0, 2) AS expected
FROM (SELECT time_bucket('1h', time) AS hour, count(*) AS lines FROM logs
  WHERE service = {1} AND {2} AND {3} GROUP BY 1)",
        time(start),
        literal(service),
        matching(REFUSED),
        within("time", start.saturating_add(-REFERENCE_NS), end.unwrap_or(window.end)),
    );
    Found {
        labels: BTreeMap::from([("service".to_owned(), service.to_owned())]),
        end,
        unit: "lines/h",
        sql,
        title: format!("{service} refused {{lines}} logins, up to {{actual}} an hour instead of {{expected}}"),
        ..found("auth_failures", service, service.to_owned(), start, burst.score)
    }
}

async fn destinations(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let sql = format!(
        "SELECT service, {DESTINATION} AS what, CAST(min(start_time) AS BIGINT) AS first, count(*) AS n FROM spans \
         WHERE kind = 'client' AND service IS NOT NULL AND NOT ({TO_DATABASE}) AND {DESTINATION} IS NOT NULL AND {} \
         GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {SERIES_MAX}",
        within("start_time", window.start, window.end)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    // Calls inside count as the service's past, not as strangers.
    let all: Vec<Seen> = rows.iter().map(|row| seen(text(row, "service"), row)).collect();
    let new = newcomers(&all, CALLS_MIN);
    let strangers = new.into_iter().filter(|(n, _)| is_outside(&all[*n].what));
    Ok(strangers
        .map(|(n, score)| told_destination(&all[n], Timestamp(whole(&rows[n], "first")), score, window))
        .collect())
}

fn seen(subject: &str, row: &serde_json::Value) -> Seen {
    Seen {
        subject: subject.to_owned(),
        what: text(row, "what").to_owned(),
        first: whole(row, "first").div_euclid(HOUR_NS),
        count: number(row, "n"),
    }
}

fn told_destination(of: &Seen, start: Timestamp, score: f64, window: Window) -> Found {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE start_time >= {0}) AS actual, count(*) FILTER (WHERE start_time < {0}) AS expected
FROM spans WHERE kind = 'client' AND service = {1} AND {DESTINATION} = {2} AND {3}",
        time(start),
        literal(&of.subject),
        literal(&of.what),
        within("start_time", window.start, window.end),
    );
    Found {
        labels: BTreeMap::from([
            ("service".to_owned(), of.subject.clone()),
            ("destination".to_owned(), of.what.clone()),
        ]),
        unit: "calls",
        sql,
        title: format!("{} calls {}, which it never did: {{actual}} times", of.subject, of.what),
        ..found("egress_new", &of.subject, format!("{}: {}", of.subject, of.what), start, score)
    }
}

async fn grants(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    // The past of who gives a right is all that it did, or the logs of the service that tells.
    let sql = format!(
        "SELECT g.service AS service, g.actor AS what, g.first AS first, g.n AS n, h.first AS known FROM \
         (SELECT service, {ACTOR} AS actor, CAST(min(time) AS BIGINT) AS first, count(*) AS n FROM logs \
          WHERE service IS NOT NULL AND {0} AND {1} GROUP BY 1, 2) AS g \
         JOIN (SELECT service, CAST(min(time) AS BIGINT) AS first FROM logs WHERE service IS NOT NULL AND {1} GROUP BY 1) AS h \
         ON g.service = h.service ORDER BY 1, 2 LIMIT {SERIES_MAX}",
        matching(GRANTED),
        within("time", window.start, window.end)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    let mut all: Vec<Seen> = rows.iter().map(|row| seen(text(row, "service"), row)).collect();
    let known = rows.len();
    all.extend(rows.iter().map(|row| Seen {
        subject: text(row, "service").to_owned(),
        what: String::new(),
        first: whole(row, "known").div_euclid(HOUR_NS),
        count: 0.0,
    }));
    let new = newcomers(&all, GRANTS_MIN).into_iter().filter(|(n, _)| *n < known);
    Ok(new.map(|(n, score)| told_grant(&all[n], Timestamp(whole(&rows[n], "first")), score, window)).collect())
}

fn told_grant(of: &Seen, start: Timestamp, score: f64, window: Window) -> Found {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE time >= {0}) AS actual, count(*) FILTER (WHERE time < {0}) AS expected, min(body) AS line
FROM logs WHERE service = {1} AND {ACTOR} = {2} AND {3} AND {4}",
        time(start),
        literal(&of.subject),
        literal(&of.what),
        matching(GRANTED),
        within("time", window.start, window.end),
    );
    let who = if of.what == of.subject { of.subject.clone() } else { format!("{} ({})", of.what, of.subject) };
    Found {
        labels: BTreeMap::from([("service".to_owned(), of.subject.clone()), ("actor".to_owned(), of.what.clone())]),
        unit: "lines",
        sql,
        title: format!("{who} gives rights, which it never did: {{line}}"),
        ..found("privilege_new", &of.subject, format!("{}: {}", of.subject, of.what), start, score)
    }
}

async fn regions(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let sql = format!(
        "SELECT {ACCOUNT} AS account, billing_currency AS currency, region_id AS what, CAST(min(charge_period_start) AS BIGINT) AS first, \
         CAST(sum(effective_cost) AS DOUBLE) AS n FROM charges WHERE charge_category = 'Usage' AND region_id <> '' \
         AND effective_cost > 0 AND {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT {SERIES_MAX}",
        within("charge_period_start", window.end.saturating_add(-400 * DAY_NS), window.end)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    let all: Vec<Seen> = rows.iter().map(|row| seen(text(row, "account"), row)).collect();
    let new = newcomers(&all, COST_MIN).into_iter();
    let new = new.filter(|(n, _)| whole(&rows[*n], "first") >= window.start.0);
    Ok(new
        .map(|(n, score)| {
            told_region(&all[n], text(&rows[n], "currency"), Timestamp(whole(&rows[n], "first")), score, window)
        })
        .collect())
}

fn told_region(of: &Seen, currency: &str, start: Timestamp, score: f64, window: Window) -> Found {
    let sql = format!(
        "SELECT round(CAST(coalesce(sum(effective_cost) FILTER (WHERE charge_period_start >= {0}), 0) AS DOUBLE), 2) AS actual,
  round(CAST(coalesce(sum(effective_cost) FILTER (WHERE charge_period_start < {0}), 0) AS DOUBLE), 2) AS expected
FROM charges WHERE charge_category = 'Usage' AND {ACCOUNT} = {1} AND billing_currency = {2} AND region_id = {3} AND {4}",
        time(start),
        literal(&of.subject),
        literal(currency),
        literal(&of.what),
        within("charge_period_start", window.end.saturating_add(-400 * DAY_NS), window.end),
    );
    Found {
        labels: BTreeMap::from([
            ("account".to_owned(), of.subject.clone()),
            ("region".to_owned(), of.what.clone()),
            ("currency".to_owned(), currency.to_owned()),
        ]),
        unit: "currency",
        sql,
        title: format!("{} spends in {}, where it never did: {{actual}} {currency}", of.subject, of.what),
        ..found("region_new", &of.subject, format!("{}: {}", of.subject, of.what), start, score)
    }
}
