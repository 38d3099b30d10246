//! Groups of machines that share a load: autoscaling groups and node pools. How many, of which type, and between which bounds.
//!
//! Reading order: [`Use`] (what the group did, hour by hour) -> [`advise`] -> [`prefer`] (the group, or its machines one by one).
//!
//! A number of machines holds if the group's highest hour fits with a margin, if it still fits with one machine lost, if what its pods ask for can be
//! placed, and if the probability that a week needs more is small. Where the number may move, bounds come from the policy of [`grid_ml::scale`],
//! replayed hour by hour: what is decided for an hour is known an hour before.

use grid_ml::{NotEnoughData, scale};
use grid_model::Amount;
use grid_model::time::HOUR_NS;

use crate::limits::FLEET_MACHINES_MAX;
use crate::size::{
    HOURS_MAX, HOURS_MIN, IDLE_CPU, Offer, Price, RISK_MAX, Replay, Saving, TARGET, Tail, WORTH, day_peaks, saving,
};

/// The name of the model.
pub const MODEL: &str = "fleet-peaks";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Fewest machines of a group: one may be lost.
pub const MACHINES_MIN: u32 = 2;
/// A group becomes at most so many times as many machines: each carries agents and a part of the system of its own.
const TIMES_MAX: f64 = 2.0;
/// Part of a machine that pods can ask for: the rest is the system's (GKE and EKS reserve 6 to 12% of such sizes).
pub const FOR_PODS: f64 = 0.9;
/// Hours of a replay in which the policy learns.
const WARM_UP: usize = 24;
/// Share of hours in which a replay may have had too little.
const SHORT_MAX: f64 = 0.01;

/// One hour of all machines together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// Sum of the highest uses of processors, in cores: no less than the highest sum.
    pub cores: f64,
    /// The same of memory, in GiB; `None` if it is not measured everywhere.
    pub memory_gib: Option<f64>,
    /// Machines that ran.
    pub machines: u32,
}

/// What pods ask for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Asked {
    /// Cores, of all of them.
    pub cores: f64,
    /// GiB of memory, of all of them.
    pub memory_gib: f64,
    /// Cores of the largest.
    pub cores_largest: f64,
    /// GiB of the largest.
    pub memory_gib_largest: f64,
}

/// What a group did, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Hours in order of time; missing ones are gaps.
    pub hours: Vec<Hour>,
    /// Its type of machine, at what an hour of it is listed; if no list has it, at what it costs.
    pub present: Offer,
    /// Machines that run now.
    pub machines: u32,
    /// What pods on it ask for, if it carries any.
    pub asked: Option<Asked>,
    /// Whether the number of machines can follow the load.
    pub is_elastic: bool,
    /// Whether something on it was killed for want of memory: then a machine never gets less.
    pub was_short_of_memory: bool,
}

/// What a group should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The type of machine.
    pub to: Offer,
    /// Fewest machines.
    pub min: u32,
    /// Machines for the next hour.
    pub desired: u32,
    /// Most machines.
    pub max: u32,
    /// What that saves.
    pub saving: Saving,
    /// Probability that a week needs more than `max` machines.
    pub risk: f64,
    /// What the past would have looked like.
    pub replay: Replay,
}

