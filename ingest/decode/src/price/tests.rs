#![allow(clippy::unwrap_used)]
use expect_test::{Expect, expect};
use grid_model::table::prices::PriceRow;

use super::*;

/// One line per price, then what was rejected and remarked.
fn check(file: &str, text: &str, expected: Expect) {
    let mut shown = Vec::new();
    let mut sink = |row: PriceRow| shown.push(show(&row));
    let options = PriceOptions { file: file.to_owned(), ..PriceOptions::default() };
    match decode(text.as_bytes(), &options, &mut sink) {
        Ok(decoded) => {
            shown.insert(0, format!("{} {} {:?}", decoded.format, decoded.book, decoded.as_of.map(|t| t.to_string())));
            shown.extend(decoded.rejects.iter().map(|r| format!("rejected {}: {}", r.at, r.reason)));
            shown.extend(decoded.notes.iter().map(|(what, n)| format!("note x{n}: {what}")));
            assert_eq!(decoded.rejected, decoded.rejects.len() as u64);
        }
        Err(e) => shown.push(format!("error: {e}")),
    }
    expected.assert_eq(&(shown.join("\n") + "\n"));
}

fn show(row: &PriceRow) -> String {
    let attributes: Vec<String> = row.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let option = [&row.purchase_option, &row.term, &row.payment, &row.offering_class];
    let option: Vec<&str> = option.into_iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
    let size = |a: Option<Amount>| a.map_or("-".to_owned(), |a| a.to_string());
    let tier = match (row.tier_start, row.tier_end) {
        (None, None) => String::new(),
        (from, to) => format!(" tier {}..{}", size(from), size(to)),
    };
    format!(
        "{} {} {} {} {}/{} [{}] {} = {} {} per {}{tier}",
        row.provider,
        row.service,
        row.region,
        row.resource_type,
        size(row.vcpu),
        size(row.memory_gib),
        attributes.join(" "),
        option.join(" "),
        row.price,
        row.currency,
        row.unit,
    )
}

