//! Twelve queries on compacted files: Grid over HTTP, DataFusion in this process on the same files, DuckDB on the same files, in turns.

mod bare;
mod duck;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use grid_tests::server::Row;
use grid_tests::{Grid, answer, peers};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::bare::Bare;
use self::duck::Duck;
use crate::context::Context;
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{bills, closed_end_ms, lines, node, spans};
use crate::load::send;
use crate::part::bills::import;
use crate::report::{Section, count};
use crate::system::{Kind, System};

/// Against bare DataFusion, against DuckDB.
const BAR: (f64, f64) = (1.1, 1.5);
/// Threads of every engine.
pub(crate) const THREADS: usize = 2;
/// Runs of each engine and query, after two that warm up; the median counts.
const RUNS: usize = 21;
const WARM: usize = 2;
const SEED: u64 = 51;

/// A question, and how each engine is asked.
struct Question {
    name: &'static str,
    grid: String,
    /// DataFusion on views of the raw files.
    bare: String,
    /// DuckDB on views of the raw files.
    duck: String,
    /// Of an estimate, which differs by engine: DataFusion is asked exactly, for its key and two columns between which it must lie.
    bounds: Option<&'static str>,
}

/// What is in the data set.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Facts {
    samples: u64,
    lines: u64,
    spans: u64,
    charges: u64,
}

fn questions(facts: &Facts) -> Vec<Question> {
    let middle = facts.spans / 2 / spans::SPANS_PER_TRACE as u64;
    let trace = spans::trace_id(middle, SEED).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let ask = |name, grid: &str, bare: &str, duck: &str| Question {
        name,
        grid: grid.to_owned(),
        bare: bare.to_owned(),
        duck: duck.to_owned(),
        bounds: None,
    };
    let same = |name, sql: &str| ask(name, sql, sql, sql);
    // What Grid's view of a metric does: its samples, joined with the labels of its series.
    let metric = |name: &str| {
        format!(
            "samples x JOIN series s ON x.series_id = s.series_id WHERE x.metric = '{name}' AND s.metric = '{name}'"
        )
    };
    let cpu = metric("node_cpu_seconds_total");
    let buckets = "(epoch_ns(time) // 300000000000) * 300000000000";
    let bin = "date_bin(INTERVAL '5 minutes', time)";
    let bare_bin = |time: &str| bin.replace("time)", &format!("{time})"));
    let duck_bin = |time: &str| buckets.replace("time)", &format!("{time})"));
    let traced = |at: &str, of: &str| {
        format!(
            "SELECT span_id, service, name, duration_ns, {at} AS instant FROM spans WHERE trace_id = '{of}' ORDER BY instant, span_id"
        )
    };
    let newest = |at: &str| {
        format!(
            "SELECT {at} AS instant, body FROM logs WHERE service = 'payment' AND body LIKE 'level=error%' ORDER BY time DESC, body LIMIT 100"
        )
    };
    vec![
        same("samples: count and average of all", "SELECT count(value) AS n, avg(value) AS mean FROM samples"),
        ask(
            "samples: one metric by label",
            "SELECT mode, cpu, avg(value) AS mean, count(*) AS n FROM metrics.node_cpu_seconds_total GROUP BY mode, cpu",
            &format!(
                "SELECT s.labels['mode'] AS mode, s.labels['cpu'] AS cpu, avg(x.value) AS mean, count(*) AS n FROM {cpu} GROUP BY 1, 2"
            ),
            &format!(
                "SELECT s.labels['mode'] AS mode, s.labels['cpu'] AS cpu, avg(x.value) AS mean, count(*) AS n FROM {cpu} GROUP BY 1, 2"
            ),
        ),
        ask(
            "samples: one metric by time",
            "SELECT time_bucket('5m', time) AS instant, sum(value) AS total FROM metrics.node_cpu_seconds_total GROUP BY 1 ORDER BY 1",
            &format!(
                "SELECT {} AS instant, sum(x.value) AS total FROM {cpu} GROUP BY 1 ORDER BY 1",
                bare_bin("x.time")
            ),
            &format!(
                "SELECT {} AS instant, sum(x.value) AS total FROM {cpu} GROUP BY 1 ORDER BY 1",
                duck_bin("x.time")
            ),
        ),
        same(
            "samples: series that grew most",
            "SELECT series_id, max(value) - min(value) AS growth FROM samples GROUP BY series_id ORDER BY growth DESC, series_id LIMIT 10",
        ),
        same(
            "logs: lines by service",
            "SELECT service, count(*) AS n, sum(length(body)) AS chars FROM logs GROUP BY service",
        ),
        ask(
            "logs: lines by service and 5 min",
            "SELECT time_bucket('5m', time) AS instant, service, count(*) AS n FROM logs GROUP BY 1, 2",
            &format!("SELECT {bin} AS instant, service, count(*) AS n FROM logs GROUP BY 1, 2"),
            &format!("SELECT {buckets} AS instant, service, count(*) AS n FROM logs GROUP BY 1, 2"),
        ),
        ask("logs: newest errors of a service", &newest("time"), &newest("time"), &newest("epoch_ns(time)")),
        ask(
            "logs: lines with a word",
            "SELECT count(*) AS n FROM logs WHERE match(body, 'declined')",
            "SELECT count(*) AS n FROM logs WHERE body LIKE '%declined%'",
            "SELECT count(*) AS n FROM logs WHERE body LIKE '%declined%'",
        ),
        ask(
            "spans: one trace",
            &traced("start_time", &trace),
            &traced("start_time", &trace),
            &traced("epoch_ns(start_time)", &trace),
        ),
        Question {
            // Half a percent of the ranks to either side.
            bounds: Some(
                "SELECT service, percentile_cont(0.985) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS low, \
                 percentile_cont(0.995) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS high FROM spans GROUP BY service",
            ),
            ..ask(
                "spans: p99 of services",
                "SELECT service, approx_percentile_cont(duration_ns, 0.99) AS p99 FROM spans GROUP BY service",
                "SELECT service, approx_percentile_cont(duration_ns, 0.99) AS p99 FROM spans GROUP BY service",
                "SELECT service, approx_quantile(duration_ns, 0.99) AS p99 FROM spans GROUP BY service",
            )
        },
        same(
            "spans: share of errors by operation",
            "SELECT service, name, avg(CASE WHEN status = 'error' THEN 1.0 ELSE 0.0 END) AS errors, count(*) AS n FROM spans \
             GROUP BY service, name",
        ),
        same(
            "charges: cost by service and team",
            "SELECT service_name, tags['team'] AS team, sum(billed_cost) AS cost FROM charges GROUP BY 1, 2",
        ),
    ]
}

