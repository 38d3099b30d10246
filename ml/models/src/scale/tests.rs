#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

const STEP: i64 = 5 * MINUTE_NS;
const DAY: usize = 288;

fn days(n: usize, load: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut rng = Rng::new(7);
    (0..n * DAY).map(|i| load(i, rng.unit())).collect()
}

fn scores(load: &[f64]) -> (Score, Score) {
    (Score::of(load, &limits(load, STEP)), Score::of(load, &reactive(load, STEP)))
}

#[test]
fn what_can_be_foreseen_is_served_better() {
    // Every day at nine the load is five times what it was.
    let (ours, reactive) = scores(&days(20, |i, noise| {
        let working = (108..200).contains(&(i % DAY));
        if working { 100.0 + 10.0 * noise } else { 20.0 + 2.0 * noise }
    }));
    assert!(ours.cost <= reactive.cost + 0.02 && ours.unserved < reactive.unserved / 2.0, "{ours:?} {reactive:?}");
}

#[test]
fn what_cannot_be_foreseen_is_served_no_worse() {
    for (name, load) in [
        ("noise", days(20, |_, noise| 100.0 * noise)),
        ("bursts", days(20, |_, noise| if noise > 0.97 { 500.0 } else { 50.0 })),
        ("level", days(20, |_, _| 80.0)),
    ] {
        let (ours, reactive) = scores(&load);
        let price = 8.0;
        let of = |s: Score| s.cost + price * s.unserved;
        assert!(of(ours) <= of(reactive) + 0.02, "{name}: {ours:?} {reactive:?}");
    }
}

#[test]
fn nothing_is_no_load() {
    assert!(limits(&[], STEP).is_empty());
    assert_eq!(limits(&[0.0; 50], STEP), [0.0; 50]);
    assert_eq!(Score::of(&[0.0], &[0.0]), Score { cost: 0.0, unserved: 0.0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Limits are numbers, not negative, and nothing that is not known yet changes them.
    #[test]
    fn decisions_know_the_past_only(
        load in prop::collection::vec(prop_oneof![9 => 0.0..1e3, 1 => Just(f64::NAN), 1 => -1e300..1e300], 1..400),
        cut in 0_usize..400,
    ) {
        let whole = limits(&load, 10 * MINUTE_NS);
        prop_assert_eq!(whole.len(), load.len());
        prop_assert!(whole.iter().all(|l| l.is_finite() && *l >= 0.0));
        let cut = cut.min(load.len() - 1);
        let mut other = load.clone();
        other[cut..].fill(77.0);
        if cut > 0 {
            prop_assert_eq!(&limits(&other, 10 * MINUTE_NS)[..=cut], &whole[..=cut]);
        }
    }
}
