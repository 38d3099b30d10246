//! Bills of every format through the real binary: late rows, corrections and restatements leave the ledger that the last word of
//! the source makes, earlier states can still be asked for, and folders of exports are imported version by version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use grid_tests::{Grid, figure, grid_binary, run_grid, shared_data, skip};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::process::Command;

/// One line of a bill before it takes the form of a format.
#[derive(Clone, Copy)]
struct Line {
    /// Digits before and after the point, more than are kept.
    cost: &'static str,
    /// A number of the account, for accounts of their own.
    account: u8,
    day: u8,
}

const FIRST: [Line; 4] = [
    Line { cost: "1.25", account: 1, day: 1 },
    Line { cost: "0.3333333333333333333", account: 1, day: 2 },
    Line { cost: "7", account: 2, day: 2 },
    Line { cost: "-0.5", account: 1, day: 3 },
];

/// The same account's bill restated: a price corrected, a row gone, a late one come.
const RESTATED: [Line; 3] = [
    Line { cost: "1.20", account: 1, day: 1 },
    Line { cost: "-0.5", account: 1, day: 3 },
    Line { cost: "0.0000000000000000015", account: 1, day: 9 },
];

/// A refund that comes after the month is closed.
const CORRECTION: [Line; 1] = [Line { cost: "-0.75", account: 1, day: 30 }];

const FORMATS: [&str; 5] = ["focus", "aws-cur", "azure", "gcp", "oci"];

const OCI: &str = r#"name = "oci"
currency = "USD"
[columns]
BilledCost = "cost/myCost"
BillingAccountId = "lineItem/tenantId"
ServiceName = "product/service"
ChargePeriodStart = { column = "lineItem/intervalUsageStart", format = "%Y-%m-%dT%H:%MZ" }
ChargePeriodEnd = { column = "lineItem/intervalUsageEnd", format = "%Y-%m-%dT%H:%MZ" }
"#;

fn written(format: &str, lines: &[Line]) -> String {
    let mut out = match format {
        "focus" => "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
            ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName\n",
        "aws-cur" => "bill/PayerAccountId,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate,lineItem/UsageStartDate,lineItem/UsageEndDate,\
            lineItem/LineItemType,lineItem/ProductCode,lineItem/CurrencyCode,lineItem/UnblendedCost\n",
        "azure" => "BillingAccountId,Date,MeterCategory,BillingCurrency,ChargeType,PricingModel,CostInBillingCurrency,BillingPeriodStartDate,\
            BillingPeriodEndDate\n",
        "oci" => "lineItem/tenantId,lineItem/intervalUsageStart,lineItem/intervalUsageEnd,product/service,cost/myCost\n",
        _ => "",
    }
    .to_owned();
    for Line { cost, account, day } in lines {
        out += &match format {
            "focus" => format!(
                "{cost},{cost},{cost},{cost},acct-{account},USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-{day:02}T00:00:00Z,\
                 2026-01-{day:02}T01:00:00Z,Usage,Compute\n"
            ),
            "aws-cur" => format!(
                "acct-{account},2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-{day:02}T00:00:00Z,2026-01-{day:02}T01:00:00Z,Usage,\
                 AmazonEC2,USD,{cost}\n"
            ),
            "azure" => {
                format!("acct-{account},1/{day}/2026,Storage,USD,Usage,OnDemand,{cost},1/1/2026,1/31/2026\n")
            }
            "gcp" => format!(
                "{{\"billing_account_id\":\"acct-{account}\",\"service\":{{\"id\":\"s\",\"description\":\"Compute Engine\"}},\
                 \"usage_start_time\":\"2026-01-{day:02} 00:00:00 UTC\",\"usage_end_time\":\"2026-01-{day:02} 01:00:00 UTC\",\
                 \"cost\":{cost},\"currency\":\"USD\",\"invoice\":{{\"month\":\"202601\"}},\
                 \"credits\":[{{\"name\":\"free\",\"amount\":-0.01,\"type\":\"PROMOTION\"}}]}}\n"
            ),
            _ => format!("acct-{account},2026-01-{day:02}T00:00Z,2026-01-{day:02}T01:00Z,COMPUTE,{cost}\n"),
        };
    }
    out
}

/// A form with the bill and what is said of it.
fn form(fields: &[(&str, &str)], bill: &str) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        out += &format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    out + &format!(
        "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"bill\"\r\n\r\n{bill}\r\n--cut--\r\n"
    )
}

struct Ledger<'g> {
    grid: &'g Grid,
    format: &'static str,
}