/// What the group should be; `None` if it is as it should be, or idle (then each machine says so). `offers` are types that can replace the present
/// one. Fewer than [`HOURS_MIN`] hours are not enough.
pub fn advise(of: &Use, price: Price, offers: &[Offer]) -> Result<Option<Proposal>, NotEnoughData> {
    let hours = &of.hours[of.hours.len().saturating_sub(HOURS_MAX)..];
    if hours.len() < HOURS_MIN {
        return Err(NotEnoughData { have: hours.len(), need: HOURS_MIN });
    }
    let cores: Vec<f64> = hours.iter().map(|h| h.cores).collect();
    let memory: Option<Vec<f64>> = hours.iter().map(|h| h.memory_gib).collect();
    let all_cores = f64::from(of.machines) * of.present.millicores as f64 / 1e3;
    let highest = cores.iter().copied().fold(0.0, f64::max);
    // Without a measurement of memory nothing is known of what it needs.
    let Some(memory) = memory.filter(|_| of.machines >= MACHINES_MIN && highest >= IDLE_CPU * all_cores) else {
        return Ok(None);
    };
    let need = Need {
        hours,
        cores_peak: highest,
        memory_peak: memory.iter().copied().fold(0.0, f64::max),
        cores: Tail::of(&day_peaks(hours.iter().map(|h| (h.hour, h.cores)))),
        memory: Tail::of(&day_peaks(hours.iter().filter_map(|h| Some((h.hour, h.memory_gib?))))),
        policy: if of.is_elastic { scale::limits(&cores, HOUR_NS) } else { Vec::new() },
    };
    let best_of = |offer: &Offer| {
        let fixed = need.fixed(of, price, offer);
        let moving = need.moving(of, price, offer);
        match (fixed, moving) {
            // What moves must be worth the moving.
            (Some(f), Some(m)) if exceeds(m.saving.likely, f.saving.likely, price) => Some(m),
            (Some(f), _) => Some(f),
            (None, m) => m,
        }
    };
    let same = best_of(&of.present);
    let others = offers.iter().filter(|o| o.name != of.present.name).filter_map(best_of);
    let other = others.max_by(|a, b| {
        (a.saving.likely.cmp(&b.saving.likely)).then(b.risk.total_cmp(&a.risk)).then_with(|| b.to.name.cmp(&a.to.name))
    });
    let kept = same.as_ref().map_or(Amount::ZERO, |s| s.saving.likely);
    // Another type replaces every machine; another number does not.
    let best = match other {
        Some(other) if exceeds(other.saving.likely, kept, price) => Some(other),
        _ => same,
    };
    Ok(best.filter(|b| exceeds(b.saving.likely, Amount::ZERO, price)))
}

/// Whether what a group saves is preferred to what its machines save one by one.
pub fn prefer(group: &Saving, machines: impl Iterator<Item = Saving>) -> bool {
    let alone = machines.fold(0_i128, |sum, s| sum.saturating_add(s.likely.0));
    group.likely.0 > alone
}

/// Whether one saving is above another by what is worth the work.
fn exceeds(a: Amount, b: Amount, price: Price) -> bool {
    a.0.saturating_sub(b.0).saturating_mul(WORTH.1) >= price.monthly.0.max(1).saturating_mul(WORTH.0)
}

struct Need<'a> {
    hours: &'a [Hour],
    cores_peak: f64,
    memory_peak: f64,
    cores: Tail,
    memory: Tail,
    /// Cores for each hour.
    policy: Vec<f64>,
}

