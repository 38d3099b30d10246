//! Where a cost will end: a robust forecast of daily costs in integers, hence the same on every machine.
//!
//! A day is level + damped trend + weekday, plus what comes once a month:
//! - **Once a month**: a day far above its neighbours (8 median absolute deviations and a fifth of their median) is taken out of the rest; it is
//!   expected again where the last two months had it on the same day, or, known from one month alone, where it fell on the first.
//! - **Weekday**: the median deviation from the centred mean of 7 days, over at most 8 weeks; from 14 days on.
//! - **Trend**: Theil-Sen's slope over at most 28 days without weekdays, damped by 0.95 a day, as a trend of days seldom lasts a year; from 14
//!   days on, and only if over its days it moves the level by more than twice of what a day usually deviates: less is noise, and would be
//!   carried far.
//! - **Level**: the median of the last 28 days without weekdays, carried to the last one along the trend; where the last 7 days lie
//!   farther from it than days usually do (the median absolute deviation), their median: the level has changed.
//!
//! Intervals come from a backtest, not from a formula: the model forecasts from each of at most 60 earlier days; the interval at a horizon is the
//! quantile of its absolute errors there (split conformal: the `ceil((n+1) p)`-th smallest). Beyond the horizons that history can
//! check (5 errors at least) it grows in proportion to the horizon. Fewer than [`DAYS_MIN`] days are not enough, and that is an answer.

use grid_model::Amount;
use grid_model::time::civil_from_days;
use grid_model::wide::mul_div;

use crate::calendar::{Day, Period};
use crate::exact::{mean, median};
use crate::variance::Overflow;

/// Fewest days from which a forecast is made.
pub const DAYS_MIN: usize = 7;
/// Fewest days that show a weekday and a trend.
const DAYS_SEASONAL: usize = 14;
/// Days that a fit looks at.
const DAYS_FIT: usize = 56;
/// Days that a trend looks at.
const DAYS_TREND: usize = 28;
/// Days that a level looks at.
const DAYS_LEVEL: usize = 7;
/// Days of history that are of use: a fit's, the months in which fees show, the origins of the backtest.
const DAYS_MAX: usize = 400;
/// Origins of a backtest.
const ORIGINS_MAX: usize = 60;
/// Fewest errors of which a quantile is taken.
const ERRORS_MIN: usize = 5;
/// Longest forecast in days.
pub const HORIZON_DAYS_MAX: i64 = 800;
/// Damping per day, of 1000.
const DAMPING: i128 = 950;

/// Too little history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEnough {
    /// Days there are.
    pub days: usize,
    /// Days it takes.
    pub needed: usize,
}

/// A range in which the truth lies with the probability that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The lower bound.
    pub low: Amount,
    /// The upper bound.
    pub high: Amount,
}

/// One day to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayForecast {
    /// Which.
    pub day: Day,
    /// What it will cost.
    pub cost: Amount,
    /// The interval of that day alone.
    pub interval: Option<Interval>,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Days, in order.
    pub days: Vec<DayForecast>,
    /// Their sum.
    pub total: Amount,
    /// The interval of the sum.
    pub interval: Option<Interval>,
    /// Probability of the intervals, in percent.
    pub level_percent: u32,
    /// Days of history that were used.
    pub history_days: usize,
    /// How the model did on its own past.
    pub backtest: Backtest,
}

/// The model against history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backtest {
    /// Days from which it forecast.
    pub origins: usize,
    /// Mean absolute error of a day, in hundredths of a percent of the mean cost of a day; `None` without origins or cost.
    pub error_basis_points: Option<i128>,
}

/// Forecasts the days of `period`, which begins where `history` (one cost per day) ends. The intervals hold with `level_percent` (1 to 99).
/// This is the one door to the model: a better one replaces it here.
pub fn forecast(
    history: &[Amount],
    period: Period,
    level_percent: u32,
) -> Result<Result<Forecast, NotEnough>, Overflow> {
    let history = &history[history.len().saturating_sub(DAYS_MAX)..];
    let n = history.len();
    if n < DAYS_MIN {
        return Ok(Err(NotEnough { days: n, needed: DAYS_MIN }));
    }
    let horizon = period.days().min(HORIZON_DAYS_MAX) as usize;
    let first = period.start.plus(-(n as i64));
    let values: Vec<i128> = history.iter().map(|a| a.0).collect();
    let means = predict(&values, first, horizon).ok_or(Overflow)?;
    let errors = Errors::of(&values, first, horizon).ok_or(Overflow)?;
    let level = level_percent.clamp(1, 99);
    let around = |centre: i128, width: Option<i128>| -> Option<Interval> {
        let width = width?;
        let low = centre.saturating_sub(width);
        let low = if values.iter().all(|v| *v >= 0) { low.max(0) } else { low };
        Some(Interval { low: Amount(low), high: Amount(centre.saturating_add(width)) })
    };
    let total = means.iter().try_fold(0_i128, |sum, m| sum.checked_add(*m)).ok_or(Overflow)?;
    let daily = quantile(&errors.daily, level);
    let days = means.iter().enumerate().map(|(h, &mean)| DayForecast {
        day: period.start.plus(h as i64),
        cost: Amount(mean),
        interval: around(mean, daily),
    });
    Ok(Ok(Forecast {
        days: days.collect(),
        total: Amount(total),
        interval: around(total, errors.width(horizon, level)),
        level_percent: level,
        history_days: n,
        backtest: errors.backtest(&values),
    }))
}

