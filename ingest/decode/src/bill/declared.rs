//! Declared mappings: a TOML file that says where the columns of FOCUS come from, for bills that Grid does not know.
//!
//! [`Declared::parse`] reads the file, [`DeclaredMapping`] joins it with the header of one bill. The language is written down for
//! users in `docs/bills.md`, with Oracle's cost report as its example.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use grid_model::money::Residual;
use grid_model::table::charges::{ChargeRow, Column, Kind};
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, Timestamp};

use super::context::MapContext;
use super::date::{self, ReadDate};
use super::mapping::{Fate, Header, cost_cell, keep};
use super::row::Row;
use super::{BillError, quoted};
use crate::focus::{date_slot, set_text, tags};

mod read;

/// Longest mapping file in bytes.
pub const MAPPING_BYTES_MAX: usize = 256 * 1024;

/// A mistake in a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct MappingError {
    /// What is wrong.
    pub what: String,
    /// Where: bytes of the file.
    pub span: Range<usize>,
    /// What to do instead.
    pub hint: Option<String>,
    /// A word that is unknown and those that would be known: one of them may have been meant.
    pub unknown: Option<(String, Vec<String>)>,
}

/// A mapping as its file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What the source is called in column `source`.
    pub(crate) name: String,
    /// The currency of rows that name none.
    pub(crate) currency: Option<String>,
    /// Texts that stand for nothing.
    pub(crate) null: BTreeSet<String>,
    pub(crate) columns: BTreeMap<Column, Rule>,
    pub(crate) tags: TagRules,
    pub(crate) filters: Vec<Filter>,
}

/// A word of the file with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

/// Where a column of FOCUS comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) from: From,
    /// Values of the source and what they are in FOCUS.
    pub(crate) values: BTreeMap<String, String>,
    /// What values that are not listed become; unlisted ones stay as they are if this is not said.
    pub(crate) otherwise: Option<String>,
    /// What an empty cell becomes.
    pub(crate) default: Option<String>,
    /// Whether the sign of a number is turned.
    pub(crate) negate: bool,
    /// How a date is written, in the letters of strftime.
    pub(crate) format: Option<String>,
    /// What a date is moved to.
    pub(crate) moved: Option<Moved>,
}

/// The text that a rule begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    Constant(String),
    Column(Placed),
    /// Texts and columns in turn.
    Template(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Column(Placed),
}

/// A date moved to the start of the unit that holds it, or of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) unit: Unit,
    pub(crate) next: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Hour,
    Day,
    Month,
}

/// Where tags come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TagRules {
    /// Columns whose name begins so; the rest of the name is the key.
    pub(crate) prefixes: Vec<String>,
    /// Columns whose name is the key.
    pub(crate) columns: Vec<Placed>,
    /// Columns that hold a JSON object.
    pub(crate) json: Vec<Placed>,
}

/// Rows that are taken, or left out, by the value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) column: Placed,
    pub(crate) values: BTreeSet<String>,
    /// Whether the values are those taken, or those left out.
    pub(crate) keep: bool,
}

impl Moved {
    fn apply(self, time: Timestamp) -> Timestamp {
        let floor = |unit: i64| Timestamp(time.0.div_euclid(unit).saturating_mul(unit));
        let (start, after) = match self.unit {
            Unit::Hour => (floor(HOUR_NS), floor(HOUR_NS).saturating_add(HOUR_NS)),
            Unit::Day => (floor(DAY_NS), floor(DAY_NS).saturating_add(DAY_NS)),
            Unit::Month => date::month_of(time),
        };
        if self.next { after } else { start }
    }
}

/// A rule joined with a header.
struct Bound {
    column: Column,
    /// The source's column, if the text is that of one.
    index: Option<usize>,
    /// The source's columns of a template, in its order.
    parts: Vec<usize>,
    /// Which of the row's made-up texts is the template's.
    made_up: usize,
}

/// A declared mapping over the columns of one file.
pub(crate) struct DeclaredMapping {
    declared: Arc<Declared>,
    bound: Vec<Bound>,
    billed: usize,
    filters: Vec<usize>,
    tag_columns: Vec<(usize, String)>,
    tag_json: Vec<usize>,
    extra: Vec<(usize, String)>,
}

