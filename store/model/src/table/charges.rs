//! `charges`: one charge of a bill, in the words of FOCUS 1.4. Column names are the snake case of FOCUS' names.
//!
//! [`Column`] is the closed list of FOCUS columns that hold one value; beside them stand `tags`, `x_columns` (whatever else
//! the source said, by its own name) and where the row comes from (`import_id`, `source`, `source_file`, `source_row`).
//! Columns that later versions dropped (`provider_name`, `publisher_name`) are kept: FOCUS 1.0 to 1.2 bills carry them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    ArrayBuilder as _, Decimal128Builder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::column::{TextMapBuilder, UTC, append_pairs, map_builder, text, text_map, timestamp};
use crate::money::{Amount, PRECISION, SCALE};
use crate::time::Timestamp;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; FOCUS' JSON columns other than tags are kept as their JSON text.
    Text,
    /// An exact decimal: a cost, a unit price or a quantity.
    Amount,
    /// An instant.
    Time,
}

/// Declares every FOCUS column once: variant = FOCUS' name, then our name, what it holds, whether null is refused.
macro_rules! columns {
    ($($(#[doc = $doc:literal])* $focus:ident $name:ident = $text:literal $kind:ident $required:literal,)*) => {
        /// A FOCUS column that holds one value. Variants carry FOCUS' own names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Column { $($(#[doc = $doc])* $focus,)* }

        $($(#[doc = $doc])* pub const $name: &str = $text;)*

        impl Column {
            /// Every column, in the order of the schema.
            pub const ALL: &[Self] = &[$(Self::$focus,)*];

            /// The name at rest and in SQL.
            pub fn name(self) -> &'static str {
                match self { $(Self::$focus => $text,)* }
            }

            /// The name in FOCUS.
            pub fn focus_name(self) -> &'static str {
                match self { $(Self::$focus => stringify!($focus),)* }
            }

            /// What it holds.
            pub fn kind(self) -> Kind {
                match self { $(Self::$focus => Kind::$kind,)* }
            }

            /// Whether every charge has it.
            pub fn is_required(self) -> bool {
                match self { $(Self::$focus => $required,)* }
            }
        }
    };
}

columns! {
    /// How the cost of a shared resource was split (JSON; FOCUS 1.3).
    AllocatedMethodDetails ALLOCATED_METHOD_DETAILS = "allocated_method_details" Text false,
    /// Which method split the cost of a shared resource (FOCUS 1.3).
    AllocatedMethodId ALLOCATED_METHOD_ID = "allocated_method_id" Text false,
    /// The resource to which a shared cost was allocated (FOCUS 1.3).
    AllocatedResourceId ALLOCATED_RESOURCE_ID = "allocated_resource_id" Text false,
    /// The name of that resource (FOCUS 1.3).
    AllocatedResourceName ALLOCATED_RESOURCE_NAME = "allocated_resource_name" Text false,
    /// The tags of that resource (JSON; FOCUS 1.3).
    AllocatedTags ALLOCATED_TAGS = "allocated_tags" Text false,
    /// The availability zone.
    AvailabilityZone AVAILABILITY_ZONE = "availability_zone" Text false,
    /// What is invoiced.
    BilledCost BILLED_COST = "billed_cost" Amount true,
    /// The account that is billed.
    BillingAccountId BILLING_ACCOUNT_ID = "billing_account_id" Text true,
    /// The name of the account that is billed.
    BillingAccountName BILLING_ACCOUNT_NAME = "billing_account_name" Text false,
    /// What the provider calls such an account (FOCUS 1.2).
    BillingAccountType BILLING_ACCOUNT_TYPE = "billing_account_type" Text false,
    /// The currency of all costs of the row.
    BillingCurrency BILLING_CURRENCY = "billing_currency" Text true,
    /// First instant after the billing period.
    BillingPeriodEnd BILLING_PERIOD_END = "billing_period_end" Time true,
    /// Start of the period for which the charge is billed.
    BillingPeriodStart BILLING_PERIOD_START = "billing_period_start" Time true,
    /// The capacity reservation (FOCUS 1.1).
    CapacityReservationId CAPACITY_RESERVATION_ID = "capacity_reservation_id" Text false,
    /// `Used` or `Unused` (FOCUS 1.1).
    CapacityReservationStatus CAPACITY_RESERVATION_STATUS = "capacity_reservation_status" Text false,
    /// `Usage`, `Purchase`, `Tax`, `Credit` or `Adjustment`.
    ChargeCategory CHARGE_CATEGORY = "charge_category" Text true,
    /// `Correction` of an earlier billing period, or null.
    ChargeClass CHARGE_CLASS = "charge_class" Text false,
    /// What the provider wrote about the charge.
    ChargeDescription CHARGE_DESCRIPTION = "charge_description" Text false,
    /// `One-Time`, `Recurring` or `Usage-Based`.
    ChargeFrequency CHARGE_FREQUENCY = "charge_frequency" Text false,
    /// First instant after the period in which the charge arose.
    ChargePeriodEnd CHARGE_PERIOD_END = "charge_period_end" Time true,
    /// Start of the period in which the charge arose.
    ChargePeriodStart CHARGE_PERIOD_START = "charge_period_start" Time true,
    /// `Spend` or `Usage`.
    CommitmentDiscountCategory COMMITMENT_DISCOUNT_CATEGORY = "commitment_discount_category" Text false,
    /// The commitment that priced the charge.
    CommitmentDiscountId COMMITMENT_DISCOUNT_ID = "commitment_discount_id" Text false,
    /// Its name.
    CommitmentDiscountName COMMITMENT_DISCOUNT_NAME = "commitment_discount_name" Text false,
    /// How much of the commitment was used or purchased (FOCUS 1.1).
    CommitmentDiscountQuantity COMMITMENT_DISCOUNT_QUANTITY = "commitment_discount_quantity" Amount false,
    /// `Used` or `Unused`.
    CommitmentDiscountStatus COMMITMENT_DISCOUNT_STATUS = "commitment_discount_status" Text false,
    /// What the provider calls such a commitment.
    CommitmentDiscountType COMMITMENT_DISCOUNT_TYPE = "commitment_discount_type" Text false,
    /// The unit of `commitment_discount_quantity` (FOCUS 1.1).
    CommitmentDiscountUnit COMMITMENT_DISCOUNT_UNIT = "commitment_discount_unit" Text false,
    /// For which commitment programs the charge was eligible (JSON; FOCUS 1.4).
    CommitmentProgramEligibilityDetails COMMITMENT_PROGRAM_ELIGIBILITY_DETAILS =
        "commitment_program_eligibility_details" Text false,
    /// How much was used.
    ConsumedQuantity CONSUMED_QUANTITY = "consumed_quantity" Amount false,
    /// The unit of `consumed_quantity`.
    ConsumedUnit CONSUMED_UNIT = "consumed_unit" Text false,
    /// Which contract commitments the charge counts towards (JSON; FOCUS 1.3).
    ContractApplied CONTRACT_APPLIED = "contract_applied" Text false,
    /// Cost at the negotiated price, without commitment discounts.
    ContractedCost CONTRACTED_COST = "contracted_cost" Amount true,
    /// The negotiated price of one pricing unit.
    ContractedUnitPrice CONTRACTED_UNIT_PRICE = "contracted_unit_price" Amount false,
    /// Cost with prepayments amortised.
    EffectiveCost EFFECTIVE_COST = "effective_cost" Amount true,
    /// On whose infrastructure the service runs (FOCUS 1.3).
    HostProviderName HOST_PROVIDER_NAME = "host_provider_name" Text false,
    /// The line of the invoice (FOCUS 1.4).
    InvoiceDetailId INVOICE_DETAIL_ID = "invoice_detail_id" Text false,
    /// The invoice (FOCUS 1.2).
    InvoiceId INVOICE_ID = "invoice_id" Text false,
    /// Who writes the invoice.
    InvoiceIssuerName INVOICE_ISSUER_NAME = "invoice_issuer_name" Text false,
    /// Cost at the public price.
    ListCost LIST_COST = "list_cost" Amount true,
    /// The public price of one pricing unit.
    ListUnitPrice LIST_UNIT_PRICE = "list_unit_price" Amount false,
    /// `Standard`, `Dynamic`, `Committed` or `Other`.
    PricingCategory PRICING_CATEGORY = "pricing_category" Text false,
    /// The currency in which prices are quoted (FOCUS 1.2).
    PricingCurrency PRICING_CURRENCY = "pricing_currency" Text false,
    /// `contracted_unit_price` in the pricing currency (FOCUS 1.2).
    PricingCurrencyContractedUnitPrice PRICING_CURRENCY_CONTRACTED_UNIT_PRICE =
        "pricing_currency_contracted_unit_price" Amount false,
    /// `effective_cost` in the pricing currency (FOCUS 1.2).
    PricingCurrencyEffectiveCost PRICING_CURRENCY_EFFECTIVE_COST = "pricing_currency_effective_cost" Amount false,
    /// `list_unit_price` in the pricing currency (FOCUS 1.2).
    PricingCurrencyListUnitPrice PRICING_CURRENCY_LIST_UNIT_PRICE = "pricing_currency_list_unit_price" Amount false,
    /// How many pricing units were charged.
    PricingQuantity PRICING_QUANTITY = "pricing_quantity" Amount false,
    /// The unit of `pricing_quantity`.
    PricingUnit PRICING_UNIT = "pricing_unit" Text false,
    /// The region's id.
    RegionId REGION_ID = "region_id" Text false,
    /// The region's name.
    RegionName REGION_NAME = "region_name" Text false,
    /// The resource; the join key to telemetry.
    ResourceId RESOURCE_ID = "resource_id" Text false,
    /// Its name.
    ResourceName RESOURCE_NAME = "resource_name" Text false,
    /// What kind of resource it is.
    ResourceType RESOURCE_TYPE = "resource_type" Text false,
    /// FOCUS' category of the service.
    ServiceCategory SERVICE_CATEGORY = "service_category" Text false,
    /// The service.
    ServiceName SERVICE_NAME = "service_name" Text true,
    /// Who sells the service (FOCUS 1.3); of an earlier bill, its provider name.
    ServiceProviderName SERVICE_PROVIDER_NAME = "service_provider_name" Text false,
    /// FOCUS' subcategory of the service (FOCUS 1.1).
    ServiceSubcategory SERVICE_SUBCATEGORY = "service_subcategory" Text false,
    /// The SKU.
    SkuId SKU_ID = "sku_id" Text false,
    /// What of the SKU is metered (FOCUS 1.1).
    SkuMeter SKU_METER = "sku_meter" Text false,
    /// Properties of the SKU's price (JSON; FOCUS 1.1).
    SkuPriceDetails SKU_PRICE_DETAILS = "sku_price_details" Text false,
    /// The SKU's price.
    SkuPriceId SKU_PRICE_ID = "sku_price_id" Text false,
    /// The sub-account that used the service.
    SubAccountId SUB_ACCOUNT_ID = "sub_account_id" Text false,
    /// Its name.
    SubAccountName SUB_ACCOUNT_NAME = "sub_account_name" Text false,
    /// What the provider calls such a sub-account (FOCUS 1.2).
    SubAccountType SUB_ACCOUNT_TYPE = "sub_account_type" Text false,
    /// Who made the service available (FOCUS 1.0 to 1.2; deprecated by 1.3).
    ProviderName PROVIDER_NAME = "provider_name" Text false,
    /// Who produced the service (FOCUS 1.0 to 1.2; deprecated by 1.3).
    PublisherName PUBLISHER_NAME = "publisher_name" Text false,
}

/// The tags, as plain text; a tag without a value is `true`.
pub const TAGS: &str = "tags";
/// Columns of the source that FOCUS does not know, by the source's own names, with the source's own text.
pub const X_COLUMNS: &str = "x_columns";
/// The import that brought the row.
pub const IMPORT_ID: &str = "import_id";
/// The format of the source: `focus`, `aws-cur`, `azure`, `gcp`, or the name of a declared mapping.
pub const SOURCE: &str = "source";
/// The file of the source.
pub const SOURCE_FILE: &str = "source_file";
/// The row of that file, counted from 1 after the header.
pub const SOURCE_ROW: &str = "source_row";

/// The Arrow type of every cost and quantity.
pub fn decimal_type() -> DataType {
    DataType::Decimal128(PRECISION, SCALE as i8)
}

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let focus = Column::ALL.iter().map(|c| match c.kind() {
            Kind::Text => text(c.name(), !c.is_required()),
            Kind::Amount => Field::new(c.name(), decimal_type(), !c.is_required()),
            Kind::Time => timestamp(c.name(), !c.is_required()),
        });
        let own = [
            text_map(TAGS),
            text_map(X_COLUMNS),
            text(IMPORT_ID, false),
            text(SOURCE, false),
            text(SOURCE_FILE, false),
            Field::new(SOURCE_ROW, DataType::UInt64, false),
        ];
        Arc::new(Schema::new(focus.chain(own).collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Cell<'a> {
    #[default]
    Null,
    Text(&'a str),
    Amount(Amount),
    Time(Timestamp),
}

/// One charge. Everything is null until it is set; [`ChargesBuilder::push`] refuses a row that lacks a required column.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargeRow<'a> {
    cells: [Cell<'a>; Column::ALL.len()],
    /// Tags with plain text values, keys distinct.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Further columns of the source, keys distinct.
    pub x_columns: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl Default for ChargeRow<'_> {
    fn default() -> Self {
        Self { cells: [Cell::Null; Column::ALL.len()], tags: Vec::new(), x_columns: Vec::new() }
    }
}

impl<'a> ChargeRow<'a> {
    /// Sets a text column; empty text is null.
    pub fn set_text(&mut self, column: Column, value: &'a str) {
        debug_assert_eq!(column.kind(), Kind::Text);
        self.cells[column as usize] = if value.is_empty() { Cell::Null } else { Cell::Text(value) };
    }

    /// Sets a cost, price or quantity.
    pub fn set_amount(&mut self, column: Column, value: Amount) {
        debug_assert_eq!(column.kind(), Kind::Amount);
        self.cells[column as usize] = Cell::Amount(value);
    }

    /// Sets an instant.
    pub fn set_time(&mut self, column: Column, value: Timestamp) {
        debug_assert_eq!(column.kind(), Kind::Time);
        self.cells[column as usize] = Cell::Time(value);
    }

    /// Makes a column null again.
    pub fn clear(&mut self, column: Column) {
        self.cells[column as usize] = Cell::Null;
    }

    /// The text of a column, if set.
    pub fn text(&self, column: Column) -> Option<&'a str> {
        match self.cells[column as usize] {
            Cell::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The amount of a column, if set.
    pub fn amount(&self, column: Column) -> Option<Amount> {
        match self.cells[column as usize] {
            Cell::Amount(a) => Some(a),
            _ => None,
        }
    }

    /// The instant of a column, if set.
    pub fn time(&self, column: Column) -> Option<Timestamp> {
        match self.cells[column as usize] {
            Cell::Time(t) => Some(t),
            _ => None,
        }
    }

    /// The first required column that is null.
    pub fn missing(&self) -> Option<Column> {
        static REQUIRED: LazyLock<Vec<Column>> =
            LazyLock::new(|| Column::ALL.iter().copied().filter(|c| c.is_required()).collect());
        REQUIRED.iter().copied().find(|c| self.cells[*c as usize] == Cell::Null)
    }
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The import.
    pub import_id: &'a str,
    /// The format of the source.
    pub source: &'a str,
    /// The file.
    pub file: &'a str,
    /// The row of the file, counted from 1 after the header.
    pub row: u64,
}

/// A charge without a column that every charge has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is null", .0.focus_name())]
pub struct MissingColumn(pub Column);

enum Values {
    Text(StringBuilder),
    Amount(Decimal128Builder),
    Time(TimestampNanosecondBuilder),
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Amount => Self::Amount(Decimal128Builder::new().with_data_type(decimal_type())),
            Kind::Time => Self::Time(TimestampNanosecondBuilder::new().with_timezone(UTC)),
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(b), Cell::Text(s)) => b.append_value(s),
            (Self::Amount(b), Cell::Amount(a)) => b.append_value(a.0),
            (Self::Time(b), Cell::Time(t)) => b.append_value(t.nanos()),
            (Self::Text(b), _) => b.append_null(),
            (Self::Amount(b), _) => b.append_null(),
            (Self::Time(b), _) => b.append_null(),
        }
    }

    /// The column; there is room for as much again, since the next batch of a bill is like this one.
    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => {
                let (rows, bytes) = (b.len(), b.values_slice().len());
                let column = b.finish();
                *b = StringBuilder::with_capacity(rows, bytes + bytes / 8);
                Arc::new(column)
            }
            Self::Amount(b) => {
                let rows = b.len();
                let column = b.finish();
                *b = Decimal128Builder::with_capacity(rows).with_data_type(decimal_type());
                Arc::new(column)
            }
            Self::Time(b) => {
                let rows = b.len();
                let column = b.finish();
                *b = TimestampNanosecondBuilder::with_capacity(rows).with_timezone(UTC);
                Arc::new(column)
            }
        }
    }
}

