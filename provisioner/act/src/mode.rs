//! Whether a run may change the world.

use std::fmt;

use grid_model::Timestamp;
use grid_plan::PlanId;

/// Who allowed which plan, until when: a record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The plan, by its content.
    pub plan: PlanId,
    /// Who allowed it.
    pub by: String,
    /// Since when.
    pub from: Timestamp,
    /// First instant at which it no longer holds.
    pub until: Timestamp,
}

/// What a run may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// Say what would be done, and do nothing.
    #[default]
    DryRun,
    /// Do it, as far as the approval goes.
    Apply(Approval),
}

/// Why a step must not change anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The run only tells what it would do.
    DryRun,
    /// The approval is for another plan.
    OtherPlan {
        /// The plan that was allowed.
        allowed: PlanId,
        /// The plan that is to run.
        asked: PlanId,
    },
    /// The approval does not hold yet or no longer.
    NotNow {
        /// When it was to run.
        now: Timestamp,
        /// Since when the approval holds.
        from: Timestamp,
        /// First instant at which it no longer holds.
        until: Timestamp,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DryRun => f.write_str("this is a dry run"),
            Self::OtherPlan { allowed, asked } => write!(f, "plan {allowed} is approved, not {asked}"),
            Self::NotNow { now, from, until } => {
                write!(f, "the approval holds from {from} until {until}, not at {now}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Mode {
    /// Whether a step of a plan may change the world now; the record that allows it if so. To be asked before every call.
    pub fn allows(&self, plan: PlanId, now: Timestamp) -> Result<&Approval, Refusal> {
        match self {
            Self::DryRun => Err(Refusal::DryRun),
            Self::Apply(a) if a.plan != plan => Err(Refusal::OtherPlan { allowed: a.plan, asked: plan }),
            Self::Apply(a) if now < a.from || now >= a.until => {
                Err(Refusal::NotNow { now, from: a.from, until: a.until })
            }
            Self::Apply(a) => Ok(a),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_approved_plan_runs_and_only_in_time() {
        let [mine, other] = [1, 2].map(|n| PlanId::of_digest([n; 32]));
        let approval = Approval { plan: mine, by: "ada".into(), from: Timestamp(10), until: Timestamp(20) };
        let apply = Mode::Apply(approval.clone());
        assert_eq!(Mode::default().allows(mine, Timestamp(15)), Err(Refusal::DryRun));
        assert_eq!(apply.allows(mine, Timestamp(10)), Ok(&approval));
        assert!(matches!(apply.allows(other, Timestamp(15)), Err(Refusal::OtherPlan { .. })));
        for now in [9, 20] {
            assert!(matches!(apply.allows(mine, Timestamp(now)), Err(Refusal::NotNow { .. })));
        }
    }
}
