//! From text to [`Rules`]. All mistakes are collected; each names its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use grid_model::Timestamp;
use grid_model::table::charges::{Column, Kind};
use grid_model::time::{DAY_NS, days_from_civil};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{
    Action, By, Dimension, Field, Metric, MetricQuery, Otherwise, Owner, Pattern, Piece, Rule, RuleMistake, Rules,
    Share, ShareOf, Split, Subject, Template, WindowSize,
};
use crate::limits::{FIELDS_MAX, MISTAKES_MAX, RULES_BYTES_MAX, RULES_MAX, TARGETS_MAX};

type Entry<'a, 'i> = (&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>);
type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Rules, Vec<RuleMistake>> {
    if text.len() > RULES_BYTES_MAX {
        let what = format!("the file has {} bytes, it may have {RULES_BYTES_MAX}", text.len());
        return Err(vec![RuleMistake::at("", 0..0, what, None)]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { source: text, mistakes: Vec::new(), fields: Vec::new(), dimensions: Vec::new() };
    for error in errors {
        reader.mistake(error.span().unwrap_or(0..0), error.message().to_owned(), None);
    }
    let rules = reader.file(document.get_ref());
    if reader.mistakes.is_empty() {
        return Ok(rules);
    }
    reader.mistakes.sort_by_key(|m| (m.line, m.column));
    reader.mistakes.truncate(MISTAKES_MAX);
    Err(reader.mistakes)
}

struct Reader<'a> {
    source: &'a str,
    mistakes: Vec<RuleMistake>,
    fields: Vec<Field>,
    dimensions: Vec<Dimension>,
}

impl Reader<'_> {
    fn mistake(&mut self, span: Range<usize>, what: impl Into<String>, hint: Option<String>) {
        self.mistakes.push(RuleMistake::at(self.source, span, what.into(), hint));
    }

    fn unknown(&mut self, key: &Spanned<DeString<'_>>, place: &str, known: &[&str]) {
        let hint = match closest(key.get_ref(), known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("{place} may have {}", known.join(", ")),
        };
        self.mistake(key.span(), format!("{place} has no `{}`", key.get_ref()), Some(hint));
    }

    fn file(&mut self, root: &DeTable<'_>) -> Rules {
        const KEYS: [&str; 6] = ["window", "dimension", "owners", "rule", "share", "metric"];
        let mut window = WindowSize::Hour;
        let (mut owners, mut metrics) = (BTreeMap::new(), BTreeMap::new());
        // Dimensions first: rules speak of them.
        if let Some(list) = find(root, "dimension") {
            for (table, span) in self.tables(list, "[[dimension]]") {
                self.dimension(table, span);
            }
        }
        if let Some(value) = find(root, "owners") {
            for (name, value) in self.table(value, "[owners.NAME]") {
                if let Some(owner) = self.owner(name, value) {
                    owners.insert(name.get_ref().to_string(), owner);
                }
            }
        }
        if let Some(value) = find(root, "metric") {
            for (name, value) in self.table(value, "[metric.NAME]") {
                if let Some(metric) = self.metric(name, value) {
                    metrics.insert(name.get_ref().to_string(), metric);
                }
            }
        }
        let (mut rules, mut shares): (Vec<Rule>, Vec<Share>) = (Vec::new(), Vec::new());
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        if let Some(list) = find(root, "rule") {
            for (table, span) in self.tables(list, "[[rule]]") {
                let Some(rule) = self.rule(table, span.clone(), &metrics) else { continue };
                if !names.insert(Arc::clone(&rule.name)) {
                    let hint = Some("rows of allocations carry it: each needs its own".to_owned());
                    self.mistake(span, format!("two rules are called {:?}", rule.name), hint);
                }
                rules.push(rule);
            }
        }
        if let Some(list) = find(root, "share") {
            for (table, span) in self.tables(list, "[[share]]") {
                let Some(share) = self.share(table, span.clone(), &metrics) else { continue };
                if shares.iter().any(|s| s.of == share.of) {
                    self.mistake(span, "this is shared twice", None);
                }
                shares.push(share);
            }
        }
        for (key, value) in root.iter() {
            match key.get_ref().as_ref() {
                "window" => match value.get_ref().as_str() {
                    Some("hour") => window = WindowSize::Hour,
                    Some("day") => window = WindowSize::Day,
                    _ => self.mistake(value.span(), "`window` is \"hour\" or \"day\"", None),
                },
                known if KEYS.contains(&known) => {}
                _ => self.unknown(key, "the file", &KEYS),
            }
        }
        if rules.len() > RULES_MAX {
            self.mistake(0..0, format!("the file has {} rules, it may have {RULES_MAX}", rules.len()), None);
        }
        if self.fields.len() > FIELDS_MAX {
            let what = format!("rules look at {} columns and tags, they may look at {FIELDS_MAX}", self.fields.len());
            self.mistake(0..0, what, None);
        }
        // Stable: rules of one priority keep the order of the file.
        rules.sort_by_key(|r: &Rule| std::cmp::Reverse(r.priority));
        Rules {
            window,
            fields: std::mem::take(&mut self.fields),
            dimensions: std::mem::take(&mut self.dimensions),
            owners,
            rules,
            shares,
            metrics,
            source: self.source.to_owned(),
        }
    }

    fn dimension(&mut self, table: &DeTable<'_>, span: Range<usize>) {
        const KEYS: [&str; 4] = ["name", "from", "values", "default"];
        let (mut from, mut values, mut default) = (Vec::new(), Vec::new(), None);
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "name" => {}
                "from" => {
                    for (text, span) in self.texts(value) {
                        from.extend(self.subject(&text, span));
                    }
                }
                "values" => {
                    for (meaning, spellings) in self.table(value, "`values`") {
                        let meaning: Arc<str> = meaning.get_ref().as_ref().into();
                        values.extend(self.patterns(spellings).into_iter().map(|p| (p, Arc::clone(&meaning))));
                    }
                }
                "default" => default = self.text(value).map(Arc::from),
                _ => self.unknown(key, "[[dimension]]", &KEYS),
            }
        }
        let Some(name) = self.required_text(table, "name", &span, "[[dimension]]") else { return };
        if from.is_empty() && default.is_none() && find(table, "from").is_none() {
            self.mistake(
                span.clone(),
                format!("the dimension {name:?} has no `from`"),
                Some("from = [\"tag.team\"]".into()),
            );
        }
        if self.dimensions.iter().any(|d| *d.name == *name) {
            self.mistake(span, format!("two dimensions are called {name:?}"), None);
            return;
        }
        self.dimensions.push(Dimension { name: name.into(), from, values, default });
    }

    fn owner(&mut self, name: &Spanned<DeString<'_>>, value: &Value<'_>) -> Option<Owner> {
        let mut owner = Owner::default();
        let DeValue::Table(table) = value.get_ref() else {
            self.mistake(value.span(), format!("[owners.{}] is a table", name.get_ref()), None);
            return None;
        };
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "aliases" => owner.aliases = self.patterns(value),
                // Whatever else is said of an owner is a dimension of its rows.
                dimension => {
                    if let Some(text) = self.text(value) {
                        owner.dimensions.insert(dimension.to_owned(), text);
                    }
                }
            }
        }
        Some(owner)
    }

    fn metric(&mut self, name: &Spanned<DeString<'_>>, value: &Value<'_>) -> Option<Metric> {
        const KEYS: [&str; 6] = ["promql", "sql", "kubernetes", "owner", "resource", "dimensions"];
        let DeValue::Table(table) = value.get_ref() else {
            self.mistake(value.span(), format!("[metric.{}] is a table", name.get_ref()), None);
            return None;
        };
        let mut queries = Vec::new();
        let (mut owner, mut resource, mut dimensions) = (None, None, Vec::new());
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "promql" => queries.extend(self.text(value).map(MetricQuery::Promql)),
                "sql" => queries.extend(self.text(value).map(MetricQuery::Sql)),
                "kubernetes" => match value.get_ref().as_bool() {
                    Some(true) => queries.push(MetricQuery::Kubernetes),
                    _ => self.mistake(value.span(), "`kubernetes` is true or absent", None),
                },
                "owner" => owner = self.text(value),
                "resource" => resource = self.text(value),
                "dimensions" => dimensions = self.texts(value).into_iter().map(|(text, _)| text).collect(),
                _ => self.unknown(key, &format!("[metric.{}]", name.get_ref()), &KEYS),
            }
        }
        let mut queries = queries.into_iter();
        let (Some(query), None) = (queries.next(), queries.next()) else {
            let what = format!("the metric {:?} needs one of promql, sql and kubernetes", name.get_ref());
            self.mistake(name.span(), what, Some("promql = 'sum by (team) (increase(requests_total[1h]))'".into()));
            return None;
        };
        if query == MetricQuery::Kubernetes {
            resource = Some("node".to_owned());
            owner = owner.or_else(|| Some("namespace".to_owned()));
        }
        let Some(owner) = owner else {
            let hint = Some("owner = \"team\" names the label that holds the owner".to_owned());
            self.mistake(name.span(), format!("the metric {:?} has no `owner`", name.get_ref()), hint);
            return None;
        };
        Some(Metric { query, owner, resource, dimensions })
    }

    fn rule(&mut self, table: &DeTable<'_>, span: Range<usize>, metrics: &BTreeMap<String, Metric>) -> Option<Rule> {
        const KEYS: [&str; 10] =
            ["name", "priority", "from", "until", "match", "not", "assign", "split", "idle", "unallocated"];
        let name = self.required_text(table, "name", &span, "[[rule]]")?;
        let mut rule = Rule {
            name: name.into(),
            priority: 0,
            from: None,
            until: None,
            matches: Vec::new(),
            excludes: Vec::new(),
            action: Action::Unallocated,
        };
        let mut actions = Vec::new();
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "name" => {}
                "priority" => match value.get_ref().as_integer().and_then(|n| n.as_str().replace('_', "").parse().ok())
                {
                    Some(n) => rule.priority = n,
                    None => self.mistake(value.span(), "`priority` is a whole number", None),
                },
                "from" => rule.from = self.date(value),
                "until" => rule.until = self.date(value),
                "match" => rule.matches = self.conditions(value, ""),
                "not" => rule.excludes = self.conditions(value, ""),
                "assign" => {
                    let assigned: Vec<_> = self
                        .table(value, "`assign`")
                        .into_iter()
                        .filter_map(|(name, value)| Some((Arc::from(name.get_ref().as_ref()), self.template(value)?)))
                        .collect();
                    if assigned.iter().all(|(name, _): &(Arc<str>, Template)| &**name != "owner") {
                        let hint = Some("assign = { owner = \"payments\" }".to_owned());
                        self.mistake(value.span(), "`assign` names no owner", hint);
                    }
                    actions.push(Action::Assign(assigned));
                }
                "split" => actions.extend(self.split(value, metrics).map(Action::Split)),
                "idle" | "unallocated" if value.get_ref().as_bool() != Some(true) => {
                    self.mistake(value.span(), format!("`{}` is true or absent", key.get_ref()), None);
                }
                "idle" => actions.push(Action::Idle),
                "unallocated" => actions.push(Action::Unallocated),
                _ => self.unknown(key, "[[rule]]", &KEYS),
            }
        }
        if let (Some(from), Some(until)) = (rule.from, rule.until)
            && until <= from
        {
            self.mistake(span.clone(), format!("the rule {:?} ends before it begins", rule.name), None);
        }
        let said = ["assign", "split", "idle", "unallocated"].iter().filter(|k| find(table, k).is_some()).count();
        if said != 1 {
            let what = format!("the rule {:?} says {said} of assign, split, idle and unallocated", rule.name);
            self.mistake(span, what, Some("say exactly one".to_owned()));
            return None;
        }
        rule.action = actions.pop()?;
        Some(rule)
    }

    fn share(&mut self, table: &DeTable<'_>, span: Range<usize>, metrics: &BTreeMap<String, Metric>) -> Option<Share> {
        let of = self.required_text(table, "of", &span, "[[share]]")?;
        let of = if of == "idle" { ShareOf::Idle } else { ShareOf::Owner(of.into()) };
        let split = self.split_of(table, span, "[[share]]", &["of"], metrics)?;
        Some(Share { of, split })
    }

    fn split(&mut self, value: &Value<'_>, metrics: &BTreeMap<String, Metric>) -> Option<Split> {
        let DeValue::Table(table) = value.get_ref() else {
            let hint = Some("split = { by = \"proportional\" }".to_owned());
            self.mistake(value.span(), "`split` is a table", hint);
            return None;
        };
        self.split_of(table, value.span(), "`split`", &[], metrics)
    }

    fn split_of(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        place: &str,
        also: &[&str],
        metrics: &BTreeMap<String, Metric>,
    ) -> Option<Split> {
        const KEYS: [&str; 6] = ["by", "to", "shares", "metric", "otherwise", "dimensions"];
        let mut to: Option<Vec<Arc<str>>> = None;
        let (mut shares, mut metric) = (Vec::new(), None);
        let (mut otherwise, mut dimensions) = (Otherwise::Unallocated, Vec::new());
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "by" => {}
                "to" => {
                    let names = self.texts(value);
                    if names.len() > TARGETS_MAX {
                        self.mistake(value.span(), format!("`to` may name {TARGETS_MAX} owners"), None);
                    }
                    let unique: BTreeSet<&str> = names.iter().map(|(n, _)| n.as_str()).collect();
                    if unique.len() < names.len() {
                        self.mistake(value.span(), "`to` names an owner twice", None);
                    }
                    let all = names.len() == 1 && names[0].0 == "*";
                    to = (!all).then(|| names.into_iter().map(|(n, _)| n.into()).collect());
                }
                "shares" => {
                    for (owner, share) in self.table(value, "`shares`") {
                        let text = match share.get_ref() {
                            DeValue::Integer(n) => n.as_str().replace('_', ""),
                            DeValue::Float(n) => n.as_str().replace('_', ""),
                            _ => String::new(),
                        };
                        // Six decimals, as a whole number: 33.3333 % is a share, a float is none.
                        let units = grid_model::Amount::parse(&text)
                            .ok()
                            .and_then(|(a, _)| u64::try_from(a.0 / 10_i128.pow(12)).ok());
                        match units {
                            Some(units) => shares.push((Arc::<str>::from(owner.get_ref().as_ref()), units)),
                            None => self.mistake(share.span(), "a share is a number, not negative", None),
                        }
                    }
                }
                "metric" => metric = self.text(value).map(|name| (name, value.span())),
                "otherwise" => match value.get_ref().as_str() {
                    Some("even") => otherwise = Otherwise::Even,
                    Some("unallocated") => otherwise = Otherwise::Unallocated,
                    _ => self.mistake(value.span(), "`otherwise` is \"even\" or \"unallocated\"", None),
                },
                "dimensions" => {
                    for (name, value) in self.table(value, "`dimensions`") {
                        if let Some(text) = self.text(value) {
                            dimensions.push((Arc::from(name.get_ref().as_ref()), Arc::from(text)));
                        }
                    }
                }
                other if also.contains(&other) => {}
                _ => self.unknown(key, place, &KEYS),
            }
        }
        let by_text = self.required_text(table, "by", &span, place)?;
        let by = match by_text.as_str() {
            "even" => By::Even,
            "proportional" => By::Proportional,
            "fixed" => {
                if shares.iter().all(|(_, units)| *units == 0) {
                    let hint = Some("shares = { payments = 60, search = 40 }".to_owned());
                    self.mistake(span, "a fixed split needs `shares` above zero", hint);
                    return None;
                }
                to = Some(shares.iter().map(|(owner, _)| Arc::clone(owner)).collect());
                By::Fixed(shares.iter().map(|(_, units)| *units).collect())
            }
            "metric" => {
                let Some((name, at)) = metric else {
                    self.mistake(span, "a split by metric needs `metric`", Some("metric = \"requests\"".into()));
                    return None;
                };
                if !metrics.contains_key(&name) {
                    let hint = match closest(&name, metrics.keys().map(String::as_str)) {
                        Some(word) => format!("did you mean {word:?}?"),
                        None => format!("define [metric.{name}]"),
                    };
                    self.mistake(at, format!("there is no metric {name:?}"), Some(hint));
                }
                By::Metric(name)
            }
            other => {
                let at = find(table, "by").map_or(span, Spanned::span);
                let hint = Some("even, proportional, fixed or metric".to_owned());
                self.mistake(at, format!("nothing is split by {other:?}"), hint);
                return None;
            }
        };
        Some(Split { by, to, otherwise, dimensions })
    }

    /// `{ service_name = "AmazonEC2", tag.team = ["a", "b-*"] }`; a nested table is a prefix.
    fn conditions(&mut self, value: &Value<'_>, prefix: &str) -> Vec<(Subject, Vec<Pattern>)> {
        let mut found = Vec::new();
        for (key, value) in self.table(value, "a condition") {
            let name = format!("{prefix}{}", key.get_ref());
            if matches!(value.get_ref(), DeValue::Table(_)) && ["tag", "x", "dim"].contains(&name.as_str()) {
                found.extend(self.conditions(value, &format!("{name}.")));
                continue;
            }
            let patterns = self.patterns(value);
            if let Some(subject) = self.subject(&name, key.span()) {
                found.push((subject, patterns));
            }
        }
        found
    }

    /// What a name in a condition, a template or a dimension's `from` means.
    fn subject(&mut self, name: &str, span: Range<usize>) -> Option<Subject> {
        if let Some(dimension) = name.strip_prefix("dim.") {
            let at = self.dimensions.iter().position(|d| &*d.name == dimension);
            if at.is_none() {
                let hint = match closest(dimension, self.dimensions.iter().map(|d| &*d.name)) {
                    Some(word) => format!("did you mean `dim.{word}`?"),
                    None => format!("define it above: [[dimension]] with name = {dimension:?}"),
                };
                self.mistake(span, format!("there is no dimension {dimension:?}"), Some(hint));
            }
            return at.map(Subject::Dimension);
        }
        let field = if let Some(key) = name.strip_prefix("tag.") {
            Field::Tag(key.to_owned())
        } else if let Some(key) = name.strip_prefix("x.") {
            Field::Extra(key.to_owned())
        } else {
            match name {
                "account" => Field::Account,
                "provider" => Field::Provider,
                "service" => Field::Column(Column::ServiceName),
                "region" => Field::Column(Column::RegionId),
                "resource" => Field::Column(Column::ResourceId),
                _ => match column(name) {
                    Some(column) => Field::Column(column),
                    None => {
                        let names =
                            text_columns().map(Column::name).chain(["account", "provider", "service", "region"]);
                        let hint = match closest(name, names) {
                            Some(word) => format!("did you mean `{word}`?"),
                            None => "a text column of charges, tag.KEY, x.NAME, dim.NAME, account, provider".to_owned(),
                        };
                        self.mistake(span, format!("charges have no text column `{name}`"), Some(hint));
                        return None;
                    }
                },
            }
        };
        let at = self.fields.iter().position(|f| *f == field).unwrap_or_else(|| {
            self.fields.push(field);
            self.fields.len() - 1
        });
        Some(Subject::Field(at))
    }

    fn template(&mut self, value: &Value<'_>) -> Option<Template> {
        let text = self.text(value)?;
        let (mut pieces, mut rest) = (Vec::new(), text.as_str());
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else {
                self.mistake(value.span(), "a `{` is not closed", Some("{tag.team}".to_owned()));
                return None;
            };
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            pieces.push(Piece::Hole(self.subject(&rest[open + 1..open + close], value.span())?));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Some(Template(pieces))
    }

    fn patterns(&mut self, value: &Value<'_>) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (text, span) in self.texts(value) {
            match Pattern::parse(&text) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => self.mistake(span, format!("the regular expression is not understood: {why}"), None),
            }
        }
        patterns
    }

    /// A text or a list of texts.
    fn texts(&mut self, value: &Value<'_>) -> Vec<(String, Range<usize>)> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| Some((self.text(item)?, item.span()))).collect(),
            _ => self.text(value).map(|text| (text, value.span())).into_iter().collect(),
        }
    }

    fn text(&mut self, value: &Value<'_>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.mistake(value.span(), "a text in quotes is expected", None);
        }
        text
    }

    fn required_text(&mut self, table: &DeTable<'_>, key: &str, span: &Range<usize>, place: &str) -> Option<String> {
        match find(table, key) {
            Some(value) => {
                let text = self.text(value)?;
                if text.is_empty() {
                    self.mistake(value.span(), format!("`{key}` is empty"), None);
                    return None;
                }
                Some(text)
            }
            None => {
                self.mistake(span.clone(), format!("{place} has no `{key}`"), None);
                None
            }
        }
    }

    fn table<'t, 'i>(&mut self, value: &'t Value<'i>, place: &str) -> Vec<Entry<'t, 'i>> {
        match value.get_ref() {
            DeValue::Table(table) => table.iter().collect(),
            _ => {
                self.mistake(value.span(), format!("{place} is a table"), Some("write { key = \"value\" }".into()));
                Vec::new()
            }
        }
    }

    fn tables<'t, 'i>(&mut self, value: &'t Value<'i>, place: &str) -> Vec<(&'t DeTable<'i>, Range<usize>)> {
        let DeValue::Array(items) = value.get_ref() else {
            self.mistake(value.span(), format!("write {place} in double brackets: there may be many"), None);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((table, item.span())),
                _ => self.mistake(item.span(), format!("{place} is a table"), None),
            }
        }
        tables
    }

    fn date(&mut self, value: &Value<'_>) -> Option<Timestamp> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => String::new(),
        };
        let date = parse_date(&text);
        if date.is_none() {
            self.mistake(value.span(), "a date is expected", Some("from = \"2026-01-31\"".to_owned()));
        }
        date
    }
}

