//! What containers ask for beside what they use: requests that hold machines down for nobody, limits that throttle or kill.
//!
//! A request costs money, because a scheduler keeps it free; a limit costs nothing. So requests are lowered, and limits are only ever raised. What a
//! limit cut off was not seen: a container that was killed for want of memory never gets less of it (the feedback loop of the Vertical Pod Autoscaler,
//! kubernetes/autoscaler#9521), and one that was throttled never less CPU.
//!
//! CPU: the value above which the highest hour of a week lies with a probability of at most [`RISK_MAX`] / 2, and no less than the policy of
//! [`grid_ml::rightsize`] gives for the next hour. Memory: the same, and no less than the highest hour with a margin, as KRR (max + 15%) does. Kills
//! raise the memory limit as VPA's out-of-memory sample does: max(limit + 100 MiB, 1.2 x limit).

use grid_ml::{NotEnoughData, rightsize};
use grid_model::Amount;
use grid_model::time::HOUR_NS;

use crate::robust::quantile;
use crate::size::{HOURS_MAX, HOURS_MIN, RISK_MAX, Replay, Saving, TARGET, Tail, WORTH, day_peaks};

/// The name of the model.
pub const MODEL: &str = "request-peaks";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Least request of CPU, in cores (KRR's default).
pub const CORES_MIN: f64 = 0.01;
/// Least request of memory, in MiB (KRR's default).
pub const MEMORY_MIB_MIN: f64 = 100.0;
/// Share of CFS periods, in the worst of a hundred hours, from which a container is throttled.
pub const THROTTLED: f64 = 0.05;
/// What a core and a GiB of memory cost, in relation: OpenCost's default prices of an hour.
pub const CORE_WEIGHT: f64 = 0.031_611;
/// See [`CORE_WEIGHT`].
pub const GIB_WEIGHT: f64 = 0.004_237;

/// One hour of the busiest of a workload's containers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// Highest use of processors, in cores.
    pub cores: f64,
    /// Highest working set, in MiB; `None` if nobody measures it.
    pub memory_mib: Option<f64>,
    /// Share of its CFS periods in which it was throttled; `None` if nobody measures it.
    pub throttled: Option<f64>,
}

/// A request or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Given {
    /// In cores.
    pub cores: Option<f64>,
    /// In MiB.
    pub memory_mib: Option<f64>,
}

impl Given {
    /// What it weighs in the price of a machine.
    pub fn weight(&self) -> f64 {
        self.cores.unwrap_or(0.0) * CORE_WEIGHT + self.memory_mib.unwrap_or(0.0) / 1024.0 * GIB_WEIGHT
    }
}

/// What the containers of a workload used, each hour the busiest of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Hours in order of time; missing ones are gaps.
    pub hours: Vec<Hour>,
    /// What each asks for.
    pub request: Given,
    /// What each may use at most.
    pub limit: Given,
    /// Whether one was killed for want of memory.
    pub was_killed: bool,
    /// Whether memory of one only grows (see [`crate::growth`]): it would fill a larger limit as well.
    pub leaks: bool,
}

/// What each container should have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// The request.
    pub request: Given,
    /// The limit.
    pub limit: Given,
    /// What is saved a month of the workload's cost.
    pub saving: Saving,
    /// Probability that within a week a container uses more than it asks for.
    pub risk: f64,
    /// What the past would have looked like.
    pub replay: Replay,
}

/// What to do with a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Advice {
    /// Nothing.
    Keep,
    /// It asks for too much.
    Lower(Proposal),
    /// It is throttled or killed: its limits are too low. That saves nothing.
    Raise(Proposal),
}

