//! Decimals are exact or an error.

use arrow::array::RecordBatch;
use expect_test::expect;
use grid_model::money::Amount;
use grid_model::table::charges::{ChargeRow, ChargesBuilder, Column, Origin};
use grid_model::{Table, Write};
use grid_store::catalog::{ImportFile, ImportPeriod, ImportRecord, ImportReject, ImportTotal};
use grid_store::import::BillImport;

use super::bed::{Bed, at, check, one};

fn charge(account: &str, cost: &str, quantity: &str) -> Write {
    one(Table::Charges, charge_of("i1", account, cost, quantity))
}

fn charge_of(import_id: &str, account: &str, cost: &str, quantity: &str) -> RecordBatch {
    let mut b = ChargesBuilder::default();
    let mut row = ChargeRow::default();
    for column in Column::ALL.iter().filter(|c| c.is_required()) {
        match column.kind() {
            grid_model::table::charges::Kind::Text => row.set_text(*column, "x"),
            grid_model::table::charges::Kind::Amount => row.set_amount(*column, Amount::ZERO),
            grid_model::table::charges::Kind::Time => row.set_time(*column, at(1000)),
        }
    }
    row.set_text(Column::BillingAccountId, account);
    row.set_text(Column::BillingCurrency, "USD");
    row.set_amount(Column::BilledCost, Amount::parse(cost).unwrap().0);
    row.set_amount(Column::PricingQuantity, Amount::parse(quantity).unwrap().0);
    let origin = Origin { import_id, source: "focus", file: "f.csv", row: 1 };
    b.push(&origin, &row).unwrap();
    b.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_and_comparisons_are_exact() {
    let writes = [
        charge("a", "0.1", "3"),
        charge("a", "0.2", "0.5"),
        charge("b", "1.38230869740", "2"),
        charge("b", "0.000000000000000001", "1"),
    ];
    check(
        &writes,
        vec![
            ("SELECT sum(billed_cost) FROM charges", expect![[r#"
                sum(billed_cost)
                1.682308697400000001
            "#]]),
            ("SELECT billing_account_id, sum(billed_cost) AS cost FROM charges GROUP BY 1 ORDER BY 1", expect![[r#"
                billing_account_id,cost
                a,0.3
                b,1.382308697400000001
            "#]]),
            ("SELECT sum(billed_cost) = 0.3 AS exact FROM charges WHERE billing_account_id = 'a'", expect![[r#"
                exact
                true
            "#]]),
            ("SELECT count(*) FROM charges WHERE billed_cost > 0.1", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT count(*) FROM charges WHERE billed_cost = 0.1", expect![[r#"
                count(*)
                1
            "#]]),
            ("SELECT count(*) FROM charges WHERE billed_cost IN (0.1, 0.2)", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT count(*) FROM charges WHERE billed_cost BETWEEN 0.1 AND 0.2", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT count(*) FROM charges WHERE billed_cost > 0.1 + 0.05", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT sum(billed_cost * pricing_quantity) AS product FROM charges", expect![[r#"
                product
                3.164617394800000001
            "#]]),
            ("SELECT billed_cost / 3 AS third FROM charges WHERE billed_cost = 0.2", expect![[r#"
                third
                0.066666666666666667
            "#]]),
            ("SELECT billed_cost * 1.1 AS taxed, billed_cost * 2 AS twice FROM charges ORDER BY billed_cost", expect![[r#"
                taxed,twice
                0.000000000000000001,0.000000000000000002
                0.11,0.2
                0.22,0.4
                1.52053956714,2.7646173948
            "#]]),
            ("SELECT avg(billed_cost) AS mean FROM charges WHERE billing_account_id = 'a'", expect![[r#"
                mean
                0.15
            "#]]),
            ("SELECT sum(billed_cost) FILTER (WHERE billed_cost < 1.0) AS small, sum(DISTINCT billed_cost) AS d FROM charges", expect![[r#"
                small,d
                0.300000000000000001,1.682308697400000001
            "#]]),
            ("SELECT coalesce(billed_cost, 0.0) AS c, CASE WHEN billed_cost > 1 THEN billed_cost ELSE 0.5 END AS k FROM charges ORDER BY billed_cost", expect![[r#"
                c,k
                0.000000000000000001,0.5
                0.1,0.5
                0.2,0.5
                1.3823086974,1.3823086974
            "#]]),
            ("SELECT sum(billed_cost) OVER (ORDER BY billed_cost) AS running FROM charges ORDER BY 1", expect![[r#"
                running
                0.000000000000000001
                0.100000000000000001
                0.300000000000000001
                1.682308697400000001
            "#]]),
            ("SELECT -billed_cost AS neg, abs(-billed_cost) AS pos, round(billed_cost, 1) AS r FROM charges WHERE billed_cost = 0.2", expect![[r#"
                neg,pos,r
                -0.2,0.2,0.2
            "#]]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overflow_is_an_error() {
    let bed = Bed::new().await;
    for _ in 0..3 {
        bed.write(charge("a", "99999999999999999999", "1")).await;
    }
    bed.check(
        "SELECT sum(billed_cost) FROM charges",
        expect![[r#"
        GRID-0407: the sum of decimals has more than 38 digits
    "#]],
    )
    .await;
    bed.check(
        "SELECT billing_account_id, sum(billed_cost) FROM charges GROUP BY 1",
        expect![[r#"
        GRID-0407: the sum of decimals has more than 38 digits
    "#]],
    )
    .await;
    bed.check(
        "SELECT billed_cost * billed_cost FROM charges",
        expect![[r#"
        GRID-0407: a decimal has more than 38 digits
    "#]],
    )
    .await;
    bed.check(
        "SELECT billed_cost / 0 FROM charges",
        expect![[r#"
        GRID-0407: division by zero
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn literals_take_the_type_of_their_neighbours() {
    let bed = Bed::new().await;
    bed.check(
        "SELECT 0.1 AS a, 0.1 + 0.2 AS b, 1e3 AS c, -1.5 AS d, 7 / 2 AS e, 7 / 2.0 AS f",
        expect![[r#"
        a,b,c,d,e,f
        0.1,0.30000000000000004,1000.0,-1.5,3,3.5
    "#]],
    )
    .await;
    bed.check(
        "SELECT CAST(0.1 AS DECIMAL(38,18)) * 3 AS a, CAST('0.1' AS DECIMAL(38,18)) + 0.2 AS b",
        expect![[r#"
        a,b
        0.3,0.3
    "#]],
    )
    .await;
    bed.check(
        "SELECT x > 0.5 AS y FROM (SELECT CAST('NaN' AS DOUBLE) AS x)",
        expect![[r#"
        y
        true
    "#]],
    )
    .await;
    bed.check(
        "SELECT CAST('NaN' AS DOUBLE) > CAST(1 AS DECIMAL(38,18)) AS y",
        expect![[r#"
        y
        true
    "#]],
    )
    .await;
    bed.check(
        "SELECT sqrt(2.25) AS a, power(2, 0.5) AS b, round(1.256, 2) AS c",
        expect![[r#"
        a,b,c
        1.5,1.4142135623730951,1.26
    "#]],
    )
    .await;
    bed.check(
        "SELECT * FROM (VALUES (1.5), (2.25)) AS t(x) WHERE x > 1.75",
        expect![[r#"
        x
        2.25
    "#]],
    )
    .await;
}

/// A bill of two accounts, one charge each.
fn bill(id: &str, replaces: bool, costs: &[(&str, &str)]) -> BillImport {
    let batches = costs.iter().map(|(account, cost)| charge_of(id, account, cost, "1")).collect();
    let record = ImportRecord {
        id: id.to_owned(),
        source: "focus".to_owned(),
        dataset: "d".to_owned(),
        started: at(0),
        replaces,
        manifest_version: None,
        manifest_made: None,
        rows_source: costs.len() as u64 + 1,
        rows: costs.len() as u64,
        rejected: 1,
        totals: vec![ImportTotal { currency: "USD".to_owned(), source: "3.5".to_owned(), ..Default::default() }],
        notes: Vec::new(),
        files: vec![ImportFile { name: format!("{id}.csv"), sha256: format!("hash-{id}") }],
        periods: costs
            .iter()
            .map(|(account, _)| ImportPeriod { account: (*account).to_owned(), start: at(1000), superseded_by: None })
            .collect(),
    };
    let reject = ImportReject { file: format!("{id}.csv"), row: 9, reason: "no cost".to_owned(), ..Default::default() };
    BillImport { record, batches, rejects: vec![reject] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restated_bill_replaces_what_it_names() {
    let bed = Bed::new().await;
    bed.store.import(&bed.tenant, bill("first", false, &[("a", "1.5"), ("b", "2")])).await.unwrap();
    bed.store.import(&bed.tenant, bill("second", true, &[("a", "1.25")])).await.unwrap();
    let cases = [
        (
            "SELECT import_id, billing_account_id, billed_cost FROM charges ORDER BY 1, 2",
            expect![[r#"
            import_id,billing_account_id,billed_cost
            first,b,2
            second,a,1.25
        "#]],
        ),
        (
            "SELECT sum(billed_cost) FROM charges",
            expect![[r#"
            sum(billed_cost)
            3.25
        "#]],
        ),
        (
            "SELECT count(*) FROM charges WHERE import_id = 'first'",
            expect![[r#"
            count(*)
            1
        "#]],
        ),
        (
            "SELECT count(*) FROM charges WHERE billing_account_id = 'a' AND billed_cost > 1.4",
            expect![[r#"
            count(*)
            0
        "#]],
        ),
        (
            "SELECT import_id, dataset, currency, source_total, superseded, files FROM grid.imports",
            expect![[r#"
            import_id,dataset,currency,source_total,superseded,files
            first,d,USD,3.5,false,first.csv
            second,d,USD,3.5,false,second.csv
        "#]],
        ),
        (
            "SELECT import_id, file, row, reason FROM grid.rejects",
            expect![[r#"
            import_id,file,row,reason
            first,first.csv,9,no cost
            second,second.csv,9,no cost
        "#]],
        ),
    ];
    for (sql, expected) in cases {
        bed.check(sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_as_they_were_before() {
    let bed = Bed::new().await;
    let mut second = bill("imp-2", true, &[("a", "1.25")]);
    second.record.started = grid_model::Timestamp(at(0).0 + 3_600_000_000_000);
    bed.store.import(&bed.tenant, bill("imp-1", false, &[("a", "1.5"), ("b", "2")])).await.unwrap();
    bed.store.import(&bed.tenant, second).await.unwrap();
    let sum = |what: &str| format!("SELECT count(*) AS n, sum(billed_cost) AS s FROM {what}");
    for (of, expected) in [
        ("charges", "2,3.25"),
        ("charges_as_of('imp-1')", "2,3.5"),
        ("charges_as_of('imp-2')", "2,3.25"),
        ("charges_as_of('2026-01-15T00:00:00Z')", "2,3.5"),
        ("charges_as_of(TIMESTAMP '2026-01-15 01:00:00')", "2,3.25"),
        ("charges_as_of('2026-01-14T23:59:59Z')", "0,"),
        ("charges_as_of('imp-1') WHERE billing_account_id = 'b'", "1,2"),
    ] {
        assert_eq!(bed.csv(&sum(of)).await, format!("n,s\n{expected}\n"), "{of}");
    }
    for (of, expected) in [
        ("charges_as_of('imp-3')", "there is no import imp-3"),
        ("charges_as_of()", "charges_as_of() wants one time"),
        ("charges_as_of('yesterday')", "there is no import yesterday"),
    ] {
        let answer = bed.csv(&sum(of)).await;
        assert!(answer.contains(expected), "{of}: {answer}");
    }
}
