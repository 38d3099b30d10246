//! The mapping of one file: which format it is, where its cost and currency are, and how a row becomes a charge.

use std::borrow::Cow;
use std::collections::HashSet;

use grid_model::Amount;
use grid_model::money::Residual;
use grid_model::table::charges::{ChargeRow, Column};

use super::context::{MapContext, Notes, shortened, unreadable};
use super::declared::DeclaredMapping;
use super::row::Row;
use super::{BillError, BillFormat, BillOptions, canonical, number};
use crate::azure::AzureMapping;
use crate::cur::CurMapping;
use crate::focus::FocusMapping;
use crate::gcp::GcpMapping;

/// The mapping of one file.
pub(crate) enum Mapping {
    Focus(Box<FocusMapping>),
    Cur(Box<CurMapping>),
    Azure(Box<AzureMapping>),
    Gcp(Box<GcpMapping>),
    Declared(Box<DeclaredMapping>),
}

/// What becomes of a row that can be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is a charge.
    Charge,
    /// A rule that the user has set, or knows of, leaves it out; its cost is counted.
    LeftOut,
}

impl Mapping {
    pub(crate) fn new(header: &[String], options: &BillOptions, notes: &mut Notes) -> Result<Self, BillError> {
        if let Some(declared) = &options.mapping {
            return Ok(Self::Declared(Box::new(DeclaredMapping::new(header, declared)?)));
        }
        let format = options.format.or_else(|| BillFormat::detect(header));
        Ok(match format {
            Some(BillFormat::Focus) => {
                Self::Focus(Box::new(FocusMapping::new(header, &mut |what| notes.add_owned(what, 0))?))
            }
            Some(BillFormat::AwsCur) => Self::Cur(Box::new(CurMapping::new(header)?)),
            Some(BillFormat::Azure) => Self::Azure(Box::new(AzureMapping::new(header, options.beside_amortized)?)),
            Some(BillFormat::Gcp) => Self::Gcp(Box::new(GcpMapping::new(header)?)),
            Some(BillFormat::Declared) | None => {
                return Err(BillError::UnknownFormat(shortened(&header.join(", ")).into_owned()));
            }
        })
    }

    pub(crate) fn format(&self) -> BillFormat {
        match self {
            Self::Focus(_) => BillFormat::Focus,
            Self::Cur(_) => BillFormat::AwsCur,
            Self::Azure(_) => BillFormat::Azure,
            Self::Gcp(_) => BillFormat::Gcp,
            Self::Declared(_) => BillFormat::Declared,
        }
    }

    pub(crate) fn source(&self) -> &str {
        match self {
            Self::Declared(m) => m.source(),
            other => other.format().name(),
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Focus(m) => format!("FOCUS {}", m.version()),
            Self::Azure(m) => m.describe().to_owned(),
            Self::Declared(m) => m.source().to_owned(),
            Self::Cur(_) | Self::Gcp(_) => self.format().to_string(),
        }
    }

    /// The currency as the row, or the mapping, names it.
    pub(crate) fn currency<'r>(&'r self, row: Row<'r>) -> Option<&'r str> {
        match self {
            Self::Focus(m) => row.get(m.currency()),
            Self::Cur(m) => row.get(m.currency()),
            Self::Azure(m) => row.get(m.currency()),
            Self::Gcp(m) => row.get(m.currency()),
            Self::Declared(m) => m.currency(row),
        }
    }

    /// What the row bills, before anything else of it is read; `aside` takes what else is read of the row on the way.
    pub(crate) fn billed<'r>(&self, row: Row<'r>, aside: &mut Aside<'r>) -> Result<(Amount, Residual), String> {
        let (column, name) = match self {
            Self::Focus(m) => (m.cost(), "BilledCost"),
            Self::Cur(m) => (m.cost(), "lineItem/UnblendedCost"),
            Self::Azure(m) => (m.cost(), m.cost_name()),
            Self::Gcp(m) => {
                m.credits(row, &mut aside.credits)?;
                (m.cost(), "cost")
            }
            Self::Declared(m) => {
                m.make_up(row, &mut aside.texts);
                return m.billed(row);
            }
        };
        cost_cell(row, column, name)
    }

    /// The billed cost as the source wrote it, for the list of rejects; `None` if it is not in one cell.
    pub(crate) fn cost_text<'r>(&self, row: Row<'r>) -> Option<&'r str> {
        let column = match self {
            Self::Focus(m) => m.cost(),
            Self::Cur(m) => m.cost(),
            Self::Azure(m) => m.cost(),
            Self::Gcp(_) | Self::Declared(_) => return None,
        };
        row.get(column).map(str::trim)
    }

    /// Maps one row whose billed cost is already set.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        billed: Amount,
        aside: &'r Aside<'r>,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<Fate, String> {
        match self {
            Self::Focus(m) => m.map(row, cx, charge)?,
            Self::Cur(m) => m.map(row, billed, cx, charge)?,
            Self::Azure(m) => return m.map(row, billed, cx, charge),
            Self::Gcp(m) => m.map(row, billed, cx, charge)?,
            Self::Declared(m) => return m.map(row, billed, &aside.texts, cx, charge),
        }
        Ok(Fate::Charge)
    }
}

/// What a mapping makes out of a row before the charge, which borrows it.
#[derive(Debug, Default)]
pub(crate) struct Aside<'r> {
    /// What the row bills besides its cost.
    pub(crate) credits: Vec<Credit<'r>>,
    /// Texts that stand in no cell.
    pub(crate) texts: Vec<String>,
}

