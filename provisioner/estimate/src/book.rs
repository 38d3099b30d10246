//! Machines by the hour, as price books list them: which ones an estimate will ask for, and a source made of what a book answered. A
//! book is asked over tables and networks, which a price source is not, so that it is asked before.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};

use grid_model::{Amount, Currency};

use crate::estimate::estimate;
use crate::price::{Asked, Price, PriceSource};
use crate::read::usage::Usage;
use crate::resource::Inventory;

/// A machine on demand, with shared hardware.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// `aws`, `azure` or `gcp`.
    pub provider: &'static str,
    /// The provider's code of the service.
    pub service: &'static str,
    /// The type, such as `m5.large`.
    pub kind: String,
    /// The region.
    pub region: String,
    /// `linux`, `windows`, ...
    pub system: String,
}

impl Machine {
    fn of(asked: Asked<'_>) -> Option<Self> {
        let query = &asked.component.query;
        let attribute = |name: &str| query.attributes.get(name).map(String::as_str);
        let kind = attribute("instance_type").or_else(|| attribute("size")).or_else(|| attribute("machine_type"))?;
        let option = attribute("purchase_option").unwrap_or_default();
        let by_hour = asked.component.unit == "hours" && asked.component.name.starts_with("Instance usage (");
        let shared = attribute("tenancy").is_none_or(|t| t == "default");
        if !by_hour || !shared || !["on-demand", "pay as you go"].contains(&option) || query.region.is_empty() {
            return None;
        }
        let system = match attribute("operating_system").unwrap_or_default() {
            "Linux/UNIX" | "Linux" => "linux".to_owned(),
            other => other.to_lowercase(),
        };
        Some(Self {
            provider: query.provider,
            service: query.service,
            kind: kind.to_owned(),
            region: query.region.clone(),
            system,
        })
    }
}

/// The machines whose prices estimates of some inventories will ask for.
pub fn machines<'a>(inventories: impl IntoIterator<Item = &'a Inventory>, usage: &Usage) -> BTreeSet<Machine> {
    let recorder = Recorder::default();
    for inventory in inventories {
        // The currency does not matter: nothing has a price yet.
        estimate(inventory, usage, &recorder, &Currency(String::new()));
    }
    recorder.0.into_inner()
}

#[derive(Default)]
struct Recorder(Mutex<BTreeSet<Machine>>);

impl PriceSource for Recorder {
    fn price(&self, asked: Asked<'_>) -> Option<Price> {
        let machine = Machine::of(asked)?;
        self.0.lock().insert(machine);
        None
    }
}

/// What books answered: the price of an hour, in one currency.
#[derive(Debug, Clone)]
pub struct Book {
    /// By machine.
    pub machines: BTreeMap<Machine, Amount>,
    /// Of all of them.
    pub currency: Currency,
}

impl PriceSource for Book {
    fn price(&self, asked: Asked<'_>) -> Option<Price> {
        let amount = *self.machines.get(&Machine::of(asked)?)?;
        Some(Price { amount, currency: self.currency.clone() })
    }
}
