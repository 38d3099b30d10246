//! Runs the tests of a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_model::Timestamp;
use grid_promql_syntax::{Features, format_duration};

use super::file::{AlertTest, QueryTest, UnitFile, UnitTest};
use super::mismatch::{Failure, GotAlert, GotSample, alerts_differ, samples_differ};
use super::world::World;
use crate::alert::AlertState;
use crate::file::{Action, GroupSpec};
use crate::group::{Group, GroupOptions};
use crate::host::{Host as _, SampleValue};
use crate::rule::{ALERT_NAME, Health};
use crate::template::{External, value::duration_text};

/// How tests are run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Parts of PromQL that are on.
    pub features: Features,
}

/// Runs those tests of a file whose names pass; `groups` are those of all its rule files, in their order. Answers what is not as
/// expected.
pub fn run(
    file: &UnitFile,
    groups: &[Arc<GroupSpec>],
    options: &RunOptions,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<Failure> {
    let mut groups = groups.to_vec();
    // Those that are not listed come with the first, as in promtool.
    groups.sort_by_key(|g| file.group_order.iter().position(|name| *name == g.name).unwrap_or(0));
    let chosen = file.tests.iter().filter(|test| wanted(if test.is_named { &test.name } else { "" }));
    chosen.flat_map(|test| run_test(test, file, &groups, options)).collect()
}

/// Runs one test.
fn run_test(test: &UnitTest, file: &UnitFile, groups: &[Arc<GroupSpec>], options: &RunOptions) -> Vec<Failure> {
    let every = file.evaluation_interval;
    let last = test.alerts.iter().map(|a| a.at).chain(test.queries.iter().map(|q| q.at)).max().unwrap_or(0);
    let mut world = World::new(&test.series, options.features, every);
    let external = External { labels: test.external_labels.clone(), url: test.external_url.clone() };
    let group_options =
        GroupOptions { interval_ns: every.saturating_mul(1_000_000), external, ..GroupOptions::default() };
    let mut groups: Vec<Group> = groups.iter().map(|spec| Group::new(Arc::clone(spec), true)).collect();
    let mut waiting: Vec<&AlertTest> = test.alerts.iter().collect();
    waiting.sort_by_key(|alert| alert.at);
    let mut waiting = waiting.into_iter().peekable();
    let mut failures = Vec::new();
    let mut elapsed = 0_i64;
    while elapsed <= last {
        let now = test.start.saturating_add(elapsed);
        let Some(at) = Timestamp::from_millis(now) else { break };
        world.go_to(now);
        for group in &mut groups {
            group.evaluate(at, &group_options, &mut world);
        }
        let failed = groups.iter().flat_map(|g| &g.rules).filter(|rule| rule.health == Health::Bad);
        let errors: Vec<Failure> = failed
            .map(|rule| {
                let error = rule.last_error.as_deref().unwrap_or_default();
                let time = duration_text(now.saturating_mul(1_000_000));
                Failure::new(test, format!("    rule: {}, time: {time}, err: {error}", rule.spec.name()))
            })
            .collect();
        if !errors.is_empty() {
            failures.extend(errors);
            return failures;
        }
        // An alert is compared at the last evaluation that is not after its time.
        while let Some(expected) = waiting.next_if(|alert| alert.at < elapsed.saturating_add(every)) {
            failures.extend(check_alert(test, expected, &groups, file.fuzzy));
        }
        let Some(next) = elapsed.checked_add(every) else { break };
        elapsed = next;
    }
    for query in &test.queries {
        failures.extend(check_query(test, query, &mut world, file.fuzzy));
    }
    failures
}

fn check_alert(test: &UnitTest, expected: &AlertTest, groups: &[Group], _fuzzy: bool) -> Option<Failure> {
    let rules = groups
        .iter()
        .flat_map(|g| &g.rules)
        .filter(|rule| matches!(rule.spec.action, Action::Alert { .. }) && rule.spec.name() == expected.name);
    let firing = rules.flat_map(|rule| rule.active()).filter(|alert| alert.state == AlertState::Firing);
    let got: Vec<GotAlert> = firing
        .map(|alert| {
            let labels = alert.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            (labels, alert.annotations.clone())
        })
        .collect();
    let wanted: Vec<GotAlert> = expected
        .expected
        .iter()
        .map(|(labels, annotations)| {
            let mut labels: BTreeMap<_, _> = labels.clone();
            labels.insert(ALERT_NAME.to_owned(), expected.name.clone());
            (labels, annotations.clone())
        })
        .collect();
    let difference = alerts_differ(wanted, got)?;
    let time = format_duration(expected.at);
    Some(Failure::new(test, format!("    alertname: {}, time: {time},\n{difference}", expected.name)))
}

fn check_query(test: &UnitTest, query: &QueryTest, world: &mut World, fuzzy: bool) -> Option<Failure> {
    let time = format_duration(query.at);
    let said = format!("    expr: {:?}, time: {time}", query.query);
    let got = match world.promql(&query.query, test.start.saturating_add(query.at)) {
        Ok(got) => got,
        Err(e) => return Some(Failure::new(test, format!("{said}, err: {e}"))),
    };
    let expected = match &query.expected {
        Ok(expected) => {
            expected.iter().map(|s| GotSample::new(s.labels.clone(), s.value, s.histogram.clone())).collect()
        }
        Err(e) => return Some(Failure::new(test, format!("{said}, err: {e}"))),
    };
    let got = got
        .into_iter()
        .map(|sample| {
            let histogram = match &sample.value {
                SampleValue::Float(_) => String::new(),
                SampleValue::Histogram(h) => h.test_expression(),
            };
            GotSample::new(sample.labels, sample.value.number(), histogram)
        })
        .collect();
    samples_differ(expected, got, fuzzy).map(|difference| Failure::new(test, format!("{said},\n{difference}")))
}

#[cfg(test)]
mod tests;
