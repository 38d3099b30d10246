//! Managed databases: idle ones, classes that are too large, storage that nobody fills.
//!
//! Idle is what nobody connects to for a week, as AWS Trusted Advisor says. A smaller class must hold the highest hour's processors and memory with a
//! margin, and the connections that its memory allows (RDS: a PostgreSQL allows one per 9,531,392 bytes). Storage is told from the least that was ever
//! free; most clouds cannot make it smaller in place, so it takes a copy.

use grid_ml::NotEnoughData;
use grid_model::Amount;

use crate::robust::quantile;
use crate::size::{
    HOURS_MAX, HOURS_MIN, IDLE_CPU, Offer, Price, RISK_MAX, Replay, Saving, TARGET, Tail, WORTH, day_peaks, saving,
};
use crate::waste::missed;

/// The name of the model.
pub const MODEL: &str = "database-peaks";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Connections that a GiB of memory allows: RDS' default for PostgreSQL.
pub const CONNECTIONS_PER_GIB: f64 = 1_073_741_824.0 / 9_531_392.0;
/// Storage beside the highest use, as a part of it: months of growth.
pub const STORAGE_MARGIN: f64 = 0.3;
/// Storage is sold in steps, in GiB.
const STORAGE_STEP_GIB: f64 = 10.0;
/// Least storage, in GiB (RDS: 20).
const STORAGE_GIB_MIN: f64 = 20.0;
/// A copy is worth it from this part of the storage's cost.
const STORAGE_WORTH: (i128, i128) = (30, 100);

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// Highest share of its processors.
    pub cpu: f64,
    /// Most connections; `None` if nobody counts them.
    pub connections: Option<f64>,
    /// Least free memory, in GiB.
    pub memory_free_gib: Option<f64>,
    /// Least free storage, in GiB.
    pub storage_free_gib: Option<f64>,
}

/// What a database did, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Hours in order of time; missing ones are gaps.
    pub hours: Vec<Hour>,
    /// Its class, if the price book has it.
    pub class: Option<Offer>,
    /// Its storage, in GiB, by the bill.
    pub storage_gib: Option<f64>,
}

/// What it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The instance.
    pub instance: Price,
    /// Its storage, a month.
    pub storage: Amount,
}

/// What to do with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nobody connects: keep a snapshot and delete it.
    Stop,
    /// A smaller class.
    Class(Offer),
    /// Less storage, in GiB.
    Storage(f64),
}

/// A change with what it saves and risks.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The change.
    pub change: Change,
    /// What that saves.
    pub saving: Saving,
    /// Probability that a week's use is above it.
    pub risk: f64,
    /// What the past would have looked like.
    pub replay: Replay,
}

/// What to do with a database; the change that saves most. Fewer than [`HOURS_MIN`] hours are not enough.
pub fn advise(of: &Use, cost: Cost, classes: &[Offer]) -> Result<Option<Proposal>, NotEnoughData> {
    let hours = &of.hours[of.hours.len().saturating_sub(HOURS_MAX)..];
    if hours.len() < HOURS_MIN {
        return Err(NotEnoughData { have: hours.len(), need: HOURS_MIN });
    }
    if let Some(stop) = idle(hours, cost) {
        return Ok(Some(stop));
    }
    let (class, storage) = (class(of, hours, cost, classes), storage(of, hours, cost));
    let likely = |p: &Option<Proposal>| p.as_ref().map_or(Amount::ZERO, |p| p.saving.likely);
    Ok(if likely(&storage) > likely(&class) { storage } else { class })
}

