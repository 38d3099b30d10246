//! `grid promql test`: Prometheus' language tests, on samples in memory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use grid_promql_test::{MemoryTarget, Report};

use crate::out;

/// Runs files and says what came of each.
pub(super) fn run(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let (mut passed, mut all, mut unusable) = (0, 0, 0);
    for path in files {
        let name = path.display();
        let report = match run_file(path) {
            Ok(report) => report,
            Err(reason) => {
                unusable += 1;
                out::line(&reason)?;
                continue;
            }
        };
        for failure in &report.failures {
            let reason = failure.reason.replace('\n', "\n    ");
            out::line(&format!("{name}:{}: {}\n    {reason}", failure.line, failure.query))?;
        }
        let count = report.passed + report.failures.len();
        out::line(&format!("{name}: {}/{count}", report.passed))?;
        passed += report.passed;
        all += count;
    }
    let cut = if unusable > 0 { format!(" ({unusable} files could not be run)") } else { String::new() };
    out::line(&format!("total: {passed}/{all}{cut}")).context("write the report")?;
    Ok(if passed == all && unusable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The error says where.
fn run_file(path: &Path) -> Result<Report, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
    grid_promql_test::run(&text, &mut MemoryTarget::default()).map_err(|reason| {
        let numbered = reason.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        numbered.map_or_else(|| format!("{name}: {reason}"), |(line, why)| format!("{name}:{line}: {why}"))
    })
}
