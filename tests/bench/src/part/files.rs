//! How many files there are per signal and hour: a day of steady writing with late data, flushed often.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::context::Context;
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{closed_end_ms, lines, node, now_ms, spans};
use crate::load::send;
use crate::report::Section;
use crate::system::{Kind, System};

const BAR: usize = 4;
const HOUR_MS: i64 = 3_600_000;
/// Twenty minutes: three flushes an hour.
const STEP_MS: i64 = HOUR_MS / 3;
/// An hour is judged so long after its end.
const JUDGED_AFTER_MS: i64 = 15 * 60_000;
const TABLES: [&str; 3] = ["samples", "logs", "spans"];

/// Writes a little of every signal, ending at a time.
async fn write(system: &System, end_ms: i64, seed: u64) -> anyhow::Result<()> {
    let http = system.grid()?.http.clone();
    send(&system.write_url, &SNAPPY_HEADERS, &node::load(1, 8, STEP_MS / 8, end_ms - 1, seed)?).await?;
    let load = lines::load(50_000, end_ms - STEP_MS, end_ms, seed)?;
    // A slice of the load is enough: as many requests as connections.
    let few =
        crate::load::Load { lanes: load.lanes.iter().map(|l| l.iter().take(1).cloned().collect()).collect(), ..load };
    send(&format!("{http}/loki/api/v1/push"), &SNAPPY_HEADERS, &few).await?;
    send(&format!("{http}/v1/traces"), &spans::HEADERS, &spans::load(2_000, end_ms - STEP_MS, end_ms, seed)?).await?;
    system.flush().await
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let (hours, late) = context.size((26, 40), (6, 6));
    let about = format!(
        "{hours} hours of samples, logs and spans, a flush every 20 minutes of data and a round of compaction every hour of it, then {late} writes into \
         random hours of the past; files that hold rows of an hour, for every hour that ended at least 15 minutes ago."
    );
    let system = System::start(Kind::Grid).await?;
    let now = now_ms();
    let start = (now - hours * HOUR_MS).div_euclid(STEP_MS) * STEP_MS;
    let mut rng = StdRng::seed_from_u64(41);
    for step in 1..=(now - start) / STEP_MS {
        write(&system, start + step * STEP_MS, step.unsigned_abs()).await?;
        if step % 3 == 0 {
            system.compact_once().await?;
        }
    }
    for i in 0..late {
        let step = rng.random_range(1..=(now - start) / STEP_MS);
        write(&system, start + step * STEP_MS - rng.random_range(0..60_000), 1000 + i as u64).await?;
    }
    system.compact().await?;
    let query = "SELECT \"table\", min_time, max_time, bytes FROM grid.files ORDER BY 1, 2";
    let mut by_table: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for row in system.grid()?.sql("default", query).await? {
        let table = row["table"].as_str().context("a table")?.to_owned();
        let at = |key: &str| row[key].as_i64().map(|ns| ns / 1_000_000).context("a time");
        by_table.entry(table).or_default().push((at("min_time")?, at("max_time")?));
    }
    let mut section =
        Section::new("files", about, &["table", "files in all", "most in one hour", "mean per hour", "bar"]);
    let (mut worst, first) = (0, start.div_euclid(HOUR_MS) + 1);
    let now = now_ms();
    for table in TABLES {
        let files = by_table.get(table).map(Vec::as_slice).unwrap_or_default();
        let hours = (first..).take_while(|hour| (hour + 1) * HOUR_MS + JUDGED_AFTER_MS <= now);
        let counts: Vec<usize> = hours
            .map(|hour| files.iter().filter(|(min, max)| *min < (hour + 1) * HOUR_MS && *max >= hour * HOUR_MS).count())
            .collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        let mean = counts.iter().sum::<usize>() as f64 / counts.len().max(1) as f64;
        section.row([
            table.to_owned(),
            files.len().to_string(),
            most.to_string(),
            format!("{mean:.1}"),
            format!("<= {BAR}"),
        ]);
        worst = worst.max(most);
    }
    let rest: Vec<_> = by_table.iter().filter(|(t, _)| !TABLES.contains(&t.as_str())).collect();
    section.note(rest.iter().map(|(t, f)| format!("{t}: {} files in all", f.len())).collect::<Vec<_>>().join(", "));
    // The hardest hour is one that is over while its window of two hours is not: only some times of the day have one.
    let newest = (now - JUDGED_AFTER_MS).div_euclid(HOUR_MS) - 1;
    let open = newest * HOUR_MS >= closed_end_ms();
    let seen =
        if open { "an hour of an open window among them" } else { "no hour of an open window was there to judge" };
    section.note(format!("Of the hours: {seen}."));
    let measured = format!("at most {worst} files of one signal hold rows of one hour ({seen})");
    context.figure("files_per_hour", worst <= BAR, measured);
    Ok(section)
}
