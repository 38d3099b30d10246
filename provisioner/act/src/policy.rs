//! Who may decide: per environment, what Grid may do by itself, within what limits of money and risk, and how many people a plan needs.

use grid_model::Amount;
use grid_plan::Plan;
use grid_plan::lint::{Finding, Severity};
use serde::{Deserialize, Serialize};

/// How far Grid goes with an accepted or a found recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Autonomy {
    /// It does nothing.
    #[default]
    Off,
    /// It says what it would do.
    Suggest,
    /// It prepares a plan, and a person approves it.
    Approve,
    /// Within limits it approves by itself; beyond them a person does.
    Automatic,
}

/// The limits within which Grid approves by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The most that a plan may add a month, at its high end. Zero lets only savings through.
    #[serde(with = "grid_plan::kept::money")]
    pub adds_max: Amount,
    /// The most that a plan may save a month, at its low end, before somebody looks: a great saving is a great change. `None` for any.
    #[serde(default, with = "grid_plan::kept::money_opt")]
    pub saves_max: Option<Amount>,
    /// The largest probability that the new size is too small within the window of the recommendation (0.05 = 5%).
    pub risk_max: f64,
    /// The most steps.
    pub steps_max: usize,
    /// The most dependents of one step.
    pub blast_max: usize,
    /// The most money that plans approved by itself may move within a day, in either direction.
    #[serde(with = "grid_plan::kept::money")]
    pub moved_max: Amount,
}

/// What may be done with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing.
    Nothing,
    /// Show it.
    Show,
    /// So many people must approve it; why.
    People(usize, Vec<String>),
    /// It is approved by policy.
    Approved,
}

/// A policy of one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// How far Grid goes.
    pub autonomy: Autonomy,
    /// Within what limits.
    pub limits: Limits,
    /// Whether what destroys data or opens doors needs two people.
    pub two_people_for_errors: bool,
}

impl Policy {
    /// What may be done with a plan. `risk` is the recommendation's; a risk that is not known, and money that is not known, are beyond every limit.
    /// `moved` is what was already moved today.
    pub fn ruling(&self, plan: &Plan, findings: &[Finding], risk: Option<f64>, moved: Amount) -> Ruling {
        match self.autonomy {
            Autonomy::Off => return Ruling::Nothing,
            Autonomy::Suggest => return Ruling::Show,
            Autonomy::Approve | Autonomy::Automatic => {}
        }
        let is_grave = findings.iter().any(|f| f.severity == Severity::Error);
        let people = if is_grave && self.two_people_for_errors { 2 } else { 1 };
        let mut beyond = self.beyond(plan, findings, risk, moved);
        if self.autonomy == Autonomy::Approve {
            beyond.insert(0, "the environment's policy asks for approval".to_owned());
        }
        if beyond.is_empty() { Ruling::Approved } else { Ruling::People(people, beyond) }
    }

    /// Every limit that a plan is beyond.
    fn beyond(&self, plan: &Plan, findings: &[Finding], risk: Option<f64>, moved: Amount) -> Vec<String> {
        let (limits, currency) = (&self.limits, &plan.currency.0);
        let mut beyond = Vec::new();
        match plan.delta.certain() {
            None => beyond.push(format!("{} steps have no known cost", plan.delta.unknown.len())),
            Some(delta) => {
                if delta.high > limits.adds_max {
                    beyond.push(format!("it may add {} {currency} a month, more than {}", delta.high, limits.adds_max));
                }
                if limits.saves_max.is_some_and(|most| -delta.low.0 > most.0) {
                    beyond.push(format!(
                        "it may save {} {currency} a month, a change that large is looked at",
                        Amount(-delta.low.0)
                    ));
                }
                let moves = delta.low.0.abs().max(delta.high.0.abs());
                if moved.0.saturating_add(moves) > limits.moved_max.0 {
                    beyond.push(format!("more than {} {currency} would be moved today", limits.moved_max));
                }
            }
        }
        match risk {
            Some(risk) if risk.is_finite() && risk <= limits.risk_max => {}
            Some(risk) => beyond.push(format!("its risk is {risk}, more than {}", limits.risk_max)),
            None => beyond.push("its risk is not known".to_owned()),
        }
        if plan.steps.len() > limits.steps_max {
            beyond.push(format!("it has {} steps, more than {}", plan.steps.len(), limits.steps_max));
        }
        let blast = plan.steps.iter().map(|s| s.blast.count).max().unwrap_or(0);
        if blast > limits.blast_max {
            beyond.push(format!("{blast} resources depend on one that it changes, more than {}", limits.blast_max));
        }
        if plan.steps.iter().any(|s| !s.undo.is_complete()) {
            beyond.push("it cannot be taken back completely".to_owned());
        }
        beyond.extend(
            findings.iter().filter(|f| f.severity == Severity::Error).map(|f| format!("{}: {}", f.code, f.text)),
        );
        beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loop_tests::World;
    use grid_plan::lint::{Bounds, lint};

    fn amount(whole: i128) -> Amount {
        Amount(whole * 10_i128.pow(18))
    }

    fn policy(autonomy: Autonomy) -> Policy {
        let limits = Limits {
            adds_max: amount(0),
            saves_max: Some(amount(50)),
            risk_max: 0.05,
            steps_max: 3,
            blast_max: 5,
            moved_max: amount(100),
        };
        Policy { autonomy, limits, two_people_for_errors: true }
    }

    fn check(max: i64, risk: Option<f64>, moved: i128, autonomy: Autonomy, expected: &str) {
        let world = World::new(4);
        let plan = world.plan_of(max);
        let ruling =
            policy(autonomy).ruling(&plan, &lint(&plan, &world.kinds, &Bounds::default()), risk, amount(moved));
        let shown = match ruling {
            Ruling::People(n, why) => format!("{n}: {}", why.join("; ")),
            ruling => format!("{ruling:?}"),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn limits_hold_what_is_automatic() {
        use Autonomy::{Approve, Automatic, Off, Suggest};
        check(3, Some(0.01), 0, Off, "Nothing");
        check(3, Some(0.01), 0, Suggest, "Show");
        check(3, Some(0.01), 0, Approve, "1: the environment's policy asks for approval");
        check(3, Some(0.01), 0, Automatic, "Approved");
        check(3, Some(0.06), 0, Automatic, "1: its risk is 0.06, more than 0.05");
        check(3, Some(f64::NAN), 0, Automatic, "1: its risk is NaN, more than 0.05");
        check(3, None, 0, Automatic, "1: its risk is not known");
        check(3, Some(0.01), 95, Automatic, "1: more than 100 EUR would be moved today");
        check(5, Some(0.01), 0, Automatic, "1: it may add 25 EUR a month, more than 0");
        check(1, Some(0.01), 0, Automatic, "1: it may save 75 EUR a month, a change that large is looked at");
    }
}
