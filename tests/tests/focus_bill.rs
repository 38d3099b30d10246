//! FOCUS bills through the real binary: what `--check` says, what an import keeps of it, and charges out as FOCUS 1.4 and back in.

#[path = "focus/planted.rs"]
mod planted;

use std::path::Path;

use anyhow::{Context, ensure};
use grid_focus_rules::{Applicability, Checker, Column, Report, Version};
use grid_tests::{Grid, figure, run_grid, shared_data, skip};
use serde_json::Value;

/// A directory of data, spoken to by the command line.
struct Dir(String);

impl Dir {
    async fn import(&self, file: &str, flags: &[&str]) -> anyhow::Result<Value> {
        let mut args = vec!["import", "bill", file, "--data-dir", &self.0, "-o", "json"];
        args.extend(flags);
        let answer = run_grid(&args).await?;
        serde_json::from_str(&answer).with_context(|| format!("read {answer}"))
    }

    async fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let answer = run_grid(&["query", query, "--data-dir", &self.0, "-o", "json"]).await?;
        serde_json::from_str(&answer).with_context(|| format!("read {answer}"))
    }

    async fn export(&self, file: &Path, flags: &[&str]) -> anyhow::Result<()> {
        let mut args = vec!["export", "focus", text(file)?, "--data-dir", &self.0];
        args.extend(flags);
        run_grid(&args).await.map(drop)
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path is text")
}

/// A bill with a violation of each rule in a row of its own.
fn planted_rows() -> anyhow::Result<planted::Bill> {
    planted::bills().into_iter().find(|b| b.name == "rows").context("find the planted bill")
}

#[tokio::test]
async fn a_check_tells_every_violated_rule_and_an_import_keeps_what_it_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bill = planted_rows()?;
    let file = folder.path().join("planted.csv");
    std::fs::write(&file, bill.csv()?)?;
    // What the rules say, asked directly.
    let header: Vec<&str> = bill.header.iter().map(String::as_str).collect();
    let mut checker = Checker::new(&header, Version::V1_2, Applicability::of_header(&header));
    checker.file("planted.csv");
    for (i, row) in bill.rows.iter().enumerate() {
        checker.row_of(i as u64 + 1, |at| row.get(at).map(String::as_str));
    }
    let report = checker.finish();
    let expected: Vec<(String, u64)> = report.failed().iter().map(|r| (r.rule.id.to_owned(), r.violations)).collect();
    ensure!(expected.len() > 100, "only {} rules are violated", expected.len());

    let dir = Dir(text(&folder.path().join("data"))?.to_owned());
    let told = |shown: &Value| -> Vec<(String, u64)> {
        let failed = shown["conformance"]["failed"].as_array().cloned().unwrap_or_default();
        failed
            .iter()
            .map(|f| (f["rule"].as_str().unwrap_or_default().to_owned(), f["violations"].as_u64().unwrap_or(0)))
            .collect()
    };
    let checked = dir.import(text(&file)?, &["--check"]).await?;
    assert_eq!(told(&checked), expected);
    assert_eq!(checked["conformance"]["version"], "1.2");
    assert_eq!(checked["conformance"]["conforms"], false);
    let spoken = run_grid(&["import", "bill", text(&file)?, "--data-dir", &dir.0, "--check"]).await?;
    for (rule, _) in &expected {
        ensure!(spoken.contains(rule.as_str()), "{rule} is not told:\n{spoken}");
    }
    assert_eq!(dir.query("SELECT count(*) AS n FROM grid.conformance").await?[0]["n"], 0);

    let stored = dir.import(text(&file)?, &[]).await?;
    assert_eq!(told(&stored), expected);
    let rows = dir
        .query("SELECT rule, keyword, violations, file, \"row\" FROM grid.conformance WHERE status = 'failed' AND violations > 0 ORDER BY rule")
        .await?;
    for r in report.failed() {
        let first = r.examples.first().context("find an example")?;
        let kept = rows.iter().find(|row| row["rule"] == r.rule.id).with_context(|| format!("find {}", r.rule.id))?;
        assert_eq!(kept["violations"].as_u64(), Some(r.violations), "{}", r.rule.id);
        assert_eq!(kept["row"].as_u64(), Some(first.row), "{}", r.rule.id);
        assert_eq!(kept["keyword"], r.rule.keyword.name(), "{}", r.rule.id);
    }
    let all = dir.query("SELECT count(*) AS n FROM grid.conformance").await?;
    assert_eq!(all[0]["n"].as_u64(), Some(report.rules.len() as u64));
    Ok(())
}

#[tokio::test]
async fn charges_go_out_as_focus_and_come_back_the_same() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let sound = planted::bills().into_iter().next().context("find the sound bill")?;
    let path = folder.path().join("sound.csv");
    std::fs::write(&path, sound.csv()?)?;
    let mut bills = vec![path];
    match shared_data() {
        Some(data) => bills.push(data.join("focus/focus_sample_500.csv")),
        None => skip("focus_export_sample", "no ../shared/data here")?,
    }
    let mut same = 0;
    for bill in &bills {
        for format in ["csv", "parquet"] {
            same += round_trip(bill, format).await.with_context(|| format!("{} as {format}", bill.display()))?;
        }
    }
    if bills.len() > 1 {
        figure("focus_export_sample", true, "every column equal, as CSV and as Parquet");
    }
    figure("focus_export", true, format!("{same} rows out as CSV and Parquet and in again, equal in all columns"));
    Ok(())
}

