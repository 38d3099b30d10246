use grid_model::time::HOUR_NS;
use proptest::prelude::*;

use super::*;

/// Hours of one thing from Monday 2025-06-02 on, by the hour of the day and whether it is a weekend.
fn hours(thing: u32, days: usize, of: impl Fn(usize, bool, usize) -> f64) -> Vec<Hour> {
    let monday = Timestamp::from_secs(1_748_822_400).expect("2025-06-02");
    (0..days * 24)
        .map(|i| Hour {
            thing,
            time: monday.saturating_add(i as i64 * HOUR_NS),
            value: of(i % 24, (i / 24) % 7 >= 5, i),
        })
        .collect()
}

fn noise(i: usize) -> f64 {
    ((i * 7919) % 1000) as f64 / 1000.0 - 0.5
}

fn one(days: usize, of: impl Fn(usize, bool, usize) -> f64) -> Profile {
    profiles(&hours(0, days, of), 0.03).swap_remove(0).expect("enough hours")
}

#[test]
fn rhythms() {
    let day = |h: usize| (9..18).contains(&h);
    let cases: [(&str, Kind, Box<dyn Fn(usize, bool, usize) -> f64>); 9] = [
        ("hardly used", Kind::Idle, Box::new(|_, _, i| 0.01 + 0.005 * noise(i))),
        ("the same", Kind::Steady, Box::new(|_, _, i| 0.5 + 0.05 * noise(i))),
        (
            "in offices",
            Kind::OfficeHours,
            Box::new(move |h, w, i| if day(h) && !w { 0.7 } else { 0.1 } + 0.05 * noise(i)),
        ),
        ("by day", Kind::Daytime, Box::new(move |h, _, i| if day(h) { 0.7 } else { 0.2 } + 0.05 * noise(i))),
        ("at night", Kind::Nights, Box::new(|h, _, i| if h < 5 { 0.9 } else { 0.1 } + 0.05 * noise(i))),
        ("on weekends", Kind::Weekends, Box::new(|_, w, i| if w { 0.9 } else { 0.2 } + 0.05 * noise(i))),
        (
            "in the evening",
            Kind::Daily,
            Box::new(|h, _, i| if (19..23).contains(&h) { 0.9 } else { 0.2 } + 0.05 * noise(i)),
        ),
        ("now and then", Kind::Bursty, Box::new(|_, _, i| if i % 13 == 0 { 0.9 } else { 0.1 } + 0.01 * noise(i))),
        ("any how", Kind::Irregular, Box::new(|_, _, i| 0.5 + 0.8 * noise(i))),
    ];
    for (what, kind, of) in cases {
        let found = one(14, of);
        assert_eq!(found.kind, kind, "{what}: {found:?}");
    }
}

#[test]
fn numbers_of_a_profile() {
    let office = one(14, |h, w, _| if (9..18).contains(&h) && !w { 0.8 } else { 0.1 });
    assert_eq!((office.hours, office.quiet_hours, office.top_slot()), (336, 168 - 45, 9));
    assert_eq!((office.usual, office.high, office.growth), (0.1, 0.8, 0.0));
    assert!(office.regularity > 0.99, "{office:?}");
    // A broken day changes nothing of what is usual.
    let broken = one(21, |h, w, i| {
        if i / 24 == 9 {
            1.0
        } else if (9..18).contains(&h) && !w {
            0.8
        } else {
            0.1
        }
    });
    assert_eq!(broken.slots[..24], office.slots[..24]);
    let growing = one(14, |_, _, i| 1.0 + 0.2 * i as f64 / 168.0 + 0.02 * noise(i));
    assert!((growing.growth - 0.2 / growing.usual).abs() < 0.02, "{growing:?}");
}

#[test]
fn too_few_hours_are_said() {
    let mut all = hours(4, 2, |_, _, _| 1.0);
    all.extend(hours(2, 5, |_, _, _| 1.0));
    let found = profiles(&all, 0.0);
    assert_eq!(found[0].as_ref().map(|p| p.thing), Ok(2));
    assert_eq!(found[1], Err((4, NotEnoughData { have: 48, need: HOURS_MIN })));
    assert_eq!(profiles(&[], 0.0), []);
}

#[test]
fn those_of_one_shape_are_one_group() {
    let shape = |thing: u32, size: f64| {
        hours(thing, 14, move |h, w, i| {
            let high = if thing < 8 { (9..18).contains(&h) && !w } else { h < 5 };
            size * (if high { 0.8 } else { 0.1 } + 0.05 * noise(i + thing as usize))
        })
    };
    let all: Vec<Hour> = (0..12).flat_map(|thing| shape(thing, 0.2 + 0.3 * f64::from(thing))).collect();
    let found: Vec<Profile> = profiles(&all, 0.0).into_iter().map(|p| p.expect("enough")).collect();
    let groups = alike(&found).expect("enough");
    assert_eq!((groups.sizes.clone(), groups.group[..8].to_vec()), (vec![8, 4], vec![0; 8]), "{groups:?}");
    assert!(groups.apart > 0.8 && groups.distance.iter().all(|d| *d < 0.1), "{groups:?}");
    assert_eq!(alike(&found).expect("enough"), groups, "the same again");
    let eight = alike(&found[..8]).expect("enough");
    assert_eq!((eight.sizes, eight.apart), (vec![8], 1.0), "no groups where all are alike");
    assert_eq!(alike(&found[..3]), Err(NotEnoughData { have: 3, need: THINGS_MIN }));
}

#[test]
fn what_drives() {
    let calls: Vec<f64> = (0..336).map(|i| 100.0 + 80.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin()).collect();
    let used: Vec<f64> = calls.iter().enumerate().map(|(i, c)| 0.5 + 0.01 * c + 0.05 * noise(i)).collect();
    let found = follow(&used, &calls).expect("enough");
    assert!(found.share > 0.95 && (found.slope - 0.01).abs() < 5e-4 && (found.base - 0.5).abs() < 0.03, "{found:?}");
    let other: Vec<f64> = (0..336).map(|i| 0.5 + noise(i)).collect();
    assert!(follow(&other, &calls).expect("enough").share < 0.1);
    // It followed once, and does no more.
    let once: Vec<f64> = used.iter().enumerate().map(|(i, v)| if i < 224 { *v } else { 2.0 + noise(i) }).collect();
    assert!(follow(&once, &calls).expect("enough").share < 0.0);
    assert!(follow(&used[..50], &calls).is_err() && follow(&vec![1.0; 336], &calls).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The order in which hours come does not matter, and nothing is ever beyond its bounds.
    #[test]
    fn any_hours(values in prop::collection::vec((0_u32..3, 0_i64..2000, -1e3_f64..1e3), 0..400), turn in 0_usize..400) {
        let mut all: Vec<Hour> = values.iter().map(|(thing, hour, value)| Hour { thing: *thing, time: Timestamp(hour * HOUR_NS), value: *value }).collect();
        let found = profiles(&all, 0.1);
        let by = turn.min(all.len());
        all.rotate_left(by);
        prop_assert_eq!(format!("{:?}", profiles(&all, 0.1)), format!("{found:?}"));
        for profile in found.into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&profile.regularity) && profile.quiet_hours <= 168);
            prop_assert!(profile.low <= profile.usual && profile.usual <= profile.high);
        }
    }
}
