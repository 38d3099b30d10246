//! The TOML of a mapping: read whole, all mistakes at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::format::{Item, StrftimeItems};
use grid_model::table::charges::{Column, Kind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Declared, Filter, From, MAPPING_BYTES_MAX, MappingError, Moved, Part, Placed, Rule, TagRules, Unit};
use crate::bill::{canonical, quoted};

/// Columns of FOCUS that a mapping must say, since nothing else can.
const MANDATORY: &[Column] = &[
    Column::BilledCost,
    Column::BillingAccountId,
    Column::ChargePeriodStart,
    Column::ChargePeriodEnd,
    Column::ServiceName,
];
const TOP: &[&str] = &["name", "currency", "null", "columns", "tags", "filters"];
const RULE: &[&str] =
    &["column", "constant", "template", "values", "otherwise", "default", "negate", "format", "start_of", "next"];
const TAGS: &[&str] = &["prefixes", "columns", "json"];
const FILTER: &[&str] = &["column", "keep", "drop"];

impl Declared {
    /// Reads a mapping file.
    pub fn parse(source: &str) -> Result<Self, Vec<MappingError>> {
        let mut reader = Reader { mistakes: Vec::new() };
        if source.len() > MAPPING_BYTES_MAX {
            reader.wrong(0..0, format!("the mapping has more than {MAPPING_BYTES_MAX} bytes"), None);
            return Err(reader.mistakes);
        }
        let (document, errors) = DeTable::parse_recoverable(source);
        for error in errors {
            reader.wrong(error.span().unwrap_or(0..0), error.message().to_owned(), None);
        }
        let declared = reader.document(document.get_ref());
        if reader.mistakes.is_empty() { Ok(declared) } else { Err(reader.mistakes) }
    }
}

struct Reader {
    mistakes: Vec<MappingError>,
}

type Value<'a, 'd> = &'a Spanned<DeValue<'d>>;

impl Reader {
    fn wrong(&mut self, span: Range<usize>, what: String, hint: Option<&str>) {
        self.mistakes.push(MappingError { what, span, hint: hint.map(str::to_owned), unknown: None });
    }

    fn unknown(&mut self, span: Range<usize>, what: &str, word: &str, known: impl Iterator<Item = String>) {
        let unknown = Some((word.to_owned(), known.collect()));
        self.mistakes.push(MappingError {
            what: format!("unknown {what} {}", quoted(word)),
            span,
            hint: None,
            unknown,
        });
    }

