//! What resources cost: each is rendered for its cloud as a spec would be, and estimated. Prices of machines come from the tenant's own bills and price
//! books, which are asked before ([`TypePrices::machines`]); others from a price file that the environment keeps. What depends on usage that nobody states
//! is unknown, never zero.

use std::collections::{BTreeMap, BTreeSet};

use grid_estimate::book::{self, Book, Machine};
use grid_estimate::estimate::{Estimate, Monthly, Priced, Status};
use grid_estimate::read::hcl;
use grid_estimate::{Inventory, PriceFile, PriceSource, Usage};
use grid_model::{Amount, Currency};
use grid_plan::cost::{Cost, Prices, Range};
use grid_plan::{Address, Fields};
use grid_types::{Format, Spec, Target};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::spec;

/// The field by which a machine rests.
const RUNNING: &str = "running";

/// Prices of one environment.
pub struct TypePrices {
    target: Target,
    currency: Currency,
    usage: Usage,
    file: Option<PriceFile>,
    machines: BTreeMap<Machine, Amount>,
    /// What resources are wanted to be: their references stand in for what has been looked up since.
    wanted: BTreeMap<Address, Fields>,
    /// What files and machines say, by content.
    name: String,
    files_name: String,
    known: Mutex<BTreeMap<String, Cost>>,
}

impl TypePrices {
    /// Of a place. `usage` and `file` are texts as `grid cost estimate` takes them.
    pub fn new(
        target: Target,
        currency: Currency,
        usage: Option<&str>,
        file: Option<&str>,
        wanted: BTreeMap<Address, Fields>,
    ) -> Result<Self, String> {
        let digest = Sha256::digest(format!("{target:?}\n{}\n{}", usage.unwrap_or(""), file.unwrap_or("")).as_bytes());
        let files_name: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        let usage = usage.map_or_else(|| Ok(Usage::default()), |text| Usage::read("usage", text));
        let file = file.map(|text| PriceFile::read("prices", text)).transpose();
        Ok(Self {
            usage: usage.map_err(|e| e.to_string())?,
            file: file.map_err(|e| e.to_string())?,
            name: files_name.clone(),
            files_name,
            target,
            currency,
            machines: BTreeMap::new(),
            wanted,
            known: Mutex::default(),
        })
    }

