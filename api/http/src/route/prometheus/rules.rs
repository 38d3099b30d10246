//! Rules and alerts (Prometheus, `web/api/v1/api.go`, `rules` and `alerts`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use grid_guard::Caller;
use grid_model::Timestamp;
use grid_promql_syntax::{Matcher, quote};
use grid_rules::{Action, Alert, GroupView, RuleView};
use serde::{Serialize, Serializer};

use super::answer::{Failure, Success};
use super::params::Asked;
use crate::route::rfc3339;
use crate::state::ApiState;

/// What Go writes for a time that is not set: there was no evaluation yet.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Discovery<'a> {
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    name: &'a str,
    file: &'a str,
    rules: Vec<Rule<'a>>,
    interval: Seconds,
    limit: usize,
    evaluation_time: Seconds,
    last_evaluation: String,
}

/// A rule; those fields that its kind does not have are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    name: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
    /// Null if the request leaves alerts out.
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<Option<Vec<ActiveAlert<'a>>>>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    evaluation_time: Seconds,
    last_evaluation: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActiveAlert<'a> {
    labels: BTreeMap<&'a str, &'a str>,
    annotations: &'a BTreeMap<String, String>,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

#[derive(Debug, Serialize)]
struct Alerts<'a> {
    alerts: Vec<ActiveAlert<'a>>,
}

/// Seconds as Go writes them: a whole number has no `.0`.
#[derive(Debug, Clone, Copy)]
struct Seconds(f64);

impl Seconds {
    fn of_ns(ns: i64) -> Self {
        Self(ns as f64 / 1e9)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // Exact: durations are below 2^53.
            whole if whole.fract() == 0.0 => serializer.serialize_i64(whole as i64),
            part => serializer.serialize_f64(part),
        }
    }
}

fn time_or_never(time: Option<Timestamp>) -> String {
    time.map_or_else(|| NEVER.to_owned(), rfc3339)
}

/// `strconv.FormatFloat(v, 'e', -1, 64)`.
fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return grid_promql::number::plain(value);
    }
    let text = format!("{value:e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

impl<'a> ActiveAlert<'a> {
    fn of(alert: &'a Alert) -> Self {
        Self {
            labels: alert.labels.iter().collect(),
            annotations: &alert.annotations,
            state: alert.state.as_str(),
            active_at: rfc3339(alert.active_at),
            keep_firing_since: alert.keep_firing_since.map(rfc3339),
            value: exponent(alert.value),
        }
    }
}

impl<'a> Rule<'a> {
    fn of(rule: &'a RuleView, exclude_alerts: bool) -> Self {
        let common = Self {
            state: rule.state.map(grid_rules::AlertState::as_str),
            name: rule.spec.name(),
            query: rule.spec.expression.as_str(),
            duration: None,
            keep_firing_for: None,
            labels: Some(&rule.spec.labels).filter(|labels| !labels.is_empty()),
            annotations: None,
            alerts: None,
            health: rule.health.as_str(),
            last_error: rule.last_error.as_deref(),
            evaluation_time: Seconds::of_ns(rule.evaluation_ns),
            last_evaluation: time_or_never(rule.last_evaluation),
            kind: "recording",
        };
        let Action::Alert { hold, keep_firing, annotations, .. } = &rule.spec.action else { return common };
        let alerts = || rule.alerts.iter().map(ActiveAlert::of).collect();
        Self {
            duration: Some(Seconds(*hold as f64 / 1000.0)),
            keep_firing_for: Some(Seconds(*keep_firing as f64 / 1000.0)),
            labels: Some(&rule.spec.labels),
            annotations: Some(annotations),
            alerts: Some((!exclude_alerts).then(alerts)),
            kind: "alerting",
            ..common
        }
    }
}

/// Which rules are asked for.
struct Wanted<'q> {
    alerts: bool,
    records: bool,
    names: Vec<&'q str>,
    groups: Vec<&'q str>,
    files: Vec<&'q str>,
    matchers: Vec<Vec<Matcher>>,
    exclude_alerts: bool,
    limit: usize,
    token: &'q str,
}