/// The days after `values`, of which the first is `first`; `None` if a sum leaves 128 bits.
fn predict(values: &[i128], first: Day, horizon: usize) -> Option<Vec<i128>> {
    let (values, lumps) = without_lumps(values, first)?;
    let window = values.len().min(DAYS_FIT);
    let skipped = values.len() - window;
    let values = &values[skipped..];
    let weekday = |i: usize| first.plus((skipped + i) as i64).weekday();
    let seasonal = if window >= DAYS_SEASONAL { weekdays(values, &weekday)? } else { [0; 7] };
    let plain: Vec<i128> =
        values.iter().enumerate().map(|(i, v)| v.checked_sub(seasonal[weekday(i)])).collect::<Option<_>>()?;
    let slope = if window >= DAYS_SEASONAL { slope(&plain[window - window.min(DAYS_TREND)..])? } else { 0 };
    let level = level(&plain, slope)?;
    let mut trend = 0_i128;
    let (mut step, floor) = (slope, values.iter().all(|v| *v >= 0));
    let mut out = Vec::with_capacity(horizon);
    for h in 0..horizon {
        step = mul_div(step, DAMPING, 1000)?;
        trend = trend.checked_add(step)?;
        let day = first.plus((skipped + window + h) as i64);
        let usual = level.checked_add(trend)?.checked_add(seasonal[day.weekday()])?;
        let usual = if floor { usual.max(0) } else { usual };
        out.push(usual.checked_add(expected_lump(&lumps, day))?);
    }
    Some(out)
}

/// The level of the last day. A median stands for the middle of its days and is carried to the last of them along the slope.
fn level(plain: &[i128], slope: i128) -> Option<i128> {
    let last = |n: usize| &plain[plain.len() - n.min(plain.len())..];
    let carried = |days: &[i128]| median(days)?.checked_add(mul_div(slope, days.len() as i128 - 1, 2)?);
    let (short, long) = (carried(last(DAYS_LEVEL))?, carried(last(DAYS_TREND))?);
    Some(if short.saturating_sub(long).saturating_abs() <= deviation(last(DAYS_TREND))? { long } else { short })
}

/// The deviation of each weekday from its week; their sum is (nearly) nothing.
fn weekdays(values: &[i128], weekday: &impl Fn(usize) -> usize) -> Option<[i128; 7]> {
    let n = values.len();
    let mut deviations: [Vec<i128>; 7] = Default::default();
    for (i, value) in values.iter().enumerate() {
        let centre = i.clamp(3, n - 4);
        deviations[weekday(i)].push(value.checked_sub(mean(&values[centre - 3..=centre + 3])?)?);
    }
    let mut seasonal = [0; 7];
    for (slot, of_day) in seasonal.iter_mut().zip(&deviations) {
        *slot = median(of_day).unwrap_or(0);
    }
    let off = mean(&seasonal)?;
    for slot in &mut seasonal {
        *slot = slot.checked_sub(off)?;
    }
    Some(seasonal)
}

/// Theil-Sen: the median of the slopes between all pairs.
fn slope(values: &[i128]) -> Option<i128> {
    let mut slopes = Vec::with_capacity(values.len() * values.len() / 2);
    for (j, to) in values.iter().enumerate() {
        for (i, from) in values[..j].iter().enumerate() {
            slopes.push(mul_div(to.checked_sub(*from)?, 1, (j - i) as i128)?);
        }
    }
    let slope = median(&slopes)?;
    let moved = slope.checked_mul(values.len() as i128 - 1)?;
    let counts = moved.saturating_abs() > deviation(values)?.saturating_mul(2);
    Some(if counts { slope } else { 0 })
}

