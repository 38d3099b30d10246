//! A checked `alertmanager.yml`.
//!
//! Every key of Alertmanager 0.28 is known: what is built is used, what only changes looks is listed in [`Config::ignored`], and
//! what would change who is told, and is not built, is refused by its name. Texts that are Go templates are not expanded: Grid's own
//! texts stand in their place, and they are listed too.

mod receivers;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use grid_scrape_config::duration;

use crate::inhibit::InhibitRule;
use crate::interval::{IntervalText, Intervals};
use crate::limits::{CONFIG_BYTES_MAX, MATCHERS_MAX, ROUTE_DEPTH_MAX, ROUTES_MAX};
use crate::matcher::{Matcher, Op, parse as parse_matchers};
use crate::route::{GroupBy, Pace, Plan, Route, key_below};

use text::{FileText, InhibitText, NamedIntervals, Rest, RouteText};

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is too large.
    #[error("it has {0} bytes, the limit is {CONFIG_BYTES_MAX}")]
    TooLarge(usize),
    /// Not YAML, an unknown key, or a value of another type; the text shows the place.
    #[error("{0}")]
    Yaml(String),
    /// A value that makes no sense, or something that is not built.
    #[error("{place}: {what}")]
    Value {
        /// Where: `route.routes[1]`, `receivers[0] "team"`.
        place: String,
        /// What is wrong.
        what: String,
    },
}

/// What an `alertmanager.yml` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Who is told of what.
    pub plan: Plan,
    /// What is there and has no effect here, by its place.
    pub ignored: Vec<String>,
}

/// What is wrong, and where.
fn wrong<T>(place: impl Into<String>, what: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Value { place: place.into(), what: what.into() })
}

/// Names a place in an error.
fn at<T>(place: &str, result: Result<T, impl ToString>) -> Result<T, ConfigError> {
    result.map_err(|e| ConfigError::Value { place: place.to_owned(), what: e.to_string() })
}

/// Keys that have no field: known without effect, known and not built, or unknown.
fn judge(
    rest: &Rest,
    place: &str,
    idle: &[&str],
    unbuilt: &[&str],
    ignored: &mut Vec<String>,
) -> Result<(), ConfigError> {
    for key in rest.keys() {
        if idle.contains(&key.as_str()) {
            ignored.push(format!("{place}.{key}"));
        } else if unbuilt.contains(&key.as_str()) {
            return wrong(place, format!("{key} is not built"));
        } else {
            return wrong(place, format!("unknown key {key}"));
        }
    }
    Ok(())
}

impl Config {
    /// Reads and checks a file's text.
    ///
    /// # Errors
    /// [`ConfigError`]: the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge(text.len()));
        }
        let file: Option<FileText> = serde_saphyr::from_str(text).map_err(|e| ConfigError::Yaml(e.to_string()))?;
        let file = file.unwrap_or_default();
        let mut ignored = Vec::new();
        judge(&file.rest, "file", &["templates", "tracing", "event_recorder"], &[], &mut ignored)?;
        let global = file.global.unwrap_or_default();
        let resolve_timeout = pace("global.resolve_timeout", global.resolve_timeout.as_deref())?;

        let mut intervals = BTreeMap::new();
        let named = [("time_intervals", file.time_intervals), ("mute_time_intervals", file.mute_time_intervals)];
        for (section, list) in named {
            for NamedIntervals { name, time_intervals } in list.unwrap_or_default() {
                let place = format!("{section} {name:?}");
                let checked = time_intervals.unwrap_or_default().into_iter().map(IntervalText::check);
                let checked = at(&place, checked.collect::<Result<Vec<_>, _>>())?;
                if name.is_empty() || intervals.insert(name, Intervals(checked)).is_some() {
                    return wrong(place, "the name is empty or was given before");
                }
            }
        }
        let receivers = receivers::check(file.receivers.unwrap_or_default(), &global, &mut ignored)?;
        let Some(route) = file.route else { return wrong("file", "route is missing") };
        let names =
            Names { receivers: receivers.keys().cloned().collect(), intervals: intervals.keys().cloned().collect() };
        let tree = Tree { names, count: 0 }.root(route)?;
        let inhibit = file.inhibit_rules.unwrap_or_default().into_iter().enumerate();
        let inhibit =
            inhibit.map(|(i, text)| inhibit_rule(&format!("inhibit_rules[{i}]"), text)).collect::<Result<_, _>>()?;
        let mut plan = Plan { trees: vec![tree], receivers, inhibit, intervals, ..Plan::default() };
        if let Some(ns) = resolve_timeout {
            plan.resolve_timeout_ns = ns;
        }
        Ok(Self { plan, ignored })
    }
}

fn pace(place: &str, text: Option<&str>) -> Result<Option<i64>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let parsed = at(place, duration::parse(text))?;
    Ok(Some(nanos(parsed)))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The three ways to write matchers, together.
fn matchers(
    place: &str,
    equal: Option<BTreeMap<String, String>>,
    regex: Option<BTreeMap<String, String>>,
    texts: Option<Vec<String>>,
) -> Result<Vec<Matcher>, ConfigError> {
    let mut found = Vec::new();
    for (op, map) in [(Op::Equal, equal), (Op::Match, regex)] {
        for (name, value) in map.unwrap_or_default() {
            // Alertmanager anchors what it reads here by itself, and shows it so in the keys of groups.
            let value = if op == Op::Match { format!("^(?:{value})$") } else { value };
            found.push(at(place, Matcher::new(&name, op, &value))?);
        }
    }
    for text in texts.unwrap_or_default() {
        found.extend(at(place, parse_matchers(&text))?);
    }
    if found.len() > MATCHERS_MAX {
        return wrong(place, format!("{} matchers, the limit is {MATCHERS_MAX}", found.len()));
    }
    // As Alertmanager, whose keys of routes show them in order.
    found.sort_by(|a, b| (a.name(), a.value(), a.op()).cmp(&(b.name(), b.value(), b.op())));
    Ok(found)
}

