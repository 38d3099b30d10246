//! What the documents tell a reader to type works: every fenced block marked `sh ci` is run, in order, each document in a
//! folder of its own, against a server on the default ports, with `grid` on the path.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use grid_tests::{Grid, Options, figure, grid_binary, repository, skip};

#[tokio::test]
async fn commands_in_the_documents_work() -> anyhow::Result<()> {
    if let Some(port) = [7080, 4317, 4318].into_iter().find(|p| std::net::TcpListener::bind(("127.0.0.1", *p)).is_err())
    {
        return skip("docs", format!("port {port} is taken on this machine, and the documents name it"));
    }
    let mut ran = 0;
    let mut documents = vec![repository().join("README.md")];
    documents.extend(markdown(&repository().join("docs")));
    for document in documents {
        let blocks = blocks(&std::fs::read_to_string(&document)?);
        if blocks.is_empty() {
            continue;
        }
        ran += blocks.len();
        run(&document, &blocks).await.with_context(|| document.display().to_string())?;
    }
    ensure!(ran > 0, "no block is marked `sh ci`");
    figure("docs", true, format!("{ran} blocks of commands ran"));
    Ok(())
}

async fn run(document: &Path, blocks: &[String]) -> anyhow::Result<()> {
    let mut grid = Grid::start_with(Options { default_ports: true, ..Options::default() }).await?;
    let folder = tempfile::tempdir()?;
    let mut script = "set -euo pipefail\n".to_owned();
    for block in blocks {
        writeln!(script, "{block}")?;
    }
    let bin = grid_binary()?;
    let path = format!(
        "{}:{}",
        bin.parent().context("the binary lies in a folder")?.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let command = tokio::process::Command::new("bash")
        .args(["-xc", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(300), command).await.context("wait for the commands")??;
    ensure!(
        output.status.success(),
        "{}: {}\n{}\n{}",
        document.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    grid.terminate().await?;
    Ok(())
}

fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        match &mut current {
            None if line.trim_end() == "```sh ci" => current = Some(String::new()),
            None => {}
            Some(_) if line.trim_end() == "```" => blocks.extend(current.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

fn markdown(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(markdown(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}