/// What a day usually deviates: the median absolute deviation from the median.
fn deviation(values: &[i128]) -> Option<i128> {
    let centre = median(values)?;
    let apart: Vec<i128> = values.iter().map(|v| v.saturating_sub(centre).saturating_abs()).collect();
    median(&apart)
}

/// A cost that one day has beyond its neighbours.
struct Lump {
    day: Day,
    cost: i128,
}

/// The series with its lumps taken out, and the lumps.
fn without_lumps(values: &[i128], first: Day) -> Option<(Vec<i128>, Vec<Lump>)> {
    let around = |i: usize| median(&values[i.saturating_sub(7)..(i + 8).min(values.len())]);
    let middle: Vec<i128> = (0..values.len()).map(around).collect::<Option<_>>()?;
    let beyond: Vec<i128> = values.iter().zip(&middle).map(|(v, m)| v.checked_sub(*m)).collect::<Option<_>>()?;
    let spread = median(&beyond.iter().map(|b| b.saturating_abs()).collect::<Vec<_>>())?;
    let mut out = values.to_vec();
    let mut lumps = Vec::new();
    for (i, cost) in beyond.iter().enumerate() {
        if *cost > spread.saturating_mul(8) && *cost > middle[i].saturating_abs() / 5 {
            out[i] = middle[i];
            lumps.push(Lump { day: first.plus(i as i64), cost: *cost });
        }
    }
    // More than one day in ten is no exception but the rule.
    if lumps.len() * 10 > values.len() { Some((values.to_vec(), Vec::new())) } else { Some((out, lumps)) }
}

/// What a day to come costs once a month.
fn expected_lump(lumps: &[Lump], day: Day) -> i128 {
    let (.., of_month) = civil_from_days(day.0);
    let on_that_day = |l: &&Lump| civil_from_days(l.day.0).2 == of_month;
    let mut same = lumps.iter().rev().filter(on_that_day);
    match (same.next(), same.next()) {
        (Some(last), Some(before)) if before.day.plus_months(1) == last.day => last.cost,
        (Some(last), None) if of_month == 1 => last.cost,
        _ => 0,
    }
}

/// Errors of the model on its own past.
#[derive(Default)]
struct Errors {
    /// Absolute errors of single days.
    daily: Vec<i128>,
    /// Absolute errors of sums, by horizon less one.
    sums: Vec<Vec<i128>>,
    origins: usize,
}

impl Errors {
    fn of(values: &[i128], first: Day, horizon: usize) -> Option<Self> {
        let n = values.len();
        let mut errors = Self { sums: vec![Vec::new(); horizon.min(n)], ..Self::default() };
        for origin in DAYS_MIN.max(n.saturating_sub(ORIGINS_MAX))..n {
            errors.origins += 1;
            let ahead = horizon.min(n - origin);
            let means = predict(&values[..origin], first, ahead)?;
            let mut sum = 0_i128;
            for (h, (mean, truth)) in means.iter().zip(&values[origin..]).enumerate() {
                let off = mean.checked_sub(*truth)?;
                sum = sum.checked_add(off)?;
                errors.daily.push(off.saturating_abs());
                errors.sums[h].push(sum.saturating_abs());
            }
        }
        Some(errors)
    }

    /// Half the width of the interval of a sum.
    fn width(&self, horizon: usize, level: u32) -> Option<i128> {
        let checked = (1..=self.sums.len().min(horizon)).rev().find(|h| self.sums[h - 1].len() >= ERRORS_MIN)?;
        let width = quantile(&self.sums[checked - 1], level)?;
        mul_div(width, horizon as i128, checked as i128)
    }

    fn backtest(&self, values: &[i128]) -> Backtest {
        let usual = mean(&values[values.len().saturating_sub(ORIGINS_MAX)..]).filter(|m| *m > 0);
        let error_basis_points = mean(&self.daily).zip(usual).and_then(|(e, usual)| mul_div(e, 10_000, usual));
        Backtest { origins: self.origins, error_basis_points }
    }
}

