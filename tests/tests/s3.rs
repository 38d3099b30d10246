//! Files on an object store: the same rows, flushed to an S3 double, compacted there, and read by a second process.

use std::time::Duration;

use anyhow::ensure;
use grid_tests::peers::{self, Peer};
use grid_tests::wire::{JSON_HEADERS, otlp_logs};
use grid_tests::{Grid, Options, figure, now_ns, skip};
use tokio::process::Command;

#[tokio::test]
async fn files_rest_on_s3() -> anyhow::Result<()> {
    let moto = match peers::python_program("moto_server") {
        Ok(moto) => moto,
        Err(reason) => return skip("s3", reason),
    };
    let folder = tempfile::tempdir()?;
    let endpoint = format!("http://127.0.0.1:{}", peers::free_port()?);
    let mut command = Command::new(moto);
    command.args(["-H", "127.0.0.1", "-p", endpoint.rsplit(':').next().unwrap_or_default()]);
    let _moto = Peer::start(&mut command, &folder.path().join("moto.log"))?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    peers::until_ready(&client, &format!("{endpoint}/moto-api/"), Duration::from_secs(60)).await?;
    let created = client.put(format!("{endpoint}/grid-bucket")).send().await?;
    ensure!(created.status().is_success(), "no bucket: {}", created.status());

    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let env = vec![
        setting("GRID__STORAGE__OBJECT_URL", "s3://grid-bucket/some/prefix"),
        setting("AWS_ENDPOINT", &endpoint),
        setting("AWS_ENDPOINT_URL", &endpoint),
        setting("AWS_ALLOW_HTTP", "true"),
        setting("AWS_ACCESS_KEY_ID", "test"),
        setting("AWS_SECRET_ACCESS_KEY", "test"),
        setting("AWS_REGION", "us-east-1"),
    ];
    let data_dir = folder.path().join("data");
    let options = Options { env, data_dir: Some(data_dir.clone()), ..Options::default() };
    let mut grid = Grid::start_with(options).await?;
    for round in 0..4 {
        let lines: Vec<_> = (0..50).map(|i| (now_ns(), format!("line {round}/{i}"))).collect();
        grid.post_ok("/v1/logs", "default", &JSON_HEADERS, otlp_logs("s3", &lines)).await?;
        grid.flush().await?;
    }
    let query = "SELECT count(*) FROM logs WHERE service = 's3'";
    ensure!(grid.count("default", query).await? == 200, "after flushes");
    let listing = client.get(format!("{endpoint}/grid-bucket?list-type=2")).send().await?.text().await?;
    ensure!(listing.contains("some/prefix/") && listing.contains(".parquet"), "no file in the bucket: {listing}");
    ensure!(!has_parquet(&data_dir), "files rest on the local disk too");
    grid.compact().await?;
    ensure!(grid.count("default", query).await? == 200, "after a compaction");
    grid.kill().await?;
    grid.restart().await?;
    ensure!(grid.count("default", query).await? == 200, "after a kill and a start");
    figure("s3", true, "200 rows written, compacted and read again on moto 5.2.5's S3; none on the local disk");
    Ok(())
}

fn has_parquet(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { has_parquet(&path) } else { path.extension().is_some_and(|e| e == "parquet") }
    })
}
