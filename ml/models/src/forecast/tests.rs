#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn ask(points: &[f64], horizon: usize, season: Option<usize>) -> Result<Forecast, NotEnoughData> {
    forecast(points, &Params { horizon, season, level: 0.95 })
}

/// Numbers between 0 and 1 that look random (splitmix64).
fn noise(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n).map(|_| next()).collect()
}

/// Days of 24 points with a weekly change, growth and noise.
fn usage(n: usize) -> Vec<f64> {
    let hour = |i: usize| (std::f64::consts::TAU * (i % 24) as f64 / 24.0).sin();
    let day = |i: usize| if i / 24 % 7 >= 5 { 0.5 } else { 1.0 };
    noise(7, n)
        .iter()
        .enumerate()
        .map(|(i, e)| 100.0 + 0.05 * i as f64 + 30.0 * hour(i) * day(i) + 2.0 * (e - 0.5))
        .collect()
}

#[test]
fn too_little_is_said() {
    assert_eq!(ask(&[1.0; 7], 3, None), Err(NotEnoughData { have: 7, need: POINTS_MIN }));
    let mut mostly_gaps = vec![f64::NAN; 100];
    (0..10).for_each(|i| mostly_gaps[i * 11] = 1.0);
    assert_eq!(ask(&mostly_gaps, 3, None), Err(NotEnoughData { have: 10, need: 50 }));
}

#[test]
fn what_never_changes_goes_on() {
    let forecast = ask(&[5.0; 40], 6, None).unwrap();
    for step in 0..6 {
        let (lower, mean, upper) = (forecast.lower[step], forecast.mean[step], forecast.upper[step]);
        assert!((mean - 5.0).abs() < 1e-6 && (upper - lower).abs() < 1e-3, "{lower} {mean} {upper}");
    }
}

#[test]
fn days_and_weeks_are_followed() {
    let all = usage(28 * 24);
    let (past, future) = all.split_at(26 * 24);
    let answer = ask(past, 48, Some(24)).unwrap();
    assert_eq!(answer.seasons, [24, 168]);
    let error = answer.mean.iter().zip(future).map(|(f, t)| (f - t).abs()).sum::<f64>() / 48.0;
    assert!(error < 1.5, "{error}");
    let held = (0..48).filter(|i| (answer.lower[*i]..=answer.upper[*i]).contains(&future[*i])).count();
    assert!(held >= 42, "{held}");
    assert!((answer.models.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn wider_levels_are_wider() {
    let past = usage(600);
    let width = |level: f64| {
        let answer = forecast(&past, &Params { horizon: 24, season: Some(24), level }).unwrap();
        answer.upper.iter().zip(&answer.lower).map(|(u, l)| u - l).sum::<f64>()
    };
    assert!(width(0.5) < width(0.8) && width(0.8) < width(0.95) && width(0.95) <= width(0.99));
}

#[test]
fn gaps_do_not_shift_the_season() {
    let mut past = usage(20 * 24);
    let whole = ask(&past, 24, Some(24)).unwrap();
    (100..110).chain(300..303).for_each(|i| past[i] = f64::NAN);
    let with_gaps = ask(&past, 24, Some(24)).unwrap();
    let apart = whole.mean.iter().zip(&with_gaps.mean).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 6.0, "{apart}");
}

proptest! {
    /// Whatever comes in: as many finite numbers as were asked for, in order, and the same again.
    #[test]
    fn answers_are_sound(
        points in prop::collection::vec(prop_oneof![9 => -1e3..1e3, 1 => Just(f64::NAN), 1 => -1e300..1e300, 1 => Just(0.0)], 0..120),
        horizon in 1_usize..40,
        season in prop::option::of(0_usize..50),
        level in prop_oneof![0.0..1.5, Just(f64::NAN)],
    ) {
        let params = Params { horizon, season, level };
        if let Ok(answer) = forecast(&points, &params) {
            prop_assert_eq!((answer.mean.len(), answer.lower.len(), answer.upper.len()), (horizon, horizon, horizon));
            for step in 0..horizon {
                let (lower, mean, upper) = (answer.lower[step], answer.mean[step], answer.upper[step]);
                prop_assert!(mean.is_finite() && lower <= mean && mean <= upper, "{} {} {}", lower, mean, upper);
            }
            prop_assert_eq!(Ok(answer), forecast(&points, &params));
        }
    }

    /// Quantities stay quantities.
    #[test]
    fn what_was_never_negative_stays_so(points in prop::collection::vec(0.0..10.0_f64, 8..60), horizon in 1_usize..30) {
        let answer = ask(&points, horizon, None).unwrap();
        prop_assert!(answer.lower.iter().chain(&answer.mean).all(|v| *v >= 0.0));
    }
}
