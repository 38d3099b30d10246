//! Schedules, decisions and simulations.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use chrono::DateTime;
use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS};
use grid_model::{Amount, Timestamp};
use proptest::prelude::*;

use super::simulate::{Capacity, History, simulate};
use super::*;
use crate::environment::tests::{address, path};

fn time(text: &str) -> Timestamp {
    Timestamp(DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap())
}

#[test]
fn schedules_follow_the_clock_of_their_zone() {
    let check = |text: &str, zone: &str, after: &str, expected: &[&str]| {
        let cron = Cron::parse(text, zone).unwrap();
        let mut at = time(after);
        for expected in expected {
            at = cron.next(at).unwrap();
            assert_eq!(at, time(expected), "{text} after {after}: {at}");
            assert_eq!(cron.previous(at), Some(at));
        }
    };
    check(
        "30 8 * * mon-fri",
        "Europe/Berlin",
        "2026-01-02T07:30:00Z",
        &["2026-01-05T07:30:00Z", "2026-01-06T07:30:00Z"],
    );
    check("30 8 * * 1-5", "Europe/Berlin", "2026-07-03T06:29:59Z", &["2026-07-03T06:30:00Z", "2026-07-06T06:30:00Z"]);
    // On 29 March 2026 the clocks of Berlin go from 2 to 3; on 25 October from 3 to 2.
    check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check("0 0 13 * fri", "UTC", "2026-02-10T00:00:00Z", &["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]);
    check("*/20 9-10 1 jan,jul *", "UTC", "2026-01-01T09:30:00Z", &["2026-01-01T09:40:00Z", "2026-01-01T10:00:00Z"]);
    check("0 12 * * 7", "UTC", "2026-01-01T00:00:00Z", &["2026-01-04T12:00:00Z"]);
    assert_eq!(Cron::parse("0 0 31 2 *", "UTC").unwrap().next(Timestamp(0)), None);
    for bad in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1,, * * * *",
    ] {
        assert!(Cron::parse(bad, "UTC").is_err(), "{bad}");
    }
    assert!(matches!(Cron::parse("* * * * *", "Mars/Olympus"), Err(cron::BadCron::Zone(_))));
}

fn policy(triggers: Vec<Trigger>) -> Policy {
    Policy { triggers, hysteresis: 0.0, settle_ns: 0, ..Policy::reactive("p", "load", 10.0, 2, 20) }
}

fn by_metric() -> Trigger {
    Trigger::Metric { name: "load".to_owned(), per_unit: 10.0 }
}

fn load(value: Option<f64>) -> Signals {
    Signals { metrics: vec![("load".to_owned(), value)], ..Signals::default() }
}

#[test]
fn the_largest_wish_wins_within_bounds() {
    let check = |policy: &Policy, signals: &Signals, from: u32, expected: u32, why: &str| {
        let decision = decide(policy, signals, from, &mut Memory::default(), time("2026-01-05T08:00:00Z"));
        assert_eq!(decision.to, expected, "{decision:?}");
        assert!(decision.reasons.join("; ").contains(why), "{decision:?}");
    };
    let metric = policy(vec![by_metric()]);
    check(&metric, &load(Some(55.0)), 5, 6, "load is 55");
    check(&metric, &load(Some(60.0)), 5, 6, "load is 60");
    check(&metric, &load(Some(1e9)), 5, 10, "largest step");
    check(&metric, &load(Some(0.0)), 5, 2, "bounds 2 to 20");
    check(&metric, &load(Some(70.0)), 30, 7, "load is 70");
    for odd in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.0)] {
        check(&metric, &load(odd), 5, 5, "cannot be evaluated");
    }
    check(&Policy { hysteresis: 0.2, ..metric.clone() }, &load(Some(55.0)), 5, 5, "too small a difference");
    let cron = Cron::parse("30 8 * * mon-fri", "Europe/Berlin").unwrap();
    let schedule = Trigger::Schedule { cron, lasts_ns: 2 * HOUR_NS, capacity: 9 };
    check(&policy(vec![schedule.clone(), by_metric()]), &load(Some(20.0)), 8, 9, "schedule `30 8 * * mon-fri`");
    check(&policy(vec![schedule, by_metric()]), &load(Some(120.0)), 8, 12, "load is 120");
    let event = Trigger::Event { name: "sale".to_owned(), lasts_ns: HOUR_NS, capacity: 9 };
    let happened = |at: &str| Signals { events: vec![("sale".to_owned(), time(at))], ..load(Some(30.0)) };
    check(&policy(vec![event.clone(), by_metric()]), &happened("2026-01-05T07:30:00Z"), 8, 9, "event sale");
    check(&policy(vec![event.clone(), by_metric()]), &happened("2026-01-05T06:30:00Z"), 8, 3, "load is 30");
    check(&policy(vec![event]), &happened("2026-01-05T06:30:00Z"), 8, 2, "no event sale");
    let ahead = Trigger::Predictive { name: "load".to_owned(), per_unit: 10.0, ahead_ns: 10 * MINUTE_NS };
    let forecast = |value| Signals {
        forecasts: vec![(
            "load".to_owned(),
            vec![(time("2026-01-05T08:05:00Z"), value), (time("2026-01-05T08:20:00Z"), 500.0)],
        )],
        ..load(Some(30.0))
    };
    check(&policy(vec![ahead.clone(), by_metric()]), &forecast(90.0), 8, 9, "forecast load is 90");
    check(&policy(vec![ahead, by_metric()]), &forecast(f64::NAN), 8, 8, "cannot be evaluated");
}

