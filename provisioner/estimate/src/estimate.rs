//! Quantities times prices: what each resource and all of them cost in a month, and what of it is not known.

use std::collections::BTreeMap;

use grid_model::{Amount, Currency};

use crate::component::{Component, Cost, MONTH_HOURS};
use crate::price::{Asked, PriceSource};
use crate::quantity::{product, quotient, whole};
use crate::read::usage::Usage;
use crate::resource::{Estate, Inventory, Notes};
use crate::rules::{self, Rule};
use crate::view::{Unpriced, View};

/// What a component costs in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monthly {
    /// This much.
    Known(Amount),
    /// It depends on usage that is not stated.
    Unset,
    /// No price is known for it.
    Unknown,
}

/// A component with its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is paid for, and how much of it.
    pub component: Component,
    /// The price of one unit, if known.
    pub price: Option<Amount>,
    /// The cost in a month.
    pub monthly: Monthly,
}

/// The priced components of a resource or part, as a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Priced {
    /// Its own lines.
    pub lines: Vec<Line>,
    /// Its parts by name.
    pub parts: Vec<(String, Priced)>,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It has components, each with a cost or the reason why not.
    Estimated(Priced),
    /// It costs nothing by itself.
    Free,
    /// There is no rule for it, or not for what it is configured as.
    Unsupported(String),
    /// Its price hangs on an attribute that is known only after apply.
    Unknown(String),
}

/// A resource of an estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimated {
    /// Its address.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// Where it is; empty if not known.
    pub region: String,
    /// What became of it.
    pub status: Status,
    /// Attributes known only after apply, for which a default was taken.
    pub assumed: Vec<String>,
    /// Its cost in a month.
    pub total: Total,
}

/// A sum that says what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// The sum of what is known, in a month.
    pub monthly: Amount,
    /// The part of it that comes from stated usage.
    pub usage: Amount,
    /// Components without a price, and resources that could not be estimated. While there is one, the sum is a lower bound.
    pub unknown: u64,
    /// Components that depend on usage which is not stated.
    pub unset: u64,
}

impl Total {
    /// Adds another sum. What would not fit into 38 digits counts as unknown.
    pub fn add(&mut self, other: &Total) {
        match (self.monthly.checked_add(other.monthly), self.usage.checked_add(other.usage)) {
            (Some(monthly), Some(usage)) => (self.monthly, self.usage) = (monthly, usage),
            _ => self.unknown += 1,
        }
        self.unknown += other.unknown;
        self.unset += other.unset;
    }

    fn line(line: &Line) -> Self {
        match line.monthly {
            Monthly::Known(monthly) => {
                let usage = if line.component.usage { monthly } else { Amount::ZERO };
                Self { monthly, usage, ..Self::default() }
            }
            Monthly::Unset => Self { unset: 1, ..Self::default() },
            Monthly::Unknown => Self { unknown: 1, ..Self::default() },
        }
    }
}

impl Priced {
    /// The sum of its lines and parts.
    pub fn total(&self) -> Total {
        let mut total = Total::default();
        self.lines.iter().for_each(|line| total.add(&Total::line(line)));
        self.parts.iter().for_each(|(_, part)| total.add(&part.total()));
        total
    }
}

/// What a plan or configuration will cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The currency of every amount here.
    pub currency: Currency,
    /// Resources in the order of their addresses.
    pub resources: Vec<Estimated>,
    /// Their sum.
    pub total: Total,
    /// What could not be read, and what was assumed.
    pub notes: Notes,
}

impl Estimate {
    /// How many resources of each type have no rule, by type.
    pub fn unsupported(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for resource in self.resources.iter().filter(|r| matches!(r.status, Status::Unsupported(_))) {
            *counts.entry(resource.kind.as_str()).or_insert(0) += 1;
        }
        counts
    }

    /// How many resources a test of their status holds for.
    pub fn count(&self, test: impl Fn(&Status) -> bool) -> u64 {
        self.resources.iter().filter(|r| test(&r.status)).count() as u64
    }
}

