//! Figures for `make scorecard`: suites append what they measured to a file, the scorecard sets it against the bars.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// Variable that names the file to which figures are appended; absent in an ordinary test run.
pub const FIGURES_FILE: &str = "GRID_FIGURES";

/// One measurement of one bar of `scorecard.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// The bar's id.
    pub bar: String,
    /// What was measured, for a reader.
    pub measured: String,
    /// Whether it holds; `None` if it was skipped, and then `measured` is the reason.
    pub pass: Option<bool>,
}

/// Notes a figure, prints it, and answers whether the bar held.
pub fn figure(bar: &str, pass: bool, measured: impl Into<String>) -> bool {
    let measured = measured.into();
    say(&format!("FIGURE {bar}: {measured}"));
    note(&Figure { bar: bar.to_owned(), measured, pass: Some(pass) });
    pass
}

/// Says that a suite cannot run here and why. The line goes past the test runner's capture, so that it is seen in
/// every run, and is counted by `.ci/run`. Always `Ok`, so that a test can end with it.
pub fn skip(bar: &str, reason: impl Into<String>) -> anyhow::Result<()> {
    let measured = reason.into();
    say(&format!("SKIPPED {bar}: {measured}"));
    note(&Figure { bar: bar.to_owned(), measured, pass: None });
    Ok(())
}

/// Prints a line past the capture of the test runner, which hooks `print!` but not the stream itself.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether this run is the scorecard's: longer, and with figures kept.
pub fn scorecard() -> bool {
    std::env::var_os(FIGURES_FILE).is_some()
}

fn note(figure: &Figure) {
    let Some(path) = std::env::var_os(FIGURES_FILE) else { return };
    let line = serde_json::to_string(figure).expect("a figure is plain data");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    if let Err(e) = file.and_then(|mut f| writeln!(f, "{line}")) {
        say(&format!("cannot note a figure in {}: {e}", path.display()));
    }
}
