//! DuckDB in a process of its own, which measures itself: no pipe and no JSON is counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use grid_tests::server::Row;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::THREADS;

#[derive(Deserialize)]
struct Hello {
    version: String,
}

#[derive(Deserialize)]
struct Answer {
    ms: f64,
    rows: Vec<Row>,
}

/// A DuckDB with a view per table of Grid's.
pub(crate) struct Duck {
    pub(crate) version: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Duck {
    pub(crate) async fn start(python: &Path, files: &BTreeMap<String, Vec<String>>) -> anyhow::Result<Self> {
        let mut command = Command::new(python);
        command.arg(grid_tests::repository().join("tests/peers/duckdb_bench.py")).arg(THREADS.to_string());
        command.args(files.iter().map(|(table, paths)| format!("{table}={}", paths.join(","))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start DuckDB")?;
        let input = child.stdin.take().context("its input")?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?).lines();
        let hello = output.next_line().await?.context("DuckDB ended at its start")?;
        let Hello { version } = serde_json::from_str(&hello)?;
        Ok(Self { version, input, output, _child: child })
    }

    /// Milliseconds from the text of a query to all its rows, and the rows.
    pub(crate) async fn ask(&mut self, sql: &str) -> anyhow::Result<(f64, Vec<Row>)> {
        self.input.write_all(format!("{}\n", serde_json::to_string(sql)?).as_bytes()).await?;
        self.input.flush().await?;
        let Some(line) = self.output.next_line().await? else { bail!("DuckDB refused it, see above") };
        let answer: Answer = serde_json::from_str(&line)?;
        Ok((answer.ms, answer.rows))
    }
}
