//! Declared mappings: Oracle's cost report as the example, and mistakes with their places.

use super::super::declared::Declared;
use super::*;

/// The example of docs/bills.md.
pub(super) const OCI: &str = r#"name = "oci"
currency = "USD"

[columns]
BilledCost = "cost/myCost"
BillingCurrency = "cost/currencyCode"
BillingAccountId = "lineItem/tenantId"
SubAccountId = "product/compartmentId"
SubAccountName = "product/compartmentName"
ChargePeriodStart = { column = "lineItem/intervalUsageStart", format = "%Y-%m-%dT%H:%MZ" }
ChargePeriodEnd = { column = "lineItem/intervalUsageEnd", format = "%Y-%m-%dT%H:%MZ" }
BillingPeriodStart = { column = "lineItem/intervalUsageStart", format = "%Y-%m-%dT%H:%MZ", start_of = "month" }
BillingPeriodEnd = { column = "lineItem/intervalUsageStart", format = "%Y-%m-%dT%H:%MZ", next = "month" }
ChargeClass = { column = "lineItem/isCorrection", values = { "true" = "Correction" }, otherwise = "" }
ServiceName = { column = "product/service", default = "Oracle Cloud" }
ServiceCategory = { column = "product/service", values = { COMPUTE = "Compute", BLOCK_STORAGE = "Storage" }, otherwise = "Other" }
ServiceProviderName = { constant = "Oracle" }
InvoiceIssuerName = { constant = "Oracle" }
RegionId = "product/region"
AvailabilityZone = "product/availabilityDomain"
ResourceId = "product/resourceId"
SkuId = "cost/productSku"
SkuPriceId = { template = "{cost/productSku}/{product/region}" }
ConsumedQuantity = "usage/billedQuantity"
ContractedUnitPrice = "cost/unitPrice"

[tags]
prefixes = ["tags/"]

[[filters]]
column = "cost/skuUnitDescription"
drop = ["ignored"]
"#;

const REPORT: &str = "lineItem/referenceNo,lineItem/tenantId,lineItem/intervalUsageStart,lineItem/intervalUsageEnd,product/service,\
product/compartmentId,product/compartmentName,product/region,product/availabilityDomain,product/resourceId,usage/billedQuantity,\
cost/productSku,cost/unitPrice,cost/myCost,cost/currencyCode,cost/skuUnitDescription,lineItem/isCorrection,tags/env\n\
r1,ocid1.t,2024-03-01T00:00Z,2024-03-01T01:00Z,COMPUTE,ocid1.c,root,us-ashburn-1,AD-1,ocid1.i,2,B88317,0.0255,0.051,USD,OCPU,false,prod\n\
r2,ocid1.t,2024-03-01T00:00Z,2024-03-01T01:00Z,BLOCK_STORAGE,ocid1.c,root,us-ashburn-1,,ocid1.b,50,B91961,,1.25E-6,,GB,true,\n\
r3,ocid1.t,2024-03-01T00:00Z,2024-03-01T01:00Z,,ocid1.c,root,,,,1,,,7,USD,ignored,false,\n\
r4,ocid1.t,2024-03-32T00:00Z,2024-03-01T01:00Z,COMPUTE,ocid1.c,root,,,,1,,,3,USD,x,false,\n";

fn read_by(mapping: &str, bill: &str) -> Result<(Vec<RecordBatch>, BillSummary), BillError> {
    let declared = Declared::parse(mapping).unwrap_or_else(|e| panic!("{e:?}"));
    let options = BillOptions {
        import_id: "i".to_owned(),
        file: "a.csv".to_owned(),
        mapping: Some(Arc::new(declared)),
        ..BillOptions::default()
    };
    let mut reader = BillReader::bytes(bill.to_owned().into(), options)?;
    assert_eq!(reader.format(), BillFormat::Declared);
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.push(batch);
    }
    Ok((batches, reader.finish()))
}

#[test]
fn an_oracle_cost_report() {
    let (batches, summary) = read_by(OCI, REPORT).unwrap();
    show(&summary);
    assert_eq!((summary.rows, summary.stored, summary.left_out, summary.rejected), (4, 2, 1, 1));
    assert!(summary.notes.is_empty(), "{:?}", summary.notes);
    let total = &summary.totals[&Currency("USD".to_owned())];
    assert_eq!(
        [total.source, total.stored, total.left_out, total.rejected].map(|e| e.to_string()),
        ["10.05100125", "0.05100125", "7", "3"]
    );
    for (column, first, second) in [
        (charges::SOURCE, "oci", "oci"),
        (charges::SERVICE_CATEGORY, "Compute", "Storage"),
        (charges::CHARGE_CLASS, "-", "Correction"),
        (charges::BILLING_PERIOD_START, "2024-03-01T00:00:00.000000000Z", "2024-03-01T00:00:00.000000000Z"),
        (charges::BILLING_PERIOD_END, "2024-04-01T00:00:00.000000000Z", "2024-04-01T00:00:00.000000000Z"),
        (charges::SKU_PRICE_ID, "B88317/us-ashburn-1", "B91961/us-ashburn-1"),
        (charges::EFFECTIVE_COST, "0.051", "0.00000125"),
        (charges::BILLING_CURRENCY, "USD", "USD"),
        (charges::CONTRACTED_UNIT_PRICE, "0.0255", "-"),
        (charges::TAGS, "env=prod", ""),
    ] {
        assert_eq!(
            (cell(&batches, 0, column).as_str(), cell(&batches, 1, column).as_str()),
            (first, second),
            "{column}"
        );
    }
    let x = cell(&batches, 0, charges::X_COLUMNS);
    assert!(x.contains("lineItem/referenceNo=r1") && !x.contains("product/service") && !x.contains("myCost"), "{x}");
}

