//! Reports over commitments, and prices: listed, bundled, learnt.

use expect_test::expect;
use grid_model::money::Amount;
use grid_model::table::charges::{ChargeRow, ChargesBuilder, Column, Origin};
use grid_model::table::prices::{self, PriceRow};
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Table, Timestamp};

use super::bed::{Bed, at, one};
use crate::commitments::{self, Period, Range};
use crate::price::{PriceAnswer, PriceQuery};
use crate::{QueryError, SqlRequest};

/// `2026-01-01T00:00:00Z`.
const NEW_YEAR: i64 = 1_767_225_600_000_000_000;

/// A charge of some hour of the year: `Column=value` pairs over a plain Usage row.
fn charge(b: &mut ChargesBuilder, hour: i64, hours: i64, pairs: &[(Column, &str)]) {
    let mut row = ChargeRow::default();
    for column in Column::ALL.iter().filter(|c| c.is_required()) {
        match column.kind() {
            grid_model::table::charges::Kind::Text => row.set_text(*column, "x"),
            grid_model::table::charges::Kind::Amount => row.set_amount(*column, Amount::ZERO),
            grid_model::table::charges::Kind::Time => row.set_time(*column, Timestamp(NEW_YEAR)),
        }
    }
    row.set_time(Column::ChargePeriodStart, Timestamp(NEW_YEAR + hour * HOUR_NS));
    row.set_time(Column::ChargePeriodEnd, Timestamp(NEW_YEAR + (hour + hours) * HOUR_NS));
    let usual = [
        (Column::BillingCurrency, "USD"),
        (Column::ChargeCategory, "Usage"),
        (Column::ServiceName, "Amazon Elastic Compute Cloud"),
        (Column::ServiceProviderName, "AWS"),
        (Column::RegionId, "us-east-1"),
        (Column::PricingCategory, "Standard"),
        (Column::PricingUnit, "Hrs"),
    ];
    for (column, value) in usual.iter().chain(pairs) {
        match column.kind() {
            grid_model::table::charges::Kind::Text => row.set_text(*column, value),
            grid_model::table::charges::Kind::Amount => row.set_amount(*column, Amount::parse(value).unwrap().0),
            grid_model::table::charges::Kind::Time => unreachable!("times are arguments"),
        }
    }
    if pairs.iter().any(|(c, v)| *c == Column::ChargeCategory && *v == "Purchase") {
        row.x_columns.push(("savingsPlan/EndTime".into(), "2026-12-31T23:00:00.000Z".into()));
    }
    let origin = Origin { import_id: "i1", source: "focus", file: "f.csv", row: 1 };
    b.push(&origin, &row).unwrap();
}

/// Two hours of a plan that commits 1.00 an hour: the first is fully used, of the second 0.25 is lost; beside it usage on demand, and
/// storage, which no plan covers.
async fn bed() -> Bed {
    use Column::{
        BilledCost, ChargeCategory, ChargeFrequency, CommitmentDiscountId, CommitmentDiscountQuantity,
        CommitmentDiscountStatus, CommitmentDiscountUnit, ContractedCost, EffectiveCost, ListCost, PricingCategory,
        PricingQuantity, PricingUnit, ServiceCategory, ServiceName, SkuId, SkuMeter,
    };
    let mut b = ChargesBuilder::default();
    for (hour, used, unused) in [(0, "1", "0"), (1, "0.75", "0.25")] {
        let on_demand = if hour == 0 { "2" } else { "1.5" };
        let plan = (CommitmentDiscountId, "plan-1");
        charge(
            &mut b,
            hour,
            1,
            &[plan, (ChargeCategory, "Purchase"), (ChargeFrequency, "Recurring"), (BilledCost, "1")],
        );
        charge(
            &mut b,
            hour,
            1,
            &[
                plan,
                (CommitmentDiscountStatus, "Used"),
                (CommitmentDiscountQuantity, used),
                (CommitmentDiscountUnit, "USD"),
                (PricingCategory, "Committed"),
                (EffectiveCost, used),
                (ContractedCost, on_demand),
                (ListCost, on_demand),
                (PricingQuantity, on_demand),
                (SkuMeter, "BoxUsage:m5.large"),
            ],
        );
        charge(
            &mut b,
            hour,
            1,
            &[
                plan,
                (CommitmentDiscountStatus, "Unused"),
                (CommitmentDiscountQuantity, unused),
                (EffectiveCost, unused),
            ],
        );
        charge(
            &mut b,
            hour,
            1,
            &[
                (BilledCost, "0.07"),
                (EffectiveCost, "0.07"),
                (ContractedCost, "0.07"),
                (ListCost, "0.1"),
                (PricingQuantity, "1.5"),
                (SkuMeter, "BoxUsage:c5.large"),
                (SkuId, "C5"),
                (ServiceCategory, "Compute"),
            ],
        );
        charge(
            &mut b,
            hour,
            1,
            &[
                (BilledCost, "0.5"),
                (EffectiveCost, "0.5"),
                (ContractedCost, "0.5"),
                (ServiceName, "Amazon Simple Storage Service"),
                (ServiceCategory, "Storage"),
                (PricingUnit, "GB-Mo"),
            ],
        );
    }
    let bed = Bed::new().await;
    bed.write(one(Table::Charges, b.finish())).await;
    bed
}

