//! Azure cost exports: every generation of names, actual and amortised costs.

use super::*;

/// An export with the columns of an Enterprise Agreement: charge type, pricing model, cost, reservation, quantity, unit price.
fn ea(rows: &[&str]) -> String {
    let header = "SubscriptionId,SubscriptionName,ResourceGroup,ResourceLocation,Date,ProductName,MeterCategory,MeterId,MeterName,\
        UnitOfMeasure,ResourceId,Tags,BillingAccountId,BillingAccountName,BillingCurrencyCode,BillingPeriodStartDate,\
        BillingPeriodEndDate,PartNumber,PublisherType,Frequency,ChargeType,PricingModel,CostInBillingCurrency,ReservationId,benefitId,\
        Quantity,UnitPrice,PayGPrice";
    let common = "sub-1,Sub,rg,EastUS,9/2/2023,DS4 v2,Virtual Machines,m-1,DS4,1 Hour,\
        /subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1,\
        \"\"\"env\"\": \"\"prod\"\",\"\"n\"\": \"\"1\"\"\",enr-1,Example,CAD,9/1/2023,9/30/2023,ABC,Azure,UsageBased";
    let lines: Vec<String> = rows.iter().map(|r| format!("{common},{r}")).collect();
    format!("{header}\n{}\n", lines.join("\n"))
}

fn costs(batches: &[RecordBatch], row: usize) -> String {
    let columns = [
        charges::CHARGE_CATEGORY,
        charges::BILLED_COST,
        charges::EFFECTIVE_COST,
        charges::LIST_COST,
        charges::CONTRACTED_COST,
        charges::PRICING_CATEGORY,
        charges::COMMITMENT_DISCOUNT_STATUS,
    ];
    columns.map(|c| cell(batches, row, c)).join(" ")
}

#[test]
fn actual_and_amortised_rows() {
    // charge type, model, cost, reservation, benefit, quantity, unit price, list price | category, billed, effective, list, contracted, ...
    let cases = [
        ("Usage,OnDemand,0.3,,,3,0.1,0.2", "Usage 0.3 0.3 0.6 0.3 Standard -"),
        ("Usage,Spot,0.05,,,1,0.1,0.2", "Usage 0.05 0.05 0.2 0.1 Dynamic -"),
        ("Usage,Reservation,0,r-1,,1,0.1,0.2", "Usage 0 0 0.2 0.1 Committed Used"),
        ("Usage,Reservation,0.07,r-1,,1,0.1,0.2", "Usage 0 0.07 0.2 0.1 Committed Used"),
        (
            "Usage,SavingsPlan,0.08,,/providers/microsoft.billingBenefits/x,1,0.1,0.2",
            "Usage 0 0.08 0.2 0.1 Committed Used",
        ),
        ("UnusedReservation,Reservation,1.5,r-1,,3,0.1,0.2", "Usage 0 1.5 0.6 0.3 Committed Unused"),
        ("UnusedSavingsPlan,SavingsPlan,2.5,,b-1,3,0.1,0.2", "Usage 0 2.5 0.6 0.3 Committed Unused"),
        ("Purchase,Reservation,100,r-1,,1,100,", "Purchase 100 100 100 100 Standard -"),
        ("Refund,Reservation,-40,r-1,,1,100,", "Adjustment -40 -40 -40 -40 Standard -"),
        ("Purchase,OnDemand,12,,,1,12,", "Purchase 12 12 12 12 Standard -"),
        ("Tax,,0.5,,,,,", "Tax 0.5 0.5 0.5 0.5 Other -"),
        ("RoundingAdjustment,,-0.01,,,,,", "Adjustment -0.01 -0.01 -0.01 -0.01 Other -"),
    ];
    let (batches, summary) = read(ea(&cases.map(|(line, _)| line))).unwrap();
    show(&summary);
    assert_eq!(summary.rejected, 0, "{:?}", summary.rejects);
    for (i, (line, expected)) in cases.iter().enumerate() {
        assert_eq!(costs(&batches, i), *expected, "{line}");
    }
    let total = &summary.totals[&Currency("CAD".to_owned())];
    assert_eq!((total.source, total.stored), (total.stored, total.source));
    for (column, expected) in [
        (charges::BILLING_PERIOD_START, "2023-09-01T00:00:00.000000000Z"),
        (charges::BILLING_PERIOD_END, "2023-10-01T00:00:00.000000000Z"),
        (charges::CHARGE_PERIOD_START, "2023-09-02T00:00:00.000000000Z"),
        (charges::CHARGE_PERIOD_END, "2023-09-03T00:00:00.000000000Z"),
        (charges::TAGS, "env=prod n=1"),
        (charges::RESOURCE_TYPE, "Microsoft.Compute/virtualMachines"),
        (charges::RESOURCE_NAME, "vm-1"),
        (charges::SUB_ACCOUNT_ID, "sub-1"),
        (charges::BILLING_ACCOUNT_ID, "enr-1"),
        (charges::SERVICE_CATEGORY, "Compute"),
        (charges::SOURCE, "azure"),
    ] {
        assert_eq!(cell(&batches, 0, column), expected, "{column}");
    }
    assert!(cell(&batches, 0, charges::X_COLUMNS).contains("ResourceGroup=rg"));
    assert_eq!(cell(&batches, 3, charges::COMMITMENT_DISCOUNT_ID), "r-1");
}

