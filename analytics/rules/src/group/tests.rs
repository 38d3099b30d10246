#![allow(clippy::unwrap_used)]
use super::*;
use crate::alert::AlertState;
use crate::file::{ParseOptions, RuleFile};
use crate::unit::file::TestSamples;
use crate::unit::world::World;
use grid_model::time::SECOND_NS;
use grid_promql_syntax::Features;
use grid_promql_test::notation::{self, Item};

const STEP_S: i64 = 60;

fn at(step: i64) -> Timestamp {
    Timestamp(step * STEP_S * SECOND_NS)
}

/// A world with series, a value per minute each.
fn world(series: &[(&str, &str)]) -> World {
    let given: Vec<_> = series
        .iter()
        .map(|(metric, values)| {
            let mut samples = grid_promql::samples::Samples::default();
            for (i, item) in notation::items(values).unwrap().into_iter().enumerate() {
                if let Item::Float(v) = item {
                    samples.push(1000 * STEP_S * i as i64, v);
                }
            }
            (notation::labels(metric).unwrap(), TestSamples(samples))
        })
        .collect();
    World::new(&given, Features::default(), 60_000)
}

fn group(rules: &str) -> Group {
    let text = format!("groups:\n- name: g\n{rules}");
    let (file, problems) = RuleFile::parse(&text, &ParseOptions::default());
    assert_eq!(problems, [], "{text}");
    Group::new(Arc::new(file.groups[0].clone()), true)
}

/// Evaluates a group at steps and answers what it wrote last, and what it told.
fn evaluate(group: &mut Group, world: &mut World, steps: std::ops::RangeInclusive<i64>) -> Evaluated {
    let mut last = Evaluated::default();
    for step in steps {
        world.go_to(1000 * STEP_S * step);
        last = group.evaluate(at(step), &GroupOptions::default(), world);
    }
    last
}

fn asked(world: &mut World, query: &str, step: i64) -> Vec<String> {
    let found = world.promql(query, 1000 * STEP_S * step).unwrap();
    found.iter().map(|s| format!("{} {}", s.labels, s.value.number())).collect()
}