impl Ledger<'_> {
    async fn import(&self, tenant: &str, lines: &[Line], restate: bool) -> anyhow::Result<Value> {
        let restate = if restate { "true" } else { "false" };
        let mut fields = vec![("dataset", self.format), ("restate", restate)];
        if self.format == "oci" {
            fields.push(("mapping", OCI));
        }
        let body = form(&fields, &written(self.format, lines));
        let headers = [("content-type", "multipart/form-data; boundary=cut")];
        let answer: Value = serde_json::from_str(&self.grid.post_ok("/api/v1/imports", tenant, &headers, body).await?)?;
        ensure!(answer["format"] == self.format, "{answer}");
        Ok(answer)
    }

    /// Rows and exact sums per account, of the charges as they are or were.
    async fn state(&self, tenant: &str, of: &str) -> anyhow::Result<Value> {
        let query = format!(
            "SELECT billing_account_id AS a, charge_category AS k, count(*) AS n, sum(billed_cost) AS b, sum(effective_cost) AS e \
             FROM {of} WHERE source = '{}' GROUP BY 1, 2 ORDER BY 1, 2",
            self.format
        );
        Ok(json!(self.grid.sql(tenant, &query).await?))
    }
}

#[tokio::test]
async fn every_round_trip_leaves_an_equal_ledger() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    for format in FORMATS {
        let ledger = Ledger { grid: &grid, format };
        let first = ledger.import("default", &FIRST, false).await?;
        ensure!(first["outcome"] == "stored" && first["rows_rejected"] == 0, "{first}");
        let reconciled = &first["reconciliation"][0];
        ensure!(reconciled["residual"] != "0" && reconciled["rejected"] == "0", "{format}: {reconciled}");
        if format == "focus" {
            ensure!(reconciled["rounding"].as_array().is_some_and(|r| r.len() == 3), "{reconciled}");
        }
        let before = ledger.state("default", "charges").await?;

        let again = ledger.import("default", &FIRST, false).await?;
        ensure!(again["outcome"] == "unchanged", "{format}: {again}");
        ensure!(ledger.state("default", "charges").await? == before, "{format}: imported twice");

        // What the restated bill alone makes, with the account that it does not speak of.
        let restated = ledger.import("default", &RESTATED, true).await?;
        let after = ledger.state("default", "charges").await?;
        ledger.import("alone", &RESTATED, false).await?;
        ledger.import("alone", &FIRST.into_iter().filter(|l| l.account == 2).collect::<Vec<_>>(), false).await?;
        ensure!(after == ledger.state("alone", "charges").await?, "{format}: restated to {after}");
        ensure!(after != before, "{format}: the restatement changes nothing");

        // A correction adds; bringing the first bill back removes both.
        let correction = ledger.import("default", &CORRECTION, false).await?;
        ensure!(correction["outcome"] == "stored", "{correction}");
        let corrected = ledger.state("default", "charges").await?;
        ledger.import("default", &FIRST, true).await?;
        ensure!(ledger.state("default", "charges").await? == before, "{format}: brought back");

        for (import, expected) in [(&first, &before), (&restated, &after), (&correction, &corrected)] {
            let id = import["id"].as_str().context("an id")?;
            let then = ledger.state("default", &format!("charges_as_of('{id}')")).await?;
            ensure!(then == *expected, "{format}: as of {id} {then} instead of {expected}");
        }
        let nothing = ledger.state("default", "charges_as_of('2020-01-01T00:00:00Z')").await?;
        ensure!(nothing == json!([]), "{format}: {nothing}");
    }
    figure(
        "bill_round_trips",
        true,
        "5 formats: imported twice, restated, corrected, brought back: equal, and as of each import",
    );
    Ok(())
}

/// One import of the model.
struct Imported {
    id: String,
    version: usize,
    /// Accounts that a later import replaced.
    hidden: BTreeSet<u8>,
}

/// What a ledger must hold: the rules of docs/bills.md in a few lines.
#[derive(Default)]
struct Model {
    imports: Vec<Imported>,
}

impl Model {
    /// Whether the import does anything.
    fn import(&mut self, bills: &[Vec<Line>], version: usize, restate: bool) -> bool {
        let accounts: BTreeSet<u8> = bills[version].iter().map(|l| l.account).collect();
        let shows = |i: &Imported, account: &u8| {
            bills[i.version].iter().any(|l| l.account == *account) && !i.hidden.contains(account)
        };
        if restate {
            let gone = |i: &Imported| accounts.iter().all(|a| i.hidden.contains(a));
            let mut same = self.imports.iter().filter(|i| i.version == version);
            let same = same.clone().rfind(|i| !gone(i)).or_else(|| same.next_back());
            let alone = |same: &Imported| {
                let others = self.imports.iter().filter(|i| i.id != same.id);
                same.hidden.is_empty()
                    && others.flat_map(|i| accounts.iter().map(move |a| (i, a))).all(|(i, a)| !shows(i, a))
            };
            if same.is_some_and(alone) {
                return false;
            }
            for earlier in &mut self.imports {
                let replaced: Vec<u8> = accounts.iter().filter(|a| shows(earlier, a)).copied().collect();
                earlier.hidden.extend(replaced);
            }
        } else if self.imports.iter().any(|i| i.version == version) {
            return false;
        }
        self.imports.push(Imported { id: String::new(), version, hidden: BTreeSet::new() });
        true
    }

