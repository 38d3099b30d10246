//! Bills for the comparison: a sound one, and ones with a violation of each rule planted in a row of its own.

use std::collections::BTreeMap;

use grid_focus_rules::column::Kind;
use grid_focus_rules::{Check, Column, Rule, RuleKind, Version, When, table};

/// A file, by name and content.
pub(crate) struct Bill {
    pub(crate) name: &'static str,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Bill {
    fn of(name: &'static str, rows: &[Charge]) -> Self {
        let columns: Vec<Column> = Column::of_version(Version::V1_2).collect();
        let cells = |row: &Charge| columns.iter().map(|c| row[c].clone()).collect();
        let header = columns.iter().map(|c| c.name().to_owned()).collect();
        Self { name, header, rows: rows.iter().map(cells).collect() }
    }

    /// As CSV.
    pub(crate) fn csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}

type Charge = BTreeMap<Column, String>;

/// The bills, the sound one first.
pub(crate) fn bills() -> Vec<Bill> {
    let sound = sound();
    let planted = |which: &dyn Fn(&Rule) -> bool| {
        let rules = table::model().filter(|r| r.kind == RuleKind::Static && which(r));
        sound.iter().cloned().chain(rules.filter_map(plant)).collect::<Vec<_>>()
    };
    let is_number = |r: &Rule| matches!(r.check, Check::Number(_) | Check::PlainNumber(_));
    let is_time = |r: &Rule| matches!(r.check, Check::Time(_) | Check::PlainTime(_));
    let everywhere = |column: Column, value: &str| {
        let mut rows = sound.clone();
        rows.iter_mut().for_each(|r| _ = r.insert(column, value.to_owned()));
        rows
    };
    let mut wrong = sound.clone();
    for rule in table::model().filter(|r| matches!(r.check, Check::OneOf(..) | Check::Child(..) | Check::ChildOf(..))) {
        for row in &mut wrong {
            row.insert(rule.check.columns()[0], "Bogus".to_owned());
        }
    }
    let mut without = Bill::of("columns", &sound);
    let keep = ["BilledCost", "ChargeCategory", "ChargeClass", "CommitmentDiscountId", "ListCost", "Tags"];
    let kept: Vec<usize> = (0..without.header.len()).filter(|i| keep.contains(&without.header[*i].as_str())).collect();
    without.rows = without.rows.iter().map(|r| kept.iter().map(|i| r[*i].clone()).collect()).collect();
    without.header = kept.iter().map(|i| without.header[*i].clone()).collect();
    vec![
        Bill::of("sound", &sound),
        Bill::of("rows", &planted(&|r| !is_number(r) && !is_time(r))),
        Bill::of("numbers", &planted(&is_number)),
        Bill::of("times", &planted(&is_time)),
        Bill::of("values", &wrong),
        Bill::of("digits", &everywhere(Column::SubAccountId, "51738928782")),
        without,
    ]
}

