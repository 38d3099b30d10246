//! Unusual stretches of one signal, bucket by bucket: failing calls, slow calls, levels. Each bucket is judged from those before it alone.
//!
//! Calls are counted, so they are judged as counts: failures by the tail of a Poisson distribution, durations by the mean of their logarithms
//! against its standard error, over windows of one to six buckets. Calls of one bucket are alike (one request makes many of them), so that error is
//! widened by how much more the buckets before differed than independent calls would (the dispersion of McCullagh and Nelder, Generalized Linear
//! Models, 1989, section 4.5). Levels (CPU, connections) go through [`grid_ml::detect`], whose range of the
//! time of day they must leave. Statistics decide whether something is unusual; whether it matters is decided by its size.

use grid_ml::detect::{Detector, Tier};
use grid_model::Timestamp;

use crate::limits::BUCKETS_MAX;
use crate::robust::median;

/// The name of the model.
pub const MODEL: &str = "signal-windows";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 2;

/// Buckets that say what is usual: of ten minutes, two days.
const REFERENCE: usize = 288;
/// Buckets before anything is judged.
const REFERENCE_MIN: usize = 36;
/// Longest window, in buckets.
const WINDOW_MAX: usize = 6;
/// Buckets without a sign after which a stretch is over.
const QUIET: usize = 6;
/// What is unusual for so many buckets is usual.
const ACCEPTED: usize = 3 * 144;
/// Probability below which a count of failures is no chance: a thousand services make a hundred and fifty thousand buckets a day.
const CHANCE: f64 = 1e-7;
/// Failures that matter: so many, and this part of the calls.
const FAILURES_MIN: (f64, f64) = (3.0, 0.05);
/// A failure ratio that nobody needs to prove.
const RATIO_FLOOR: f64 = 0.002;
/// Standard errors at which the mean logarithm of durations has changed.
const SLOW_Z: f64 = 7.0;
/// Slower by so much matters.
const SLOW_FACTOR: f64 = 1.4;
/// Standard errors by which calls must be seen to be no longer slow, over so many buckets at most.
const OVER_Z: f64 = 2.0;
const OVER_MAX: usize = 36;
/// Calls that a mean needs.
const CALLS_MIN: f64 = 6.0;
/// Deviation of a logarithm of durations where all seem equal.
const LOG_DEVIATION_MIN: f64 = 0.25;

/// One bucket of calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Calls {
    /// How many.
    pub count: f64,
    /// How many of them failed.
    pub failed: f64,
    /// Sum of the natural logarithms of their durations in milliseconds.
    pub log_sum: f64,
    /// Sum of the squares of these.
    pub log_square_sum: f64,
}

/// An unusual stretch, in buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// The first.
    pub start: usize,
    /// The one after the last; `None` while it lasts.
    pub end: Option<usize>,
    /// The worst.
    pub peak: usize,
    /// What was seen there.
    pub actual: f64,
    /// What was expected.
    pub expected: f64,
    /// 1 is just worth telling.
    pub score: f64,
}

/// What one bucket says.
pub(crate) enum Verdict {
    /// Unusual.
    Sign(Sign),
    /// As usual.
    Usual,
    /// Too little was seen to say that it is over.
    Unclear,
}

/// A verdict on the end of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sign {
    pub(crate) since: usize,
    pub(crate) actual: f64,
    pub(crate) expected: f64,
    pub(crate) score: f64,
}

impl From<Option<Sign>> for Verdict {
    fn from(sign: Option<Sign>) -> Self {
        sign.map_or(Self::Usual, Self::Sign)
    }
}

/// What is known when a bucket is judged.
pub(crate) struct Past<'a> {
    /// Which buckets do not say what is usual.
    pub(crate) unusual: &'a [bool],
    /// The last sign of the stretch that lasts.
    last_sign: Option<usize>,
}

