//! Proposals that do not flutter. What was proposed stays proposed while it still holds, unless something clearly better has come; what was
//! changed is left alone for a while, so that no change is undone by the next proposal.

use std::collections::BTreeSet;

use grid_model::Timestamp;
use grid_model::table::recommendations::RecommendationRow;
use grid_model::time::DAY_NS;

use crate::decision::{Decisions, Verb};

/// A new proposal must save so much more than the old one to take its place, in hundredths.
const BETTER_PERCENT: i128 = 110;
/// A resource is left alone after an accepted change.
pub const COOLDOWN_NS: i64 = 14 * DAY_NS;
/// How long a proposal holds if it is not made again.
pub const EXPIRES_NS: i64 = 14 * DAY_NS;

/// Joins the proposals of the last run with those of this one, which come from the same policies over newer data. What could not be judged now (no data
/// came) stays until it expires.
pub fn join(
    before: &[RecommendationRow],
    now: Vec<RecommendationRow>,
    judged: &BTreeSet<String>,
    decisions: &Decisions,
    at: Timestamp,
) -> Vec<RecommendationRow> {
    let recently_changed = |resource: &str| {
        decisions.values().any(|d| {
            d.verb == Verb::Accepted && d.promised.resource_id == resource && at.0.saturating_sub(d.at) < COOLDOWN_NS
        })
    };
    let mut joined = Vec::with_capacity(now.len());
    for mut row in now {
        let accepted = decisions.get(&row.recommendation_id).is_some_and(|d| d.verb == Verb::Accepted);
        if !accepted && recently_changed(&row.resource_id) {
            continue;
        }
        if let Some(old) = before.iter().find(|old| old.recommendation_id == row.recommendation_id) {
            row.created_time = old.created_time;
            // The old target still fits (its size is among those that were weighed now), and the new one is hardly better.
            let close = row.saving.0.saturating_mul(100) < old.saving.0.saturating_mul(BETTER_PERCENT);
            let holds = old.present == row.present && old.monthly_cost == row.monthly_cost && old.expires_time > at;
            if holds && close && old.proposed != row.proposed && row.risk >= old.risk {
                row = old.clone();
            }
        }
        joined.push(row);
    }
    for old in before {
        let unknown = !judged.contains(&old.resource_id) && joined.iter().all(|r| r.resource_id != old.resource_id);
        if unknown && old.expires_time > at && !recently_changed(&old.resource_id) {
            joined.push(old.clone());
        }
    }
    joined.sort_by(|a, b| b.saving.cmp(&a.saving).then_with(|| a.recommendation_id.cmp(&b.recommendation_id)));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Decision, Promised};
    use grid_model::Amount;

    fn row(id: &str, proposed: &str, saving: i128, at: i64) -> RecommendationRow {
        RecommendationRow {
            recommendation_id: id.to_owned(),
            resource_id: format!("i-{id}"),
            present: "big".to_owned(),
            proposed: proposed.to_owned(),
            saving: Amount(saving),
            monthly_cost: Amount(1000),
            created_time: Timestamp(at),
            expires_time: Timestamp(at + EXPIRES_NS),
            ..RecommendationRow::default()
        }
    }

    #[test]
    fn a_proposal_stays_until_a_better_one_comes() {
        let (none, judged) = (Decisions::new(), BTreeSet::from(["i-a".to_owned()]));
        let check = |before: &str, now: (&str, i128), expected: &str| {
            let joined =
                join(&[row("a", before, 100, 0)], vec![row("a", now.0, now.1, 5)], &judged, &none, Timestamp(5));
            assert_eq!((joined[0].proposed.as_str(), joined[0].created_time), (expected, Timestamp(0)));
        };
        check("small", ("small", 90), "small");
        check("small", ("tiny", 105), "small");
        check("small", ("tiny", 120), "tiny");
        assert_eq!(join(&[row("a", "small", 100, 0)], Vec::new(), &judged, &none, Timestamp(5)), []);
        // Nobody could judge it: it stays until it expires.
        let old = [row("a", "small", 100, 0)];
        assert_eq!(join(&old, Vec::new(), &BTreeSet::new(), &none, Timestamp(5)), old);
        assert_eq!(join(&old, Vec::new(), &BTreeSet::new(), &none, Timestamp(EXPIRES_NS)), []);
    }

    #[test]
    fn alternating_data_do_not_make_it_oscillate() {
        let mut rows = vec![row("a", "small", 100, 0)];
        for step in 1..20 {
            let next = if step % 2 == 0 { ("small", 100) } else { ("tiny", 104) };
            rows =
                join(&rows, vec![row("a", next.0, next.1, step)], &BTreeSet::new(), &Decisions::new(), Timestamp(step));
            assert_eq!(rows[0].proposed, "small");
        }
    }

    #[test]
    fn what_was_just_changed_is_left_alone() {
        let decision = |verb| Decision {
            verb,
            reason: None,
            at: 0,
            until: None,
            useful: None,
            promised: Promised { resource_id: "i-b".to_owned(), ..Promised::default() },
        };
        let now = || vec![row("b", "small", 100, 1)];
        for (verb, at, expected) in
            [(Verb::Accepted, 1, 0), (Verb::Dismissed, 1, 1), (Verb::Accepted, COOLDOWN_NS + 1, 1)]
        {
            let decisions = Decisions::from([("other".to_owned(), decision(verb))]);
            assert_eq!(join(&[], now(), &BTreeSet::new(), &decisions, Timestamp(at)).len(), expected, "{verb:?} {at}");
        }
    }
}
