//! `allocations`: the cost of one owner in one window of one resource. Derived from `charges` by the rules of `allocation.toml`; per currency,
//! `sum(cost)` is `sum(effective_cost)` of `charges`.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::builder::{Decimal128Builder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder};
use arrow_schema::{Field, Schema, SchemaRef};

use super::charges::decimal_type;
use super::column::{TextMapBuilder, UTC, append_nonempty, append_pairs, map_builder, text, text_map, timestamp};
use crate::money::Amount;
use crate::time::Timestamp;

/// Start of the window.
pub const WINDOW_START: &str = "window_start";
/// First instant after the charges' own period.
pub const WINDOW_END: &str = "window_end";
/// Who pays; null unless allocated.
pub const OWNER: &str = "owner";
/// The owner's team.
pub const TEAM: &str = "team";
/// The project.
pub const PROJECT: &str = "project";
/// The environment.
pub const ENVIRONMENT: &str = "environment";
/// `allocated`, `idle` or `unallocated`.
pub const KIND: &str = "kind";
/// The rule that decided; null if none did.
pub const RULE: &str = "rule";
/// How much.
pub const COST: &str = "cost";
/// The currency of `cost`.
pub const BILLING_CURRENCY: &str = "billing_currency";
/// Further dimensions, by name.
pub const DIMENSIONS: &str = "dimensions";
/// The resource, as the charge spells it.
pub const RESOURCE_ID: &str = "resource_id";
/// The service.
pub const SERVICE_NAME: &str = "service_name";
/// The sub-account.
pub const SUB_ACCOUNT_ID: &str = "sub_account_id";
/// The region.
pub const REGION_ID: &str = "region_id";
/// Who sells the service.
pub const SERVICE_PROVIDER_NAME: &str = "service_provider_name";
/// The category of the charges.
pub const CHARGE_CATEGORY: &str = "charge_category";
/// Start of the billing period.
pub const BILLING_PERIOD_START: &str = "billing_period_start";
/// The import that brought the charges.
pub const IMPORT_ID: &str = "import_id";
/// How many charges the cost is, or is a part, of.
pub const CHARGES: &str = "charges";

/// Dimensions that are columns of their own.
pub const OWN_DIMENSIONS: [&str; 3] = [TEAM, PROJECT, ENVIRONMENT];

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            timestamp(WINDOW_START, false),
            timestamp(WINDOW_END, false),
            text(OWNER, true),
            text(TEAM, true),
            text(PROJECT, true),
            text(ENVIRONMENT, true),
            text(KIND, false),
            text(RULE, true),
            Field::new(COST, decimal_type(), false),
            text(BILLING_CURRENCY, false),
            text_map(DIMENSIONS),
            text(RESOURCE_ID, true),
            text(SERVICE_NAME, true),
            text(SUB_ACCOUNT_ID, true),
            text(REGION_ID, true),
            text(SERVICE_PROVIDER_NAME, true),
            text(CHARGE_CATEGORY, true),
            timestamp(BILLING_PERIOD_START, false),
            text(IMPORT_ID, false),
            Field::new(CHARGES, arrow_schema::DataType::UInt64, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// What a row says of the charges that it is a part of. Empty text is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin<'a> {
    /// See [`WINDOW_START`].
    pub window_start: Timestamp,
    /// See [`WINDOW_END`].
    pub window_end: Timestamp,
    /// See [`BILLING_CURRENCY`].
    pub currency: &'a str,
    /// See [`RESOURCE_ID`].
    pub resource: &'a str,
    /// See [`SERVICE_NAME`].
    pub service: &'a str,
    /// See [`SUB_ACCOUNT_ID`].
    pub account: &'a str,
    /// See [`REGION_ID`].
    pub region: &'a str,
    /// See [`SERVICE_PROVIDER_NAME`].
    pub provider: &'a str,
    /// See [`CHARGE_CATEGORY`].
    pub category: &'a str,
    /// See [`BILLING_PERIOD_START`].
    pub billing_period: Timestamp,
    /// See [`IMPORT_ID`].
    pub import_id: &'a str,
    /// See [`CHARGES`].
    pub charges: u64,
}

/// Who pays how much of it. Empty text is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share<'a> {
    /// See [`OWNER`].
    pub owner: &'a str,
    /// See [`KIND`].
    pub kind: &'a str,
    /// See [`RULE`].
    pub rule: &'a str,
    /// See [`COST`].
    pub cost: Amount,
}

