//! `docs/focus-conformance.md`: its tables are what the tests found.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use grid_focus_rules::{Check, Keyword, Reason, Report, Rule, RuleKind, Status, table};
use grid_tests::repository;

use super::Verdicts;
use super::reasons::{REASONS, reason};

/// The files in the order of the page.
const FILES: [&str; 8] = ["sound", "rows", "numbers", "times", "values", "digits", "columns", "focus_sample_500"];

/// Verdicts of both sides, by rule.
pub(crate) struct Compared {
    rules: Vec<Line>,
    sample: bool,
}

struct Line {
    rule: &'static Rule,
    /// One letter per file: passed `.`, failed `F`, not run `-`.
    grid: String,
    theirs: String,
    letters: BTreeSet<&'static str>,
    unexplained: Vec<String>,
}

/// Sets both sides' verdicts against each other.
pub(crate) fn compare(files: &BTreeMap<String, Report>, theirs: &Verdicts) -> anyhow::Result<Compared> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).trim_end_matches(".csv").to_owned();
    let by_name: BTreeMap<String, (&Report, &BTreeMap<String, (String, u64)>)> = files
        .iter()
        .map(|(path, report)| {
            let verdicts = theirs.iter().find(|(file, _)| name(file) == name(path));
            Ok((name(path), (report, verdicts.with_context(|| format!("find {path}"))?.1)))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut rules = Vec::new();
    for rule in table::model().filter(|r| r.kind == RuleKind::Static) {
        let mut line = Line {
            rule,
            grid: String::new(),
            theirs: String::new(),
            letters: BTreeSet::new(),
            unexplained: Vec::new(),
        };
        for file in FILES {
            let Some((report, verdicts)) = by_name.get(file) else { continue };
            let own = report.of(rule.id).with_context(|| format!("find {} in our report", rule.id))?;
            let verdict = verdicts.get(rule.id).map_or("absent", |(verdict, _)| verdict);
            line.grid.push(sign(own.status));
            line.theirs.push(match verdict {
                "failed" => 'F',
                "passed" => '.',
                _ => '-',
            });
            if !differs(own.status, verdict) {
                continue;
            }
            let part = |id: &str| match (report.of(id), verdicts.get(id)) {
                (Some(own), Some((verdict, _))) => differs(own.status, verdict),
                _ => true,
            };
            match reason(own, verdict, part) {
                Some(letter) => _ = line.letters.insert(letter),
                None => line.unexplained.push(format!(
                    "{} on {file}: Grid {} ({} of {}), the validator {verdict}",
                    rule.id, own.status, own.violations, own.checked
                )),
            }
        }
        rules.push(line);
    }
    Ok(Compared { rules, sample: by_name.len() == FILES.len() })
}

fn sign(status: Status) -> char {
    match status {
        Status::Failed => 'F',
        Status::Passed => '.',
        Status::Skipped | Status::NotApplicable | Status::NotComputed => '-',
    }
}

fn differs(own: Status, theirs: &str) -> bool {
    match theirs {
        "failed" => own != Status::Failed,
        "passed" => own != Status::Passed,
        _ => matches!(own, Status::Failed | Status::Passed),
    }
}

impl Compared {
    /// Rules that agree on all files, that differ for a stated reason, and differences without one.
    pub(crate) fn counts(&self) -> (usize, usize, Vec<String>) {
        let unexplained: Vec<String> = self.rules.iter().flat_map(|l| l.unexplained.clone()).collect();
        let sound = self.rules.iter().filter(|l| l.unexplained.is_empty());
        let (agree, differ): (Vec<&Line>, Vec<&Line>) = sound.partition(|l| l.letters.is_empty());
        (agree.len(), differ.len(), unexplained)
    }
}

/// How many dynamic rules are computed.
pub(crate) fn dynamic_counts() -> String {
    let dynamic: Vec<&Rule> = table::model().filter(|r| r.kind == RuleKind::Dynamic).collect();
    let count = |class: &str| dynamic.iter().filter(|r| computed(r) == class).count();
    format!(
        "of {} dynamic rules {} are computed wholly and {} in part, {} are permissions, {} cannot be computed from a bill",
        dynamic.len(),
        count("wholly"),
        count("in part"),
        count("permission"),
        count("no")
    )
}

fn computed(rule: &Rule) -> &'static str {
    match rule.check {
        Check::Unknown(..) => "no",
        _ if rule.keyword == Keyword::May && rule.partly.is_none() && !matches!(rule.check, Check::Cells(_)) => {
            "permission"
        }
        _ if rule.partly.is_some() => "in part",
        _ => "wholly",
    }
}

