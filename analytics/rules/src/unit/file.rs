//! What a unit test file says.

use std::collections::BTreeMap;

use grid_promql::Labels;
use grid_promql::samples::Samples;
use grid_promql_syntax::parse_duration;
use grid_promql_test::notation::{self, Item};

use crate::file::ParseOptions;
use crate::limits::UNIT_TEST_STEPS_MAX;
use crate::problem::{Place, Problem, Problems};
use crate::yaml::{self, Fields, Kind, Node};

const FILE_FIELDS: [&str; 5] = ["rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests"];
const TEST_FIELDS: [&str; 8] = [
    "name",
    "interval",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "start_timestamp",
];
const ALERT_FIELDS: [&str; 3] = ["eval_time", "alertname", "exp_alerts"];
const EXPECTED_ALERT_FIELDS: [&str; 2] = ["exp_labels", "exp_annotations"];
const QUERY_FIELDS: [&str; 3] = ["expr", "eval_time", "exp_samples"];
const SAMPLE_FIELDS: [&str; 3] = ["labels", "value", "histogram"];

/// How often rules are evaluated if the file does not say, in milliseconds.
const EVALUATION_INTERVAL_MS: i64 = 60_000;

/// A unit test file. Times are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitFile {
    /// Files of rules, as patterns relative to the file.
    pub rule_files: Vec<String>,
    /// How often rules are evaluated.
    pub evaluation_interval: i64,
    /// Groups in the order in which they are evaluated.
    pub group_order: Vec<String>,
    /// Whether numbers may differ in their last bit.
    pub fuzzy: bool,
    /// The tests, in order.
    pub tests: Vec<UnitTest>,
}

/// One test: series, and what the rules make of them.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTest {
    /// Its name; `unnamed#N` without one.
    pub name: String,
    /// Whether it has a name of its own.
    pub is_named: bool,
    /// When it begins, in milliseconds since 1970.
    pub start: i64,
    /// Its series.
    pub series: Vec<(Labels, TestSamples)>,
    /// `$externalLabels`.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL`.
    pub external_url: String,
    /// Alerts expected.
    pub alerts: Vec<AlertTest>,
    /// Answers expected.
    pub queries: Vec<QueryTest>,
}

/// The samples of a series by time.
#[derive(Debug, Clone)]
pub struct TestSamples(pub Samples);

impl PartialEq for TestSamples {
    fn eq(&self, other: &Self) -> bool {
        let bits = |s: &Samples| s.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        self.0.times == other.0.times
            && bits(&self.0) == bits(&other.0)
            && self.0.histogram_times == other.0.histogram_times
    }
}

/// Which alerts of a name fire at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTest {
    /// When, after the start.
    pub at: i64,
    /// Their name.
    pub name: String,
    /// Labels (without `alertname`) and annotations of each.
    pub expected: Vec<(BTreeMap<String, String>, BTreeMap<String, String>)>,
}

/// What an expression answers at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTest {
    /// The expression.
    pub query: String,
    /// When, after the start.
    pub at: i64,
    /// The samples expected, or why these cannot be read.
    pub expected: Result<Vec<ExpectedSample>, String>,
}

/// One sample expected.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedSample {
    /// Its labels.
    pub labels: Labels,
    /// Its number.
    pub value: f64,
    /// Its histogram in Prometheus' notation, empty if it is a number.
    pub histogram: String,
}

impl UnitFile {
    /// Reads a file; answers all its problems if there are any.
    pub fn parse(text: &str, options: &ParseOptions) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let root = match yaml::parse(text) {
            Ok(root) => root.unwrap_or(Node { place: Place { line: 1, column: 1 }, kind: Kind::Map(Vec::new()) }),
            Err(problem) => return Err(vec![problem]),
        };
        let file = Reader { problems: &mut problems, ignore_unknown: options.ignore_unknown }.file(&root);
        let problems = problems.finish();
        match file {
            Some(file) if problems.is_empty() => Ok(file),
            _ => Err(problems),
        }
    }
}

