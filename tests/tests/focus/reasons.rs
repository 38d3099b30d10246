//! Why Grid and the public validator may differ on a rule. A difference that none of these explains fails the test.

use grid_focus_rules::column::Kind;
use grid_focus_rules::{Check, Column, Keyword, Rule, RuleResult, Status, When, table};

/// Letters of the page, with what they mean.
pub(crate) const REASONS: [(&str, &str); 15] = [
    ("P", "a permission: the validator skips it; Grid runs it, and nothing violates it"),
    (
        "M",
        "a column is missing: the validator fails every rule that looks at it; Grid says so once, by the rule on the column's presence, and skips the others",
    ),
    (
        "C",
        "a rule made of others: it differs because one of those does, or because the validator lets advice that was not taken, or a part that was skipped, decide",
    ),
    (
        "D",
        "the published check is wrong, and Grid runs what the rule's words say: the defect is in the table of defects",
    ),
    ("X", "rules on formats and handling as such: no column's rule names them, and the validator leaves them out"),
    (
        "S",
        "the validator skips a rule if one that it depends on is in words only, or has a check that the validator lacks",
    ),
    ("O", "allowed values: the validator is content if any row has any of the values; Grid asks every row"),
    (
        "N",
        "a condition `is not X`: the validator drops the rows where the column is null, thus most rows of most bills; for Grid a null is not X",
    ),
    ("T", "products: the validator compares floats to within 1e-9, and drops rows as under N; Grid compares exactly"),
    (
        "L",
        "the validator's loader turns a column into numbers or instants before any rule sees its text: what it cannot turn becomes null, is cut out of the text, or takes the column away",
    ),
    (
        "I",
        "types: the validator guesses a CSV column's type from its values, so that ids of digits are no strings and whole numbers are no decimals; a CSV file has no types, and Grid asks whether the text can be read as the type",
    ),
    ("A", "strings: the validator allows ASCII only; FOCUS allows Unicode, and so does Grid"),
    (
        "J",
        "key-value format: the validator takes any JSON, nested or not, with keys twice; Grid takes objects of scalars with each key once",
    ),
    (
        "G",
        "one value per key: the validator counts keys without any value, and rows without a key, as violations; Grid compares what is there",
    ),
    (
        "V",
        "currencies: the validator wants a national code or trims blanks; FOCUS allows a virtual currency in PricingCurrency",
    ),
];

/// The letter of the reason for which two verdicts differ, if there is one.
pub(crate) fn reason(grid: &RuleResult, theirs: &str, part_differs: impl Fn(&str) -> bool) -> Option<&'static str> {
    let rule = grid.rule;
    let (failed, passed) = (grid.status == Status::Failed, grid.status == Status::Passed);
    if theirs == "absent" {
        return Some("X");
    }
    if !rule.parts().is_empty() {
        let advice = |id: &str| table::by_id(id).is_some_and(|r| !r.keyword.binds());
        if rule.defect.is_some() {
            return Some("D");
        }
        let excused = rule.parts().iter().any(|p| part_differs(p) || advice(p));
        return (excused || theirs == "skipped").then_some("C");
    }
    if rule.keyword == Keyword::May && theirs == "skipped" {
        return Some("P");
    }
    if grid.status == Status::Skipped {
        return Some("M");
    }
    if rule.defect.is_some() {
        return Some("D");
    }
    if theirs == "skipped" {
        return Some("S");
    }
    match rule.check {
        Check::Present(c) if passed && turned(&c) => Some("L"),
        Check::OneOf(..) | Check::Child(..) | Check::ChildOf(..) if failed => Some("O"),
        Check::Number(_) | Check::Text(_) if passed => Some("I"),
        Check::Number(_) | Check::PlainNumber(_) | Check::Time(_) | Check::PlainTime(_) => Some("L"),
        Check::PlainText(_) => Some("A"),
        Check::KeyValue(_) if failed => Some("J"),
        Check::Product(..) if failed => Some("T"),
        Check::OnePer(..) if passed => Some("G"),
        Check::Currency(_) | Check::NationalCurrency(_) => Some("V"),
        _ if failed && says_not(rule) => Some("N"),
        _ if loaded(rule) => Some("L"),
        _ => None,
    }
}

/// Whether a rule looks at numbers or instants.
fn loaded(rule: &Rule) -> bool {
    rule.check.columns().iter().chain(&rule.when.columns()).any(turned)
}

/// Whether the validator's loader turns a column into numbers or instants.
fn turned(column: &Column) -> bool {
    matches!(column.kind(), Kind::Number | Kind::Time)
}

/// Whether a rule, or one that it is part of, has a condition `is not X`.
fn says_not(rule: &Rule) -> bool {
    fn has(when: &When) -> bool {
        match when {
            When::IsNot(..) => true,
            When::All(of) | When::Any(of) => of.iter().any(has),
            _ => false,
        }
    }
    has(&rule.when) || table::model().any(|above| above.parts().iter().any(|p| p == rule.id) && says_not(above))
}