#[test]
fn the_purchases_of_an_actual_export_join_the_amortised_one() {
    let options = BillOptions { file: "actual.csv".to_owned(), beside_amortized: true, ..BillOptions::default() };
    let actual = ea(&[
        "Usage,OnDemand,0.3,,,3,0.1,0.2",
        "Usage,Reservation,0,r-1,,1,0.1,",
        "Purchase,Reservation,100,r-1,,1,100,",
    ]);
    let mut reader = BillReader::bytes(actual.into(), options).unwrap();
    let batch = reader.next_batch().unwrap().unwrap();
    assert!(reader.next_batch().unwrap().is_none());
    let summary = reader.finish();
    assert_eq!((summary.rows, summary.stored, summary.left_out, summary.rejected), (3, 1, 2, 0));
    assert_eq!(costs(&[batch], 0), "Purchase 100 0 100 100 Standard -");
    let total = &summary.totals[&Currency("CAD".to_owned())];
    assert_eq!((total.source.to_string(), total.left_out.to_string()), ("100.3".into(), "0.3".into()));
    assert!(total.difference().unwrap().is_zero());
}

#[test]
fn an_export_tells_whether_it_is_amortised() {
    for (rows, expected) in [
        (&["Usage,OnDemand,0.3,,,3,0.1,"][..], None),
        (&["Usage,OnDemand,0.3,,,3,0.1,", "Usage,Reservation,0.00,r,,3,0.1,"], Some(false)),
        (&["Purchase,Reservation,5,r,,3,0.1,"], Some(false)),
        (&["Usage,SavingsPlan,0.1,,b,3,0.1,"], Some(true)),
        (&["UnusedReservation,Reservation,0.1,r,,3,0.1,"], Some(true)),
    ] {
        let reader = BillReader::bytes(ea(rows).into(), BillOptions::default()).unwrap();
        assert_eq!(reader.into_amortized().unwrap(), expected, "{rows:?}");
    }
}

#[test]
fn other_generations_of_names() {
    // Customer agreement: small letters, prices in another currency than costs.
    let mca = "invoiceId,billingAccountId,billingProfileId,billingProfileName,billingPeriodStartDate,billingPeriodEndDate,date,meterCategory,\
        meterName,ProductName,SubscriptionId,chargeType,pricingModel,billingCurrency,pricingCurrency,costInBillingCurrency,\
        costInPricingCurrency,paygCostInBillingCurrency,exchangeRatePricingToBilling,quantity,unitPrice,unitOfMeasure,tags,frequency\n\
        G0001,acc:1,BP,Profile,01/01/2024,01/31/2024,01/15/2024,Storage,LRS,Blob,sub,Usage,OnDemand,EUR,USD,0.9,1,1.8,0.9,2,0.5,10K,\
        \"{\"\"a\"\":\"\"b\"\"}\",UsageBased\n";
    let (batches, summary) = read(mca).unwrap();
    assert_eq!(summary.rejected, 0, "{:?}", summary.rejects);
    assert_eq!(costs(&batches, 0), "Usage 0.9 0.9 1.8 0.9 Standard -");
    assert_eq!(cell(&batches, 0, charges::CONSUMED_QUANTITY), "20000");
    assert_eq!(cell(&batches, 0, charges::INVOICE_ID), "G0001");
    assert_eq!(cell(&batches, 0, charges::PRICING_CURRENCY), "USD");
    // Pay-as-you-go of older times: no billing account, no period.
    let old = "SubscriptionGuid,ResourceGroup,ResourceLocation,UsageDateTime,MeterCategory,MeterId,UsageQuantity,ResourceRate,PreTaxCost,\
        ConsumedService,InstanceId,Currency,UnitOfMeasure\n\
        sub,rg,westus,2019-02-28,Bandwidth,m,1.5,0.1,0.15,Microsoft.Network,/x/y,USD,1 GB\n";
    let (batches, summary) = read(old).unwrap();
    assert_eq!(summary.rejected, 0, "{:?}", summary.rejects);
    assert_eq!(costs(&batches, 0), "Usage 0.15 0.15 0.15 0.15 Standard -");
    assert_eq!(cell(&batches, 0, charges::BILLING_ACCOUNT_ID), "sub");
    assert_eq!(cell(&batches, 0, charges::BILLING_PERIOD_END), "2019-03-01T00:00:00.000000000Z");
}

#[test]
fn days_come_first_where_the_end_of_the_period_shows_it() {
    let world = ea(&["Usage,OnDemand,0.3,,,3,0.1,0.2"])
        .replace("9/2/2023", "02/09/2023")
        .replace("9/1/2023", "01/09/2023")
        .replace("9/30/2023", "30/09/2023");
    let (batches, _) = read(world).unwrap();
    assert_eq!(cell(&batches, 0, charges::CHARGE_PERIOD_START), "2023-09-02T00:00:00.000000000Z");
    assert_eq!(cell(&batches, 0, charges::BILLING_PERIOD_START), "2023-09-01T00:00:00.000000000Z");
}

#[test]
fn the_azure_sample_reconciles() {
    let Some(bytes) = shared("bills/azure_ea_sample.csv") else { return };
    let (batches, summary) = read(bytes).unwrap();
    show(&summary);
    assert_eq!((summary.rows, summary.rejected), (27, 0), "{:?}", summary.rejects);
    let total = &summary.totals[&Currency("CAD".to_owned())];
    assert_eq!(total.source.to_string(), "1.26136926505726");
    assert_eq!((total.source, summary.totals.len()), (total.stored, 1));
    let other = (0..27).filter(|i| cell(&batches, *i, charges::SERVICE_CATEGORY) == "Other").count();
    assert_eq!(other, 0, "every service of the sample has a category");
}
