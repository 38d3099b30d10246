//! What gates say, and that none passes what it cannot evaluate.
#![allow(clippy::unwrap_used)]

use chrono::{NaiveTime, Weekday};
use grid_model::time::{DAY_NS, HOUR_NS, days_from_civil};
use grid_model::{Amount, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::approval::{Rule, Vote, approval};
use super::freeze::{Freeze, Window, freeze};
use super::health::{Bound, Expected, Smoke, health, smoke};
use super::performance::{Bounds, performance};
use super::security::{Borne, security};
use super::*;
use crate::environment::tests::blueprint;
use crate::plan::tests::Setting;
use crate::plan_id::PlanId;
use crate::queue::Priority;
use crate::seed::Seed;

fn check(verdict: Verdict, expected: &str) {
    let shown = verdict.to_string();
    assert!(shown.starts_with(expected), "{shown} is not {expected}");
}

#[test]
fn health_and_smoke() {
    let series = |all: &[f64]| Answer::Here(all.iter().enumerate().map(|(n, v)| (format!("s{n}"), *v)).collect());
    let most = Bound::AtMost(1.0);
    check(health(&series(&[0.5, 1.0]), most), "pass: 2 series");
    check(health(&series(&[0.5, 1.1]), most), "fail: s1 is 1.1, and must be at most 1");
    check(health(&series(&[0.5]), Bound::AtLeast(1.0)), "fail: s0");
    check(health(&series(&[f64::NAN, 2.0]), most), "fail: s1");
    check(health(&series(&[f64::NAN]), most), "hold: s0 is NaN");
    check(health(&series(&[f64::INFINITY]), Bound::AtLeast(1.0)), "hold: s0 is inf");
    check(health(&series(&[]), most), "hold: the query found nothing");
    check(health(&series(&[0.0]), Bound::AtMost(f64::NAN)), "hold: the bound");
    check(health(&Answer::Missing("timeout".to_owned()), most), "hold: the query has no answer: timeout");
    let answer = |status, took_ms, body: &str| Answer::Here(Smoke { status, took_ms, body: body.to_owned() });
    let expected = Expected { body: Some("ok".to_owned()), within_ms: Some(100.0), ..Expected::default() };
    check(smoke(&[], &expected), "hold: it has not been tried");
    check(smoke(&[answer(500, 1.0, "ok"), answer(204, 1.0, "ok")], &expected), "pass: status 204");
    check(smoke(&[answer(500, 1.0, "ok")], &expected), "fail: status 500");
    check(smoke(&[answer(200, 1.0, "no")], &expected), "fail: the body");
    check(smoke(&[answer(200, 101.0, "ok")], &expected), "fail: it took 101 ms");
    check(smoke(&[answer(200, f64::NAN, "ok")], &expected), "hold: how long");
    check(
        smoke(&[answer(500, 1.0, "ok"), Answer::Missing("refused".to_owned())], &expected),
        "hold: no answer: refused",
    );
}

#[test]
fn performance_is_a_question_of_evidence() {
    let mut seed = Seed(7);
    let mut sample = |n: usize, median: f64| -> Answer<Vec<f64>> {
        Answer::Here((0..n).map(|_| median * (0.3 * seed.normal()).exp()).collect())
    };
    let bounds = Bounds::default();
    let (before, same, worse, better) = (sample(400, 100.0), sample(400, 100.0), sample(400, 150.0), sample(400, 70.0));
    check(performance(&before, &same, &bounds), "pass: median");
    check(performance(&before, &worse, &bounds), "fail: worse");
    check(performance(&before, &better, &bounds), "pass: median");
    let throughput = Bounds { more_is_worse: false, ..bounds };
    check(performance(&before, &better, &throughput), "fail: worse");
    check(performance(&before, &worse, &throughput), "pass: median");
    let (few, near) = (sample(20, 150.0), sample(60, 108.0));
    check(performance(&before, &few, &bounds), "hold: inconclusive: 20 samples are fewer than 30");
    check(performance(&before, &near, &bounds), "hold: inconclusive: median");
    check(performance(&Answer::Missing("new service".to_owned()), &same, &bounds), "hold: there is no baseline");
    check(performance(&before, &Answer::Here(vec![f64::NAN; 50]), &bounds), "hold: inconclusive: some measurements");
    let zeros = Answer::Here(vec![0.0; 50]);
    check(performance(&zeros, &zeros, &bounds), "pass: median 0 after 0, all samples are equal");
    check(performance(&zeros, &zeros, &Bounds { alpha: f64::NAN, ..bounds }), "hold: the bounds");
}

#[test]
fn security_reports() {
    let none = Borne { critical: 0, high: 0, medium: Some(1) };
    let check = |report: serde_json::Value, expected: &str| {
        check(security(&Answer::Here(report.to_string()), &none), expected);
    };
    let run = |results: serde_json::Value| {
        let rules = json!([{"id": "r9", "properties": {"security-severity": "9.8"}},
                           {"id": "e", "defaultConfiguration": {"level": "error"}}]);
        json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "rules": rules}}, "results": results}]})
    };
    check(run(json!([])), "pass: 0 critical, 0 high, 0 medium, 0 low");
    check(run(json!([{"level": "note"}, {}])), "pass: 0 critical, 0 high, 1 medium, 1 low");
    check(run(json!([{}, {}])), "fail: 0 critical, 0 high, 2 medium");
    check(run(json!([{"ruleId": "r9", "level": "note"}])), "fail: 1 critical");
    check(run(json!([{"ruleIndex": 1}])), "fail: 0 critical, 1 high");
    check(run(json!([{"level": "error", "suppressions": [{"kind": "inSource"}]}])), "pass: 0 critical, 0 high");
    check(run(json!([{"level": "error", "suppressions": [{"kind": "external", "status": "rejected"}]}])), "fail");
    check(run(json!([{"level": "error", "kind": "pass"}])), "pass: 0 critical, 0 high");
    check(run(json!([{"level": "dreadful"}])), "hold: the report cannot be read: a result has an unheard-of level");
    check(run(json!([{"properties": {"security-severity": "NaN"}}])), "hold: the report cannot be read: a security");
    check(run(json!([7])), "hold: the report cannot be read: a result is no object");
    check(run(json!(null)), "hold: the report cannot be read: a run has no list of results");
    check(json!({"version": "2.1.0", "runs": []}), "hold: the report cannot be read: it has no runs");
    check(json!({"version": "1.0.0", "runs": [{"results": []}]}), "hold: the report cannot be read: version");
    let mut failed = run(json!([]));
    failed["runs"][0]["invocations"] = json!([{"executionSuccessful": false}]);
    check(failed, "hold: the report cannot be read: a run says");
}

