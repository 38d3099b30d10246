//! Commitments and prices: the promises of the policies on many generated demands, and the way from files to answers by command line.

use anyhow::Context as _;
use grid_ml::commit::hindsight::least_cost;
use grid_ml::commit::online::{Contract, Policy, cost};
use grid_ml::commit::optimum::optimum;
use grid_ml::commit::replay::Stack;
use grid_ml::commit::synthetic::{Shape, demand};
use grid_ml::commit::{Demand, Offer, Payment, Program, Ratio, Settings, Term, recommend};
use grid_model::{Amount, Timestamp};
use grid_tests::{figure, run_grid, shared_data, skip};
use serde_json::Value;

const ONE: i128 = 10_i128.pow(18);

fn units(demand: &[u32]) -> Vec<Amount> {
    demand.iter().map(|d| Amount(i128::from(*d) * ONE)).collect()
}

/// Ninety days are seen, the year that follows is paid: at every discount the cost of what was recommended, against the best level for
/// that year in hindsight.
#[test]
fn on_stationary_demand_regret_is_small() -> anyhow::Result<()> {
    let (mut worst, mut sum, mut runs) = (0.0_f64, 0.0, 0_u32);
    for seed in 0..100 {
        let all = units(&demand(Shape::Stationary, seed, (90 + 365) * 24, 200, 24, (1, 1)));
        let (past, future) = all.split_at(90 * 24);
        for percent in [40, 55, 66, 72, 85] {
            let ratio = Ratio::new(Amount(percent * ONE), Amount(100 * ONE)).context("a ratio below one")?;
            let offer = Offer {
                name: "one".to_owned(),
                program: Program::SavingsPlan,
                term: Term::OneYear,
                payment: Payment::NoUpfront,
                rates: vec![("x".to_owned(), ratio)],
                step: Amount::ZERO,
            };
            let settings = Settings { paths: 0, ..Settings::default() };
            let seen = Demand::of_line(Timestamp(0), "x", past.to_vec())?;
            let advice = recommend(&seen, std::slice::from_ref(&offer), &[], Timestamp(0), &settings)?;
            let stack = Stack::new(&Demand::of_line(Timestamp(0), "x", future.to_vec())?, &offer);
            let (_, best) = optimum(&stack);
            let ours = stack.replay(advice.candidates[0].hourly);
            let factor = ours.cost().0 as f64 / best.cost().0 as f64;
            worst = worst.max(factor);
            sum += factor;
            runs += 1;
        }
    }
    let measured = format!("worst {worst:.4}x, mean {:.4}x over {runs} years of demand", sum / f64::from(runs));
    assert!(figure("commit_stationary", worst <= 1.05, &measured), "{measured}");
    Ok(())
}

/// Every shape of demand, adversarial ones among them, under many contracts: what the deterministic policy pays, against the exact least cost of
/// any plan that knows the future.
#[test]
fn the_online_policy_never_breaks_its_promise() -> anyhow::Result<()> {
    let mut worst: Vec<(f64, &str)> = Vec::new();
    let (mut broken, mut runs) = (0, 0);
    for shape in Shape::ALL {
        let mut of_shape = 0.0_f64;
        for seed in 0..60 {
            for (term, fee_percent, a) in
                [(24, 30, 0), (24, 60, 0), (48, 72, 0), (36, 40, 30), (60, 20, 55), (48, 85, 10)]
            {
                let contract = Contract {
                    fee: Amount(fee_percent * i128::from(term) * ONE),
                    on_demand: Amount(100 * ONE),
                    reserved: Amount(a * ONE),
                    term_hours: term as usize,
                };
                let stop = contract.break_even_hours().unwrap_or(term as usize);
                let made = demand(shape, seed, 300, 6, 12, (stop, term as usize));
                let paid = cost(&mut Policy::deterministic(&contract), &contract, &units(&made)).context("fits")?;
                let best = least_cost(&made, &contract).context("within the bounds")?;
                runs += 1;
                broken += u32::from(paid.0 * 100 > (200 - a) * best);
                if best > 0 {
                    of_shape = of_shape.max(paid.0 as f64 / best as f64 / (2.0 - a as f64 / 100.0));
                }
            }
        }
        worst.push((of_shape, shape.name()));
    }
    let shown: Vec<String> = worst.iter().map(|(w, name)| format!("{name} {w:.3}")).collect();
    let measured = format!("0 of {runs} above; worst share of the bound by shape: {}", shown.join(", "));
    assert!(figure("commit_bound", broken == 0, &measured), "{broken} of {runs} above the bound: {measured}");
    Ok(())
}

