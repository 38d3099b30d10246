//! How things are used: processors of machines and of workloads, calls of services, hour by hour over two weeks. Each gets its rhythm in a word, those
//! of one measure are compared with each other, and a workload with the calls of the service of its name.

use std::collections::BTreeMap;

use grid_findings::limits::SERIES_MAX;
use grid_findings::stable_id;
use grid_ml::usage::{Alike, Follow, Hour, Kind, Profile, VERSION, alike, follow, profiles};
use grid_model::Timestamp;
use grid_model::table::patterns::PatternRow;
use grid_model::time::{DAY_NS, HOUR_NS};
use serde_json::{Value, json};

use super::recommend::endings;
use super::signals::SERVED;
use super::{Done, Job, JobError, Run, think};
use crate::keep;
use crate::limits::{EVIDENCE_MAX, PATTERNS_KEPT};
use crate::read::{GROWTH, by_time, columns, literal, name, number, rows, text, whole, within};

/// Days that are looked at: two of every day of the week.
const LOOKBACK_DAYS: i64 = 14;
/// Subjects whose numbers one statement gives.
const AT_ONCE: usize = 50;
/// A driver is told if it explains this share of what it was not shown.
const DRIVES: f64 = 0.5;
/// Labels that name a machine, the best first.
const MACHINES: [&str; 3] = ["resource_id", "node", "instance"];

/// Something that is measured of many things.
struct Measure {
    name: &'static str,
    unit: &'static str,
    /// `SELECT name, hour, value`, each row one hour of one thing, `{within}` for the condition on its time.
    from: String,
    /// The column of that time.
    time: &'static str,
    /// Up to this a thing is idle.
    idle_below: f64,
    /// Whether an hour without a row is one in which nothing was used.
    is_zero_if_absent: bool,
}

/// A thing as the model sees it.
struct Thing {
    subject: String,
    profile: Profile,
    /// Its cluster, the number of things in it, and how far it is from its middle.
    cluster: Option<(usize, usize, f64)>,
    driver: Option<(String, Follow)>,
}

/// Hours by subject, from the start of what is looked at; NaN where nothing is known.
type Hours = BTreeMap<String, Vec<f64>>;

pub(super) async fn run(run: &Run<'_>) -> Result<Done, JobError> {
    let end = Timestamp(run.until.0 - run.until.0.rem_euclid(HOUR_NS));
    let time = (end.saturating_add(-LOOKBACK_DAYS * DAY_NS), end);
    let calls = Measure {
        name: "calls",
        unit: "1/s",
        from: format!(
            "SELECT service AS name, time_bucket('1h', start_time) AS hour, count(*) / 3600.0 AS value\n  FROM spans WHERE {SERVED} AND {{within}} GROUP BY 1, 2"
        ),
        time: "start_time",
        idle_below: 0.0,
        is_zero_if_absent: true,
    };
    let called = read(run, &calls, time).await?;
    let mut found = Vec::new();
    for measure in [machines(run).await?, workloads(run).await?].into_iter().flatten() {
        let hours = read(run, &measure, time).await?;
        found.extend(told(run, &measure, judged(&measure, hours, &called, time.0).await?, time).await?);
    }
    let of_calls = judged(&calls, called, &Hours::new(), time.0).await?;
    found.extend(told(run, &calls, of_calls, time).await?);
    found.sort_by(|a, b| (&a.subject, &a.measure).cmp(&(&b.subject, &b.measure)));
    found.truncate(PATTERNS_KEPT);
    let job = Job::Patterns.name();
    let before: Vec<PatternRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let count = found.len();
    let changed = keep::replace(run.store, run.tenant, job, &before, found).await?;
    Ok(Done { rows: count, changed, failed: Vec::new() })
}

