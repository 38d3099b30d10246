//! Google Cloud billing exports: nested JSON lines, flattened CSV, Parquet; credits become charges.

use arrow_array::builder::{ListBuilder, StructBuilder};
use arrow_array::{Float64Array, StructArray};
use arrow_schema::{DataType, Field, Fields};

use super::*;

const JSON: &str = r#"{"billing_account_id":"01-AB","service":{"id":"6F81","description":"Compute Engine"},"sku":{"id":"D2","description":"N1 Core"},"usage_start_time":"2024-01-05 08:00:00 UTC","usage_end_time":"2024-01-05 09:00:00 UTC","project":{"id":"p-1","name":"Project","labels":[{"key":"team","value":"web"}]},"labels":[{"key":"env","value":"prod"}],"system_labels":[{"key":"compute.googleapis.com/cores","value":"4"}],"location":{"location":"europe-west1","region":"europe-west1","zone":"europe-west1-b"},"cost":0.1234567890123456789,"currency":"EUR","currency_conversion_rate":0.92,"usage":{"amount":3600.0,"unit":"seconds","amount_in_pricing_units":1.0,"pricing_unit":"hour"},"credits":[{"name":"CUD","amount":-0.05,"full_name":"Committed","id":"cud-1","type":"COMMITTED_USAGE_DISCOUNT"},{"name":"Trial","amount":-0.01,"id":"t","type":"PROMOTION"}],"invoice":{"month":"202401"},"cost_type":"regular","cost_at_list":0.15}
{"billing_account_id":"01-AB","service":{"id":"6F81","description":"Compute Engine"},"sku":{"id":"D3","description":"Spot Core"},"usage_start_time":"2024-01-31T23:00:00Z","usage_end_time":"2024-02-01T00:00:00Z","cost":"1e-7","currency":"EUR","credits":[],"invoice":{"month":"202402"},"cost_type":"regular","resource":{"name":"vm","global_name":"//compute/vm"}}
{"billing_account_id":"01-AB","service":{"description":"Invoice"},"sku":{"id":"T"},"usage_start_time":"2024-01-01T00:00:00Z","usage_end_time":"2024-02-01T00:00:00Z","cost":2,"currency":"EUR","invoice":{"month":"202401"},"cost_type":"tax"}
{"billing_account_id":"01-AB","service":{"description":"Invoice"},"sku":{"id":"R"},"usage_start_time":"2024-01-01T00:00:00Z","usage_end_time":"2024-02-01T00:00:00Z","cost":-0.003,"currency":"EUR","invoice":{"month":"202401"},"cost_type":"rounding_error","adjustment_info":{"id":"a","mode":"PARTIAL_CORRECTION","type":"USAGE_CORRECTION"}}
"#;

fn costs(batches: &[RecordBatch], row: usize) -> String {
    let columns = [
        charges::CHARGE_CATEGORY,
        charges::BILLED_COST,
        charges::EFFECTIVE_COST,
        charges::LIST_COST,
        charges::CONTRACTED_COST,
        charges::COMMITMENT_DISCOUNT_ID,
    ];
    columns.map(|c| cell(batches, row, c)).join(" ")
}