/// Turns verdicts on single buckets into stretches.
pub(crate) fn stretches(buckets: usize, mut judge: impl FnMut(usize, Past<'_>) -> Verdict) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut open: Option<(Stretch, usize)> = None;
    // Buckets of a stretch do not become what is usual, until they have lasted.
    let mut unusual = vec![false; buckets];
    for at in 0..buckets {
        let past = Past { unusual: &unusual, last_sign: open.map(|(_, last)| last) };
        match (judge(at, past), &mut open) {
            (Verdict::Sign(sign), None) => {
                let stretch = Stretch {
                    start: sign.since,
                    end: None,
                    peak: at,
                    actual: sign.actual,
                    expected: sign.expected,
                    score: sign.score,
                };
                unusual[sign.since..=at].fill(true);
                open = Some((stretch, at));
            }
            (Verdict::Sign(sign), Some((stretch, last))) => {
                *last = at;
                if sign.score > stretch.score {
                    let Sign { actual, expected, score, .. } = sign;
                    *stretch = Stretch { peak: at, actual, expected, score, ..*stretch };
                }
            }
            (Verdict::Usual, Some((stretch, last))) if at - *last >= QUIET => {
                unusual[*last + 1..=at].fill(false);
                found.push(Stretch { end: Some(*last + 1), ..*stretch });
                open = None;
            }
            _ => {}
        }
        if let Some((stretch, _)) = open {
            unusual[at] = true;
            if at - stretch.start >= ACCEPTED {
                unusual[stretch.start..=at].fill(false);
                found.push(Stretch { end: Some(at + 1), ..stretch });
                open = None;
            }
        }
    }
    found.extend(open.map(|(stretch, _)| stretch));
    found
}

/// The usual buckets before one, newest last.
fn usual<'a>(calls: &'a [Calls], unusual: &'a [bool], before: usize) -> impl Iterator<Item = &'a Calls> {
    let start = before.saturating_sub(REFERENCE);
    (start..before).filter(|i| !unusual[*i] && calls[*i].count > 0.0).map(|i| &calls[i])
}

fn sum<'a>(calls: impl Iterator<Item = &'a Calls>) -> Calls {
    calls.fold(Calls::default(), |a, b| Calls {
        count: a.count + b.count,
        failed: a.failed + b.failed,
        log_sum: a.log_sum + b.log_sum,
        log_square_sum: a.log_square_sum + b.log_square_sum,
    })
}

/// Stretches in which calls fail more often than they used to; `actual` and `expected` are parts of the calls.
pub fn errors(calls: &[Calls]) -> Vec<Stretch> {
    let calls = &calls[..calls.len().min(BUCKETS_MAX)];
    stretches(calls.len(), |at, past| {
        if at < REFERENCE_MIN || calls[at].failed == 0.0 {
            return Verdict::Usual;
        }
        let before = sum(usual(calls, past.unusual, at.saturating_sub(1)));
        let expected = ((before.failed + 0.5) / (before.count + 100.0)).max(RATIO_FLOOR);
        let worst = (1..=2)
            .filter_map(|window| {
                let since = at + 1 - window;
                let now = sum(calls[since..=at].iter());
                let actual = now.failed / now.count;
                let matters = now.failed >= FAILURES_MIN.0 && actual >= FAILURES_MIN.1 && actual >= 4.0 * expected;
                let chance = poisson_tail(now.failed, now.count * expected);
                let score = (chance.max(1e-300).ln() / CHANCE.ln()).min(40.0);
                (matters && chance < CHANCE).then_some(Sign { since: first_bad(calls, since), actual, expected, score })
            })
            .max_by(|a, b| a.score.total_cmp(&b.score));
        worst.into()
    })
}

/// A window begins with its first failure.
fn first_bad(calls: &[Calls], since: usize) -> usize {
    (since..calls.len()).find(|i| calls[*i].failed > 0.0).unwrap_or(since)
}

/// How much more the means of buckets differ than those of as many independent calls would; 1 where they do not.
fn dispersion<'a>(buckets: impl Iterator<Item = &'a Calls>, mean: f64, variance: f64) -> f64 {
    let (mut squares, mut buckets_seen) = (0.0, 0.0);
    for bucket in buckets {
        squares += bucket.count * (bucket.log_sum / bucket.count - mean).powi(2);
        buckets_seen += 1.0;
    }
    if buckets_seen < 2.0 || variance <= 0.0 { 1.0 } else { (squares / (buckets_seen - 1.0) / variance).max(1.0) }
}