/// What to do with a workload that costs so much a month. Fewer than [`HOURS_MIN`] hours are not enough.
pub fn advise(of: &Use, monthly: Amount) -> Result<Advice, NotEnoughData> {
    let hours = &of.hours[of.hours.len().saturating_sub(HOURS_MAX)..];
    if hours.len() < HOURS_MIN {
        return Err(NotEnoughData { have: hours.len(), need: HOURS_MIN });
    }
    let throttled: Vec<f64> = hours.iter().filter_map(|h| h.throttled).collect();
    let is_throttled = !throttled.is_empty() && quantile(&throttled, 0.99) >= THROTTLED;
    let cores = cores(of, hours, is_throttled);
    let memory = memory(of, hours);
    let request = Given { cores: cores.or(of.request.cores), memory_mib: memory.or(of.request.memory_mib) };
    let limit = Given {
        cores: of.limit.cores.map(|l| if is_throttled { tidy_cores(l * 1.5) } else { l }),
        memory_mib: of.limit.memory_mib.map(|l| if of.was_killed && !of.leaks { raised(l) } else { l }),
    };
    let core_tail = Tail::of(&day_peaks(hours.iter().map(|h| (h.hour, h.cores))));
    let memory_tail = Tail::of(&day_peaks(hours.iter().filter_map(|h| Some((h.hour, h.memory_mib?)))));
    // What stays as it is carries no risk of the change.
    let stays = cores.is_none() && memory.is_none();
    let new = Given {
        cores: if stays { request.cores } else { cores },
        memory_mib: if stays { request.memory_mib } else { memory },
    };
    // Either may be too little.
    let risk = new.cores.map_or(0.0, |c| core_tail.within_a_week(c))
        + new.memory_mib.map_or(0.0, |m| memory_tail.within_a_week(m));
    let above = |h: &&Hour| {
        new.cores.is_some_and(|c| h.cores > c)
            || h.memory_mib.zip(new.memory_mib).is_some_and(|(used, asked)| used > asked)
    };
    let part = |used: f64, asked: Option<f64>| asked.filter(|a| *a > 0.0).map_or(0.0, |a| used / a);
    let peak = hours.iter().map(|h| part(h.cores, new.cores).max(part(h.memory_mib.unwrap_or(0.0), new.memory_mib)));
    let replay =
        Replay { hours: hours.len(), violations: hours.iter().filter(above).count(), peak: peak.fold(0.0, f64::max) };
    let saving = saving(monthly, &of.request, &request);
    let proposal = Proposal { request, limit, saving, risk: risk.min(1.0), replay };
    if limit != of.limit {
        return Ok(Advice::Raise(proposal));
    }
    let is_worth = saving.likely.0.saturating_mul(WORTH.1) >= monthly.0.max(0).saturating_mul(WORTH.0);
    let is_lower = monthly.0 > 0 && is_worth && request != of.request && risk <= RISK_MAX;
    Ok(if is_lower { Advice::Lower(proposal) } else { Advice::Keep })
}

/// The request of CPU; `None` if it stays.
fn cores(of: &Use, hours: &[Hour], is_throttled: bool) -> Option<f64> {
    let asked = of.request.cores.filter(|_| !is_throttled)?;
    let series: Vec<f64> = hours.iter().map(|h| h.cores).collect();
    let policy = rightsize::decide(&series, HOUR_NS).map_or(0.0, |d| d.limit);
    let tail = Tail::of(&day_peaks(hours.iter().map(|h| (h.hour, h.cores)))).for_a_week(RISK_MAX / 2.0);
    let wanted = tidy_cores(tail.max(policy).max(CORES_MIN));
    (wanted < asked).then_some(wanted)
}

/// The request of memory; `None` if it stays.
fn memory(of: &Use, hours: &[Hour]) -> Option<f64> {
    let asked = of.request.memory_mib.filter(|_| !of.was_killed)?;
    // An hour without a measurement may have been the highest.
    let used: Option<Vec<f64>> = hours.iter().map(|h| h.memory_mib).collect();
    let used = used?;
    let highest = used.iter().copied().fold(0.0, f64::max);
    let policy = rightsize::decide(&used, HOUR_NS).map_or(0.0, |d| d.limit);
    let days = day_peaks(hours.iter().filter_map(|h| Some((h.hour, h.memory_mib?))));
    let tail = Tail::of(&days).for_a_week(RISK_MAX / 2.0);
    let wanted = tidy_mib((highest / TARGET).max(tail).max(policy).max(MEMORY_MIB_MIN));
    (wanted < asked).then_some(wanted)
}

fn raised(limit_mib: f64) -> f64 {
    tidy_mib((limit_mib + 100.0).max(1.2 * limit_mib))
}

/// Up to a step that people would write.
fn tidy_cores(cores: f64) -> f64 {
    let step = match cores {
        c if c <= 0.1 => 0.01,
        c if c <= 1.0 => 0.05,
        _ => 0.25,
    };
    // Back to thousandths: a sum of steps has noise.
    ((cores / step - 1e-9).ceil() * step * 1e3).round() / 1e3
}

fn tidy_mib(mib: f64) -> f64 {
    let step = match mib {
        m if m <= 1024.0 => 16.0,
        m if m <= 8192.0 => 128.0,
        _ => 512.0,
    };
    (mib / step - 1e-9).ceil() * step
}

