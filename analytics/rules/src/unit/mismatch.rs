//! What differs from what was expected, for people: both in full as promtool prints them, then only what is missing and what is too much.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use grid_promql::Labels;
use grid_promql_syntax::quote;

use super::file::UnitTest;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The test's name.
    pub test: String,
    /// What is not as expected: lines, indented.
    pub text: String,
}

impl Failure {
    pub(super) fn new(test: &UnitTest, text: String) -> Self {
        let text = if test.is_named { format!("    name: {},\n{text}", test.name) } else { text };
        Self { test: test.name.clone(), text }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Labels and annotations of an alert.
pub(super) type GotAlert = (BTreeMap<String, String>, BTreeMap<String, String>);

/// A sample as it is compared.
#[derive(Debug, Clone)]
pub(super) struct GotSample {
    labels: Labels,
    value: f64,
    histogram: String,
}

impl GotSample {
    pub(super) fn new(labels: Labels, value: f64, histogram: String) -> Self {
        Self { labels, value, histogram }
    }

    fn is(&self, other: &Self, fuzzy: bool) -> bool {
        let same = self.value == other.value
            || (fuzzy && (self.value.next_up() == other.value || self.value.next_down() == other.value));
        self.labels == other.labels && same && self.histogram == other.histogram
    }
}

impl fmt::Display for GotSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.labels)?;
        match self.histogram.is_empty() {
            true => f.write_str(&grid_promql::number::format(self.value)),
            false => f.write_str(&self.histogram),
        }
    }
}

/// In what samples differ; `None` if they do not.
pub(super) fn samples_differ(mut expected: Vec<GotSample>, mut got: Vec<GotSample>, fuzzy: bool) -> Option<String> {
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    let same = expected.len() == got.len() && expected.iter().zip(&got).all(|(e, g)| e.is(g, fuzzy));
    if same {
        return None;
    }
    let line = |all: &[GotSample]| match all {
        [] => "nil".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("        exp: {}\n        got: {}", line(&expected), line(&got));
    difference(&mut text, &expected, &got, |e, g| e.is(g, fuzzy), ToString::to_string);
    // As in promtool, where it surprises: no number is equal to NaN.
    if expected.iter().any(|s| s.value.is_nan()) {
        text.push_str("\n        hint: NaN is equal to nothing, itself included; test `expr != expr` instead");
    }
    Some(text)
}

/// In what alerts differ; `None` if they do not.
pub(super) fn alerts_differ(mut expected: Vec<GotAlert>, mut got: Vec<GotAlert>) -> Option<String> {
    expected.sort();
    got.sort();
    if expected == got {
        return None;
    }
    let mut text = format!("        exp:{},\n        got:{}", block(&expected), block(&got));
    let say = |(labels, annotations): &GotAlert| format!("{} {}", braces(labels), braces(annotations));
    difference(&mut text, &expected, &got, |e, g| e == g, say);
    Some(text)
}

fn difference<T>(
    text: &mut String,
    expected: &[T],
    got: &[T],
    same: impl Fn(&T, &T) -> bool,
    say: impl Fn(&T) -> String,
) {
    // Writing to a string cannot fail.
    for missing in expected.iter().filter(|e| !got.iter().any(|g| same(e, g))) {
        let _ = write!(text, "\n        - {}", say(missing));
    }
    for extra in got.iter().filter(|g| !expected.iter().any(|e| same(e, g))) {
        let _ = write!(text, "\n        + {}", say(extra));
    }
}

fn block(alerts: &[GotAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let mut out = String::from("[");
    for (i, (labels, annotations)) in alerts.iter().enumerate() {
        let comma = if i + 1 < alerts.len() { "," } else { "" };
        let _ = write!(
            out,
            "\n            {i}:\n              Labels:{}\n              Annotations:{}{comma}",
            braces(labels),
            braces(annotations)
        );
    }
    out.push_str("\n            ]");
    out
}

fn braces(labels: &BTreeMap<String, String>) -> String {
    let all: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={}", quote(v))).collect();
    format!("{{{}}}", all.join(", "))
}
