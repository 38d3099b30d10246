//! No money is saved twice: a resource's cost can be spared once. Proposals claim the resources that they change; the better claim wins, and what
//! only lowers the price of what is left (a commitment, spare capacity, smaller requests of pods) saves the part of its saving that is left of the cost.

use std::collections::BTreeMap;

use grid_model::Amount;

use crate::size::Saving;

/// What a proposal claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The proposal.
    pub id: String,
    /// The resources that it changes, with what each costs a month; no resource twice.
    pub resources: Vec<(String, Amount)>,
    /// What it saves.
    pub saving: Saving,
    /// Its risk.
    pub risk: f64,
    /// Whether it changes the resources themselves, so that no other proposal can. Otherwise it only makes what is left cheaper.
    pub is_exclusive: bool,
}

/// The claims that hold, with what they may save; in the order of the input. Per resource, the `high` savings of all of them together are
/// never above the largest cost that a claim gives for it.
pub fn settle(claims: &[Claim]) -> Vec<Option<Saving>> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&claims[*a], &claims[*b]);
        b.is_exclusive
            .cmp(&a.is_exclusive)
            .then(b.saving.likely.cmp(&a.saving.likely))
            .then(a.risk.total_cmp(&b.risk))
            .then_with(|| a.id.cmp(&b.id))
    });
    // What of each resource's cost is not yet spared.
    let mut left: BTreeMap<&str, i128> = BTreeMap::new();
    for claim in claims {
        for (resource, cost) in &claim.resources {
            let known = left.entry(resource).or_insert(0);
            *known = (*known).max(cost.0.max(0));
        }
    }
    let most = left.clone();
    let mut taken: BTreeMap<&str, ()> = BTreeMap::new();
    let mut held = vec![None; claims.len()];
    for at in order {
        let claim = &claims[at];
        if claim.is_exclusive && claim.resources.iter().any(|(r, _)| taken.contains_key(r.as_str())) {
            continue;
        }
        let room = claim.resources.iter().fold(0_i128, |sum, (r, _)| sum.saturating_add(left[r.as_str()]));
        let saving = if claim.is_exclusive { claim.saving } else { scaled(claim.saving, room, whole(claim, &most)) };
        let saving = capped(saving, Amount(room));
        if saving.likely.0 <= 0 {
            continue;
        }
        let mut spared = saving.high.0;
        for (resource, _) in &claim.resources {
            if claim.is_exclusive {
                taken.insert(resource, ());
            }
            let of = left.entry(resource).or_insert(0);
            let part = spared.min(*of);
            *of -= part;
            spared -= part;
        }
        held[at] = Some(saving);
    }
    held
}

/// What a claim's resources cost in all.
fn whole(claim: &Claim, most: &BTreeMap<&str, i128>) -> i128 {
    claim.resources.iter().fold(0_i128, |sum, (r, _)| sum.saturating_add(most[r.as_str()]))
}

/// The part of a saving that is left if only `room` of `whole` is still paid.
fn scaled(saving: Saving, room: i128, whole: i128) -> Saving {
    let part = |a: Amount| if room >= whole { a } else { a.mul_div(room, whole.max(1)).unwrap_or(Amount::ZERO) };
    Saving { low: part(saving.low), likely: part(saving.likely), high: part(saving.high) }
}

fn capped(saving: Saving, most: Amount) -> Saving {
    let cap = |a: Amount| a.min(most).max(Amount::ZERO);
    Saving { low: cap(saving.low), likely: cap(saving.likely), high: cap(saving.high) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(id: &str, resources: &[(&str, i128)], likely: i128, is_exclusive: bool) -> Claim {
        Claim {
            id: id.to_owned(),
            resources: resources.iter().map(|(r, c)| ((*r).to_owned(), Amount(*c))).collect(),
            saving: Saving { low: Amount(likely / 2), likely: Amount(likely), high: Amount(likely) },
            risk: 0.0,
            is_exclusive,
        }
    }

    fn check(claims: &[Claim], expected: &[Option<i128>]) {
        let held: Vec<Option<i128>> = settle(claims).into_iter().map(|s| s.map(|s| s.likely.0)).collect();
        assert_eq!(held, expected);
    }

    #[test]
    fn the_better_claim_wins_and_commitments_get_what_is_left() {
        check(&[claim("stop", &[("a", 100)], 100, true), claim("resize", &[("a", 100)], 60, true)], &[Some(100), None]);
        check(
            &[claim("commit", &[("a", 100), ("b", 50)], 40, false), claim("stop", &[("a", 100)], 100, true)],
            &[Some(13), Some(100)],
        );
        check(
            &[claim("commit", &[("a", 100), ("b", 10)], 40, false), claim("stop", &[("a", 100)], 100, true)],
            &[Some(4), Some(100)],
        );
        check(
            &[claim("commit", &[("a", 100)], 40, false), claim("stop", &[("a", 100)], 100, true)],
            &[None, Some(100)],
        );
    }

    proptest! {
        #[test]
        fn savings_never_add_up_to_more_than_the_spend(
            list in proptest::collection::vec((proptest::collection::btree_map(0_u8..6, 0_i128..1000, 1..4), 0_i128..3000, any::<bool>()), 0..30)
        ) {
            let claims: Vec<Claim> = list
                .iter()
                .enumerate()
                .map(|(n, (resources, likely, exclusive))| {
                    let resources: Vec<(String, i128)> = resources.iter().map(|(r, c)| (format!("r{r}"), *c)).collect();
                    let named: Vec<(&str, i128)> = resources.iter().map(|(r, c)| (r.as_str(), *c)).collect();
                    claim(&format!("c{n}"), &named, *likely, *exclusive)
                })
                .collect();
            let held = settle(&claims);
            let mut spend: BTreeMap<&str, i128> = BTreeMap::new();
            for (resource, cost) in claims.iter().flat_map(|c| &c.resources) {
                let known = spend.entry(resource).or_default();
                *known = (*known).max(cost.0);
            }
            // All resources together, and each alone as far as claims of one resource say.
            let sum: i128 = held.iter().flatten().map(|s| s.high.0).sum();
            prop_assert!(sum <= spend.values().sum::<i128>());
            for (resource, cost) in &spend {
                let own = claims.iter().zip(&held).filter(|(c, _)| c.resources.len() == 1 && c.resources[0].0 == *resource);
                prop_assert!(own.filter_map(|(_, s)| *s).map(|s| s.high.0).sum::<i128>() <= *cost);
                let exclusive = claims.iter().zip(&held).filter(|(c, s)| s.is_some() && c.is_exclusive && c.resources.iter().any(|(r, _)| r == resource));
                prop_assert!(exclusive.count() <= 1);
            }
        }
    }
}
