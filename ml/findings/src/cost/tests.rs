#![allow(clippy::unwrap_used)]
use super::*;

const ONE: i128 = 1_000_000_000_000_000_000;

fn row(service: &str, region: &str, costs: &[i128]) -> Row {
    let keys = [service, region, "team", "hours"].map(str::to_owned);
    Row { keys, costs: costs.iter().map(|c| Amount(c * ONE)).collect() }
}

/// `(kind, first day, first cause)` of each event.
fn check(rows: Vec<Row>, expected: &[(Kind, i64, &str)]) {
    let days = rows.iter().map(|r| r.costs.len()).max().unwrap();
    let cube = Cube::new(Day(20_000), days, rows);
    let found = detect(&cube);
    let shown: Vec<(Kind, i64, String)> = found
        .iter()
        .map(|e| {
            let parts: Vec<String> = e.causes[0].pattern.parts().map(|(k, v)| format!("{k}={v}")).collect();
            (e.kind, e.start.0 - 20_000, parts.join(" "))
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|(k, d, c)| (*k, *d, (*c).to_owned())).collect();
    assert_eq!(shown, expected, "{found:#?}");
    for event in found {
        // What is stated can be added up again.
        assert_eq!(event.impact().0, event.actual.0 - event.expected().0);
        assert!(!event.reference.is_empty() && event.reference.iter().all(|d| *d < event.start));
    }
}

fn steady(cost: i128, days: usize) -> Vec<i128> {
    // A little up and down, so that there is a deviation.
    (0..days).map(|d| cost + [0, 1, -1, 0, 1, 0, -1][d % 7] * cost / 100).collect()
}

fn changed(cost: i128, days: usize, at: std::ops::Range<usize>, percent: i128) -> Vec<i128> {
    let mut costs = steady(cost, days);
    costs[at].iter_mut().for_each(|c| *c = *c * percent / 100);
    costs
}

#[test]
fn a_quiet_account_is_quiet() {
    check(vec![row("vm", "us", &steady(1000, 60)), row("db", "us", &steady(300, 60))], &[]);
}

#[test]
fn spikes_drifts_news_and_moves() {
    let other = || vec![row("db", "us", &steady(300, 40)), row("db", "eu", &steady(300, 40))];
    let with = |more: Vec<Row>| other().into_iter().chain(more).collect::<Vec<_>>();
    check(with(vec![row("vm", "us", &changed(1000, 40, 30..31, 140))]), &[(Kind::Spike, 30, "service=vm")]);
    check(with(vec![row("vm", "us", &changed(1000, 40, 30..40, 110))]), &[(Kind::Drift, 30, "service=vm")]);
    let none = vec![0; 30];
    let new = [none.clone(), steady(100, 10)].concat();
    check(with(vec![row("vm", "us", &steady(1000, 40)), row("ai", "us", &new)]), &[(Kind::New, 30, "service=ai")]);
    let left = [steady(1000, 30), vec![0; 10]].concat();
    let came = [none, steady(1000, 10)].concat();
    check(with(vec![row("vm", "us", &left), row("vm", "ap", &came)]), &[(Kind::Moved, 30, "region=ap")]);
}

#[test]
fn what_lasts_is_told_once() {
    // Twice as much from day 20 on, for ever.
    let rows = vec![row("vm", "us", &changed(1000, 90, 20..90, 200)), row("db", "us", &steady(300, 90))];
    check(rows, &[(Kind::Spike, 20, "service=vm")]);
}

#[test]
fn a_day_is_judged_from_days_before_it() {
    let rows = || vec![row("vm", "us", &changed(1000, 60, 30..32, 200)), row("db", "us", &steady(300, 60))];
    let all = detect(&Cube::new(Day(0), 60, rows()));
    for days in 33..60 {
        let mut cut = rows();
        cut.iter_mut().for_each(|r| r.costs.truncate(days));
        let found = detect(&Cube::new(Day(0), days, cut));
        assert_eq!(found[0].seen, all[0].seen, "{days}");
    }
}

#[test]
fn extremes_do_not_panic() {
    let huge = i128::MAX / 2;
    for costs in [vec![], vec![huge; 12], vec![-huge; 12], vec![0; 40], [vec![0; 20], vec![huge; 3]].concat()] {
        let rows = vec![Row { keys: Default::default(), costs: costs.iter().map(|c| Amount(*c)).collect() }];
        for event in detect(&Cube::new(Day(3_000_000), costs.len(), rows)) {
            let _ = event.impact();
        }
    }
    assert_eq!(detect(&Cube::new(Day(0), 0, Vec::new())), []);
}
