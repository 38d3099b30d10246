//! The official OpenTelemetry SDK for Python sends every signal, every instrument and every attribute type; SQL answers
//! exactly what it sent, before and after the rows move into Parquet.

use std::path::Path;

use anyhow::Context;
use grid_tests::answer::same_rows;
use grid_tests::server::Row;
use grid_tests::{Grid, figure, otlp, peers, skip};
use prost::Message;

const VARIANTS: [(&str, &str); 4] = [("grpc", "none"), ("grpc", "gzip"), ("http", "none"), ("http", "gzip")];

#[tokio::test]
async fn what_the_sdk_sends_reads_back_equal() -> anyhow::Result<()> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(reason) => return skip("otel_sdk", reason),
    };
    let grid = Grid::start().await?;
    let mut sent = Vec::new();
    for (protocol, compression) in VARIANTS {
        let notes = tempfile::tempdir()?;
        let tenant = format!("sdk-{protocol}-{compression}");
        let endpoint = if protocol == "grpc" { &grid.grpc } else { &grid.http };
        let out = notes.path().to_str().context("the folder's name is text")?;
        peers::run_python(&python, "otel_send.py", &[protocol, endpoint, out, &tenant, compression]).await?;
        sent.push((tenant, Sent::read(notes.path())?));
    }
    let mut rows = 0;
    for state in ["buffered", "flushed", "compacted"] {
        for (tenant, sent) in &sent {
            sent.compare(&grid, tenant).await.with_context(|| format!("{tenant}, {state}"))?;
            rows = sent.logs.len() + sent.spans.len() + sent.samples.len() + sent.exemplars.len();
        }
        match state {
            "buffered" => drop(grid.flush().await?),
            _ => drop(grid.compact().await?),
        }
    }
    figure(
        "otel_sdk",
        true,
        format!("{rows} rows of SDK 1.45.2 equal over gRPC and HTTP, plain and gzip; buffered, in Parquet, compacted"),
    );
    Ok(())
}

#[derive(Default)]
struct Sent {
    logs: Vec<Row>,
    spans: Vec<Row>,
    samples: Vec<Row>,
    exemplars: Vec<Row>,
}

impl Sent {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut sent = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let bytes = std::fs::read(&path)?;
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            match name.split('-').next() {
                Some("logs") => sent.logs.extend(otlp::logs(&Message::decode(&*bytes)?)),
                Some("traces") => sent.spans.extend(otlp::spans(&Message::decode(&*bytes)?)),
                _ => {
                    let (samples, exemplars) = otlp::metrics(&Message::decode(&*bytes)?);
                    sent.samples.extend(samples);
                    sent.exemplars.extend(exemplars);
                }
            }
        }
        assert!(
            sent.logs.len() >= 11 && sent.spans.len() >= 6 && sent.samples.len() >= 60 && !sent.exemplars.is_empty()
        );
        Ok(sent)
    }

    async fn compare(&self, grid: &Grid, tenant: &str) -> anyhow::Result<()> {
        same_rows("logs", self.logs.clone(), grid.sql(tenant, otlp::LOGS_QUERY).await?)?;
        same_rows("spans", self.spans.clone(), grid.sql(tenant, otlp::SPANS_QUERY).await?)?;
        let samples = grid.sql(tenant, otlp::SAMPLES_QUERY).await?;
        same_rows("samples", self.samples.clone(), samples.into_iter().map(otlp::compact).collect())?;
        same_rows("exemplars", self.exemplars.clone(), grid.sql(tenant, otlp::EXEMPLARS_QUERY).await?)
    }
}
