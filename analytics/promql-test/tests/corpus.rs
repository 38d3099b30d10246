//! The evaluator against Prometheus' own language tests, and against own ones.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot read its cases has failed")]

use std::path::{Path, PathBuf};

use grid_promql_test::{MemoryTarget, run};

/// Queries of all files of a folder that pass, of how many, and what is said of the others.
fn of_folder(folder: &Path) -> (usize, usize, Vec<String>) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let (mut passed, mut all, mut failures) = (0, 0, Vec::new());
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "test")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match run(&std::fs::read_to_string(file).unwrap(), &mut MemoryTarget::default()) {
            Err(e) => failures.push(format!("{name}: {e}")),
            Ok(report) => {
                passed += report.passed;
                all += report.passed + report.failures.len();
                failures
                    .extend(report.failures.iter().map(|f| format!("{name}:{}: {}: {}", f.line, f.query, f.reason)));
            }
        }
    }
    (passed, all, failures)
}

#[test]
fn own_cases_pass() {
    let (passed, all, failures) = of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"));
    assert!(failures.is_empty() && all > 0, "{passed} of {all}:\n{}", failures.join("\n"));
}

#[test]
fn prometheus_cases_pass() {
    let Some(shared) = std::env::var_os("GRID_SHARED_DATA") else {
        eprintln!("SKIPPED prometheus_cases_pass: GRID_SHARED_DATA names no folder with Prometheus' language tests");
        return;
    };
    let (passed, all, failures) = of_folder(&Path::new(&shared).join("promql/corpus"));
    assert!(failures.is_empty(), "{passed} of {all}:\n{}", failures.join("\n"));
}