/// A FOCUS bill of 60 days with a spend commitment of 2.00 an hour at half price, of which weekends lose a part.
fn bill() -> String {
    let mut out = "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,\
                   ChargeFrequency,ServiceName,ServiceCategory,ProviderName,RegionId,SkuId,SkuMeter,PricingCategory,PricingQuantity,PricingUnit,\
                   BilledCost,EffectiveCost,ContractedCost,ListCost,CommitmentDiscountId,CommitmentDiscountStatus,CommitmentDiscountType\n"
        .to_owned();
    let mut push = |day: i64, cells: [&str; 13]| {
        let month = if day < 31 { ("2026-01-01", "2026-02-01") } else { ("2026-02-01", "2026-03-01") };
        let date = |day: i64| {
            let (y, m, d) = grid_model::time::civil_from_days(20_454 + day);
            format!("{y:04}-{m:02}-{d:02}T00:00:00Z")
        };
        let [category, frequency, sku, meter, pricing, quantity, billed, effective, contracted, list, id, status, kind] =
            cells;
        out.push_str(&format!(
            "acc,USD,{}T00:00:00Z,{}T00:00:00Z,{},{},{category},{frequency},Amazon Elastic Compute Cloud,Compute,AWS,us-east-1,{sku},{meter},{pricing},\
             {quantity},Hrs,{billed},{effective},{contracted},{list},{id},{status},{kind}\n",
            month.0, month.1, date(day), date(day + 1),
        ));
    };
    for day in 0..59 {
        let weekend = day % 7 >= 5;
        // 48 a day are committed and cover 96 on demand; weekends need 80.
        let (covered, used, unused) = if weekend { ("80", "40", "8") } else { ("96", "48", "0") };
        push(day, ["Purchase", "Recurring", "", "", "", "", "48", "0", "0", "0", "sp-1", "", "Compute Savings Plan"]);
        push(
            day,
            [
                "Usage",
                "Usage-Based",
                "M4",
                "BoxUsage:m4.large",
                "Committed",
                covered,
                "0",
                used,
                covered,
                covered,
                "sp-1",
                "Used",
                "Compute Savings Plan",
            ],
        );
        if weekend {
            push(
                day,
                [
                    "Usage",
                    "Usage-Based",
                    "",
                    "",
                    "",
                    "",
                    "0",
                    unused,
                    "0",
                    "0",
                    "sp-1",
                    "Unused",
                    "Compute Savings Plan",
                ],
            );
        } else {
            push(
                day,
                [
                    "Usage",
                    "Usage-Based",
                    "M4",
                    "BoxUsage:m4.large",
                    "Standard",
                    "240",
                    "24",
                    "24",
                    "24",
                    "30",
                    "",
                    "",
                    "",
                ],
            );
        }
    }
    out
}

