//! A recommendation's way, from acceptance to the ledger: accept -> override -> plan -> queue -> gates -> apply -> verify over a window -> keep or undo
//! -> ledger. A pure machine: others do what it asks for and tell it what came of it; it says what is next, or why not.

use grid_model::time::DAY_NS;
use grid_model::{Amount, Timestamp};
use grid_plan::PlanId;
use grid_plan::cost::Range;
use grid_plan::environment::{Override, Writer};
use grid_plan::gate::Verdict;
use serde::{Deserialize, Serialize};

use crate::limits::VERIFY_NS_MAX;

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The recommendation.
    pub recommendation: String,
    /// The field that it changes, and to what; its writer is the recommendation.
    pub change: Override,
    /// What it is to save a month.
    pub predicted: Range,
    /// Who accepted it, a person or a policy.
    pub by: String,
    /// When.
    #[serde(with = "grid_plan::kept::time")]
    pub at: Timestamp,
    /// How long it is verified after it was applied, in nanoseconds; at most [`VERIFY_NS_MAX`].
    pub verify_ns: i64,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// It was accepted, and the override is to be written.
    Accepted,
    /// The override is written, and a plan is to be made.
    Overridden,
    /// There is a plan, and a release is to be submitted.
    Planned(PlanId),
    /// A release waits, for others or for gates.
    Queued(PlanId),
    /// The plan is being applied.
    Applying(PlanId),
    /// It is applied, and watched.
    Verifying {
        /// The plan.
        plan: PlanId,
        /// Since when.
        #[serde(with = "grid_plan::kept::time")]
        since: Timestamp,
        /// Until when.
        #[serde(with = "grid_plan::kept::time")]
        until: Timestamp,
        /// What the last look said.
        last: Option<Verdict>,
    },
    /// It was not good, and is taken back: the override first, then the plan that takes the first back.
    Undoing {
        /// The plan.
        plan: PlanId,
        /// Why.
        why: String,
    },
    /// It stays.
    Kept {
        /// The plan.
        plan: PlanId,
        /// When it was applied.
        #[serde(with = "grid_plan::kept::time")]
        applied: Timestamp,
    },
    /// It does not, and everything is as it was.
    Undone(String),
    /// It ended before anything was changed.
    Dropped(String),
    /// Taking it back failed: a person has to look.
    Stuck(String),
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The override was written.
    Overridden,
    /// The override was refused: somebody else writes that field.
    Conflict(String),
    /// There is a plan.
    Planned(PlanId),
    /// There is nothing to do: it is so already.
    NothingToDo,
    /// A release was submitted.
    Queued,
    /// Its inputs have changed before it was applied: a new plan is needed.
    Stale,
    /// The release was cancelled, or a gate or a person said no, before it began.
    Refused(String),
    /// It has begun.
    Began,
    /// It has been applied.
    Applied,
    /// It could not be applied, or only in part.
    Failed(String),
    /// A look at how it goes.
    Looked(Verdict),
    /// Taking it back has worked.
    TakenBack,
    /// Taking it back has not worked.
    NotTakenBack(String),
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    /// Write the override.
    WriteOverride(Box<Override>),
    /// Take the override back, without a plan: nothing has been changed.
    TakeBackOverride(Box<Override>),
    /// Make a plan.
    Plan,
    /// Submit a release of a plan.
    Submit(PlanId),
    /// Nothing; others are at work.
    Wait,
    /// Look at how it goes, no later than this.
    LookBy(Timestamp),
    /// Take the override back, then make, submit and apply a plan that takes this one back.
    TakeBack(PlanId, Box<Override>),
    /// Write into the ledger.
    Enter,
    /// Tell a person.
    Tell(String),
}

/// An event that cannot happen where it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{event:?} cannot happen to recommendation {recommendation} in {stage:?}")]
pub struct NotNow {
    /// The recommendation.
    pub recommendation: String,
    /// The event.
    pub event: Box<Event>,
    /// Where it is.
    pub stage: Box<Stage>,
}