#[test]
fn signs_are_turned_and_placeholders_are_nothing() {
    let mapping = "name = \"x\"\ncurrency = \"EUR\"\nnull = [\"-\", \"n/a\"]\n[columns]\n\
        BilledCost = { column = \"amount\", negate = true }\nBillingAccountId = { constant = \"me\" }\nServiceName = { column = \"what\", default = \"?\" }\n\
        ChargePeriodStart = { column = \"day\", format = \"%d.%m.%y\" }\n\
        ChargePeriodEnd = { column = \"day\", format = \"%d.%m.%y\", next = \"day\" }\n[tags]\ncolumns = [\"team\"]\njson = \"more\"\n";
    let bill = "amount,what,day,team,more\n-1.5,n/a,31.12.24,a,\"{\"\"k\"\":\"\"v\"\"}\"\n-,x,31.12.24,-,\n2,x,31.12.24,b,none\n";
    let (batches, summary) = read_by(mapping, bill).unwrap();
    show(&summary);
    assert_eq!((summary.stored, summary.rejected), (2, 1));
    assert_eq!(summary.rejects[0].reason, "BilledCost is null");
    for (column, expected) in [
        (charges::BILLED_COST, "1.5"),
        (charges::LIST_COST, "1.5"),
        (charges::SERVICE_NAME, "?"),
        (charges::CHARGE_PERIOD_END, "2025-01-01T00:00:00.000000000Z"),
        (charges::BILLING_PERIOD_START, "2024-12-01T00:00:00.000000000Z"),
        (charges::TAGS, "team=a k=v"),
        (charges::CHARGE_CATEGORY, "Usage"),
    ] {
        assert_eq!(cell(&batches, 0, column), expected, "{column}");
    }
    assert_eq!(cell(&batches, 1, charges::BILLED_COST), "-2");
    assert_eq!(cell(&batches, 1, charges::X_COLUMNS), "Tags=none");
}

#[test]
fn mistakes_stand_at_their_place() {
    let at = |mapping: &str| {
        let mistakes = Declared::parse(mapping).err().unwrap_or_default();
        let show = |m: &super::super::declared::MappingError| format!("{}: {}", &mapping[m.span.clone()], m.what);
        mistakes.iter().map(show).collect::<Vec<_>>()
    };
    let with = |line: &str| OCI.replace("RegionId = \"product/region\"", line);
    for (mapping, expected) in [
        (with("RegionID2 = \"x\""), &["RegionID2: unknown column of FOCUS \"RegionID2\""][..]),
        (with("Tags = \"x\""), &["Tags: Tags are not declared as a column"]),
        (with("RegionId = 5"), &["5: RegionId is neither a name nor a rule"]),
        (
            with("RegionId = { colum = \"x\" }"),
            &["colum: unknown key \"colum\"", "{ colum = \"x\" }: RegionId needs one source"],
        ),
        (with("RegionId = { column = \"x\", format = \"%Y\" }"), &["format: format is for dates, not for RegionId"]),
        (with("ListCost = { column = \"x\", negate = 1 }"), &["1: negate is true or false"]),
        (with("RegionId = { template = \"{a\" }"), &["\"{a\": a brace of the template has no partner"]),
        (
            with("RegionId = { column = \"x\", constant = \"y\" }"),
            &["{ column = \"x\", constant = \"y\" }: RegionId needs one source"],
        ),
        (with("SkuId = \"x\""), &["SkuId: duplicate key"]),
        (with("ChargePeriodStart2 ="), &["ChargePeriodStart2: unknown column of FOCUS \"ChargePeriodStart2\""]),
        (
            OCI.replace("%Y-%m-%dT%H:%MZ\" }\nChargePeriodEnd", "%Q\" }\nChargePeriodEnd"),
            &["\"%Q\": \"%Q\" is no format of dates"],
        ),
        (OCI.replace("name = \"oci\"", "name = \"focus\""), &["\"focus\": \"focus\" cannot name a source"]),
        (
            OCI.replace("ServiceName = { column = \"product/service\", default = \"Oracle Cloud\" }\n", ""),
            &[": the mapping does not say where ServiceName comes from"],
        ),
    ] {
        let found = at(&mapping);
        assert!(expected.iter().all(|e| found.iter().any(|f| f == e)), "{found:?} lacks {expected:?}");
    }
    let error = read_by(OCI, "a,b\n1,2\n").err().unwrap();
    let BillError::Mapping(mistake) = error else { panic!("{error}") };
    assert!(
        OCI[mistake.span.clone()].starts_with('"') && mistake.what.starts_with("the bill has no column"),
        "{mistake:?}"
    );
}
