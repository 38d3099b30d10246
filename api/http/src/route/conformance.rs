//! What the rules of FOCUS said of an import, as the API shows it.

use grid_focus_rules::{RuleKind, Status, table};
use grid_store::catalog::{ImportConformance, ImportRule};
use serde::Serialize;
use utoipa::ToSchema;

/// How far a bill keeps the rules of FOCUS. Every rule is in the table `grid.conformance`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Conformance {
    /// The version of FOCUS whose rules were asked.
    #[schema(example = "1.2")]
    version: String,
    /// Rows that were checked.
    rows: u64,
    /// Whether no `MUST` and no `MUST NOT` is violated.
    conforms: bool,
    /// Rules that are violated.
    rules_failed: usize,
    /// Rules that every row keeps.
    rules_passed: usize,
    /// Rules that look at a column that the bill does not have.
    rules_skipped: usize,
    /// Rules about what the provider does not support.
    rules_not_applicable: usize,
    /// Rules that no bill can show to be kept.
    rules_not_computed: usize,
    /// Rules that have an executable check in the requirement model and were run.
    static_rules_run: usize,
    /// The violated rules, duties first, most violations first; rules that are made of others are left out.
    failed: Vec<FailedRule>,
}

/// A rule that is violated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FailedRule {
    /// The id in the requirement model.
    #[schema(example = "ListCost-C-009-C")]
    rule: String,
    /// `MUST`, `SHOULD`, ...
    #[schema(example = "MUST")]
    keyword: &'static str,
    /// What it demands.
    #[schema(example = "ListUnitPrice x PricingQuantity = ListCost where ChargeClass is not \"Correction\"")]
    demands: String,
    /// How many rows it concerns.
    checked: u64,
    /// How many of those violate it; of a rule across rows, how many keys.
    violations: u64,
    /// The first violations.
    examples: Vec<Violation>,
    /// What about the check to know.
    note: Option<String>,
    /// What to do about it.
    hint: Option<&'static str>,
}

/// A place where a rule is violated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Violation {
    /// The file.
    file: String,
    /// The row, counted from 1 after the header; 0 is the header.
    row: u64,
    /// The column.
    column: String,
    /// What stands there.
    value: String,
}

/// As the API shows it.
pub(crate) fn show(c: ImportConformance) -> Conformance {
    let count = |status: Status| c.rules.iter().filter(|r| r.status == status.name()).count();
    let rule = |r: &ImportRule| table::by_id(&r.rule);
    let failed = |r: &&ImportRule| r.status == Status::Failed.name();
    let binds = |r: &ImportRule| rule(r).is_none_or(|r| r.keyword.binds());
    let mut own: Vec<&ImportRule> =
        c.rules.iter().filter(failed).filter(|r| rule(r).is_none_or(|r| r.parts().is_empty())).collect();
    own.sort_by_key(|r| (!binds(r), std::cmp::Reverse(r.violations)));
    let run = |r: &&ImportRule| {
        let was = [Status::Failed, Status::Passed].iter().any(|s| s.name() == r.status);
        was && rule(r).is_some_and(|r| r.kind == RuleKind::Static)
    };
    Conformance {
        rows: c.rows,
        conforms: !c.rules.iter().filter(failed).any(binds),
        rules_failed: count(Status::Failed),
        rules_passed: count(Status::Passed),
        rules_skipped: count(Status::Skipped),
        rules_not_applicable: count(Status::NotApplicable),
        rules_not_computed: count(Status::NotComputed),
        static_rules_run: c.rules.iter().filter(run).count(),
        failed: own.into_iter().map(failed_rule).collect(),
        version: c.version,
    }
}

fn failed_rule(r: &ImportRule) -> FailedRule {
    let known = table::by_id(&r.rule);
    FailedRule {
        rule: r.rule.clone(),
        keyword: known.map_or("", |k| k.keyword.name()),
        demands: known.map(|k| k.sentence()).unwrap_or_default(),
        checked: r.checked,
        violations: r.violations,
        examples: r
            .examples
            .iter()
            .map(|e| Violation { file: e.file.clone(), row: e.row, column: e.column.clone(), value: e.value.clone() })
            .collect(),
        note: r.note.clone(),
        hint: known.map(|k| k.hint()).filter(|h| !h.is_empty()),
    }
}

/// As the command line shows it: the same shape as the API's.
pub fn conformance_json(c: ImportConformance) -> serde_json::Value {
    serde_json::to_value(show(c)).unwrap_or_default()
}