/// `2026-01-31`, midnight UTC.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day): (i64, u32, u32) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let days = days_from_civil(year, month, day);
    // A date that is none, such as 30 February, comes back as another.
    (grid_model::time::civil_from_days(days) == (year, month, day)).then_some(())?;
    days.checked_mul(DAY_NS).map(Timestamp)
}

fn find<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t Value<'i>> {
    table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, value)| value)
}

fn text_columns() -> impl Iterator<Item = Column> {
    Column::ALL.iter().copied().filter(|c| c.kind() == Kind::Text)
}

/// By our name or FOCUS' own.
fn column(name: &str) -> Option<Column> {
    text_columns().find(|c| c.name() == name || c.focus_name() == name)
}

/// The nearest of the known words, if it is near: at most a third of the letters differ.
fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let best = known.map(|k| (distance(word, k), k)).min()?;
    (best.0 * 3 <= word.chars().count().max(3)).then_some(best.1)
}

/// Edit distance (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::DEFAULT;
    use expect_test::{Expect, expect};

    fn refuse(text: &str, expected: Expect) {
        let mistakes = Rules::parse(text).unwrap_err();
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        expected.assert_eq(&(texts.join("\n\n") + "\n"));
    }

    #[test]
    fn the_default_rules_are_rules() {
        let rules = Rules::parse(DEFAULT).unwrap();
        assert_eq!((rules.rules.len(), rules.dimensions.len(), rules.needs_direct()), (1, 4, false));
        assert!(rules.fields.contains(&Field::Tag("cost-center".into())));
    }

    #[test]
    fn mistakes_have_carets() {
        refuse(
            r#"
[[rule]]
name = "a"
match = { servcie_name = "x", tag.team = "/(/" }
assign = { team = "x" }

[[rule]]
name = "a"
match = { dim.envv = "prod" }
split = { by = "size" }
windw = 3
"#,
            expect![[r#"
                charges have no text column `servcie_name`
                  --> line 4, column 11
                4 | match = { servcie_name = "x", tag.team = "/(/" }
                  |           ^^^^^^^^^^^^
                  = did you mean `service_name`?

                the regular expression is not understood: unclosed group
                  --> line 4, column 42
                4 | match = { servcie_name = "x", tag.team = "/(/" }
                  |                                          ^^^^^

                `assign` names no owner
                  --> line 5, column 10
                5 | assign = { team = "x" }
                  |          ^^^^^^^^^^^^^^
                  = assign = { owner = "payments" }

                there is no dimension "envv"
                  --> line 9, column 15
                9 | match = { dim.envv = "prod" }
                  |               ^^^^
                  = define it above: [[dimension]] with name = "envv"

                nothing is split by "size"
                   --> line 10, column 16
                10 | split = { by = "size" }
                   |                ^^^^^^
                   = even, proportional, fixed or metric

                [[rule]] has no `windw`
                   --> line 11, column 1
                11 | windw = 3
                   | ^^^^^
                   = [[rule]] may have name, priority, from, until, match, not, assign, split, idle, unallocated
            "#]],
        );
    }

    #[test]
    fn rules_of_another_time_do_not_count() {
        let of = |owner: &str, from: &str| {
            let text = format!("[[rule]]\nname = \"x\"\nfrom = {from}\nassign = {{ owner = \"{owner}\" }}\n");
            Rules::parse(&text).unwrap()
        };
        let (april, may) = (parse_date("2026-04-01").unwrap(), parse_date("2026-05-01").unwrap());
        let june = parse_date("2026-06-01").unwrap();
        let (a, b) = (of("a", "2026-05-01"), of("b", "2026-05-01"));
        assert_eq!(a.fingerprint(april, may), b.fingerprint(april, may));
        assert_ne!(a.fingerprint(may, june), b.fingerprint(may, june));
        assert_eq!(parse_date("2026-02-30"), None);
    }

    #[test]
    fn precedence_is_priority_then_order() {
        let rules = Rules::parse(
            r#"
[[rule]]
name = "first"
unallocated = true
[[rule]]
name = "second"
priority = 5
idle = true
[[rule]]
name = "third"
unallocated = true
"#,
        )
        .unwrap();
        let names: Vec<&str> = rules.rules.iter().map(|r| &*r.name).collect();
        assert_eq!(names, ["second", "first", "third"]);
    }
}
