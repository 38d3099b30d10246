//! Machines that are too large, or do nothing.
//!
//! Reading order: [`Use`] (what a machine did, hour by hour) -> [`advise`] (what to do with it) -> [`Tail`] (the probability that a size is too
//! small) -> [`saving`] (a range, from what is really paid).
//!
//! A size fits if the highest use of an hour, with a margin, stays below it, as Autopilot's (Rzadca et al., EuroSys 2020) and the
//! Vertical Pod Autoscaler's recommenders do; which of the sizes that fit is taken is decided by their price, among those whose
//! probability to be exceeded within a week is small enough.

use grid_ml::NotEnoughData;
use grid_model::Amount;

use crate::robust::quantile;

/// The name of the model.
pub const MODEL: &str = "size-peaks";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Hours of use that must be known.
pub const HOURS_MIN: usize = 7 * 24;
/// Hours that are looked at: 30 days.
pub const HOURS_MAX: usize = 30 * 24;
/// A month in hours, as price lists count it.
pub const MONTH_HOURS: i128 = 730;
/// Part of a size that its highest hour may use.
pub const TARGET: f64 = 0.85;
/// Highest probability that within a week the use is above the size.
pub const RISK_MAX: f64 = 0.05;
/// A machine whose busiest hours (99 of 100) use less of its processors than this is idle, if it also sends next to nothing: the first
/// of both conditions is that of the clouds' own advisors (5%), which ask for 14 days.
pub const IDLE_CPU: f64 = 0.05;
/// Bytes a second that an idle machine may send at its busiest.
pub const IDLE_SENT_PER_S: f64 = 5_000.0;
/// Days of a history that show a rhythm of nights and weekends.
const SCHEDULE_DAYS_MIN: usize = 7;
/// Use of its own peak below which an hour counts as off.
const OFF_BELOW: f64 = 0.15;
/// Hours a week that must be off to be worth a schedule.
const OFF_HOURS_MIN: usize = 50;
/// What is saved less than this part of the cost is not worth the work.
pub(crate) const WORTH: (i128, i128) = (15, 100);

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// Highest use of processors, in cores.
    pub cores: f64,
    /// Highest use of memory, in GiB; `None` if nobody measures it.
    pub memory_gib: Option<f64>,
    /// Bytes sent a second, at most; `None` if nobody measures it.
    pub sent_per_s: Option<f64>,
}

/// What a machine did, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Hours in order of time; missing ones are gaps.
    pub hours: Vec<Hour>,
    /// Its cores.
    pub cores: f64,
    /// Its memory in GiB.
    pub memory_gib: f64,
    /// Whether something on it was killed for want of memory in that time: then its memory is never made less.
    pub was_short_of_memory: bool,
}

/// A size on sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Thousandths of a core.
    pub millicores: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// List price of an hour.
    pub price: Amount,
}

/// What the machine costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// What a month of [`MONTH_HOURS`] really costs, commitments and discounts included.
    pub monthly: Amount,
    /// What an hour of its size costs by the list, if that is known.
    pub list: Option<Amount>,
    /// Part of its cost that commitments cover: it is paid whether the machine runs or not.
    pub is_committed: bool,
}

/// What is saved a month, of [`MONTH_HOURS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saving {
    /// At least.
    pub low: Amount,
    /// Most likely.
    pub likely: Amount,
    /// At most: what it costs now, if nothing is left.
    pub high: Amount,
}

/// What to do with a machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice {
    /// Nothing: it is as it should be.
    Keep,
    /// It does nothing: stop it.
    Stop {
        /// What that saves.
        saving: Saving,
        /// Probability that it does something within a week.
        risk: f64,
        /// What the past would have looked like.
        replay: Replay,
    },
    /// It is too large.
    Resize {
        /// The better size.
        to: Offer,
        /// What that saves.
        saving: Saving,
        /// Probability that a week's use is above the new size.
        risk: f64,
        /// What the past would have looked like.
        replay: Replay,
    },
    /// It does nothing at the same hours of every week.
    Schedule {
        /// Hours of the week (0 = Monday 00:00 UTC) at which it runs.
        on: Vec<u8>,
        /// What that saves.
        saving: Saving,
        /// Probability that within a week it is missed while it is off.
        risk: f64,
        /// What the past would have looked like.
        replay: Replay,
    },
}

/// What the last days would have looked like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replay {
    /// Hours that were replayed.
    pub hours: usize,
    /// Of them, hours that would have wanted more.
    pub violations: usize,
    /// Highest part of the proposal that an hour would have used.
    pub peak: f64,
}

