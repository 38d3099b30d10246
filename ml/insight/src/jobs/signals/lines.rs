//! Lines of logs whose template is new, bursts or has vanished.

use std::collections::BTreeMap;

use grid_findings::limits::TEMPLATES_MAX;
use grid_findings::templates::{Change, Counted, Found as Told, MODEL, VERSION, find as changes};
use grid_ml::patterns::{Miner, VARIABLE};
use grid_model::time::HOUR_NS;
use serde_json::json;

use super::{Found, REFERENCE_NS, Run, Window};
use crate::jobs::{JobError, think};
use crate::limits::{LOG_LINES_MAX, TITLE_TEXT_MAX};
use crate::read::{literal, number, rows, text, time, whole, within};

/// Lines alike: service, severity, body, hour, how many.
struct Line {
    service: String,
    severity: u32,
    body: String,
    hour: usize,
    count: u64,
}

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let hours = ((window.end.0 - window.start.0) / HOUR_NS).max(0) as usize;
    let mut lines = read(run, window, hours, 0).await?;
    if lines.len() >= LOG_LINES_MAX {
        // Too many: what warns matters most.
        lines = read(run, window, hours, grid_findings::templates::SEVERITY_NEW).await?;
    }
    let found = think(move || judge(&lines, hours)).await?;
    Ok(found.into_iter().map(|(counted, change)| told(&counted, &change, window)).collect())
}

async fn read(run: &Run<'_>, window: Window, hours: usize, severity: u32) -> Result<Vec<Line>, JobError> {
    let sql = format!(
        "SELECT service, coalesce(severity_number, 0) AS severity, body, CAST(time_bucket('1h', time) AS BIGINT) AS hour, count(*) AS lines \
         FROM logs WHERE service IS NOT NULL AND body IS NOT NULL AND coalesce(severity_number, 0) >= {severity} AND {} \
         GROUP BY 1, 2, 3, 4 ORDER BY 4, 1, 2, 3 LIMIT {LOG_LINES_MAX}",
        within("time", window.start, window.end)
    );
    let line = |row: &serde_json::Value| {
        let hour = usize::try_from((whole(row, "hour") - window.start.0).div_euclid(HOUR_NS)).ok()?;
        (hour < hours).then(|| Line {
            service: text(row, "service").to_owned(),
            severity: number(row, "severity") as u32,
            body: text(row, "body").to_owned(),
            hour,
            count: number(row, "lines") as u64,
        })
    };
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().filter_map(line).collect())
}

/// Mines the templates of each service and looks at their counts.
fn judge(lines: &[Line], hours: usize) -> Vec<(Counted, Told)> {
    let mut services: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        services.entry(&line.service).or_default().push(line);
    }
    let mut found = Vec::new();
    for (service, lines) in services {
        let mut miner = Miner::new();
        let shapes: Vec<u32> = lines.iter().map(|l| miner.add(&l.body)).collect();
        let templates = miner.templates();
        let mut counted: Vec<Counted> = templates
            .all
            .iter()
            .take(TEMPLATES_MAX)
            .map(|t| Counted { service: service.to_owned(), text: t.text.clone(), severity: 0, lines: vec![0; hours] })
            .collect();
        for (line, shape) in lines.iter().zip(shapes) {
            let template = templates.of_shape.get(shape as usize).copied().unwrap_or_default();
            if let Some(c) = counted.get_mut(template as usize) {
                c.severity = c.severity.max(line.severity);
                c.lines[line.hour] += line.count;
            }
        }
        found.extend(changes(&counted).into_iter().map(|(n, change)| (counted[n].clone(), change)));
    }
    found
}

/// A template as a pattern of LIKE.
fn like(template: &str) -> String {
    let escaped = |word: &str| word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    // What stands for anything takes the gaps beside it too.
    let parts: Vec<&str> = template.split(VARIABLE).map(str::trim).collect();
    let words = parts.iter().map(|part| part.split_whitespace().map(escaped).collect::<Vec<_>>().join("%"));
    let pattern = words.collect::<Vec<_>>().join("%");
    if pattern.is_empty() { "%".to_owned() } else { pattern }
}

fn told(counted: &Counted, change: &Told, window: Window) -> Found {
    let start = window.time(change.start, HOUR_NS);
    let end = change.end.map(|end| window.time(end, HOUR_NS));
    let shown: String = counted.text.chars().take(TITLE_TEXT_MAX).collect();
    let service = &counted.service;
    let title = match change.change {
        Change::New => format!("{service} says what it never said, {{lines}} times: {shown}"),
        Change::Burst => {
            format!("{service} says {{lines}} times, up to {{actual}} an hour instead of {{expected}}: {shown}")
        }
        Change::Vanished => format!("{service} no longer says, {{expected}} times an hour until then: {shown}"),
    };
    let (from, until) = (start.saturating_add(-REFERENCE_NS), end.unwrap_or(window.end));
    let sql = format!(
        "SELECT coalesce(sum(lines) FILTER (WHERE hour >= {0}), 0) AS lines,
  coalesce(max(lines) FILTER (WHERE hour >= {0}), 0) AS actual,
  round(coalesce(sum(lines) FILTER (WHERE hour < {0}), 0) / 24.0, 2) AS expected
FROM (SELECT time_bucket('1h', time) AS hour, count(*) AS lines FROM logs
  WHERE service = {1} AND body LIKE {2} AND {3} GROUP BY 1)",
        time(start),
        literal(service),
        literal(&like(&counted.text)),
        within("time", from, until),
    );
    Found {
        kind: change.change.name(),
        node: service.clone(),
        subject: format!("{service}: {shown}"),
        labels: BTreeMap::from([
            ("service".to_owned(), service.clone()),
            ("template".to_owned(), counted.text.clone()),
        ]),
        start,
        end,
        score: change.score,
        unit: "lines/h",
        model: MODEL,
        version: VERSION,
        parameters: json!({ "severity": counted.severity, "lines_worst_hour": change.lines, "expected": (change.expected * 100.0).round() / 100.0 }),
        sql,
        title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_as_patterns() {
        for (template, expected) in [
            ("no connection to <*> within <*> ms", "no%connection%to%within%ms"),
            ("100% of a_b", "100\\%%of%a\\_b"),
            ("<*>", "%"),
        ] {
            assert_eq!(like(template), expected);
        }
    }
}