    fn document(&mut self, document: &DeTable<'_>) -> Declared {
        let mut declared = Declared {
            name: String::new(),
            currency: None,
            null: BTreeSet::new(),
            columns: BTreeMap::new(),
            tags: TagRules::default(),
            filters: Vec::new(),
        };
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "name" => declared.name = self.name(value),
                "currency" => declared.currency = self.text(value),
                "null" => declared.null = self.texts(value).into_iter().map(|p| p.text).collect(),
                "columns" => {
                    for (name, rule) in self.table(value).into_iter().flatten() {
                        self.column(&mut declared, name.get_ref(), name.span(), rule);
                    }
                }
                "tags" => declared.tags = self.tags(value),
                "filters" => {
                    let Some(list) = value.get_ref().as_array() else {
                        self.wrong(value.span(), "filters are a list of tables".to_owned(), Some("write [[filters]]"));
                        continue;
                    };
                    for item in list {
                        declared.filters.extend(self.filter(item));
                    }
                }
                other => self.unknown(key.span(), "key", other, TOP.iter().map(|k| (*k).to_owned())),
            }
        }
        if declared.name.is_empty() && self.mistakes.is_empty() {
            let hint = Some("write name = \"...\": it becomes the column source of every charge");
            self.wrong(0..0, "the mapping has no name".to_owned(), hint);
        }
        let missing: Vec<&str> =
            MANDATORY.iter().filter(|c| !declared.columns.contains_key(c)).map(|c| c.focus_name()).collect();
        if !missing.is_empty() && self.mistakes.is_empty() {
            let what = format!("the mapping does not say where {} comes from", missing.join(", "));
            self.wrong(0..0, what, Some("name them in [columns]"));
        }
        if declared.currency.is_none()
            && !declared.columns.contains_key(&Column::BillingCurrency)
            && self.mistakes.is_empty()
        {
            let hint = Some("write currency = \"USD\", or BillingCurrency in [columns]");
            self.wrong(0..0, "the mapping does not say which currency the costs are in".to_owned(), hint);
        }
        declared
    }

    fn name(&mut self, value: Value<'_, '_>) -> String {
        let name = self.text(value).unwrap_or_default();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        let taken = crate::bill::BillFormat::ALL.iter().any(|f| f.name() == name);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) || taken {
            let hint = Some("small letters, digits, - and _; not the name of a format that Grid knows");
            self.wrong(value.span(), format!("{} cannot name a source", quoted(&name)), hint);
        }
        name
    }

    fn column(&mut self, declared: &mut Declared, name: &str, span: Range<usize>, value: Value<'_, '_>) {
        let key = canonical(name);
        let Some(column) = Column::ALL.iter().copied().find(|c| canonical(c.focus_name()) == key) else {
            if key == "tags" {
                return self.wrong(
                    span,
                    "Tags are not declared as a column".to_owned(),
                    Some("use the section [tags]"),
                );
            }
            return self.unknown(span, "column of FOCUS", name, Column::ALL.iter().map(|c| c.focus_name().to_owned()));
        };
        let Some(rule) = self.rule(column, value) else { return };
        if declared.columns.insert(column, rule).is_some() {
            self.wrong(span, format!("{} is said twice", column.focus_name()), None);
        }
    }

    fn rule(&mut self, column: Column, value: Value<'_, '_>) -> Option<Rule> {
        let plain = |from| Rule {
            from,
            values: BTreeMap::new(),
            otherwise: None,
            default: None,
            negate: false,
            format: None,
            moved: None,
        };
        if let DeValue::String(text) = value.get_ref() {
            let placed = Placed { text: text.to_string(), span: value.span() };
            return Some(plain(From::Column(placed)));
        }
        let Some(table) = value.get_ref().as_table() else {
            let hint = Some("write the name of a column, or { column = \"...\" }, { constant = \"...\" }");
            self.wrong(value.span(), format!("{} is neither a name nor a rule", column.focus_name()), hint);
            return None;
        };
        let mut froms = Vec::new();
        let mut rule = plain(From::Constant(String::new()));
        for (key, value) in table {
            let (kind, name) = (column.kind(), key.get_ref().as_ref());
            let only = |reader: &mut Self, of: Kind, what: &str| {
                if kind != of {
                    reader.wrong(key.span(), format!("{name} is for {what}, not for {}", column.focus_name()), None);
                }
            };
            match name {
                "column" => {
                    let text = self.text(value)?;
                    froms.push(From::Column(Placed { text, span: value.span() }));
                }
                "constant" => froms.push(From::Constant(self.text(value)?)),
                "template" => froms.push(From::Template(self.template(value)?)),
                "values" => {
                    for (from, to) in self.table(value).into_iter().flatten() {
                        rule.values.insert(from.get_ref().to_string(), self.text(to)?);
                    }
                }
                "otherwise" => rule.otherwise = self.text(value),
                "default" => rule.default = self.text(value),
                "negate" => {
                    only(self, Kind::Amount, "costs, prices and quantities");
                    match value.get_ref() {
                        DeValue::Boolean(yes) => rule.negate = *yes,
                        _ => self.wrong(value.span(), "negate is true or false".to_owned(), None),
                    }
                }
                "format" => {
                    only(self, Kind::Time, "dates");
                    let format = self.text(value)?;
                    if StrftimeItems::new(&format).any(|item| item == Item::Error) {
                        let hint = Some("letters as in strftime: %Y-%m-%dT%H:%M:%S%z");
                        self.wrong(value.span(), format!("{} is no format of dates", quoted(&format)), hint);
                    }
                    rule.format = Some(format);
                }
                "start_of" | "next" => {
                    only(self, Kind::Time, "dates");
                    let unit = match self.text(value)?.as_str() {
                        "hour" => Unit::Hour,
                        "day" => Unit::Day,
                        "month" => Unit::Month,
                        other => {
                            self.wrong(value.span(), format!("{} is neither hour, day nor month", quoted(other)), None);
                            return None;
                        }
                    };
                    rule.moved = Some(Moved { unit, next: name == "next" });
                }
                other => self.unknown(key.span(), "key", other, RULE.iter().map(|k| (*k).to_owned())),
            }
        }
        if froms.len() != 1 {
            let hint = Some("write one of column, constant and template");
            self.wrong(value.span(), format!("{} needs one source", column.focus_name()), hint);
        }
        if let Some(From::Template(_)) = froms.first()
            && column == Column::BilledCost
        {
            self.wrong(value.span(), "BilledCost cannot be made up of several columns".to_owned(), None);
        }
        rule.from = froms.pop()?;
        Some(rule)
    }

    /// `"{product/region}/{product/service}"`; a brace that means itself is doubled.
    fn template(&mut self, value: Value<'_, '_>) -> Option<Vec<Part>> {
        let text = self.text(value)?;
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if rest.starts_with(brace) {
                plain.push_str(brace);
                rest = &rest[1..];
                continue;
            }
            let name = rest.split_once('}').filter(|(name, _)| brace == "{" && !name.is_empty() && !name.contains('{'));
            let Some((name, after)) = name else {
                let hint = Some("a column stands in braces; write {{ or }} for a brace");
                self.wrong(value.span(), "a brace of the template has no partner".to_owned(), hint);
                return None;
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Column(Placed { text: name.to_owned(), span: value.span() }));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Some(parts)
    }

    fn tags(&mut self, value: Value<'_, '_>) -> TagRules {
        let mut rules = TagRules::default();
        for (key, value) in self.table(value).into_iter().flatten() {
            match key.get_ref().as_ref() {
                "prefixes" => rules.prefixes = self.texts(value).into_iter().map(|p| p.text).collect(),
                "columns" => rules.columns = self.texts(value),
                "json" => rules.json = self.texts(value),
                other => self.unknown(key.span(), "key", other, TAGS.iter().map(|k| (*k).to_owned())),
            }
        }
        rules
    }

    fn filter(&mut self, value: Value<'_, '_>) -> Option<Filter> {
        let (mut column, mut values) = (None, None);
        for (key, value) in self.table(value)? {
            match key.get_ref().as_ref() {
                "column" => column = self.text(value).map(|text| Placed { text, span: value.span() }),
                word @ ("keep" | "drop") if values.is_none() => {
                    let texts: BTreeSet<String> = self.texts(value).into_iter().map(|p| p.text).collect();
                    values = Some((texts, word == "keep"));
                }
                "keep" | "drop" => self.wrong(key.span(), "a filter has keep or drop, not both".to_owned(), None),
                other => self.unknown(key.span(), "key", other, FILTER.iter().map(|k| (*k).to_owned())),
            }
        }
        let (Some(column), Some((values, keep))) = (column, values) else {
            let hint = Some("write column = \"...\" and keep = [...] or drop = [...]");
            self.wrong(value.span(), "the filter is not complete".to_owned(), hint);
            return None;
        };
        Some(Filter { column, values, keep })
    }

    fn table<'a, 'd>(&mut self, value: Value<'a, 'd>) -> Option<&'a DeTable<'d>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong(value.span(), "this must be a table".to_owned(), Some("write { ... } or a [section]"));
        }
        table
    }

    fn text(&mut self, value: Value<'_, '_>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(value.span(), "this must be text".to_owned(), Some("put it in quotes"));
        }
        text
    }

    fn texts(&mut self, value: Value<'_, '_>) -> Vec<Placed> {
        match value.get_ref() {
            DeValue::String(text) => vec![Placed { text: text.to_string(), span: value.span() }],
            DeValue::Array(items) => {
                items.iter().filter_map(|item| Some(Placed { text: self.text(item)?, span: item.span() })).collect()
            }
            _ => {
                self.wrong(value.span(), "this must be text, or a list of texts".to_owned(), None);
                Vec::new()
            }
        }
    }
}
