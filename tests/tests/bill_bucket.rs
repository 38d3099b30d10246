//! Bills in a bucket: `grid import bill s3://...` on an S3 double, once and watching.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::{figure, grid_binary, skip};
use serde_json::{Value, json};
use tokio::process::Command;

/// Costs of one export, all on one account in January.
fn bill(costs: &[&str]) -> String {
    let mut out = "bill/PayerAccountId,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate,lineItem/UsageStartDate,lineItem/UsageEndDate,\
        lineItem/LineItemType,lineItem/ProductCode,lineItem/CurrencyCode,lineItem/UnblendedCost\n"
        .to_owned();
    for cost in costs {
        out += &format!(
            "1,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-05T00:00:00Z,2026-01-05T01:00:00Z,Usage,AmazonEC2,USD,{cost}\n"
        );
    }
    out
}

struct Bucket {
    client: reqwest::Client,
    endpoint: String,
}

impl Bucket {
    async fn put(&self, key: &str, body: String) -> anyhow::Result<()> {
        // The double asks who writes, and believes it.
        let signed =
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none";
        let put = self.client.put(format!("{}/bills/{key}", self.endpoint)).header("authorization", signed).body(body);
        let sent = put.send().await?;
        ensure!(sent.status().is_success(), "put {key}: {}", sent.status());
        Ok(())
    }

    /// One run of a data export that is overwritten in place: data first, then its manifest.
    async fn export(&self, month: &str, execution: &str, costs: &[&str]) -> anyhow::Result<()> {
        let data = format!("exports/x/data/BILLING_PERIOD={month}/x-00001.csv");
        self.put(&data, bill(costs).replace("2026-01", month)).await?;
        let manifest = json!({ "exportArn": "arn:aws:bcm-data-exports:us-east-1:1:export/x", "executionId": execution,
            "dataFiles": [format!("s3://bills/{data}")] });
        self.put(&format!("exports/x/metadata/BILLING_PERIOD={month}/x-Manifest.json"), manifest.to_string()).await
    }

    fn grid(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(grid_binary()?);
        command
            .args(args)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ENDPOINT", &self.endpoint)
            .kill_on_drop(true);
        for (name, value) in [
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ] {
            command.env(name, value);
        }
        Ok(command)
    }

    async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = tokio::time::timeout(Duration::from_secs(120), self.grid(args)?.output()).await??;
        ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

#[tokio::test]
async fn exports_in_a_bucket_are_imported_as_they_come() -> anyhow::Result<()> {
    let moto = match peers::python_program("moto_server") {
        Ok(moto) => moto,
        Err(reason) => return skip("bill_bucket", reason),
    };
    let folder = tempfile::tempdir()?;
    let endpoint = format!("http://127.0.0.1:{}", peers::free_port()?);
    let mut command = Command::new(moto);
    command.args(["-H", "127.0.0.1", "-p", endpoint.rsplit(':').next().unwrap_or_default()]);
    let _moto = Peer::start(&mut command, &folder.path().join("moto.log"))?;
    let bucket = Bucket { client: reqwest::Client::builder().no_proxy().build()?, endpoint };
    peers::until_ready(&bucket.client, &format!("{}/moto-api/", bucket.endpoint), Duration::from_secs(60)).await?;
    let created = bucket.client.put(format!("{}/bills", bucket.endpoint)).send().await?;
    ensure!(created.status().is_success(), "no bucket: {}", created.status());

    let dir = folder.path().join("data");
    let dir = dir.to_str().context("the path is text")?;
    let import = ["import", "bill", "s3://bills/exports/x", "--data-dir", dir, "-o", "json"];
    let query = ["query", "SELECT count(*) AS n, sum(billed_cost) AS b FROM charges", "--data-dir", dir, "-o", "csv"];
    bucket.export("2026-01", "e1", &["1.5", "2"]).await?;
    bucket.export("2026-02", "e1-feb", &["4"]).await?;
    let reports: Value = serde_json::from_str(&bucket.run(&import).await?)?;
    ensure!(reports.as_array().map(Vec::len) == Some(2), "{reports}");
    ensure!(bucket.run(&query).await?.contains("3,7.5"), "two exports");
    ensure!(serde_json::from_str::<Value>(&bucket.run(&import).await?)? == json!([]), "nothing new");

    // A watcher takes what comes while it looks on.
    let watch = [&import[..], &["--watch", "1"]].concat();
    let mut watcher = bucket.grid(&watch)?.stdout(std::process::Stdio::piped()).spawn()?;
    let out = watcher.stdout.take().context("the watcher's answers")?;
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(out));
    tokio::time::sleep(Duration::from_secs(2)).await;
    bucket.export("2026-01", "e2", &["1.25"]).await?;
    let line =
        tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.context("wait for the watcher")??;
    let report: Value = serde_json::from_str(&line.context("a line of the watcher")?)?;
    ensure!(report["outcome"] == "stored" && report["replaced"].as_array().is_some_and(|r| r.len() == 1), "{report}");
    grid_tests::server::signal(watcher.id().context("the watcher runs")?, "INT")?;
    let ended = tokio::time::timeout(Duration::from_secs(30), watcher.wait()).await??;
    ensure!(ended.success(), "the watcher ended with {ended}");
    ensure!(bucket.run(&query).await?.contains("2,5.25"), "the restated month");
    figure("bill_bucket", true, "2 exports and a restated one on moto 5.2.5's S3: imported, known again, watched for");
    Ok(())
}
