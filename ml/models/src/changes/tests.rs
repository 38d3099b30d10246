#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

/// Noise of deviation 1 that remembers a share of its last value.
fn noise(n: usize, seed: u64, memory: f64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let mut last = 0.0;
    let mut one = || {
        // The sum of twelve even numbers is nearly normal.
        last = memory * last + (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
        last
    };
    (0..n).map(|_| one()).collect()
}

fn places(points: &[f64]) -> Vec<usize> {
    find(points).unwrap().changes.iter().map(|c| c.at).collect()
}

fn with(points: &[f64], add: impl Fn(usize) -> f64) -> Vec<f64> {
    points.iter().enumerate().map(|(i, v)| v + add(i)).collect()
}

/// Whether as many changes are found as expected, each within a few points.
fn check(name: &str, points: &[f64], expected: &[usize]) {
    let found = places(points);
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.abs_diff(*e) <= 5);
    assert!(near, "{name}: {found:?}, expected {expected:?}");
}

#[test]
fn changes_are_found_and_nothing_else() {
    let plain = noise(200, 1, 0.0);
    let level = |at: usize, size: f64| move |i: usize| if i >= at { size } else { 0.0 };
    let bend = |at: usize| move |i: usize| 0.3 * i.saturating_sub(at) as f64;
    let wave = |i: usize| 6.0 * (std::f64::consts::TAU * i as f64 / 12.0).sin();
    let spikes = |i: usize| if i % 61 == 30 { 25.0 } else { 0.0 };
    check("noise", &plain, &[]);
    check("noise that remembers", &noise(300, 2, 0.9), &[]);
    check("a random walk", &noise(300, 3, 1.0), &[]);
    check("a slope", &with(&plain, |i| 0.1 * i as f64), &[]);
    check("a season", &with(&plain, wave), &[]);
    check("single spikes", &with(&plain, spikes), &[]);
    check("nothing at all", &[4.0; 100], &[]);
    check("a level", &with(&plain, level(120, 3.0)), &[120]);
    check("a level and spikes", &with(&with(&plain, level(120, 4.0)), spikes), &[120]);
    check("a level under a season", &with(&with(&plain, level(120, 4.0)), wave), &[120]);
    check("there and back", &with(&plain, |i| level(60, 4.0)(i) - level(130, 4.0)(i)), &[60, 130]);
    check("a bend", &with(&plain, bend(100)), &[100]);
    check("a short series", &with(&noise(20, 4, 0.0), level(10, 6.0)), &[10]);
    let long = with(&noise(9_000, 5, 0.0), level(4_321, 3.0));
    check("a long series", &long, &[4_321]);
}

#[test]
fn gaps_are_no_changes() {
    let mut points = with(&noise(200, 1, 0.0), |i| if i >= 120 { 5.0 } else { 0.0 });
    points[40..50].fill(f64::NAN);
    points[0] = f64::NAN;
    points[199] = f64::NAN;
    check("gaps", &points, &[120]);
    assert_eq!(find(&[f64::NAN; 50]), Err(NotEnoughData { have: 0, need: POINTS_MIN }));
    let found = find(&points).unwrap();
    assert!((found.expected[10] - 0.0).abs() < 1.0 && (found.expected[150] - 5.0).abs() < 1.0);
    assert!(found.deviation.iter().all(|d| (0.5..1.5).contains(d)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Changes are in order and inside, shares are shares, and the scale does not matter.
    #[test]
    fn answers_are_sound(
        values in prop::collection::vec(prop_oneof![8 => -100.0..100.0, 1 => Just(f64::NAN), 1 => -1e300..1e300], 0..120),
    ) {
        let Ok(found) = find(&values) else { return Ok(()) };
        prop_assert!(found.changes.len() <= CHANGES_MAX);
        prop_assert!(found.changes.windows(2).all(|w| w[0].at < w[1].at));
        prop_assert!(found.changes.iter().all(|c| 0 < c.at && c.at < values.len() && (0.0..=1.0).contains(&c.share)));
        prop_assert_eq!((found.expected.len(), found.deviation.len()), (values.len(), values.len()));
        prop_assert!(found.expected.iter().chain(&found.deviation).all(|v| v.is_finite()));
        let larger: Vec<f64> = values.iter().map(|v| v * 4.0).collect();
        prop_assert_eq!(places(&larger), places(&values));
    }
}