    /// Rows and sums by account, in the words of [`Ledger::state`].
    fn state(&self, bills: &[Vec<Line>]) -> Value {
        let mut sums: BTreeMap<u8, (u64, i128)> = BTreeMap::new();
        for import in &self.imports {
            for line in bills[import.version].iter().filter(|l| !import.hidden.contains(&l.account)) {
                let sum = sums.entry(line.account).or_default();
                *sum = (sum.0 + 1, sum.1 + line.cost.replace('.', "").parse::<i128>().unwrap_or_default());
            }
        }
        let row = |(account, (n, sum)): (u8, (u64, i128))| {
            let sum = grid_tests::answer::decimal(sum, 6);
            let sum = if sum.contains('.') { sum.trim_end_matches('0').trim_end_matches('.') } else { &sum };
            json!({ "a": format!("acct-{account}"), "k": "Usage", "n": n, "b": sum, "e": sum })
        };
        sums.into_iter().map(row).collect()
    }
}

#[tokio::test]
async fn any_order_of_imports_and_restatements_leaves_the_ledger_of_the_rules() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let mut done = 0;
    for (seed, format) in ["focus", "aws-cur", "azure"].into_iter().enumerate() {
        let mut rng = StdRng::seed_from_u64(seed as u64 + 7);
        let cost = |n: i64| -> &'static str { format!("{}.{:06}", n / 1_000_000, n % 1_000_000).leak() };
        let bills: Vec<Vec<Line>> = (0..6)
            .map(|_| {
                let lines = rng.random_range(1..6);
                let line = |rng: &mut StdRng| Line {
                    cost: cost(rng.random_range(0..9_000_000_000)),
                    account: rng.random_range(1..4),
                    day: rng.random_range(1..29),
                };
                (0..lines).map(|_| line(&mut rng)).collect()
            })
            .collect();
        let (ledger, mut model) = (Ledger { grid: &grid, format }, Model::default());
        let mut states: Vec<(String, Value)> = Vec::new();
        for step in 0..20 {
            let (version, restate) = (rng.random_range(0..bills.len()), rng.random_bool(0.5));
            let acts = model.import(&bills, version, restate);
            let answer = ledger.import("random", &bills[version], restate).await?;
            let expected = if acts { "stored" } else { "unchanged" };
            ensure!(answer["outcome"] == expected, "{format} step {step}: {answer} instead of {expected}");
            let (found, wanted) = (ledger.state("random", "charges").await?, model.state(&bills));
            ensure!(found == wanted, "{format} step {step}: {found} instead of {wanted}");
            if let (true, Some(last)) = (acts, model.imports.last_mut()) {
                last.id = answer["id"].as_str().context("an id")?.to_owned();
                states.push((last.id.clone(), found));
            }
            done += 1;
        }
        for (id, expected) in states {
            let then = ledger.state("random", &format!("charges_as_of('{id}')")).await?;
            ensure!(then == expected, "{format}: as of {id} {then} instead of {expected}");
        }
    }
    figure(
        "bill_model",
        true,
        format!("{done} random imports and restatements of 3 formats, each compared with the rules; then as of each"),
    );
    Ok(())
}

#[tokio::test]
async fn an_azure_export_keeps_its_total() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("azure_ea", "no ../shared/data here") };
    let file = data.join("bills/azure_ea_sample.csv");
    let folder = tempfile::tempdir()?;
    let (file, dir) = (text(&file)?, text(&folder.path().join("data"))?);
    let mut seen = Vec::new();
    for _ in 0..2 {
        run_grid(&["import", "bill", &file, "--data-dir", &dir, "-o", "json"]).await?;
        let query = "SELECT billing_currency AS c, count(*) AS n, sum(billed_cost) AS b, sum(effective_cost) AS e FROM charges GROUP BY 1";
        seen.push(run_grid(&["query", query, "--data-dir", &dir, "-o", "csv"]).await?);
    }
    let held = seen.iter().all(|s| s.trim_end().ends_with("CAD,27,1.26136926505726,1.26136926505726"));
    figure("azure_ea", held, "CAD 1.26136926505726 billed and effective, 27 rows, imported twice");
    ensure!(held, "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_mapping_that_does_not_fit_is_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mapping, bill) = (folder.path().join("oci.toml"), folder.path().join("bill.csv"));
    std::fs::write(&mapping, OCI.replace("product/service", "product/servise"))?;
    std::fs::write(&bill, written("oci", &FIRST))?;
    let dir = text(&folder.path().join("data"))?;
    let args = ["import", "bill", &text(&bill)?, "--mapping", &text(&mapping)?, "--data-dir", &dir];
    let error = run_grid(&args).await.err().context("the import is refused")?.to_string();
    ensure!(
        error.contains("ServiceName = \"product/servise\"") && error.contains("did you mean `product/service`?"),
        "{error}"
    );
    std::fs::write(&mapping, OCI)?;
    let report = run_grid(&args).await?;
    ensure!(report.contains("stored: imp-") && report.contains("oci"), "{report}");
    Ok(())
}