/// The share of a machine's processors, from the idle time that the node exporter counts.
async fn machines(run: &Run<'_>) -> Result<Option<Measure>, JobError> {
    const CPU: &str = "node_cpu_seconds_total";
    let has = columns(run.engine, run.tenant, CPU).await?;
    let label = MACHINES.into_iter().find(|l| has.contains(*l)).filter(|_| has.contains("mode"));
    Ok(label.map(|label| Measure {
        name: "cpu",
        unit: "ratio",
        from: format!(
            "SELECT name, hour, 1 - avg(growth) AS value FROM (\n    \
             SELECT {} AS name, time_bucket('1h', time) AS hour, series_id, {GROWTH} AS growth\n    \
             FROM metrics.{} WHERE mode = 'idle' AND {{within}} GROUP BY 1, 2, 3) GROUP BY 1, 2",
            name(label),
            name(CPU)
        ),
        time: "time",
        idle_below: 0.03,
        is_zero_if_absent: false,
    }))
}

/// The cores that all pods of a workload use, by container, from cAdvisor.
async fn workloads(run: &Run<'_>) -> Result<Option<Measure>, JobError> {
    const CPU: &str = "container_cpu_usage_seconds_total";
    let has = columns(run.engine, run.tenant, CPU).await?;
    let is_named = ["namespace", "pod", "container"].iter().all(|l| has.contains(*l));
    Ok(is_named.then(|| Measure {
        name: "cpu",
        unit: "cores",
        from: format!(
            "SELECT name, hour, sum(growth) AS value FROM (\n    \
             SELECT concat(namespace, '/', regexp_replace(pod, '{}', ''), '/', container) AS name, time_bucket('1h', time) AS hour, series_id, {GROWTH} AS growth\n    \
             FROM metrics.{} WHERE container <> '' AND container <> 'POD' AND {{within}} GROUP BY 1, 2, 3) GROUP BY 1, 2",
            endings(),
            name(CPU)
        ),
        time: "time",
        idle_below: 0.01,
        is_zero_if_absent: false,
    }))
}

impl Measure {
    fn sql(&self, start: Timestamp, end: Timestamp) -> String {
        self.from.replace("{within}", &within(self.time, start, end))
    }
}

async fn read(run: &Run<'_>, of: &Measure, (start, end): (Timestamp, Timestamp)) -> Result<Hours, JobError> {
    let sql = |from, to| {
        format!(
            "SELECT name, CAST(hour AS BIGINT) AS hour, round(value, 6) AS value FROM (\n  {}\n) WHERE name <> '' AND value IS NOT NULL ORDER BY 1, 2",
            of.sql(from, to)
        )
    };
    let length = ((end.0 - start.0) / HOUR_NS) as usize;
    let mut hours = Hours::new();
    for row in by_time(run.engine, run.tenant, (start, end), sql).await? {
        let name = text(&row, "name");
        if hours.len() >= SERIES_MAX && !hours.contains_key(name) {
            continue;
        }
        let of = hours.entry(name.to_owned()).or_insert_with(|| vec![f64::NAN; length]);
        let at = (whole(&row, "hour") - start.0).div_euclid(HOUR_NS);
        if let Some(hour) = usize::try_from(at).ok().and_then(|at| of.get_mut(at)) {
            *hour = number(&row, "value");
        }
    }
    if of.is_zero_if_absent {
        hours.values_mut().for_each(|hours| fill(hours));
    }
    Ok(hours)
}

/// Hours without anything after the first in which there was something are hours of nothing.
fn fill(hours: &mut [f64]) {
    let first = hours.iter().position(|v| v.is_finite()).unwrap_or(hours.len());
    hours[first..].iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
}

