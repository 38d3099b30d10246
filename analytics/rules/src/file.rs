//! What a rule file says: Prometheus' format (`model/rulefmt`), and in it `sql` where `expr` may stand.
//!
//! A file may also be a `PrometheusRule` of the Prometheus Operator, whose `spec` is such a file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use grid_promql_syntax::{Features, parse_duration};

use crate::problem::{Place, Problem, Problems, Severity};
use crate::template;
use crate::yaml::{self, Fields, Kind, Node};

/// Fields of a file, a group and a rule.
const FILE_FIELDS: [&str; 1] = ["groups"];
const GROUP_FIELDS: [&str; 6] = ["name", "interval", "query_offset", "limit", "labels", "rules"];
const RULE_FIELDS: [&str; 8] = ["record", "alert", "expr", "sql", "for", "keep_firing_for", "labels", "annotations"];

/// The name of a metric's label.
pub(crate) const METRIC: &str = "__name__";

/// A rule file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleFile {
    /// Its groups, in order.
    pub groups: Vec<GroupSpec>,
}

/// Rules that are evaluated one after the other at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// Its name, the only one in its file.
    pub name: String,
    /// Where it begins.
    pub place: Place,
    /// How often it is evaluated, in milliseconds; the evaluator's default if not said.
    pub interval: Option<i64>,
    /// How far into the past its rules look, in milliseconds.
    pub query_offset: Option<i64>,
    /// Most series of a recording rule and most alerts of an alerting rule; 0 is no limit.
    pub limit: usize,
    /// Its rules, in order, with the labels of the group among their own.
    pub rules: Vec<Arc<RuleSpec>>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSpec {
    /// What it makes.
    pub action: Action,
    /// Of what.
    pub expression: Expression,
    /// Labels that it adds; templates in an alerting rule.
    pub labels: BTreeMap<String, String>,
    /// Where it begins.
    pub place: Place,
}

/// What a rule makes of the series that its expression yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A series for each.
    Record {
        /// Name of the series.
        metric: String,
    },
    /// An alert for each.
    Alert {
        /// Name of the alerts.
        name: String,
        /// How long each must last before it fires, in milliseconds.
        hold: i64,
        /// How long each goes on firing after its end, in milliseconds.
        keep_firing: i64,
        /// Templates of texts for people.
        annotations: BTreeMap<String, String>,
    },
}

/// What a rule asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// PromQL that parses, as Prometheus prints it.
    Promql(String),
    /// SQL: a row for each series, of which the column `value` is the number and all others are labels.
    Sql(String),
}

