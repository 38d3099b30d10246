//! `grid rules test`: promtool's unit tests, with its exit codes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use grid_insight::rules::source;
use grid_rules::file::{ParseOptions, has_errors};
use grid_rules::unit::{RunOptions, UnitFile, run as run_unit};
use grid_rules::{GroupSpec, RuleFile};
use regex::Regex;

use super::check::{features, tell};
use crate::args::RulesTestArgs;
use crate::out;

/// Runs files, which are all told of.
pub(super) fn run(args: &RulesTestArgs) -> anyhow::Result<ExitCode> {
    let options =
        ParseOptions { features: features(&args.enable_feature)?, ignore_unknown: args.ignore_unknown_fields };
    let patterns: Result<Vec<Regex>, _> = args.run.iter().map(|text| Regex::new(text)).collect();
    let patterns = patterns.context("read --run")?;
    let mut failed = false;
    for path in &args.files {
        out::line(&format!("Unit Testing:  {}", path.display()))?;
        let failures = match run_file(path, &options, &patterns) {
            Ok(failures) => failures,
            Err(failures) => failures,
        };
        if failures.is_empty() {
            out::line("  SUCCESS\n")?;
            continue;
        }
        failed = true;
        out::line("  FAILED:")?;
        for failure in failures {
            out::line(&format!("{failure}\n"))?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is not as expected; `Err` if the tests could not be run.
fn run_file(path: &Path, options: &ParseOptions, patterns: &[Regex]) -> Result<Vec<String>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| vec![format!("    {}: {e}", path.display())])?;
    let all = |problems: Vec<grid_rules::Problem>, path: &Path| problems.iter().map(|p| tell(path, p, "")).collect();
    let file = UnitFile::parse(&text, options).map_err(|problems| -> Vec<String> { all(problems, path) })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut groups: Vec<Arc<GroupSpec>> = Vec::new();
    for found in rule_files(folder, &file.rule_files).map_err(|e| vec![format!("    {e}")])? {
        let text = std::fs::read_to_string(&found).map_err(|e| vec![format!("    {}: {e}", found.display())])?;
        let (rules, problems) = RuleFile::parse(&text, options);
        if has_errors(&problems) {
            return Err(all(problems, &found));
        }
        groups.extend(rules.groups.into_iter().map(Arc::new));
    }
    let wanted = |name: &str| patterns.is_empty() || patterns.iter().any(|p| p.is_match(name));
    let options = RunOptions { features: options.features };
    Ok(run_unit(&file, &groups, &options, &wanted).iter().map(ToString::to_string).collect())
}

/// The rule files that a test file names, relative to it.
fn rule_files(folder: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for pattern in patterns {
        let pattern = folder.join(pattern).display().to_string();
        let found = source::files(std::slice::from_ref(&pattern))?;
        // promtool goes on without; a test of rules that are not there is none.
        if found.is_empty() {
            return Err(format!("{pattern} matches no file"));
        }
        all.extend(found);
    }
    Ok(all)
}