/// Builds a batch of [`schema`], row by row.
pub struct ChargesBuilder {
    values: Vec<Values>,
    tags: TextMapBuilder,
    x_columns: TextMapBuilder,
    import_id: StringBuilder,
    source: StringBuilder,
    source_file: StringBuilder,
    source_row: UInt64Builder,
    rows: usize,
}

impl Default for ChargesBuilder {
    fn default() -> Self {
        Self {
            values: Column::ALL.iter().map(|c| Values::new(c.kind())).collect(),
            tags: map_builder(),
            x_columns: map_builder(),
            import_id: StringBuilder::new(),
            source: StringBuilder::new(),
            source_file: StringBuilder::new(),
            source_row: UInt64Builder::new(),
            rows: 0,
        }
    }
}

impl ChargesBuilder {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends one charge, unless it lacks a required column.
    pub fn push(&mut self, origin: &Origin<'_>, row: &ChargeRow<'_>) -> Result<(), MissingColumn> {
        if let Some(column) = row.missing() {
            return Err(MissingColumn(column));
        }
        self.rows += 1;
        for (values, cell) in self.values.iter_mut().zip(row.cells) {
            values.push(cell);
        }
        append_pairs(&mut self.tags, row.tags.iter().map(|(k, v)| (&**k, &**v)));
        append_pairs(&mut self.x_columns, row.x_columns.iter().map(|(k, v)| (&**k, &**v)));
        self.import_id.append_value(origin.import_id);
        self.source.append_value(origin.source);
        self.source_file.append_value(origin.file);
        self.source_row.append_value(origin.row);
        Ok(())
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = self.values.iter_mut().map(Values::finish).collect();
        columns.push(Arc::new(self.tags.finish()));
        columns.push(Arc::new(self.x_columns.finish()));
        columns.push(Arc::new(self.import_id.finish()));
        columns.push(Arc::new(self.source.finish()));
        columns.push(Arc::new(self.source_file.finish()));
        columns.push(Arc::new(self.source_row.finish()));
        RecordBatch::try_new(schema(), columns).expect("columns match the schema of charges, required ones are set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `BillingPeriodStart` -> `billing_period_start`.
    fn snake(name: &str) -> String {
        let mut out = String::new();
        for (i, c) in name.chars().enumerate() {
            if c.is_ascii_uppercase() && i > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    }

    #[test]
    fn names_are_focus_names_in_snake_case() {
        for c in Column::ALL {
            assert_eq!(c.name(), snake(c.focus_name()));
        }
        // FOCUS 1.4 has 65 columns in CostAndUsage; tags are a map of their own, and two deprecated names are kept.
        assert_eq!(Column::ALL.len(), 65 - 1 + 2);
        assert_eq!(schema().fields().len(), Column::ALL.len() + 6);
    }

    fn full_row<'a>() -> ChargeRow<'a> {
        let mut row = ChargeRow::default();
        for c in Column::ALL.iter().filter(|c| c.is_required()) {
            match c.kind() {
                Kind::Text => row.set_text(*c, "x"),
                Kind::Amount => row.set_amount(*c, Amount(7)),
                Kind::Time => row.set_time(*c, Timestamp(1)),
            }
        }
        row
    }

    #[test]
    fn a_row_without_a_required_column_is_refused_by_name() {
        let origin = Origin { import_id: "i", source: "focus", file: "a.csv", row: 1 };
        let mut b = ChargesBuilder::default();
        b.push(&origin, &full_row()).unwrap();
        let mut row = full_row();
        row.set_text(Column::BillingCurrency, "");
        assert_eq!(b.push(&origin, &row).unwrap_err().to_string(), "BillingCurrency is null");
        assert_eq!(b.len(), 1);
        let batch = b.finish();
        assert_eq!((batch.num_rows(), b.len()), (1, 0));
        assert_eq!(batch.schema(), schema());
    }
}