fn idle(hours: &[Hour], cost: Cost) -> Option<Proposal> {
    let connections: Option<Vec<f64>> = hours.iter().map(|h| h.connections).collect();
    let is_idle = connections?.iter().all(|c| *c < 1.0);
    let cpu: Vec<f64> = hours.iter().map(|h| h.cpu).collect();
    if !is_idle || quantile(&cpu, 0.99) >= IDLE_CPU {
        return None;
    }
    let instance = saving(cost.instance, Amount::ZERO);
    // A snapshot of what it holds costs something as well.
    let with_storage = |a: Amount, part: i128| Amount(a.0.saturating_add(cost.storage.0.max(0) * part / 2));
    let saving =
        Saving { low: instance.low, likely: with_storage(instance.likely, 1), high: with_storage(instance.high, 2) };
    let replay = Replay { hours: hours.len(), violations: 0, peak: 0.0 };
    Some(Proposal { change: Change::Stop, saving, risk: missed(hours.len() as i64 / 24), replay })
}

fn class(of: &Use, hours: &[Hour], cost: Cost, classes: &[Offer]) -> Option<Proposal> {
    let present = of.class.as_ref()?;
    let (cores, gib) = (present.millicores as f64 / 1e3, present.memory_mib as f64 / 1024.0);
    // Without a measurement of memory nothing is known of what it needs.
    let used: Option<Vec<f64>> = hours.iter().map(|h| h.memory_free_gib.map(|free| (gib - free).max(0.0))).collect();
    let used = used?;
    let memory_peak = used.iter().copied().fold(0.0, f64::max);
    let core_peak = hours.iter().map(|h| h.cpu * cores).fold(0.0, f64::max);
    let connections = hours.iter().filter_map(|h| h.connections).fold(0.0, f64::max);
    let core_tail = Tail::of(&day_peaks(hours.iter().map(|h| (h.hour, h.cpu * cores))));
    let memory_tail = Tail::of(&day_peaks(hours.iter().zip(&used).map(|(h, u)| (h.hour, *u))));
    let mut best: Option<Proposal> = None;
    for offer in classes {
        let (has_cores, has_gib) = (offer.millicores as f64 / 1e3, offer.memory_mib as f64 / 1024.0);
        let fits = core_peak <= TARGET * has_cores
            && memory_peak <= TARGET * has_gib
            && connections <= TARGET * has_gib * CONNECTIONS_PER_GIB;
        let risk = (core_tail.within_a_week(has_cores) + memory_tail.within_a_week(has_gib)).min(1.0);
        let saving = saving(cost.instance, offer.price);
        let is_worth =
            saving.likely.0.saturating_mul(WORTH.1) >= cost.instance.monthly.0.max(1).saturating_mul(WORTH.0);
        let better = best.as_ref().is_none_or(|b| saving.likely > b.saving.likely);
        if fits && risk <= RISK_MAX && is_worth && better {
            let above = |(h, u): &(&Hour, &f64)| h.cpu * cores > has_cores || **u > has_gib;
            let replay = Replay {
                hours: hours.len(),
                violations: hours.iter().zip(&used).filter(above).count(),
                peak: (core_peak / has_cores).max(memory_peak / has_gib),
            };
            best = Some(Proposal { change: Change::Class(offer.clone()), saving, risk, replay });
        }
    }
    best
}