#[test]
fn machines_as_csv() {
    check(
        "lists/aws_ec2_2026-07-20.csv",
        "region,instance_type,usd_per_hour\nus-east-1,m5.large,0.096000\ncn-north-1,m5.large,1.013\n,x,1\nus-east-1,a,free\nus-east-1,b\n",
        expect![[r#"
            machine-csv aws_ec2 Some("2026-07-20T00:00:00.000000000Z")
            aws AmazonEC2 us-east-1 m5.large -/- [operating_system=linux tenancy=shared] on-demand = 0.096 USD per hour
            aws AmazonEC2 cn-north-1 m5.large -/- [operating_system=linux tenancy=shared] on-demand = 1.013 CNY per hour
            rejected row 3: region or instance_type is empty
            rejected row 4: usd_per_hour: "free" is not a decimal number
            rejected row 5: usd_per_hour: "" is not a decimal number
            note x1: prices of regions cn-* are in CNY, whatever the column is called
        "#]],
    );
}

#[test]
fn own_lists() {
    check(
        "negotiated.csv",
        "Provider,service,resource_type,price,currency,purchase_option,term,payment,attribute:operating_system,as_of,owner\n\
         AWS,AmazonEC2,m5.large,0.05,EUR,reserved,1y,no-upfront,linux,2026-01-02,me\n\
         aws,AmazonEC2,m5.large,,EUR,,,,,,\n\
         aws,,m5.large,1,EUR,,,,,,\n\
         aws,AmazonEC2,m5.large,-1,EUR,,,,,,\n\
         aws,AmazonEC2,m5.large,1,EUR,,,,,soon,\n",
        expect![[r#"
            grid negotiated None
            aws AmazonEC2  m5.large -/- [operating_system=linux] reserved 1y no-upfront = 0.05 EUR per hour
            rejected row 2: price is empty
            rejected row 3: service is empty
            rejected row 4: the price -1 is below zero
            rejected row 5: as_of "soon" is not a date
            note x1: column "owner" is not read
        "#]],
    );
    check(
        "x.csv",
        "provider,price\na,1\n",
        expect![[r#"
        error: not a list of format grid: column service is missing
    "#]],
    );
}

#[test]
fn machines_with_prices_by_region_and_system() {
    check(
        "ec2.json",
        r#"[{"instance_type":"m4.large","vCPU":2,"memory":8.0,"pricing":{"us-east-1":{
            "linux":{"ondemand":"0.100","reserved":{"yrTerm1Standard.noUpfront":"0.062","yrTerm3Convertible.allUpfront":"0.05","yrTerm9.x":"1"}},
            "mswinSQLWeb":{"ondemand":"N/A"},"ebs":"0.01","dos":{"ondemand":"1"}}}}, {"instance_type":"x"}]"#,
        expect![[r#"
            ec2instances ec2 None
            aws AmazonEC2 us-east-1 m4.large 2/8 [operating_system=linux tenancy=shared] on-demand = 0.1 USD per hour
            aws AmazonEC2 us-east-1 m4.large 2/8 [operating_system=linux tenancy=shared] reserved 1y no-upfront standard = 0.062 USD per hour
            aws AmazonEC2 us-east-1 m4.large 2/8 [operating_system=linux tenancy=shared] reserved 3y all-upfront convertible = 0.05 USD per hour
            rejected m4.large us-east-1 linux: "yrTerm9.x" is no known reservation
            rejected m4.large us-east-1 mswinSQLWeb: "N/A" is not a decimal number
            rejected entry 2: missing field `pricing` at line 1 column 21
            note x1: prices of "dos" are not read
            note x1: prices of "ebs" are not read
        "#]],
    );
    check(
        "rds_2021-01-01.json",
        r#"[{"servicecode":"AmazonRDS","instance_type":"db.t3.xlarge","vcpu":"4","memory":"16","pricing":{"us-east-1":{
            "2":{"ondemand":0.272},"MySQL":{"ondemand":0.272},"PostgreSQL":{"ondemand":0.29},"SQL Server":{"ondemand":2.262},
            "20":{"ondemand":0.6,"reserved":{"yrTerm3.partialUpfront":0.2400152207001522,"yrTerm1.allUpfront-hrs":0.0}}}}}]"#,
        expect![[r#"
            ec2instances rds Some("2021-01-01T00:00:00.000000000Z")
            aws AmazonRDS us-east-1 db.t3.xlarge 4/16 [engine=mysql deployment=single-az] on-demand = 0.272 USD per hour
            aws AmazonRDS us-east-1 db.t3.xlarge 4/16 [engine=oracle edition=se2 licence=included deployment=single-az] on-demand = 0.6 USD per hour
            aws AmazonRDS us-east-1 db.t3.xlarge 4/16 [engine=oracle edition=se2 licence=included deployment=single-az] reserved 3y partial-upfront standard = 0.2400152207001522 USD per hour
            aws AmazonRDS us-east-1 db.t3.xlarge 4/16 [engine=postgresql deployment=single-az] on-demand = 0.29 USD per hour
            note x1: prices of engine "SQL Server", which names no edition, are not read
        "#]],
    );
}

#[test]
fn reservations_without_a_term() {
    // 497 and 1,047 dollars over 26,280 hours.
    check(
        "offers.json",
        r#"{"m1.small/us-west-1": 0.0189117199391172, "c5.large/us-west-1": 0.03984018264840183}"#,
        expect![[r#"
            opencost-reservations offers None
            aws AmazonEC2 us-west-1 c5.large -/- [operating_system=linux tenancy=shared] reserved 3y all-upfront = 0.03984018264840183 USD per hour
            aws AmazonEC2 us-west-1 m1.small -/- [operating_system=linux tenancy=shared] reserved 3y all-upfront = 0.0189117199391172 USD per hour
            note x1: every price is a whole fee over 26,280 hours: taken for three years, paid at once
        "#]],
    );
    check(
        "offers.json",
        r#"{"m1.small/us-west-1": 0.02, "nonsense": 1, "a/b": "x"}"#,
        expect![[r#"
            opencost-reservations offers None
            aws AmazonEC2 us-west-1 m1.small -/- [operating_system=linux tenancy=shared] reserved = 0.02 USD per hour
            rejected a/b: "x" is not a decimal number
            rejected nonsense: the name is not TYPE/REGION
            note x1: the list does not say of which term the reservations are: none is recorded
        "#]],
    );
}

#[test]
fn karpenters_instance_types() {
    check(
        "kwok.json",
        r#"[{"name":"c-1x-arm64-linux","architecture":"arm64","operatingSystems":["linux"],"resources":{"cpu":"500m","memory":"2Gi"},
            "offerings":[{"Price":0.0190,"Available":true,"Requirements":[{"key":"karpenter.sh/capacity-type","operator":"In","values":["spot"]},
            {"key":"topology.kubernetes.io/zone","operator":"In","values":["test-zone-a"]}]},{"Price":null}]}]"#,
        expect![[r#"
            karpenter kwok None
            kwok kubernetes test-zone-a c-1x-arm64-linux 0.5/2 [architecture=arm64 operating_system=linux] spot = 0.019 USD per hour
            rejected c-1x-arm64-linux offering 2: "null" is not a decimal number
        "#]],
    );
}

#[test]
fn azures_retail_prices() {
    check(
        "azure.json",
        r#"{"BillingCurrency":"USD","Items":[
            {"currencyCode":"USD","tierMinimumUnits":0.0,"unitPrice":0.096,"armRegionName":"westeurope","meterId":"m-1","productName":"Virtual Machines DSv3 Series","skuName":"D2s v3","serviceName":"Virtual Machines","unitOfMeasure":"1 Hour","type":"Consumption","armSkuName":"Standard_D2s_v3","savingsPlan":[{"unitPrice":0.07,"term":"1 Year"}]},
            {"currencyCode":"USD","unitPrice":876.0,"armRegionName":"westeurope","serviceName":"Virtual Machines","unitOfMeasure":"1 Hour","type":"Reservation","reservationTerm":"1 Year","armSkuName":"Standard_D2s_v3"},
            {"currencyCode":"USD","tierMinimumUnits":10,"unitPrice":0.02,"serviceName":"Storage","unitOfMeasure":"1 GB/Month","type":"Consumption"},
            {"currencyCode":"USD","serviceName":"Storage"}],"NextPageLink":"https://x"}"#,
        expect![[r#"
            azure-retail azure None
            azure Virtual Machines westeurope Standard_D2s_v3 -/- [product=Virtual Machines DSv3 Series sku=D2s v3 operating_system=linux] savings-plan 1y no-upfront = 0.07 USD per hour
            azure Virtual Machines westeurope Standard_D2s_v3 -/- [product=Virtual Machines DSv3 Series sku=D2s v3 operating_system=linux] on-demand = 0.096 USD per hour
            azure Virtual Machines westeurope Standard_D2s_v3 -/- [operating_system=linux] reserved 1y all-upfront = 0.1 USD per hour
            azure Storage   -/- [] on-demand = 0.02 USD per 1 GB/Month tier 10..-
            rejected item 4: missing field `unitPrice` at line 1 column 46
            note x1: the answer has a next page, which is not in this file
        "#]],
    );
}

#[test]
fn awss_offer_files() {
    check(
        "index.csv",
        "\"FormatVersion\",\"v1.0\"\n\"Disclaimer\",\"This pricing list is for informational purposes only\"\n\"Publication Date\",\"2026-01-05T00:00:00Z\"\n\
         \"SKU\",\"OfferTermCode\",\"RateCode\",\"TermType\",\"EffectiveDate\",\"StartingRange\",\"EndingRange\",\"Unit\",\"PricePerUnit\",\"Currency\",\"LeaseContractLength\",\"PurchaseOption\",\"OfferingClass\",\"serviceCode\",\"Region Code\",\"Instance Type\",\"vCPU\",\"Memory\",\"Operating System\"\n\
         \"A\",\"1\",\"A.1\",\"OnDemand\",\"2026-01-01\",\"0\",\"Inf\",\"Hrs\",\"0.096\",\"USD\",\"\",\"\",\"\",\"AmazonEC2\",\"us-east-1\",\"m5.large\",\"2\",\"8 GiB\",\"Linux\"\n\
         \"A\",\"2\",\"A.2\",\"Reserved\",\"2026-01-01\",\"0\",\"Inf\",\"Hrs\",\"0.03\",\"USD\",\"1yr\",\"Partial Upfront\",\"standard\",\"AmazonEC2\",\"us-east-1\",\"m5.large\",\"2\",\"8 GiB\",\"Linux\"\n\
         \"A\",\"2\",\"A.3\",\"Reserved\",\"2026-01-01\",\"\",\"\",\"Quantity\",\"263\",\"USD\",\"1yr\",\"Partial Upfront\",\"standard\",\"AmazonEC2\",\"us-east-1\",\"m5.large\",\"2\",\"8 GiB\",\"Linux\"\n",
        expect![[r#"
            aws-offer index Some("2026-01-05T00:00:00.000000000Z")
            aws AmazonEC2 us-east-1 m5.large 2/8 [operating_system=linux] on-demand = 0.096 USD per hour
            aws AmazonEC2 us-east-1 m5.large 2/8 [operating_system=linux] reserved 1y partial-upfront standard = 0.060022831050228311 USD per hour
        "#]],
    );
}

#[test]
fn what_is_no_list_says_so() {
    check(
        "x",
        "",
        expect![[r#"
        error: the file is empty
    "#]],
    );
    check(
        "x",
        "hello, world",
        expect![[r#"
        error: no price list that is known; its first characters are "hello, world" (formats: grid, machine-csv, ec2instances, opencost-reservations, karpenter, azure-retail, aws-offer)
    "#]],
    );
    check(
        "x.json",
        r#"[{"instance_type":"a","pricing":"#,
        expect![[r#"
        error: not a list of format ec2instances: EOF while parsing a value at line 1 column 32
    "#]],
    );
}

#[test]
fn names_and_dates_of_files() {
    for (file, book, date) in [
        ("aws_ec2_ondemand_2026-07-20.csv", "aws_ec2_ondemand", Some("2026-07-20")),
        ("/a/b/2026-07-20.csv.gz", "prices", Some("2026-07-20")),
        ("list.v2.json", "list", None),
        ("x-12026-07-20.csv", "x-12026-07-20", None),
        ("x-2026-13-20.csv", "x-2026-13-20", None),
        ("ä2026-07-20ö.csv", "äö", Some("2026-07-20")),
    ] {
        let (name, time) = name_and_date(file);
        assert_eq!((name.as_str(), time.map(|t| t.to_string()[..10].to_owned()).as_deref()), (book, date), "{file}");
    }
}
