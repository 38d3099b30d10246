//! One charge, before it takes the shape of a cloud's export.

use grid_model::Amount;

/// A charge of one resource on one day.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) kind: Kind,
    /// Days since the epoch.
    pub(crate) day: i64,
    /// The account, subscription or project that used it.
    pub(crate) account: &'static str,
    /// Empty if the charge belongs to no single resource.
    pub(crate) resource_id: String,
    pub(crate) resource_name: String,
    pub(crate) item: &'static Item,
    /// What is metered, e.g. `BoxUsage:m5.xlarge`.
    pub(crate) usage_type: String,
    pub(crate) zone: String,
    /// Millionths of `item.unit`.
    pub(crate) quantity: i64,
    /// List price per unit in 10^-9 of the currency.
    pub(crate) price: i64,
    /// What is invoiced.
    pub(crate) billed: Amount,
    /// What the use is worth after commitments are spread over it.
    pub(crate) effective: Amount,
    /// Tags: team, service. Empty ones are not set.
    pub(crate) tags: [(&'static str, &'static str); 3],
    /// Whether the restated day's mistake lies here.
    pub(crate) restated: bool,
}

/// What sort of charge.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Use at the list price.
    Usage,
    /// Use that a commitment pays for.
    Covered(Commitment),
    /// AWS' counter-entry to covered use.
    Negation(Commitment),
    /// The day's fee of a commitment; carries how much of it was used.
    Fee(Commitment, Amount),
}

/// A promise to spend, for a lower price.
#[derive(Debug, Clone)]
pub(crate) struct Commitment {
    pub(crate) id: String,
    /// Price per unit under the commitment, in 10^-9.
    pub(crate) rate: i64,
}

/// A thing that a cloud sells.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// AWS' product code; a SKU prefix elsewhere.
    pub(crate) code: &'static str,
    pub(crate) service: &'static str,
    pub(crate) family: &'static str,
    /// FOCUS' service category and subcategory.
    pub(crate) category: (&'static str, &'static str),
    pub(crate) operation: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) resource_type: &'static str,
}

/// Quantity in millionths times price in billionths, exactly.
pub(crate) fn product(quantity: i64, price: i64) -> Amount {
    Amount(i128::from(quantity) * i128::from(price) * 1000)
}

/// A quantity in millionths as decimal text.
pub(crate) fn quantity_text(quantity: i64) -> String {
    Amount(i128::from(quantity) * 1_000_000_000_000).to_string()
}

/// A price in billionths as decimal text.
pub(crate) fn price_text(price: i64) -> String {
    Amount(i128::from(price) * 1_000_000_000).to_string()
}

impl Charge {
    /// Use at the list price.
    pub(crate) fn usage(
        day: i64,
        account: &'static str,
        item: &'static Item,
        usage_type: impl Into<String>,
        (resource_id, resource_name): (&str, &str),
        (quantity, price): (i64, i64),
    ) -> Self {
        let cost = product(quantity, price);
        Self {
            kind: Kind::Usage,
            day,
            account,
            resource_id: resource_id.to_owned(),
            resource_name: resource_name.to_owned(),
            item,
            usage_type: usage_type.into(),
            zone: String::new(),
            quantity,
            price,
            billed: cost,
            effective: cost,
            tags: [("", ""); 3],
            restated: false,
        }
    }

    pub(crate) fn tagged(mut self, team: &'static str, service: &'static str) -> Self {
        self.tags = [("env", "production"), ("service", service), ("team", team)];
        self
    }

    pub(crate) fn zoned(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    /// Marks the charge that is wrong on the restated day.
    pub(crate) fn restatable(mut self) -> Self {
        self.restated = true;
        self
    }

    /// Bills the same use `factor` times.
    pub(crate) fn repeat(&mut self, factor: i64) {
        self.quantity *= factor;
        self.billed = product(self.quantity, self.price);
        self.effective = self.billed;
    }

    /// Tags that are set.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.tags.into_iter().filter(|(_, v)| !v.is_empty())
    }

    /// The value of a tag, empty if it is not set.
    pub(crate) fn tag(&self, name: &str) -> &'static str {
        self.tags().find(|(k, _)| *k == name).map_or("", |(_, v)| v)
    }
}