/// Probabilities of high values out of the highest value of each day: above the upper quartile, excesses are taken as exponential, the
/// simplest of the tails that peaks over a threshold can have (Pickands 1975; Coles, "An Introduction to Statistical Modeling of Extreme
/// Values", 2001, section 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    threshold: f64,
    share: f64,
    mean_excess: f64,
}

impl Tail {
    /// From the highest value of each of some days. The more days, the less the unseen weighs.
    pub fn of(peaks: &[f64]) -> Self {
        let threshold = quantile(peaks, 0.75);
        let excesses: Vec<f64> = peaks.iter().filter(|p| **p > threshold).map(|p| p - threshold).collect();
        let n = peaks.len().max(1) as f64;
        let mean = if excesses.is_empty() { 0.0 } else { excesses.iter().sum::<f64>() / excesses.len() as f64 };
        // Equal days do not prove that no day differs.
        let floor = threshold.abs() * (0.02 + 0.5 / n);
        Self { threshold, share: (0.25_f64).max(1.0 / n), mean_excess: mean.max(floor).max(1e-12) }
    }

    /// Probability that within 7 days the highest value lies above one.
    pub fn within_a_week(&self, value: f64) -> f64 {
        let of_a_day = if value <= self.threshold {
            1.0
        } else {
            self.share * (-(value - self.threshold) / self.mean_excess).exp()
        };
        (1.0 - (1.0 - of_a_day.clamp(0.0, 1.0)).powi(7)).clamp(0.0, 1.0)
    }

    /// The least value above which a week's highest lies with at most this probability.
    pub fn for_a_week(&self, risk: f64) -> f64 {
        let of_a_day = 1.0 - (1.0 - risk.clamp(1e-9, 1.0)).powf(1.0 / 7.0);
        self.threshold + self.mean_excess * (self.share / of_a_day).max(1.0).ln()
    }
}

/// The highest value of each day of `(hours since 1970, value)`.
pub(crate) fn day_peaks(hours: impl Iterator<Item = (i64, f64)>) -> Vec<f64> {
    let mut days: std::collections::BTreeMap<i64, f64> = std::collections::BTreeMap::new();
    for (hour, value) in hours.filter(|(_, v)| v.is_finite()) {
        let peak = days.entry(hour.div_euclid(24)).or_insert(value);
        *peak = peak.max(value);
    }
    days.into_values().collect()
}

fn peaks(hours: &[Hour], of: impl Fn(&Hour) -> Option<f64>) -> Vec<f64> {
    day_peaks(hours.iter().filter_map(|h| Some((h.hour, of(h)?))))
}

/// What to do with a machine, given the sizes on sale in its region. Fewer than [`HOURS_MIN`] hours are not enough.
pub fn advise(of: &Use, price: Price, offers: &[Offer]) -> Result<Advice, NotEnoughData> {
    let hours = &of.hours[of.hours.len().saturating_sub(HOURS_MAX)..];
    if hours.len() < HOURS_MIN {
        return Err(NotEnoughData { have: hours.len(), need: HOURS_MIN });
    }
    if let Some(stop) = stop(of, hours, price) {
        return Ok(stop);
    }
    let schedule = schedule(of, hours, price);
    let resize = resize(of, hours, price, offers);
    let likely = |advice: &Option<Advice>| match advice {
        Some(Advice::Resize { saving, .. } | Advice::Schedule { saving, .. } | Advice::Stop { saving, .. }) => {
            saving.likely
        }
        _ => Amount::ZERO,
    };
    Ok(if likely(&schedule) > likely(&resize) { schedule } else { resize }.unwrap_or(Advice::Keep))
}

fn stop(of: &Use, hours: &[Hour], price: Price) -> Option<Advice> {
    let cores: Vec<f64> = hours.iter().map(|h| h.cores).collect();
    let sent: Vec<f64> = hours.iter().filter_map(|h| h.sent_per_s).collect();
    let limit = IDLE_CPU * of.cores;
    if quantile(&cores, 0.99) >= limit || quantile(&sent, 0.99) >= IDLE_SENT_PER_S {
        return None;
    }
    let risk = Tail::of(&peaks(hours, |h| Some(h.cores))).within_a_week(limit);
    let peak = cores.iter().copied().fold(0.0, f64::max) / limit;
    let violations = cores.iter().filter(|c| **c >= limit).count();
    (risk <= RISK_MAX).then(|| Advice::Stop {
        saving: saving(price, Amount::ZERO),
        risk,
        replay: Replay { hours: hours.len(), violations, peak },
    })
}

