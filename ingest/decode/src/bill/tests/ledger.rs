//! Generated bills of every format: what the source says is what is stored, rejected, left out and rounded away.

use super::declared::OCI;
use super::*;

/// One line of a bill, before it takes the form of a format.
#[derive(Debug, Clone)]
struct Line {
    cost: String,
    currency: String,
    credits: Vec<String>,
    damage: u8,
    kind: u8,
}

fn line() -> impl Strategy<Value = Line> {
    let cost = prop_oneof![
        8 => "-?[0-9]{1,9}\\.[0-9]{0,24}",
        2 => "-?[0-9]{1,3}[eE]-?[0-9]{1,2}",
        1 => Just(String::new()),
        1 => Just("NULL".to_owned()),
        1 => "[a-z$ ]{1,5}",
    ];
    let credits = proptest::collection::vec("-0\\.[0-9]{1,20}", 0..3);
    (cost, "USD|EUR|CAD|", credits, 0..8_u8, 0..6_u8).prop_map(|(cost, currency, credits, damage, kind)| Line {
        cost,
        currency,
        credits,
        damage,
        kind,
    })
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Focus,
    Cur,
    Azure,
    GcpJson,
    GcpCsv,
    Oracle,
}

const FORMS: [Form; 6] = [Form::Focus, Form::Cur, Form::Azure, Form::GcpJson, Form::GcpCsv, Form::Oracle];

/// The bill as bytes.
fn written(form: Form, lines: &[Line]) -> String {
    let day = |l: &Line| if l.damage == 1 { "someday" } else { "2024-09-05T00:00:00Z" };
    let account = |l: &Line| if l.damage == 0 { "" } else { "acct" };
    let mut out = String::new();
    match form {
        Form::Focus => {
            out += HEADER;
            for l in lines {
                let row =
                    row(&l.cost, &l.currency).replace("acct-1", account(l)).replace("2024-09-05T00:00:00Z", day(l));
                out += &format!("\n{row}");
            }
        }
        Form::Cur => {
            let kinds = ["Usage", "Tax", "Credit", "RIFee", "SavingsPlanNegation", "Refund"];
            out = cur(&[]).trim_end().to_owned();
            for l in lines {
                let kind = kinds[usize::from(l.kind)];
                out += &format!(
                    "\n{},2023-11-01T00:00:00.000Z,2023-12-01T00:00:00.000Z,{},2024-09-06T00:00:00Z,{},{kind},AmazonEC2,{},,,,,,,,,,,,,,",
                    account(l),
                    day(l),
                    l.currency,
                    l.cost
                );
            }
        }
        Form::Azure => {
            let kinds = [
                "Usage,OnDemand",
                "Usage,Reservation",
                "UnusedSavingsPlan,SavingsPlan",
                "Purchase,Reservation",
                "Tax,",
                "Refund,",
            ];
            out += "BillingAccountId,Date,MeterCategory,BillingCurrency,ChargeType,PricingModel,CostInBillingCurrency,Quantity,UnitPrice";
            for l in lines {
                let (kind, day) = (kinds[usize::from(l.kind)], day(l));
                out += &format!(
                    "\n{},{day},Storage,{},{kind},{},0.333333333333333333,0.777777777777777777",
                    account(l),
                    l.currency,
                    l.cost
                );
            }
        }
        Form::GcpJson => {
            for l in lines {
                let credits: Vec<String> =
                    l.credits.iter().map(|c| format!("{{\"name\":\"c\",\"amount\":{c}}}")).collect();
                out += &format!(
                    "{{\"billing_account_id\":\"{}\",\"service\":{{\"id\":\"s\",\"description\":\"S\"}},\"usage_start_time\":\"{}\",\
                     \"usage_end_time\":\"2024-09-06T00:00:00Z\",\"cost\":\"{}\",\"currency\":\"{}\",\"invoice\":{{\"month\":\"202409\"}},\"credits\":[{}]}}\n",
                    account(l),
                    day(l),
                    l.cost,
                    l.currency,
                    credits.join(",")
                );
            }
        }
        Form::GcpCsv => {
            out += "billing_account_id,service_description,usage_start_time,usage_end_time,cost,currency,invoice_month,credits_amount";
            for l in lines {
                let credit = l.credits.first().map_or("", String::as_str);
                out += &format!(
                    "\n{},S,{},2024-09-06T00:00:00Z,{},{},202409,{credit}",
                    account(l),
                    day(l),
                    l.cost,
                    l.currency
                );
            }
        }
        Form::Oracle => {
            out += "lineItem/tenantId,lineItem/intervalUsageStart,lineItem/intervalUsageEnd,product/service,product/compartmentId,\
                product/compartmentName,product/region,product/availabilityDomain,product/resourceId,usage/billedQuantity,cost/productSku,\
                cost/unitPrice,cost/myCost,cost/currencyCode,cost/skuUnitDescription,lineItem/isCorrection";
            for l in lines {
                let day = if l.damage == 1 { "someday" } else { "2024-09-05T00:00Z" };
                let unit = if l.kind == 0 { "ignored" } else { "x" };
                out += &format!(
                    "\n{},{day},2024-09-06T00:00Z,COMPUTE,c,r,,,,,,,{},{},{unit},false",
                    account(l),
                    l.cost,
                    l.currency
                );
            }
        }
    }
    if !lines.is_empty() && lines[0].damage == 2 && !matches!(form, Form::GcpJson) {
        out += ",more";
    }
    out + "\n"
}

