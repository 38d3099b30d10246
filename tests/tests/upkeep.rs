//! Living with a data directory: the later write wins, retention and deletes really delete, backups restore, a stop is
//! orderly, and two programs never hold one directory.

use anyhow::{Context, ensure};
use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_logs, remote_write};
use grid_tests::{Grid, Options, now_ns, run_grid};
use serde_json::json;

const DAY_NS: i64 = 86_400_000_000_000;

#[tokio::test]
async fn the_later_write_wins_wherever_both_rest() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let long_ago = 0;
    let recent = now_ns() / 1_000_000 - 10 * 86_400_000;
    let labels = [("__name__", "twice"), ("a", "b")];
    for (round, value) in [1.0, 2.0, 3.0, 4.0, 5.0].into_iter().enumerate() {
        let samples = [(recent, value), (long_ago, value), (recent + round as i64 + 1, 100.0 + value)];
        grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, remote_write(&labels, &samples)).await?;
        for state in ["buffered", "flushed", "compacted"] {
            let rows = grid.sql("default", "SELECT value FROM metrics.\"twice\" WHERE value < 100").await?;
            let values: Vec<_> = rows.iter().map(|r| r["value"].clone()).collect();
            ensure!(values == [json!(value), json!(value)], "round {round}, {state}: {values:?}");
            let all = grid.count("default", "SELECT count(*) FROM samples").await?;
            ensure!(all == 3 + round as u64, "round {round}, {state}: {all} samples");
            match state {
                "buffered" => drop(grid.flush().await?),
                // The last round stays in the buffer over files, then beside compacted ones.
                _ if round < 4 => drop(grid.compact().await?),
                _ => {}
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn retention_and_deletes_really_delete() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let now = now_ns();
    for (age, word) in [(0, "new"), (40, "old"), (400, "older")] {
        let lines: Vec<_> = (0..10).map(|i| (now - age * DAY_NS - i, format!("{word} {i}"))).collect();
        grid.post_ok("/v1/logs", "default", &JSON_HEADERS, otlp_logs(word, &lines)).await?;
        grid.post_ok("/v1/logs", "other", &JSON_HEADERS, otlp_logs(word, &lines)).await?;
    }
    grid.flush().await?;
    let files_before = grid.count("default", "SELECT count(*) FROM grid.files").await?;
    ensure!(grid.count("default", "SELECT count(*) FROM logs").await? == 30, "nothing goes without a rule");
    run_grid(&["retention", "set", "logs", "30d", "--url", &grid.http]).await?;
    run_grid(&["retention", "run", "--url", &grid.http]).await?;
    let left = grid.sql("default", "SELECT DISTINCT service FROM logs").await?;
    ensure!(left.len() == 1 && left[0]["service"] == "new", "{left:?}");
    ensure!(grid.count("default", "SELECT count(*) FROM grid.files").await? < files_before, "files stay listed");
    ensure!(grid.count("other", "SELECT count(*) FROM logs").await? == 30, "a rule is one tenant's");

    let args = ["delete", "logs", "--where", "body IN ('new 3', 'new 4')", "--yes", "--url", &grid.http];
    run_grid(&args).await?;
    ensure!(grid.count("default", "SELECT count(*) FROM logs").await? == 8, "deleted by filter");
    ensure!(
        grid.count("default", "SELECT count(*) FROM logs WHERE match(body, '3')").await? == 0,
        "still found by its words"
    );
    grid.compact().await?;
    ensure!(grid.count("default", "SELECT count(*) FROM logs").await? == 8, "deleted rows came back");
    Ok(())
}

#[tokio::test]
async fn a_backup_restores_to_the_same_rows() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let [data, backup, restored] = ["data", "backup", "restored"].map(|n| folder.path().join(n));
    let mut grid = Grid::start_with(Options { data_dir: Some(data.clone()), ..Options::default() }).await?;
    for round in 0..3 {
        let lines: Vec<_> = (0..50).map(|i| (now_ns() - i, format!("{round}/{i}"))).collect();
        grid.post_ok("/v1/logs", "default", &JSON_HEADERS, otlp_logs("kept", &lines)).await?;
        let labels = [("__name__", "kept"), ("round", &round.to_string())];
        grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, remote_write(&labels, &[(1000, 1.0)])).await?;
        if round == 0 {
            grid.flush().await?;
        }
    }
    let query = "SELECT (SELECT count(DISTINCT body) FROM logs) AS lines, (SELECT count(*) FROM samples) AS samples, \
                 (SELECT count(*) FROM series WHERE metric = 'kept') AS series";
    let before = grid.sql("default", query).await?;
    let path = |p: &std::path::Path| p.to_str().map(str::to_owned).context("the path is text");

    // A directory that a server holds is refused, and the refusal says where to ask instead.
    let refused = run_grid(&["query", "SELECT 1", "--data-dir", &path(&data)?]).await;
    let refused = refused.err().context("a held directory was opened")?.to_string();
    ensure!(refused.contains(grid.http.trim_start_matches("http://")), "the refusal names no address: {refused}");

    let status = grid.terminate().await?;
    ensure!(status.success(), "SIGTERM ends with {status}");
    run_grid(&["backup", &path(&backup)?, "--data-dir", &path(&data)?]).await?;
    run_grid(&["restore", &path(&backup)?, "--data-dir", &path(&restored)?]).await?;
    let grid = Grid::start_with(Options { data_dir: Some(restored), ..Options::default() }).await?;
    let after = grid.sql("default", query).await?;
    ensure!(before == after, "{before:?} became {after:?}");
    ensure!(after[0]["lines"] == json!(150) && after[0]["samples"] == json!(3), "{after:?}");
    Ok(())
}

#[tokio::test]
async fn times_from_1970_to_tomorrow_are_data() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let now_ms = now_ns() / 1_000_000;
    // Two samples a year since 1970, not in order; one too far ahead.
    let mut samples: Vec<(i64, f64)> = (0..112).map(|i| (i * now_ms / 112, i as f64)).collect();
    samples.reverse();
    let labels = [("__name__", "history")];
    grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, remote_write(&labels, &samples)).await?;
    let ahead = remote_write(&labels, &[(now_ms, 1.0), (now_ms + 30 * 3_600_000, 2.0)]);
    let (status, text) = grid.post("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, ahead).await?;
    ensure!(status == 400 && text.contains("future"), "a sample 30 h ahead: {status} {text}");
    for state in ["buffered", "flushed", "compacted"] {
        let count = grid.count("default", "SELECT count(*) FROM metrics.\"history\"").await?;
        ensure!(count == 113, "{state}: {count} samples, though the good part of a request is kept");
        match state {
            "buffered" => drop(grid.flush().await?),
            _ => drop(grid.compact().await?),
        }
    }
    let files = grid.count("default", "SELECT count(*) FROM grid.files WHERE \"table\" = 'samples'").await?;
    ensure!(files <= 60, "{files} files for 113 samples");
    Ok(())
}
