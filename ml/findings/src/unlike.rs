//! Stretches in which one member of a group is unlike the others, and in which the measures of one thing do not belong together.

use grid_ml::peers::{MEMBERS_MIN, outlying};
use grid_ml::together::{Usual, learn};

use crate::limits::BUCKETS_MAX;
use crate::robust::{median, quantile};
use crate::signal::{Sign, Stretch, stretches};

/// The name of the model that compares members of a group.
pub const PEERS: &str = "peers";
/// The name of the model that compares measures.
pub const TOGETHER: &str = "together";
/// Buckets over which members are compared: of ten minutes, an hour.
const WINDOW: usize = 6;
/// Buckets that say what is usual: of ten minutes, two days, and a week.
const REFERENCE: usize = 288;
const LEARNT: usize = 7 * 144;
/// Buckets after which it is learnt anew: a day.
const AGAIN: usize = 144;
/// Who was unlike the others in more than this share of the buckets before is of another kind.
const OTHER_KIND: f64 = 0.1;
/// Most members that are compared.
pub const MEMBERS_MAX: usize = 200;

/// A stretch of a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlike {
    /// Which member, counted from 0.
    pub member: usize,
    /// `actual` is its mean in the worst hour, `expected` the group's middle.
    pub stretch: Stretch,
}

/// Members that are unlike the others for an hour and more, by `rise` at least, though they used not to be. Each member is one value per bucket; NaN is a
/// gap. Groups of fewer than four or more than [`MEMBERS_MAX`] are not judged.
pub fn unlike(members: &[Vec<f64>], rise: f64) -> Vec<Unlike> {
    if !(MEMBERS_MIN..=MEMBERS_MAX).contains(&members.len()) {
        return Vec::new();
    }
    let buckets = members.iter().map(Vec::len).max().unwrap_or(0).min(BUCKETS_MAX);
    let mut signs: Vec<Vec<Option<Sign>>> = members.iter().map(|_| vec![None; buckets]).collect();
    for since in 0..(buckets + 1).saturating_sub(WINDOW) {
        let windows: Vec<&[f64]> = members.iter().map(|m| m.get(since..since + WINDOW).unwrap_or(&[])).collect();
        for found in outlying(&windows, rise / 2.0) {
            if found.apart.abs() < rise {
                continue;
            }
            let actual = windows[found.member].iter().sum::<f64>() / WINDOW as f64;
            let sign = Sign { since, actual, expected: actual - found.apart, score: found.away.min(40.0) };
            signs[found.member][since + WINDOW - 1] = Some(sign);
        }
    }
    let told = |(member, signs): (usize, &Vec<Option<Sign>>)| {
        let found = stretches(buckets, |at, past| {
            // A stretch that lasts does not make itself usual.
            let before = (at.saturating_sub(REFERENCE)..at.saturating_sub(WINDOW)).filter(|i| !past.unusual[*i]);
            let (was, of) = before.fold((0_u32, 0_u32), |(was, of), i| (was + u32::from(signs[i].is_some()), of + 1));
            let was = f64::from(was) / f64::from(of.max(1));
            signs[at].filter(|_| at >= REFERENCE && was <= OTHER_KIND).into()
        });
        found.into_iter().map(move |stretch| Unlike { member, stretch }).collect::<Vec<_>>()
    };
    signs.iter().enumerate().flat_map(told).collect()
}

/// One measure of a thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// A deviation of this part of its middle, and of so much, means nothing.
    pub floor: (f64, f64),
    /// It matters if it is so much, and this part of its middle, away from what fits the others.
    pub rise: (f64, f64),
}

/// A stretch of a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Apart {
    /// The measure that does not fit the others, counted from 0.
    pub measure: usize,
    /// `actual` is its worst value, `expected` what fits the others.
    pub stretch: Stretch,
}

