//! What each type of resource costs, one file per family of services: from the clouds' public price structure to components with
//! units and quantities. No rule knows a price.
//!
//! A type is listed exactly once: with a rule, or as free. What is in no list is unsupported, and said to be.

mod aws;
mod azure;
mod google;

use crate::component::Cost;
use crate::view::{Ruled, View};

/// A rule: fills in the components of a resource.
pub type RuleFn = fn(&View<'_>, &mut Cost) -> Ruled;

/// A row of a family's list: type, the cloud's name of the service, rule.
type Row = (&'static str, &'static str, RuleFn);

/// A list of components by usage: name, unit, key of usage, how many make one unit.
type Used = (&'static str, &'static str, &'static str, i64);

/// Adds components that are nothing but stated usage.
fn used(v: &View<'_>, c: &mut Cost, rows: &[Used]) {
    for (name, unit, key, per) in rows {
        c.usage(*name, *unit, v.used(key)).per(*per);
    }
}

/// Names and sizes of tiers, the last without end.
fn tiers(sized: &[(&str, i64)], last: &str) -> Vec<(String, Option<i64>)> {
    let first = sized.iter().map(|(name, size)| ((*name).to_owned(), Some(*size)));
    first.chain([(last.to_owned(), None)]).collect()
}

/// How a type is estimated.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// It costs nothing by itself.
    Free,
    /// By components of a service.
    Priced(&'static str, RuleFn),
}

/// The rule for a type.
pub fn find(kind: &str) -> Option<Rule> {
    priced().find(|(k, ..)| *k == kind).map(|(_, service, rule)| Rule::Priced(service, *rule)).or_else(|| {
        let free = free().any(|k| k == kind) || FREE_PREFIXES.iter().any(|p| kind.starts_with(p));
        free.then_some(Rule::Free)
    })
}

/// All types with a rule.
pub fn priced() -> impl Iterator<Item = &'static Row> {
    aws::RULES.iter().chain(azure::RULES).chain(google::RULES).flat_map(|family| family.iter())
}

/// All types that are free by themselves.
pub fn free() -> impl Iterator<Item = &'static str> {
    [aws::FREE, azure::FREE, google::FREE].into_iter().flat_map(|list| list.split_whitespace())
}

/// Families of types that are free whole: permissions, bindings, and what only Terraform knows.
pub const FREE_PREFIXES: &[&str] = &[
    "aws_iam_",
    "aws_organizations_",
    "azuread_",
    "google_iam_",
    "google_project_",
    "google_organization_",
    "google_folder_",
    "google_service_account",
    "helm_",
    "kubernetes_",
    "local_",
    "null_",
    "random_",
    "template_",
    "terraform_",
    "time_",
    "tls_",
    "archive_",
    "http_",
    "external_",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_type_is_listed_once() {
        let mut seen = BTreeSet::new();
        for kind in priced().map(|(kind, ..)| *kind).chain(free()) {
            assert!(seen.insert(kind), "{kind} is listed twice");
        }
    }
}
