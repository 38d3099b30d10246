//! Which rule decides on a charge, and whose it is. Charges that look alike are decided once.

use std::collections::HashMap;
use std::sync::Arc;

use super::Dimensions;
use crate::charge::Charge;
use crate::limits::VALUE_CHARS_MAX;
use crate::rules::{Action, Pattern, Piece, Rule, Rules, Subject, Template};

/// Decisions that are remembered; when there are more, all are forgotten, which costs time and nothing else.
const REMEMBERED_MAX: usize = 100_000;
/// The rule of what the bill itself calls unused.
const UNUSED: &str = "unused commitment";

/// What becomes of a charge.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    /// One owner pays.
    Assign { owner: Arc<str>, dimensions: Arc<Dimensions>, rule: usize },
    /// The rule says how it is split.
    Split(usize),
    /// Idle, under this rule's name.
    Idle(Arc<str>),
    /// Nobody's, on purpose or because no rule matched.
    Unallocated(Option<Arc<str>>),
}

/// See the module.
pub(super) struct Decider<'a> {
    rules: &'a Rules,
    /// Instants at which the validity of some rule changes, ascending.
    boundaries: Vec<i64>,
    remembered: HashMap<Key, Decision>,
    owners: HashMap<String, Arc<str>>,
    unused: Arc<str>,
}

/// What a decision depends on: between which changes of validity, whether the bill calls it unused, and the fields, each ended by a byte that
/// no text holds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    segment: usize,
    unused: bool,
    fields: Box<[u8]>,
}

impl<'a> Decider<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        let mut boundaries: Vec<i64> =
            rules.rules.iter().flat_map(|r| [r.from, r.until]).flatten().map(|t| t.0).collect();
        boundaries.sort_unstable();
        boundaries.dedup();
        Self { rules, boundaries, remembered: HashMap::new(), owners: HashMap::new(), unused: Arc::from(UNUSED) }
    }

    pub(super) fn decide(&mut self, charge: &Charge<'_>) -> Decision {
        let mut fields = Vec::with_capacity(64);
        for value in charge.fields {
            fields.extend_from_slice(value.as_bytes());
            fields.push(0xff);
        }
        let key = Key {
            segment: self.boundaries.partition_point(|b| *b <= charge.start.0),
            unused: charge.unused,
            fields: fields.into(),
        };
        if let Some(decision) = self.remembered.get(&key) {
            return decision.clone();
        }
        let decision = self.think(charge);
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        self.remembered.insert(key, decision.clone());
        decision
    }

    fn think(&mut self, charge: &Charge<'_>) -> Decision {
        let rules = self.rules;
        let view = View { dimensions: dimensions_of(rules, charge.fields), fields: charge.fields };
        for (i, rule) in rules.rules.iter().enumerate() {
            let valid = rule.from.is_none_or(|f| f <= charge.start) && rule.until.is_none_or(|u| charge.start < u);
            if !valid || !applies(rule, &view) {
                continue;
            }
            match &rule.action {
                Action::Assign(assigned) => {
                    let owner = assigned.iter().find(|(name, _)| &**name == "owner").map(|(_, t)| view.fill(t));
                    let Some(owner) = owner.filter(|o| !o.is_empty()) else { continue };
                    let owner = self.canonical(&owner);
                    let mut dimensions = self.dimensions(&view, &owner);
                    for (name, template) in assigned.iter().filter(|(name, _)| &**name != "owner") {
                        let value = view.fill(template);
                        if !value.is_empty() {
                            dimensions.insert(Arc::clone(name), value.into());
                        }
                    }
                    return Decision::Assign { owner, dimensions: Arc::new(dimensions), rule: i };
                }
                Action::Split(_) => return Decision::Split(i),
                Action::Idle => return Decision::Idle(Arc::clone(&rule.name)),
                Action::Unallocated => return Decision::Unallocated(Some(Arc::clone(&rule.name))),
            }
        }
        if charge.unused { Decision::Idle(Arc::clone(&self.unused)) } else { Decision::Unallocated(None) }
    }

    /// Virtual tags of the charge over what is known of the owner. The dimension `owner` only feeds rules.
    fn dimensions(&self, view: &View<'_>, owner: &str) -> Dimensions {
        let mut dimensions = owner_dimensions(self.rules, owner);
        for (dimension, value) in self.rules.dimensions.iter().zip(&view.dimensions) {
            if !value.is_empty() && &*dimension.name != "owner" {
                dimensions.insert(Arc::clone(&dimension.name), value.as_str().into());
            }
        }
        dimensions
    }

    /// An owner's one spelling: its name in the rules if it or an alias matches, else as found.
    pub(super) fn canonical(&mut self, found: &str) -> Arc<str> {
        if let Some(known) = self.owners.get(found) {
            return Arc::clone(known);
        }
        let trimmed: String = found.trim().chars().take(VALUE_CHARS_MAX).collect();
        let exact = self.rules.owners.get_key_value(trimmed.as_str());
        let named = exact.or_else(|| {
            self.rules.owners.iter().find(|(name, owner)| {
                name.eq_ignore_ascii_case(&trimmed) || owner.aliases.iter().any(|p| p.matches_loosely(&trimmed))
            })
        });
        let owner: Arc<str> = named.map_or(trimmed.as_str(), |(name, _)| name).into();
        if self.owners.len() < REMEMBERED_MAX {
            self.owners.insert(found.to_owned(), Arc::clone(&owner));
        }
        owner
    }
}

/// What the rules say of an owner wherever it pays.
pub(super) fn owner_dimensions(rules: &Rules, owner: &str) -> Dimensions {
    let known = rules.owners.get(owner);
    known
        .map(|o| o.dimensions.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect())
        .unwrap_or_default()
}

/// A charge as rules see it.
struct View<'a> {
    fields: &'a [&'a str],
    dimensions: Vec<String>,
}

impl View<'_> {
    fn value(&self, subject: Subject) -> &str {
        match subject {
            Subject::Field(i) => self.fields.get(i).copied().unwrap_or_default(),
            Subject::Dimension(i) => self.dimensions.get(i).map_or("", String::as_str),
        }
    }

    /// A template with its holes filled; empty if a hole is.
    fn fill(&self, template: &Template) -> String {
        let mut text = String::new();
        for piece in &template.0 {
            match piece {
                Piece::Text(t) => text.push_str(t),
                Piece::Hole(subject) => {
                    let value = self.value(*subject).trim();
                    if value.is_empty() {
                        return String::new();
                    }
                    text.extend(value.chars().take(VALUE_CHARS_MAX));
                }
            }
        }
        text
    }
}

fn dimensions_of(rules: &Rules, fields: &[&str]) -> Vec<String> {
    let mut view = View { fields, dimensions: Vec::with_capacity(rules.dimensions.len()) };
    for dimension in &rules.dimensions {
        let found = dimension.from.iter().map(|s| view.value(*s).trim()).find(|v| !v.is_empty());
        let value = match found {
            Some(found) => {
                let meaning = dimension.values.iter().find(|(p, _)| p.matches_loosely(found)).map(|(_, m)| &**m);
                meaning.unwrap_or(found).chars().take(VALUE_CHARS_MAX).collect()
            }
            None => dimension.default.as_deref().unwrap_or_default().to_owned(),
        };
        view.dimensions.push(value);
    }
    view.dimensions
}

fn applies(rule: &Rule, view: &View<'_>) -> bool {
    let any = |(subject, patterns): &(Subject, Vec<Pattern>)| {
        let value = view.value(*subject);
        patterns.iter().any(|p| p.matches(value))
    };
    rule.matches.iter().all(any) && !rule.excludes.iter().any(any)
}
