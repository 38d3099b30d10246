//! Real bills through the command line: exact sums per currency, and the same again when imported twice.

use anyhow::Context;
use grid_tests::{figure, run_grid, shared_data, skip};
use serde_json::Value;

/// The figures that the bars name.
const AWS_CUR_TOTAL: &str = "1.6823086974";
const FOCUS_TOTALS: [(&str, &str); 2] = [("CAD", "1.26136926505726"), ("USD", "7.6707024406")];

#[tokio::test]
async fn an_aws_cost_and_usage_report_keeps_its_total() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("aws_cur", "no ../shared/data here") };
    let file = data.join("bills/aws_cur_sample.csv");
    let folder = tempfile::tempdir()?;
    let bill = Bill { dir: text(&folder.path().join("data"))?, file: text(&file)?, dataset: "aws/cur" };
    let mut sums = Vec::new();
    for _ in 0..2 {
        bill.import().await?;
        sums.push((bill.sum("billed_cost").await?, bill.rows().await?));
    }
    let expected = vec![(vec![("USD".to_owned(), AWS_CUR_TOTAL.to_owned())], 1281); 2];
    let held =
        figure("aws_cur", sums == expected, format!("{:?}, {} rows; again: {:?}", sums[0].0, sums[0].1, sums[1]));
    assert!(held, "{sums:?} instead of {expected:?}");
    Ok(())
}

#[tokio::test]
async fn a_focus_bill_keeps_its_total_per_currency() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("focus", "no ../shared/data here") };
    let file = data.join("focus/focus_sample_500.csv");
    let (source, source_rows) = totals(&file, "BilledCost", "BillingCurrency")?;
    let folder = tempfile::tempdir()?;
    let bill = Bill { dir: text(&folder.path().join("data"))?, file: text(&file)?, dataset: "focus/sample" };
    let report = bill.import().await?;
    let first = (bill.sum("billed_cost").await?, bill.rows().await?);
    bill.import().await?;
    let again = (bill.sum("billed_cost").await?, bill.rows().await?);
    // The sample has no bad rows: stored is the whole source, rejected is nothing.
    assert_eq!(first, (source.clone(), source_rows), "report of the import: {report}");
    assert_eq!(again, first);
    let measured = format!("{source:?} of {source_rows} rows stored, none rejected; imported again: unchanged");
    figure("focus", true, measured);
    let expected: Vec<_> = FOCUS_TOTALS.iter().map(|(c, v)| ((*c).to_owned(), (*v).to_owned())).collect();
    if source == expected {
        figure("focus_figures", first.0 == expected, format!("{:?}", first.0));
    } else {
        skip("focus_figures", format!("the file here is another one: it sums to {source:?} itself"))?;
    }
    Ok(())
}

/// Exact totals of a column per currency, read from the file without Grid, and the number of rows.
fn totals(file: &std::path::Path, cost: &str, currency: &str) -> anyhow::Result<(Vec<(String, String)>, i64)> {
    let mut reader = csv::Reader::from_path(file)?;
    let headers = reader.headers()?.clone();
    let column = |name: &str| headers.iter().position(|h| h == name).with_context(|| format!("find column {name}"));
    let (cost, currency) = (column(cost)?, column(currency)?);
    let mut sums = std::collections::BTreeMap::<String, i128>::new();
    let mut rows = 0;
    for record in reader.records() {
        let record = record?;
        *sums.entry(record[currency].to_owned()).or_default() += scaled(&record[cost])?;
        rows += 1;
    }
    Ok((sums.into_iter().map(|(c, v)| (c, grid_tests::answer::decimal(v, SCALE))).collect(), rows))
}

const SCALE: u32 = 18;

/// A plain decimal in units of 10^-18.
fn scaled(text: &str) -> anyhow::Result<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<width$}", width = SCALE as usize);
    digits.parse().with_context(|| format!("read {text} as a decimal"))
}

struct Bill {
    dir: String,
    file: String,
    dataset: &'static str,
}

impl Bill {
    async fn import(&self) -> anyhow::Result<String> {
        let args = ["import", "bill", &self.file, "--dataset", self.dataset, "--data-dir", &self.dir, "-o", "json"];
        run_grid(&args).await
    }

    async fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let answer = run_grid(&["query", query, "--data-dir", &self.dir, "-o", "json"]).await?;
        serde_json::from_str(&answer).with_context(|| format!("read {answer}"))
    }

    /// Sums per currency as exact text, without trailing zeros.
    async fn sum(&self, column: &str) -> anyhow::Result<Vec<(String, String)>> {
        let query = format!(
            "SELECT billing_currency AS c, sum({column}) AS s FROM charges GROUP BY billing_currency ORDER BY billing_currency"
        );
        let rows = self.query(&query).await?;
        let cell = |r: &Value, key: &str| {
            r[key].as_str().map(str::to_owned).with_context(|| format!("{key} of {r} is no text"))
        };
        rows.iter().map(|r| Ok((cell(r, "c")?, trimmed(&cell(r, "s")?)))).collect()
    }

    async fn rows(&self) -> anyhow::Result<i64> {
        let rows = self.query("SELECT count(*) AS n FROM charges").await?;
        rows.first().and_then(|r| r["n"].as_i64()).with_context(|| format!("count in {rows:?}"))
    }
}

fn trimmed(decimal: &str) -> String {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        decimal.to_owned()
    }
}

fn text(path: &std::path::Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).context("the path is text")
}