struct Reader<'p> {
    problems: &'p mut Problems,
    ignore_unknown: bool,
}

impl Reader<'_> {
    fn file(mut self, root: &Node) -> Option<UnitFile> {
        let mut fields = Fields::of(root, "a unit test file", self.problems)?;
        let rule_files = self.strings(fields.get("rule_files"), "rule_files");
        let interval = self.duration(fields.get("evaluation_interval"), "evaluation_interval").unwrap_or(0);
        let evaluation_interval = if interval > 0 { interval } else { EVALUATION_INTERVAL_MS };
        let group_order = self.strings(fields.get("group_eval_order"), "group_eval_order");
        if let Some(repeated) = (1..group_order.len()).find(|i| group_order[..*i].contains(&group_order[*i])) {
            let message = format!("group name repeated in evaluation order: {}", group_order[repeated]);
            self.problems.error(root.place, message);
        }
        let fuzzy = fields.get("fuzzy_compare").and_then(Node::text).is_some_and(|text| text == "true");
        let mut tests = Vec::new();
        for (i, node) in self.list(fields.get("tests"), "tests").iter().enumerate() {
            tests.extend(self.test(i, node, evaluation_interval));
        }
        fields.done("a unit test file", &FILE_FIELDS, self.ignore_unknown, self.problems);
        Some(UnitFile { rule_files, evaluation_interval, group_order, fuzzy, tests })
    }

    fn test(&mut self, number: usize, node: &Node, evaluation_interval: i64) -> Option<UnitTest> {
        let mut fields = Fields::of(node, "a test", self.problems)?;
        let name = self.string(fields.get("name"), "name").unwrap_or_default();
        let interval = self.duration(fields.get("interval"), "interval").filter(|ms| *ms > 0);
        let start = self.start(fields.get("start_timestamp"));
        let mut series: Vec<(Labels, TestSamples)> = Vec::new();
        for node in self.list(fields.get("input_series"), "input_series") {
            let Some((labels, samples)) = self.series(node, start, interval.unwrap_or(evaluation_interval)) else {
                continue;
            };
            // Of a series that is named twice the later counts, as in promtool.
            series.retain(|(l, _)| *l != labels);
            series.push((labels, samples));
        }
        let alerts: Vec<_> =
            self.list(fields.get("alert_rule_test"), "alert_rule_test").iter().filter_map(|n| self.alert(n)).collect();
        let queries: Vec<_> = self
            .list(fields.get("promql_expr_test"), "promql_expr_test")
            .iter()
            .filter_map(|n| self.query(n))
            .collect();
        let last = alerts.iter().map(|a| a.at).chain(queries.iter().map(|q| q.at)).max().unwrap_or(0);
        if last / evaluation_interval > UNIT_TEST_STEPS_MAX {
            let message = format!("the test evaluates its rules more than {UNIT_TEST_STEPS_MAX} times");
            self.problems
                .push(Problem::error(node.place, message).hint("raise evaluation_interval or lower eval_time"));
        }
        let test = UnitTest {
            is_named: !name.is_empty(),
            name: if name.is_empty() { format!("unnamed#{number}") } else { name },
            start,
            series,
            external_labels: self.texts(fields.get("external_labels"), "external_labels"),
            external_url: self.string(fields.get("external_url"), "external_url").unwrap_or_default(),
            alerts,
            queries,
        };
        fields.done("a test", &TEST_FIELDS, self.ignore_unknown, self.problems);
        Some(test)
    }

    /// Seconds since 1970 or RFC 3339, as milliseconds.
    fn start(&mut self, node: Option<&Node>) -> i64 {
        let Some(node) = node else { return 0 };
        let text = node.text().unwrap_or_default();
        if text.is_empty() {
            return 0;
        }
        let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && s.abs() < 1e12);
        match seconds.map(|s| (s * 1000.0) as i64).or_else(|| rfc3339_ms(text)) {
            Some(ms) => ms,
            None => {
                let problem = Problem::error(node.place, format!("start_timestamp: {text:?} is no time"));
                self.problems.push(problem.hint("write 2026-01-01T00:00:00Z or seconds since 1970"));
                0
            }
        }
    }

    fn series(&mut self, node: &Node, start: i64, interval: i64) -> Option<(Labels, TestSamples)> {
        let mut fields = Fields::of(node, "a series", self.problems)?;
        let metric = fields.get("series");
        let values = fields.get("values");
        let place = metric.map_or(node.place, |n| n.place);
        let labels = metric.and_then(Node::text).map(|text| notation::labels(text.trim()));
        let text = values.and_then(Node::text).unwrap_or_default();
        fields.done("a series", &["series", "values"], self.ignore_unknown, self.problems);
        let labels = match labels {
            Some(Ok(labels)) => labels,
            Some(Err(e)) => {
                self.problems.error(place, format!("series: {e}"));
                return None;
            }
            None => {
                self.problems.error(place, "a series needs `series: metric{label=\"value\"}` and `values: ...`");
                return None;
            }
        };
        let items = match notation::items(text) {
            Ok(items) => items,
            Err(e) => {
                self.problems.error(values.map_or(place, |n| n.place), format!("values: {e}"));
                return None;
            }
        };
        let mut samples = Samples::default();
        for (i, item) in items.into_iter().enumerate() {
            let time = i64::try_from(i).ok().and_then(|i| i.checked_mul(interval)).and_then(|t| t.checked_add(start));
            let Some(time) = time else { break };
            match item {
                Item::Gap => {}
                Item::Float(v) => samples.push(time, v),
                Item::Histogram(h) => samples.push_histogram(time, 0, h),
            }
        }
        Some((labels, TestSamples(samples)))
    }

    fn alert(&mut self, node: &Node) -> Option<AlertTest> {
        let mut fields = Fields::of(node, "an item of alert_rule_test", self.problems)?;
        let at = self.duration(fields.get("eval_time"), "eval_time").unwrap_or(0);
        let name = self.string(fields.get("alertname"), "alertname").unwrap_or_default();
        let mut expected = Vec::new();
        for node in self.list(fields.get("exp_alerts"), "exp_alerts") {
            let Some(mut fields) = Fields::of(node, "an item of exp_alerts", self.problems) else { continue };
            let labels = self.texts(fields.get("exp_labels"), "exp_labels");
            let annotations = self.texts(fields.get("exp_annotations"), "exp_annotations");
            fields.done("an item of exp_alerts", &EXPECTED_ALERT_FIELDS, self.ignore_unknown, self.problems);
            expected.push((labels, annotations));
        }
        fields.done("an item of alert_rule_test", &ALERT_FIELDS, self.ignore_unknown, self.problems);
        if name.is_empty() {
            self.problems.error(node.place, "an item under alert_rule_test misses required attribute alertname");
            return None;
        }
        Some(AlertTest { at, name, expected })
    }

    fn query(&mut self, node: &Node) -> Option<QueryTest> {
        let mut fields = Fields::of(node, "an item of promql_expr_test", self.problems)?;
        let query = self.string(fields.get("expr"), "expr").unwrap_or_default();
        let at = self.duration(fields.get("eval_time"), "eval_time").unwrap_or(0);
        let mut expected = Ok(Vec::new());
        for node in self.list(fields.get("exp_samples"), "exp_samples") {
            let Some(mut fields) = Fields::of(node, "an item of exp_samples", self.problems) else { continue };
            let labels = self.string(fields.get("labels"), "labels").unwrap_or_default();
            let histogram = self.string(fields.get("histogram"), "histogram").unwrap_or_default();
            let value = self.number(fields.get("value"));
            fields.done("an item of exp_samples", &SAMPLE_FIELDS, self.ignore_unknown, self.problems);
            match (sample(&labels, value, &histogram), &mut expected) {
                (Ok(sample), Ok(all)) => all.push(sample),
                (Err(e), Ok(_)) => expected = Err(format!("labels {labels:?}: {e}")),
                _ => {}
            }
        }
        fields.done("an item of promql_expr_test", &QUERY_FIELDS, self.ignore_unknown, self.problems);
        Some(QueryTest { query, at, expected })
    }

    fn number(&mut self, node: Option<&Node>) -> f64 {
        let Some(node) = node else { return 0.0 };
        // YAML's own words for what is no number have a dot before them.
        let text = node
            .text()
            .unwrap_or_default()
            .replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".nan", "nan")
            .replace(".NaN", "nan");
        match notation::float(&text.replace('_', "")) {
            Ok(value) => value,
            Err(e) => {
                self.problems.error(node.place, format!("value: {e}"));
                0.0
            }
        }
    }

    fn list<'n>(&mut self, node: Option<&'n Node>, what: &str) -> &'n [Node] {
        let Some(node) = node else { return &[] };
        node.list().unwrap_or_else(|| {
            self.problems.error(node.place, format!("{what} is {}, it must be a list", node.what()));
            &[]
        })
    }

    fn strings(&mut self, node: Option<&Node>, what: &str) -> Vec<String> {
        let items = self.list(node, what);
        items.iter().filter_map(|node| self.string(Some(node), what)).collect()
    }

    fn string(&mut self, node: Option<&Node>, what: &str) -> Option<String> {
        let node = node?;
        let text = node.text();
        if text.is_none() {
            self.problems.error(node.place, format!("{what} is {}, it must be a text", node.what()));
        }
        text.map(str::to_owned)
    }

    fn duration(&mut self, node: Option<&Node>, what: &str) -> Option<i64> {
        let text = self.string(node, what)?;
        match parse_duration(&text) {
            Ok(ms) => Some(ms),
            Err(e) => {
                let place = node.map(|n| n.place).unwrap_or_default();
                self.problems.error(place, format!("{what}: {e}"));
                None
            }
        }
    }

    fn texts(&mut self, node: Option<&Node>, what: &str) -> BTreeMap<String, String> {
        let Some(node) = node.filter(|n| !n.is_null()) else { return BTreeMap::new() };
        let Kind::Map(pairs) = &node.kind else {
            self.problems.error(node.place, format!("{what} is {}, it must be a map", node.what()));
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for (key, value) in pairs {
            match (key.text(), value.text()) {
                (Some(name), Some(text)) => _ = texts.insert(name.to_owned(), text.to_owned()),
                _ => self.problems.error(key.place, format!("{what} are texts by names")),
            }
        }
        texts
    }
}