#[test]
fn freezes_follow_the_clock_of_people() {
    let at = |month, day, hour| Timestamp(days_from_civil(2026, month, day) * DAY_NS + hour * HOUR_NS);
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let weekly = |days: &[Weekday], from, until, zone: &str| Freeze {
        why: "weekend".to_owned(),
        window: Window::Weekly { days: days.to_vec(), from: time(from), until: time(until), zone: zone.to_owned() },
        holds_emergencies: false,
    };
    let says = |f: &Freeze, now| freeze(std::slice::from_ref(f), Priority::Normal, now).is_pass();
    // 2 January 2026 is a Friday. Berlin is an hour ahead in winter and two in summer.
    let friday = weekly(&[Weekday::Fri], 16, 8, "Europe/Berlin");
    for (now, passes) in [(at(1, 2, 14), true), (at(1, 2, 15), false), (at(1, 3, 6), false), (at(1, 3, 7), true)] {
        assert_eq!(says(&friday, now), passes, "{now}");
    }
    // 3 July 2026 is a Friday.
    assert!(says(&friday, at(7, 3, 13)) && !says(&friday, at(7, 3, 14)));
    check(
        freeze(&[weekly(&[], 1, 2, "Mars/Olympus")], Priority::Low, at(1, 1, 1)),
        "hold: the freeze \"weekend\" cannot",
    );
    let once = |from, until, holds_emergencies| Freeze {
        why: "sale".to_owned(),
        window: Window::Once { from, until },
        holds_emergencies,
    };
    let (early, late) = (at(1, 1, 0), at(1, 2, 0));
    check(freeze(&[once(early, late, false)], Priority::High, early), "hold: frozen: sale");
    check(freeze(&[once(early, late, false)], Priority::High, late), "pass");
    check(freeze(&[once(early, late, false)], Priority::Emergency, early), "pass");
    check(freeze(&[once(early, late, true)], Priority::Emergency, early), "hold: frozen: sale");
    check(freeze(&[once(late, early, true)], Priority::Emergency, early), "hold: the freeze \"sale\" cannot");
}

#[test]
fn two_people_are_two_people() {
    let [mine, other] = [1, 2].map(|n| PlanId::of_digest([n; 32]));
    let vote = |who: &str, plan, is_yes, at| Vote {
        who: who.to_owned(),
        plan,
        is_yes,
        at: Timestamp(at),
        note: "note".to_owned(),
    };
    let rule = Rule { people: 2, requester_counts: false, voters: Default::default(), holds_ns: 100 };
    let check = |votes: &[Vote], expected: &str| check(approval(votes, &rule, mine, "ada", Timestamp(50)), expected);
    check(&[], "hold: approved by 0 of 2");
    check(&[vote("bob", mine, true, 1), vote("eve", mine, true, 2)], "pass: approved by bob, eve");
    check(&[vote("bob", mine, true, 1), vote(" BOB", mine, true, 2)], "hold: approved by 1 of 2");
    check(&[vote("bob", mine, true, 1), vote("Ada", mine, true, 2)], "hold: approved by 1 of 2");
    check(&[vote("bob", mine, true, 1), vote("eve", other, true, 2)], "hold: approved by 1 of 2");
    check(&[vote("bob", mine, true, 1), vote("eve", mine, true, 51)], "hold: approved by 1 of 2");
    check(&[vote("bob", mine, true, 1), vote("eve", mine, false, 2)], "fail: eve is against it: note");
    check(&[vote("bob", mine, true, 1), vote("eve", mine, false, 2), vote("eve", mine, true, 3)], "pass");
    let old = approval(&[vote("bob", mine, true, -60)], &Rule { people: 0, ..rule }, mine, "ada", Timestamp(50));
    super::tests::check(old, "hold: approved by 0 of 1");
}

