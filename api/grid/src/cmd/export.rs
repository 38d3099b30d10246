//! `grid export`: charges as files, through a server or straight from a data directory, the same bytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use grid_analytics::focus_export::{DataSet, EXTRA_COLUMNS_MAX, FocusExport};
use grid_analytics::render::{Format, Renderer, rows_json};
use grid_analytics::{Engine, SqlRequest};
use grid_model::{TenantId, Timestamp};
use reqwest::Method;

use super::query::words;
use crate::args::{ExportKind, FileFormat, FocusArgs, FocusSet};
use crate::client::Client;
use crate::target::{self, Target};
use crate::unit::parse_time;
use crate::{clock, out, setup};

/// What an export may take.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// Writes the file. It appears under its name once it is whole.
pub(crate) async fn run(file: Option<&Path>, kind: ExportKind) -> anyhow::Result<ExitCode> {
    let ExportKind::Focus(args) = kind;
    let config = setup::config(file, Vec::new())?;
    let time = |flag: &str, text: &Option<String>| -> anyhow::Result<Option<Timestamp>> {
        let read = text.as_ref().map(|t| parse_time(t, clock::now())).transpose();
        read.map_err(|e| anyhow::anyhow!("{flag}: {e}"))
    };
    let export = FocusExport {
        from: time("--from", &args.from)?,
        to: time("--to", &args.to)?,
        dataset: args.dataset.clone(),
        extra: Vec::new(),
    };
    let mut sink = Sink::open(&args.file)?;
    match Target::resolve(&args.target, &config)? {
        Target::Server(client) => ask_server(&client, &export, &args, &mut sink).await?,
        Target::Directory(dir) => {
            let store = target::open_existing(&config, &dir).await?;
            let engine = setup::engine(&config, &store)?;
            let tenant = target::tenant(&args.target.tenant)?;
            let outcome = ask_engine(&engine, &tenant, export, &args, &mut sink).await;
            store.close().await.context("close the store")?;
            outcome?;
        }
    }
    sink.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn set(args: &FocusArgs) -> DataSet {
    match args.set {
        FocusSet::CostAndUsage => DataSet::CostAndUsage,
        FocusSet::BillingPeriod => DataSet::BillingPeriod,
        FocusSet::InvoiceDetail => DataSet::InvoiceDetail,
    }
}

async fn ask_engine(
    engine: &Engine,
    tenant: &TenantId,
    mut export: FocusExport,
    args: &FocusArgs,
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let request = |statement: String| SqlRequest {
        unbounded: true,
        timeout: Some(TIME_MAX),
        client: Some("grid export".to_owned()),
        ..SqlRequest::new(tenant.clone(), statement)
    };
    if args.x_columns {
        let mut names = engine.sql(request(export.extra_statement())).await.map_err(words)?;
        while let Some(batch) = names.stream.next().await {
            let rows = rows_json(&batch.map_err(words)?).map_err(words)?;
            export.extra.extend(rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)));
        }
        let columns = export.extra.len();
        ensure!(
            columns <= EXTRA_COLUMNS_MAX,
            "the charges have more than {EXTRA_COLUMNS_MAX} further columns: export without --x-columns"
        );
    }
    let mut answer = engine.sql(request(export.statement(set(args)))).await.map_err(words)?;
    let format = match args.output {
        FileFormat::Csv => Format::Csv,
        FileFormat::Parquet => Format::Parquet,
    };
    let mut renderer = Renderer::new(format, answer.schema.clone()).map_err(words)?;
    sink.take(&renderer.head())?;
    while let Some(batch) = answer.stream.next().await {
        sink.take(&renderer.batch(&batch.map_err(words)?).map_err(words)?)?;
    }
    sink.take(&renderer.tail(None).map_err(words)?)
}

async fn ask_server(client: &Client, export: &FocusExport, args: &FocusArgs, sink: &mut Sink) -> anyhow::Result<()> {
    let mut query = vec![
        ("version", args.version.clone()),
        ("set", set(args).name().to_owned()),
        ("x_columns", args.x_columns.to_string()),
    ];
    let format = match args.output {
        FileFormat::Csv => "csv",
        FileFormat::Parquet => "parquet",
    };
    query.push(("format", format.to_owned()));
    query.extend(export.dataset.clone().map(|d| ("dataset", d)));
    query.extend(export.from.map(|t| ("from", t.to_string())));
    query.extend(export.to.map(|t| ("to", t.to_string())));
    let request = client.request(Method::GET, "/api/v1/charges/export").query(&query).timeout(TIME_MAX);
    let mut stream = client.send(request).await?.bytes_stream();
    while let Some(piece) = stream.next().await {
        sink.take(&piece.context("read the answer; rows may be missing")?)?;
    }
    Ok(())
}

/// Stdout, or a file that takes its name when it is whole.
enum Sink {
    Stdout,
    File { whole: PathBuf, part: PathBuf, to: BufWriter<File> },
}

impl Sink {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut name = path.file_name().with_context(|| format!("{} names no file", path.display()))?.to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = File::create(&part).with_context(|| format!("create {}", part.display()))?;
        Ok(Self::File { whole: path.to_owned(), part, to: BufWriter::new(file) })
    }

    fn take(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => out::bytes(piece).context("write the export"),
            Self::File { part, to, .. } => to.write_all(piece).with_context(|| format!("write {}", part.display())),
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        let Self::File { whole, part, to } = self else { return Ok(()) };
        let file = to.into_inner().map_err(|e| e.into_error()).with_context(|| format!("write {}", part.display()))?;
        file.sync_all().with_context(|| format!("write {}", part.display()))?;
        std::fs::rename(&part, &whole).with_context(|| format!("name it {}", whole.display()))
    }
}