fn inhibit_rule(place: &str, text: InhibitText) -> Result<InhibitRule, ConfigError> {
    judge(&text.rest, place, &["name"], &["sources"], &mut Vec::new())?;
    let source = matchers(place, text.source_match, text.source_match_re, text.source_matchers)?;
    let target = matchers(place, text.target_match, text.target_match_re, text.target_matchers)?;
    if target.is_empty() || source.is_empty() {
        return wrong(place, "source_matchers and target_matchers must both name something");
    }
    Ok(InhibitRule { source, target, equal: text.equal.unwrap_or_default() })
}

struct Names {
    receivers: BTreeSet<String>,
    intervals: BTreeSet<String>,
}

struct Tree {
    names: Names,
    count: usize,
}

impl Tree {
    fn root(mut self, text: RouteText) -> Result<Route, ConfigError> {
        let place = "route";
        if text.receiver.as_deref().unwrap_or_default().is_empty() {
            return wrong(place, "the first route needs a receiver");
        }
        if text.equal.is_some() || text.match_re.is_some() || text.matchers.as_ref().is_some_and(|m| !m.is_empty()) {
            return wrong(place, "the first route takes all alerts: it must not have matchers");
        }
        if text.mute_time_intervals.is_some() || text.active_time_intervals.is_some() {
            return wrong(place, "the first route must not have time intervals");
        }
        if text.goes_on == Some(true) {
            return wrong(place, "the first route has no siblings: `continue` says nothing there");
        }
        self.node(text, place, None, "", 0)
    }

    fn node(
        &mut self,
        text: RouteText,
        place: &str,
        parent: Option<&Route>,
        path: &str,
        depth: usize,
    ) -> Result<Route, ConfigError> {
        self.count += 1;
        if self.count > ROUTES_MAX || depth > ROUTE_DEPTH_MAX {
            return wrong(place, format!("more than {ROUTES_MAX} routes, or nested deeper than {ROUTE_DEPTH_MAX}"));
        }
        let matchers = matchers(place, text.equal, text.match_re, text.matchers)?;
        let receiver = text.receiver.filter(|r| !r.is_empty());
        let receiver = receiver.or_else(|| parent.map(|p| p.receiver.clone())).unwrap_or_default();
        if !self.names.receivers.contains(&receiver) {
            return wrong(place, format!("there is no receiver {receiver:?}"));
        }
        let mut rhythm = parent.map_or_else(Pace::default, |p| p.pace);
        let set = |said: Option<&str>, key: &str, ns: &mut i64, zero: bool| -> Result<(), ConfigError> {
            let Some(found) = pace(&format!("{place}.{key}"), said)? else { return Ok(()) };
            if found == 0 && !zero {
                return wrong(format!("{place}.{key}"), "it must be more than zero");
            }
            *ns = found;
            Ok(())
        };
        set(text.group_wait.as_deref(), "group_wait", &mut rhythm.wait_ns, true)?;
        set(text.group_interval.as_deref(), "group_interval", &mut rhythm.interval_ns, false)?;
        set(text.repeat_interval.as_deref(), "repeat_interval", &mut rhythm.repeat_ns, false)?;
        let group_by = match text.group_by {
            None => parent.map_or(GroupBy::Labels(Vec::new()), |p| p.group_by.clone()),
            Some(names) => group_by(place, names)?,
        };
        let [mute, active] = [text.mute_time_intervals, text.active_time_intervals].map(Option::unwrap_or_default);
        if let Some(unknown) = mute.iter().chain(&active).find(|name| !self.names.intervals.contains(*name)) {
            return wrong(place, format!("there is no time interval {unknown:?}"));
        }
        let key = key_below(parent.map(|p| p.key.as_str()), &matchers);
        let mut route = Route {
            id: Arc::from(format!("{key}{path}")),
            key,
            receiver,
            matchers,
            group_by,
            pace: rhythm,
            goes_on: text.goes_on.unwrap_or(false),
            mute,
            active,
            routes: Vec::new(),
        };
        for (i, child) in text.routes.unwrap_or_default().into_iter().enumerate() {
            let below =
                self.node(child, &format!("{place}.routes[{i}]"), Some(&route), &format!("{path}/{i}"), depth + 1)?;
            route.routes.push(below);
        }
        Ok(route)
    }
}

/// `group_by` as written.
///
/// # Errors
/// A name twice or empty, or `...` beside others.
fn group_by(place: &str, mut names: Vec<String>) -> Result<GroupBy, ConfigError> {
    if names.iter().any(|n| n == "...") {
        return if names.len() == 1 { Ok(GroupBy::All) } else { wrong(place, "group_by: `...` stands alone") };
    }
    names.sort();
    let count = names.len();
    names.dedup();
    if names.len() < count || names.iter().any(String::is_empty) {
        return wrong(place, "group_by holds an empty label or one twice");
    }
    Ok(GroupBy::Labels(names))
}

/// `group_by` of a webhook: as in a route.
///
/// # Errors
/// As in a route.
pub fn group_by_of(names: Vec<String>) -> Result<GroupBy, ConfigError> {
    group_by("webhook", names)
}

#[cfg(test)]
mod tests;