/// What a lower request frees of a workload's cost. Nothing for certain: a machine must become free for it first.
fn saving(monthly: Amount, now: &Given, then: &Given) -> Saving {
    let units = |weight: f64| (weight * 1e9).round().max(0.0) as i128;
    let (all, left) = (units(now.weight()), units(then.weight()));
    if all <= 0 || left >= all {
        return Saving::default();
    }
    let cost = Amount(monthly.0.max(0));
    let freed = cost.mul_div(all - left, all).map_or(Amount::ZERO, |a| a.min(cost));
    Saving { low: Amount::ZERO, likely: freed, high: freed }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const DOLLAR: i128 = 1_000_000_000_000_000_000;

    fn workload(cores: impl Fn(i64) -> f64, memory: impl Fn(i64) -> f64) -> Use {
        let hours = (0..14 * 24)
            .map(|hour| Hour { hour, cores: cores(hour), memory_mib: Some(memory(hour)), throttled: Some(0.0) })
            .collect();
        Use {
            hours,
            request: Given { cores: Some(1.0), memory_mib: Some(1024.0) },
            limit: Given { cores: None, memory_mib: Some(2048.0) },
            was_killed: false,
            leaks: false,
        }
    }

    fn day(hour: i64) -> f64 {
        0.5 - 0.5 * ((hour % 24) as f64 / 24.0 * std::f64::consts::TAU).cos()
    }

    /// What is advised, as `cores/MiB of the request`, or `raise cores/MiB of the limit`.
    fn check(of: &Use, expected: &str) {
        let show = |g: Given| format!("{}/{}", g.cores.unwrap_or(0.0), g.memory_mib.unwrap_or(0.0));
        let said = match advise(of, Amount(30 * DOLLAR)).unwrap() {
            Advice::Keep => "keep".to_owned(),
            Advice::Lower(p) => {
                assert!(p.risk <= RISK_MAX && p.saving.high.0 <= 30 * DOLLAR && p.replay.violations == 0, "{p:?}");
                show(p.request)
            }
            Advice::Raise(p) => format!("raise {}", show(p.limit)),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn requests_follow_use_and_limits_only_rise() {
        check(&workload(|h| 0.05 + 0.1 * day(h), |h| 200.0 + 20.0 * day(h)), "0.2/272");
        check(&workload(|h| 0.5 + 0.4 * day(h), |h| 700.0 + 200.0 * day(h)), "keep");
        // Memory that nobody measures stays.
        let mut blind = workload(|h| 0.05 + 0.1 * day(h), |_| 0.0);
        blind.hours[5].memory_mib = None;
        check(&blind, "0.2/1024");
        let short = Use { hours: Vec::new(), ..workload(|_| 0.1, |_| 1.0) };
        assert_eq!(advise(&short, Amount(1)), Err(NotEnoughData { have: 0, need: HOURS_MIN }));
    }

    #[test]
    fn a_container_that_was_killed_never_gets_less_memory() {
        let mut killed = workload(|h| 0.05 + 0.1 * day(h), |h| 200.0 + 20.0 * day(h));
        killed.was_killed = true;
        check(&killed, "raise 0/2560");
        // A leak fills any limit: its memory stays, its CPU need not.
        let mut leak = workload(|h| 0.05 + 0.1 * day(h), |h| 300.0 + 5.0 * h as f64);
        (leak.was_killed, leak.leaks) = (true, true);
        check(&leak, "0.2/1024");
    }

    #[test]
    fn a_throttled_container_never_gets_less_cpu() {
        let mut throttled = workload(|h| 0.05 + 0.1 * day(h), |h| 700.0 + 200.0 * day(h));
        throttled.limit.cores = Some(0.2);
        throttled.hours.iter_mut().for_each(|h| h.throttled = Some(0.3));
        check(&throttled, "raise 0.3/2048");
    }

    #[test]
    fn replayed_day_by_day_a_request_never_falls_again_after_kills() {
        // What an OOM loop would do: used memory is cut off at the limit that was proposed before.
        let mut asked = 1024.0;
        for step in 0..10 {
            let mut of = workload(|h| 0.05 + 0.1 * day(h), |h| (400.0 + 300.0 * day(h)).min(asked));
            of.was_killed = step > 0;
            of.request.memory_mib = Some(asked);
            let now = match advise(&of, Amount(30 * DOLLAR)).unwrap() {
                Advice::Lower(p) | Advice::Raise(p) => p.request.memory_mib.unwrap(),
                Advice::Keep => asked,
            };
            assert!(step == 0 || now >= asked, "{now} after {asked}");
            asked = now;
        }
        assert!(asked >= 700.0, "{asked}");
    }

    proptest! {
        #[test]
        fn savings_are_ordered_and_never_more_than_the_cost(
            use_of in proptest::collection::vec((0.0..4.0_f64, 0.0..8000.0_f64), HOURS_MIN..HOURS_MIN + 40),
            cores in proptest::option::of(0.0..8.0_f64), memory in proptest::option::of(0.0..16_000.0_f64),
            monthly in 0..900 * DOLLAR, killed in any::<bool>()
        ) {
            let hours = use_of.iter().enumerate().map(|(n, (c, m))| Hour { hour: n as i64, cores: *c, memory_mib: Some(*m), throttled: None });
            let of = Use {
                hours: hours.collect(),
                request: Given { cores, memory_mib: memory },
                limit: Given { cores: None, memory_mib: Some(16_000.0) },
                was_killed: killed,
                leaks: false,
            };
            if let Advice::Lower(p) | Advice::Raise(p) = advise(&of, Amount(monthly)).unwrap() {
                let s = p.saving;
                prop_assert!(Amount::ZERO <= s.low && s.low <= s.likely && s.likely <= s.high && s.high.0 <= monthly);
                prop_assert!(!killed || p.request.memory_mib == memory);
                prop_assert!(p.request.weight() <= of.request.weight() + 1e-12);
            }
        }
    }
}
