use super::*;
use crate::report::Report;

fn check(version: Version, csv: &str) -> Report {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split('|').collect();
    let mut checker = Checker::new(&header, version, Applicability::of_header(&header));
    for (i, line) in lines.enumerate() {
        let cells: Vec<Option<&str>> = line.split('|').map(|c| (!c.is_empty()).then_some(c)).collect();
        checker.row(i as u64 + 1, &cells);
    }
    checker.finish()
}

fn verdict(report: &Report, id: &str) -> String {
    let r = report.of(id).unwrap_or_else(|| panic!("no rule {id}"));
    let first = r.examples.first().map(|e| format!(" {}:{}={}", e.row, e.column, e.value)).unwrap_or_default();
    format!("{} {}/{}{first}", r.status, r.violations, r.checked)
}

#[test]
fn a_null_class_is_no_correction() {
    let report = check(
        Version::V1_2,
        "ChargeCategory|ChargeClass|ListUnitPrice|PricingQuantity|ListCost\n\
         Usage||2|3|6\n\
         Usage||2|3|7\n\
         Usage|Correction|2|3|7\n\
         Usage||||7\n\
         Tax||1||7",
    );
    for (id, expected) in [
        ("ListCost-C-009-C", "failed 1/2 2:ListUnitPrice=2 x 3 is not 7"),
        ("ListUnitPrice-C-005-C", "failed 1/3 4:ListUnitPrice="),
        ("ListUnitPrice-C-004-C", "failed 1/1 5:ListUnitPrice=1"),
        ("ListUnitPrice-C-006-O", "passed 0/5"),
        ("ContractedCost-C-009-C", "skipped 0/0"),
        ("BilledCost-C-001-M", "skipped 0/0"),
        ("CostAndUsage-D-006-M", "failed 1/1 0:header=no column BilledCost"),
        ("ContractedUnitPrice-C-000-C", "not applicable 0/0"),
        ("BilledCost-C-007-M", "not computed 0/0"),
    ] {
        assert_eq!(verdict(&report, id), expected, "{id}");
    }
    assert!(!report.conforms());
}

#[test]
fn conditions_come_down_from_the_rules_above() {
    // CommitmentDiscountQuantity-C-005-C is part of C-004-C, which concerns rows with a commitment only.
    let report = check(
        Version::V1_2,
        "ChargeCategory|ChargeClass|CommitmentDiscountId|CommitmentDiscountQuantity\nUsage||c|\nUsage|||\nTax||c|",
    );
    assert_eq!(verdict(&report, "CommitmentDiscountQuantity-C-005-C"), "failed 1/1 1:CommitmentDiscountQuantity=");
    assert_eq!(verdict(&report, "CommitmentDiscountQuantity-C-004-C"), "failed 1/2");
}

#[test]
fn advice_that_is_not_taken_breaks_no_duty() {
    let report = check(Version::V1_2, "ChargeDescription\n\"\"\n");
    assert_eq!(verdict(&report, "ChargeDescription-C-003-O"), "passed 0/1");
    let report = check(Version::V1_2, "ChargeDescription|ServiceName\n|x");
    assert_eq!(verdict(&report, "ChargeDescription-C-003-O"), "failed 1/1 1:ChargeDescription=");
    assert_eq!(verdict(&report, "ChargeDescription-C-000-M"), "passed 0/3");
}

#[test]
fn what_no_row_bears_out_is_not_supported() {
    let header = "BillingAccountId|BillingAccountType|BillingAccountName";
    let report = check(Version::V1_2, &format!("{header}\na||n\nb||n"));
    assert_eq!(verdict(&report, "BillingAccountType-C-005-C"), "not applicable 0/0");
    assert_eq!(verdict(&report, "BillingAccountName-C-003-C"), "passed 0/2");
    let report = check(Version::V1_2, &format!("{header}\na|t|\nb||"));
    assert_eq!(verdict(&report, "BillingAccountType-C-005-C"), "failed 1/2 2:BillingAccountType=");
    assert_eq!(verdict(&report, "BillingAccountName-C-003-C"), "not applicable 0/0");
}

#[test]
fn sums_and_keys_across_rows() {
    let report = check(
        Version::V1_2,
        "CommitmentDiscountId|ChargeCategory|CommitmentDiscountStatus|EffectiveCost|BilledCost|BillingCurrency|ServiceName|ServiceCategory\n\
         a|Purchase||0|10|USD|s|Compute\n\
         a|Usage|Used|7.5|0|USD|s|Compute\n\
         a|Usage|Unused|2.5|0|USD|s|Storage\n\
         b|Purchase||0|10|USD|t|Web\n\
         b|Usage|Used|7|0|USD|t|Web\n\
         c|Usage||1|0|USD|s|Web",
    );
    for (id, expected) in [
        ("EffectiveCost-C-012-C", "failed 1/6 4:CommitmentDiscountId=b: 7 and 10 USD"),
        ("EffectiveCost-C-013-C", "failed 1/6 6:CommitmentDiscountId=c: 1 and 0 USD"),
        ("ServiceName-C-005-C", "failed 1/6 3:ServiceCategory=s: Compute and Storage"),
    ] {
        assert_eq!(verdict(&report, id), expected, "{id}");
    }
    let note = report.of("EffectiveCost-C-012-C").and_then(|r| r.note.clone()).unwrap_or_default();
    assert!(note.starts_with("1 commitment"), "{note}");
}

