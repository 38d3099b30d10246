//! `make bench-ml`: scores of Grid's models on the development parts of public data sets, beside published scores. One configuration for all;
//! the data is not part of the project (see ../shared/data), and what is missing is skipped aloud.
//!
//! Reading order: `main` -> [`forecasts`] (M4), [`anomalies`] (NAB by [`nab`], cloud monitoring),
//! [`changes`] (TCPD), [`replays`] (right-sizing and scaling, with [`loads`]), [`logs`] (Loghub), [`speed`].
//!
//! Architecture invariants:
//! - A model sees a series point by point, or its past only; labels are read by the scorers alone.
//! - No parameter is chosen here: models are asked as users ask them.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod forecasts;
mod anomalies;
mod nab;
mod changes;
mod replays;
mod loads;
mod speed;
mod logs;

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let Some(data) = data() else {
        grid_tests::skip("bench_ml", "no ../shared/data/ml (or GRID_SHARED_DATA)")?;
        return Ok(());
    };
    println!("| data | measure | Grid | bar | published |\n|---|---|---|---|---|");
    for part in [forecasts::run, anomalies::run, changes::run, replays::run, logs::run, speed::run] {
        for line in part(&data)? {
            grid_tests::figure(line.id, line.holds, format!("{}: {}", line.measure, line.grid));
            println!("| {} | {} | {} | {} | {} |", line.data, line.measure, line.grid, line.bar, line.published);
        }
    }
    Ok(())
}

/// One line of the report.
struct Line {
    /// The bar's id in `tests/scorecard.toml`.
    id: &'static str,
    data: &'static str,
    measure: &'static str,
    grid: String,
    bar: &'static str,
    holds: bool,
    published: &'static str,
}

/// The folder of the data sets, if it is there.
fn data() -> Option<PathBuf> {
    let root = grid_tests::shared_data()?.join("ml");
    root.is_dir().then_some(root)
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, n) = values.into_iter().fold((0.0, 0_usize), |(sum, n), v| (sum + v, n + 1));
    sum / n.max(1) as f64
}