/// Compares the page's tables with what was found, or writes them.
pub(crate) fn check_page(compared: &Compared) -> anyhow::Result<()> {
    let path = repository().join("docs/focus-conformance.md");
    let page = std::fs::read_to_string(&path).context("read docs/focus-conformance.md")?;
    let mut wanted = page.clone();
    let mut parts = vec![("reasons", reasons_table()), ("defects", defects_table()), ("dynamic", dynamic_table())];
    // Without the sample the columns of the table would be fewer.
    if compared.sample {
        parts.push(("counts", counts_text(compared)));
        parts.push(("static", static_table(compared)));
    }
    for (name, text) in parts {
        let (begin, end) =
            (format!("<!-- {name}: written by tests/tests/focus.rs -->\n"), format!("<!-- end of {name} -->"));
        let from = wanted.find(&begin).with_context(|| format!("find {begin}"))? + begin.len();
        let to = wanted.find(&end).with_context(|| format!("find {end}"))?;
        wanted.replace_range(from..to, &text);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).context("write docs/focus-conformance.md")?;
    } else {
        ensure!(
            page == wanted,
            "docs/focus-conformance.md is not what the tests found: run with UPDATE_EXPECT=1 and read the difference"
        );
    }
    Ok(())
}

fn counts_text(compared: &Compared) -> String {
    let (agree, differ, unexplained) = compared.counts();
    format!(
        "Of 420 static rules {agree} agree on all {} files, {differ} differ for a stated reason, {} without one.\n{}.\n",
        FILES.len(),
        unexplained.len(),
        capital(&dynamic_counts())
    )
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn reasons_table() -> String {
    let lines = REASONS.iter().map(|(letter, says)| format!("| {letter} | {says} |\n"));
    "| letter | reason |\n|---|---|\n".to_owned() + &lines.collect::<String>()
}

fn defects_table() -> String {
    let line = |r: &Rule| r.defect.map(|d| format!("| `{}` | {} | {d} |\n", r.id, r.sentence()));
    "| rule | Grid demands | the published check |\n|---|---|---|\n".to_owned()
        + &table::model().filter_map(line).collect::<String>()
}

fn static_table(compared: &Compared) -> String {
    let mut out = "| rule | keyword | demands | Grid | validator | |\n|---|---|---|---|---|---|\n".to_owned();
    for l in &compared.rules {
        let letters = if l.letters.is_empty() { "=".to_owned() } else { l.letters.iter().copied().collect::<String>() };
        out.push_str(&format!(
            "| `{}` | {} | {} | `{}` | `{}` | {letters} |\n",
            l.rule.id,
            l.rule.keyword.name(),
            l.rule.sentence(),
            l.grid,
            l.theirs
        ));
    }
    out
}

fn dynamic_table() -> String {
    let mut out = "| rule | keyword | demands | computed | |\n|---|---|---|---|---|\n".to_owned();
    for rule in table::model().filter(|r| r.kind == RuleKind::Dynamic) {
        let why = match rule.check {
            Check::Unknown(reason, _) => Reason::says(reason),
            _ => rule.partly.unwrap_or_default(),
        };
        let (id, keyword) = (rule.id, rule.keyword.name());
        out.push_str(&format!("| `{id}` | {keyword} | {} | {} | {why} |\n", rule.sentence(), computed(rule)));
    }
    out
}
