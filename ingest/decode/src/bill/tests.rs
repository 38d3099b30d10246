//! Whole bills through the reader: what is stored, what is rejected and why, and that the two sums make the source's.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bytes::Bytes;
use expect_test::{Expect, expect};
use grid_model::table::charges::{self, Column, Kind};
use grid_model::{Amount, Timestamp};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::*;
use grid_model::Currency;

mod azure;
mod declared;
mod gcp;
mod ledger;

/// A complete FOCUS 1.0 header.
const HEADER: &str = "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,\
BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceCategory,ServiceName,InvoiceIssuerName,ProviderName";

/// The cells of [`HEADER`] after the cost and up to the currency's neighbours, all conformant.
fn row(cost: &str, currency: &str) -> String {
    format!(
        "{cost},0,0,0,acct-1,{currency},2024-09-01T00:00:00Z,2024-10-01T00:00:00Z,2024-09-05T00:00:00Z,2024-09-06T00:00:00Z,\
         Usage,Compute,Virtual Machines,Acme,Acme"
    )
}

fn read(bytes: impl Into<Bytes>) -> Result<(Vec<RecordBatch>, BillSummary), BillError> {
    let options = BillOptions { import_id: "imp-1".to_owned(), file: "a.csv".to_owned(), ..BillOptions::default() };
    let mut reader = BillReader::bytes(bytes.into(), options)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.push(batch);
    }
    Ok((batches, reader.finish()))
}

/// One cell as text; null as `-`.
fn cell(batches: &[RecordBatch], row: usize, column: &str) -> String {
    let mut row = row;
    for batch in batches {
        if row >= batch.num_rows() {
            row -= batch.num_rows();
            continue;
        }
        let array = batch.column_by_name(column).unwrap();
        if array.is_null(row) {
            return "-".to_owned();
        }
        if let Some(text) = array.as_string_opt::<i32>() {
            return text.value(row).to_owned();
        }
        if let Some(map) = array.as_map_opt() {
            let entries = map.value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            let pairs: Vec<String> =
                (0..entries.len()).map(|i| format!("{}={}", keys.value(i), values.value(i))).collect();
            return pairs.join(" ");
        }
        if let Some(amounts) = array.as_primitive_opt::<Decimal128Type>() {
            return Amount(amounts.value(row)).to_string();
        }
        return Timestamp(array.as_primitive::<TimestampNanosecondType>().value(row)).to_string();
    }
    panic!("no such row");
}

fn show(summary: &BillSummary) -> String {
    let mut out = format!("{} rows: {} stored, {} rejected\n", summary.rows, summary.stored, summary.rejected);
    for (currency, t) in &summary.totals {
        assert!(t.difference().unwrap().is_zero(), "{currency:?} {t:?}");
        out += &format!(
            "{:?}: {} = {} stored + {} residual + {} rejected; rows {} + {} ({} unreadable)\n",
            currency.0, t.source, t.stored, t.residual, t.rejected, t.rows_stored, t.rows_rejected, t.rows_unreadable
        );
    }
    for r in &summary.rejects {
        out += &format!(
            "reject {}:{} line {:?} cost {:?} {:?}: {}\n",
            r.file, r.row, r.line, r.cost, r.currency, r.reason
        );
    }
    for (what, note) in &summary.notes {
        out += &format!("note {what} (x{}, first at row {})\n", note.count, note.first_row);
    }
    assert!(summary.unreconciled().is_none());
    out
}

fn check(bytes: impl Into<Bytes>, expected: Expect) {
    match read(bytes) {
        Ok((batches, summary)) => {
            assert_eq!(batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(), summary.stored);
            expected.assert_eq(&show(&summary));
        }
        Err(e) => {
            let mut text = format!("{e}\n");
            let mut source = std::error::Error::source(&e);
            while let Some(cause) = source {
                text += &format!("  {cause}\n");
                source = cause.source();
            }
            expected.assert_eq(&text);
        }
    }
}