#[test]
fn later_rules_see_what_earlier_ones_made() {
    let mut world = world(&[("a", "1 2 3")]);
    let mut group = group("  rules:\n  - {record: b, expr: a * 10}\n  - {record: c, expr: b + 1, labels: {x: y}}\n");
    evaluate(&mut group, &mut world, 0..=2);
    assert_eq!(asked(&mut world, "c", 2), [r#"{__name__="c", x="y"} 31"#]);
    assert_eq!(asked(&mut world, "count_over_time(c[10m])", 2), [r#"{x="y"} 3"#]);
}

#[test]
fn series_that_vanish_are_stale_at_once() {
    let mut world = world(&[("a{i=\"1\"}", "1 1 0 0"), ("a{i=\"2\"}", "1 1 1 1")]);
    let mut group = group("  rules:\n  - {record: b, expr: a > 0}\n");
    evaluate(&mut group, &mut world, 0..=1);
    assert_eq!(asked(&mut world, "count(b)", 1), ["{} 2"]);
    let last = evaluate(&mut group, &mut world, 2..=2);
    assert_eq!((last.written, asked(&mut world, "count(b)", 2)), (2, vec!["{} 1".to_owned()]));
    // And if its rule goes: the next evaluation ends what it wrote, unless another rule writes that now.
    let mut other = super::tests::group("  rules:\n  - {record: c, expr: a}\n");
    other.adopt(group);
    evaluate(&mut other, &mut world, 3..=3);
    assert_eq!((asked(&mut world, "b", 3).len(), asked(&mut world, "c", 3).len()), (0, 2));
    assert_eq!(other.end(0).len(), 2);
}

#[test]
fn a_rule_that_fails_says_why_and_keeps_its_series() {
    let mut world = world(&[("a{x=\"1\"}", "1 1"), ("a{x=\"2\"}", "_ 1")]);
    let mut group = group("  rules:\n  - {record: b, expr: 'a', labels: {x: same}}\n  - {record: c, expr: '1'}\n");
    evaluate(&mut group, &mut world, 0..=0);
    let last = evaluate(&mut group, &mut world, 1..=1);
    assert_eq!(last.failed, 1);
    assert_eq!(
        group.rules[0].last_error.as_deref(),
        Some("vector contains metrics with the same labelset after applying rule labels")
    );
    assert_eq!((group.rules[0].health, group.rules[1].health), (Health::Bad, Health::Good));
    assert_eq!(asked(&mut world, "b", 1).len(), 1, "the last good value stands");
}

#[test]
fn limits_hold() {
    let mut world = world(&[("a{x=\"1\"}", "1"), ("a{x=\"2\"}", "1")]);
    let mut group = group("  limit: 1\n  rules:\n  - {record: b, expr: a}\n  - {alert: A, expr: a}\n");
    let last = evaluate(&mut group, &mut world, 0..=0);
    let errors: Vec<_> = group.rules.iter().filter_map(|r| r.last_error.as_deref()).collect();
    assert_eq!(errors, ["exceeded limit of 1 with 2 series", "exceeded limit of 1 with 2 alerts"]);
    assert_eq!((last.written, group.rules[1].active().count()), (0, 0));
}

#[test]
fn alerts_have_series_and_are_told() {
    let mut world = world(&[("up{job=\"x\"}", "0 0 0 1 1")]);
    let mut group = group(
        "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 1m\n    labels: {severity: page}\n    annotations: {text: '{{ $labels.job }} is {{ $value }}'}\n",
    );
    assert_eq!(evaluate(&mut group, &mut world, 0..=0).notices, []);
    assert_eq!(
        asked(&mut world, "ALERTS", 0),
        [r#"{__name__="ALERTS", alertname="Down", alertstate="pending", job="x", severity="page"} 1"#]
    );
    let told = evaluate(&mut group, &mut world, 1..=1).notices;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].resolved, told[0].starts_at, told[0].annotations["text"].as_str()), (false, at(1), "x is 0"));
    assert_eq!(told[0].ends_at, at(1 + 4));
    assert_eq!(asked(&mut world, "ALERTS_FOR_STATE", 1).len(), 1);
    assert_eq!(asked(&mut world, "ALERTS{alertstate=\"pending\"}", 1).len(), 0);
    assert_eq!(evaluate(&mut group, &mut world, 2..=2).notices.len(), 0, "told a minute ago");
    let told = evaluate(&mut group, &mut world, 3..=3).notices;
    assert_eq!((told.len(), told[0].resolved, told[0].ends_at), (1, true, at(3)));
    assert_eq!((asked(&mut world, "ALERTS", 3).len(), group.rules[0].state()), (0, Some(AlertState::Inactive)));
}

/// After a pause of `down` minutes an alert that was there for `before` minutes goes on as if it had come up this many minutes before the
/// restoration.
fn restored(before: i64, down: i64, ended: bool) -> i64 {
    let there = format!("0x{before}");
    let values = if ended { format!("{there} 1 1") } else { there };
    let rules = "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 30m\n";
    let mut world = world(&[("up", &format!("{values} {} 0x1000", "_ ".repeat(usize::try_from(down).unwrap())))]);
    let steps = before + if ended { 2 } else { 0 };
    evaluate(&mut group(rules), &mut world, 0..=steps);
    let mut fresh = group(rules);
    fresh.rules.iter_mut().for_each(|rule| rule.restored = false);
    let (first, second) = (steps + down + 1, steps + down + 2);
    evaluate(&mut fresh, &mut world, first..=second);
    assert!(fresh.needs_restoring());
    assert_eq!(fresh.restore(at(second), &GroupOptions::default(), &mut world), Vec::<String>::new());
    assert!(!fresh.needs_restoring());
    (at(second).0 - fresh.rules[0].active().next().unwrap().active_at.0) / (STEP_S * SECOND_NS)
}

#[test]
fn states_are_restored_as_in_prometheus() {
    for (before, down, ended, since) in [
        // Pending for 10 of 30 minutes: time down does not count.
        (10, 20, false, 10),
        // 25 of 30: at least the grace period of 10 minutes is waited.
        (25, 20, false, 20),
        // It fired: it does so again.
        (40, 20, false, 40 + 22),
        // The pause was longer than is tolerated.
        (10, 70, false, 1),
        // It had ended before.
        (10, 20, true, 1),
    ] {
        assert_eq!(restored(before, down, ended), since, "{before} {down} {ended}");
    }
}

#[test]
fn a_changed_group_keeps_its_states() {
    let mut world = world(&[("up", "0x10")]);
    let mut old = group("  rules:\n  - {alert: A, expr: up == 0, for: 2m}\n");
    evaluate(&mut old, &mut world, 0..=1);
    let mut new = group("  rules:\n  - {record: x, expr: '1'}\n  - {alert: A, expr: up < 1, for: 2m}\n");
    new.adopt(old);
    evaluate(&mut new, &mut world, 2..=2);
    assert_eq!(new.rules[1].state(), Some(AlertState::Firing));
}