#[test]
fn a_unit_that_is_none_of_focus_is_a_string_nonetheless() {
    let report = check(Version::V1_2, "PricingUnit|PricingCurrency\nLambda-GB-Seconds| credits\nZ\u{fffd}|USD");
    for (id, expected) in [
        ("PricingUnit-C-002-M", "failed 1/2 2:PricingUnit=Z\u{fffd}"),
        ("PricingUnit-C-003-O", "failed 2/2 1:PricingUnit=Lambda-GB-Seconds"),
        ("PricingCurrency-C-002-M", "passed 0/2"),
        ("PricingCurrency-C-003-M", "failed 1/2 1:PricingCurrency= credits"),
    ] {
        assert_eq!(verdict(&report, id), expected, "{id}");
    }
}

#[test]
fn names_and_order_of_columns() {
    let report = check(Version::V1_2, "billed_cost|x_Team|Id|ServiceName|x_bad name\n1|a|2|s|b");
    for (id, expected) in [
        ("ColumnHandling-A-001-M", "failed 1/2 0:header=billed_cost"),
        ("ColumnHandling-A-003-M", "failed 1/3 0:header=billed_cost"),
        ("ColumnHandling-A-010-M", "failed 1/3 0:header=Id"),
        ("ColumnHandling-A-011-O", "failed 1/2 0:header=x_bad name"),
        ("ColumnHandling-A-012-O", "failed 1/2 0:header=ServiceName"),
        ("ColumnHandling-A-013-O", "failed 2/3 0:header=x_Team"),
        ("BilledCost-C-001-M", "passed 0/1"),
    ] {
        assert_eq!(verdict(&report, id), expected, "{id}");
    }
}

#[test]
fn versions_have_the_rules_of_their_columns() {
    let count = |v| of_version(v).count();
    assert_eq!(Version::ALL.map(count), [462, 551, 621, 645, 642]);
    let report = check(Version::V1_4, "ServiceProviderName|ContractApplied\n|{");
    assert_eq!(verdict(&report, "ServiceProviderName-G-003-M"), "failed 1/1 1:ServiceProviderName=");
    assert_eq!(verdict(&report, "ContractApplied-G-002-M"), "failed 1/1 1:ContractApplied={");
    assert!(report.of("ProviderName-C-001-M").is_none());
}

#[test]
fn memory_is_bounded_and_says_so() {
    let header = ["ServiceName", "ServiceCategory"];
    let mut checker = Checker::new(&header, Version::V1_2, Applicability::all());
    for i in 0..KEYS_MAX as u64 + 5 {
        checker.row(i + 1, &[Some(&format!("s{i}")), Some("Nowhere")]);
    }
    let report = checker.finish();
    let keys = report.of("ServiceName-C-005-C").unwrap();
    assert_eq!(keys.note.as_deref(), Some("not computed for 5 rows beyond the first 100000 keys"));
    let values = report.of("ServiceCategory-C-003-M").unwrap();
    assert_eq!((values.violations, values.examples.len()), (KEYS_MAX as u64 + 5, EXAMPLES_MAX));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    /// What stands from the row before is what the row alone says: rules on rows count over a file as over its rows one by one.
    #[test]
    fn rows_are_judged_alike_alone_and_in_a_row(
        rows in proptest::collection::vec(proptest::collection::vec(0_usize..6, 12), 1..12),
    ) {
        use proptest::prelude::*;
        const HEADER: [&str; 12] = [
            "ChargeCategory", "ChargeClass", "ListUnitPrice", "PricingQuantity", "ListCost", "PricingUnit", "BillingCurrency",
            "ChargePeriodStart", "ChargePeriodEnd", "CommitmentDiscountId", "CommitmentDiscountStatus", "Tags",
        ];
        const WORDS: [[&str; 6]; 12] = [
            ["Usage", "Tax", "Purchase", "usage", "", "Credit"],
            ["", "Correction", "Other", "", "", "NULL"],
            ["1", "2", "-1", "x", "", "2.0"],
            ["3", "0", "", "3.0", "1E1", "y"],
            ["6", "3", "0", "", "-3", "z"],
            ["Hours", "hours", "", "GB", "Hours", "Hours"],
            ["USD", "EUR", "usd", "XXQ", "", "USD"],
            ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "", "soon", "2026-01-01", "2026-01-01T00:00:00Z"],
            ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T23:59:59Z", "", "later", "2026-01-02T00:00:00Z"],
            ["", "c", "d", "", "n/a", "c"],
            ["Used", "Unused", "", "used", "Used", ""],
            ["{}", "{\"a\": 1}", "{\"a\": [1]}", "", "{", "{}"],
        ];
        let cells = |row: &[usize]| -> Vec<Option<&'static str>> {
            row.iter().zip(WORDS).map(|(at, words)| Some(words[*at]).filter(|w| !w.is_empty())).collect()
        };
        let new = || Checker::new(&HEADER, Version::V1_2, Applicability::all());
        let mut whole = new();
        let mut alone = std::collections::BTreeMap::<&str, (u64, u64)>::new();
        let on_rows: std::collections::BTreeSet<&str> =
            whole.row_rules.iter().map(|r| whole.results[r.result].rule.id).collect();
        for (number, row) in (1..).zip(&rows) {
            whole.row(number, &cells(row));
            let mut one = new();
            one.row(number, &cells(row));
            for result in one.finish().rules.iter().filter(|r| on_rows.contains(r.rule.id)) {
                let sum = alone.entry(result.rule.id).or_default();
                *sum = (sum.0 + result.checked, sum.1 + result.violations);
            }
        }
        for result in whole.finish().rules.iter().filter(|r| on_rows.contains(r.rule.id)) {
            prop_assert_eq!((result.checked, result.violations), alone[result.rule.id], "{}", result.rule.id);
        }
    }
}
