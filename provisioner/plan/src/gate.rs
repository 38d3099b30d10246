//! Gates: may a release start, and was it good that it ran? Each is a pure decision over answers that others have fetched, and each says pass, hold
//! or fail with its reason.
//!
//! The one rule: what cannot be evaluated holds. A missing answer, a number that is none, a report that cannot be read, too little traffic: none of
//! these is ever a pass.

pub mod health;
pub mod performance;
pub mod security;
pub mod freeze;
pub mod approval;
#[cfg(test)]
mod tests;

use std::fmt;

use grid_model::Amount;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Go on; what was found.
    Pass(String),
    /// Not yet; why.
    Hold(String),
    /// No; why.
    Fail(String),
}

impl Verdict {
    /// Whether it passes.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    /// The word in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass(_) => "pass",
            Self::Hold(_) => "hold",
            Self::Fail(_) => "fail",
        }
    }

    /// What was found.
    pub fn reason(&self) -> &str {
        match self {
            Self::Pass(reason) | Self::Hold(reason) | Self::Fail(reason) => reason,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.reason())
    }
}

/// What all gates say together: the first that fails, or else the first that holds. No gates pass; a gate without a verdict holds.
pub fn together<'a>(verdicts: impl IntoIterator<Item = (&'a str, Option<&'a Verdict>)>) -> Verdict {
    let mut held = None;
    let mut count = 0;
    for (gate, verdict) in verdicts {
        count += 1;
        match verdict {
            Some(Verdict::Fail(why)) => return Verdict::Fail(format!("{gate}: {why}")),
            Some(Verdict::Hold(why)) => {
                held.get_or_insert_with(|| format!("{gate}: {why}"));
            }
            None => {
                held.get_or_insert_with(|| format!("{gate}: it has not been asked yet"));
            }
            Some(Verdict::Pass(_)) => {}
        }
    }
    match held {
        Some(why) => Verdict::Hold(why),
        None => Verdict::Pass(format!("{count} of {count} gates")),
    }
}

/// What something outside has answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// This.
    Here(T),
    /// Nothing, and why: a refusal, a timeout, a query that does not parse.
    Missing(String),
}

/// Whether an environment stays within its budget afterwards. Unknown costs hold: they may be any.
pub fn budget(plan: &Plan, budget: Option<Amount>) -> Verdict {
    let Some(budget) = budget else { return Verdict::Pass("the environment has no budget".to_owned()) };
    let currency = &plan.currency.0;
    let high = plan.monthly.known.high;
    if plan.monthly.known.low > budget {
        return Verdict::Fail(format!("at least {} {currency} a month, above {budget}", plan.monthly.known.low));
    }
    if let [(address, why), ..] = plan.monthly.unknown.as_slice() {
        let n = plan.monthly.unknown.len();
        return Verdict::Hold(format!("the cost of {n} resources is unknown, such as {address}: {why}"));
    }
    if high > budget {
        return Verdict::Hold(format!("it may be up to {high} {currency} a month, above {budget}"));
    }
    Verdict::Pass(format!("at most {high} {currency} a month, within {budget}"))
}

/// What a webhook answers: a status of HTTP and a body `{"verdict": "pass" | "hold" | "fail", "reason": "..."}`.
pub fn webhook(answer: &Answer<(u16, String)>) -> Verdict {
    let (status, body) = match answer {
        Answer::Here(answer) => answer,
        Answer::Missing(why) => return Verdict::Hold(format!("no answer: {why}")),
    };
    if !(200..300).contains(status) {
        return Verdict::Hold(format!("the answer has status {status}"));
    }
    let Ok(json) = serde_json::from_str::<serde_json::Value>(body) else {
        return Verdict::Hold("the answer is no JSON".to_owned());
    };
    let reason = json["reason"].as_str().unwrap_or("it gives no reason").chars().take(500).collect::<String>();
    match json["verdict"].as_str() {
        Some("pass") => Verdict::Pass(reason),
        Some("hold") => Verdict::Hold(reason),
        Some("fail") => Verdict::Fail(reason),
        Some(other) => Verdict::Hold(format!("the answer has an unheard-of verdict, {other:?}")),
        None => Verdict::Hold("the answer has no verdict".to_owned()),
    }
}