/// Stretches of half an hour and more in which the measures of a thing do not belong together. `values` has one row per measure, each one value per bucket; NaN
/// is a gap. What is usual is learnt every day anew from the week before.
pub fn apart(measures: &[Measure], values: &[Vec<f64>]) -> Vec<Apart> {
    const IN_A_ROW: usize = 3;
    let buckets = values.iter().map(Vec::len).min().unwrap_or(0).min(BUCKETS_MAX);
    let moment = |at: usize| values.iter().map(|v| v[at]).collect::<Vec<f64>>();
    let mut usual: Option<(Usual, Vec<f64>)> = None;
    let judged: Vec<Option<(usize, Sign)>> = (0..buckets)
        .map(|at| {
            if at >= REFERENCE && at % AGAIN == 0 {
                let since = at.saturating_sub(LEARNT);
                let middles: Vec<f64> = values.iter().map(|v| median(&v[since..at]).abs()).collect();
                let floors: Vec<f64> = measures
                    .iter()
                    .zip(values)
                    .zip(&middles)
                    .map(|((m, v), middle)| {
                        // A measure that hardly ever moves has no deviation; a hundredth of its range is nothing.
                        let range = quantile(&v[since..at], 0.99) - quantile(&v[since..at], 0.01);
                        m.floor.0.max(m.floor.1 * middle).max(0.01 * range)
                    })
                    .collect();
                let moments: Vec<Vec<f64>> = (since..at).map(moment).collect();
                usual = learn(&moments, &floors).ok().map(|usual| (usual, middles));
            }
            let (usual, middles) = usual.as_ref()?;
            let now = moment(at);
            let strange = usual.judge(&now);
            let measure = (0..measures.len()).max_by(|a, b| strange.parts[*a].total_cmp(&strange.parts[*b]))?;
            let (actual, expected) = (now[measure], strange.expected[measure]);
            let rise = measures[measure].rise.0.max(measures[measure].rise.1 * middles[measure]);
            let matters = strange.score > 1.0 && (actual - expected).abs() >= rise;
            matters.then_some((measure, Sign { since: at, actual, expected, score: strange.score.sqrt().min(40.0) }))
        })
        .collect();
    let mut found = Vec::new();
    for measure in 0..measures.len() {
        let of = |at: usize| judged[at].filter(|(m, _)| *m == measure).map(|(_, sign)| sign);
        let stretches = stretches(buckets, |at, _| {
            let since = (at + 1).checked_sub(IN_A_ROW).filter(|since| (*since..=at).all(|i| of(i).is_some()));
            since.and_then(|since| Some(Sign { since, ..of(at)? })).into()
        });
        found.extend(stretches.into_iter().map(|stretch| Apart { measure, stretch }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize) -> f64 {
        ((i * 7919) % 1000) as f64 / 1000.0 - 0.5
    }

    fn load(i: usize) -> f64 {
        0.5 + 0.4 * (i as f64 / 144.0 * std::f64::consts::TAU).sin()
    }

    fn group(of: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
        (0..6)
            .map(|member| (0..1000).map(|i| 0.3 * load(i) + 0.02 * noise(i * 6 + member) + of(member, i)).collect())
            .collect()
    }

    #[test]
    fn a_member_that_leaves_the_others() {
        let shown = |members: &[Vec<f64>]| {
            let found = unlike(members, 0.3);
            found.iter().map(|u| (u.member, u.stretch.start, u.stretch.end.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(shown(&group(|_, _| 0.0)), []);
        let found = shown(&group(|m, i| if m == 2 && (600..640).contains(&i) { 0.6 } else { 0.0 }));
        assert!(matches!(found[..], [(2, 594..=604, true)]), "{found:?}");
        assert!(matches!(shown(&group(|m, i| if m == 4 && i >= 900 { 0.6 } else { 0.0 }))[..], [(4, _, false)]));
        // All of them together; one for ten minutes; one that was always so.
        assert_eq!(shown(&group(|_, i| if i >= 900 { 0.6 } else { 0.0 })), []);
        assert_eq!(shown(&group(|m, i| if m == 2 && i == 700 { 0.6 } else { 0.0 })), []);
        assert_eq!(shown(&group(|m, _| if m == 2 { 0.6 } else { 0.0 })), []);
        assert_eq!(shown(&group(|_, _| 0.0)[..3]), []);
    }

    const MEASURES: [Measure; 3] = [
        Measure { floor: (0.02, 0.0), rise: (0.2, 0.0) },
        Measure { floor: (0.0, 0.05), rise: (0.0, 1.0) },
        Measure { floor: (0.0, 0.05), rise: (0.0, 1.0) },
    ];

    fn thing(busy: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
        let of = |f: &dyn Fn(usize) -> f64| (0..1500).map(f).collect::<Vec<f64>>();
        vec![
            of(&|i| 0.1 + 0.5 * load(i) + 0.02 * noise(i) + busy(i)),
            of(&|i| 1e6 * (load(i) + 0.05 * noise(i * 3))),
            of(&|i| 40.0 * (load(i) + 0.05 * noise(i * 5))),
        ]
    }

    #[test]
    fn measures_that_part() {
        assert_eq!(apart(&MEASURES, &thing(|_| 0.0)), []);
        // Busy at night, without traffic: as busy as every day at noon.
        let found = apart(&MEASURES, &thing(|i| if (1230..1260).contains(&i) { 0.45 } else { 0.0 }));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].measure, found[0].stretch.start, found[0].stretch.end), (0, 1230, Some(1260)));
        assert_eq!(apart(&MEASURES, &[]), []);
        assert_eq!(apart(&[], &[]), []);
    }
}
