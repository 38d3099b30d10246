//! Log templates on Loghub's samples of 2,000 lines with corrected labels (Khan et al., ICSE 2022), contents of lines only.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use grid_ml::patterns::{Miner, VARIABLE};

use crate::{Line, mean};

/// Rounds over the same lines to measure speed.
const ROUNDS: usize = 20;

/// Grouping accuracy, and F1 of groups and of templates.
struct Score {
    ga: f64,
    fga: f64,
    fta: f64,
}

pub(crate) fn run(data: &Path) -> anyhow::Result<Vec<Line>> {
    let root = data.join("loghub_corrected");
    let folders = fs::read_dir(&root).context("Loghub")?.flatten().filter_map(|f| fs::read_dir(f.path()).ok());
    let mut files: Vec<PathBuf> = folders.flatten().flatten().map(|f| f.path()).collect();
    files.retain(|p| p.to_string_lossy().contains("structured"));
    files.sort();
    let (mut scores, mut lines, mut seconds) = (Vec::new(), 0, 0.0);
    for file in &files {
        let rows = rows(file).with_context(|| file.display().to_string())?;
        scores.push(score(&rows));
        let mut miner = Miner::new();
        let started = Instant::now();
        (0..ROUNDS).for_each(|_| rows.iter().for_each(|(content, _)| _ = miner.add(content)));
        seconds += started.elapsed().as_secs_f64();
        lines += ROUNDS * rows.len();
    }
    let of = |measure: fn(&Score) -> f64| mean(scores.iter().map(measure));
    let (ga, fga, fta, speed) = (of(|s| s.ga), of(|s| s.fga), of(|s| s.fta), lines as f64 / seconds);
    Ok(vec![Line {
        id: "ml_log_patterns",
        data: "Loghub, development part (8 systems), corrected labels",
        measure: "GA; FGA; FTA; lines per second and core",
        grid: format!("{ga:.3}; {fga:.3}; {fta:.3}; {speed:.0}"),
        bar: ">= .93; >= .86; >= .45; >= 1,000,000",
        holds: ga >= 0.93 && fga >= 0.86 && fta >= 0.45 && speed >= 1e6,
        published: "Brain GA .983, Drain .865 (regexes per data set), drain3 .749 (none)",
    }])
}

/// Content and true template of each line.
fn rows(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut reader = csv::Reader::from_path(file)?;
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|h| h == name).with_context(|| format!("no column {name}"));
    let (content, template) = (column("Content")?, column("EventTemplate")?);
    reader.records().map(|r| r.map(|r| (r[content].to_owned(), r[template].to_owned())).map_err(Into::into)).collect()
}

fn score(rows: &[(String, String)]) -> Score {
    let mut miner = Miner::new();
    let shapes: Vec<u32> = rows.iter().map(|(content, _)| miner.add(content)).collect();
    let templates = miner.templates();
    let mut groups: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut truth: HashMap<&str, usize> = HashMap::new();
    for (n, shape) in shapes.iter().enumerate() {
        groups.entry(templates.of_shape[*shape as usize]).or_default().push(n);
        *truth.entry(&rows[n].1).or_default() += 1;
    }
    let (mut lines, mut right, mut told) = (0, 0.0, 0.0);
    for (template, members) in &groups {
        let label = &rows[members[0]].1;
        if members.iter().all(|n| rows[*n].1 == *label) && truth[label.as_str()] == members.len() {
            lines += members.len();
            right += 1.0;
            let ours = &templates.all[*template as usize].text;
            told += f64::from(u8::from(folded(ours) == folded(label)));
        }
    }
    // The harmonic mean of hits / groups and hits / templates.
    let f1 = |hits: f64| 2.0 * hits / (groups.len() + truth.len()) as f64;
    Score { ga: lines as f64 / rows.len() as f64, fga: f1(right), fta: f1(told) }
}

/// A template with neighbouring variables as one and white space folded, as the labels' own tools compare them.
fn folded(template: &str) -> String {
    let mut text = template.split_whitespace().collect::<Vec<_>>().join(" ");
    loop {
        let before = text.len();
        for between in ["", ".", ":", ",", " "] {
            text = text.replace(&format!("{VARIABLE}{between}{VARIABLE}"), VARIABLE);
        }
        if text.len() == before {
            return text;
        }
    }
}
