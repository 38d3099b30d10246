//! The servers that are measured, what they used, and how large what they wrote is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::{Grid, Options};
use tempfile::TempDir;
use tokio::process::Command;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long flushing, merging and indexing may take.
const SETTLE_WITHIN: Duration = Duration::from_secs(1200);

/// Which systems there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Grid,
    Prometheus,
    Victoria,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Grid, Self::Prometheus, Self::Victoria];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grid => "Grid",
            Self::Prometheus => "Prometheus",
            Self::Victoria => "VictoriaMetrics",
        }
    }

    fn binary(self) -> Result<PathBuf, String> {
        match self {
            Self::Grid => grid_tests::grid_binary().map_err(|e| e.to_string()),
            Self::Prometheus => peers::prometheus(),
            Self::Victoria => peers::victoria_metrics(),
        }
    }

    /// The version as the program says it, or why there is none.
    pub(crate) async fn version(self) -> Result<String, String> {
        let binary = self.binary()?;
        let output = Command::new(&binary).arg("--version").output().await.map_err(|e| e.to_string())?;
        let text = [output.stdout, output.stderr].concat();
        let mut text = String::from_utf8_lossy(&text).into_owned();
        // Debian's VictoriaMetrics does not know its own; the package beside it does.
        let packages = binary.ancestors().nth(4).and_then(|dir| std::fs::read_dir(dir).ok());
        for entry in packages.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(package) = name.strip_suffix(".deb").filter(|_| self != Self::Grid) {
                text = text + " " + &package.replace('_', " ");
            }
        }
        let word = text.split(|c: char| c.is_whitespace() || c == ',').find(|w| {
            let digits = w.trim_start_matches('v');
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
        });
        Ok(word.unwrap_or("of unknown version").split('+').next().unwrap_or_default().to_owned())
    }

    /// Whether it can be measured here; says so if not.
    pub(crate) fn is_here(self) -> bool {
        match self.binary() {
            Ok(_) => true,
            Err(reason) => {
                grid_tests::figures::say(&format!("SKIPPED peer {}: {reason}", self.name()));
                false
            }
        }
    }
}

enum Running {
    Grid(Box<Grid>),
    Peer(Peer),
}

/// A server that runs.
pub(crate) struct System {
    pub(crate) kind: Kind,
    /// Where remote write goes.
    pub(crate) write_url: String,
    /// Where Prometheus' API is, without `/api/v1`.
    pub(crate) promql_url: String,
    base: String,
    running: Running,
    folder: Folder,
    client: reqwest::Client,
}

