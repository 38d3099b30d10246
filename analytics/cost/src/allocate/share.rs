//! Splitting a charge as a rule says, and sharing what came out idle or with an owner that is overhead.

use std::sync::Arc;

use grid_model::Amount;
use grid_model::resource::ResourceKey;

use super::decide::owner_dimensions;
use super::{AllocateError, Allocated, Allocator, Dimensions, Kind};
use crate::charge::Charge;
use crate::rules::{Action, By, Otherwise, ShareOf, Split};
use crate::split::{Weight, split, split_by_amounts};
use crate::weights::User;

/// Which split, in which currency: as long as no measurement decides, all its charges have the same targets and weights.
pub(super) type TargetsKey = (Place, String);

/// Where the split stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// In a rule.
    Rule(usize),
    /// In a share.
    Share(usize),
}

/// Who pays, with what dimensions and which weights.
#[derive(Debug)]
pub(super) struct Targets {
    who: Vec<Target>,
    weights: Shares,
}

#[derive(Debug, Clone)]
struct Target {
    /// `None` = idle.
    owner: Option<Arc<str>>,
    dimensions: Arc<Dimensions>,
}

#[derive(Debug)]
enum Shares {
    Units(Vec<Weight>),
    Amounts(Vec<Amount>),
}

impl Targets {
    fn split(&self, cost: Amount) -> Option<Vec<Amount>> {
        match &self.weights {
            Shares::Units(weights) => split(cost, weights),
            Shares::Amounts(weights) => split_by_amounts(cost, weights),
        }
    }
}