/// The quantile of absolute errors by which the next one is bounded with a probability in percent.
fn quantile(errors: &[i128], level: u32) -> Option<i128> {
    if errors.len() < ERRORS_MIN {
        return None;
    }
    let mut sorted = errors.to_vec();
    sorted.sort_unstable();
    let rank = ((sorted.len() + 1) * level as usize).div_ceil(100);
    sorted.get(rank.min(sorted.len()) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CENT: i128 = 10_i128.pow(16);

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn run(history: &[i128], start: &str, end: &str) -> Result<Forecast, NotEnough> {
        let history: Vec<Amount> = history.iter().map(|v| Amount(v * CENT)).collect();
        forecast(&history, Period { start: day(start), end: day(end) }, 80).unwrap()
    }

    /// A small generator, so that noise is the same everywhere (splitmix64).
    fn noise(seed: &mut u64, width: i128) -> i128 {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i128::from(z ^ (z >> 31)) % (2 * width + 1) - width
    }

    #[test]
    fn little_history_is_an_answer() {
        assert_eq!(run(&[100; 6], "2026-11-07", "2026-12-01"), Err(NotEnough { days: 6, needed: 7 }));
        let week = run(&[100; 7], "2026-11-08", "2026-12-01").unwrap();
        assert_eq!((week.total, week.interval), (Amount(2300 * CENT), None));
    }

    #[test]
    fn a_constant_stays() {
        let found = run(&[100; 40], "2026-11-10", "2026-12-01").unwrap();
        assert_eq!(found.total, Amount(2100 * CENT));
        assert_eq!(found.interval, Some(Interval { low: found.total, high: found.total }));
        assert_eq!(found.backtest.error_basis_points, Some(0));
    }

    #[test]
    fn weekends_are_cheaper() {
        // 2026-11-09 is a Monday; four weeks before it.
        let history: Vec<i128> = (0..28).map(|d| if d % 7 >= 5 { 40 } else { 100 }).collect();
        let found = run(&history, "2026-11-09", "2026-11-16").unwrap();
        let costs: Vec<i128> = found.days.iter().map(|d| (d.cost.0 + CENT / 2).div_euclid(CENT)).collect();
        assert_eq!(costs, [100, 100, 100, 100, 100, 40, 40]);
    }

    #[test]
    fn a_step_is_followed_and_a_spike_is_not() {
        let mut stepped = vec![100; 30];
        stepped.extend([150; 10]);
        let found = run(&stepped, "2026-11-10", "2026-11-20").unwrap();
        assert!((found.total.0 - 1500 * CENT).abs() < 100 * CENT, "{}", found.total);
        let mut spiked = vec![100; 40];
        spiked[37] = 5000;
        assert_eq!(run(&spiked, "2026-11-10", "2026-11-20").unwrap().total, Amount(1000 * CENT));
    }

    #[test]
    fn what_comes_every_month_comes_again() {
        // 1 September to 14 November, support on the fifth.
        let history: Vec<i128> =
            (0..75).map(|d| if civil_from_days(day("2026-09-01").0 + d).2 == 5 { 1000 } else { 100 }).collect();
        let found = run(&history, "2026-11-15", "2026-12-15").unwrap();
        assert_eq!(found.total, Amount((30 * 100 + 900) * CENT));
    }

    /// The 80% interval of the rest of a month must hold about as often as it says, on months with weekdays, growth, noise and fees.
    #[test]
    fn intervals_hold_as_often_as_they_say() {
        let (mut held, mut all, mut off) = (0, 0, 0.0);
        for seed in 0..200_u64 {
            let mut rng = seed;
            let growth = noise(&mut rng, 40);
            let truth: Vec<i128> = (0..120_i128)
                .map(|d| {
                    let weekday = if d % 7 >= 5 { -2000 } else { 0 };
                    10_000 + weekday + growth * d / 10 + noise(&mut rng, 900)
                })
                .collect();
            let found = run(&truth[..100], "2026-11-11", "2026-12-01").unwrap();
            let sum: i128 = truth[100..120].iter().sum::<i128>() * CENT;
            let interval = found.interval.unwrap();
            all += 1;
            held += i32::from((interval.low.0..=interval.high.0).contains(&sum));
            off += (found.total.0 - sum).abs() as f64 / sum as f64 / 200.0;
        }
        let share = f64::from(held) / f64::from(all);
        assert!((0.7..=0.97).contains(&share), "held {share}");
        assert!(off < 0.025, "off by {off}");
    }

    proptest! {
        #[test]
        fn any_history_has_an_answer(history in proptest::collection::vec(-10_i128.pow(30)..10_i128.pow(30), 0..80), days in 0_i64..40) {
            let history: Vec<Amount> = history.into_iter().map(Amount).collect();
            let period = Period { start: day("2026-11-15"), end: day("2026-11-15").plus(days) };
            if let Ok(found) = forecast(&history, period, 80).unwrap() {
                prop_assert_eq!(found.days.iter().map(|d| d.cost.0).sum::<i128>(), found.total.0);
                prop_assert_eq!(forecast(&history, period, 80).unwrap().unwrap(), found);
            }
        }
    }
}
