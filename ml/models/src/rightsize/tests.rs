#![allow(clippy::unwrap_used)]
use grid_model::time::MINUTE_NS;
use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

const STEP: i64 = 5 * MINUTE_NS;

fn series(n: usize, usage: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut rng = Rng::new(11);
    (0..n).map(|i| usage(i, rng.unit())).collect()
}

fn score(usage: &[f64]) -> Score {
    Score::of(usage, &limits(usage, STEP), STEP)
}

#[test]
fn smooth_usage_is_kept_safe_and_rough_usage_is_not_paid_for() {
    let smooth = score(&series(288 * 3, |i, noise| 100.0 + (i as f64 / 288.0) + 0.5 * noise));
    assert!(smooth.slack < 0.15 && smooth.violations == 0.0, "{smooth:?}");
    let bursts = score(&series(288 * 3, |_, noise| if noise > 0.97 { 90.0 } else { 10.0 + 10.0 * noise }));
    assert!(bursts.slack < 0.55 && bursts.violations < 0.04, "{bursts:?}");
}

#[test]
fn what_comes_every_day_is_expected() {
    // An hour of three times the usage, every day at the same time.
    let nightly = series(288 * 10, |i, noise| if i % 288 / 12 == 3 { 30.0 } else { 10.0 } + 0.2 * noise);
    let limits = limits(&nightly, STEP);
    let last = &limits[288 * 9..];
    assert!(last[36..48].iter().all(|l| *l > 30.0), "{:?}", &last[36..48]);
}

#[test]
fn a_smooth_series_that_passes_its_limit_again_gets_more() {
    let leaps = |leaps: &[(usize, f64)]| {
        let usage = series(288, |i, noise| leaps.iter().find(|l| l.0 == i).map_or(100.0 + 0.2 * noise, |l| l.1));
        decide(&usage, STEP).unwrap().limit
    };
    let (once, twice) = (leaps(&[(270, 250.0)]), leaps(&[(260, 130.0), (270, 250.0)]));
    assert!(twice > once * 1.05, "{once} {twice}");
    // A leap of long ago is only one more climb.
    assert!(leaps(&[(100, 130.0), (270, 250.0)]) < once * 1.02, "{once}");
}

#[test]
fn a_replay_decides_as_one_who_sees_the_same_past() {
    let usage = series(288 * 2, |i, noise| 50.0 + 10.0 * ((i / 30) % 3) as f64 + 3.0 * noise);
    let limits = limits(&usage, STEP);
    for start in (12..usage.len()).step_by(12) {
        assert_eq!(limits[start], decide(&usage[..start], STEP).unwrap().limit, "{start}");
    }
}

#[test]
fn too_little_is_no_decision() {
    assert_eq!(decide(&[], STEP), None);
    assert_eq!(decide(&[f64::NAN; 9], STEP), None);
    assert!(limits(&[], STEP).is_empty());
    assert_eq!(Score::of(&[1.0; 20], &[2.0; 20], STEP), Score::default());
    let score = Score::of(&[1.0; 100], &[2.0; 100], STEP);
    assert_eq!(score, Score { slack: 0.5, violations: 0.0, samples: 28 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Limits are numbers and not negative; nothing that is not known yet changes them; they grow with the unit.
    #[test]
    fn decisions_know_the_past_only(
        usage in prop::collection::vec(prop_oneof![9 => 0.0..1e3, 1 => Just(f64::NAN), 1 => Just(0.0)], 1..300),
        cut in 0_usize..300,
    ) {
        let whole = limits(&usage, STEP);
        prop_assert_eq!(whole.len(), usage.len());
        prop_assert!(whole.iter().all(|l| l.is_finite() && *l >= 0.0));
        let cut = cut.min(usage.len() - 1) / 12 * 12;
        let mut other = usage.clone();
        other[cut..].fill(77.0);
        if cut > 0 {
            prop_assert_eq!(&limits(&other, STEP)[..(cut + 12).min(usage.len())], &whole[..(cut + 12).min(usage.len())]);
        }
        let doubled: Vec<f64> = usage.iter().map(|u| u * 2.0).collect();
        let twice: Vec<f64> = whole.iter().map(|l| l * 2.0).collect();
        prop_assert_eq!(limits(&doubled, STEP), twice);
        if let Some(decision) = decide(&usage, STEP) {
            prop_assert!((0.0..1.0).contains(&decision.risk));
        }
    }
}