impl Allocator<'_> {
    /// The parts of a charge that a metric measures, for the direct cost of owners; empty for any other split.
    pub(super) fn measured(&mut self, rule: usize, charge: &Charge<'_>) -> Result<Vec<Allocated>, AllocateError> {
        match &self.rules.rules[rule].action {
            Action::Split(Split { by: By::Metric(_), otherwise: Otherwise::Unallocated, .. }) => {
                let mut parts = Vec::new();
                self.split(rule, charge, &mut parts)?;
                Ok(parts)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The parts of a charge that a rule splits.
    pub(super) fn split(
        &mut self,
        rule: usize,
        charge: &Charge<'_>,
        out: &mut Vec<Allocated>,
    ) -> Result<(), AllocateError> {
        let rules = self.rules;
        let of = &rules.rules[rule];
        let Action::Split(split) = &of.action else { return Ok(()) };
        self.parts(Place::Rule(rule), split, charge, charge.cost, &of.name, out);
        Ok(())
    }

    /// Shares the rows after `from` that are idle or belong to an owner that is overhead.
    pub(super) fn share(
        &mut self,
        charge: &Charge<'_>,
        from: usize,
        out: &mut Vec<Allocated>,
    ) -> Result<(), AllocateError> {
        let rules = self.rules;
        if rules.shares.is_empty() {
            return Ok(());
        }
        for row in out.split_off(from) {
            let shared = rules.shares.iter().position(|share| match &share.of {
                ShareOf::Idle => row.kind == Kind::Idle,
                ShareOf::Owner(owner) => row.owner.as_ref() == Some(owner),
            });
            let Some(i) = shared else {
                out.push(row);
                continue;
            };
            let of = match &rules.shares[i].of {
                ShareOf::Idle => "idle",
                ShareOf::Owner(owner) => owner,
            };
            let name: Arc<str> = format!("{} > share of {of}", row.rule).into();
            let at = out.len();
            self.parts(Place::Share(i), &rules.shares[i].split, charge, row.cost, &name, out);
            // What cannot be shared stays what it was: idle cost that nobody can pay is still idle.
            if let [only] = &out[at..]
                && only.kind == Kind::Unallocated
            {
                out.truncate(at);
                out.push(row);
            }
        }
        Ok(())
    }

    fn parts(
        &mut self,
        place: Place,
        how: &Split,
        charge: &Charge<'_>,
        cost: Amount,
        rule: &Arc<str>,
        out: &mut Vec<Allocated>,
    ) {
        let targets = match &how.by {
            By::Metric(metric) => Arc::new(self.metric_targets(metric, how, charge, cost)),
            _ => {
                let key = (place, charge.currency.to_owned());
                match self.targets.get(&key) {
                    Some(known) => Arc::clone(known),
                    None => {
                        let targets = Arc::new(self.fixed_targets(how, charge.currency));
                        self.targets.insert(key, Arc::clone(&targets));
                        targets
                    }
                }
            }
        };
        let parts = targets.split(cost).or_else(|| {
            let even = how.otherwise == Otherwise::Even;
            even.then(|| split(cost, &vec![Weight::new(1); targets.who.len()])).flatten()
        });
        let Some(parts) = parts else {
            *self.summary.unsplit.entry(Arc::clone(rule)).or_default() += 1;
            out.push(self.nobody(Kind::Unallocated, rule, cost));
            return;
        };
        let at = out.len();
        for (target, part) in targets.who.iter().zip(parts).filter(|(_, part)| *part != Amount::ZERO) {
            out.push(match &target.owner {
                Some(owner) => Allocated {
                    owner: Some(Arc::clone(owner)),
                    dimensions: Arc::clone(&target.dimensions),
                    kind: Kind::Allocated,
                    rule: Arc::clone(rule),
                    cost: part,
                },
                None => Allocated { dimensions: Arc::clone(&target.dimensions), ..self.nobody(Kind::Idle, rule, part) },
            });
        }
        // A charge of nothing has no parts; it still is a row.
        if out.len() == at {
            out.push(self.nobody(Kind::Unallocated, rule, cost));
        }
    }

    /// Targets whose weights the rules or the owners' own costs give.
    fn fixed_targets(&mut self, how: &Split, currency: &str) -> Targets {
        let named: Vec<Arc<str>> = match &how.to {
            Some(names) => names.iter().map(|n| self.decider.canonical(n)).collect(),
            None => self.direct.of(currency).map(|(owner, _)| Arc::clone(owner)).collect(),
        };
        let payers: Vec<(usize, Arc<str>)> =
            named.into_iter().enumerate().filter(|(_, owner)| !self.is_shared(owner)).collect();
        let weights = match &how.by {
            By::Fixed(units) => {
                Shares::Units(payers.iter().map(|(i, _)| Weight::new(units.get(*i).copied().unwrap_or(0))).collect())
            }
            By::Proportional => {
                Shares::Amounts(payers.iter().map(|(_, owner)| self.direct.cost(currency, owner)).collect())
            }
            By::Even | By::Metric(_) => Shares::Units(vec![Weight::new(1); payers.len()]),
        };
        let who = payers.into_iter().map(|(_, owner)| self.target(Some(owner), &[], how)).collect();
        Targets { who, weights }
    }

    /// Targets that a measurement names. A credit has no idle part: idle cost is never negative.
    fn metric_targets(&mut self, metric: &str, how: &Split, charge: &Charge<'_>, cost: Amount) -> Targets {
        let per_resource = self.rules.metrics.get(metric).is_some_and(|m| m.resource.is_some());
        let key =
            if per_resource { ResourceKey::of_id(charge.resource).map(|k| k.to_string()) } else { Some(String::new()) };
        let used = key.map(|key| self.weights.between(metric, &key, charge.start, charge.end)).unwrap_or_default();
        let (mut who, mut weights): (Vec<Target>, Vec<Weight>) = (Vec::new(), Vec::new());
        for (User { owner, dimensions }, weight) in used {
            let owner = owner.map(|o| self.decider.canonical(&o));
            let listed = match (&owner, &how.to) {
                (Some(owner), Some(to)) => to.iter().any(|t| t == owner),
                (None, _) => cost.0 >= 0,
                (Some(_), None) => true,
            };
            if listed {
                who.push(self.target(owner, &dimensions, how));
                weights.push(weight);
            }
        }
        if who.is_empty() && how.otherwise == Otherwise::Even {
            // The measurement is silent; the rule says who pays all the same.
            return self.fixed_targets(how, charge.currency);
        }
        Targets { who, weights: Shares::Units(weights) }
    }

    fn is_shared(&self, owner: &Arc<str>) -> bool {
        self.rules.shares.iter().any(|s| matches!(&s.of, ShareOf::Owner(o) if o == owner))
    }

    fn target(&self, owner: Option<Arc<str>>, dimensions: &[(Arc<str>, Arc<str>)], how: &Split) -> Target {
        let mut all = owner.as_ref().map(|o| owner_dimensions(self.rules, o)).unwrap_or_default();
        let given = dimensions.iter().chain(&how.dimensions);
        all.extend(given.map(|(name, value)| (Arc::clone(name), Arc::clone(value))));
        Target { owner, dimensions: Arc::new(all) }
    }
}
