//! `grid demo`: the tour ends well and is the same for the same seed; in release, the first answer comes in seconds.

use std::time::Duration;

use anyhow::Context;
use grid_tests::{Grid, Options, figure, grid_binary, run_grid, skip};
use serde_json::json;

const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);
const RESIDENT_MB_MAX: u64 = 500;

#[tokio::test]
async fn the_tour_is_the_same_for_the_same_seed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut answers = Vec::new();
    for (run, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        let dir = folder.path().join(run);
        let dir = dir.to_str().context("the folder's name is text")?;
        let until = "2026-06-01T00:00:00Z";
        let tour =
            run_grid(&["demo", "--exit", "--days", "1", "--seed", seed, "--until", until, "--data-dir", dir]).await?;
        assert!(tour.to_lowercase().contains("select"), "the tour shows queries:\n{tour}");
        // No sums of floats: their order is not fixed.
        let query = "SELECT 'samples' AS t, count(*) AS n, count(DISTINCT series_id) AS k, min(value) AS a, max(value) AS b, \
                     min(time) AS c, max(time) AS d FROM samples WHERE NOT is_stale \
                     UNION ALL SELECT 'logs', count(*), count(DISTINCT body), 0, 0, min(time), max(time) FROM logs \
                     UNION ALL SELECT 'spans', count(*), count(DISTINCT trace_id), min(duration_ns), max(duration_ns), \
                     min(start_time), max(start_time) FROM spans ORDER BY t";
        answers.push(run_grid(&["query", query, "--data-dir", dir, "-o", "json"]).await?);
    }
    assert_eq!(answers[0], answers[1], "the same seed tells the same story");
    assert_ne!(answers[0], answers[2], "another seed tells another");
    Ok(())
}

#[tokio::test]
async fn the_first_answer_comes_quickly() -> anyhow::Result<()> {
    let release = grid_binary()?.components().any(|c| c.as_os_str() == "release");
    if !release {
        skip("demo_seconds", "measured on the release build by `make scorecard`")?;
        return skip("demo_memory", "measured on the release build by `make scorecard`");
    }
    let started = std::time::Instant::now();
    let grid = Grid::start_with(Options { verb: "demo".to_owned(), ..Options::default() }).await?;
    let tables = ["samples", "series", "logs", "spans", "charges"];
    let mut counts = Vec::new();
    for table in tables {
        counts.push(format!("{} {table}", grid.count("default", &format!("SELECT count(*) FROM {table}")).await?));
    }
    let took = started.elapsed();
    let resident = grid.memory_kib("VmHWM").context("read the memory's high-water mark")? * 1024 / 1_000_000;
    let measured = format!("{:.1} s to the first answers: {}", took.as_secs_f64(), counts.join(", "));
    let fast = figure("demo_seconds", took <= FIRST_ANSWER_MAX, measured);
    let small = figure("demo_memory", resident <= RESIDENT_MB_MAX, format!("{resident} MB at most (VmHWM)"));
    assert!(fast && small, "{}", json!({"seconds": took.as_secs_f64(), "mb": resident}));
    Ok(())
}
