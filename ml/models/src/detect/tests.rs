#![allow(clippy::unwrap_used)]
use grid_model::time::MINUTE_NS;
use proptest::prelude::*;

use super::*;

/// Values every five minutes through a detector; where events start.
fn events(tier: Tier, values: impl IntoIterator<Item = f64>) -> Vec<usize> {
    let mut detector = Detector::new(tier);
    let judged = values.into_iter().enumerate().map(|(n, v)| detector.push(Timestamp(n as i64 * 5 * MINUTE_NS), v));
    judged.enumerate().filter(|(_, verdict)| verdict.anomaly).map(|(n, _)| n).collect()
}

/// Days with a wave, a little noise, and what is added at some points.
fn days(n: usize, added: impl Fn(usize) -> f64) -> Vec<f64> {
    let noise = |n: usize| ((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1 << 24) as f64 - 0.5;
    let wave = |n: usize| (std::f64::consts::TAU * n as f64 / 288.0).sin();
    (0..n).map(|n| 50.0 + 20.0 * wave(n) + 2.0 * noise(n) + added(n)).collect()
}

#[test]
fn what_is_usual_is_no_event() {
    for tier in [Tier::Cheap, Tier::Thorough] {
        assert_eq!(events(tier, days(288 * 10, |_| 0.0)), [0; 0]);
        assert_eq!(events(tier, std::iter::repeat_n(3.0, 1000)), [0; 0]);
        assert_eq!(events(tier, []), [0; 0]);
    }
}

#[test]
fn what_is_unusual_is_told_once_where_it_starts() {
    let spike = |at: usize| move |n: usize| if n == at { 60.0 } else { 0.0 };
    let level = |at: usize| move |n: usize| if n >= at { 80.0 } else { 0.0 };
    for tier in [Tier::Cheap, Tier::Thorough] {
        assert_eq!(events(tier, days(288 * 8, spike(2000))), [2000]);
        let found = events(tier, days(288 * 8, level(2000)));
        assert_eq!(found.first(), Some(&2000));
        assert!(found.len() <= 2, "{found:?}");
    }
    // A day without its wave is no single point that is strange.
    let flat = days(288 * 8, |n| if (1700..1760).contains(&n) { 20.0 } else { 0.0 });
    assert!(!events(Tier::Thorough, flat).is_empty());
}

#[test]
fn faults_that_are_put_in_are_found() {
    let points: Vec<(Timestamp, f64)> =
        days(288 * 6, |_| 0.0).into_iter().enumerate().map(|(n, v)| (Timestamp(n as i64 * 5 * MINUTE_NS), v)).collect();
    for kind in inject::inject(Tier::Thorough, &points) {
        assert_eq!(kind.put, 49, "{kind:?}");
        assert!(kind.found >= 40, "{kind:?}");
    }
    assert!(inject::inject(Tier::Cheap, &points[..20]).iter().all(|kind| kind.put == 0));
}

#[test]
fn memory_is_bounded() {
    assert!(size_of::<Detector>() + 48 * 16 + 17 * 8 <= 4096, "{}", size_of::<Detector>());
}

proptest! {
    /// Whatever comes in, scores are numbers, and a copy made half way says the same from there on.
    #[test]
    fn verdicts_are_sound(
        values in prop::collection::vec(prop_oneof![8 => -100.0..100.0, 1 => Just(f64::NAN), 1 => -1e300..1e300], 0..200),
        cut in 0_usize..200,
    ) {
        let mut whole = Detector::new(Tier::Thorough);
        let mut copy = None;
        for (n, value) in values.iter().enumerate() {
            if n == cut {
                copy = Some(whole.clone());
            }
            let time = Timestamp(n as i64 * MINUTE_NS);
            let verdict = whole.push(time, *value);
            prop_assert!(verdict.score.is_finite() && verdict.score >= 0.0, "{:?}", verdict);
            if let Some(copy) = &mut copy {
                let again = copy.push(time, *value);
                prop_assert_eq!((verdict.score.to_bits(), verdict.anomaly), (again.score.to_bits(), again.anomaly));
            }
        }
    }
}
