//! Every rule, one line each, grouped by what it is about.
//!
//! A line reads: id, keyword, what is demanded; then, where they are not empty, of which rows (`when`), what the provider must support
//! (`needs`), what is wrong with the published check and what Grid does instead (`defect`), and why a check is a part of what the
//! words demand only (`partly`). `rule` has an executable check in the requirement model, `dynamic` has words.
//!
//! A test in `tests/tests/focus.rs` compares this table with the model: the same ids, kinds, keywords, columns and parts.

mod words;
mod dataset;
mod attributes;
mod accounts;
mod charge;
mod costs;
mod prices;
mod sku;
mod commitments;
mod services;
mod later;

use crate::rule::Rule;

/// The 621 rules of the requirement model of FOCUS 1.2.
pub fn model() -> impl Iterator<Item = &'static Rule> {
    let parts = [
        dataset::RULES,
        attributes::RULES,
        accounts::RULES,
        charge::RULES,
        costs::RULES,
        prices::RULES,
        sku::RULES,
        commitments::RULES,
        services::RULES,
    ];
    parts.into_iter().flatten()
}

/// Our reading of the columns that 1.3 and 1.4 added, and of what these versions changed.
pub fn later() -> impl Iterator<Item = &'static Rule> {
    later::RULES.iter()
}

/// The rule of an id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    model().chain(later()).find(|r| r.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rule::{Check, Keyword, RuleKind};

    #[test]
    fn the_model_is_whole() {
        let count = |kind| model().filter(|r| r.kind == kind).count();
        assert_eq!((count(RuleKind::Static), count(RuleKind::Dynamic)), (420, 201));
        let ids: BTreeSet<_> = model().chain(later()).map(|r| r.id).collect();
        assert_eq!(ids.len(), model().count() + later().count(), "an id is there twice");
    }

    #[test]
    fn parts_are_rules_and_no_rule_is_part_of_itself() {
        fn depth(rule: &Rule) -> usize {
            let below = rule
                .parts()
                .into_iter()
                .map(|p| depth(by_id(&p).unwrap_or_else(|| panic!("{} asks for {p}", rule.id))));
            let depth = below.max().unwrap_or(0) + 1;
            assert!(depth < 9, "{} is part of itself", rule.id);
            depth
        }
        model().chain(later()).for_each(|r| assert!(depth(r) > 0));
    }

    #[test]
    fn every_static_rule_is_computed_and_every_permission_is_a_may() {
        for rule in model().chain(later()) {
            assert!(rule.kind == RuleKind::Dynamic || rule.is_computed(), "{}", rule.id);
            if matches!(rule.check, Check::Allowed(_)) {
                assert_eq!(rule.keyword, Keyword::May, "{}", rule.id);
            }
            assert!(rule.kind == RuleKind::Dynamic || rule.partly.is_none(), "{} is static", rule.id);
        }
    }
}