#[tokio::test]
async fn from_a_bill_to_what_to_buy() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_str().map(str::to_owned).context("a path in UTF-8");
    let (dir, file) = (path("data")?, path("bill.csv")?);
    std::fs::write(&file, bill())?;
    run_grid(&["import", "bill", &file, "--data-dir", &dir]).await?;
    let ask = async |args: &[&str]| -> anyhow::Result<Value> {
        let args = [args, &["--data-dir", &dir, "-o", "json"]].concat();
        Ok(serde_json::from_str(&run_grid(&args).await?)?)
    };
    let report = ask(&["cost", "commitments", "report"]).await?;
    let item = &report["items"][0];
    // 16 of 59 days are weekend days: 59 x 48 = 2,832 committed, 16 x 8 = 128 lost.
    let found = ["committed_cost", "unused_cost", "purchased_cost", "difference", "check"]
        .map(|f| item[f].as_str().unwrap_or_default());
    assert_eq!(found, ["2832", "128", "2832", "0", "equal"], "{report}");
    let months = ask(&["cost", "commitments", "report", "--by", "month"]).await?;
    let checks: Vec<&str> =
        months["items"].as_array().context("items")?.iter().filter_map(|i| i["check"].as_str()).collect();
    let held = checks == ["equal", "equal"];
    figure("commit_amortised", held, format!("effective = purchased cost of each month: {checks:?}"));
    assert!(held);
    // The statement that comes with the answer gives the same rows.
    let sql = report["sql"]["items"].as_str().context("the statement")?;
    assert_eq!(ask(&["query", sql]).await?, report["items"]);

    let own = ask(&["prices", "--effective", "m4.large"]).await?;
    let standard = own["items"]
        .as_array()
        .context("items")?
        .iter()
        .find(|i| i["pricing_category"] == "Standard")
        .context("a price")?;
    // 24 for 240 hours, listed at 30.
    assert_eq!((&standard["effective_unit_price"], &standard["discount"]), (&"0.1".into(), &"0.2".into()), "{own}");

    let advice = ask(&["cost", "commitments", "recommend", "--ratio", "0.6"]).await?;
    assert_eq!(advice["status"], "ok", "{advice}");
    let group = |kind: &str| advice["groups"].as_array().into_iter().flatten().find(|g| g["kind"] == kind).cloned();
    // The bundled list has reservations of this machine; they are old, and say so.
    let family = group("family").context("reservations of the bundled list")?;
    assert!(family["evidence"].as_array().context("evidence")?.iter().all(|e| e["stale"] == true), "{family}");
    let given = group("given-ratio").context("the ratio by hand")?;
    assert_eq!(given["advice"], "buy", "{given}");
    // What is on demand today is 1.00 an hour on 43 of 59 days, beyond what is committed; weekends need less than that.
    let hourly: f64 = given["buy"]["hourly_commitment"].as_str().context("a level")?.parse()?;
    assert!(hourly > 0.0 && hourly <= 0.6, "{given}");
    run_grid(&["cost", "commitments", "recommend", "--data-dir", &dir]).await?;
    run_grid(&["cost", "commitments", "calendar", "--data-dir", &dir]).await?;
    Ok(())
}

#[tokio::test]
async fn public_price_lists_become_books() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("price_books", "no ../shared/data here") };
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("data").to_str().context("a path in UTF-8")?.to_owned();
    let mut shown = Vec::new();
    let mut held = true;
    // Prices by an independent count of each file.
    for (name, format, rows) in [
        ("aws_ec2_ondemand_2026-07-20.csv", "machine-csv", 3002),
        ("aws_ec2_instances.json", "ec2instances", 69_054),
        ("aws_rds_instances.json", "ec2instances", RDS_PRICES),
        ("opencost_awsreservationofferings.json", "opencost-reservations", 4375),
        ("karpenter_kwok_instance_types.json", "karpenter", 1152),
    ] {
        let file = data.join("prices").join(name).to_str().context("a path in UTF-8")?.to_owned();
        let report: Value =
            serde_json::from_str(&run_grid(&["import", "prices", &file, "--data-dir", &dir, "-o", "json"]).await?)?;
        let found = (&report[0]["format"], &report[0]["rows_stored"], report[0]["rows_rejected"].as_u64());
        held &= found == (&format.into(), &rows.into(), Some(0));
        shown.push(format!("{name} {} ({} rejected)", found.1, report[0]["rows_rejected"]));
    }
    assert!(figure("price_books", held, shown.join(", ")), "{shown:?}");
    let price = run_grid(&["prices", "m5.large", "--region", "us-east-1", "--data-dir", &dir, "-o", "csv"]).await?;
    assert!(price.contains("aws_ec2_ondemand") && price.contains("0.096"), "{price}");
    Ok(())
}

/// Of the RDS list: prices by code of a known engine, on demand and reserved.
const RDS_PRICES: u64 = 13_399;
