//! Inhibition: while one alert fires, nobody is told of others that follow from it.

use std::collections::BTreeMap;

use grid_model::Timestamp;

use crate::alert::{Held, LabelSet};
use crate::matcher::{Matcher, all_match};

/// One rule: a firing alert of the source side mutes those of the target side that have the same values of `equal`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InhibitRule {
    /// What mutes.
    pub source: Vec<Matcher>,
    /// What is muted.
    pub target: Vec<Matcher>,
    /// Labels that must have the same value on both sides; absent is empty.
    pub equal: Vec<String>,
}

impl InhibitRule {
    fn key<'a>(&self, labels: &'a LabelSet) -> Vec<&'a str> {
        self.equal.iter().map(|name| labels.get(name).map_or("", String::as_str)).collect()
    }
}

/// What fires, sorted for one question after the other: does it mute this?
#[derive(Debug)]
pub struct Inhibitor<'a> {
    rules: Vec<(&'a InhibitRule, BTreeMap<Vec<&'a str>, Sources>)>,
}

/// What of the source side fires with the same `equal` values.
#[derive(Debug, Default)]
struct Sources {
    /// One that is of the source side alone.
    one_sided: bool,
}

impl<'a> Inhibitor<'a> {
    /// Looks at all alerts of a tenant at a time.
    pub fn new(rules: &'a [InhibitRule], alerts: impl Iterator<Item = &'a Held> + Clone, now: Timestamp) -> Self {
        let sorted = rules.iter().map(|rule| {
            let mut sources: BTreeMap<Vec<&str>, Sources> = BTreeMap::new();
            let firing = alerts.clone().filter(|a| !a.resolved_at(now) && all_match(&rule.source, &a.labels));
            for alert in firing {
                let found = sources.entry(rule.key(&alert.labels)).or_default();
                found.one_sided |= !all_match(&rule.target, &alert.labels);
            }
            (rule, sources)
        });
        Self { rules: sorted.collect() }
    }

    /// Whether an alert with these labels is muted. One that is on both sides of a rule is not muted by others of which the
    /// same holds, itself among them.
    pub fn mutes(&self, labels: &LabelSet) -> bool {
        self.rules.iter().any(|(rule, sources)| {
            all_match(&rule.target, labels)
                && sources
                    .get(&rule.key(labels))
                    .is_some_and(|found| found.one_sided || !all_match(&rule.source, labels))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::parse;

    fn held(text: &str, ends: i64) -> Held {
        let labels = text.split(',').filter_map(|p| p.split_once('='));
        Held {
            labels: labels.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            annotations: LabelSet::new(),
            generator_url: String::new(),
            starts_at: Timestamp(0),
            ends_at: Timestamp(ends),
            timeout: false,
            updated_at: Timestamp(0),
            settled: false,
        }
    }

    #[test]
    fn sources_mute_targets_with_equal_labels() {
        for (source, target, equal, firing, asked, expected) in [
            ("s=1", "t=1", &["e"][..], &["s=1,e=x"][..], "t=1,e=x", true),
            ("s=1", "t=1", &["e"], &["s=1,e=x"], "t=1,e=y", false),
            ("s=1", "t=1", &["e"], &["s=1,e=x"], "t=2,e=x", false),
            ("s=1", "t=1", &[], &["s=1,e=x"], "t=1,e=y", true),
            // Absent on both sides is equal.
            ("s=1", "t=1", &["e"], &["s=1"], "t=1", true),
            ("s=1", "t=1", &["e"], &["s=1"], "t=1,e=x", false),
            // Both sides: not by itself nor by its like, but by a source alone.
            ("s=1", "t=1", &["e"], &["s=1,t=1,e=x"], "s=1,t=1,e=x", false),
            ("s=1", "t=1", &["e"], &["s=1,t=1,e=x,o=1"], "s=1,t=1,e=x", false),
            ("s=1", "t=1", &["e"], &["s=1,e=x", "s=1,t=1,e=x"], "s=1,t=1,e=x", true),
            // A two-sided source mutes a target alone.
            ("s=1", "t=1", &["e"], &["s=1,t=1,e=x"], "t=1,e=x", true),
            (
                "severity=critical",
                "severity=~warning|info",
                &["n"],
                &["severity=critical,n=a"],
                "severity=info,n=a",
                true,
            ),
        ] {
            let rule = InhibitRule {
                source: parse(source).unwrap(),
                target: parse(target).unwrap(),
                equal: equal.iter().map(|e| (*e).to_owned()).collect(),
            };
            let rules = [rule];
            let alerts: Vec<Held> = firing.iter().map(|text| held(text, 100)).collect();
            let inhibitor = Inhibitor::new(&rules, alerts.iter(), Timestamp(50));
            assert_eq!(inhibitor.mutes(&held(asked, 100).labels), expected, "{firing:?} -> {asked}");
            // Nothing that is over mutes.
            let later = Inhibitor::new(&rules, alerts.iter(), Timestamp(100));
            assert!(!later.mutes(&held(asked, 100).labels));
        }
    }
}