/// The rhythm of every thing that was seen long enough, the most used first, with its cluster and what drives it.
async fn judged(of: &Measure, hours: Hours, called: &Hours, start: Timestamp) -> Result<Vec<Thing>, JobError> {
    let services: BTreeMap<String, Vec<f64>> =
        hours.keys().filter_map(|subject| Some((subject.clone(), called.get(service_of(subject)?)?.clone()))).collect();
    let idle_below = of.idle_below;
    think(move || {
        let subjects: Vec<&String> = hours.keys().collect();
        let all: Vec<Hour> = hours
            .values()
            .zip(0_u32..)
            .flat_map(|(values, thing)| {
                let time = move |at: usize| start.saturating_add(at as i64 * HOUR_NS);
                values.iter().enumerate().map(move |(at, value)| Hour { thing, time: time(at), value: *value })
            })
            .collect();
        let known: Vec<Profile> = profiles(&all, idle_below).into_iter().flatten().collect();
        let clusters = alike(&known).ok();
        let mut things: Vec<Thing> = known
            .into_iter()
            .enumerate()
            .map(|(place, profile)| {
                let subject = subjects[profile.thing as usize].clone();
                let driver = services.get(&subject).and_then(|calls| {
                    let follows = follow(&hours[&subject], calls).ok()?;
                    let drives = follows.share >= DRIVES && follows.slope > 0.0;
                    drives.then(|| (service_of(&subject).unwrap_or_default().to_owned(), follows))
                });
                Thing { subject, profile, cluster: clusters.as_ref().map(|all| cluster(all, place)), driver }
            })
            .collect();
        things.sort_by(|a, b| b.profile.high.total_cmp(&a.profile.high).then_with(|| a.subject.cmp(&b.subject)));
        things.truncate(EVIDENCE_MAX);
        things
    })
    .await
}

/// The service that a workload has the name of: the middle of `namespace/workload/container`.
fn service_of(subject: &str) -> Option<&str> {
    let mut parts = subject.split('/').skip(1);
    parts.next().filter(|_| parts.next().is_some())
}

fn cluster(all: &Alike, place: usize) -> (usize, usize, f64) {
    let group = all.group[place];
    (group + 1, all.sizes.get(group).copied().unwrap_or(0), all.distance[place])
}

/// Rows, whose numbers are those that their queries give.
async fn told(
    run: &Run<'_>,
    of: &Measure,
    things: Vec<Thing>,
    time: (Timestamp, Timestamp),
) -> Result<Vec<PatternRow>, JobError> {
    let mut told = Vec::with_capacity(things.len());
    for some in things.chunks(AT_ONCE) {
        let names: Vec<String> = some.iter().map(|t| literal(&t.subject)).collect();
        let sql = format!("{} GROUP BY name", numbers("name, ", of, time, &format!("name IN ({})", names.join(", "))));
        let answers = rows(run.engine, run.tenant, &sql).await?;
        let mut answers: BTreeMap<String, Value> =
            answers.into_iter().map(|row| (text(&row, "name").to_owned(), row)).collect();
        for thing in some {
            let Some(mut answer) = answers.remove(&thing.subject) else { continue };
            if let Some(columns) = answer.as_object_mut() {
                columns.remove("name");
            }
            told.push(row(
                run,
                of,
                thing,
                &answer,
                numbers("", of, time, &format!("name = {}", literal(&thing.subject))),
            ));
        }
    }
    Ok(told)
}

/// The statement that gives the numbers of a thing, or of several.
fn numbers(first: &str, of: &Measure, (start, end): (Timestamp, Timestamp), which: &str) -> String {
    let quantile =
        |share: f64, name: &str| format!("round(percentile_cont({share}) WITHIN GROUP (ORDER BY value), 4) AS {name}");
    format!(
        "SELECT {first}count(value) AS hours, {}, {}, {}\nFROM (\n  {}\n) WHERE {which}",
        quantile(0.05, "low"),
        quantile(0.5, "usual"),
        quantile(0.95, "high"),
        of.sql(start, end)
    )
}

