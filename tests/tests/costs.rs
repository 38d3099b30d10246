//! Costs over time against the real binary: effects and reports add up to what the bill says, to the last digit; budgets, forecasts and
//! provisional costs say what their numbers say. What is expected is computed here from the bills alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use grid_model::Amount;
use grid_model::time::{civil_from_days, days_from_civil};
use grid_tests::{Grid, Options, figure, now_ns, run_grid, shared_data, skip};
use serde_json::Value;

fn exact(value: &Value) -> anyhow::Result<i128> {
    let text = value.as_str().with_context(|| format!("{value} is no text"))?;
    Ok(Amount::parse(text).with_context(|| text.to_owned())?.0.0)
}

fn day(number: i64) -> String {
    let (year, month, day) = civil_from_days(number);
    format!("{year:04}-{month:02}-{day:02}")
}

/// GETs as a tenant and expects 2xx.
async fn get(grid: &Grid, path: &str, tenant: &str) -> anyhow::Result<String> {
    let answer = grid.client.get(format!("{}{path}", grid.http)).header("x-scope-orgid", tenant).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path} answered {status}: {text}");
    Ok(text)
}

fn items<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A small generator, so that bills are the same everywhere (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// A bill of FOCUS with everything that a variance must tell apart: two months, two currencies, usage whose prices, quantities and discounts move,
/// items that come and go, taxes, credits, purchases; costs of up to eighteen decimals. Answers its text and `currency -> (before, after)`.
fn bill(seed: u64) -> (String, BTreeMap<String, (i128, i128)>) {
    let mut rng = Rng(seed);
    let mut text = String::from(
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,SubAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,SkuMeter,RegionId,PricingQuantity,PricingUnit,CommitmentDiscountId,Tags\n",
    );
    let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    let first = days_from_civil(2026, 9, 1);
    for (month, length) in [(0, 30), (1, 31)] {
        let start = if month == 0 { first } else { first + 30 };
        for _ in 0..400 {
            let on = start + rng.next(length) as i64;
            let category =
                ["Usage", "Usage", "Usage", "Usage", "Tax", "Credit", "Purchase", "Adjustment"][rng.next(8) as usize];
            let currency = ["USD", "EUR"][rng.next(2) as usize];
            let sign = if category == "Credit" { "-" } else { "" };
            let mut cost =
                || format!("{sign}{}.{:018}", rng.next(300), u128::from(rng.next(u64::MAX)) % 10_u128.pow(18));
            let (effective, contracted) = (cost(), cost());
            let quantity = if category == "Usage" && rng.next(10) > 0 {
                format!("{}.{:06}", rng.next(50), rng.next(1_000_000))
            } else {
                String::new()
            };
            let meter = format!("meter-{}", rng.next(6) + month);
            let commitment = if rng.next(5) == 0 { "plan-1" } else { "" };
            let tags = ["{}", "{\"\"team\"\": \"\"shop\"\"}", "{\"\"team\"\": \"\"data\"\"}"][rng.next(3) as usize];
            let (from, to) = (format!("{}T00:00:00Z", day(on)), format!("{}T00:00:00Z", day(on + 1)));
            let period = format!("{}T00:00:00Z,{}T00:00:00Z", day(start), day(start + length as i64));
            let units = Amount::parse(&effective).map(|(a, _)| a.0).unwrap_or_default();
            let sum = sums.entry(currency.to_owned()).or_default();
            if month == 0 {
                sum.0 += units
            } else {
                sum.1 += units
            }
            let (service, region) = (format!("service-{}", rng.next(4)), format!("region-{}", rng.next(3)));
            let _ = writeln!(
                text,
                "{effective},{effective},{contracted},{contracted},payer,account-{},{currency},{period},{from},{to},{category},{service},{meter},{region},{quantity},Hours,{commitment},\"{tags}\"",
                rng.next(3),
            );
        }
    }
    (text, sums)
}

#[tokio::test]
async fn effects_and_reports_add_up_to_the_bill() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let folder = tempfile::tempdir()?;
    let (mut checked, mut wrong) = (0, Vec::new());
    for seed in 1..=5_u64 {
        let (text, sums) = bill(seed);
        let file = folder.path().join(format!("bill-{seed}.csv"));
        std::fs::write(&file, text)?;
        let tenant = format!("t{seed}");
        let path = file.to_str().context("a path of UTF-8")?;
        run_grid(&["import", "bill", path, "--url", &grid.http, "--tenant", &tenant]).await?;
        let ask = async |path: &str| -> anyhow::Result<Value> {
            Ok(serde_json::from_str(&get(&grid, path, &tenant).await?)?)
        };
        let variance = ask("/api/v1/costs/variance?from=2026-10&to=2026-11-01&by=service,region,team&top=500").await?;
        let report = ask("/api/v1/costs/report?from=2026-10&to=2026-11-01&by=service,team").await?;
        let trend = ask("/api/v1/costs/trend?grain=week&from=2026-09&to=2026-11-01&by=service&top=2").await?;
        let by = |list: &[Value], currency: &str, member: &str| -> anyhow::Result<i128> {
            list.iter().filter(|i| i["currency"] == currency).try_fold(0, |sum, i| Ok(sum + exact(&i[member])?))
        };
        for (currency, (before, after)) in &sums {
            let change = after - before;
            let contributions: Vec<Value> =
                items(&variance, "contributions").iter().filter(|c| c["dimension"] == "region").cloned().collect();
            let checks = [
                ("effects", by(items(&variance, "effects"), currency, "change")?, change),
                ("items", by(items(&variance, "movers"), currency, "change")?, change),
                ("regions", by(&contributions, currency, "change")?, change),
                ("total", by(items(&report, "totals"), currency, "cost")?, *after),
                ("total before", by(items(&report, "totals"), currency, "before")?, *before),
                ("groups", by(items(&report, "groups"), currency, "cost")?, *after),
                (
                    "days",
                    by(
                        &items(&report, "days").iter().filter(|d| d["forecast"] == false).cloned().collect::<Vec<_>>(),
                        currency,
                        "cost",
                    )?,
                    *after,
                ),
                ("weeks", by(items(&trend, "items"), currency, "cost")?, before + after),
            ];
            for (what, found, expected) in checks {
                checked += 1;
                if found != expected {
                    wrong.push(format!(
                        "bill {seed}, {currency}, {what}: {} is not {}",
                        Amount(found),
                        Amount(expected)
                    ));
                }
            }
        }
        // The SQL that a report carries gives the report's number.
        let sql = report["totals_sql"].as_str().context("the statement of the totals")?;
        let body = serde_json::json!({ "query": sql }).to_string();
        let rows: Value = serde_json::from_str(
            &grid.post_ok("/api/v1/sql", &tenant, &[("content-type", "application/json")], body).await?,
        )?;
        for (row, total) in items(&rows, "rows").iter().zip(items(&report, "totals")) {
            checked += 1;
            if exact(&row["cost"])? != exact(&total["cost"])? || row["currency"] != total["currency"] {
                wrong.push(format!("bill {seed}: the report says {total}, its SQL {row}"));
            }
        }
    }
    let measured = format!("{checked} sums over 5 bills of two months and two currencies, {} off", wrong.len());
    ensure!(figure("variance_exact", wrong.is_empty() && checked > 0, measured), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn real_bills_are_explained_exactly() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("variance_real", "no shared data (GRID_SHARED_DATA)") };
    let folder = tempfile::tempdir()?;
    let mut shown = Vec::new();
    for (file, dataset) in [("bills/aws_cur_sample.csv", "cur"), ("focus/focus_sample_500.csv", "focus")] {
        let dir = folder.path().join(dataset);
        let (dir, path) = (dir.to_str().context("UTF-8")?.to_owned(), data.join(file));
        run_grid(&["import", "bill", path.to_str().context("UTF-8")?, "--dataset", dataset, "--data-dir", &dir])
            .await?;
        let report = run_grid(&["cost", "report", "--data-dir", &dir, "-o", "json"]).await?;
        let report: Value = serde_json::from_str(&report)?;
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for item in items(&report, "variance") {
            let currency = item["currency"].as_str().unwrap_or_default().to_owned();
            let effects: i128 =
                item["effects"].as_object().context("effects")?.values().map(exact).sum::<anyhow::Result<i128>>()?;
            ensure!(
                effects == exact(&item["change"])?,
                "{dataset}: the effects of {currency} are {} and not {}",
                Amount(effects),
                item["change"]
            );
            sums.insert(currency, effects);
        }
        ensure!(!sums.is_empty(), "{dataset}: no currency is explained: {report}");
        let all = "SELECT billing_currency AS c, sum(effective_cost) AS s FROM charges GROUP BY 1 ORDER BY 1";
        let all: Value = serde_json::from_str(&run_grid(&["query", all, "--data-dir", &dir, "-o", "json"]).await?)?;
        let trend: Value = serde_json::from_str(
            &run_grid(&[
                "cost",
                "trend",
                "--grain",
                "year",
                "--from",
                "2000-01",
                "--to",
                "2010-01",
                "--data-dir",
                &dir,
                "-o",
                "json",
            ])
            .await?,
        )?;
        ensure!(
            trend.as_array().is_some_and(|t| t.iter().all(|i| i["cost"] == "0")),
            "{dataset}: cost before there was any: {trend}"
        );
        shown.push(format!(
            "{dataset}: {} currencies, {} items moved, total {}",
            sums.len(),
            items(&report, "movers").len(),
            all[0]["s"]
        ));
        for format in ["table", "markdown", "html", "csv"] {
            let text = run_grid(&["cost", "report", "--data-dir", &dir, "-o", format]).await?;
            ensure!(text.len() > 100, "{dataset} as {format} is empty");
        }
    }
    figure("variance_real", true, shown.join("; "));
    Ok(())
}