impl<'q> Wanted<'q> {
    fn of(asked: &'q Asked) -> Result<Self, Failure> {
        let kind = asked.text("type").to_ascii_lowercase();
        if !matches!(kind.as_str(), "" | "alert" | "record") {
            return Err(Failure::parameter("type", format!("not supported value {}", quote(&kind))));
        }
        let exclude_alerts = match asked.text("exclude_alerts") {
            "" => false,
            text => go_bool(text).ok_or_else(|| {
                let why = format!(
                    "error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax",
                    quote(text)
                );
                Failure::parameter("exclude_alerts", why)
            })?,
        };
        let (limit, token) = (asked.text("group_limit"), asked.text("group_next_token"));
        if limit.is_empty() && !token.is_empty() {
            let why = "group_limit needs to be present in order to paginate over the groups";
            return Err(Failure::parameter("group_next_token", why));
        }
        let limit = match limit {
            "" => 0,
            text => match text.parse::<i32>() {
                Ok(limit) if limit > 0 => limit.unsigned_abs() as usize,
                Ok(_) => return Err(Failure::parameter("group_limit", "group_limit needs to be greater than 0")),
                Err(_) => {
                    let why = format!(
                        "group_limit needs to be a valid number: strconv.ParseInt: parsing {}: invalid syntax",
                        quote(text)
                    );
                    return Err(Failure::parameter("group_limit", why));
                }
            },
        };
        Ok(Self {
            alerts: kind != "record",
            records: kind != "alert",
            names: asked.all("rule_name[]").collect(),
            groups: asked.all("rule_group[]").collect(),
            files: asked.all("file[]").collect(),
            matchers: asked.matchers()?,
            exclude_alerts,
            limit,
            token,
        })
    }

    fn wants_group(&self, group: &GroupView) -> bool {
        let among = |list: &[&str], text: &str| list.is_empty() || list.contains(&text);
        among(&self.groups, &group.spec.name) && among(&self.files, &group.file)
    }

    fn wants(&self, rule: &RuleView) -> bool {
        let is_alert = matches!(rule.spec.action, Action::Alert { .. });
        let of_kind = if is_alert { self.alerts } else { self.records };
        of_kind && (self.names.is_empty() || self.names.contains(&rule.spec.name())) && self.matches(rule)
    }

    /// Whether one set of matchers holds for the labels that a rule says outright; what is a template has no value yet.
    fn matches(&self, rule: &RuleView) -> bool {
        let label =
            |name: &str| rule.spec.labels.get(name).map(String::as_str).filter(|v| !v.contains("{{")).unwrap_or("");
        self.matchers.is_empty() || self.matchers.iter().any(|set| set.iter().all(|m| m.matches(label(&m.name))))
    }
}

/// Go's `strconv.ParseBool`.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// By which the next page begins at a group.
fn token_of(group: &GroupView) -> String {
    let mut hasher = DefaultHasher::new();
    (&group.file, &group.spec.name).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn groups_of(state: &ApiState, caller: &Caller) -> Vec<Arc<GroupView>> {
    state.rules.as_ref().map(|book| book.groups(&caller.tenant)).unwrap_or_default()
}

/// `rules`.
pub(crate) async fn rules(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let wanted = Wanted::of(&asked)?;
    let all = groups_of(&state, &caller);
    let mut rest = all.as_slice();
    if !wanted.token.is_empty() {
        let Some(at) = all.iter().position(|group| token_of(group) == wanted.token) else {
            let why = format!("invalid group_next_token '{}'. were rule groups changed?", wanted.token);
            return Err(Failure::parameter("group_next_token", why));
        };
        rest = &all[at..];
    }
    let mut found = Discovery { groups: Vec::new(), group_next_token: None };
    for group in rest.iter().filter(|group| wanted.wants_group(group)) {
        let rules: Vec<Rule<'_>> =
            group.rules.iter().filter(|r| wanted.wants(r)).map(|r| Rule::of(r, wanted.exclude_alerts)).collect();
        if rules.is_empty() {
            continue;
        }
        if wanted.limit > 0 && found.groups.len() == wanted.limit {
            found.group_next_token = Some(token_of(group));
            break;
        }
        found.groups.push(Group {
            name: &group.spec.name,
            file: &group.file,
            rules,
            interval: Seconds::of_ns(group.interval_ns),
            limit: group.spec.limit,
            evaluation_time: Seconds::of_ns(group.evaluation_ns),
            last_evaluation: time_or_never(group.last_evaluation),
        });
    }
    Ok(Success::new().data(&asked, &found))
}

/// `alerts`.
pub(crate) async fn alerts(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Response {
    let all = groups_of(&state, &caller);
    let alerts = all.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts).map(ActiveAlert::of).collect();
    Success::new().data(&asked, &Alerts { alerts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_in_prometheus() {
        for (value, text) in [
            (0.0, "0e+00"),
            (1.0, "1e+00"),
            (0.05, "5e-02"),
            (1234.5, "1.2345e+03"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(exponent(value), text);
        }
    }
}