/// One recommendation on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acting {
    /// What was accepted.
    pub accepted: Accepted,
    /// Where it is.
    pub stage: Stage,
    /// Where it was, and when it went on.
    #[serde(with = "steps")]
    pub history: Vec<(Timestamp, Stage)>,
}

/// Stages with their times.
mod steps {
    use serde::{Deserializer, Serializer};

    use super::*;

    pub(super) fn serialize<S: Serializer>(all: &[(Timestamp, Stage)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|(at, stage)| (at.0, stage)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(Timestamp, Stage)>, D::Error> {
        Ok(Vec::<(i64, Stage)>::deserialize(from)?.into_iter().map(|(at, stage)| (Timestamp(at), stage)).collect())
    }
}

impl Acting {
    /// Begins. The override's writer becomes the recommendation, so that the field has this one writer.
    pub fn new(mut accepted: Accepted) -> Self {
        accepted.change.by.writer = Writer::Recommendation(accepted.recommendation.clone());
        accepted.verify_ns = accepted.verify_ns.clamp(0, VERIFY_NS_MAX);
        Self { accepted, stage: Stage::Accepted, history: Vec::new() }
    }

    /// What is next.
    pub fn next(&self) -> Do {
        let change = || Box::new(self.accepted.change.clone());
        match &self.stage {
            Stage::Accepted => Do::WriteOverride(change()),
            Stage::Overridden => Do::Plan,
            Stage::Planned(plan) => Do::Submit(*plan),
            Stage::Queued(_) | Stage::Applying(_) => Do::Wait,
            Stage::Verifying { until, .. } => Do::LookBy(*until),
            Stage::Undoing { plan, .. } => Do::TakeBack(*plan, change()),
            Stage::Kept { .. } | Stage::Undone(_) => Do::Enter,
            // Without an override nothing has to be taken back.
            Stage::Dropped(_) if self.was_overridden() => Do::TakeBackOverride(change()),
            Stage::Dropped(why) | Stage::Stuck(why) => Do::Tell(why.clone()),
        }
    }

    /// Takes an event in.
    pub fn happened(&mut self, event: Event, now: Timestamp) -> Result<&Stage, NotNow> {
        let next = match (&self.stage, event) {
            (Stage::Accepted, Event::Overridden) => Stage::Overridden,
            (Stage::Accepted, Event::Conflict(why)) => Stage::Dropped(why),
            (Stage::Overridden, Event::Planned(plan)) => Stage::Planned(plan),
            (Stage::Overridden, Event::NothingToDo) => Stage::Dropped("it is so already".to_owned()),
            (Stage::Overridden, Event::Refused(why)) => Stage::Dropped(why),
            (Stage::Planned(plan), Event::Queued) => Stage::Queued(*plan),
            (Stage::Planned(_) | Stage::Queued(_), Event::Stale) => Stage::Overridden,
            (Stage::Planned(_) | Stage::Queued(_), Event::Refused(why)) => Stage::Dropped(why),
            (Stage::Queued(plan), Event::Began) => Stage::Applying(*plan),
            (Stage::Applying(plan), Event::Applied) => {
                let until = now.saturating_add(self.accepted.verify_ns);
                Stage::Verifying { plan: *plan, since: now, until, last: None }
            }
            // In part applied is applied: it is taken back.
            (Stage::Applying(plan), Event::Failed(why)) => Stage::Undoing { plan: *plan, why },
            (Stage::Verifying { plan, since, until, .. }, Event::Looked(verdict)) => match verdict {
                Verdict::Fail(why) => Stage::Undoing { plan: *plan, why },
                Verdict::Pass(_) if now >= *until => Stage::Kept { plan: *plan, applied: *since },
                // Whatever is not known at the end of the window is looked at for one window more, and is then no pass.
                Verdict::Hold(why) if now.0 >= until.0.saturating_add(self.accepted.verify_ns.max(DAY_NS)) => {
                    Stage::Undoing { plan: *plan, why: format!("it could not be shown to be good: {why}") }
                }
                verdict => Stage::Verifying { plan: *plan, since: *since, until: *until, last: Some(verdict) },
            },
            (Stage::Undoing { why, .. }, Event::TakenBack) => Stage::Undone(why.clone()),
            (Stage::Undoing { why, .. }, Event::NotTakenBack(failed)) => {
                Stage::Stuck(format!("{why}; and taking it back failed: {failed}"))
            }
            (stage, event) => {
                return Err(NotNow {
                    recommendation: self.accepted.recommendation.clone(),
                    event: Box::new(event),
                    stage: Box::new(stage.clone()),
                });
            }
        };
        let before = std::mem::replace(&mut self.stage, next);
        self.history.push((now, before));
        Ok(&self.stage)
    }

    fn was_overridden(&self) -> bool {
        self.history.iter().any(|(_, s)| *s == Stage::Overridden)
    }

    /// What the ledger says of it. `billed` are the resource's costs a month before and after, as the bills say; `None` while they do not.
    pub fn ledger(&self, billed: Option<(Amount, Amount)>) -> LedgerEntry {
        let realised = match (&self.stage, billed) {
            (Stage::Kept { .. }, Some((before, after))) => Realised::Saved(Amount(before.0.saturating_sub(after.0))),
            (Stage::Kept { .. }, None) => Realised::NotBilledYet,
            (Stage::Undone(why) | Stage::Dropped(why), _) => Realised::Nothing(why.clone()),
            _ => Realised::NotDone,
        };
        LedgerEntry {
            recommendation: self.accepted.recommendation.clone(),
            accepted_by: self.accepted.by.clone(),
            predicted: self.accepted.predicted,
            realised,
        }
    }
}

/// What was predicted and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The recommendation.
    pub recommendation: String,
    /// Who accepted it.
    pub accepted_by: String,
    /// What it was to save a month.
    pub predicted: Range,
    /// What it saves.
    pub realised: Realised,
}

/// What a change saves a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Realised {
    /// So much, by the bills; negative if it costs more.
    Saved(#[serde(with = "grid_plan::kept::money")] Amount),
    /// It is kept, and no bill says anything yet.
    NotBilledYet,
    /// Nothing: it was not kept.
    Nothing(String),
    /// It is on its way.
    NotDone,
}

impl LedgerEntry {
    /// Whether what came lies within what was predicted; `None` if nothing came yet.
    pub fn is_as_predicted(&self) -> Option<bool> {
        match self.realised {
            Realised::Saved(amount) => Some(self.predicted.low <= amount && amount <= self.predicted.high),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_plan::environment::Provenance;
    use grid_plan::{Address, Path};
    use proptest::prelude::*;

    fn acting() -> Acting {
        let by = Provenance {
            writer: Writer::People,
            who: "ada".to_owned(),
            why: "too large".to_owned(),
            at: Timestamp(0),
            evidence: None,
        };
        let change = Override {
            target: Address::parse("vm.a").unwrap(),
            path: Path::parse("size").unwrap(),
            to: Some("small".into()),
            by,
        };
        let predicted = Range { low: Amount(5), likely: Amount(10), high: Amount(15) };
        let recommendation = "r-1".to_owned();
        Acting::new(Accepted {
            recommendation,
            change,
            predicted,
            by: "ada".to_owned(),
            at: Timestamp(0),
            verify_ns: 100,
        })
    }

    fn plan() -> PlanId {
        PlanId::of_digest([1; 32])
    }

    fn pass() -> Verdict {
        Verdict::Pass("fine".to_owned())
    }

    fn check(events: &[(i64, Event)], expected: &str) -> Acting {
        let mut acting = acting();
        for (now, event) in events {
            acting.happened(event.clone(), Timestamp(*now)).unwrap();
        }
        let shown = format!("{:?} / {:?}", acting.stage, acting.next());
        assert!(shown.contains(expected), "{shown} is not {expected}");
        acting
    }

    #[test]
    fn the_ways_that_it_can_go() {
        use Event::*;
        let begun = || vec![(1, Overridden), (2, Planned(plan())), (3, Queued), (4, Began)];
        let and = |more: Vec<(i64, Event)>| [begun(), more].concat();
        check(&[], "WriteOverride");
        check(&[(1, Conflict("two writers".to_owned()))], "Dropped(\"two writers\") / Tell");
        check(&[(1, Overridden), (2, NothingToDo)], "Dropped(\"it is so already\") / TakeBackOverride");
        check(&[(1, Overridden), (2, Planned(plan())), (3, Stale)], "Overridden / Plan");
        check(
            &[(1, Overridden), (2, Planned(plan())), (3, Queued), (4, Refused("no".to_owned()))],
            "Dropped(\"no\") / TakeBackOverride",
        );
        check(&and(vec![(5, Failed("half".to_owned()))]), "TakeBack");
        check(&and(vec![(5, Applied)]), "LookBy(Timestamp(105))");
        check(&and(vec![(5, Applied), (50, Looked(pass()))]), "LookBy");
        check(&and(vec![(5, Applied), (50, Looked(Verdict::Fail("slow".to_owned())))]), "Undoing");
        check(&and(vec![(5, Applied), (105, Looked(Verdict::Hold("thin".to_owned())))]), "LookBy");
        check(
            &and(vec![(5, Applied), (106 + DAY_NS, Looked(Verdict::Hold("thin".to_owned())))]),
            "could not be shown to be good",
        );
        let kept = check(&and(vec![(5, Applied), (105, Looked(pass()))]), "Kept");
        for (billed, realised, as_predicted) in [
            (None, Realised::NotBilledYet, None),
            (Some((Amount(100), Amount(90))), Realised::Saved(Amount(10)), Some(true)),
            (Some((Amount(100), Amount(110))), Realised::Saved(Amount(-10)), Some(false)),
        ] {
            let entry = kept.ledger(billed);
            assert_eq!((entry.is_as_predicted(), entry.realised), (as_predicted, realised));
        }
        let undoing = and(vec![(5, Applied), (50, Looked(Verdict::Fail("slow".to_owned())))]);
        let undone = check(&[undoing.clone(), vec![(60, TakenBack)]].concat(), "Undone(\"slow\") / Enter");
        assert_eq!(undone.ledger(None).realised, Realised::Nothing("slow".to_owned()));
        check(&[undoing, vec![(60, NotTakenBack("no".to_owned()))]].concat(), "Stuck");
        assert!(acting().happened(Applied, Timestamp(0)).is_err());
    }

    proptest! {
        /// Nothing is kept that was not applied and then found good at the end of its window.
        #[test]
        fn what_is_kept_was_verified(events in proptest::collection::vec((0..13_u8, 0..3_u8), 0..40)) {
            let mut acting = acting();
            let (mut now, mut looked) = (0, None);
            for (event, verdict) in events {
                now += 20;
                let verdict = [pass(), Verdict::Hold(String::new()), Verdict::Fail(String::new())][usize::from(verdict)].clone();
                let event = match event {
                    0 | 1 => Event::Overridden,
                    2 => Event::Planned(plan()),
                    3 => Event::Queued,
                    4 => Event::Began,
                    5 | 6 => Event::Applied,
                    7 => Event::Stale,
                    8 => Event::TakenBack,
                    _ => Event::Looked(verdict),
                };
                let before = acting.clone();
                match acting.happened(event.clone(), Timestamp(now)) {
                    Ok(_) => looked = Some(event),
                    Err(_) => prop_assert_eq!(&before, &acting),
                }
                if let Stage::Kept { applied, .. } = acting.stage {
                    prop_assert!(now >= applied.0 + 100);
                    prop_assert!(matches!(&looked, Some(Event::Looked(v)) if v.is_pass()));
                    prop_assert!(acting.history.iter().any(|(_, s)| matches!(s, Stage::Applying(_))));
                }
            }
        }
    }
}