/// The demo over some weeks, so that there is a history.
async fn demo(days: &str) -> anyhow::Result<Grid> {
    let args = ["--days", days].map(str::to_owned).to_vec();
    Grid::start_with(Options { verb: "demo".to_owned(), args, ..Options::default() }).await
}

#[tokio::test]
async fn budgets_hold_or_say_why_not() -> anyhow::Result<()> {
    let grid = demo("3").await?;
    let url = ["--url", grid.http.as_str()];
    let run = async |args: &[&str]| -> anyhow::Result<(i32, String, String)> {
        let mut command = tokio::process::Command::new(grid_tests::grid_binary()?);
        let output = command.args(args).args(url).output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
    };
    let today = now_ns() / 86_400_000_000_000;
    // Three days may lie on both sides of a month's end: a custom period holds them all.
    let file = tempfile::NamedTempFile::new()?;
    let period = format!("period = \"custom\"\nstart = \"{}\"\nend = \"{}\"\n", day(today - 10), day(today + 10));
    std::fs::write(
        file.path(),
        format!(
            "[[budget]]\nname = \"tiny\"\namount = \"0.01\"\ncurrency = \"USD\"\n{period}\n[[budget]]\nname = \"large\"\namount = \"1000000\"\ncurrency = \"USD\"\nfilter = \"tags['team'] = 'shop'\"\n{period}thresholds = [{{ percent = 50, of = \"actual\" }}]\n[[budget]]\nname = \"owned\"\namount = \"1000000\"\ncurrency = \"USD\"\nof = \"allocations\"\nfilter = \"kind in ('allocated', 'idle', 'unallocated')\"\n{period}"
        ),
    )?;
    let path = file.path().to_str().context("UTF-8")?;
    grid.post_ok("/api/v1/costs/allocation", "default", &[("content-type", "application/json")], "{}").await?;
    let (code, _, said) = run(&["cost", "budget", "set", "-f", path, "--prune"]).await?;
    ensure!(code == 0 && said.contains("budget tiny: version 1") && said.contains("reports is gone"), "{code} {said}");
    let (code, shown, said) = run(&["cost", "budget", "check", "-o", "json"]).await?;
    ensure!(code == 3 && said.contains("does not hold: tiny"), "{code}: {said}");
    let statuses: Value = serde_json::from_str(&shown)?;
    let statuses = statuses.as_array().context("a list")?;
    let mut spent = Vec::new();
    for status in statuses {
        let sql = status["sql"].as_str().context("sql")?;
        let (_, rows, _) = run(&["query", sql, "-o", "json"]).await?;
        let rows: Value = serde_json::from_str(&rows)?;
        ensure!(exact(&rows[0]["spent"])? == exact(&status["spent"])?, "{status} but {rows}");
        ensure!(exact(&status["left"])? == exact(&status["amount"])? - exact(&status["spent"])?, "{status}");
        spent.push(format!(
            "{} {} of {}",
            status["state"].as_str().unwrap_or_default(),
            status["spent"],
            status["amount"]
        ));
    }
    let states: Vec<&str> = statuses.iter().filter_map(|s| s["state"].as_str()).collect();
    ensure!(states == ["ok", "ok", "exceeded"], "{states:?}");
    ensure!(
        statuses[1]["of"] == "allocations" && statuses[1]["sql"].as_str().is_some_and(|s| s.contains("allocations"))
    );
    // Over all of them, what is allocated is what was charged.
    let trends = async |of: &str| -> anyhow::Result<Value> {
        let (code, shown, said) = run(&["cost", "trend", "--of", of, "--grain", "month", "-o", "json"]).await?;
        ensure!(code == 0, "{said}");
        Ok(serde_json::from_str(&shown)?)
    };
    let (charged, allocated) = (trends("charges").await?, trends("allocations").await?);
    ensure!(charged == allocated && charged.as_array().is_some_and(|a| !a.is_empty()), "{charged} {allocated}");
    ensure!(run(&["cost", "budget", "check", "large"]).await?.0 == 0, "the large one holds");
    // What is wrong with a budget is said with its place.
    let set = ["cost", "budget", "set", "bad", "--amount", "10", "--currency", "USD", "--filter", "servce = 'x'"];
    let (code, _, said) = run(&set).await?;
    ensure!(code == 1 && said.contains("did you mean service") && said.contains('^'), "{code}: {said}");
    // Two who change the same budget: the second is told.
    let put = async |version: &str| {
        let body = r#"{"amount": "5", "currency": "USD"}"#;
        let request = grid.client.put(format!("{}/api/v1/budgets/tiny", grid.http)).header("if-match", version);
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        anyhow::Ok(answer.status().as_u16())
    };
    ensure!((put("1").await?, put("1").await?) == (200, 409), "the second writer had not seen the first");
    figure("budget_states", true, format!("{} budgets as code: {}; exit code 3", spent.len(), spent.join(", ")));
    Ok(())
}