impl Need<'_> {
    /// Fewest machines of a type that memory and pods need at any hour; `None` if the type cannot do.
    fn least(&self, of: &Use, offer: &Offer) -> Option<f64> {
        let (cores, gib) = size(offer);
        if of.was_short_of_memory && offer.memory_mib < of.present.memory_mib {
            return None;
        }
        let asked = of.asked.unwrap_or_default();
        if asked.cores_largest > FOR_PODS * cores || asked.memory_gib_largest > FOR_PODS * gib {
            return None;
        }
        let pods = (asked.cores / (FOR_PODS * cores)).max(asked.memory_gib / (FOR_PODS * gib));
        // Pods do not split: a machine holds whole ones.
        let held =
            (FOR_PODS * gib / asked.memory_gib_largest.max(1e-9)).min(FOR_PODS * cores / asked.cores_largest.max(1e-9));
        let loss = if held < 3.0 { 1.0 / (1.0 - 1.0 / (held.floor() + 1.0)) } else { 1.0 };
        let memory = (self.memory_peak / (TARGET * gib)).max(self.memory_peak / gib + 1.0);
        Some((pods * loss).max(memory).max(f64::from(MACHINES_MIN)).ceil())
    }

    fn risk(&self, offer: &Offer, machines: f64) -> f64 {
        let (cores, gib) = size(offer);
        (self.cores.within_a_week(machines * cores) + self.memory.within_a_week(machines * gib)).min(1.0)
    }

    /// The same number at all hours.
    fn fixed(&self, of: &Use, price: Price, offer: &Offer) -> Option<Proposal> {
        let (cores, gib) = size(offer);
        let mut machines = self.least(of, offer)?;
        machines = machines.max((self.cores_peak / (TARGET * cores)).max(self.cores_peak / cores + 1.0).ceil());
        while self.risk(offer, machines) > RISK_MAX {
            machines += 1.0;
            if machines > FLEET_MACHINES_MAX as f64 {
                return None;
            }
        }
        if machines > TIMES_MAX * f64::from(of.machines) {
            return None;
        }
        let count = machines as u32;
        let replay = Replay {
            hours: self.hours.len(),
            violations: 0,
            peak: (self.cores_peak / (machines * cores)).max(self.memory_peak / (machines * gib)),
        };
        let saving = saving(price, Amount(offer.price.0.saturating_mul(i128::from(count))));
        let risk = self.risk(offer, machines);
        Some(Proposal { to: offer.clone(), min: count, desired: count, max: count, saving, risk, replay })
    }

    /// A number that follows the load.
    fn moving(&self, of: &Use, price: Price, offer: &Offer) -> Option<Proposal> {
        let (cores, gib) = size(offer);
        let least = self.least(of, offer)?;
        let counts: Vec<f64> = self.policy.iter().map(|c| (c / cores).ceil().max(least)).collect();
        let counts = counts.get(WARM_UP..).filter(|c| !c.is_empty())?;
        let hours = &self.hours[WARM_UP..];
        let short = hours.iter().zip(counts).filter(|(h, n)| h.cores > *n * cores).count();
        if short as f64 > SHORT_MAX * hours.len() as f64 {
            return None;
        }
        let highest = counts.iter().copied().fold(least, f64::max);
        let max = highest.max((self.cores.for_a_week(RISK_MAX / 2.0) / cores).ceil());
        let risk = self.risk(offer, max);
        if risk > RISK_MAX || max > (TIMES_MAX * f64::from(of.machines)).min(FLEET_MACHINES_MAX as f64) {
            return None;
        }
        let sum = counts.iter().sum::<f64>() as i128;
        let hourly = offer.price.mul_div(sum, hours.len() as i128)?;
        let part = |(h, n): (&Hour, &f64)| (h.cores / (n * cores)).max(h.memory_gib.unwrap_or(0.0) / (n * gib));
        let replay = Replay {
            hours: hours.len(),
            violations: short,
            peak: hours.iter().zip(counts).map(part).fold(0.0, f64::max),
        };
        let min = counts.iter().copied().fold(max, f64::min);
        let desired = counts.last().copied().unwrap_or(max);
        let (min, desired, max) = (min as u32, desired as u32, max as u32);
        Some(Proposal { to: offer.clone(), min, desired, max, saving: saving(price, hourly), risk, replay })
    }
}