/// An AWS report as it lies in a bucket: a manifest above the folders of all versions.
fn aws_report(root: &Path, version: &str, lines: &[Line]) -> anyhow::Result<()> {
    let period = root.join("20260101-20260201");
    let folder = period.join(version);
    std::fs::create_dir_all(&folder)?;
    let key = format!("prefix/daily/20260101-20260201/{version}/daily-1.csv");
    let manifest = json!({ "assemblyId": version, "reportName": "daily", "account": "acct-1", "reportKeys": [key],
        "billingPeriod": { "start": "20260101T000000.000Z", "end": "20260201T000000.000Z" } });
    std::fs::write(folder.join("daily-1.csv"), written("aws-cur", lines))?;
    for place in [&folder, &period] {
        std::fs::write(place.join("daily-Manifest.json"), manifest.to_string())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_of_exports_is_imported_by_its_newest_versions() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let exports = folder.path().join("exports");
    let dir = text(&folder.path().join("data"))?;
    let import = async || -> anyhow::Result<Value> {
        let args = ["import", "bill", &text(&exports)?, "--data-dir", &dir, "-o", "json"];
        Ok(serde_json::from_str(&run_grid(&args).await?)?)
    };
    let sum = async || {
        run_grid(&[
            "query",
            "SELECT count(*) AS n, sum(billed_cost) AS b FROM charges",
            "--data-dir",
            &dir,
            "-o",
            "csv",
        ])
        .await
    };
    aws_report(&exports, "v1", &FIRST)?;
    let reports = import().await?;
    ensure!(reports.as_array().map(Vec::len) == Some(1) && reports[0]["outcome"] == "stored", "{reports}");
    let first = sum().await?;
    // Nothing new: nothing is done.
    ensure!(import().await? == json!([]), "known by its version");
    aws_report(&exports, "v2", &RESTATED)?;
    let reports = import().await?;
    ensure!(reports[0]["replaced"].as_array().is_some_and(|r| !r.is_empty()), "{reports}");
    let second = sum().await?;
    ensure!(first != second && second.contains("4,7.7"), "{first} {second}");
    Ok(())
}

/// A restarted import of many partitions goes on: what was done is known, what was under way leaves nothing behind.
#[tokio::test]
async fn a_killed_import_of_a_folder_goes_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let exports = folder.path().join("exports");
    let months = 12;
    for month in 1..=months {
        let part = exports.join(format!("BILLING_PERIOD=2025-{month:02}"));
        std::fs::create_dir_all(&part)?;
        let rows: Vec<Line> = (0..20_000).map(|i| Line { day: (i % 28) as u8 + 1, ..FIRST[0] }).collect();
        std::fs::write(
            part.join("x-00001.csv"),
            written("focus", &rows).replace("2026-01", &format!("2025-{month:02}")),
        )?;
    }
    let dir = text(&folder.path().join("data"))?;
    let args = ["import", "bill", &text(&exports)?, "--data-dir", &dir, "--dataset", "d", "-o", "json"];
    let mut kills = 0;
    for wait in [700, 1500, 2500] {
        let mut child = Command::new(grid_binary()?)
            .args(args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if tokio::time::timeout(Duration::from_millis(wait), child.wait()).await.is_err() {
            child.kill().await?;
            kills += 1;
        }
    }
    run_grid(&args).await?;
    let query = "SELECT count(*) AS n, sum(billed_cost) AS b, count(DISTINCT billing_period_start) AS m FROM charges";
    let found = run_grid(&["query", query, "--data-dir", &dir, "-o", "csv"]).await?;
    let expected = format!("{},{},{months}", 20_000 * months, 25_000 * months);
    let held = found.trim_end().ends_with(&expected);
    let measured = format!("{kills} kills within 12 partitions of 20,000 rows, then {expected} rows, sum and months");
    figure("bill_resumed", held, measured);
    ensure!(held, "{found}");
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).context("the path is text")
}
