//! Gates as people write them, and how each is asked. What a gate says is decided by `grid-plan`; here the answers are fetched. What cannot be asked holds.

use chrono::{DateTime, NaiveTime, Weekday};
use grid_model::time::MINUTE_NS;
use grid_model::{TenantId, Timestamp};
use grid_plan::gate::approval::{Rule, Vote, approval};
use grid_plan::gate::freeze::{Freeze, Window, freeze};
use grid_plan::gate::health::{Bound, Expected, health, smoke};
use grid_plan::gate::performance::{Bounds, performance};
use grid_plan::gate::security::{Borne, security};
use grid_plan::gate::{Answer, Verdict, budget, webhook};
use grid_plan::plan::Plan;
use grid_plan::queue::Priority;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::DeskError;
use crate::limits::{APPROVAL_HOLDS_NS, FILE_BYTES_MAX, GATES_MAX};
use crate::outside::{Language, Outside};

/// When a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before a release starts: what does not pass holds it.
    #[default]
    Before,
    /// After it: what fails takes it back.
    After,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name in the environment.
    pub name: String,
    /// When it is asked.
    #[serde(default)]
    pub when: When,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What a gate asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Ask {
    /// People.
    Approval {
        /// How many.
        #[serde(default = "one")]
        people: usize,
        /// Whether the one who asked for the release counts.
        #[serde(default)]
        requester_counts: bool,
        /// Who may vote; everybody if empty.
        #[serde(default)]
        voters: Vec<String>,
    },
    /// Whether the environment stays within its budget.
    Budget,
    /// Whether nothing is frozen.
    Freeze,
    /// Whether each series of a query keeps to a bound.
    Query {
        /// `promql` or `sql`.
        language: Language,
        /// The query.
        query: String,
        /// It may be at most this.
        #[serde(default)]
        at_most: Option<f64>,
        /// It must be at least this.
        #[serde(default)]
        at_least: Option<f64>,
    },
    /// Whether a page answers as expected.
    Smoke {
        /// The page.
        url: String,
        /// This status; any of 200 to 299 if absent.
        #[serde(default)]
        status: Option<u16>,
        /// This text in the body.
        #[serde(default)]
        body: Option<String>,
        /// At most so many milliseconds.
        #[serde(default)]
        within_ms: Option<f64>,
    },
    /// Whether samples since the change are not worse than before it.
    Performance {
        /// A PromQL expression.
        query: String,
        /// Minutes before the change that are compared with.
        #[serde(default = "hour")]
        minutes: u32,
        /// How much worse the median may be, as a share.
        #[serde(default = "tenth")]
        worse_max: f64,
        /// Whether more is worse.
        #[serde(default = "yes")]
        more_is_worse: bool,
    },
    /// Whether a security report bears no more than this.
    Security {
        /// The report, SARIF 2.1.0; none yet holds.
        #[serde(default)]
        report: Option<String>,
        /// Critical findings that are borne.
        #[serde(default)]
        critical: usize,
        /// High ones.
        #[serde(default)]
        high: usize,
        /// Medium ones; any number if absent.
        #[serde(default)]
        medium: Option<usize>,
    },
    /// What somebody answers to a POST: `{"verdict": "pass" | "hold" | "fail", "reason": "..."}`.
    Webhook {
        /// Whom to ask.
        url: String,
    },
}

fn one() -> usize {
    1
}

fn hour() -> u32 {
    60
}

fn tenth() -> f64 {
    0.1
}

fn yes() -> bool {
    true
}

impl Ask {
    /// The word of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Approval { .. } => "approval",
            Self::Budget => "budget",
            Self::Freeze => "freeze",
            Self::Query { .. } => "query",
            Self::Smoke { .. } => "smoke",
            Self::Performance { .. } => "performance",
            Self::Security { .. } => "security",
            Self::Webhook { .. } => "webhook",
        }
    }
}