fn resize(of: &Use, hours: &[Hour], price: Price, offers: &[Offer]) -> Option<Advice> {
    // Without a measurement of memory nothing is known of what it needs.
    let memory: Option<Vec<f64>> = hours.iter().map(|h| h.memory_gib).collect();
    let memory_peak = memory?.into_iter().fold(0.0, f64::max);
    let core_peak = hours.iter().map(|h| h.cores).fold(0.0, f64::max);
    let (cores, gib) = (Tail::of(&peaks(hours, |h| Some(h.cores))), Tail::of(&peaks(hours, |h| h.memory_gib)));
    let mut best: Option<Advice> = None;
    for offer in offers {
        let (has_cores, has_gib) = (offer.millicores as f64 / 1e3, offer.memory_mib as f64 / 1024.0);
        let fits = core_peak <= TARGET * has_cores
            && memory_peak <= TARGET * has_gib
            && !(of.was_short_of_memory && has_gib < of.memory_gib);
        if !fits {
            continue;
        }
        // Either may be too small: their probabilities add up at most.
        let risk = (cores.within_a_week(has_cores) + gib.within_a_week(has_gib)).min(1.0);
        if risk > RISK_MAX {
            continue;
        }
        let saving = saving(price, offer.price);
        let cost = price.monthly.0;
        let is_worth = saving.likely.0.saturating_mul(WORTH.1) >= cost.saturating_mul(WORTH.0);
        let better = match &best {
            Some(Advice::Resize { saving: other, risk: other_risk, to, .. }) => {
                (other.likely, -other_risk, &to.name) < (saving.likely, -risk, &offer.name)
            }
            _ => true,
        };
        if is_worth && better {
            let above = |h: &&Hour| h.cores > has_cores || h.memory_gib.is_some_and(|m| m > has_gib);
            let replay = Replay {
                hours: hours.len(),
                violations: hours.iter().filter(above).count(),
                peak: (core_peak / has_cores).max(memory_peak / has_gib),
            };
            best = Some(Advice::Resize { to: offer.clone(), saving, risk, replay });
        }
    }
    best
}

/// Hours of the week, Monday 00:00 UTC first.
fn hour_of_week(hour: i64) -> usize {
    // 1970-01-01 was a Thursday.
    (hour + 3 * 24).rem_euclid(7 * 24) as usize
}

fn schedule(of: &Use, hours: &[Hour], price: Price) -> Option<Advice> {
    let peak = quantile(&hours.iter().map(|h| h.cores).collect::<Vec<_>>(), 0.99);
    if hours.len() < SCHEDULE_DAYS_MIN * 24 || peak < IDLE_CPU * of.cores {
        return None;
    }
    let off_limit = OFF_BELOW * peak;
    let mut busiest = [f64::NAN; 7 * 24];
    for hour in hours {
        let slot = &mut busiest[hour_of_week(hour.hour)];
        *slot = slot.max(hour.cores);
    }
    // An hour of the week that was never seen is on; so is the one before work begins, which must not wait for a start.
    let is_off = |slot: usize| busiest[slot] < off_limit;
    let on: Vec<u8> = (0..168).filter(|s| !is_off(*s) || !is_off((s + 1) % 168)).map(|s| s as u8).collect();
    let off = 168 - on.len();
    if off < OFF_HOURS_MIN {
        return None;
    }
    let idle: Vec<Hour> = hours.iter().filter(|h| !on.contains(&(hour_of_week(h.hour) as u8))).copied().collect();
    let risk = Tail::of(&peaks(&idle, |h| Some(h.cores))).within_a_week(2.0 * off_limit);
    let full = saving(price, Amount::ZERO);
    let part = |a: Amount| Amount(a.0.saturating_mul(off as i128) / 168);
    let saving = Saving { low: part(full.low), likely: part(full.likely), high: part(full.high) };
    let above = idle.iter().filter(|h| h.cores >= off_limit).count();
    let peak_of_idle = idle.iter().map(|h| h.cores).fold(0.0, f64::max) / off_limit;
    (risk <= RISK_MAX).then_some(Advice::Schedule {
        on,
        saving,
        risk,
        replay: Replay { hours: hours.len(), violations: above, peak: peak_of_idle },
    })
}