async fn fill(context: &Context, system: &System) -> anyhow::Result<Facts> {
    let end = closed_end_ms();
    let http = system.grid()?.http.clone();
    let scrapes = context.size(1250, 100);
    let load = node::load(8, scrapes, 15_000, end - 1000, SEED)?;
    send(&system.write_url, &SNAPPY_HEADERS, &load).await?;
    let samples = load.items;
    let load = lines::load(context.size(2_000_000, 100_000), end - 6 * 3_600_000, end, SEED)?;
    send(&format!("{http}/loki/api/v1/push"), &SNAPPY_HEADERS, &load).await?;
    let lines = load.items;
    let load = spans::load(context.size(1_000_000, 40_000), end - 6 * 3_600_000, end, SEED)?;
    send(&format!("{http}/v1/traces"), &spans::HEADERS, &load).await?;
    let charges = context.size(200_000, 10_000);
    import(system, bills::csv(charges, SEED)).await?;
    system.compact().await?;
    Ok(Facts { samples, lines, spans: load.items, charges: charges as u64 })
}

/// A server with the data set; with `--keep` it is made once.
async fn prepared(context: &Context) -> anyhow::Result<(System, Facts)> {
    let Some(keep) = &context.keep else {
        let system = System::start(Kind::Grid).await?;
        let facts = fill(context, &system).await?;
        return Ok((system, facts));
    };
    let file = keep.join("facts.json");
    let options = grid_tests::Options { data_dir: Some(keep.join("data")), ..grid_tests::Options::default() };
    let system = System::of(Grid::start_with(options).await?, tempfile::tempdir()?)?;
    let facts = if file.is_file() {
        serde_json::from_slice(&std::fs::read(&file)?)?
    } else {
        let facts = fill(context, &system).await?;
        std::fs::write(&file, serde_json::to_vec(&facts)?)?;
        facts
    };
    Ok((system, facts))
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let (system, facts) = prepared(context).await?;
    // What a server does after it has started, or after a bill came in, is no part of a query.
    system.settle().await?;
    let grid = system.grid()?;
    let files = files(grid).await?;
    let mut bare = Bare::open(&files).await?;
    let mut duck = match peers::python() {
        Ok(python) => Some(Duck::start(&python, &files).await?),
        Err(reason) => {
            grid_tests::skip("queries_duckdb", reason)?;
            None
        }
    };
    let version = duck.as_ref().map_or_else(|| "no DuckDB here".to_owned(), |d| format!("DuckDB {}", d.version));
    let about = format!(
        "{} samples, {} log lines, {} spans, {} charges, compacted into {} files. Milliseconds, median of {RUNS} warm runs, engines in turns of random order: Grid over \
         HTTP (Arrow), DataFusion {} in the process that measures, {version}; {THREADS} threads each.",
        count(facts.samples as f64),
        count(facts.lines as f64),
        count(facts.spans as f64),
        count(facts.charges as f64),
        files.values().map(Vec::len).sum::<usize>(),
        datafusion::DATAFUSION_VERSION
    );
    let head = ["query", "Grid", "bare DataFusion", "DuckDB", "Grid / DataFusion", "Grid / DuckDB"];
    let mut section = Section::new("queries", about, &head);
    let (mut over_bare, mut over_duck) = (Vec::new(), Vec::new());
    for question in questions(&facts) {
        let times = ask(grid, &mut bare, duck.as_mut(), &question).await.with_context(|| question.name.to_owned())?;
        let [ours, theirs, ducks] = times.map(middle);
        let ours = ours.context("Grid ran")?;
        let cell = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        let cells = [cell(Some(ours)), cell(theirs), cell(ducks)];
        let ratios = [theirs, ducks].map(|peer| crate::report::ratio(ours, peer));
        section.row([question.name.to_owned()].into_iter().chain(cells).chain(ratios));
        over_bare.push((question.name, ours / theirs.context("DataFusion ran")?));
        over_duck.extend(ducks.map(|ms| (question.name, ours / ms)));
    }
    section.note("\"samples: one metric\" joins `series` by hand on the raw files; `match` is `LIKE` there; answers were compared.");
    for (bar, most, ratios) in [("queries", BAR.0, over_bare), ("queries_duckdb", BAR.1, over_duck)] {
        if ratios.is_empty() {
            continue;
        }
        let worst = ratios.iter().max_by(|a, b| a.1.total_cmp(&b.1)).context("a query")?;
        let held = ratios.iter().filter(|(_, ratio)| *ratio <= most).count();
        let all = ratios.len();
        context.figure(bar, held == all, format!("{held} of {all} within {most}x; most {:.2}x: {}", worst.1, worst.0));
    }
    Ok(section)
}

