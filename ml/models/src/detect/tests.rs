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
        // A level this strange is told again while it is being learnt.
        assert!(found.len() <= 3, "{found:?}");
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
        assert!(kind.found <= kind.put, "{kind:?}");
    }
    assert!(inject::inject(Tier::Cheap, &points[..20]).iter().all(|kind| kind.put == 0));
}

#[test]
fn memory_is_bounded() {
    let cheap = Detector::new(Tier::Cheap);
    assert!(cheap.bytes() <= 4096 && cheap.checkpoint().len() <= 4096, "{}", cheap.bytes());
    assert!(Detector::new(Tier::Thorough).bytes() <= 512 << 10);
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let mut detector = Detector::new(Tier::Thorough);
    days(700, |_| 0.0).into_iter().enumerate().for_each(|(n, v)| {
        detector.push(Timestamp(n as i64 * MINUTE_NS), v);
    });
    let good = detector.checkpoint();
    assert_eq!(Detector::restore(&good).as_ref().map(Detector::checkpoint), Ok(good.clone()));
    assert_eq!(Detector::restore(&[]), Err(Bad::Damaged));
    for at in [0, 5, 100, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(Detector::restore(&bad), Err(Bad::Damaged), "byte {at}");
        assert_eq!(Detector::restore(&good[..at]), Err(Bad::Damaged), "cut at {at}");
    }
    // Right in form, by another version.
    let signed = |content: &[u8]| [content, &xxhash_rust::xxh3::xxh3_64(content).to_le_bytes()].concat();
    let content = &good[..good.len() - 8];
    let other = [&content[..4], &99_u32.to_le_bytes(), &content[8..]].concat();
    assert_eq!(Detector::restore(&signed(&other)), Err(Bad::Version { found: 99 }));
    // Right in form, but with what cannot be: too short, too long, numbers out of their range.
    assert_eq!(Detector::restore(&signed(&content[..content.len() - 3])), Err(Bad::Impossible));
    assert_eq!(Detector::restore(&signed(&[content, &[0]].concat())), Err(Bad::Impossible));
    let wild = [&content[..17], &[7], &content[18..]].concat();
    assert_eq!(Detector::restore(&signed(&wild)), Err(Bad::Impossible));
}

proptest! {
    /// Whatever comes in, scores are numbers, and one restored half way from a checkpoint says the same from there on.
    #[test]
    fn verdicts_are_sound(
        values in prop::collection::vec(prop_oneof![8 => -100.0..100.0, 1 => Just(f64::NAN), 1 => -1e300..1e300], 0..200),
        cut in 0_usize..200,
        thorough: bool,
    ) {
        let mut whole = Detector::new(if thorough { Tier::Thorough } else { Tier::Cheap });
        let mut copy = None;
        for (n, value) in values.iter().enumerate() {
            if n == cut {
                let restored = Detector::restore(&whole.checkpoint());
                prop_assert_eq!(restored.as_ref().map(Detector::checkpoint), Ok(whole.checkpoint()));
                copy = restored.ok();
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

proptest! {
    /// No bytes panic, signed or not, and what is read back from them is written as it was.
    #[test]
    fn any_bytes_are_a_detector_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..5000), seed: u64) {
        prop_assert!(Detector::restore(&bytes).is_err());
        let mut content = Detector::new(Tier::Cheap).checkpoint();
        content.truncate(content.len() - 8);
        let mut rng = crate::rng::Rng::new(seed);
        for _ in 0..3 {
            let at = rng.below(content.len() as u64) as usize;
            content[at] = rng.next() as u8;
        }
        let signed = [content.as_slice(), &xxhash_rust::xxh3::xxh3_64(&content).to_le_bytes()].concat();
        if let Ok(mut detector) = Detector::restore(&signed) {
            prop_assert_eq!(detector.checkpoint(), signed);
            detector.push(Timestamp(0), 1.0);
        }
    }
}
