//! A `grid serve` of its own: on ports that the system chose, in a folder that goes with it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use arrow::array::RecordBatch;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::answer;

/// One row of an answer, by column name.
pub type Row = Map<String, Value>;

const READY_WITHIN: Duration = Duration::from_secs(120);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The verb, `serve` if empty.
    pub verb: String,
    /// Further arguments.
    pub args: Vec<String>,
    /// Further environment.
    pub env: Vec<(String, String)>,
    /// The data directory; a temporary one if absent.
    pub data_dir: Option<PathBuf>,
    /// Keep the default ports instead of ports that the system chooses.
    pub default_ports: bool,
}

/// A running server.
pub struct Grid {
    child: Child,
    options: Options,
    data_dir: PathBuf,
    log: PathBuf,
    /// Base URL of the HTTP listener, without a slash at its end.
    pub http: String,
    /// URL of the OTLP gRPC listener.
    pub grpc: String,
    /// The line that the server printed when it was ready.
    pub ready: Value,
    /// From start to that line.
    pub start_time: Duration,
    /// For requests of all kinds.
    pub client: reqwest::Client,
    _folder: Option<TempDir>,
}

impl Grid {
    /// Starts `grid serve` with no more than a data directory and ports.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts a server and waits until it is ready.
    pub async fn start_with(options: Options) -> anyhow::Result<Self> {
        let folder = if options.data_dir.is_none() { Some(TempDir::new()?) } else { None };
        let data_dir = match (&options.data_dir, &folder) {
            (Some(dir), _) => dir.clone(),
            (None, Some(folder)) => folder.path().join("data"),
            (None, None) => bail!("no data directory"),
        };
        let log = data_dir.with_extension("log");
        let (child, ready, start_time) = spawn(&options, &data_dir, &log).await?;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(120)).no_proxy().build()?;
        let mut grid = Self {
            child,
            options,
            data_dir,
            log,
            http: String::new(),
            grpc: String::new(),
            ready,
            start_time,
            client,
            _folder: folder,
        };
        grid.take_addresses()?;
        Ok(grid)
    }

    fn take_addresses(&mut self) -> anyhow::Result<()> {
        let address = |key: &str| -> anyhow::Result<String> {
            let text = self.ready.get(key).and_then(Value::as_str);
            let text = text.with_context(|| format!("find {key} in {}", self.ready))?;
            Ok(if text.contains("://") { text.to_owned() } else { format!("http://{text}") })
        };
        (self.http, self.grpc) = (address("http")?, address("otlp_grpc")?);
        Ok(())
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The process id; `None` once the process has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What the server wrote to its standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends the server at once, as a power cut would end its process.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits for an end that has another cause.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Asks the server to end, and waits.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        signal(self.child.id().context("the server has ended already")?, "TERM")?;
        let end = tokio::time::timeout(Duration::from_secs(120), self.child.wait()).await;
        Ok(end.context("wait for the server's end")??)
    }

    /// Starts again on the same data directory; addresses may differ.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        if self.child.id().is_some() {
            self.kill().await?;
        }
        (self.child, self.ready, self.start_time) = spawn(&self.options, &self.data_dir, &self.log).await?;
        self.take_addresses()
    }

    /// POSTs a body as a tenant, and answers status and body.
    pub async fn post(
        &self,
        path: &str,
        tenant: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<(u16, String)> {
        let mut map = HeaderMap::new();
        map.insert("x-scope-orgid", HeaderValue::from_str(tenant)?);
        for (k, v) in headers {
            map.insert(HeaderName::from_bytes(k.as_bytes())?, HeaderValue::from_str(v)?);
        }
        let answer = self.client.post(format!("{}{path}", self.http)).headers(map).body(body).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// POSTs a body and expects 2xx.
    pub async fn post_ok(
        &self,
        path: &str,
        tenant: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<String> {
        let (status, text) = self.post(path, tenant, headers, body).await?;
        ensure!((200..300).contains(&status), "{path} answered {status}: {text}");
        Ok(text)
    }

    /// Sends a query and answers status, content type and body as they came.
    pub async fn sql_raw(&self, tenant: &str, query: &str, accept: &str) -> anyhow::Result<(u16, String, Vec<u8>)> {
        let request = self
            .client
            .post(format!("{}/api/v1/sql", self.http))
            .header("x-scope-orgid", tenant)
            .header("accept", accept)
            .json(&json!({ "query": query }));
        let answer = request.send().await.context("send the query")?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        Ok((status, kind, answer.bytes().await.context("read the answer")?.to_vec()))
    }

    /// The rows of a query as Arrow batches: exact, whatever JSON can hold.
    pub async fn sql_arrow(&self, tenant: &str, query: &str) -> anyhow::Result<Vec<RecordBatch>> {
        let (status, _, body) = self.sql_raw(tenant, query, answer::ARROW_STREAM).await?;
        ensure!(status == 200, "{query}\nanswered {status}: {}", String::from_utf8_lossy(&body));
        answer::read_stream(&body)
    }

    /// The rows of a query as comparable values, see [`answer::rows`].
    pub async fn sql(&self, tenant: &str, query: &str) -> anyhow::Result<Vec<Row>> {
        answer::rows(&self.sql_arrow(tenant, query).await?)
    }

    /// The only value of a query with one row and one column.
    pub async fn sql_one(&self, tenant: &str, query: &str) -> anyhow::Result<Value> {
        let rows = self.sql(tenant, query).await?;
        ensure!(rows.len() == 1 && rows[0].len() == 1, "{query} answered {rows:?}");
        Ok(rows[0].values().next().cloned().unwrap_or_default())
    }

    /// A count.
    pub async fn count(&self, tenant: &str, query: &str) -> anyhow::Result<u64> {
        let value = self.sql_one(tenant, query).await?;
        value.as_u64().with_context(|| format!("{query} answered {value}"))
    }

    /// Moves what is buffered into Parquet.
    pub async fn flush(&self) -> anyhow::Result<String> {
        self.post_ok("/api/v1/admin/flush", "default", &[], "").await
    }

    /// Merges small files.
    pub async fn compact(&self) -> anyhow::Result<String> {
        self.post_ok("/api/v1/admin/compact", "default", &[], "").await
    }

    /// A field of `/proc/PID/status` in KiB, such as `VmHWM`; `None` where there is none.
    pub fn memory_kib(&self, field: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}

async fn spawn(options: &Options, data_dir: &Path, log: &Path) -> anyhow::Result<(Child, Value, Duration)> {
    let started = Instant::now();
    let verb = if options.verb.is_empty() { "serve" } else { &options.verb };
    let stderr = std::fs::OpenOptions::new().create(true).append(true).open(log).context("open the server's log")?;
    let mut command = Command::new(grid_binary()?);
    command.arg(verb).arg("--data-dir").arg(data_dir);
    if !options.default_ports {
        for flag in ["--listen", "--otlp-grpc", "--otlp-http"] {
            command.args([flag, "127.0.0.1:0"]);
        }
    }
    command.args(&options.args).envs(options.env.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let mut child = command.spawn().context("start grid")?;
    let mut lines = BufReader::new(child.stdout.take().context("grid's standard output")?).lines();
    let ready = tokio::time::timeout(READY_WITHIN, async {
        while let Some(line) = lines.next_line().await? {
            if let Ok(value) = serde_json::from_str::<Value>(&line)
                && value["event"] == "ready"
            {
                return Ok(value);
            }
        }
        bail!("grid ended before it was ready:\n{}", std::fs::read_to_string(log).unwrap_or_default())
    });
    let ready = ready.await.context("wait for grid to be ready")??;
    let start_time = started.elapsed();
    // Keep the pipe open and empty: a server that prints more must not block or die of it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, ready, start_time))
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status()?;
    ensure!(status.success(), "kill -{name} {pid} ended with {status}");
    Ok(())
}

/// Runs a `grid` command to its end; answers its standard output, or an error that holds its standard error.
pub async fn run_grid(args: &[&str]) -> anyhow::Result<String> {
    let command = Command::new(grid_binary()?).args(args).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(600), command).await.context("wait for grid")??;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "grid {} ended with {}:\n{errors}", args.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The binary under test: `GRID_BIN`, else the one that cargo built beside this test.
pub fn grid_binary() -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os("GRID_BIN") {
        Some(path) => PathBuf::from(path),
        None => profile_dir().join("grid"),
    };
    ensure!(path.is_file(), "{} does not exist: run `cargo build --workspace --bin grid` first", path.display());
    Ok(path)
}

/// Cargo's target directory.
pub fn target_dir() -> PathBuf {
    let mut dir = profile_dir();
    dir.pop();
    dir
}

/// `target/debug` or `target/release`: tests run as `target/PROFILE/deps/NAME`, programs as `target/PROFILE/NAME`.
fn profile_dir() -> PathBuf {
    let mut dir = std::env::current_exe().unwrap_or_default();
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    dir
}