/// Estimates an inventory. Prices in another currency than the one asked for are as good as none; a note says so.
pub fn estimate(inventory: &Inventory, usage: &Usage, prices: &dyn PriceSource, currency: &Currency) -> Estimate {
    let estate = Estate::new(inventory);
    let mut notes = inventory.notes.clone();
    for address in usage.unmatched(inventory) {
        notes.add(format!("usage is stated for {address}, which is not there"));
    }
    let mut total = Total::default();
    let mut resources = Vec::with_capacity(inventory.resources.len());
    for resource in &inventory.resources {
        let view = View::new(resource, &estate, usage);
        let mut pricing = Pricing { address: &resource.address, prices, currency, notes: &mut notes };
        let status = match rules::find(&resource.kind) {
            None => Status::Unsupported("there is no rule for this type".to_owned()),
            Some(Rule::Free) => Status::Free,
            Some(Rule::Priced(service, rule)) => {
                let mut cost = Cost::new(view.query(service));
                match rule(&view, &mut cost) {
                    Ok(()) if cost.is_empty() => Status::Free,
                    Ok(()) => Status::Estimated(pricing.cost(cost, "")),
                    Err(Unpriced::Free) => Status::Free,
                    Err(Unpriced::Unsupported(why)) => Status::Unsupported(why),
                    Err(Unpriced::Unknown(attribute)) => Status::Unknown(attribute),
                }
            }
        };
        let own = match &status {
            Status::Estimated(priced) => priced.total(),
            Status::Free => Total::default(),
            Status::Unsupported(_) | Status::Unknown(_) => Total { unknown: 1, ..Total::default() },
        };
        total.add(&own);
        let assumed = if matches!(status, Status::Estimated(_)) { view.assumed() } else { Vec::new() };
        for attribute in &assumed {
            notes.add(format!("{}: {attribute} is known only after apply: its default is assumed", resource.address));
        }
        resources.push(Estimated {
            address: resource.address.clone(),
            kind: resource.kind.clone(),
            region: view.region(),
            status,
            assumed,
            total: own,
        });
    }
    Estimate { currency: currency.clone(), resources, total, notes }
}

struct Pricing<'a> {
    address: &'a str,
    prices: &'a dyn PriceSource,
    currency: &'a Currency,
    notes: &'a mut Notes,
}

impl Pricing<'_> {
    fn cost(&mut self, cost: Cost, part: &str) -> Priced {
        let lines = cost.components.into_iter().map(|c| self.line(c, part)).collect();
        let parts = cost.parts.into_iter().filter(|(_, c)| !c.is_empty()).map(|(name, cost)| {
            let path = if part.is_empty() { name.clone() } else { format!("{part} / {name}") };
            (name, self.cost(cost, &path))
        });
        Priced { lines, parts: parts.collect() }
    }

    fn line(&mut self, component: Component, part: &str) -> Line {
        let price = component.stated_price.or_else(|| {
            let price = self.prices.price(Asked { address: self.address, part, component: &component })?;
            if price.currency != *self.currency {
                let (has, asked) = (&price.currency.0, &self.currency.0);
                self.notes.add(format!("prices in {has} are left out: the estimate is in {asked}"));
                return None;
            }
            Some(price.amount)
        });
        let monthly = match (component.quantity.0, price) {
            // Nothing of it costs nothing, whatever its price.
            (Some(Amount::ZERO), _) => Monthly::Known(Amount::ZERO),
            (None, _) => Monthly::Unset,
            (Some(quantity), Some(price)) => product(quantity, price).map_or(Monthly::Unknown, Monthly::Known),
            (Some(_), None) => Monthly::Unknown,
        };
        Line { component, price, monthly }
    }
}

/// A month's amount by the hour.
pub fn by_hour(monthly: Amount) -> Option<Amount> {
    quotient(monthly, whole(MONTH_HOURS))
}