#[test]
fn json_lines_with_credits() {
    check(
        JSON,
        expect![[r#"
            4 rows: 6 stored, 0 rejected
            "EUR": 2.0604568890123456789 = 2.060456889012345679 stored + -0.0000000000000000001 residual + 0 rejected; rows 6 + 0 (0 unreadable)
            note the export has no cost_at_list: ListCost = BilledCost (x3, first at row 2)
        "#]],
    );
    let (batches, summary) = read(JSON).unwrap();
    for (row, expected) in [
        (0, "Usage 0.123456789012345679 0.123456789012345679 0.15 0.123456789012345679 -"),
        (1, "Credit -0.05 -0.05 0 0 cud-1"),
        (2, "Credit -0.01 -0.01 -0.01 -0.01 -"),
        (3, "Usage 0.0000001 0.0000001 0.0000001 0.0000001 -"),
        (4, "Tax 2 2 2 2 -"),
        (5, "Adjustment -0.003 -0.003 -0.003 -0.003 -"),
    ] {
        assert_eq!(costs(&batches, row), expected, "row {row}");
    }
    assert_eq!(cell(&batches, 0, charges::TAGS), "env=prod compute.googleapis.com/cores=4 project:team=web");
    assert_eq!(
        cell(&batches, 1, charges::TAGS),
        cell(&batches, 0, charges::TAGS),
        "a credit belongs to whom the charge belongs"
    );
    assert_eq!(cell(&batches, 1, charges::SUB_ACCOUNT_ID), "p-1");
    assert_eq!(cell(&batches, 1, charges::CONSUMED_QUANTITY), "-");
    assert_eq!(cell(&batches, 0, charges::PRICING_QUANTITY), "1");
    let x = cell(&batches, 2, charges::X_COLUMNS);
    assert!(x.contains("credits.type=PROMOTION") && !x.contains("cud-1"), "{x}");
    assert!(x.contains("currency_conversion_rate=0.92") && x.contains("invoice.month=202401"), "{x}");
    assert_eq!(cell(&batches, 3, charges::PRICING_CATEGORY), "Dynamic");
    assert_eq!(cell(&batches, 3, charges::BILLING_PERIOD_START), "2024-02-01T00:00:00.000000000Z");
    assert_eq!(cell(&batches, 3, charges::RESOURCE_ID), "//compute/vm");
    assert_eq!(cell(&batches, 5, charges::CHARGE_CLASS), "Correction");
    let rows = batches[0].column_by_name(charges::SOURCE_ROW).unwrap();
    assert_eq!(rows.as_primitive::<arrow_array::types::UInt64Type>().values(), &[1, 1, 1, 2, 3, 4]);
    assert_eq!(summary.periods.len(), 2);
    // The same as an array over many lines.
    let array = format!("[\n  {}]", JSON.trim_end().replace('\n', ",\n  ").replace("\",\"", "\",\n \""));
    let (same, _) = read(array).unwrap();
    assert_eq!(same, batches);
}

#[test]
fn a_broken_object_costs_one_row() {
    let text = format!("{}\nnot json\n{{\"cost\": }}\n", JSON.lines().next().unwrap());
    check(
        text,
        expect![[r#"
            3 rows: 3 stored, 2 rejected
            "": 0 = 0 stored + 0 residual + 0 rejected; rows 0 + 2 (2 unreadable)
            "EUR": 0.0634567890123456789 = 0.063456789012345679 stored + -0.0000000000000000001 residual + 0 rejected; rows 3 + 0 (0 unreadable)
            reject a.csv:2 line Some(2) cost None "": not a JSON object: expected ident at line 1 column 2
            reject a.csv:3 line Some(3) cost None "": not a JSON object: expected value at line 1 column 10
        "#]],
    );
    check(
        "{\"a\": 1",
        expect![["not JSON lines: not a JSON object: EOF while parsing an object at line 1 column 7\n"]],
    );
    check("{}", expect![["the file is empty\n"]]);
}

#[test]
fn an_unreadable_credit_rejects_the_whole_row() {
    let bad = JSON.lines().next().unwrap().replace("-0.05", "\"much\"");
    let (_, summary) = read(bad).unwrap();
    assert_eq!((summary.stored, summary.rejected), (0, 1));
    assert_eq!(summary.rejects[0].reason, "credits.amount \"much\" is not a decimal number");
    show(&summary);
    // A row that is rejected for another reason counts with its credits.
    let bad = JSON.lines().next().unwrap().replace("2024-01-05 08", "2024-13-05 08");
    let (_, summary) = read(bad).unwrap();
    let total = &summary.totals[&Currency("EUR".to_owned())];
    assert_eq!(total.rejected.to_string(), "0.0634567890123456789");
    show(&summary);
}

#[test]
fn columns_that_come_late_are_kept() {
    let mut text = JSON.lines().nth(1).unwrap().to_string() + "\n";
    for _ in 0..300 {
        text += JSON.lines().nth(1).unwrap();
        text += "\n";
    }
    text += &JSON.lines().nth(1).unwrap().replace("\"cost\"", "\"brand_new\":\"x\",\"cost\"");
    let (batches, summary) = read(text).unwrap();
    assert_eq!((summary.rows, summary.stored, summary.rejected), (302, 302, 0));
    assert!(cell(&batches, 301, charges::X_COLUMNS).contains("brand_new=x"));
}

#[test]
fn flattened_csv() {
    let text = "billing_account_id,service_id,service_description,sku_id,sku_description,usage_start_time,usage_end_time,project_id,labels,\
        cost,currency,credits,invoice_month,cost_type\n\
        01-AB,6F81,Compute Engine,D2,Commitment v1: Cpu,2024-01-05T08:00:00Z,2024-01-05T09:00:00Z,p-1,\"[{\"\"key\"\":\"\"env\"\",\"\"value\"\":\"\"prod\"\"}]\",\
        0.5,USD,\"[{\"\"name\"\":\"\"d\"\",\"\"amount\"\":-0.1,\"\"type\"\":\"\"DISCOUNT\"\"}]\",202401,regular\n";
    let (batches, summary) = read(text).unwrap();
    assert_eq!(summary.rejected, 0, "{:?}", summary.rejects);
    assert_eq!(costs(&batches, 0), "Purchase 0.5 0.5 0.5 0.5 -");
    assert_eq!(costs(&batches, 1), "Credit -0.1 -0.1 0 -0.1 -");
    assert_eq!(cell(&batches, 0, charges::TAGS), "env=prod");
    let one = text
        .replace(",credits,", ",credits.amount,")
        .replace("\"[{\"\"name\"\":\"\"d\"\",\"\"amount\"\":-0.1,\"\"type\"\":\"\"DISCOUNT\"\"}]\"", "-0.1");
    let (batches, summary) = read(one).unwrap();
    assert_eq!((summary.stored, costs(&batches, 1).as_str()), (2, "Credit -0.1 -0.1 -0.1 -0.1 -"));
}

#[test]
fn nested_parquet() {
    let texts = |values: &[Option<&str>]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let record = |fields: &[(&str, ArrayRef)]| {
        let fields: Vec<(Arc<Field>, ArrayRef)> = fields
            .iter()
            .map(|(n, a)| (Arc::new(Field::new(*n, a.data_type().clone(), true)), Arc::clone(a)))
            .collect();
        Arc::new(StructArray::from(fields)) as ArrayRef
    };
    let fields = Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("type", DataType::Utf8, true),
    ]);
    let mut credits = ListBuilder::new(StructBuilder::from_fields(fields, 2));
    let one = credits.values();
    one.field_builder::<StringBuilder>(0).unwrap().append_value("CUD");
    one.field_builder::<Float64Builder>(1).unwrap().append_value(-0.1);
    one.field_builder::<StringBuilder>(2).unwrap().append_value("PROMOTION");
    one.append(true);
    credits.append(true);
    credits.append(true);
    let start: ArrayRef = Arc::new(
        TimestampMicrosecondArray::from(vec![1_704_441_600_000_000, 1_704_441_600_000_000]).with_timezone("UTC"),
    );
    let end: ArrayRef = Arc::new(
        TimestampMicrosecondArray::from(vec![1_704_445_200_000_000, 1_704_445_200_000_000]).with_timezone("UTC"),
    );
    let batch = RecordBatch::try_from_iter(vec![
        ("billing_account_id", texts(&[Some("01-AB"), Some("01-AB")])),
        ("service", record(&[("id", texts(&[Some("6F"), None])), ("description", texts(&[Some("Cloud Run"), None]))])),
        ("usage_start_time", start),
        ("usage_end_time", end),
        ("invoice", record(&[("month", texts(&[Some("202401"), None]))])),
        ("cost", Arc::new(Float64Array::from(vec![0.1 + 0.2, 1e-7])) as ArrayRef),
        ("currency", texts(&[Some("USD"), Some("USD")])),
        ("credits", Arc::new(credits.finish()) as ArrayRef),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let (batches, summary) = read(writer.into_inner().unwrap()).unwrap();
    assert_eq!((summary.rows, summary.stored, summary.rejected), (2, 3, 0), "{:?}", summary.rejects);
    show(&summary);
    assert_eq!(
        costs(&batches, 0),
        "Usage 0.30000000000000004 0.30000000000000004 0.30000000000000004 0.30000000000000004 -"
    );
    assert_eq!(costs(&batches, 1), "Credit -0.1 -0.1 -0.1 -0.1 -");
    assert_eq!(cell(&batches, 0, charges::SERVICE_NAME), "Cloud Run");
    assert_eq!(cell(&batches, 2, charges::SERVICE_NAME), "Google Cloud");
    assert_eq!(cell(&batches, 0, charges::CHARGE_PERIOD_START), "2024-01-05T08:00:00.000000000Z");
}
