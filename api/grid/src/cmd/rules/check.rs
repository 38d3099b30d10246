//! `grid rules check`: whether rule files can be used, with promtool's exit codes.

use std::path::Path;
use std::process::ExitCode;

use grid_promql_syntax::Features;
use grid_rules::file::{ParseOptions, has_errors};
use grid_rules::{Problem, RuleFile};

use crate::args::RulesCheckArgs;
use crate::out;

/// What promtool exits with if only its lint complains and that counts.
const LINT_EXIT: u8 = 3;

/// Checks files, which are all told of.
pub(super) fn run(args: &RulesCheckArgs) -> anyhow::Result<ExitCode> {
    let options =
        ParseOptions { features: features(&args.enable_feature)?, ignore_unknown: args.ignore_unknown_fields };
    let (mut failed, mut doubtful) = (false, false);
    for path in &args.files {
        out::line(&format!("Checking {}", path.display()))?;
        let (file, problems) = match read(path, &options) {
            Ok(read) => read,
            Err(e) => {
                out::line(&format!("  FAILED: {e}\n"))?;
                failed = true;
                continue;
            }
        };
        let duplicates = if args.no_lint { Vec::new() } else { file.duplicates() };
        let is_bad = has_errors(&problems);
        failed |= is_bad;
        doubtful |= !duplicates.is_empty();
        if is_bad {
            out::line("  FAILED:")?;
        }
        for problem in &problems {
            out::line(&tell(path, problem, ""))?;
        }
        for problem in &duplicates {
            out::line(&tell(path, problem, "warning: "))?;
        }
        let count = file.rules();
        out::line(&if is_bad {
            format!("  {count} good rules\n")
        } else {
            format!("  SUCCESS: {count} rules found\n")
        })?;
    }
    Ok(match (failed, doubtful && args.lint_fatal) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(LINT_EXIT),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// `FILE:12:7: what`, and what to do below it.
pub(super) fn tell(path: &Path, problem: &Problem, kind: &str) -> String {
    let place = problem.place;
    let mut text = format!("    {}:{}:{}: {kind}{}", path.display(), place.line, place.column, problem.message);
    match &problem.hint {
        // The line of an expression with a mark below the spot.
        Some(hint) if hint.starts_with('\n') => text.push_str(&hint.replace('\n', "\n        ")),
        Some(hint) => text.push_str(&format!("\n      hint: {hint}")),
        None => {}
    }
    text
}

fn read(path: &Path, options: &ParseOptions) -> Result<(RuleFile, Vec<Problem>), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    Ok(RuleFile::parse(&text, options))
}

/// The parts of PromQL that flags turn on.
pub(super) fn features(words: &[String]) -> anyhow::Result<Features> {
    let (features, unknown) = Features::from_names(words.iter().map(String::as_str));
    match unknown.as_slice() {
        [] => Ok(features),
        unknown => {
            anyhow::bail!("there is no {}\nhint: there are {}", unknown.join(", "), Features::ALL.names().join(", "))
        }
    }
}
