//! What the checker found.

use std::borrow::Cow;
use std::fmt;

use crate::criterion::{Applicability, Criterion};
use crate::rule::{Rule, RuleKind};
use crate::version::Version;

/// The verdict on one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Violated.
    Failed,
    /// Kept, by every row that it concerns.
    Passed,
    /// Not run: the file lacks a column that it looks at. That the column is owed is another rule.
    Skipped,
    /// The provider does not support what it is about.
    NotApplicable,
    /// No bill can show whether it is kept.
    NotComputed,
}

impl Status {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::Failed, Self::Passed, Self::Skipped, Self::NotApplicable, Self::NotComputed];

    /// `not applicable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::NotApplicable => "not applicable",
            Self::NotComputed => "not computed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place where a rule is violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The file, as [`crate::Checker::file`] was told; empty if it was not.
    pub file: String,
    /// The row, as [`crate::Checker::row`] was told; 0 is the header.
    pub row: u64,
    /// The column, or the columns' names in a few words.
    pub column: String,
    /// What stands there, cut at a bound.
    pub value: String,
}

/// One rule's result.
#[derive(Debug, Clone)]
pub struct RuleResult {
    /// The rule.
    pub rule: &'static Rule,
    /// The verdict.
    pub status: Status,
    /// Rows that it concerned; of a rule over all cells, cells; of a rule made of others, the rules that were run.
    pub checked: u64,
    /// How many of those violate it; of a rule across rows, keys.
    pub violations: u64,
    /// The first of them.
    pub examples: Vec<Example>,
    /// Why it was not run, or what about it to know.
    pub note: Option<Cow<'static, str>>,
}

impl RuleResult {
    /// Whether a file does not conform for this.
    pub fn is_failure(&self) -> bool {
        self.status == Status::Failed && self.rule.keyword.binds()
    }
}

/// What a file's conformance is.
#[derive(Debug, Clone)]
pub struct Report {
    /// The version whose rules were asked.
    pub version: Version,
    /// Rows seen.
    pub rows: u64,
    /// What the provider was taken to support.
    pub applicability: Applicability,
    /// Each rule of the version, in the order of the table.
    pub rules: Vec<RuleResult>,
}

impl Report {
    /// How many rules have a verdict.
    pub fn count(&self, status: Status) -> usize {
        self.rules.iter().filter(|r| r.status == status).count()
    }

    /// How many rules of a kind were run: everything but what no bill can show.
    pub fn computed(&self, kind: RuleKind) -> usize {
        self.rules.iter().filter(|r| r.rule.kind == kind && r.status != Status::NotComputed).count()
    }

    /// The result of a rule.
    pub fn of(&self, id: &str) -> Option<&RuleResult> {
        self.rules.iter().find(|r| r.rule.id == id)
    }

    /// The rules that are violated themselves (not those made of them), duties before advice, most violations first.
    pub fn failed(&self) -> Vec<&RuleResult> {
        let own = |r: &&RuleResult| r.status == Status::Failed && r.rule.parts().is_empty();
        let mut failed: Vec<_> = self.rules.iter().filter(own).collect();
        failed.sort_by_key(|r| (!r.rule.keyword.binds(), std::cmp::Reverse(r.violations)));
        failed
    }

    /// Whether no duty is violated.
    pub fn conforms(&self) -> bool {
        !self.rules.iter().any(RuleResult::is_failure)
    }

    /// What the provider was taken not to support.
    pub fn unsupported(&self) -> impl Iterator<Item = Criterion> {
        let applicability = self.applicability;
        Criterion::ALL.iter().copied().filter(move |c| !applicability.has(*c))
    }
}