#[tokio::test]
async fn costs_are_there_before_the_bill() -> anyhow::Result<()> {
    let grid = demo("14").await?;
    let ask =
        async |path: &str| -> anyhow::Result<Value> { Ok(serde_json::from_str(&get(&grid, path, "default").await?)?) };
    let found = ask("/api/v1/costs/provisional").await?;
    let seen = found["resources_seen"].as_u64().context("resources_seen")?;
    let on_telemetry = items(&found, "items").iter().filter(|i| i["basis"] == "telemetry").count();
    ensure!(seen > 10 && on_telemetry > 10, "{seen} resources, {on_telemetry} by telemetry: {found}");
    let (mut errors, mut of) = (0_i128, 0_i128);
    for outcome in items(&found, "outcomes") {
        let (predicted, billed) = (exact(&outcome["predicted"])?, exact(&outcome["billed"])?);
        ensure!(exact(&outcome["error"])? == predicted - billed, "{outcome}");
        errors += (predicted - billed).abs();
        of += billed;
    }
    let percent = errors as f64 / of.max(1) as f64 * 100.0;
    let measured = format!(
        "{on_telemetry} estimates by telemetry of {seen} resources; {} billed days replayed, mean absolute error {percent:.2}% of the bill",
        items(&found, "outcomes").len()
    );
    let good = figure("provisional_error", percent <= 10.0, measured);
    // The trend goes on where the bills end, and says so.
    let trend = ask("/api/v1/costs/trend?grain=day&by=service&provisional=true").await?;
    let (billed, estimated): (Vec<&Value>, Vec<&Value>) =
        items(&trend, "items").iter().partition(|i| i["provisional"] == false);
    ensure!(!billed.is_empty() && !estimated.is_empty(), "{} billed, {} estimated", billed.len(), estimated.len());
    let last_billed = billed.iter().filter_map(|i| i["time"].as_str()).max();
    let first_estimated = estimated.iter().filter_map(|i| i["time"].as_str()).min();
    ensure!(last_billed < first_estimated, "{last_billed:?} {first_estimated:?}");
    // Fourteen days are enough for a forecast of the next two weeks, and its parts add up.
    let today = now_ns() / 86_400_000_000_000;
    let forecast = ask(&format!("/api/v1/costs/forecast?until={}", day(today + 14))).await?;
    for item in items(&forecast, "items") {
        ensure!(exact(&item["actual"])? + exact(&item["to_come"])? == exact(&item["total"])?, "{item}");
        ensure!(
            exact(&item["low"])? <= exact(&item["total"])? && exact(&item["total"])? <= exact(&item["high"])?,
            "{item}"
        );
    }
    ensure!(items(&forecast, "items").len() == 2, "{forecast}");
    let page = get(&grid, "/api/v1/costs/report?by=service,team&format=html", "default").await?;
    ensure!(
        page.contains("<svg") && !page.contains("<script") && !page.contains("http://") && !page.contains("https://"),
        "the page loads something"
    );
    if let Some(folder) = std::env::var_os("GRID_REPORT_PAGE") {
        std::fs::write(folder, &page)?;
    }
    ensure!(good, "the estimates are off by {percent:.2}%");
    Ok(())
}

