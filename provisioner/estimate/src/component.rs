//! What a resource costs, before prices: components with unit and monthly quantity, in named parts, and what to ask a price
//! book for each.

use std::collections::BTreeMap;

use grid_model::Amount;

use crate::quantity::Quantity;

/// Hours of a month, as every price list of the field has it: 365 days / 12 x 24 h.
pub const MONTH_HOURS: i64 = 730;

/// What a price book is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// `aws`, `azure` or `gcp`.
    pub provider: &'static str,
    /// The cloud's own name of the service, such as `AmazonEC2`.
    pub service: &'static str,
    /// Region as the cloud names it; empty where it is not known.
    pub region: String,
    /// Type of the resource, such as `aws_instance`.
    pub kind: String,
    /// What narrows it down, such as `instance_type` and `operating_system`.
    pub attributes: BTreeMap<&'static str, String>,
}

/// One line of a bill to come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Component {
    /// What is paid for.
    pub name: String,
    /// One of what, in words: `GB`, `1M requests`.
    pub unit: String,
    /// How many units a month. Unset: it depends on usage that is not stated.
    pub quantity: Quantity,
    /// Paid while it exists, by the hour: the monthly quantity is 730 hours of it.
    pub hourly: bool,
    /// The quantity comes from stated usage, not from the configuration.
    pub usage: bool,
    /// How many of what a price book counts make one unit here: a million requests.
    pub scale: Quantity,
    /// A unit price that the user has stated himself.
    pub stated_price: Option<Amount>,
    /// What to ask for its price.
    pub query: Query,
}

impl Component {
    /// Narrows the question for the price.
    pub fn with(&mut self, key: &'static str, value: impl Into<String>) -> &mut Self {
        self.query.attributes.insert(key, value.into());
        self
    }

    /// Says that so many of what was counted make one unit: divides the quantity.
    pub fn per(&mut self, scale: i64) -> &mut Self {
        self.quantity = self.quantity / scale;
        self.scale = Quantity::of(scale);
        self
    }

    /// Says how many of what a price book counts one unit holds, where the quantity is already in units.
    pub fn scaled(&mut self, scale: impl Into<Quantity>) -> &mut Self {
        self.scale = scale.into();
        self
    }

    /// Says that the quantity comes from usage.
    pub fn by_usage(&mut self) -> &mut Self {
        self.usage = true;
        self
    }

    /// Uses the user's own price if there is one.
    pub fn at_price(&mut self, price: Quantity) -> &mut Self {
        self.stated_price = price.0;
        self
    }
}

/// The components of a resource, or of a part of it such as a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cost {
    /// Its own components, in the order they are shown.
    pub components: Vec<Component>,
    /// Its parts by name; names may repeat (two disks).
    pub parts: Vec<(String, Cost)>,
    /// What its components' queries start from.
    pub query: Query,
}

impl Cost {
    /// A cost whose components ask for prices of this resource.
    pub fn new(query: Query) -> Self {
        Self { query, ..Self::default() }
    }

    /// Adds a component with a quantity that the configuration fixes.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        unit: impl Into<String>,
        quantity: impl Into<Quantity>,
    ) -> &mut Component {
        self.components.push(Component {
            name: name.into(),
            unit: unit.into(),
            quantity: quantity.into(),
            scale: Quantity::of(1),
            query: self.query.clone(),
            ..Component::default()
        });
        let last = self.components.len() - 1;
        &mut self.components[last]
    }

    /// Adds something of which `count` run all month: 730 hours each.
    pub fn hours(&mut self, name: impl Into<String>, count: impl Into<Quantity>) -> &mut Component {
        self.hourly(name, "hours", count.into() * MONTH_HOURS)
    }

    /// Adds something that is paid while it exists, with its monthly quantity in its own unit.
    pub fn hourly(
        &mut self,
        name: impl Into<String>,
        unit: impl Into<String>,
        monthly: impl Into<Quantity>,
    ) -> &mut Component {
        let component = self.add(name, unit, monthly);
        component.hourly = true;
        component
    }

    /// Adds a component whose quantity somebody states in a usage file; unset otherwise.
    pub fn usage(
        &mut self,
        name: impl Into<String>,
        unit: impl Into<String>,
        quantity: impl Into<Quantity>,
    ) -> &mut Component {
        let component = self.add(name, unit, quantity);
        component.usage = true;
        component
    }

    /// Adds tiers of a volume: each as large as said, the last one without end (`None`). A tier that the volume does not reach is
    /// left out; of an unset volume the first tier stands alone, unset. `scale` units of the volume make one unit of the price.
    pub fn tiers(&mut self, unit: &str, volume: Quantity, scale: i64, tiers: &[(String, Option<i64>)]) {
        if !volume.is_set() {
            if let Some((name, _)) = tiers.first() {
                self.usage(name, unit, Quantity::UNSET).scaled(scale).with("tier", "0");
            }
            return;
        }
        let mut left = volume;
        for (i, (name, size)) in tiers.iter().enumerate() {
            let taken = size.map_or(left, |size| left.min(size));
            if taken.is_positive() || i == 0 {
                self.usage(name, unit, taken).per(scale).with("tier", i.to_string());
            }
            left = left - taken;
        }
    }

    /// Adds a part, such as a disk of a machine.
    pub fn part(&mut self, name: impl Into<String>) -> &mut Cost {
        self.parts.push((name.into(), Cost::new(self.query.clone())));
        let last = self.parts.len() - 1;
        &mut self.parts[last].1
    }

    /// Whether there is nothing to pay for.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty() && self.parts.iter().all(|(_, p)| p.is_empty())
    }

    /// Multiplies every quantity: a group of machines has each disk many times.
    pub fn multiply(&mut self, by: Quantity) {
        self.components.iter_mut().for_each(|c| c.quantity = c.quantity * by);
        self.parts.iter_mut().for_each(|(_, p)| p.multiply(by));
    }
}