    /// The machines whose prices will be asked for, of some resources.
    pub fn machines<'a>(&self, of: impl IntoIterator<Item = (&'a Address, &'a Fields)>) -> BTreeSet<Machine> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for (address, fields) in of {
            if seen.insert(self.key(address, fields))
                && let Ok((all, _)) = self.inventories(address, fields)
            {
                found.extend(book::machines([&all], &self.usage));
            }
        }
        found
    }

    /// With what the books said of machines.
    pub fn with(mut self, machines: BTreeMap<Machine, Amount>) -> Self {
        let text = format!("{machines:?}");
        let digest = Sha256::digest(text.as_bytes());
        let digits: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        self.name = format!("{}-{digits}", self.files_name);
        self.machines = machines;
        self.known.lock().clear();
        self
    }

    /// Resources that differ by name only cost the same.
    fn key(&self, address: &Address, fields: &Fields) -> String {
        let needs: Vec<String> = self.closure(address).iter().map(|a| a.kind().to_owned()).collect();
        format!("{} {} {needs:?}", address.kind(), fields.to_json())
    }

    /// What a resource refers to, directly and through others.
    fn closure(&self, address: &Address) -> BTreeSet<Address> {
        let mut all = BTreeSet::new();
        let mut open: Vec<Address> = self.wanted.get(address).map(Fields::references).into_iter().flatten().collect();
        while let Some(at) = open.pop() {
            if at != *address && self.wanted.contains_key(&at) && all.insert(at.clone()) {
                open.extend(self.wanted[&at].references());
            }
        }
        all
    }

    /// The resource with what it refers to, and that alone.
    fn inventories(&self, address: &Address, fields: &Fields) -> Result<(Inventory, Option<Inventory>), String> {
        let mut own = fields.clone();
        // What has been looked up since, or is not known yet, is referred to as it was wanted.
        for (path, value) in self.wanted.get(address).into_iter().flat_map(Fields::iter) {
            let is_reference = Fields::from_iter([(path.clone(), value.clone())]).references().iter().next().is_some();
            if is_reference {
                own.set(path, value);
            }
        }
        let closure = self.closure(address);
        let others: Vec<(&Address, &Fields)> = closure.iter().filter_map(|a| Some((a, self.wanted.get(a)?))).collect();
        let without = if others.is_empty() { None } else { Some(self.inventory(&others)?) };
        let mut all = others;
        all.push((address, &own));
        Ok((self.inventory(&all)?, without))
    }

    fn inventory(&self, of: &[(&Address, &Fields)]) -> Result<Inventory, String> {
        let text = spec::text(of.iter().copied());
        let spec = Spec::read(&text, Format::Json).map_err(|problems| {
            problems.list.first().map_or_else(|| "it is no spec".to_owned(), |p| format!("{}: {}", p.path, p.what))
        })?;
        let rendered = grid_types::render(&spec, &self.target).map_err(|e| crate::error::chain(&e))?;
        hcl::read(&rendered.files, BTreeMap::new()).map_err(|e| e.to_string())
    }

    fn estimate(&self, inventory: &Inventory) -> Estimate {
        let book = Box::new(Book { machines: self.machines.clone(), currency: self.currency.clone() });
        let mut sources: Vec<Box<dyn PriceSource>> = Vec::new();
        if let Some(file) = &self.file {
            sources.push(Box::new(file.clone()));
        }
        sources.push(book);
        grid_estimate::estimate(inventory, &self.usage, &sources, &self.currency)
    }

    fn cost(&self, address: &Address, fields: &Fields) -> Cost {
        let (all, without) = match self.inventories(address, fields) {
            Ok(found) => found,
            Err(why) => return Cost::Unknown(why),
        };
        let (all, without) = (self.estimate(&all), without.map(|w| self.estimate(&w)));
        let base = without.as_ref().map(|w| w.total).unwrap_or_default();
        let rests = fields.get(&grid_plan::Path::of([RUNNING])) == Some(&Value::Bool(false));
        let hours = if rests { all.resources.iter().map(|r| hours(&r.status)).fold((0, 0), sum) } else { (0, 0) };
        if all.total.unknown.saturating_sub(hours.1) > base.unknown {
            return Cost::Unknown(unknown(&all));
        }
        if all.total.unset > base.unset {
            return Cost::Unknown("it depends on usage that nobody has stated".to_owned());
        }
        let monthly = all.total.monthly.0.saturating_sub(base.monthly.0).saturating_sub(hours.0);
        Cost::Known(Range::exact(Amount(monthly)))
    }
}

fn sum(a: (i128, u64), b: (i128, u64)) -> (i128, u64) {
    (a.0.saturating_add(b.0), a.1 + b.1)
}

/// What a machine costs by the hour: what is saved while it rests, and how much of that is not known.
fn hours(status: &Status) -> (i128, u64) {
    fn of(priced: &Priced) -> (i128, u64) {
        let own = priced.lines.iter().filter(|l| l.component.name.starts_with("Instance usage"));
        let own = own.map(|l| match l.monthly {
            Monthly::Known(amount) => (amount.0, 0),
            Monthly::Unknown => (0, 1),
            Monthly::Unset => (0, 0),
        });
        own.chain(priced.parts.iter().map(|(_, part)| of(part))).fold((0, 0), sum)
    }
    match status {
        Status::Estimated(priced) => of(priced),
        _ => (0, 0),
    }
}

/// The first thing that is not known, in words.
fn unknown(estimate: &Estimate) -> String {
    fn line(priced: &Priced) -> Option<String> {
        let own = priced.lines.iter().find(|l| l.monthly == Monthly::Unknown);
        own.map(|l| format!("no price book or bill has a price for {:?}", l.component.name))
            .or_else(|| priced.parts.iter().find_map(|(_, part)| line(part)))
    }
    let found = estimate.resources.iter().find_map(|r| match &r.status {
        Status::Estimated(priced) => line(priced),
        Status::Free => None,
        Status::Unsupported(why) | Status::Unknown(why) => Some(format!("{}: {why}", r.kind)),
    });
    found.unwrap_or_else(|| "something of it has no price".to_owned())
}

impl Prices for TypePrices {
    fn book(&self) -> String {
        self.name.clone()
    }

    fn currency(&self) -> Currency {
        self.currency.clone()
    }

    fn monthly(&self, address: &Address, fields: &Fields) -> Cost {
        let key = self.key(address, fields);
        if let Some(known) = self.known.lock().get(&key) {
            return known.clone();
        }
        let cost = self.cost(address, fields);
        self.known.lock().insert(key, cost.clone());
        cost
    }
}