/// Where a server keeps its data.
enum Folder {
    /// Gone with the server.
    Passing(TempDir),
    /// Stays for the next run.
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl System {
    /// Starts a server on an empty folder with its default settings.
    pub(crate) async fn start(kind: Kind) -> anyhow::Result<Self> {
        Self::start_with(kind, &[]).await
    }

    /// Starts a server; `env` is for Grid alone.
    pub(crate) async fn start_with(kind: Kind, env: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_at(kind, env, Folder::Passing(TempDir::new()?)).await
    }

    /// Starts a server on a folder that stays.
    pub(crate) async fn start_in(kind: Kind, folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Self::start_at(kind, &[], Folder::Kept(folder)).await
    }

    async fn start_at(kind: Kind, env: &[(&str, &str)], folder: Folder) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(SETTLE_WITHIN).no_proxy().build()?;
        if kind == Kind::Grid {
            let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let options = Options { data_dir: Some(folder.path().join("data")), env, ..Options::default() };
            let grid = Grid::start_with(options).await?;
            return Ok(Self::of_grid(grid, folder, client));
        }
        let port = peers::free_port()?;
        let base = format!("http://127.0.0.1:{port}");
        let binary = kind.binary().map_err(anyhow::Error::msg)?;
        let data = folder.path().join("data");
        let mut command = Command::new(binary);
        let ready = if kind == Kind::Prometheus {
            let config = folder.path().join("prometheus.yml");
            std::fs::write(&config, "global: {}\n")?;
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--web.enable-remote-write-receiver")
                .arg("--web.enable-admin-api")
                .arg("--query.max-samples=1000000000");
            format!("{base}/-/ready")
        } else {
            command
                .arg(format!("-storageDataPath={}", data.display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-search.maxUniqueTimeseries=10000000")
                .arg("-search.maxQueryDuration=5m");
            format!("{base}/health")
        };
        let peer = Peer::start(&mut command, &folder.path().join("log"))?;
        peers::until_ready(&client, &ready, READY_WITHIN).await?;
        let (write_url, promql_url) = (format!("{base}/api/v1/write"), base.clone());
        Ok(Self { kind, write_url, promql_url, base, running: Running::Peer(peer), folder, client })
    }

    /// A Grid that was started otherwise, with the folder whose `data` is its data directory.
    pub(crate) fn of(grid: Grid, folder: TempDir) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(SETTLE_WITHIN).no_proxy().build()?;
        Ok(Self::of_grid(grid, Folder::Passing(folder), client))
    }

    fn of_grid(grid: Grid, folder: Folder, client: reqwest::Client) -> Self {
        let base = grid.http.clone();
        let (write_url, promql_url) = (format!("{base}/api/v1/write"), format!("{base}/prometheus"));
        Self { kind: Kind::Grid, write_url, promql_url, base, running: Running::Grid(Box::new(grid)), folder, client }
    }

    /// The server as the harness of the suites sees it.
    pub(crate) fn grid(&self) -> anyhow::Result<&Grid> {
        match &self.running {
            Running::Grid(grid) => Ok(grid),
            Running::Peer(_) => bail!("{} is not Grid", self.kind.name()),
        }
    }

    pub(crate) fn grid_mut(&mut self) -> anyhow::Result<&mut Grid> {
        match &mut self.running {
            Running::Grid(grid) => Ok(grid),
            Running::Peer(_) => bail!("{} is not Grid", self.kind.name()),
        }
    }

    fn pid(&self) -> anyhow::Result<u32> {
        let pid = match &self.running {
            Running::Grid(grid) => grid.pid(),
            Running::Peer(peer) => peer.pid(),
        };
        pid.with_context(|| format!("{} has ended", self.kind.name()))
    }

    /// CPU-seconds of the server so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.pid()?)
    }

    /// Peak of resident memory, in MiB.
    pub(crate) fn memory_peak_mib(&self) -> anyhow::Result<f64> {
        memory_mib(self.pid()?, "VmHWM")
    }