#[test]
fn budgets_and_webhooks() {
    let amount = |n: i128| Some(Amount(n * 10_i128.pow(18)));
    let plan = |resources| {
        let mut setting = Setting::new("prod");
        setting.blueprint = blueprint("1", resources);
        setting.plan().unwrap()
    };
    check(budget(&plan(json!({"vm.a": {"cpu": 2}})), None), "pass");
    check(budget(&plan(json!({"vm.a": {"cpu": 2}})), amount(20)), "pass: at most 20 EUR");
    check(budget(&plan(json!({"vm.a": {"cpu": 2}})), amount(19)), "fail: at least 20 EUR");
    check(budget(&plan(json!({"vm.a": {"unpriced": 1}})), amount(19)), "hold: the cost of 1 resources is unknown");
    let hook = |status, body: &str| webhook(&Answer::Here((status, body.to_owned())));
    check(hook(200, r#"{"verdict": "pass", "reason": "fine"}"#), "pass: fine");
    check(hook(200, r#"{"verdict": "fail"}"#), "fail: it gives no reason");
    check(hook(500, r#"{"verdict": "pass"}"#), "hold: the answer has status 500");
    for body in ["", "pass", "{}", r#"{"verdict": true}"#, r#"{"verdict": "PASS"}"#, "[]", "null"] {
        check(hook(200, body), "hold");
    }
    check(webhook(&Answer::Missing("refused".to_owned())), "hold: no answer: refused");
    let (pass, hold, fail) =
        (Verdict::Pass("a".to_owned()), Verdict::Hold("b".to_owned()), Verdict::Fail("c".to_owned()));
    check(together([("x", Some(&pass)), ("y", Some(&hold)), ("z", Some(&fail))]), "fail: z: c");
    check(together([("x", Some(&pass)), ("y", Some(&hold)), ("z", None)]), "hold: y: b");
    check(together([("x", None)]), "hold: x: it has not been asked");
    check(together([("x", Some(&pass))]), "pass");
}

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// The bar: whatever is missing, malformed or no number, no gate passes.
    #[test]
    fn what_cannot_be_evaluated_never_passes(
        good in proptest::collection::vec(0.0..100.0_f64, 0..60),
        bad in odd(),
        at in any::<proptest::sample::Index>(),
        text in "\\PC{0,40}",
        status in any::<u16>(),
    ) {
        let mut spoilt = good.clone();
        spoilt.insert(at.index(good.len() + 1), bad);
        let series = Answer::Here(spoilt.iter().map(|v| ("s".to_owned(), *v)).collect());
        for bound in [Bound::AtMost(1e9), Bound::AtLeast(-1e9), Bound::AtMost(bad), Bound::AtLeast(bad)] {
            prop_assert!(!health(&series, bound).is_pass());
            prop_assert!(!health(&Answer::Missing(text.clone()), bound).is_pass());
        }
        for (a, b) in [(&good, &spoilt), (&spoilt, &good), (&spoilt, &spoilt)] {
            let (a, b) = (Answer::Here(a.clone()), Answer::Here(b.clone()));
            prop_assert!(!performance(&a, &b, &Bounds::default()).is_pass());
            prop_assert!(!performance(&Answer::Missing(text.clone()), &b, &Bounds::default()).is_pass());
        }
        for bounds in [Bounds { worse_max: bad, ..Bounds::default() }, Bounds { alpha: bad, ..Bounds::default() }] {
            prop_assert!(!performance(&Answer::Here(good.clone()), &Answer::Here(good.clone()), &bounds).is_pass());
        }
        let few: Vec<f64> = good.iter().take(29).copied().collect();
        prop_assert!(!performance(&Answer::Here(few.clone()), &Answer::Here(few), &Bounds::default()).is_pass());
        let borne = Borne { critical: usize::MAX, high: usize::MAX, medium: None };
        prop_assert!(!security(&Answer::Here(text.clone()), &borne).is_pass());
        prop_assert!(!security(&Answer::Missing(text.clone()), &borne).is_pass());
        prop_assert!(!webhook(&Answer::Here((status, text.clone()))).is_pass());
        prop_assert!(!webhook(&Answer::Missing(text.clone())).is_pass());
        let smokes = [Answer::Missing(text.clone()), Answer::Here(Smoke { status: 200, took_ms: bad, body: text })];
        let slow = Expected { within_ms: Some(1e9), ..Expected::default() };
        prop_assert!(!smoke(&smokes, &slow).is_pass());
    }
}