/// Checks gates before they are kept.
pub fn check(gates: &[Gate]) -> Result<(), DeskError> {
    let bad = |gate: &Gate, why: &str| Err(DeskError::Bad(format!("gate {:?}: {why}", gate.name)));
    if gates.len() > GATES_MAX {
        return Err(DeskError::TooMany { what: "gates", max: GATES_MAX });
    }
    for (n, gate) in gates.iter().enumerate() {
        if gate.name.is_empty() || gate.name.len() > 64 {
            return bad(gate, "a name has 1 to 64 bytes");
        }
        if gates[..n].iter().any(|g| g.name == gate.name) {
            return bad(gate, "there are two of this name");
        }
        match &gate.ask {
            Ask::Query { at_most, at_least, query, .. }
                if at_most.is_some() == at_least.is_some() || query.is_empty() =>
            {
                return bad(gate, "give a query and either at_most or at_least");
            }
            Ask::Smoke { url, .. } | Ask::Webhook { url }
                if !url.starts_with("http://") && !url.starts_with("https://") =>
            {
                return bad(gate, "its url must begin with http:// or https://");
            }
            Ask::Security { report: Some(report), .. } if report.len() > FILE_BYTES_MAX => {
                return bad(gate, "its report is too large");
            }
            Ask::Approval { .. } | Ask::Budget | Ask::Freeze if gate.when == When::After => {
                return bad(gate, "it is asked before a release, not after it");
            }
            Ask::Performance { .. } if gate.when == When::Before => {
                return bad(gate, "it is asked after a release, not before it");
            }
            _ => {}
        }
    }
    Ok(())
}

/// A time in which nothing is released, as people write it: once (`from`, `until`), or weekly (`days`, `from_time`, `until_time`, `zone`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeForm {
    /// What for.
    pub why: String,
    /// First instant, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// First instant after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Days of the week on which it begins: `mon`, `tue`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// When it begins, `18:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_time: Option<String>,
    /// When it ends, `06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_time: Option<String>,
    /// Whose clock, such as `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether emergencies are held too.
    #[serde(default)]
    pub holds_emergencies: bool,
}

/// Reads a time, RFC 3339.
pub fn instant(text: &str) -> Result<Timestamp, DeskError> {
    let bad = || DeskError::Bad(format!("{text:?} is no time such as 2026-12-24T00:00:00Z"));
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| bad())?;
    time.timestamp_nanos_opt().map(Timestamp).ok_or_else(bad)
}

impl FreezeForm {
    /// As the gate reads it.
    pub fn read(&self) -> Result<Freeze, DeskError> {
        let bad = |why: String| DeskError::Bad(format!("freeze {:?}: {why}", self.why));
        let window = match (&self.from, &self.until) {
            (Some(from), Some(until)) => Window::Once { from: instant(from)?, until: instant(until)? },
            (None, None) if !self.days.is_empty() => {
                let time = |text: &Option<String>| {
                    let text = text.as_deref().unwrap_or("00:00");
                    NaiveTime::parse_from_str(text, "%H:%M")
                        .map_err(|_| bad(format!("{text:?} is no time of day like 18:00")))
                };
                let day = |d: &String| d.parse::<Weekday>().map_err(|_| bad(format!("{d:?} is no day of the week")));
                Window::Weekly {
                    days: self.days.iter().map(day).collect::<Result<_, _>>()?,
                    from: time(&self.from_time)?,
                    until: time(&self.until_time)?,
                    zone: self.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
                }
            }
            _ => return Err(bad("give from and until, or days with from_time and until_time".to_owned())),
        };
        let freeze = Freeze { why: self.why.clone(), window, holds_emergencies: self.holds_emergencies };
        grid_plan::gate::freeze::is_inside(&freeze.window, Timestamp(0)).map_err(bad)?;
        Ok(freeze)
    }
}

/// All that a gate can look at.
pub(crate) struct Seen<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) plan: &'a Plan,
    pub(crate) budget: Option<grid_model::Amount>,
    pub(crate) freezes: &'a [FreezeForm],
    pub(crate) votes: &'a [Vote],
    pub(crate) requester: &'a str,
    pub(crate) priority: Priority,
    pub(crate) release: &'a str,
    /// When the plan had been applied.
    pub(crate) applied: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// Asks one gate.