    /// Resident memory now, in MiB.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<f64> {
        memory_mib(self.pid()?, "VmRSS")
    }

    /// Waits until what was answered rests in files. For peers an answer is all there is to wait for.
    pub(crate) async fn flush(&self) -> anyhow::Result<()> {
        if self.kind == Kind::Grid {
            self.admin("flush").await?;
        }
        Ok(())
    }

    /// Waits until what was sent rests as it will be read for the rest of its life, and the server does nothing any more.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Grid => self.compact().await?,
            Kind::Prometheus => {}
            Kind::Victoria => {
                let url = format!("{}/internal/force_flush", self.base);
                self.client.get(url).send().await?.error_for_status()?;
            }
        }
        let idle = async {
            loop {
                let before = self.cpu_seconds()?;
                tokio::time::sleep(Duration::from_secs(2)).await;
                if self.cpu_seconds()? - before < 0.1 {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(SETTLE_WITHIN, idle).await.context("wait until the server is idle")?
    }

    /// An answer of Prometheus' API as text, without what the server remembers of former answers.
    pub(crate) async fn prometheus(&self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<String> {
        let url = format!("{}/api/v1/{path}", self.promql_url);
        let nocache = [("nocache", "1")];
        let form: Vec<_> = form.iter().chain(nocache.iter().filter(|_| self.kind == Kind::Victoria)).collect();
        let answer = self.client.get(url).query(&form).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{} answered {status} to {form:?}: {text}", self.kind.name());
        Ok(text)
    }

    /// Has Grid do a round of maintenance, however long it takes.
    async fn admin(&self, what: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.client.post(format!("{}/api/v1/admin/{what}", self.base)).send().await;
        let answer = answer.with_context(|| format!("wait for the {what}"))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// One round of compaction; answers how many files it merged.
    pub(crate) async fn compact_once(&self) -> anyhow::Result<u64> {
        self.admin("compact").await?["files_in"].as_u64().context("files_in of the answer")
    }

    /// Sum of a metric over all its labels, as the server's own `/metrics` says it.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.client.get(format!("{}/metrics", self.base)).send().await?.text().await?;
        let lines = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' ')));
        lines.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<f64>()?)).sum()
    }

    /// Checks that the server has so many samples.
    pub(crate) async fn expect_samples(&self, expected: u64) -> anyhow::Result<()> {
        let found = match self.kind {
            Kind::Grid => self.grid()?.count("default", "SELECT count(*) FROM samples").await? as f64,
            Kind::Prometheus => self.metric("prometheus_tsdb_head_samples_appended_total").await?,
            Kind::Victoria => self.metric("vm_rows_inserted_total").await?,
        };
        ensure!(found == expected as f64, "{} has {found} samples of {expected}", self.kind.name());
        Ok(())
    }

    /// Grid: merges until nothing is left to merge, and every compacted file of logs has its index.
    pub(crate) async fn compact(&self) -> anyhow::Result<()> {
        let attempt = async {
            loop {
                self.flush().await?;
                if self.compact_once().await? == 0 && self.metric("grid_store_buffered_rows").await? < 1000.0 {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(SETTLE_WITHIN, attempt).await.context("wait until all is compacted")?
    }

    /// Bytes at rest, compacted, all files counted, by part of the store. Ends the server where that is how it settles.
    pub(crate) async fn bytes_at_rest(self) -> anyhow::Result<Vec<(String, u64)>> {
        let data = self.folder.path().join("data");
        match self.kind {
            Kind::Grid => {
                self.compact().await?;
                parts_of(&data.join("files/default"))
            }
            Kind::Prometheus => {
                // What it has in memory and log becomes blocks, as it would after two hours.
                let url = format!("{}/api/v1/admin/tsdb/snapshot", self.base);
                let answer = self.client.post(url).send().await?.error_for_status()?.text().await?;
                let blocks = parts_of(&data.join("snapshots"))?;
                ensure!(!blocks.is_empty(), "no snapshot: {answer}");
                Ok(blocks.into_iter().map(|(_, bytes)| ("blocks".to_owned(), bytes)).collect())
            }
            Kind::Victoria => {
                for what in ["flush", "merge"] {
                    let url = format!("{}/internal/force_{what}", self.base);
                    self.client.get(url).send().await?.error_for_status()?;
                }
                let merged = async {
                    loop {
                        tokio::time::sleep(Duration::from_secs(2)).await;
                        if self.metric("vm_active_merges").await? == 0.0 {
                            return anyhow::Ok(());
                        }
                    }
                };
                tokio::time::timeout(SETTLE_WITHIN, merged).await.context("wait for the merge")??;
                if let Running::Peer(peer) = self.running {
                    peer.terminate().await?;
                }
                // The caches that it saves at its end are not data.
                let mut parts = parts_of(&data)?;
                parts.retain(|(name, _)| name == "data" || name == "indexdb");
                Ok(parts)
            }
        }
    }

    /// The folder that holds the server's data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// CPU-seconds of a process so far: user and system ticks of `/proc/PID/stat`, of which Linux has 100 a second.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the server's times")?;
    // The name in parentheses may hold anything, so fields count from the last parenthesis.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| -> anyhow::Result<f64> { Ok(fields.get(n).context("a field of stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// A field of `/proc/PID/status` in MiB.
pub(crate) fn memory_mib(pid: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the server's memory")?;
    let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':')).context("a field of status")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// Every entry of a folder with the bytes below it.
pub(crate) fn parts_of(folder: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        parts.push((entry.file_name().to_string_lossy().into_owned(), bytes_below(&entry.path())?));
    }
    parts.sort();
    Ok(parts)
}

/// Bytes of all files below a path.
pub(crate) fn bytes_below(path: &Path) -> anyhow::Result<u64> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        bytes += bytes_below(&entry?.path())?;
    }
    Ok(bytes)
}