#[tokio::test]
async fn bills_can_be_seen_as_they_were_known() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let folder = tempfile::tempdir()?;
    let head = "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName";
    let row = |cost: &str, account: &str| {
        format!(
            "{head}\n{cost},{cost},{cost},{cost},{account},USD,2026-10-01,2026-11-01,2026-10-05,2026-10-06,Usage,Compute\n"
        )
    };
    // A bill, its restatement, its second restatement, and a bill of another account.
    let steps =
        [("a", "10", "one", false), ("b", "7", "one", true), ("c", "8.5", "one", true), ("d", "100", "two", false)];
    let mut known = vec![(now_ns(), None)];
    for (name, cost, account, restate) in steps {
        let file = folder.path().join(format!("{name}.csv"));
        std::fs::write(&file, row(cost, account))?;
        let mut args = vec!["import", "bill", file.to_str().context("UTF-8")?, "--url", &grid.http];
        args.extend(restate.then_some("--restate"));
        run_grid(&args).await?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let sum = if account == "two" { "108.5" } else { cost };
        known.push((now_ns(), Some(sum)));
    }
    for (at, expected) in &known {
        let seconds = format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
        let path = format!("/api/v1/costs/report?from=2026-10&to=2026-11-01&as_of={seconds}");
        let report: Value = serde_json::from_str(&get(&grid, &path, "default").await?)?;
        let found = report["totals"][0]["cost"].as_str();
        ensure!(found == *expected, "as of {seconds}: {found:?} is not {expected:?}");
        // Its SQL gives the same as of the same time.
        let body = serde_json::json!({ "query": report["totals_sql"], "bills_as_of": report["as_of"] }).to_string();
        let rows = grid.post_ok("/api/v1/sql", "default", &[("content-type", "application/json")], body).await?;
        let rows: Value = serde_json::from_str(&rows)?;
        let again = rows["rows"][0]["cost"].as_str().map(|c| exact(&Value::from(c))).transpose()?;
        let expected = expected.map(|c| exact(&Value::from(c))).transpose()?;
        ensure!(again == expected, "as of {seconds}, by SQL: {rows}");
    }
    figure("bills_as_of", true, format!("{} states of two bills, restated twice, shown as known", known.len()));
    Ok(())
}
