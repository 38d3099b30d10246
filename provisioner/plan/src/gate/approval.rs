//! What people say. A vote is for one plan by its content, so a vote for another plan is none.

use std::collections::BTreeSet;

use grid_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::plan_id::PlanId;

/// One vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub who: String,
    /// For or against which plan.
    pub plan: PlanId,
    /// Whether for it.
    pub is_yes: bool,
    /// When.
    #[serde(with = "crate::kept::time")]
    pub at: Timestamp,
    /// What was said.
    pub note: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// How many people; 0 counts as 1, since this gate was asked for.
    pub people: usize,
    /// Whether the one who asked for the release counts.
    pub requester_counts: bool,
    /// Who may vote; everybody if empty.
    pub voters: BTreeSet<String>,
    /// How long a vote holds, in nanoseconds.
    pub holds_ns: i64,
}

/// Counts. Each person has one vote, the last; one that is against fails. Names are compared without case and spaces around them, so that nobody is
/// two people by spelling.
pub fn approval(votes: &[Vote], rule: &Rule, plan: PlanId, requester: &str, now: Timestamp) -> Verdict {
    let same = |name: &str| name.trim().to_lowercase();
    let voters: BTreeSet<String> = rule.voters.iter().map(|v| same(v)).collect();
    let mut last: std::collections::BTreeMap<String, &Vote> = std::collections::BTreeMap::new();
    for vote in votes.iter().filter(|v| v.plan == plan && v.at <= now) {
        let who = same(&vote.who);
        let may = !who.is_empty() && (voters.is_empty() || voters.contains(&who));
        if may && last.get(&who).is_none_or(|old| old.at <= vote.at) {
            last.insert(who, vote);
        }
    }
    if let Some(vote) = last.values().find(|v| !v.is_yes) {
        return Verdict::Fail(format!("{} is against it: {}", vote.who, vote.note));
    }
    let holds = |vote: &Vote| now.0.saturating_sub(vote.at.0) < rule.holds_ns;
    let counts = |who: &str| rule.requester_counts || who != same(requester);
    let (yes, needed) = (last.iter().filter(|(who, v)| holds(v) && counts(who)).count(), rule.people.max(1));
    let names: Vec<&str> = last.values().map(|v| v.who.as_str()).collect();
    if yes >= needed {
        Verdict::Pass(format!("approved by {}", names.join(", ")))
    } else {
        Verdict::Hold(format!("approved by {yes} of {needed} people"))
    }
}