fn bill(rows: &[String]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

#[test]
fn good_rows_are_stored_exactly() {
    check(
        bill(&[row("1.68230869740", "USD"), row("-2E-7", "USD"), row("0.0000000000000000015", "CAD")]),
        expect![[r#"
            3 rows: 3 stored, 0 rejected
            "CAD": 0.0000000000000000015 = 0.000000000000000002 stored + -0.0000000000000000005 residual + 0 rejected; rows 1 + 0 (0 unreadable)
            "USD": 1.6823084974 = 1.6823084974 stored + 0 residual + 0 rejected; rows 2 + 0 (0 unreadable)
        "#]],
    );
}

#[test]
fn every_bad_row_is_listed_and_its_cost_counted() {
    let with = |column: &str, value: &str| {
        let at = HEADER.split(',').position(|c| c == column).unwrap();
        let good = row("0.1", "USD");
        let mut cells: Vec<&str> = good.split(',').collect();
        cells[at] = value;
        cells.join(",")
    };
    check(
        bill(&[
            with("BilledCost", "1,5").replace("1,5", "\"1,5\""),
            with("BilledCost", ""),
            with("BilledCost", "NaN"),
            with("BilledCost", "1e-40"),
            with("BillingCurrency", ""),
            with("BillingCurrency", "usd"),
            with("BillingAccountId", "NULL"),
            with("ChargePeriodStart", "2024-13-01"),
            with("ChargePeriodStart", "9/5/2024"),
            with("ChargeCategory", "Refund"),
            with("EffectiveCost", "x"),
            with("ListCost", ""),
            format!("{},extra", row("0.1", "USD")),
            "0.1,0,0".to_owned(),
            with("ChargePeriodEnd", "2024-09-05T00:00:00Z"),
        ]),
        expect![[r#"
            15 rows: 4 stored, 11 rejected
            "": 0.2 = 0 stored + 0 residual + 0.2 rejected; rows 0 + 2 (0 unreadable)
            "USD": 0.8 = 0.3 stored + 0 residual + 0.5 rejected; rows 3 + 9 (4 unreadable)
            "usd": 0.1 = 0.1 stored + 0 residual + 0 rejected; rows 1 + 0 (0 unreadable)
            reject a.csv:1 line Some(2) cost None "USD": BilledCost "1,5" is not a decimal number
            reject a.csv:2 line Some(3) cost None "USD": BilledCost is null
            reject a.csv:3 line Some(4) cost None "USD": BilledCost "NaN" is not a decimal number
            reject a.csv:4 line Some(5) cost None "USD": BilledCost "1e-40" has more than 36 decimals
            reject a.csv:5 line Some(6) cost Some("0.1") "": BillingCurrency is null
            reject a.csv:7 line Some(8) cost Some("0.1") "USD": BillingAccountId is null
            reject a.csv:8 line Some(9) cost Some("0.1") "USD": ChargePeriodStart "2024-13-01" is not a date
            reject a.csv:11 line Some(12) cost Some("0.1") "USD": EffectiveCost "x" is not a decimal number
            reject a.csv:12 line Some(13) cost Some("0.1") "USD": ListCost is null
            reject a.csv:13 line Some(14) cost Some("0.1") "USD": the row has 16 cells, the header 15
            reject a.csv:14 line Some(15) cost Some("0.1") "": the row has 3 cells, the header 15
            note BillingCurrency is not an ISO 4217 code (x1, first at row 6)
            note ChargeCategory "Refund" is none of Usage, Purchase, Tax, Credit, Adjustment (x1, first at row 10)
            note ChargePeriodEnd is not after ChargePeriodStart (x1, first at row 15)
            note ChargePeriodStart is not written as YYYY-MM-DDTHH:mm:ssZ (x1, first at row 9)
            note null is written as a placeholder (NULL, \N or blanks) (x1, first at row 7)
        "#]],
    );
}

#[test]
fn files_that_are_no_bill() {
    check("", expect![["the file is empty\n"]]);
    check("\u{feff}", expect![["the file is empty\n"]]);
    check(
        "a,b\n1,2\n",
        expect![[
            "no bill that Grid knows (FOCUS, AWS CUR, Azure cost details, Google Cloud billing export): it has none of the columns BilledCost, lineItem/UnblendedCost, MeterCategory with a cost, or cost with usage_start_time; a mapping file (--mapping) can say what its columns mean. The columns are a, b\n"
        ]],
    );
    check(
        bill(&[]).replace("BillingCurrency,", "").replace("ListCost,", ""),
        expect![["not a complete FOCUS header: mandatory columns BillingCurrency, ListCost are missing\n"]],
    );
    check(
        "lineItem/UnblendedCost,lineItem/CurrencyCode,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/LineItemType,\
         lineItem/ProductCode,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate\n",
        expect![["not a complete AWS CUR header: mandatory column bill/PayerAccountId is missing\n"]],
    );
    check(&b"\xff\xfea\0"[..], expect![["not a CSV file: the text is UTF-16; save it as UTF-8\n"]]);
    check(&b"PK\x03\x04"[..], expect![["not a CSV file: this is a zip archive or a spreadsheet; unpack it to CSV\n"]]);
    check(&b"\x1f\x8b\x08\0broken"[..], expect![["cannot read the file\n  incomplete deflate stream\n"]]);
    check(
        &b"PAR1 and nothing more"[..],
        expect![["not a readable Parquet file: Parquet error: Invalid Parquet file. Corrupt footer\n"]],
    );
}

#[test]
fn a_bill_without_the_columns_that_only_describe_is_taken() {
    let without = |line: &str| line.split(',').take(11).chain(["Machines"]).collect::<Vec<_>>().join(",");
    let header = HEADER.split(',').take(11).chain(["ServiceName"]).collect::<Vec<_>>().join(",");
    check(
        format!("{header}\n{}\n", without(&row("0.1", "USD"))),
        expect![[r#"
            1 rows: 1 stored, 0 rejected
            "USD": 0.1 = 0.1 stored + 0 residual + 0 rejected; rows 1 + 0 (0 unreadable)
            note InvoiceIssuerName is null (x1, first at row 1)
            note ServiceCategory is null (x1, first at row 1)
            note ServiceProviderName is null (x1, first at row 1)
        "#]],
    );
}

#[test]
fn a_header_alone_is_an_empty_bill() {
    check(bill(&[]), expect![["0 rows: 0 stored, 0 rejected\n"]]);
    check(HEADER, expect![["0 rows: 0 stored, 0 rejected\n"]]);
}

#[test]
fn a_quote_that_never_closes_is_one_bounded_record() {
    let mut text = bill(&[row("0.1", "USD")]);
    text.push('"');
    text.extend(std::iter::repeat_n('x', 20 << 20));
    check(text, expect![["cannot read the file\n  a record is longer than 16 MiB: is a quote not closed?\n"]]);
}

#[test]
fn how_a_file_is_written_does_not_matter() {
    let plain =
        bill(&[row("0.1", "USD"), row("0.2", "EUR").replace("Virtual Machines", "\"Virtual\nMachines, \"\"big\"\"\"")]);
    let (batches, summary) = read(plain.clone()).unwrap();
    assert_eq!(cell(&batches, 1, charges::SERVICE_NAME), "Virtual\nMachines, \"big\"");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(plain.as_bytes()).unwrap();
    let one = gz.finish().unwrap();
    // Two gzip members in a row, as concatenated files have.
    let (head, tail) = plain.split_at(40);
    let mut members = Vec::new();
    for part in [head, tail] {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(part.as_bytes()).unwrap();
        members.extend(gz.finish().unwrap());
    }
    let bom = [b"\xef\xbb\xbf", plain.as_bytes()].concat();
    let no_last_newline = plain.trim_end().to_owned();
    for bytes in [one, members, bom, no_last_newline.into_bytes()] {
        let (same, again) = read(bytes).unwrap();
        assert_eq!((&same, &again), (&batches, &summary));
    }
    let crlf = plain.replace('\n', "\r\n");
    let (same, again) = read(crlf).unwrap();
    assert_eq!(again.totals, summary.totals);
    assert_eq!(cell(&same, 1, charges::SERVICE_NAME), "Virtual\r\nMachines, \"big\"");
    let snake: String = HEADER
        .split(',')
        .map(|n| Column::ALL.iter().find(|c| c.focus_name() == n).unwrap().name())
        .fold(String::new(), |mut out, name| {
            out += if out.is_empty() { "" } else { "," };
            out += name;
            out
        });
    let (same, again) = read(plain.replace(HEADER, &snake)).unwrap();
    assert_eq!((same, again), (batches, summary));
}

#[test]
fn what_focus_does_not_know_is_kept() {
    let text = format!(
        "{HEADER},Id,x_Team,Tags,ConsumedQuantity,ServiceProviderName\n{},17,\"a,b\",\"{{\"\"env\"\": \"\"dev\"\", \"\"n\"\": 1.50}}\",many,Seller\n\
         {},18,NULL,env=dev,1e3,\n",
        row("0.1", "USD"),
        row("0.1", "USD")
    );
    let (batches, summary) = read(text).unwrap();
    assert_eq!(cell(&batches, 0, charges::X_COLUMNS), "Id=17 x_Team=a,b ConsumedQuantity=many");
    assert_eq!(cell(&batches, 0, charges::TAGS), "env=dev n=1.50");
    assert_eq!(cell(&batches, 0, charges::CONSUMED_QUANTITY), "-");
    assert_eq!(cell(&batches, 0, charges::SERVICE_PROVIDER_NAME), "Seller");
    assert_eq!(cell(&batches, 1, charges::X_COLUMNS), "Id=18 Tags=env=dev");
    assert_eq!(cell(&batches, 1, charges::CONSUMED_QUANTITY), "1000");
    assert_eq!(cell(&batches, 1, charges::SERVICE_PROVIDER_NAME), "Acme");
    assert_eq!(cell(&batches, 1, charges::SOURCE_FILE), "a.csv");
    assert_eq!(
        batches[0]
            .column_by_name(charges::SOURCE_ROW)
            .unwrap()
            .as_primitive::<arrow_array::types::UInt64Type>()
            .values(),
        &[1, 2]
    );
    assert_eq!(summary.notes.len(), 4, "{:?}", summary.notes);
}

#[test]
fn parquet_of_every_writer() {
    let schema: Vec<&str> = HEADER.split(',').collect();
    let text_of = |name: &str| -> ArrayRef {
        let column = Column::ALL.iter().find(|c| c.focus_name() == name).unwrap();
        let value = match column.kind() {
            Kind::Amount => "0.25",
            Kind::Time => "2024-09-01",
            Kind::Text => "USD",
        };
        Arc::new(StringArray::from(vec![Some(value), Some(value), Some(value)]))
    };
    let decimals =
        Decimal128Array::from(vec![Some(16_823_086_974), Some(-1), None]).with_precision_and_scale(20, 10).unwrap();
    let mut doubles = Float64Builder::new();
    for v in [Some(0.1 + 0.2), Some(5.2e-9), Some(f64::NAN)] {
        doubles.append_option(v);
    }
    let times =
        TimestampMicrosecondArray::from(vec![Some(1_725_148_800_000_000), Some(0), Some(1)]).with_timezone("UTC");
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for n in 0..3 {
        tags.keys().append_value("env");
        tags.values().append_value(format!("t{n}"));
        tags.append(true).unwrap();
    }
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in &schema {
        columns.push((
            name,
            match *name {
                "BilledCost" => Arc::new(decimals.clone()),
                "EffectiveCost" => Arc::new(doubles.finish()),
                "ChargePeriodStart" => Arc::new(times.clone()),
                other => text_of(other),
            },
        ));
    }
    columns.push(("Tags", Arc::new(tags.finish())));
    columns.push(("x_Number", Arc::new(arrow_array::Int64Array::from(vec![Some(7), None, None]))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    check(
        bytes.clone(),
        expect![[r#"
        3 rows: 2 stored, 1 rejected
        "USD": 1.6823086973 = 1.6823086973 stored + 0 residual + 0 rejected; rows 2 + 1 (1 unreadable)
        reject a.csv:3 line None cost None "USD": BilledCost is null
        note BillingPeriodEnd is not after BillingPeriodStart (x2, first at row 1)
        note BillingPeriodEnd is not written as YYYY-MM-DDTHH:mm:ssZ (x2, first at row 1)
        note BillingPeriodStart is not written as YYYY-MM-DDTHH:mm:ssZ (x2, first at row 1)
        note ChargeCategory "USD" is none of Usage, Purchase, Tax, Credit, Adjustment (x2, first at row 1)
        note ChargePeriodEnd is not after ChargePeriodStart (x1, first at row 1)
        note ChargePeriodEnd is not written as YYYY-MM-DDTHH:mm:ssZ (x2, first at row 1)
    "#]],
    );
    let (batches, _) = read(bytes).unwrap();
    assert_eq!(cell(&batches, 0, charges::EFFECTIVE_COST), "0.30000000000000004");
    assert_eq!(cell(&batches, 1, charges::EFFECTIVE_COST), "0.0000000052");
    assert_eq!(cell(&batches, 0, charges::CHARGE_PERIOD_START), "2024-09-01T00:00:00.000000000Z");
    assert_eq!(cell(&batches, 1, charges::TAGS), "env=t1");
    assert_eq!(cell(&batches, 0, charges::X_COLUMNS), "x_Number=7");
    assert_eq!(cell(&batches, 1, charges::X_COLUMNS), "");
}

/// A report of one line item per kind. Columns beside those that every row has: type, product, cost, list, then what the
/// kinds of commitments need.
fn cur(rows: &[&str]) -> String {
    let header = "bill/PayerAccountId,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate,lineItem/UsageStartDate,\
        lineItem/UsageEndDate,lineItem/CurrencyCode,lineItem/LineItemType,lineItem/ProductCode,lineItem/UnblendedCost,\
        pricing/publicOnDemandCost,reservation/ReservationARN,reservation/EffectiveCost,\
        reservation/UnusedAmortizedUpfrontFeeForBillingPeriod,reservation/UnusedRecurringFee,savingsPlan/SavingsPlanARN,\
        savingsPlan/SavingsPlanEffectiveCost,savingsPlan/TotalCommitmentToDate,savingsPlan/UsedCommitment,lineItem/UsageType,\
        lineItem/UsageAmount,resourceTags/user:team,resourceTags/aws:createdBy,product/group";
    let common =
        "111122223333,2023-11-01T00:00:00.000Z,2023-12-01T00:00:00.000Z,2023-11-02T00:00:00Z,2023-11-02T01:00:00Z,USD";
    let lines: Vec<String> = rows.iter().map(|r| format!("{common},{r}")).collect();
    format!("{header}\n{}\n", lines.join("\n"))
}

#[test]
fn line_items_become_charges() {
    // type, product, cost | expected: category, effective, list, contracted, pricing, commitment status
    let cases = [
        ("Usage,AmazonEC2,1.5,2,,,,,,,,,BoxUsage,3,web,root,g", "Usage 1.5 2 1.5 Standard -"),
        ("Usage,AmazonEC2,0.5,2,,,,,,,,,EU-SpotUsage:m5,1,,,", "Usage 0.5 2 0.5 Dynamic -"),
        ("Usage,AmazonS3,0.5,,,,,,,,,,Bytes,1,,,", "Usage 0.5 0.5 0.5 Standard -"),
        ("DiscountedUsage,AmazonEC2,0,2,arn:ri,0.7,,,,,,,BoxUsage,1,,,", "Usage 0.7 2 2 Committed Used"),
        ("RIFee,AmazonEC2,10,,arn:ri,,1.5,2.25,,,,,HeavyUsage,1,,,", "Purchase 3.75 10 10 Standard -"),
        ("Fee,AmazonEC2,100,,arn:ri,,,,,,,,,1,,,", "Purchase 0 100 100 Standard -"),
        ("Fee,AmazonRegistrar,12,,,,,,,,,,,1,,,", "Purchase 12 12 12 Standard -"),
        ("SavingsPlanCoveredUsage,AmazonEC2,2,2.5,,,,,arn:sp,1.25,,,BoxUsage,1,,,", "Usage 1.25 2.5 2 Committed Used"),
        ("SavingsPlanNegation,AmazonEC2,-2,,,,,,arn:sp,,,,BoxUsage,1,,,", "Usage 0 0 0 Other -"),
        ("SavingsPlanRecurringFee,ComputeSavingsPlans,3,,,,,,arn:sp,,3,1.25,,1,,,", "Purchase 1.75 3 3 Standard -"),
        ("SavingsPlanUpfrontFee,ComputeSavingsPlans,50,,,,,,arn:sp,,,,,1,,,", "Purchase 0 50 50 Standard -"),
        ("Tax,AmazonEC2,0.3,0,,,,,,,,,,1,,,", "Tax 0.3 0.3 0.3 - -"),
        ("Credit,AmazonEC2,-0.3,,,,,,,,,,,,,,", "Credit -0.3 -0.3 -0.3 Other -"),
        ("Refund,AmazonEC2,-0.1,,,,,,,,,,,,,,", "Adjustment -0.1 -0.1 -0.1 Other -"),
        ("EdpDiscount,AmazonEC2,-0.2,,,,,,,,,,,,,,", "Adjustment -0.2 -0.2 -0.2 Other -"),
    ];
    let (batches, summary) = read(cur(&cases.map(|(line, _)| line))).unwrap();
    show(&summary);
    for (i, (line, expected)) in cases.iter().enumerate() {
        let columns = [
            charges::CHARGE_CATEGORY,
            charges::EFFECTIVE_COST,
            charges::LIST_COST,
            charges::CONTRACTED_COST,
            charges::PRICING_CATEGORY,
            charges::COMMITMENT_DISCOUNT_STATUS,
        ];
        assert_eq!(columns.map(|c| cell(&batches, i, c)).join(" "), *expected, "{line}");
    }
    assert_eq!(cell(&batches, 0, charges::TAGS), "team=web aws:createdBy=root");
    assert!(
        cell(&batches, 0, charges::X_COLUMNS).contains("product/group=g"),
        "{}",
        cell(&batches, 0, charges::X_COLUMNS)
    );
    assert_eq!(cell(&batches, 0, charges::SOURCE), "aws-cur");
    // Commitments used + unused = what their fees amortise to: 0.7 + 3.75 and 1.25 + 1.75 here.
    assert_eq!(summary.periods.len(), 1);
}

#[test]
fn cur_2_names_are_the_same_columns() {
    let legacy = cur(&["Usage,AmazonEC2,1.5,2,,,,,,,,,BoxUsage,3,web,root,g"]);
    let (header, rest) = legacy.split_once('\n').unwrap();
    let snake: Vec<String> = header
        .split(',')
        .map(|name| {
            let mut out = String::new();
            for c in name.replace("user:", "user_").chars() {
                match c {
                    '/' => out.push('_'),
                    c if c.is_ascii_uppercase() => out.extend(['_', c.to_ascii_lowercase()]),
                    c => out.push(c),
                }
            }
            out.replace("__", "_")
        })
        .collect();
    let (new, _) = read(format!("{}\n{rest}", snake.join(","))).unwrap();
    let (old, _) = read(legacy.clone()).unwrap();
    for c in Column::ALL {
        assert_eq!(cell(&new, 0, c.name()), cell(&old, 0, c.name()), "{c:?}");
    }
    assert!(cell(&new, 0, charges::TAGS).starts_with("team=web"), "{}", cell(&new, 0, charges::TAGS));
}

/// Real bills, if they are at hand.
fn shared(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("GRID_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let file = root.join(path);
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no {path} in the shared data");
    }
    bytes
}

#[test]
fn the_aws_sample_reconciles() {
    let Some(bytes) = shared("bills/aws_cur_sample.csv") else { return };
    let (batches, summary) = read(bytes).unwrap();
    show(&summary);
    assert_eq!((summary.rows, summary.rejected), (1281, 0));
    let total = &summary.totals[&Currency("USD".to_owned())];
    assert_eq!((total.source.to_string(), total.stored.to_string()), ("1.6823086974".into(), "1.6823086974".into()));
    assert_eq!(summary.totals.len(), 1);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1281);
    let other = (0..1281).filter(|i| cell(&batches, *i, charges::SERVICE_CATEGORY) == "Other").count();
    assert_eq!(other, 0, "every product of the sample has a category");
}

#[test]
fn the_focus_sample_reconciles() {
    let Some(bytes) = shared("focus/focus_sample_500.csv") else { return };
    let (batches, summary) = read(bytes).unwrap();
    show(&summary);
    assert_eq!((summary.rows, summary.rejected), (500, 0));
    let total = &summary.totals[&Currency("USD".to_owned())];
    assert_eq!((total.source.to_string(), total.stored.to_string()), ("5.9883937432".into(), "5.9883937432".into()));
    assert_eq!(cell(&batches, 0, charges::X_COLUMNS), "Id=11472");
    assert_eq!(cell(&batches, 0, charges::AVAILABILITY_ZONE), "-");
}

/// A cost as some exporter might write it, right or wrong.
fn any_cost() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "-?[0-9]{1,9}\\.[0-9]{0,24}",
        2 => "-?[0-9]{1,3}[eE]-?[0-9]{1,2}",
        1 => Just(String::new()),
        1 => Just("NULL".to_owned()),
        1 => "[a-z$ ]{1,5}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn source_is_stored_plus_rejected_to_the_last_digit(
        rows in proptest::collection::vec((any_cost(), "USD|EUR|", 0..6_u8), 0..60)
    ) {
        let lines: Vec<String> = rows.iter().map(|(cost, currency, damage)| {
            let line = row(cost, currency);
            match damage {
                0 => line.replace("acct-1", ""),
                1 => line.replace("2024-09-05T00:00:00Z", "yesterday"),
                2 => format!("{line},more"),
                _ => line,
            }
        }).collect();
        let (batches, summary) = read(bill(&lines)).unwrap();
        prop_assert!(summary.unreconciled().is_none());
        prop_assert_eq!(summary.rows, rows.len() as u64);
        prop_assert_eq!(summary.stored + summary.rejected, summary.rows);
        prop_assert_eq!(summary.rejects.len() as u64, summary.rejected);
        // The source's sum again, from the rows.
        let mut sums: BTreeMap<&str, Exact> = BTreeMap::new();
        for (cost, currency, _) in &rows {
            let entry = sums.entry(currency).or_insert(Exact::ZERO);
            if let Ok((a, r)) = Amount::parse(cost) {
                *entry = entry.checked_add(Exact::new(a, r)).unwrap();
            }
        }
        for (currency, sum) in sums {
            prop_assert_eq!(summary.totals[&Currency(currency.to_owned())].source, sum);
        }
        prop_assert_eq!(batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(), summary.stored);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0..4_u8) {
        let prefix: &[u8] = match which {
            0 => b"",
            1 => b"PAR1",
            2 => b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
            _ => HEADER.as_bytes(),
        };
        let _ = read([prefix, &bytes].concat());
        let _ = manifest::Manifest::parse(&bytes);
    }
}

/// Found by fuzzing (`aws_cur`): an overlong currency was stored under its own name, but counted to the total without one.
#[test]
fn an_overlong_currency_is_rejected() {
    let (batches, summary) = read(format!("{HEADER}\n{}\n{}\n", row("1", "USD"), row("2", &"U".repeat(33)))).unwrap();
    assert!(batches.iter().map(RecordBatch::num_rows).eq([1]));
    assert_eq!(summary.unreconciled(), None);
    assert_eq!(summary.rejects[0].reason, format!("the currency {} has 33 bytes", "U".repeat(33)));
}