#[derive(Clone, Copy)]
enum Engine {
    Grid,
    Bare,
    Duck,
}

/// Times of every engine, in turns. The answers of the first turn must be the same.
async fn ask(
    grid: &Grid,
    bare: &mut Bare,
    mut duck: Option<&mut Duck>,
    question: &Question,
) -> anyhow::Result<[Vec<f64>; 3]> {
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut rng = StdRng::seed_from_u64(SEED);
    for turn in 0..WARM + RUNS {
        // Whoever comes second finds the files in the processor's caches, so that no engine is always the one.
        let mut order = [Engine::Grid, Engine::Bare, Engine::Duck];
        order.shuffle(&mut rng);
        let (mut ours, mut theirs, mut ducks) = (None, None, None);
        for engine in order {
            match engine {
                Engine::Grid => {
                    let started = Instant::now();
                    let (status, _, body) = grid.sql_raw("default", &question.grid, answer::ARROW_STREAM).await?;
                    let ms = started.elapsed().as_secs_f64() * 1e3;
                    let refused =
                        || format!("{}\nanswered {status}: {}", question.grid, String::from_utf8_lossy(&body));
                    ensure!(status == 200, "{}", refused());
                    ours = Some((ms, body));
                }
                Engine::Bare => {
                    theirs = Some(bare.ask(&question.bare).await.with_context(|| question.bare.clone())?);
                }
                Engine::Duck => {
                    if let Some(duck) = &mut duck {
                        ducks = Some(duck.ask(&question.duck).await.with_context(|| question.duck.clone())?);
                    }
                }
            }
        }
        let ((ours, body), (theirs, batches)) = (ours.context("Grid ran")?, theirs.context("DataFusion ran")?);
        if turn == 0 {
            let rows = answer::rows(&answer::read_stream(&body)?)?;
            ensure!(!rows.is_empty(), "no rows");
            let theirs = answer::rows(&batches)?;
            let others = [("bare DataFusion", Some(&theirs)), ("DuckDB", ducks.as_ref().map(|(_, found)| found))];
            let bounds = match question.bounds {
                Some(sql) => Some(answer::rows(&bare.ask(sql).await.with_context(|| sql.to_owned())?.1)?),
                None => None,
            };
            for (engine, found) in others.into_iter().filter_map(|(engine, found)| Some((engine, found?))) {
                match &bounds {
                    Some(bounds) => within(bounds, found).with_context(|| format!("{engine}'s estimate"))?,
                    None => same(&rows, found).with_context(|| format!("Grid and {engine} differ"))?,
                }
            }
            if let Some(bounds) = &bounds {
                within(bounds, &rows).context("Grid's estimate")?;
            }
        }
        if turn >= WARM {
            times[0].push(ours);
            times[1].push(theirs);
            times[2].extend(ducks.map(|(ms, _)| ms));
        }
    }
    Ok(times)
}