#[test]
fn it_does_not_flutter() {
    let at = |minutes: i64| Timestamp(minutes * MINUTE_NS);
    let calm = Policy {
        settle_ns: 5 * MINUTE_NS,
        cooldown_up_ns: 3 * MINUTE_NS,
        cooldown_down_ns: 10 * MINUTE_NS,
        ..policy(vec![by_metric()])
    };
    let (mut memory, mut count, mut seen) = (Memory::default(), 5, Vec::new());
    for minute in 0..30 {
        let value = if minute % 2 == 0 { 80.0 } else { 30.0 };
        count = decide(&calm, &load(Some(value)), count, &mut memory, at(minute)).to;
        seen.push(count);
    }
    assert!(seen.iter().all(|n| *n == 8), "{seen:?}");
    let mut decide_at = |value, minute| {
        count = decide(&calm, &load(Some(value)), count, &mut memory, at(minute)).to;
        count
    };
    assert_eq!([decide_at(30.0, 31), decide_at(30.0, 33), decide_at(30.0, 40)], [8, 8, 3]);
    assert_eq!([decide_at(100.0, 41), decide_at(10.0, 42), decide_at(10.0, 49), decide_at(10.0, 51)], [7, 7, 7, 2]);
    let dry = Policy { is_dry_run: true, ..calm };
    let decision = decide(&dry, &load(Some(90.0)), 5, &mut Memory::default(), at(0));
    assert_eq!(decision.as_override(&dry, &address("vm.a"), &path("count"), at(0)), None);
    let real = Policy { is_dry_run: false, ..dry };
    let decision = decide(&real, &load(Some(90.0)), 5, &mut Memory::default(), at(0));
    let change = decision.as_override(&real, &address("vm.a"), &path("count"), at(0)).unwrap();
    assert_eq!((change.to, change.by.writer), (Some(9.into()), Writer::Scaling("p".to_owned())));
}

/// A fortnight of days with a steep morning, in steps of five minutes.
fn days() -> History {
    let steps = (14 * DAY_NS / (5 * MINUTE_NS)) as usize;
    let at = |n: usize| {
        let hour = (n % 288) as f64 / 12.0;
        let steep = 1.0 / (1.0 + (-(hour - 9.0) * 6.0).exp()) - 1.0 / (1.0 + (-(hour - 18.0) * 6.0).exp());
        20.0 + 180.0 * steep + 3.0 * ((n * 7919 % 13) as f64 - 6.0) / 6.0
    };
    let demand: Vec<f64> = (0..steps).map(at).collect();
    // The forecast is the day before, which is all that a simple forecaster knows.
    let forecast = (0..steps).map(|n| n.checked_sub(288).map_or(demand[0], |b| demand[b])).collect();
    History { start: Timestamp(0), step_ns: 5 * MINUTE_NS, demand, forecast: Some(forecast), events: Vec::new() }
}

#[test]
fn a_forecast_serves_more_than_a_reaction() {
    let history = days();
    let capacity = Capacity { serves: 10.0, starts_ns: 10 * MINUTE_NS, hourly: Amount(10_i128.pow(17)), initial: 3 };
    let reactive = Policy::reactive("hpa", "load", 7.0, 1, 100);
    let ahead = Trigger::Predictive { name: "load".to_owned(), per_unit: 8.5, ahead_ns: 20 * MINUTE_NS };
    let foreseeing = Policy {
        triggers: vec![ahead, Trigger::Metric { name: "load".to_owned(), per_unit: 8.5 }],
        ..reactive.clone()
    };
    let (hpa, own) =
        (simulate(&reactive, "load", &history, &capacity), simulate(&foreseeing, "load", &history, &capacity));
    assert!(
        own.unserved < hpa.unserved && own.cost < hpa.cost,
        "{:?} {:?}",
        (own.cost, own.unserved),
        (hpa.cost, hpa.unserved)
    );
    // One unit all the time costs exactly its hours.
    let fixed = Policy { min: 3, max: 3, ..reactive };
    let fixed = simulate(&fixed, "load", &history, &capacity);
    assert_eq!((fixed.cost, fixed.changes), (Some(Amount(3 * 24 * 14 * 10_i128.pow(17))), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever the numbers, it stays in its bounds, takes no larger step than it may, and takes nothing away for want of knowledge.
    #[test]
    fn bounds_hold(
        values in proptest::collection::vec(prop_oneof![3 => (0.0..500.0_f64).prop_map(Some), 1 => Just(None), 1 => Just(Some(f64::NAN))], 1..50),
        from in 0..40_u32,
        (min, more) in (0..10_u32, 0..30_u32),
        step in 1..5_u32,
    ) {
        let steps = StepMax { units: step, share: 0.0 };
        let policy = Policy { min, max: min + more, up: steps, down: steps, ..policy(vec![by_metric()]) };
        let (mut memory, mut count, mut seen) = (Memory::default(), from, BTreeSet::new());
        for (n, value) in values.into_iter().enumerate() {
            let to = decide(&policy, &load(value), count, &mut memory, Timestamp(n as i64 * MINUTE_NS)).to;
            prop_assert!((min..=min + more).contains(&to));
            let was_outside = !(min..=min + more).contains(&count);
            prop_assert!(was_outside || to.abs_diff(count) <= step);
            prop_assert!(was_outside || value.is_some_and(f64::is_finite) || to >= count);
            count = to;
            seen.insert(to);
        }
        prop_assert!(!seen.is_empty());
    }
}