/// The source's own totals: of every row all of whose amounts can be read, its cost and its credits.
fn expected(form: Form, lines: &[Line]) -> BTreeMap<String, Exact> {
    let mut sums = BTreeMap::new();
    for l in lines {
        let default = if matches!(form, Form::Oracle) && l.currency.is_empty() { "USD" } else { &l.currency };
        let sum = sums.entry(default.to_owned()).or_insert(Exact::ZERO);
        let credits = match form {
            Form::GcpJson => &l.credits[..],
            Form::GcpCsv => &l.credits[..l.credits.len().min(1)],
            _ => &[],
        };
        let amounts: Option<Vec<_>> = std::iter::once(&l.cost).chain(credits).map(|c| Amount::parse(c).ok()).collect();
        for (amount, residual) in amounts.into_iter().flatten() {
            *sum = sum.checked_add(Exact::new(amount, residual)).unwrap();
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_bill_of_every_format_reconciles(lines in proptest::collection::vec(line(), 1..25), form in 0..FORMS.len()) {
        let form = FORMS[form];
        let mapping = matches!(form, Form::Oracle).then(|| Arc::new(super::super::declared::Declared::parse(OCI.split("[tags]").next().unwrap()
            .to_owned().as_str()).unwrap()));
        let options = BillOptions { import_id: "i".to_owned(), file: "a".to_owned(), mapping, ..BillOptions::default() };
        let mut reader = BillReader::bytes(written(form, &lines).into(), options).unwrap();
        let mut stored = 0;
        let mut sums: BTreeMap<String, Exact> = BTreeMap::new();
        while let Some(batch) = reader.next_batch().unwrap() {
            stored += batch.num_rows() as u64;
            for i in 0..batch.num_rows() {
                let amount = |c: &str| Exact::from(Amount(batch[c].as_primitive::<Decimal128Type>().value(i)));
                let (billed, effective) = (amount(charges::BILLED_COST), amount(charges::EFFECTIVE_COST));
                let cost = if billed.is_zero() && matches!(form, Form::Azure) { effective } else { billed };
                let currency = batch[charges::BILLING_CURRENCY].as_string::<i32>().value(i).to_owned();
                let sum = sums.entry(currency).or_default();
                *sum = sum.checked_add(cost).unwrap();
            }
        }
        let summary = reader.finish();
        prop_assert_eq!(summary.rows, lines.len() as u64);
        prop_assert_eq!(summary.stored, stored);
        prop_assert!(summary.unreconciled().is_none());
        for (currency, sum) in expected(form, &lines) {
            prop_assert_eq!(summary.totals[&Currency(currency.clone())].source, sum, "{:?} {}", form, currency);
        }
        for (currency, total) in &summary.totals {
            prop_assert_eq!(total.stored, sums.get(&currency.0).copied().unwrap_or_default());
        }
        // Reading again is reading the same.
        let again = BillReader::bytes(written(form, &lines).into(), BillOptions::default());
        prop_assert!(again.is_ok() || matches!(form, Form::Oracle));
    }
}