/// Builds a batch of [`schema`], row by row.
pub struct AllocationsBuilder {
    window_start: TimestampNanosecondBuilder,
    window_end: TimestampNanosecondBuilder,
    /// Owner, the own dimensions, kind, rule.
    said: [StringBuilder; 6],
    cost: Decimal128Builder,
    currency: StringBuilder,
    dimensions: TextMapBuilder,
    /// Resource to category, in the order of the schema.
    origin: [StringBuilder; 6],
    billing_period: TimestampNanosecondBuilder,
    import_id: StringBuilder,
    charges: UInt64Builder,
    rows: usize,
}

impl Default for AllocationsBuilder {
    fn default() -> Self {
        let time = || TimestampNanosecondBuilder::new().with_timezone(UTC);
        Self {
            window_start: time(),
            window_end: time(),
            said: std::array::from_fn(|_| StringBuilder::new()),
            cost: Decimal128Builder::new().with_data_type(decimal_type()),
            currency: StringBuilder::new(),
            dimensions: map_builder(),
            origin: std::array::from_fn(|_| StringBuilder::new()),
            billing_period: time(),
            import_id: StringBuilder::new(),
            charges: UInt64Builder::new(),
            rows: 0,
        }
    }
}

impl AllocationsBuilder {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row; `dimensions` have distinct names.
    pub fn push<'a>(
        &mut self,
        origin: &Origin<'_>,
        share: &Share<'_>,
        dimensions: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) {
        self.rows += 1;
        self.window_start.append_value(origin.window_start.0);
        self.window_end.append_value(origin.window_end.0);
        let own =
            OWN_DIMENSIONS.map(|name| dimensions.clone().find(|(k, _)| *k == name).map_or("", |(_, value)| value));
        let said = [share.owner, own[0], own[1], own[2], share.kind, share.rule];
        for (builder, value) in self.said.iter_mut().zip(said) {
            append_nonempty(builder, value);
        }
        self.cost.append_value(share.cost.0);
        self.currency.append_value(origin.currency);
        append_pairs(&mut self.dimensions, dimensions.filter(|(k, _)| !OWN_DIMENSIONS.contains(k)));
        let texts = [origin.resource, origin.service, origin.account, origin.region, origin.provider, origin.category];
        for (builder, value) in self.origin.iter_mut().zip(texts) {
            append_nonempty(builder, value);
        }
        self.billing_period.append_value(origin.billing_period.0);
        self.import_id.append_value(origin.import_id);
        self.charges.append_value(origin.charges);
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let mut columns: Vec<arrow_array::ArrayRef> =
            vec![Arc::new(self.window_start.finish()), Arc::new(self.window_end.finish())];
        columns.extend(self.said.iter_mut().map(|b| Arc::new(b.finish()) as arrow_array::ArrayRef));
        columns.push(Arc::new(self.cost.finish()));
        columns.push(Arc::new(self.currency.finish()));
        columns.push(Arc::new(self.dimensions.finish()));
        columns.extend(self.origin.iter_mut().map(|b| Arc::new(b.finish()) as arrow_array::ArrayRef));
        columns.push(Arc::new(self.billing_period.finish()));
        columns.push(Arc::new(self.import_id.finish()));
        columns.push(Arc::new(self.charges.finish()));
        RecordBatch::try_new(schema(), columns).expect("columns match the schema of allocations, required ones are set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_match_the_schema() {
        let mut b = AllocationsBuilder::default();
        let origin = Origin { currency: "USD", import_id: "i", charges: 3, ..Origin::default() };
        let share = Share { owner: "", kind: "idle", rule: "", cost: Amount(5) };
        b.push(&origin, &share, [("team", "a"), ("stage", "x")].into_iter());
        assert_eq!(b.len(), 1);
        let batch = b.finish();
        assert_eq!((batch.num_rows(), batch.schema(), b.is_empty()), (1, schema(), true));
        let nulls: Vec<&str> = (0..batch.num_columns())
            .filter(|i| batch.column(*i).null_count() == 1)
            .map(|i| schema().field(i).name().clone().leak() as &str)
            .collect();
        assert_eq!(nulls[..4], ["owner", "project", "environment", "rule"]);
    }
}