async fn csv(bed: &Bed, statement: crate::Statement) -> String {
    let request =
        SqlRequest { params: statement.params.clone(), ..SqlRequest::new(bed.tenant.clone(), &statement.sql) };
    let answer = match bed.run(request).await {
        Ok(text) => text,
        Err(e) => format!("{e}"),
    };
    // What a reader is given to run himself says the same.
    assert_eq!(bed.csv(&statement.inlined()).await, answer);
    answer
}

fn year() -> Range {
    Range { start: Timestamp(NEW_YEAR), end: Timestamp(NEW_YEAR + 365 * DAY_NS) }
}

#[tokio::test(flavor = "multi_thread")]
async fn commitments_are_used_lost_and_add_up() {
    let bed = bed().await;
    expect![[r#"
        commitment_id,name,category,type,provider,currency,period_start,used_cost,unused_cost,covered_cost,purchased_cost,used_quantity,unused_quantity,quantity_unit,purchases,one_time,rows,committed_cost,utilisation,saving,difference,check
        plan-1,,,,aws,USD,2026-01-01T00:00:00Z,1.75,0.25,3.5,2,1.75,0.25,USD,2,0,6,2,0.875,1.5,0,equal
    "#]]
    .assert_eq(&csv(&bed, commitments::report(year(), Period::Whole)).await);
    expect![[r#"
        currency,period_start,covered_cost,eligible_cost,usage_cost,overage_cost,unused_cost,effective_cost,rows,coverage,coverage_of_eligible
        USD,2026-01-01T00:00:00Z,3.5,3.64,4.64,0.14,0.25,3.14,10,0.754310344827586207,0.961538461538461538
    "#]]
    .assert_eq(&csv(&bed, commitments::coverage(year(), Period::Day)).await);
    expect![[r#"
        commitment_id,name,type,provider,currency,first_charge,last_charge,ends,effective_cost,rows
        plan-1,,,aws,USD,2026-01-01T00:00:00Z,2026-01-01T02:00:00Z,2026-12-31T23:00:00Z,2,6
    "#]]
    .assert_eq(&csv(&bed, commitments::calendar()).await);
    expect![[r#"
        charge_period_start,charge_period_end,provider,service_name,region_id,resource_type,sku_meter,sku_id,commitment_discount_id,cost,effective_cost,quantity,rows
        2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,aws,Amazon Elastic Compute Cloud,us-east-1,m5.large,BoxUsage:m5.large,,plan-1,2,1,2,1
        2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,aws,Amazon Elastic Compute Cloud,us-east-1,c5.large,BoxUsage:c5.large,C5,,0.07,0.07,1.5,1
        2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,aws,Amazon Elastic Compute Cloud,us-east-1,m5.large,BoxUsage:m5.large,,plan-1,1.5,0.75,1.5,1
        2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,aws,Amazon Elastic Compute Cloud,us-east-1,c5.large,BoxUsage:c5.large,C5,,0.07,0.07,1.5,1
    "#]]
    .assert_eq(&csv(&bed, commitments::demand(year(), "USD")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_learnt_from_bills() {
    let bed = bed().await;
    bed.check(
        "SELECT resource_type, pricing_category, quantity, effective_cost, effective_unit_price, list_unit_price, discount, rows \
         FROM effective_prices WHERE region_id = 'us-east-1' AND resource_type IS NOT NULL ORDER BY 1, 2",
        expect![[r#"
            resource_type,pricing_category,quantity,effective_cost,effective_unit_price,list_unit_price,discount,rows
            c5.large,Standard,3,0.14,0.046666666666666667,0.066666666666666667,0.3,2
            m5.large,Committed,3.5,1.75,0.5,1,0.5,2
        "#]],
    )
    .await;
    bed.check(
        "SELECT table_type FROM information_schema.tables WHERE table_name = 'effective_prices'",
        expect![[r#"
            table_type
            VIEW
        "#]],
    )
    .await;
}

fn show(answer: &Result<PriceAnswer, QueryError>) -> String {
    match answer {
        Ok(Ok(q)) => format!("{} {} per {}: {}", q.price(), q.row.currency, q.row.unit, q.provenance()),
        Ok(Err(why)) => format!("unknown: {why}"),
        Err(e) => format!("error: {e}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_prices_go_before_listed_ones_and_the_latest_book_before_older_ones() {
    let bed = bed().await;
    let now = at(0);
    let ask = async |query: PriceQuery| show(&bed.engine.price(&bed.tenant, &query).await);
    let machine = |name: &str| PriceQuery::machine("aws", name, "us-east-1", now);
    // Learnt, then bundled.
    expect!["0.046666666666666667 USD per hour: own bills, 2 rows until 2026-01-01, 13 days old"]
        .assert_eq(&ask(machine("c5.large")).await);
    expect!["0.096 USD per hour: bundled as of 2026-07-20, 0 days old"].assert_eq(&ask(machine("m5.large")).await);
    expect!["unknown: listed only in other regions: us-east-1"]
        .assert_eq(&ask(PriceQuery::machine("aws", "m7g.large", "mars", now)).await);
    expect!["unknown: no book of prices lists it; `grid import prices` reads one"]
        .assert_eq(&ask(machine("m99.large")).await);
    let reserved = PriceQuery {
        purchase_option: "reserved".into(),
        term: Some("1y".into()),
        payment: Some("no-upfront".into()),
        ..machine("m4.large")
    };
    expect!["0.062 USD per hour: bundled as of 2017-01-01, 3301 days old (stale)"].assert_eq(&ask(reserved).await);

    let row = |price: &str, as_of: i64| PriceRow {
        provider: "aws".into(),
        service: "AmazonEC2".into(),
        region: "us-east-1".into(),
        resource_type: "m5.large".into(),
        attributes: vec![("operating_system".into(), "linux".into()), ("tenancy".into(), "shared".into())],
        purchase_option: "on-demand".into(),
        unit: "hour".into(),
        price: Amount::parse(price).unwrap().0,
        currency: "USD".into(),
        as_of: Some(Timestamp(as_of)),
        source: "mine.csv".into(),
        book: "mine".into(),
        ..PriceRow::default()
    };
    let put = async |rows: &[PriceRow]| {
        let mut part = bed.store.begin_part(&bed.tenant, Table::Prices, "mine");
        part.write(prices::batch(rows)).await.unwrap();
        part.commit().await.unwrap();
    };
    // A year later than the bundled list.
    let later = 1_784_505_600_000_000_000 + 365 * DAY_NS;
    put(&[row("0.05", later)]).await;
    expect!["0.05 USD per hour: mine as of 2027-07-20, 0 days old"].assert_eq(&ask(machine("m5.large")).await);
    put(&[row("0.04", later), PriceRow { resource_type: "new".into(), ..row("0.01", later) }]).await;
    bed.check(
        "SELECT count(*) AS n, min(price) AS least FROM prices WHERE book = 'mine'",
        expect![[r#"
        n,least
        2,0.01
    "#]],
    )
    .await;
    bed.check(
        "SELECT price FROM prices WHERE resource_type = 'new' AND attributes['tenancy'] = 'shared'",
        expect![[r#"
        price
        0.01
    "#]],
    )
    .await;
}
