//! The routing tree: which receivers are told of an alert, and with which others it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS};

use crate::alert::LabelSet;
use crate::inhibit::InhibitRule;
use crate::interval::Intervals;
use crate::matcher::{Matcher, all_match, quote, show};
use crate::receiver::Receiver;

/// By what alerts of a route are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// `...`: by all labels, so that every alert is a group.
    All,
    /// By these labels, in order of name. None: all alerts are one group.
    Labels(Vec<String>),
}

/// The pace of a route's groups, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a new group waits for more of its kind.
    pub wait_ns: i64,
    /// How long until a group that was told tells of changes.
    pub interval_ns: i64,
    /// How long until it is told again that nothing has changed.
    pub repeat_ns: i64,
}

impl Default for Pace {
    /// Alertmanager's: 30 s, 5 min, 4 h.
    fn default() -> Self {
        Self { wait_ns: 30 * SECOND_NS, interval_ns: 5 * MINUTE_NS, repeat_ns: 4 * HOUR_NS }
    }
}

/// A node of the tree, with what it inherits filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Unique in a configuration: the key, and the places on the way from the root.
    pub id: Arc<str>,
    /// As in Alertmanager's group keys: the matchers on the way from the root, `{}/{team="a"}`.
    pub key: String,
    /// The receiver's name.
    pub receiver: String,
    /// Which alerts.
    pub matchers: Vec<Matcher>,
    /// How they are grouped.
    pub group_by: GroupBy,
    /// When they are told.
    pub pace: Pace,
    /// Whether siblings after it are asked too.
    pub goes_on: bool,
    /// Names of intervals in which nothing is told.
    pub mute: Vec<String>,
    /// Names of intervals outside of which nothing is told.
    pub active: Vec<String>,
    /// Its children, in order.
    pub routes: Vec<Route>,
}

impl Route {
    /// Adds the routes that take an alert: the deepest that match, in order. Whether any did.
    pub fn matching<'a>(&'a self, labels: &LabelSet, found: &mut Vec<&'a Self>) -> bool {
        if !all_match(&self.matchers, labels) {
            return false;
        }
        let before = found.len();
        for child in &self.routes {
            if child.matching(labels, found) && !child.goes_on {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
        true
    }

    /// The labels of the group that an alert belongs to.
    pub fn group_labels(&self, labels: &LabelSet) -> LabelSet {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => names.iter().filter_map(|n| Some((n.clone(), labels.get(n)?.clone()))).collect(),
        }
    }

    fn walk<'a>(&'a self, found: &mut BTreeMap<Arc<str>, &'a Self>) {
        found.insert(Arc::clone(&self.id), self);
        self.routes.iter().for_each(|route| route.walk(found));
    }
}

/// `{}/{team="a"}`: the key of a route below another.
pub fn key_below(parent: Option<&str>, matchers: &[Matcher]) -> String {
    parent.map_or_else(|| show(matchers), |parent| format!("{parent}/{}", show(matchers)))
}

/// `{}/{team="a"}:{alertname="X"}`: what names a group to its receivers.
pub fn group_key(route_key: &str, labels: &LabelSet) -> String {
    let pairs: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={}", quote(v))).collect();
    format!("{route_key}:{{{}}}", pairs.join(", "))
}

/// All that decides who is told: the tree of a configuration, and beside it the trees of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The trees; an alert goes through all of them.
    pub trees: Vec<Route>,
    /// By name.
    pub receivers: BTreeMap<String, Receiver>,
    /// What mutes what.
    pub inhibit: Vec<InhibitRule>,
    /// By name.
    pub intervals: BTreeMap<String, Intervals>,
    /// When an alert counts as resolved that its sender neither ended nor sent again, in nanoseconds.
    pub resolve_timeout_ns: i64,
}

impl Default for Plan {
    /// Nobody is told of anything.
    fn default() -> Self {
        Self {
            trees: Vec::new(),
            receivers: BTreeMap::new(),
            inhibit: Vec::new(),
            intervals: BTreeMap::new(),
            resolve_timeout_ns: 5 * MINUTE_NS,
        }
    }
}

impl Plan {
    /// The routes that take an alert.
    pub fn routes_of(&self, labels: &LabelSet) -> Vec<&Route> {
        let mut found = Vec::new();
        for tree in &self.trees {
            tree.matching(labels, &mut found);
        }
        found
    }

    /// All routes by their ids.
    pub fn by_id(&self) -> BTreeMap<Arc<str>, &Route> {
        let mut found = BTreeMap::new();
        self.trees.iter().for_each(|tree| tree.walk(&mut found));
        found
    }

    /// Whether a route tells nobody at a time.
    pub fn mute(&self, route: &Route, now: Timestamp) -> bool {
        let lies_in = |name: &String| self.intervals.get(name).is_some_and(|i| i.contain(now));
        route.mute.iter().any(lies_in) || !route.active.is_empty() && !route.active.iter().any(lies_in)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    const TREE: &str = r#"
route:
  receiver: all
  group_by: [alertname]
  routes:
  - matchers: [team="a"]
    receiver: a
    routes:
    - matchers: [severity=~"critical|page"]
      receiver: pager
      continue: true
    - matchers: [severity="critical"]
      receiver: boss
      group_by: ['...']
  - matchers: [team="b"]
    receiver: b
    continue: true
  - match: {kind: x}
    match_re: {team: b.*}
    receiver: x
receivers: [{name: all}, {name: a}, {name: pager}, {name: boss}, {name: b}, {name: x}]
"#;

    fn labels(text: &str) -> LabelSet {
        text.split(',').filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn the_deepest_matching_routes_take_an_alert() {
        let plan = Config::parse(TREE).unwrap().plan;
        for (alert, receivers) in [
            ("alertname=N", "all"),
            ("alertname=N,team=a", "a"),
            ("team=a,severity=page", "pager"),
            ("team=a,severity=critical", "pager boss"),
            ("team=b", "b"),
            ("team=b,kind=x", "b x"),
            ("team=bee,kind=x", "x"),
            ("team=c,kind=x", "all"),
        ] {
            let found: Vec<&str> = plan.routes_of(&labels(alert)).iter().map(|r| r.receiver.as_str()).collect();
            assert_eq!(found.join(" "), receivers, "{alert}");
        }
    }

    #[test]
    fn groups_are_named_as_alertmanager_names_them() {
        let plan = Config::parse(TREE).unwrap().plan;
        for (alert, keys) in [
            ("alertname=N,team=c", vec![r#"{}:{alertname="N"}"#]),
            (
                "alertname=N,team=a,severity=critical",
                vec![
                    r#"{}/{team="a"}/{severity=~"critical|page"}:{alertname="N"}"#,
                    r#"{}/{team="a"}/{severity="critical"}:{alertname="N", severity="critical", team="a"}"#,
                ],
            ),
            ("team=bee,kind=x", vec![r#"{}/{kind="x",team=~"^(?:b.*)$"}:{}"#]),
        ] {
            let labels = labels(alert);
            let found = plan.routes_of(&labels).into_iter().map(|r| group_key(&r.key, &r.group_labels(&labels)));
            assert_eq!(found.collect::<Vec<_>>(), keys, "{alert}");
        }
        let ids = plan.by_id();
        assert_eq!(ids.len(), 6);
    }
}