/// Stretches in which calls take longer than they used to; `actual` and `expected` are geometric means in milliseconds. A stretch is over when as
/// many calls were seen since as show that they are no longer slow: a quiet night ends nothing.
pub fn latency(calls: &[Calls]) -> Vec<Stretch> {
    let calls = &calls[..calls.len().min(BUCKETS_MAX)];
    stretches(calls.len(), |at, past| {
        if at < REFERENCE_MIN || calls[at].count == 0.0 {
            return Verdict::Unclear;
        }
        let reference = at.saturating_sub(WINDOW_MAX);
        let before = sum(usual(calls, past.unusual, reference));
        if before.count < 10.0 * CALLS_MIN {
            return Verdict::Unclear;
        }
        let mean = before.log_sum / before.count;
        let variance = (before.log_square_sum / before.count - mean * mean).max(0.0);
        let dispersion = dispersion(usual(calls, past.unusual, reference), mean, variance);
        let deviation = variance.sqrt().max(LOG_DEVIATION_MIN) * dispersion.sqrt();
        // By how much the calls since a bucket are slower, and the standard error of that.
        let rise = |since: usize| {
            let now = sum(calls[since..=at].iter());
            let error = deviation * (1.0 / now.count + 1.0 / before.count).sqrt();
            (now.count >= CALLS_MIN).then(|| (now.log_sum / now.count - mean, error))
        };
        let worst = (1..=WINDOW_MAX.min(at + 1))
            .filter_map(|window| {
                let since = at + 1 - window;
                let (rise, error) = rise(since)?;
                let slow = rise / error >= SLOW_Z && rise >= SLOW_FACTOR.ln();
                let (actual, expected) = ((mean + rise).exp(), mean.exp());
                slow.then_some(Sign { since, actual, expected, score: (rise / error / SLOW_Z).min(40.0) })
            })
            .max_by(|a, b| a.score.total_cmp(&b.score));
        match (worst, past.last_sign) {
            (Some(sign), _) => Verdict::Sign(sign),
            (None, None) => Verdict::Usual,
            (None, Some(last)) => match rise((last + 1).max(at.saturating_sub(OVER_MAX))) {
                Some((rise, error)) if rise + OVER_Z * error < SLOW_FACTOR.ln() => Verdict::Usual,
                _ => Verdict::Unclear,
            },
        }
    })
}

/// What makes a level worth telling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matters {
    /// It is at least this.
    pub at_least: f64,
    /// It is above what was expected by at least this.
    pub rise: f64,
    /// Buckets in a row.
    pub buckets: usize,
}

/// Stretches in which a level lies above its usual range of the time of day; NaN is a gap.
pub fn level(points: &[f64], start: Timestamp, step_ns: i64, matters: Matters) -> Vec<Stretch> {
    let points = &points[..points.len().min(BUCKETS_MAX)];
    let mut detector = Detector::new(Tier::Cheap);
    // (value, expected, upper end) of each bucket.
    let judged: Vec<(f64, f64, f64)> = points
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let time = start.saturating_add(step_ns.saturating_mul(i as i64));
            let gap = detector.push(time, f64::NAN);
            let (expected, upper) = (gap.expected, gap.upper);
            let is_high = i >= REFERENCE && *value > upper && *value - expected >= matters.rise;
            // What is unusual must not widen the range: it is learnt as the end of the range.
            detector.push(time, if is_high { upper } else { *value });
            (*value, expected, if i >= REFERENCE { upper } else { f64::INFINITY })
        })
        .collect();
    let high = |i: usize| {
        let (value, expected, upper) = judged[i];
        value > upper && value >= matters.at_least && value - expected >= matters.rise
    };
    stretches(points.len(), |at, _| {
        let since = (at + 1).checked_sub(matters.buckets.max(1)).filter(|since| (*since..=at).all(high));
        let sign = since.map(|since| {
            let (actual, expected, upper) = judged[at];
            let range = (upper - expected).max(1e-9);
            Sign { since, actual, expected, score: ((actual - expected) / range).min(40.0) }
        });
        sign.into()
    })
}