fn middle(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// The tenant's files by table.
async fn files(grid: &Grid) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for row in grid.sql("default", "SELECT \"table\", path FROM grid.files ORDER BY path").await? {
        let cell = |key: &str| row[key].as_str().map(str::to_owned).context("a text");
        let path = cell("path")?;
        ensure!(Path::new(&path).is_file(), "{path} is no file");
        files.entry(cell("table")?).or_default().push(path);
    }
    Ok(files)
}

/// How far floats may lie apart, as a share: engines add in another order.
const NEAR: f64 = 1e-9;

/// Whether two answers say the same: texts and integers exactly, floats nearly.
fn same(ours: &[Row], theirs: &[Row]) -> anyhow::Result<()> {
    ensure!(ours.len() == theirs.len(), "{} rows and {} rows", ours.len(), theirs.len());
    for ((ours, our_numbers), (theirs, their_numbers)) in keyed(ours).into_iter().zip(keyed(theirs)) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= NEAR * a.abs().max(b.abs());
        let equal = ours == theirs && our_numbers.iter().zip(&their_numbers).all(near);
        ensure!(equal, "{ours} {our_numbers:?} and {theirs} {their_numbers:?}");
    }
    Ok(())
}

/// Whether every estimate lies between the bounds of its key: a text, and one number beside it.
fn within(bounds: &[Row], estimates: &[Row]) -> anyhow::Result<()> {
    let parts = |row: &Row| {
        let (texts, numbers): (Vec<&Value>, Vec<&Value>) = row.values().partition(|v| v.is_string());
        (
            texts.into_iter().cloned().collect::<Vec<_>>(),
            numbers.into_iter().filter_map(Value::as_f64).collect::<Vec<_>>(),
        )
    };
    ensure!(bounds.len() == estimates.len(), "{} rows and {} rows", bounds.len(), estimates.len());
    for (key, numbers) in estimates.iter().map(parts) {
        let of_key = bounds.iter().map(parts).find(|(k, _)| *k == key).with_context(|| format!("no {key:?}"))?.1;
        let range = of_key.iter().copied().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let holds = !numbers.is_empty() && numbers.iter().all(|n| (range.0..=range.1).contains(n));
        ensure!(holds, "{key:?}: {numbers:?} does not lie in {range:?}");
    }
    Ok(())
}

/// Rows in an order of their own: what must be equal, and the numbers that must be near.
fn keyed(rows: &[Row]) -> Vec<(String, Vec<f64>)> {
    let mut keyed: Vec<(String, Vec<f64>)> = rows.iter().map(key).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed
}

fn key(row: &Row) -> (String, Vec<f64>) {
    let (mut exact, mut near) = (String::new(), Vec::new());
    for (name, value) in row {
        match value {
            Value::Number(n) if n.is_f64() => near.push(n.as_f64().unwrap_or(f64::NAN)),
            other => exact.push_str(&format!("{name}={other} ")),
        }
    }
    (exact, near)
}