fn storage(of: &Use, hours: &[Hour], cost: Cost) -> Option<Proposal> {
    let size = of.storage_gib.filter(|s| *s > 0.0)?;
    let used: Option<Vec<f64>> = hours.iter().map(|h| h.storage_free_gib.map(|free| (size - free).max(0.0))).collect();
    let used = used?;
    let highest = used.iter().copied().fold(0.0, f64::max);
    let wanted = (highest * (1.0 + STORAGE_MARGIN) / STORAGE_STEP_GIB).ceil() * STORAGE_STEP_GIB;
    let wanted = wanted.max(STORAGE_GIB_MIN);
    if wanted >= size {
        return None;
    }
    let risk = Tail::of(&day_peaks(hours.iter().zip(&used).map(|(h, u)| (h.hour, *u)))).within_a_week(wanted);
    let freed = cost.storage.mul_div((size - wanted).round() as i128, size.round().max(1.0) as i128)?;
    let freed = freed.min(cost.storage);
    let is_worth = freed.0.saturating_mul(STORAGE_WORTH.1) >= cost.storage.0.max(1).saturating_mul(STORAGE_WORTH.0);
    let replay = Replay { hours: hours.len(), violations: 0, peak: highest / wanted };
    (is_worth && risk <= RISK_MAX).then_some(Proposal {
        change: Change::Storage(wanted),
        saving: Saving { low: freed, likely: freed, high: freed },
        risk,
        replay,
    })
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

    fn classes() -> Vec<Offer> {
        vec![offer("db.large", 2, 16, 25), offer("db.xlarge", 4, 32, 50), offer("db.2xlarge", 8, 64, 100)]
    }

    fn database(cpu: impl Fn(i64) -> f64, connections: f64, free: f64, storage_free: f64) -> Use {
        let hours = (0..14 * 24).map(|hour| Hour {
            hour,
            cpu: cpu(hour),
            connections: Some(connections),
            memory_free_gib: Some(free),
            storage_free_gib: Some(storage_free),
        });
        Use { hours: hours.collect(), class: Some(offer("db.2xlarge", 8, 64, 100)), storage_gib: Some(500.0) }
    }

    fn cost() -> Cost {
        let monthly = Amount(730 * DOLLAR);
        Cost {
            instance: Price { monthly, list: Some(Amount(DOLLAR)), is_committed: false },
            storage: Amount(57 * DOLLAR),
        }
    }

    fn check(of: &Use, expected: &str) {
        let said = advise(of, cost(), &classes()).unwrap().map_or("keep".to_owned(), |p| {
            assert!(p.saving.low <= p.saving.likely && p.saving.likely <= p.saving.high, "{p:?}");
            assert!(p.saving.high.0 <= (730 + 57) * DOLLAR, "{p:?}");
            match p.change {
                Change::Stop => "stop".to_owned(),
                Change::Class(to) => to.name,
                Change::Storage(gib) => format!("{gib} GiB"),
            }
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn databases() {
        let wave = |h: i64| 0.1 + 0.01 * (h % 24) as f64;
        check(&database(|_| 0.01, 0.0, 60.0, 400.0), "stop");
        check(&database(wave, 80.0, 40.0, 100.0), "db.xlarge");
        // Memory decides, then the connections that it allows.
        check(&database(wave, 80.0, 10.0, 100.0), "keep");
        check(&database(|_| 0.02, 2500.0, 60.0, 100.0), "db.xlarge");
        // A busy one of which two thirds of the storage are empty.
        check(&database(|h| 0.6 + 0.01 * (h % 24) as f64, 80.0, 10.0, 350.0), "200 GiB");
        let mut blind = database(wave, 80.0, 40.0, 100.0);
        blind.hours[3].memory_free_gib = None;
        check(&blind, "keep");
        let short = Use { hours: Vec::new(), ..blind };
        assert_eq!(advise(&short, cost(), &[]), Err(NotEnoughData { have: 0, need: HOURS_MIN }));
    }

    proptest! {
        #[test]
        fn savings_are_never_more_than_the_cost(
            use_of in proptest::collection::vec((0.0..1.0_f64, 0.0..64.0_f64, 0.0..500.0_f64), HOURS_MIN..HOURS_MIN + 9),
            connections in 0.0..3000.0_f64, monthly in 0..900 * DOLLAR, storage in 0..90 * DOLLAR
        ) {
            let hours = use_of.iter().enumerate().map(|(n, (cpu, free, disk))| Hour {
                hour: n as i64, cpu: *cpu, connections: Some(connections), memory_free_gib: Some(*free), storage_free_gib: Some(*disk),
            });
            let of = Use { hours: hours.collect(), ..database(|_| 0.0, 0.0, 0.0, 0.0) };
            let cost = Cost { instance: Price { monthly: Amount(monthly), ..cost().instance }, storage: Amount(storage) };
            if let Some(p) = advise(&of, cost, &classes()).unwrap() {
                prop_assert!(Amount::ZERO <= p.saving.low && p.saving.low <= p.saving.likely && p.saving.likely <= p.saving.high);
                prop_assert!(p.saving.high.0 <= monthly + storage);
            }
        }
    }
}