impl Expression {
    /// PromQL that is parsed.
    pub fn promql(text: &str, features: &Features) -> Result<Self, grid_promql_syntax::ParseError> {
        Ok(Self::Promql(grid_promql_syntax::parse(text, features)?.to_string()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Promql(text) | Self::Sql(text) => text,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RuleSpec {
    /// The name of its metric or of its alerts.
    pub fn name(&self) -> &str {
        match &self.action {
            Action::Record { metric } => metric,
            Action::Alert { name, .. } => name,
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParseOptions {
    /// Parts of PromQL that are on.
    pub features: Features,
    /// Whether fields that nobody knows are passed over (promtool's `--ignore-unknown-fields`).
    pub ignore_unknown: bool,
}

impl RuleFile {
    /// Reads a file: its good rules, and all that is wrong with the others. A group without a name or with that of another is
    /// left out whole.
    pub fn parse(text: &str, options: &ParseOptions) -> (Self, Vec<Problem>) {
        let mut problems = Problems::default();
        let mut file = Self::default();
        match yaml::parse(text) {
            Ok(Some(root)) => {
                let mut reader = Reader { text, options, problems: &mut problems };
                file.groups = reader.file(&root);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
        (file, problems.finish())
    }

    /// Reads one group, as the API takes it: the group itself, or a file with this one group.
    pub fn parse_group(text: &str, options: &ParseOptions) -> (Option<GroupSpec>, Vec<Problem>) {
        let mut problems = Problems::default();
        let mut group = None;
        match yaml::parse(text) {
            Ok(Some(root)) => {
                let mut reader = Reader { text, options, problems: &mut problems };
                let is_file =
                    matches!(&root.kind, Kind::Map(pairs) if pairs.iter().any(|(k, _)| k.text() == Some("groups")));
                group = if is_file { reader.only_group(&root) } else { reader.group(&root) };
            }
            Ok(None) => problems.error(Place { line: 1, column: 1 }, "there is no group"),
            Err(problem) => problems.push(problem),
        }
        (group, problems.finish())
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.groups.iter().map(|g| g.rules.len()).sum()
    }

    /// Rules with the same name and labels as one before, which may write the same series (promtool's lint `duplicate-rules`).
    pub fn duplicates(&self) -> Vec<Problem> {
        let mut seen: BTreeMap<(&str, &BTreeMap<String, String>), Place> = BTreeMap::new();
        let mut problems = Vec::new();
        for rule in self.groups.iter().flat_map(|g| &g.rules) {
            let Some(first) = seen.get(&(rule.name(), &rule.labels)) else {
                seen.insert((rule.name(), &rule.labels), rule.place);
                continue;
            };
            let message = format!("{:?} is made with the same labels by the rule at line {}", rule.name(), first.line);
            problems.push(Problem::warning(rule.place, message).hint(
                "two rules that make the same series overwrite each other: give one another name or another label",
            ));
        }
        problems
    }
}

/// Whether any of them is more than a warning.
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity == Severity::Error)
}

struct Reader<'a, 'p> {
    text: &'a str,
    options: &'a ParseOptions,
    problems: &'p mut Problems,
}

impl Reader<'_, '_> {
    fn file(&mut self, root: &Node) -> Vec<GroupSpec> {
        let Some(mut fields) = Fields::of(root, "a rule file", self.problems) else { return Vec::new() };
        if let Some(kind) = fields.get("kind").and_then(Node::text)
            && let Some(spec) = fields.get("spec")
        {
            if kind != "PrometheusRule" {
                self.problems.error(root.place, format!("{kind} is not a kind that holds rules: PrometheusRule does"));
                return Vec::new();
            }
            let Some(spec) = Fields::of(spec, "spec", self.problems) else { return Vec::new() };
            return self.groups(spec);
        }
        self.groups(fields)
    }

    fn only_group(&mut self, root: &Node) -> Option<GroupSpec> {
        let mut groups = self.file(root);
        if groups.len() > 1 {
            self.problems.error(root.place, "more than one group: send each by itself");
        }
        groups.pop()
    }

    fn groups(&mut self, mut fields: Fields<'_>) -> Vec<GroupSpec> {
        let mut groups: Vec<GroupSpec> = Vec::new();
        for node in self.list(fields.get("groups"), "groups") {
            let Some(group) = self.group(node) else { continue };
            if groups.iter().any(|g| g.name == group.name) {
                let message = format!("groupname: \"{}\" is repeated in the same file", group.name);
                self.problems.push(Problem::error(node.place, message).hint("give one of them another name"));
            } else {
                groups.push(group);
            }
        }
        fields.done("a rule file", &FILE_FIELDS, self.options.ignore_unknown, self.problems);
        groups
    }

    fn group(&mut self, node: &Node) -> Option<GroupSpec> {
        let mut fields = Fields::of(node, "a group", self.problems)?;
        let name = self.string(fields.get("name"), "name").map(|(text, _)| text).unwrap_or_default();
        let interval = self.duration(fields.get("interval"), "interval").filter(|ms| *ms > 0);
        let query_offset = self.duration(fields.get("query_offset"), "query_offset");
        let limit = match fields.get("limit") {
            None => 0,
            Some(node) => match node.text().map(str::parse::<i64>) {
                // Less than nothing is no limit, as in Prometheus.
                Some(Ok(limit)) => usize::try_from(limit).unwrap_or(0),
                _ => {
                    self.problems.error(node.place, "limit must be a whole number");
                    0
                }
            },
        };
        let labels = self.labels(fields.get("labels"), "label");
        // The operator's own, which asks nothing of who evaluates.
        fields.get("partial_response_strategy");
        let mut rules = Vec::new();
        for node in self.list(fields.get("rules"), "rules") {
            rules.extend(self.rule(node, &labels).map(Arc::new));
        }
        fields.done("a group", &GROUP_FIELDS, self.options.ignore_unknown, self.problems);
        if name.is_empty() {
            self.problems.push(Problem::error(node.place, "Groupname must not be empty").hint("add `name: ...`"));
            return None;
        }
        Some(GroupSpec { name, place: node.place, interval, query_offset, limit, rules })
    }

    fn rule(&mut self, node: &Node, group_labels: &BTreeMap<String, String>) -> Option<RuleSpec> {
        let before = self.problems.errors();
        let mut fields = Fields::of(node, "a rule", self.problems)?;
        let record = self.string(fields.get("record"), "record");
        let alert = self.string(fields.get("alert"), "alert");
        let expression = self.expression(&mut fields);
        let hold = self.duration(fields.get("for"), "for");
        let keep_firing = self.duration(fields.get("keep_firing_for"), "keep_firing_for");
        let own_labels = self.labels(fields.get("labels"), "label");
        let annotations = self.labels(fields.get("annotations"), "annotation");
        let is_alert = alert.as_ref().is_some_and(|(name, _)| !name.is_empty());
        if is_alert {
            self.templates(fields.get("labels"), "label");
            self.templates(fields.get("annotations"), "annotation");
        }
        let recorded = record.filter(|(name, _)| !name.is_empty());
        let action = match (recorded, alert.filter(|(name, _)| !name.is_empty())) {
            (Some((_, place)), Some(_)) => {
                let problem = Problem::error(place, "only one of 'record' and 'alert' must be set");
                self.problems.push(problem.hint("make two rules of it"));
                None
            }
            (None, None) => {
                let problem = Problem::error(node.place, "one of 'record' or 'alert' must be set");
                self.problems.push(problem.hint("`record: NAME` makes series, `alert: NAME` makes alerts"));
                None
            }
            (None, Some((name, _))) => Some(Action::Alert {
                name,
                hold: hold.unwrap_or(0),
                keep_firing: keep_firing.unwrap_or(0),
                annotations,
            }),
            (Some((metric, place)), None) => {
                if metric.contains(['{', '}']) {
                    let message = format!("braces present in the recording rule name; should it be in expr?: {metric}");
                    self.problems.error(place, message);
                }
                let wrong = [
                    ("annotations", !annotations.is_empty()),
                    ("for", hold.unwrap_or(0) != 0),
                    ("keep_firing_for", keep_firing.unwrap_or(0) != 0),
                ];
                for (field, _) in wrong.into_iter().filter(|(_, set)| *set) {
                    let place = fields.get(field).map_or(node.place, |n| n.place);
                    let problem = Problem::error(place, format!("invalid field '{field}' in recording rule"));
                    self.problems.push(problem.hint("only alerts have it: leave it out"));
                }
                Some(Action::Record { metric })
            }
        };
        fields.done("a rule", &RULE_FIELDS, self.options.ignore_unknown, self.problems);
        if self.problems.errors() > before {
            return None;
        }
        let mut labels = group_labels.clone();
        labels.extend(own_labels);
        Some(RuleSpec { action: action?, expression: expression?, labels, place: node.place })
    }

    fn expression(&mut self, fields: &mut Fields<'_>) -> Option<Expression> {
        let (expr, sql) = (fields.get("expr"), fields.get("sql"));
        if let (Some(_), Some(sql)) = (expr, sql) {
            self.problems.error(sql.place, "only one of 'expr' and 'sql' must be set");
            return None;
        }
        if let Some(node) = sql {
            let (text, place) = self.string(Some(node), "sql")?;
            if text.trim().is_empty() {
                self.problems.error(place, "field 'sql' is empty");
                return None;
            }
            return Some(Expression::Sql(text));
        }
        let found = self.string(expr, "expr");
        let Some((text, place)) = found.filter(|(text, _)| !text.is_empty()) else {
            let place = expr.map_or(fields.place, |n| n.place);
            let problem = Problem::error(place, "field 'expr' must be set in rule");
            self.problems.push(problem.hint("add `expr: PROMQL`, or `sql: SELECT ...`"));
            return None;
        };
        match Expression::promql(&text, &self.options.features) {
            Ok(expression) => Some(expression),
            Err(e) => {
                let is_block = matches!(expr.map(|n| &n.kind), Some(Kind::Scalar { block: true, .. }));
                let at = self.within(place, is_block, e.line, e.column);
                self.problems.push(
                    Problem::error(at, format!("could not parse expression: {e}"))
                        .hint(format!("\n{}", e.caret(&text))),
                );
                None
            }
        }
    }

    /// Where in the file a line and column of a scalar's text are.
    fn within(&self, place: Place, is_block: bool, line: usize, column: usize) -> Place {
        let (line, column) = (line.max(1), column.max(1));
        if !is_block {
            let quoted =
                self.text.lines().nth(place.line.saturating_sub(1)).and_then(|l| l.chars().nth(place.column - 1));
            let mark = usize::from(matches!(quoted, Some('"' | '\'')));
            return if line == 1 {
                Place { line: place.line, column: place.column + mark + column - 1 }
            } else {
                place
            };
        }
        // The place of a block is that of its first letter, and its lines are indented alike.
        Place { line: place.line + line - 1, column: place.column + column - 1 }
    }

    fn templates(&mut self, node: Option<&Node>, what: &str) {
        let Some(Node { kind: Kind::Map(pairs), .. }) = node else { return };
        for (key, value) in pairs {
            let (Some(name), Some(text)) = (key.text(), value.text()) else { continue };
            if let Err(e) = template::check(text) {
                let is_block = matches!(value.kind, Kind::Scalar { block: true, .. });
                let at = self.within(value.place, is_block, e.line, 1);
                let at = if e.line <= 1 && !is_block { value.place } else { at };
                self.problems.error(at, format!("{what} {name:?}: error parsing template: {}", e.message));
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

    fn string(&mut self, node: Option<&Node>, what: &str) -> Option<(String, Place)> {
        let node = node?;
        match node.text() {
            Some(text) => Some((text.to_owned(), node.place)),
            None => {
                self.problems.error(node.place, format!("{what} is {}, it must be a text", node.what()));
                None
            }
        }
    }

    fn duration(&mut self, node: Option<&Node>, what: &str) -> Option<i64> {
        let (text, place) = self.string(node, what)?;
        match parse_duration(&text) {
            Ok(ms) => Some(ms),
            Err(e) => {
                self.problems.push(
                    Problem::error(place, format!("{what}: {e}")).hint("write a duration such as 30s, 5m or 1h30m"),
                );
                None
            }
        }
    }

    fn labels(&mut self, node: Option<&Node>, what: &str) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let Some(node) = node else { return labels };
        let Kind::Map(pairs) = &node.kind else {
            if !node.is_null() {
                self.problems.error(node.place, format!("{what}s are {}, they must be a map", node.what()));
            }
            return labels;
        };
        for (key, value) in pairs {
            let (Some(name), Some(text)) = (key.text(), value.text()) else {
                self.problems.error(key.place, format!("{what}s are texts by names"));
                continue;
            };
            if name.is_empty() || (what == "label" && name == METRIC) {
                self.problems.error(key.place, format!("invalid {what} name: {name}"));
            } else if labels.insert(name.to_owned(), text.to_owned()).is_some() {
                self.problems.error(key.place, format!("mapping key {name:?} already defined in {what}s"));
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let (file, problems) = RuleFile::parse(text, &ParseOptions::default());
        let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
        format!("{} rules; {}", file.rules(), all.join(" | "))
    }

    fn group(rules: &str) -> String {
        format!("groups:\n- name: g\n  rules:\n{rules}")
    }

    #[test]
    fn all_problems_are_told_and_the_good_rules_kept() {
        for (text, expected) in [
            ("", "0 rules; "),
            ("groups: []", "0 rules; "),
            ("groups:\n- name: a\n- name: a\n", "0 rules; 3:3: groupname: \"a\" is repeated in the same file"),
            ("groups:\n- rules: []\n", "0 rules; 2:3: Groupname must not be empty"),
            ("group: []\n", "0 rules; 1:1: field group not found in a rule file"),
            ("groups: x", "0 rules; 1:9: groups is a text or number, it must be a list"),
            (
                &group(
                    "  - record: a\n    expr: 1 +\n  - record: b\n    expr: 1\n    for: 5m\n  - record: c\n    expr: 2\n",
                ),
                "1 rules; 5:14: could not parse expression: 1:4: parse error: unexpected end of input | 8:10: invalid field 'for' in recording rule",
            ),
            (&group("  - expr: 1\n"), "0 rules; 4:5: one of 'record' or 'alert' must be set"),
            (
                &group("  - {record: a, alert: b, expr: 1}\n"),
                "0 rules; 4:14: only one of 'record' and 'alert' must be set",
            ),
            (&group("  - alert: a\n"), "0 rules; 4:5: field 'expr' must be set in rule"),
            (&group("  - alert: a\n    expr: 1\n    fo: 5m\n"), "0 rules; 6:5: field fo not found in a rule"),
            (
                &group("  - alert: a\n    expr: 1\n    for: soon\n"),
                "0 rules; 6:10: for: not a valid duration string: \"soon\"",
            ),
            (
                &group("  - alert: a\n    expr: 1\n    labels: {__name__: x}\n"),
                "0 rules; 6:14: invalid label name: __name__",
            ),
            (
                &group("  - record: a{b=\"c\"}\n    expr: 1\n"),
                "0 rules; 4:13: braces present in the recording rule name; should it be in expr?: a{b=\"c\"}",
            ),
            (
                &group("  - alert: a\n    expr: 1\n    annotations:\n      s: \"{{ $label.foo }}\"\n"),
                "0 rules; 7:10: annotation \"s\": error parsing template: undefined variable \"$label\"",
            ),
            (&group("  - alert: a\n    sql: SELECT 1 AS value\n"), "1 rules; "),
            (
                &group("  - alert: a\n    expr: |\n      sum(\n        x\n      ) by by\n"),
                "0 rules; 8:12: could not parse expression: 3:6: parse error: unexpected <by> in grouping opts, expected \"(\"",
            ),
            (
                "kind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - {record: a, expr: up}\n",
                "1 rules; ",
            ),
        ] {
            assert_eq!(problems(text), expected, "{text}");
        }
    }

    #[test]
    fn groups_give_their_labels_to_their_rules() {
        let text = "groups:\n- name: g\n  interval: 1m\n  limit: 5\n  query_offset: 30s\n  labels: {a: group, b: group}\n  rules:\n  - alert: x\n    expr: up==0\n    for: 1h30m\n    keep_firing_for: 0\n    labels: {b: rule}\n";
        let (file, problems) = RuleFile::parse(text, &ParseOptions::default());
        assert_eq!(problems, []);
        let group = &file.groups[0];
        assert_eq!((group.interval, group.limit, group.query_offset), (Some(60_000), 5, Some(30_000)));
        let rule = &group.rules[0];
        assert_eq!(rule.expression.as_str(), "up == 0");
        let labels: Vec<_> = rule.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(labels, [("a", "group"), ("b", "rule")]);
        assert!(matches!(rule.action, Action::Alert { hold: 5_400_000, keep_firing: 0, .. }));
    }

    #[test]
    fn duplicates_are_warnings() {
        let rule = "  - {record: a, expr: 1}\n";
        let (file, problems) = RuleFile::parse(&group(&rule.repeat(2)), &ParseOptions::default());
        assert_eq!((problems.len(), file.rules(), file.duplicates().len()), (0, 2, 1));
        assert!(!has_errors(&file.duplicates()));
    }
}