/// Reads the cost of a row.
pub(crate) fn cost_cell(row: Row<'_>, column: usize, name: &str) -> Result<(Amount, Residual), String> {
    match row.get(column).map(str::trim) {
        Some(text) => number::parse(text).map_err(|e| unreadable(name, &e)),
        None => Err(format!("{name} is null")),
    }
}

/// A credit that a source carries within the row of the charge that earned it. It becomes a charge of its own: a copy of that
/// charge with another cost and another category.
#[derive(Debug)]
pub(crate) struct Credit<'r> {
    /// Its amount, negative as the source has it, and what rounding took.
    pub(crate) amount: (Amount, Residual),
    /// What it lowers: the price as listed and as negotiated (nothing of them, if it is a gift), both in the currency billed.
    pub(crate) list_cost: Amount,
    pub(crate) contracted_cost: Amount,
    /// What it is called.
    pub(crate) name: Cow<'r, str>,
    /// The commitment that it comes from: id, category, type.
    pub(crate) commitment: Option<(Cow<'r, str>, &'static str, &'static str)>,
    /// What else the source says of it, by the source's names.
    pub(crate) details: Vec<(&'static str, Cow<'r, str>)>,
}

/// Columns that tell of a price or a quantity, which a credit has none of.
const NOT_OF_CREDITS: &[Column] = &[
    Column::ConsumedQuantity,
    Column::ConsumedUnit,
    Column::PricingQuantity,
    Column::PricingUnit,
    Column::ListUnitPrice,
    Column::ContractedUnitPrice,
    Column::PricingCategory,
];

impl Credit<'_> {
    /// Turns the charge that earned it, or another credit of the same row, into this credit.
    pub(crate) fn apply<'a>(&'a self, charge: &mut ChargeRow<'a>) {
        let (amount, _) = self.amount;
        charge.set_amount(Column::BilledCost, amount);
        charge.set_amount(Column::EffectiveCost, amount);
        charge.set_amount(Column::ListCost, self.list_cost);
        charge.set_amount(Column::ContractedCost, self.contracted_cost);
        charge.set_text(Column::ChargeCategory, "Credit");
        charge.set_text(Column::ChargeFrequency, "One-Time");
        charge.set_text(Column::ChargeDescription, &self.name);
        for column in NOT_OF_CREDITS {
            charge.clear(*column);
        }
        charge.clear(Column::CommitmentDiscountStatus);
        let (id, category, kind) = match &self.commitment {
            Some((id, category, kind)) => (&**id, *category, *kind),
            None => ("", "", ""),
        };
        charge.set_text(Column::CommitmentDiscountId, id);
        charge.set_text(Column::CommitmentDiscountCategory, category);
        charge.set_text(Column::CommitmentDiscountType, kind);
        charge.x_columns.retain(|(name, _)| !name.starts_with("credits."));
        charge
            .x_columns
            .extend(self.details.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(&**value))));
    }
}

/// A header as mappings look into it: columns by any of several names.
pub(crate) struct Header<'h> {
    names: &'h [String],
    keys: Vec<String>,
}

impl<'h> Header<'h> {
    /// `hidden` are columns that no name may find, such as tags called like a column.
    pub(crate) fn new(names: &'h [String], hidden: impl Fn(&str) -> bool) -> Self {
        let keys = names.iter().map(|h| if hidden(h) { String::new() } else { canonical(h) }).collect();
        Self { names, keys }
    }

    /// The first of the given names that the header has.
    pub(crate) fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| {
            let key = canonical(name);
            self.keys.iter().position(|k| *k == key)
        })
    }

    /// The columns not in `absorbed`, each with a name under which it can stand in `x_columns`: its own, unless another column has
    /// taken it.
    pub(crate) fn extra(&self, absorbed: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
        let mut taken: HashSet<String> = HashSet::new();
        let mut extra: Vec<(usize, String)> = Vec::new();
        for (index, name) in self.names.iter().enumerate().filter(|(i, _)| !absorbed(*i)) {
            let mut free = if name.is_empty() { format!("column {}", index + 1) } else { name.clone() };
            while !taken.insert(free.clone()) {
                free = format!("{free}#{}", index + 1);
            }
            extra.push((index, free));
        }
        extra
    }
}

/// Declares the columns that a mapping computes with: a field, the names by which a header may call it, and whether the source's own
/// text is kept in `x_columns` too, because the mapping loses some of it.
macro_rules! columns {
    ($($field:ident = $names:expr, $kept:literal,)*) => {
        struct Columns { $($field: Option<usize>,)* }

        impl Columns {
            fn find(header: &Header<'_>) -> Self {
                Self { $($field: header.find($names),)* }
            }
            /// Those whose content is wholly in a column of `charges`.
            fn absorbed(&self) -> Vec<Option<usize>> {
                vec![$(if $kept { None } else { self.$field },)*]
            }
        }
    };
}
pub(crate) use columns;

/// Keeps cells under the names of their columns.
pub(crate) fn keep<'r>(extra: &'r [(usize, String)], row: Row<'r>, charge: &mut ChargeRow<'r>) {
    for (i, name) in extra {
        if let Some(cell) = row.get(*i) {
            charge.x_columns.push((Cow::Borrowed(name), Cow::Borrowed(cell)));
        }
    }
}
