//! Runs the rules of FOCUS over the rows of an import as they are read, and keeps what they said.

use grid_decode::bill::RowObserver;
use grid_focus_rules::{Applicability, Checker, Report, Version};
use grid_store::catalog::{ImportConformance, ImportExample, ImportRule};

/// The checker of the files of one import, and what it found so far.
#[derive(Default)]
pub(super) struct Conformance {
    current: Option<(Vec<String>, Version, Checker)>,
    file: String,
    version: Option<Version>,
    report: Option<Report>,
}

impl Conformance {
    /// Begins a file. `described` says what it is: `FOCUS 1.2`; the rows of other formats are not looked at.
    pub(super) fn begin(&mut self, file: &str, described: &str) {
        file.clone_into(&mut self.file);
        self.version = described.strip_prefix("FOCUS ").and_then(Version::parse);
    }

    /// What the rules said; `None` if there was no FOCUS file.
    pub(super) fn finish(mut self) -> Option<ImportConformance> {
        self.conclude();
        self.report.as_ref().map(stored)
    }

    /// Ends the current checker.
    fn conclude(&mut self) {
        let Some((_, _, checker)) = self.current.take() else { return };
        let report = checker.finish();
        match &mut self.report {
            Some(all) => all.add(report),
            None => self.report = Some(report),
        }
    }
}

impl RowObserver for Conformance {
    fn header(&mut self, columns: &[String]) {
        let Some(version) = self.version else { return };
        // Files of one header are one to rules across rows.
        if !self.current.as_ref().is_some_and(|(known, v, _)| known == columns && *v == version) {
            self.conclude();
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let checker = Checker::new(&names, version, Applicability::of_header(&names));
            self.current = Some((columns.to_vec(), version, checker));
        }
        if let Some((_, _, checker)) = &mut self.current {
            checker.file(&self.file);
        }
    }

    fn row<'r>(&mut self, number: u64, cell: &dyn Fn(usize) -> Option<&'r str>) {
        if let (Some(_), Some((_, _, checker))) = (self.version, &mut self.current) {
            checker.row_of(number, cell);
        }
    }
}

fn stored(report: &Report) -> ImportConformance {
    let rule = |r: &grid_focus_rules::RuleResult| ImportRule {
        rule: r.rule.id.to_owned(),
        status: r.status.name().to_owned(),
        checked: r.checked,
        violations: r.violations,
        examples: r
            .examples
            .iter()
            .map(|e| ImportExample {
                file: e.file.clone(),
                row: e.row,
                column: e.column.clone(),
                value: e.value.clone(),
            })
            .collect(),
        note: r.note.as_ref().map(|n| n.clone().into_owned()),
    };
    ImportConformance {
        version: report.version.name().to_owned(),
        rows: report.rows,
        rules: report.rules.iter().map(rule).collect(),
    }
}