/// Imports, exports, imports what was exported, and compares every column of both; how many rows.
async fn round_trip(bill: &Path, format: &str) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir()?;
    let dir = |name: &str| anyhow::Ok(Dir(text(&folder.path().join(name))?.to_owned()));
    let (first, second) = (dir("first")?, dir("second")?);
    let before = first.import(text(bill)?, &[]).await?;
    let out = folder.path().join(format!("out.{format}"));
    first.export(&out, &["-o", format, "--version", "1.4"]).await?;
    let after = second.import(text(&out)?, &[]).await?;
    assert_eq!(after["described"], "FOCUS 1.4");
    assert_eq!(after["rows_rejected"], 0);
    // Everything but where a row comes from, and the two columns that 1.4 dropped.
    let columns: Vec<String> = Column::of_version(Version::V1_4).map(|c| snake(c.name())).collect();
    let query = format!("SELECT {} FROM charges", columns.join(", "));
    let rows = |rows: Vec<Value>| {
        let mut texts: Vec<String> = rows.iter().map(Value::to_string).collect();
        texts.sort_unstable();
        texts
    };
    let (own, back) = (rows(first.query(&query).await?), rows(second.query(&query).await?));
    ensure!(
        own == back,
        "{:?} became {:?}",
        own.iter().find(|r| !back.contains(r)),
        back.iter().find(|r| !own.contains(r))
    );

    if format == "csv" {
        let mut reader = csv::Reader::from_path(&out)?;
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let wanted: Vec<&str> = Column::of_version(Version::V1_4).map(Column::name).collect();
        assert_eq!(header, wanted);
        // The export keeps what the source kept, as far as the source had the columns, and every rule of forms.
        let had: Vec<String> = csv::Reader::from_path(bill)?.headers()?.iter().map(str::to_owned).collect();
        let report = check(&mut reader, &header)?;
        for r in report.failed() {
            let of_source =
                before["conformance"]["failed"].as_array().is_some_and(|f| f.iter().any(|f| f["rule"] == r.rule.id));
            let of_1_4 = r.rule.id.contains("-G-")
                || r.rule.id.contains("-D-")
                || r.rule.check.columns().iter().any(|c| !had.iter().any(|name| name == c.name()));
            ensure!(of_source || of_1_4, "the export breaks {}, the source did not: {:?}", r.rule.id, r.examples);
        }
        let form = |id: &str| {
            id.starts_with("DateTimeFormat") || id.starts_with("NumericFormat") || id.starts_with("NullHandling")
        };
        let broken: Vec<&str> = report.failed().iter().map(|r| r.rule.id).filter(|id| form(id)).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
    Ok(own.len())
}

fn check(reader: &mut csv::Reader<std::fs::File>, header: &[String]) -> anyhow::Result<Report> {
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut checker = Checker::new(&header, Version::V1_4, Applicability::of_header(&header));
    for (i, record) in reader.records().enumerate() {
        let record = record?;
        checker.row_of(i as u64 + 1, |at| record.get(at));
    }
    Ok(checker.finish())
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[tokio::test]
async fn a_server_exports_what_it_was_sent_and_shows_its_conformance() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let bill = planted::bills().into_iter().next().context("find the sound bill")?;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", grid.http);
    let made: Value = client
        .post(url("/api/v1/imports?dataset=d&name=sound.csv"))
        .body(bill.csv()?)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    assert_eq!(made["conformance"]["conforms"], true, "{}", made["conformance"]);
    let id = made["id"].as_str().context("read the import's id")?;
    let kept: Value =
        client.get(url(&format!("/api/v1/imports/{id}"))).send().await?.error_for_status()?.json().await?;
    assert_eq!(kept["conformance"], made["conformance"]);
    let get = |path: String| {
        let request = client.get(url(&path));
        async move { anyhow::Ok(request.send().await?.error_for_status()?.text().await?) }
    };
    let lines = |text: &str| text.lines().count();
    let all = get("/api/v1/charges/export".to_owned()).await?;
    assert_eq!(lines(&all), 1 + bill.rows.len());
    assert_eq!(lines(&get("/api/v1/charges/export?dataset=other".to_owned()).await?), 1);
    assert_eq!(
        lines(&get("/api/v1/charges/export?from=2024-09-01T00:00:00Z&to=2024-09-02T00:00:00Z".to_owned()).await?),
        lines(&all)
    );
    assert_eq!(lines(&get("/api/v1/charges/export?from=2024-09-02T00:00:00Z".to_owned()).await?), 1);
    let periods = get("/api/v1/charges/export?set=billing-period".to_owned()).await?;
    assert!(
        periods.starts_with("BillingPeriodCreated,BillingPeriodEnd,BillingPeriodLastUpdated,BillingPeriodStart,BillingPeriodStatus,InvoiceIssuerName"),
        "{periods}"
    );
    assert!(periods.contains("2024-10-01T00:00:00Z") && periods.trim_end().ends_with("Closed,Cloud"), "{periods}");
    let invoices = get("/api/v1/charges/export?set=invoice-detail".to_owned()).await?;
    assert_eq!(lines(&invoices), 1 + 4, "usage, purchase, tax, credit: {invoices}");
    for (query, says) in
        [("version=1.2", "1.4"), ("set=x", "cost-and-usage"), ("format=xml", "parquet"), ("from=soon", "no time")]
    {
        let refused = client.get(url(&format!("/api/v1/charges/export?{query}"))).send().await?;
        assert_eq!(refused.status(), 400, "{query}");
        let problem = refused.text().await?;
        assert!(problem.contains(says), "{query}: {problem}");
    }
    Ok(())
}