/// P(X >= k) of a Poisson distribution with a mean.
pub(crate) fn poisson_tail(k: f64, mean: f64) -> f64 {
    if k <= 0.0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    let mut term = (k * mean.ln() - mean - log_factorial(k)).exp();
    if k <= mean {
        return 1.0;
    }
    let (mut sum, mut i) = (0.0, k);
    while term > 1e-320 && term > sum * 1e-12 {
        sum += term;
        i += 1.0;
        term *= mean / i;
    }
    sum.min(1.0)
}

/// ln(n!), by Stirling's series beyond small numbers.
fn log_factorial(n: f64) -> f64 {
    if n < 20.0 {
        return (2..=n as u32).map(|i| f64::from(i).ln()).sum();
    }
    n * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI * n).ln() + 1.0 / (12.0 * n)
}

/// The median of what is finite.
pub fn typical(points: &[f64]) -> f64 {
    median(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(n: usize, of: impl Fn(usize) -> (f64, f64, f64)) -> Vec<Calls> {
        (0..n)
            .map(|i| {
                let (count, failed, ms) = of(i);
                // Half the calls a little faster, half slower.
                let (a, b) = ((ms * 0.7_f64).ln(), (ms * 1.4_f64).ln());
                Calls { count, failed, log_sum: count / 2.0 * (a + b), log_square_sum: count / 2.0 * (a * a + b * b) }
            })
            .collect()
    }

    fn shown(found: &[Stretch]) -> Vec<(usize, Option<usize>)> {
        found.iter().map(|s| (s.start, s.end)).collect()
    }

    #[test]
    fn failing_calls() {
        let quiet = |i: usize| if i.is_multiple_of(40) { 1.0 } else { 0.0 };
        assert_eq!(shown(&errors(&calls(300, |i| (20.0, quiet(i), 50.0)))), []);
        let outage = calls(300, |i| (20.0, if (200..205).contains(&i) { 12.0 } else { quiet(i) }, 50.0));
        assert_eq!(shown(&errors(&outage)), [(200, Some(205))]);
        assert_eq!(errors(&calls(10, |_| (5.0, 5.0, 1.0))), [], "too early to say");
    }

    #[test]
    fn slow_calls() {
        assert_eq!(latency(&calls(300, |i| (10.0, 0.0, 50.0 + (i % 5) as f64))), []);
        let found = latency(&calls(300, |i| (4.0, 0.0, if i >= 200 { 110.0 } else { 50.0 })));
        assert_eq!(shown(&found), [(200, None)]);
        assert!((found[0].actual / found[0].expected - 2.2).abs() < 0.1, "{found:?}");
        // A night with few calls ends nothing; a morning of fast ones does.
        let quiet = |i: usize| if (220..280).contains(&i) { 0.2 } else { 6.0 };
        let found = latency(&calls(400, |i| (quiet(i), 0.0, if (200..320).contains(&i) { 110.0 } else { 50.0 })));
        assert_eq!(shown(&found), [(200, Some(322))]);
    }

    #[test]
    fn levels() {
        let matters = Matters { at_least: 0.5, rise: 0.2, buckets: 2 };
        let day =
            |i: usize| 0.2 + 0.1 * ((i % 144) as f64 / 144.0 * std::f64::consts::TAU).sin() + 0.01 * (i % 3) as f64;
        let of = |f: &dyn Fn(usize) -> f64| {
            let points: Vec<f64> = (0..1000).map(f).collect();
            shown(&level(&points, Timestamp(0), 600_000_000_000, matters))
        };
        assert_eq!(of(&day), []);
        assert_eq!(of(&|i| if (700..705).contains(&i) { 0.98 } else { day(i) }), [(700, Some(705))]);
        // High, but every day at that time.
        assert_eq!(of(&|i| if i % 144 < 24 { 0.8 } else { day(i) }), []);
        assert_eq!(of(&|i| if i % 7 == 0 { f64::NAN } else { day(i) }), []);
    }

    #[test]
    fn tails() {
        for (k, mean, expected) in [(0.0, 3.0, 1.0), (1.0, 1.0, 1.0), (3.0, 1.0, 0.0803), (10.0, 2.0, 4.65e-5)] {
            let found = poisson_tail(k, mean);
            assert!((found - expected).abs() <= 0.01 * expected, "{k} {mean} {found}");
        }
        assert!((log_factorial(20.0) - 42.3356).abs() < 1e-3);
    }
}