/// What a month costs less at a new list price of an hour (zero: nothing is left). If the discount that the machine has now holds for the new
/// size as well, that is what is likely; if it does not, the list price is paid. A commitment is paid on: then nothing is saved for certain.
pub fn saving(price: Price, new: Amount) -> Saving {
    let now = price.monthly.0.max(0);
    let month = |hour: Amount| Amount(hour.0.saturating_mul(MONTH_HOURS));
    let listed = month(new);
    let discounted = match price.list.map(month).filter(|l| l.0 > 0) {
        Some(list) => listed.mul_div(now.min(list.0), list.0).unwrap_or(listed),
        None => listed,
    };
    let spared = |left: Amount| Amount(now.saturating_sub(left.0).clamp(0, now));
    let (a, b) = (spared(listed), spared(discounted));
    let low = if price.is_committed { Amount::ZERO } else { a.min(b) };
    Saving { low, likely: b.max(low), high: b.max(a) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const DOLLAR: i128 = 1_000_000_000_000_000_000;

    fn offers() -> Vec<Offer> {
        [("large", 2, 8, 10), ("xlarge", 4, 16, 20), ("2xlarge", 8, 32, 40), ("4xlarge", 16, 64, 80)]
            .into_iter()
            .map(|(name, cores, gib, cents)| Offer {
                name: name.to_owned(),
                millicores: cores * 1000,
                memory_mib: gib * 1024,
                price: Amount(cents * DOLLAR / 100),
            })
            .collect()
    }

    fn machine(cores: impl Fn(i64) -> f64, memory: f64) -> Use {
        let hours = (0..14 * 24)
            .map(|hour| Hour { hour, cores: cores(hour), memory_gib: Some(memory), sent_per_s: Some(900.0) })
            .collect();
        Use { hours, cores: 16.0, memory_gib: 64.0, was_short_of_memory: false }
    }

    fn price(cents: i128) -> Price {
        Price {
            monthly: Amount(cents * 730 * DOLLAR / 100),
            list: Some(Amount(80 * DOLLAR / 100)),
            is_committed: false,
        }
    }

    fn check(of: &Use, expected: &str) -> Option<Saving> {
        let advice = advise(of, price(80), &offers()).unwrap();
        let (said, saving) = match advice {
            Advice::Keep => ("keep".to_owned(), None),
            Advice::Stop { saving, .. } => ("stop".to_owned(), Some(saving)),
            Advice::Resize { to, saving, .. } => (to.name, Some(saving)),
            Advice::Schedule { on, saving, .. } => (format!("{} hours", on.len()), Some(saving)),
        };
        assert_eq!(said, expected);
        saving
    }

    #[test]
    fn advice() {
        let work = |hour: i64| if (8..18).contains(&(hour % 24)) { 9.0 } else { 0.3 };
        assert_eq!(check(&machine(|_| 0.3, 2.0), "stop").unwrap().high, Amount(584 * DOLLAR));
        assert_eq!(
            check(&machine(|h| 1.3 + (h % 7) as f64 / 10.0, 4.0), "xlarge").unwrap().likely,
            Amount(438 * DOLLAR)
        );
        // Memory decides.
        check(&machine(|h| 1.0 + (h % 7) as f64 / 10.0, 20.0), "2xlarge");
        check(&machine(work, 40.0), "77 hours");
        check(&machine(|h| 10.0 + (h % 5) as f64, 40.0), "keep");
        let mut killed = machine(|_| 1.5, 4.0);
        killed.was_short_of_memory = true;
        check(&killed, "keep");
        assert_eq!(
            advise(&Use { hours: Vec::new(), ..machine(|_| 1.0, 1.0) }, price(80), &offers()),
            Err(NotEnoughData { have: 0, need: HOURS_MIN })
        );
    }

    #[test]
    fn discounts_make_a_range_and_commitments_no_promise() {
        let half = saving(price(40), Amount(20 * DOLLAR / 100));
        // 40 cents are paid for what lists at 80: the new size costs 10 with the same discount, 20 without.
        assert_eq!((half.low.0, half.likely.0), (146 * DOLLAR, 219 * DOLLAR));
        let committed = saving(Price { is_committed: true, ..price(40) }, Amount::ZERO);
        assert_eq!((committed.low, committed.high), (Amount::ZERO, Amount(292 * DOLLAR)));
    }

    proptest! {
        #[test]
        fn savings_are_ordered_and_never_more_than_the_cost(now in 0_i128..9000 * DOLLAR, list in 0_i128..10 * DOLLAR, new in 0_i128..10 * DOLLAR, committed in any::<bool>()) {
            let of = Price { monthly: Amount(now), list: Some(Amount(list)), is_committed: committed };
            let s = saving(of, Amount(new));
            prop_assert!(Amount::ZERO <= s.low && s.low <= s.likely && s.likely <= s.high);
            prop_assert!(s.high.0 <= now);
        }

        #[test]
        fn a_larger_size_is_never_riskier(peaks in proptest::collection::vec(0.0..100.0_f64, 7..30), a in 0.0..200.0_f64, b in 0.0..200.0_f64) {
            let tail = Tail::of(&peaks);
            prop_assert!(tail.within_a_week(a.max(b)) <= tail.within_a_week(a.min(b)));
            prop_assert!((0.0..=1.0).contains(&tail.within_a_week(a)));
            prop_assert!(tail.within_a_week(tail.for_a_week(RISK_MAX) * (1.0 + 1e-9)) <= RISK_MAX + 1e-9);
        }
    }
}