/// A row that breaks a rule, in the least way that we know.
fn plant(rule: &Rule) -> Option<Charge> {
    let mut row = usage();
    if rule.subject().starts_with("CommitmentDiscount") {
        commit(&mut row, "Used");
    }
    make(&rule.when, &mut row);
    let mut set = |column: Column, value: &str| _ = row.insert(column, value.to_owned());
    match rule.check {
        Check::Null(c) => set(c, &sample(c)),
        Check::NotNull(c) => set(c, ""),
        Check::Number(c) => set(c, "many"),
        Check::PlainNumber(c) => set(c, "1,000.5"),
        Check::Time(c) => set(c, "soon"),
        Check::PlainTime(c) => set(c, "2024-09-01 00:00"),
        Check::PlainText(c) => set(c, "Z\u{fffd}rich"),
        Check::Currency(c) => set(c, if c == Column::PricingCurrency { " credits" } else { "usd" }),
        Check::NationalCurrency(c) => set(c, "QQQ"),
        Check::Unit(c) => set(c, "$/5%"),
        Check::KeyValue(c) => set(c, r#"{"a": ["b"]}"#),
        Check::Is(c, _) | Check::OneOf(c, _) | Check::Child(c, _) => set(c, "Bogus"),
        Check::IsNot(c, value) => set(c, value),
        Check::ChildOf(c, ..) => set(c, "Caching"),
        Check::Zero(c) => set(c, "5.5"),
        Check::NotNegative(c) => set(c, "-5.5"),
        Check::Product(_, cost) => set(cost, "77.5"),
        Check::OnePer(of, _) => set(of, "Another"),
        _ => return None,
    }
    Some(row)
}

/// Makes a row one that a condition concerns.
fn make(when: &When, row: &mut Charge) {
    match *when {
        When::Always => {}
        When::No(c) => _ = row.insert(c, String::new()),
        When::Has(Column::CommitmentDiscountId) => commit(row, "Used"),
        When::Has(c) => _ = row.insert(c, sample(c)),
        When::Is(Column::ChargeCategory, "Purchase") => {
            row.insert(Column::ChargeCategory, "Purchase".to_owned());
            row.insert(Column::ChargeFrequency, "Recurring".to_owned());
        }
        When::Is(c, value) => _ = row.insert(c, value.to_owned()),
        When::IsNot(Column::ChargeCategory, _) => _ = row.insert(Column::ChargeCategory, "Credit".to_owned()),
        When::IsNot(..) => {}
        When::Differ(_, c) => _ = row.insert(c, "Another".to_owned()),
        When::All(of) => of.iter().for_each(|w| make(w, row)),
        When::Any(of) => make(&of[0], row),
    }
}

fn sample(column: Column) -> String {
    let used = {
        let mut row = usage();
        commit(&mut row, "Used");
        row
    };
    match (used[&column].as_str(), column.kind()) {
        ("", _) if column == Column::ChargeClass => "Correction".to_owned(),
        ("", _) if column == Column::CapacityReservationStatus => "Used".to_owned(),
        ("", Kind::Number) => "1.5".to_owned(),
        ("", _) => "something".to_owned(),
        (value, _) => value.to_owned(),
    }
}

/// A sound bill: usage of all kinds, purchases, taxes, credits, corrections.
fn sound() -> Vec<Charge> {
    let with = |mut row: Charge, cells: &[(Column, &str)]| {
        for (column, value) in cells {
            row.insert(*column, (*value).to_owned());
        }
        row
    };
    use Column::*;
    let committed = |status: &str| {
        let mut row = usage();
        commit(&mut row, status);
        row
    };
    let used = with(committed("Used"), &[(EffectiveCost, "6.5"), (PricingCurrencyEffectiveCost, "6.5")]);
    let of_commitment = [(ResourceId, "c-1"), (ResourceType, "Reservation"), (ResourceName, "")];
    let unused = with(committed("Unused"), &[(EffectiveCost, "3.5"), (ConsumedQuantity, ""), (ConsumedUnit, "")]);
    let unused = with(unused, &of_commitment);
    let purchase = with(committed(""), &of_commitment);
    let purchase = with(
        purchase,
        &[
            (ChargeCategory, "Purchase"),
            (ChargeFrequency, "One-Time"),
            (PricingCategory, "Standard"),
            (BilledCost, "10.5"),
            (EffectiveCost, "0.0"),
            (PricingCurrencyEffectiveCost, "0.0"),
            (ConsumedQuantity, ""),
            (ConsumedUnit, ""),
            (BilledCost, "10.0"),
            (CommitmentDiscountStatus, ""),
        ],
    );
    let none: Vec<(Column, &str)> = [
        ListUnitPrice,
        ContractedUnitPrice,
        PricingQuantity,
        PricingUnit,
        PricingCategory,
        SkuId,
        SkuMeter,
        SkuPriceId,
        SkuPriceDetails,
        PricingCurrencyListUnitPrice,
        PricingCurrencyContractedUnitPrice,
        ConsumedQuantity,
        ConsumedUnit,
        ResourceId,
        ResourceName,
        ResourceType,
    ]
    .map(|c| (c, ""))
    .to_vec();
    let tax = with(with(usage(), &none), &[(ChargeCategory, "Tax"), (ChargeFrequency, "One-Time"), (ListCost, "0.5")]);
    let credit =
        [BilledCost, EffectiveCost, ListCost, ContractedCost, PricingCurrencyEffectiveCost].map(|c| (c, "-1.5"));
    let credit =
        with(with(with(usage(), &none), &[(ChargeCategory, "Credit"), (ChargeFrequency, "One-Time")]), &credit);
    let correction = with(usage(), &[(ChargeClass, "Correction"), (ListCost, "77.5")]);
    let reserved = with(usage(), &[(CapacityReservationId, "r-1"), (CapacityReservationStatus, "Used")]);
    let free = with(usage(), &[(CapacityReservationId, "r-1"), (CapacityReservationStatus, "Unused")]);
    let plain = with(usage(), &[(SubAccountId, ""), (SubAccountName, ""), (SubAccountType, ""), (Tags, "")]);
    vec![usage(), used, unused, purchase, tax, credit, correction, reserved, free, plain]
}

fn commit(row: &mut Charge, status: &str) {
    use Column::*;
    for (column, value) in [
        (CommitmentDiscountCategory, "Usage"),
        (CommitmentDiscountId, "c-1"),
        (CommitmentDiscountName, "First"),
        (CommitmentDiscountQuantity, "5.5"),
        (CommitmentDiscountStatus, status),
        (CommitmentDiscountType, "Reservation"),
        (CommitmentDiscountUnit, "Hours"),
        (PricingCategory, "Committed"),
        (BilledCost, "0.0"),
    ] {
        row.insert(column, value.to_owned());
    }
}

fn usage() -> Charge {
    use Column::*;
    let cells = [
        (AvailabilityZone, "eu-1a"),
        (BilledCost, "0.55"),
        (BillingAccountId, "acct-1"),
        (BillingAccountName, "Acme"),
        (BillingAccountType, "Billing"),
        (BillingCurrency, "USD"),
        (BillingPeriodEnd, "2024-10-01T00:00:00Z"),
        (BillingPeriodStart, "2024-09-01T00:00:00Z"),
        (ChargeCategory, "Usage"),
        (ChargeDescription, "an hour"),
        (ChargeFrequency, "Usage-Based"),
        (ChargePeriodEnd, "2024-09-02T00:00:00Z"),
        (ChargePeriodStart, "2024-09-01T00:00:00Z"),
        (ConsumedQuantity, "5.5"),
        (ConsumedUnit, "Hours"),
        (ContractedCost, "0.55"),
        (ContractedUnitPrice, "0.1"),
        (EffectiveCost, "0.55"),
        (InvoiceId, "inv-1"),
        (InvoiceIssuerName, "Cloud"),
        (ListCost, "1.1"),
        (ListUnitPrice, "0.2"),
        (PricingCategory, "Standard"),
        (PricingCurrency, "USD"),
        (PricingCurrencyContractedUnitPrice, "0.1"),
        (PricingCurrencyEffectiveCost, "0.55"),
        (PricingCurrencyListUnitPrice, "0.2"),
        (PricingQuantity, "5.5"),
        (PricingUnit, "Hours"),
        (ProviderName, "Cloud"),
        (PublisherName, "Cloud"),
        (RegionId, "eu-1"),
        (RegionName, "Europe"),
        (ResourceId, "vm-1"),
        (ResourceName, "web"),
        (ResourceType, "Machine"),
        (ServiceCategory, "Compute"),
        (ServiceName, "Machines"),
        (ServiceSubcategory, "Virtual Machines"),
        (SkuId, "sku-1"),
        (SkuMeter, "Machine Hours"),
        (SkuPriceDetails, r#"{"CoreCount": 4}"#),
        (SkuPriceId, "price-1"),
        (SubAccountId, "sub-1"),
        (SubAccountName, "Team"),
        (SubAccountType, "Account"),
        (Tags, r#"{"env": "prod"}"#),
    ];
    let empty = Column::of_version(Version::V1_2).map(|c| (c, String::new()));
    empty.chain(cells.map(|(c, v)| (c, v.to_owned()))).collect()
}