fn row(run: &Run<'_>, of: &Measure, thing: &Thing, answer: &Value, query: String) -> PatternRow {
    let profile = &thing.profile;
    let rounded = |v: f64| (v * 1e4).round() / 1e4;
    let finite = |name: &str| Some(number(answer, name)).filter(|v| v.is_finite()).unwrap_or(0.0);
    let slots: Vec<Value> =
        profile.slots.iter().map(|v| if v.is_finite() { json!(rounded(*v)) } else { Value::Null }).collect();
    let follows = thing.driver.as_ref().map(|(_, follows)| follows);
    let mut row = PatternRow {
        pattern_id: stable_id(&["pattern", of.name, of.unit, &thing.subject]),
        kind: profile.kind.name().to_owned(),
        subject: thing.subject.clone(),
        measure: of.name.to_owned(),
        unit: of.unit.to_owned(),
        hours: finite("hours") as u64,
        low: finite("low"),
        usual: finite("usual"),
        high: finite("high"),
        regularity: rounded(profile.regularity),
        growth: rounded(profile.growth),
        quiet_hours: u64::from(profile.quiet_hours),
        top_hour: (profile.top_slot() % 24) as u64,
        cluster: thing.cluster.map(|(number, ..)| number as u64),
        cluster_size: thing.cluster.map(|(_, size, _)| size as u64),
        cluster_distance: thing.cluster.map(|(.., distance)| rounded(distance)),
        driver: thing.driver.as_ref().map(|(service, _)| service.clone()),
        driver_share: follows.map(|f| rounded(f.share)),
        driver_base: follows.map(|f| rounded(f.base)),
        driver_slope: follows.map(|f| rounded(f.slope)),
        profile: Value::Array(slots).to_string(),
        job: Job::Patterns.name().to_owned(),
        model: "usage".to_owned(),
        version: u64::from(VERSION),
        parameters: json!({ "days": LOOKBACK_DAYS, "idle_below": of.idle_below }).to_string(),
        generation: run.generation,
        language: "sql".to_owned(),
        query,
        evidence: answer.to_string(),
        made_time: run.until,
        ..PatternRow::default()
    };
    row.title = title(&row, profile.kind);
    row
}

/// One sentence for people.
fn title(row: &PatternRow, kind: Kind) -> String {
    let unit = if row.unit == "ratio" { "of its processors".to_owned() } else { row.unit.clone() };
    let what = match kind {
        Kind::Idle => "is hardly used".to_owned(),
        Kind::Steady => "is used alike at all times".to_owned(),
        Kind::OfficeHours => "is used on working days by day".to_owned(),
        Kind::Daytime => "is used by day".to_owned(),
        Kind::Nights => "is used at night".to_owned(),
        Kind::Weekends => "is used on weekends".to_owned(),
        Kind::Daily => format!("is used most at {} h UTC", row.top_hour),
        Kind::Bursty => "is used little most of the time, and then much".to_owned(),
        Kind::Irregular => "is used without a rhythm".to_owned(),
    };
    let mut title = format!("{} {what}: {} {unit} usually, {} at the top", row.subject, row.usual, row.high);
    if row.growth != 0.0 {
        title.push_str(&format!(", {:+.0}% a week", row.growth * 100.0));
    }
    if let (Some(driver), Some(share)) = (&row.driver, row.driver_share) {
        title.push_str(&format!("; the calls of {driver} explain {:.0}% of it", share * 100.0));
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_a_service_of_its_name() {
        for (subject, expected) in [
            ("shop/cart/app", Some("cart")),
            ("i-0123", None),
            ("shop/cart", None),
            ("/subscriptions/1/vm", Some("subscriptions")),
        ] {
            assert_eq!(service_of(subject), expected, "{subject}");
        }
    }

    #[test]
    fn absent_hours_are_of_nothing_once_there_was_something() {
        let mut hours = [f64::NAN, 2.0, f64::NAN, 1.0, f64::NAN];
        fill(&mut hours);
        assert!(hours[0].is_nan() && hours[1..] == [2.0, 0.0, 1.0, 0.0]);
        fill(&mut []);
    }

    #[test]
    fn titles() {
        let row = PatternRow {
            subject: "shop/cart/app".into(),
            unit: "cores".into(),
            usual: 0.4,
            high: 0.9,
            growth: 0.123,
            driver: Some("cart".into()),
            driver_share: Some(0.91),
            ..PatternRow::default()
        };
        assert_eq!(
            title(&row, Kind::Daytime),
            "shop/cart/app is used by day: 0.4 cores usually, 0.9 at the top, +12% a week; the calls of cart explain 91% of it"
        );
    }
}
