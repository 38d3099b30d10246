//! Features by SQL: one statement, its rows as JSON objects, as a user would see them.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use grid_analytics::render::{Format, Renderer};
use grid_analytics::{Engine, QueryError, SqlRequest};
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, TenantId, Timestamp};
use serde_json::Value;

use crate::limits::{FEATURE_ROWS_MAX, QUERY_TIME_MAX};

/// What a counter of one series grows by a second, over a group's first and last sample: exact over hours, and it holds no samples in memory, as a rate
/// does. A group in which the counter began anew says nothing.
pub const GROWTH: &str = "CASE WHEN last_value(value ORDER BY time) >= first_value(value ORDER BY time) \
     THEN (last_value(value ORDER BY time) - first_value(value ORDER BY time)) \
       / nullif(CAST(CAST(max(time) AS BIGINT) - CAST(min(time) AS BIGINT) AS DOUBLE) / 1e9, 0) END";
/// Who asks, in the list of queries.
pub const CLIENT: &str = "insight";

/// All rows of a statement.
pub async fn rows(engine: &Engine, tenant: &TenantId, sql: &str) -> Result<Vec<Value>, QueryError> {
    let request = SqlRequest {
        timeout: Some(QUERY_TIME_MAX),
        max_rows: Some(FEATURE_ROWS_MAX),
        client: Some(CLIENT.to_owned()),
        ..SqlRequest::new(tenant.clone(), sql)
    };
    let mut answer = engine.sql(request).await?;
    let mut renderer = Renderer::new(Format::Ndjson, answer.schema.clone())?;
    let mut lines = renderer.head();
    while let Some(batch) = answer.stream.next().await {
        lines.extend(renderer.batch(&batch?)?);
    }
    lines.extend(renderer.tail(None)?);
    let parse =
        |line: &[u8]| serde_json::from_slice(line).map_err(|e| QueryError::Internal(format!("read a row: {e}")));
    lines.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).map(parse).collect()
}

/// All rows of a statement that is asked piece by piece of a time, in order of time. What collects samples before it answers, such as a rate, is asked
/// day by day; a day that needs more memory than a query may have is asked in halves, down to an hour. Pieces end at whole hours from the start.
pub async fn by_time(
    engine: &Engine,
    tenant: &TenantId,
    (start, end): (Timestamp, Timestamp),
    sql: impl Fn(Timestamp, Timestamp) -> String,
) -> Result<Vec<Value>, QueryError> {
    let mut open: Vec<(Timestamp, Timestamp)> = days(start, end).collect();
    open.reverse();
    let mut all = Vec::new();
    while let Some((from, to)) = open.pop() {
        match (rows(engine, tenant, &sql(from, to)).await, middle(from, to)) {
            (Ok(rows), _) => all.extend(rows),
            (Err(QueryError::Memory(_)), Some(middle)) => open.extend([(middle, to), (from, middle)]),
            (Err(e), _) => return Err(e),
        }
    }
    Ok(all)
}

/// A time cut into days, from its start on.
fn days(start: Timestamp, end: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let starts = (0..).map(move |n| start.saturating_add(n * DAY_NS));
    starts.take_while(move |from| *from < end).map(move |from| (from, from.saturating_add(DAY_NS).min(end)))
}

/// Whole hours after the start, about half way; `None` if there is no such time within.
fn middle(start: Timestamp, end: Timestamp) -> Option<Timestamp> {
    let hours = end.0.saturating_sub(start.0) / 2 / HOUR_NS;
    (hours > 0).then(|| start.saturating_add(hours * HOUR_NS))
}

/// The columns of a metric's table; none if nobody sent the metric.
pub async fn columns(engine: &Engine, tenant: &TenantId, metric: &str) -> Result<BTreeSet<String>, QueryError> {
    let sql = format!("SELECT * FROM metrics.{} LIMIT 0", name(metric));
    let request = SqlRequest { client: Some(CLIENT.to_owned()), ..SqlRequest::new(tenant.clone(), sql) };
    match engine.sql(request).await {
        Ok(answer) => Ok(answer.schema.fields().iter().map(|f| f.name().clone()).collect()),
        Err(QueryError::UnknownTable { .. }) => Ok(BTreeSet::new()),
        Err(e) => Err(e),
    }
}

/// A text as a literal of SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an identifier of SQL.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// An instant as a literal of SQL.
pub fn time(at: Timestamp) -> String {
    format!("TIMESTAMP '{at}'")
}

/// That a column of times lies in a range.
pub fn within(column: &str, start: Timestamp, end: Timestamp) -> String {
    format!("{column} >= {} AND {column} < {}", time(start), time(end))
}

/// A text of a row; empty if it is null or absent.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// A number of a row, whether it came as one or as text; NaN if it is null or absent.
pub fn number(row: &Value, name: &str) -> f64 {
    match &row[name] {
        Value::Number(n) => n.as_f64().unwrap_or(f64::NAN),
        Value::String(s) => s.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

/// A whole number of a row.
pub fn whole(row: &Value, name: &str) -> i64 {
    row[name].as_i64().or_else(|| row[name].as_str()?.parse().ok()).unwrap_or(0)
}

/// An exact decimal of a row; zero if it is null or absent.
pub fn amount(row: &Value, name: &str) -> Amount {
    Amount::parse(text(row, name)).map_or(Amount::ZERO, |(amount, _)| amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_at_whole_hours() {
        let hour = |h: i64| Timestamp(h * HOUR_NS);
        for (start, end, expected) in [
            (0, 24 * HOUR_NS, Some(12)),
            (0, 5 * HOUR_NS, Some(2)),
            (0, 2 * HOUR_NS, Some(1)),
            (0, 2 * HOUR_NS - 1, None),
            (0, HOUR_NS, None),
            (HOUR_NS, HOUR_NS, None),
            (3 * HOUR_NS, 0, None),
        ] {
            assert_eq!(middle(Timestamp(start), Timestamp(end)), expected.map(hour), "{start} to {end}");
        }
        let all: Vec<_> = days(hour(1), hour(50)).collect();
        assert_eq!(all, [(hour(1), hour(25)), (hour(25), hour(49)), (hour(49), hour(50))]);
    }
}