/// Cores and GiB.
fn size(offer: &Offer) -> (f64, f64) {
    ((offer.millicores as f64 / 1e3).max(1e-3), (offer.memory_mib as f64 / 1024.0).max(1e-3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const DOLLAR: i128 = 1_000_000_000_000_000_000;

    fn offer(name: &str, cores: u64, gib: u64, cents: i128) -> Offer {
        Offer {
            name: name.to_owned(),
            millicores: cores * 1000,
            memory_mib: gib * 1024,
            price: Amount(cents * DOLLAR / 100),
        }
    }

    fn offers() -> Vec<Offer> {
        vec![
            offer("large", 2, 8, 10),
            offer("xlarge", 4, 16, 20),
            offer("c-xlarge", 4, 8, 17),
            offer("2xlarge", 8, 32, 40),
        ]
    }

    fn day(hour: i64) -> f64 {
        0.5 - 0.5 * ((hour % 24) as f64 / 24.0 * std::f64::consts::TAU).cos()
    }

    /// A group of machines of the type `2xlarge`.
    fn group(machines: u32, cores: impl Fn(i64) -> f64, gib: f64) -> Use {
        let hours = (0..14 * 24).map(|hour| Hour { hour, cores: cores(hour), memory_gib: Some(gib), machines });
        Use {
            hours: hours.collect(),
            present: offer("2xlarge", 8, 32, 40),
            machines,
            asked: None,
            is_elastic: false,
            was_short_of_memory: false,
        }
    }

    fn price(of: &Use) -> Price {
        let list = Amount(of.present.price.0 * i128::from(of.machines));
        Price { monthly: Amount(list.0 * 730), list: Some(list), is_committed: false }
    }

    fn check(of: &Use, expected: &str) {
        let said = advise(of, price(of), &offers()).unwrap().map_or("keep".to_owned(), |p| {
            assert!(p.risk <= RISK_MAX && p.min <= p.desired && p.desired <= p.max, "{p:?}");
            if p.min == p.max {
                format!("{} x {}", p.max, p.to.name)
            } else {
                format!("{} to {} x {}", p.min, p.max, p.to.name)
            }
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn groups() {
        // A twelfth of it is used: two are enough, and one may be lost. Smaller ones would save little more, and replace all.
        check(&group(12, |h| 6.0 + 2.0 * day(h), 20.0), "2 x 2xlarge");
        check(&group(3, |h| 4.0 + 1.0 * day(h), 12.0), "4 x large");
        check(&group(4, |h| 18.0 + 3.0 * day(h), 60.0), "keep");
        // Idle: its machines say so.
        check(&group(4, |_| 0.2, 4.0), "keep");
        // One machine is no group.
        check(&group(1, |h| 1.0 + day(h), 4.0), "keep");
        let short = Use { hours: Vec::new(), ..group(4, |_| 1.0, 1.0) };
        assert_eq!(advise(&short, price(&short), &offers()), Err(NotEnoughData { have: 0, need: HOURS_MIN }));
    }

    #[test]
    fn what_pods_ask_for_must_find_a_place() {
        let asked = |cores, memory_gib, largest: f64| {
            Some(Asked { cores, memory_gib, cores_largest: 1.0, memory_gib_largest: largest })
        };
        // Each pod fills a machine of the large type: no smaller one can carry it.
        check(&Use { asked: asked(12.0, 336.0, 28.0), ..group(12, |h| 6.0 + 2.0 * day(h), 20.0) }, "keep");
        check(&Use { asked: asked(12.0, 24.0, 2.0), ..group(12, |h| 6.0 + 2.0 * day(h), 20.0) }, "2 x 2xlarge");
    }

    #[test]
    fn machines_on_which_something_was_killed_never_get_smaller() {
        check(&Use { was_short_of_memory: true, ..group(12, |h| 6.0 + 2.0 * day(h), 20.0) }, "2 x 2xlarge");
    }

    #[test]
    fn a_load_of_the_day_is_followed_if_it_may_be() {
        let load = |h: i64| 8.0 + 120.0 * day(h).powi(3);
        let fixed = group(20, load, 60.0);
        assert_eq!(advise(&fixed, price(&fixed), &[]), Ok(None));
        let of = Use { is_elastic: true, ..group(20, load, 60.0) };
        let found = advise(&of, price(&of), &[]).unwrap().unwrap();
        assert!(found.min < 6 && found.max >= 16, "{found:?}");
        assert!(found.saving.likely.0 * 10 > 4 * price(&of).monthly.0, "{found:?}");
        assert!(found.replay.violations * 100 <= found.replay.hours, "{found:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn savings_are_ordered_and_never_more_than_the_cost(
            load in proptest::collection::vec((0.0..60.0_f64, 0.0..200.0_f64), HOURS_MIN..HOURS_MIN + 30),
            machines in 0_u32..20, is_elastic in any::<bool>(), monthly in 0..9000 * DOLLAR, committed in any::<bool>()
        ) {
            let hours = load.iter().enumerate().map(|(n, (c, m))| Hour { hour: n as i64, cores: *c, memory_gib: Some(*m), machines });
            let of = Use { hours: hours.collect(), is_elastic, ..group(machines, |_| 0.0, 0.0) };
            let price = Price { monthly: Amount(monthly), is_committed: committed, ..price(&of) };
            if let Some(p) = advise(&of, price, &offers()).unwrap() {
                prop_assert!(Amount::ZERO <= p.saving.low && p.saving.low <= p.saving.likely && p.saving.likely <= p.saving.high);
                prop_assert!(p.saving.high.0 <= monthly && p.risk <= RISK_MAX && p.min >= MACHINES_MIN);
            }
        }
    }
}