pub(crate) async fn ask(gate: &Gate, seen: &Seen<'_>, outside: &dyn Outside) -> Verdict {
    match &gate.ask {
        Ask::Approval { people, requester_counts, voters } => {
            let rule = Rule {
                people: *people,
                requester_counts: *requester_counts,
                voters: voters.iter().cloned().collect(),
                holds_ns: APPROVAL_HOLDS_NS,
            };
            approval(seen.votes, &rule, seen.plan.id, seen.requester, seen.now)
        }
        Ask::Budget => budget(seen.plan, seen.budget),
        Ask::Freeze => match seen.freezes.iter().map(FreezeForm::read).collect::<Result<Vec<_>, _>>() {
            Ok(freezes) => freeze(&freezes, seen.priority, seen.now),
            Err(e) => Verdict::Hold(format!("it cannot be evaluated: {e}")),
        },
        Ask::Query { language, query, at_most, at_least } => {
            let bound = match (at_most, at_least) {
                (Some(limit), _) => Bound::AtMost(*limit),
                (None, Some(limit)) => Bound::AtLeast(*limit),
                (None, None) => return Verdict::Hold("it has no bound".to_owned()),
            };
            health(&outside.query(seen.tenant, *language, query, seen.now).await, bound)
        }
        Ask::Smoke { url, status, body, within_ms } => {
            let expected = Expected { status: *status, body: body.clone(), within_ms: *within_ms };
            smoke(&[outside.get(url).await], &expected)
        }
        Ask::Performance { query, minutes, worse_max, more_is_worse } => {
            let Some(applied) = seen.applied else { return Verdict::Hold("nothing has been applied yet".to_owned()) };
            let from = Timestamp(applied.0.saturating_sub(i64::from(*minutes) * MINUTE_NS));
            let before = outside.samples(seen.tenant, query, from, applied).await;
            let after = outside.samples(seen.tenant, query, applied, seen.now).await;
            let bounds = Bounds { worse_max: *worse_max, more_is_worse: *more_is_worse, ..Bounds::default() };
            performance(&before, &after, &bounds)
        }
        Ask::Security { report, critical, high, medium } => {
            let report = match report {
                Some(text) => Answer::Here(text.clone()),
                None => Answer::Missing("nobody has handed one in".to_owned()),
            };
            security(&report, &Borne { critical: *critical, high: *high, medium: *medium })
        }
        Ask::Webhook { url } => {
            let body = json!({
                "gate": gate.name,
                "release": seen.release,
                "environment": seen.plan.environment,
                "plan": seen.plan.id.to_string(),
                "steps": seen.plan.steps.len(),
                "by": seen.requester,
            });
            webhook(&outside.post(url, &body).await)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gate(text: &str) -> Gate {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn gates_are_read_and_checked() {
        let good = [
            r#"{"name": "people", "kind": "approval", "people": 2}"#,
            r#"{"name": "money", "kind": "budget"}"#,
            r#"{"name": "errors", "kind": "query", "when": "after", "language": "promql", "query": "up", "at_least": 1}"#,
        ];
        check(&good.map(gate)).unwrap();
        for (text, why) in [
            (r#"{"name": "", "kind": "budget"}"#, "1 to 64 bytes"),
            (r#"{"name": "q", "kind": "query", "language": "sql", "query": "SELECT 1"}"#, "at_most or at_least"),
            (r#"{"name": "s", "kind": "smoke", "url": "file:///etc/passwd"}"#, "http"),
            (r#"{"name": "b", "kind": "budget", "when": "after"}"#, "before a release"),
        ] {
            assert!(check(&[gate(text)]).unwrap_err().to_string().contains(why), "{text}");
        }
        let night = FreezeForm {
            why: "nights".into(),
            days: vec!["mon".into()],
            from_time: Some("22:00".into()),
            until_time: Some("06:00".into()),
            ..FreezeForm::default()
        };
        night.read().unwrap();
        assert!(FreezeForm { zone: Some("Mars".into()), ..night }.read().is_err());
        assert!(FreezeForm::default().read().is_err());
    }
}
