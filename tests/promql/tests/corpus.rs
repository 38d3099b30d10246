//! Prometheus' language tests, and own ones, over the real store: rows in the buffer, in Parquet, in both, compacted.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use grid_promql_conformance::bed::{Place, StoreTarget};
use grid_promql_test::run;
use grid_tests::{figure, repository, shared_data, skip};

/// Queries of all files of a folder that pass, of how many, and what is said of the others.
fn of_folder(
    folder: &Path,
    target: impl Fn() -> anyhow::Result<StoreTarget>,
) -> anyhow::Result<(usize, usize, Vec<String>)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "test") {
            files.push(path);
        }
    }
    files.sort();
    let (mut passed, mut all, mut failures) = (0, 0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let report = run(&std::fs::read_to_string(file)?, &mut target()?);
        let report = report.map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
        passed += report.passed;
        all += report.passed + report.failures.len();
        let say = |f: &grid_promql_test::Failure| format!("{name}:{}: {}: {}", f.line, f.query, f.reason);
        failures.extend(report.failures.iter().map(say));
    }
    Ok((passed, all, failures))
}

fn own() -> PathBuf {
    repository().join("analytics/promql-test/cases")
}

#[test]
fn own_cases_pass_wherever_rows_rest() -> anyhow::Result<()> {
    for place in Place::ALL {
        let (passed, all, failures) = of_folder(&own(), || StoreTarget::new(place))?;
        assert!(failures.is_empty() && all > 0, "{place:?}: {passed} of {all}:\n{}", failures.join("\n"));
    }
    Ok(())
}

#[test]
fn prometheus_cases_pass_wherever_rows_rest() -> anyhow::Result<()> {
    let Some(shared) = shared_data() else { return skip("promql_corpus", "no shared data (GRID_SHARED_DATA)") };
    let (mut measured, mut wrong) = (Vec::new(), Vec::new());
    for place in Place::ALL {
        let (passed, all, failures) = of_folder(&shared.join("promql/corpus"), || StoreTarget::new(place))?;
        measured.push(format!("{passed} of {all} ({place:?})"));
        wrong.extend(failures.into_iter().map(|f| format!("{place:?}: {f}")));
    }
    let held = figure("promql_corpus", wrong.is_empty(), measured.join(", "));
    assert!(held, "{} failures:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    Ok(())
}

/// A plan is made, written as bytes, read by another engine and run there.
#[test]
fn every_plan_survives_its_codec() -> anyhow::Result<()> {
    for place in Place::ALL {
        let (passed, all, failures) = of_folder(&own(), || StoreTarget::by_codec(place))?;
        assert!(failures.is_empty() && all > 0, "{place:?}: {passed} of {all}:\n{}", failures.join("\n"));
    }
    let Some(shared) = shared_data() else { return skip("promql_codec", "no shared data (GRID_SHARED_DATA)") };
    let (mut measured, mut wrong) = (Vec::new(), Vec::new());
    for place in Place::ALL {
        let (passed, all, failures) = of_folder(&shared.join("promql/corpus"), || StoreTarget::by_codec(place))?;
        measured.push(format!("{passed} of {all} ({place:?})"));
        wrong.extend(failures.into_iter().map(|f| format!("{place:?}: {f}")));
    }
    let held = figure("promql_codec", wrong.is_empty(), measured.join(", "));
    assert!(held, "{} failures:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    Ok(())
}