impl DeclaredMapping {
    /// Joins the mapping with a header; a column that is not there is a mistake at its place in the file.
    pub(crate) fn new(names: &[String], declared: &Arc<Declared>) -> Result<Self, BillError> {
        let header = Header::new(names, |_| false);
        let find = |placed: &Placed| {
            let exact = names.iter().position(|n| *n == placed.text);
            exact.or_else(|| header.find(&[&placed.text])).ok_or_else(|| {
                BillError::Mapping(Box::new(MappingError {
                    what: format!("the bill has no column {}", quoted(&placed.text)),
                    span: placed.span.clone(),
                    hint: None,
                    unknown: Some((placed.text.clone(), names.to_vec())),
                }))
            })
        };
        let mut bound = Vec::new();
        let mut absorbed = BTreeSet::new();
        let mut made_up = 0;
        for (column, rule) in &declared.columns {
            let (mut index, mut parts) = (None, Vec::new());
            match &rule.from {
                From::Constant(_) => {}
                From::Column(name) => {
                    index = Some(find(name)?);
                    if column.kind() != Kind::Text || rule.values.is_empty() && rule.otherwise.is_none() {
                        absorbed.extend(index);
                    }
                }
                From::Template(pieces) => {
                    for piece in pieces {
                        if let Part::Column(name) = piece {
                            parts.push(find(name)?);
                        }
                    }
                }
            }
            let template = matches!(rule.from, From::Template(_));
            bound.push(Bound { column: *column, index, parts, made_up });
            made_up += usize::from(template);
        }
        let filters = declared.filters.iter().map(|f| find(&f.column)).collect::<Result<Vec<_>, _>>()?;
        let mut tag_columns = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let key = declared.tags.prefixes.iter().find_map(|p| name.strip_prefix(p.as_str()));
            if let Some(key) = key.filter(|k| !k.is_empty()) {
                tag_columns.push((i, key.to_owned()));
            }
        }
        for name in &declared.tags.columns {
            tag_columns.push((find(name)?, name.text.clone()));
        }
        let tag_json = declared.tags.json.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        absorbed.extend(tag_columns.iter().map(|(i, _)| *i).chain(tag_json.iter().copied()));
        let billed = bound.iter().position(|b| b.column == Column::BilledCost).unwrap_or_default();
        let extra = header.extra(|i| absorbed.contains(&i));
        Ok(Self { declared: Arc::clone(declared), bound, billed, filters, tag_columns, tag_json, extra })
    }

    /// What the source is called.
    pub(crate) fn source(&self) -> &str {
        &self.declared.name
    }

    fn cell<'r>(&self, row: Row<'r>, index: usize) -> Option<&'r str> {
        row.get(index).filter(|cell| !self.declared.null.contains(cell.trim()))
    }

    /// The currency of a row, by its rule or by the default.
    pub(crate) fn currency<'r>(&'r self, row: Row<'r>) -> Option<&'r str> {
        let bound = self.bound.iter().find(|b| b.column == Column::BillingCurrency);
        bound.and_then(|b| self.text(b, row, &[])).or(self.declared.currency.as_deref())
    }

    /// What the row bills.
    pub(crate) fn billed(&self, row: Row<'_>) -> Result<(Amount, Residual), String> {
        let bound = &self.bound[self.billed];
        let rule = &self.declared.columns[&Column::BilledCost];
        let read = match (bound.index, &rule.from) {
            (Some(index), From::Column(name)) if self.cell(row, index).is_some() => cost_cell(row, index, &name.text)?,
            _ => match self.text(bound, row, &[]) {
                Some(text) => super::number::parse(text).map_err(|e| super::context::unreadable("BilledCost", &e))?,
                None => return Err("BilledCost is null".to_owned()),
            },
        };
        Ok(if rule.negate { (Amount(-read.0.0), Residual(-read.1.0)) } else { read })
    }

    /// Makes up the texts of templates. One is empty if all of its columns are.
    pub(crate) fn make_up(&self, row: Row<'_>, texts: &mut Vec<String>) {
        for bound in &self.bound {
            let From::Template(pieces) = &self.declared.columns[&bound.column].from else { continue };
            let mut out = String::new();
            let mut columns = bound.parts.iter();
            let mut filled = bound.parts.is_empty();
            for piece in pieces {
                match piece {
                    Part::Text(text) => out.push_str(text),
                    Part::Column(_) => {
                        let cell = columns.next().and_then(|i| self.cell(row, *i)).unwrap_or_default();
                        filled |= !cell.is_empty();
                        out.push_str(cell);
                    }
                }
            }
            texts.push(if filled { out } else { String::new() });
        }
    }

    /// The text of a rule for one row, values replaced.
    fn text<'r>(&'r self, bound: &'r Bound, row: Row<'r>, texts: &'r [String]) -> Option<&'r str> {
        let rule = self.declared.columns.get(&bound.column)?;
        let text = match &rule.from {
            From::Constant(text) => Some(text.as_str()),
            From::Column(_) => bound.index.and_then(|i| self.cell(row, i)),
            From::Template(_) => texts.get(bound.made_up).map(String::as_str).filter(|t| !t.is_empty()),
        };
        let Some(text) = text else { return rule.default.as_deref() };
        if rule.values.is_empty() && rule.otherwise.is_none() {
            return Some(text);
        }
        Some(rule.values.get(text.trim()).or(rule.otherwise.as_ref()).map_or(text, String::as_str))
    }

    /// Maps one row whose billed cost is already set.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        billed: Amount,
        texts: &'r [String],
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<Fate, String> {
        for (index, filter) in self.filters.iter().zip(&self.declared.filters) {
            let cell = row.raw(*index).unwrap_or_default().trim();
            if filter.values.contains(cell) != filter.keep {
                return Ok(Fate::LeftOut);
            }
        }
        for bound in &self.bound {
            let column = bound.column;
            let rule = &self.declared.columns[&column];
            if column == Column::BilledCost {
                continue;
            }
            let Some(text) = self.text(bound, row, texts).filter(|t| !t.is_empty()) else { continue };
            match column.kind() {
                Kind::Text => set_text(column, text, cx, charge),
                Kind::Time => {
                    let format = rule.format.as_deref();
                    let read = |text: &str| match format {
                        Some(format) => read_date(text, format),
                        None => date::parse(text),
                    };
                    let time = cx.date_by(column.focus_name(), date_slot(column), text, (0, read))?;
                    charge.set_time(column, rule.moved.map_or(time, |m| m.apply(time)));
                }
                Kind::Amount => {
                    let read = if is_cost(column) {
                        cx.cost(column, column.focus_name(), text)
                    } else {
                        cx.amount(column.focus_name(), text)
                    };
                    match read {
                        Ok(amount) if rule.negate => charge.set_amount(column, Amount(-amount.0)),
                        Ok(amount) => charge.set_amount(column, amount),
                        Err(reason) if column.is_required() => return Err(reason),
                        Err(_) => {
                            cx.note("a price or quantity is not a number: kept as text in x_columns");
                            charge.x_columns.push((column.focus_name().into(), text.into()));
                        }
                    }
                }
            }
        }
        self.set_defaults(row, billed, charge);
        self.set_tags(row, cx, charge);
        keep(&self.extra, row, charge);
        Ok(Fate::Charge)
    }

    /// What FOCUS demands and the mapping does not say.
    fn set_defaults<'r>(&'r self, row: Row<'r>, billed: Amount, charge: &mut ChargeRow<'r>) {
        for column in [Column::EffectiveCost, Column::ListCost, Column::ContractedCost] {
            if charge.amount(column).is_none() {
                charge.set_amount(column, billed);
            }
        }
        if charge.text(Column::BillingCurrency).is_none() {
            charge.set_text(Column::BillingCurrency, self.currency(row).unwrap_or_default().trim());
        }
        if charge.text(Column::ChargeCategory).is_none() {
            charge.set_text(Column::ChargeCategory, "Usage");
        }
        let Some(start) = charge.time(Column::ChargePeriodStart) else { return };
        let (first, after) = date::month_of(charge.time(Column::BillingPeriodStart).unwrap_or(start));
        if charge.time(Column::BillingPeriodStart).is_none() {
            charge.set_time(Column::BillingPeriodStart, first);
        }
        if charge.time(Column::BillingPeriodEnd).is_none() {
            charge.set_time(Column::BillingPeriodEnd, after);
        }
    }

    fn set_tags<'r>(&'r self, row: Row<'r>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
        for (index, key) in &self.tag_columns {
            if let Some(value) = self.cell(row, *index)
                && charge.tags.iter().all(|(k, _)| k != key)
            {
                charge.tags.push((key.as_str().into(), value.into()));
            }
        }
        for index in &self.tag_json {
            let Some(text) = self.cell(row, *index) else { continue };
            let Some(pairs) = tags(text) else {
                cx.note("tags are no JSON object: kept as text in x_columns");
                charge.x_columns.push(("Tags".into(), text.into()));
                continue;
            };
            for (key, value) in pairs {
                if charge.tags.iter().all(|(k, _)| *k != key) {
                    charge.tags.push((key, value));
                }
            }
        }
    }
}

/// Whether a column holds a cost, other than the billed one.
pub(crate) fn is_cost(column: Column) -> bool {
    matches!(
        column,
        Column::EffectiveCost | Column::ListCost | Column::ContractedCost | Column::PricingCurrencyEffectiveCost
    )
}

/// A date by a strftime format: with an offset, with a time, or a day alone.
fn read_date(text: &str, format: &str) -> Option<ReadDate> {
    let text = text.trim();
    let nanos = if let Ok(time) = DateTime::parse_from_str(text, format) {
        time.timestamp_nanos_opt()
    } else if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
        time.and_utc().timestamp_nanos_opt()
    } else {
        let day = NaiveDate::parse_from_str(text, format).ok()?;
        day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
    };
    nanos.map(|n| ReadDate { time: Timestamp(n), conformant: false })
}