fn sample(labels: &str, value: f64, histogram: &str) -> Result<ExpectedSample, String> {
    // No labels at all are written as an empty text.
    let labels = if labels.trim().is_empty() { Labels::default() } else { notation::labels(labels)? };
    if histogram.is_empty() {
        return Ok(ExpectedSample { labels, value, histogram: String::new() });
    }
    match notation::items(histogram)?.as_slice() {
        [Item::Histogram(h)] => Ok(ExpectedSample { labels, value, histogram: h.test_expression() }),
        [_] => Err("expected histogram, got a number".to_owned()),
        all => Err(format!("expected 1 value, got {}", all.len())),
    }
}

/// `2026-01-01T00:00:00Z`, with a fraction and an offset if need be.
fn rfc3339_ms(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let mut part = || parts.next()?.parse::<u32>().ok();
    let (year, month, day) = (part()?, part()?, part()?);
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let second = parts.next()?.parse::<f64>().ok()?;
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let (h, m) = zone[1..].split_once(':')?;
            let minutes = h.parse::<i64>().ok()? * 60 + m.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || !(0.0..61.0).contains(&second)
    {
        return None;
    }
    let days = grid_model::time::days_from_civil(i64::from(year), month, day);
    let minutes = days * 1440 + hour * 60 + minute - offset;
    Some(minutes * 60_000 + (second * 1000.0) as i64)
}
