//! Real clients and readers, as `make peers` installed them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

/// The folder into which `make peers` installs: `GRID_PEERS`, else beside the target directory's profile folder.
pub fn folder() -> PathBuf {
    std::env::var_os("GRID_PEERS").map_or_else(|| crate::server::target_dir().join("peers"), PathBuf::from)
}

/// The Python interpreter that has the packages of `requirements.txt`.
pub fn python() -> Result<PathBuf, String> {
    found(folder().join("venv/bin/python"))
}

/// The Python interpreter that has the public validator of FOCUS, in an environment of its own: it wants an older DuckDB.
pub fn focus_python() -> Result<PathBuf, String> {
    found(folder().join("focus-venv/bin/python"))
}

/// A program that a Python package brought, by name.
pub fn python_program(name: &str) -> Result<PathBuf, String> {
    found(folder().join("venv/bin").join(name))
}

/// A real Prometheus.
pub fn prometheus() -> Result<PathBuf, String> {
    found(folder().join("prometheus/unpacked/usr/bin/prometheus"))
}

/// A real VictoriaMetrics.
pub fn victoria_metrics() -> Result<PathBuf, String> {
    found(folder().join("victoria/unpacked/usr/bin/victoria-metrics"))
}

/// A real Alertmanager: one that was built from its module, or Debian's, which looks for its templates where the package would be installed
/// and does not start without them.
pub fn alertmanager() -> Result<PathBuf, String> {
    if let Ok(built) = std::fs::read_to_string(folder().join("alertmanager-go.path")) {
        return found(PathBuf::from(built.trim()));
    }
    found(PathBuf::from("/usr/share/prometheus/alertmanager/default.tmpl")).map_err(|_| {
        "neither Go to build it nor Debian's package (apt-get install prometheus-alertmanager)".to_owned()
    })?;
    found(folder().join("alertmanager/unpacked/usr/bin/prometheus-alertmanager"))
}

/// Prometheus' promtool, if somebody built it: that takes ten minutes.
pub fn promtool() -> Result<PathBuf, String> {
    let built = std::fs::read_to_string(folder().join("promtool-go.path"));
    found(PathBuf::from(built.map_err(|_| "no promtool (make peers PROMTOOL=1)".to_owned())?.trim()))
}

/// The folder with a real kube-apiserver and an etcd: where envtest keeps them (`KUBEBUILDER_ASSETS`), or built from their modules.
pub fn kube_apiserver() -> Result<PathBuf, String> {
    let built = || std::fs::read_to_string(folder().join("kube-go.path")).ok().map(|text| PathBuf::from(text.trim()));
    let dir = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).or_else(built);
    let dir = dir.ok_or_else(|| "no kube-apiserver (set KUBEBUILDER_ASSETS, or `make peers KUBE=1`)".to_owned())?;
    found(dir.join("etcd"))?;
    found(dir.join("kube-apiserver"))?;
    Ok(dir)
}

fn found(path: PathBuf) -> Result<PathBuf, String> {
    if path.exists() { Ok(path) } else { Err(format!("no {} (run `make peers`)", path.display())) }
}

/// Runs a script of `tests/peers` to its end and answers what it printed.
pub async fn run_python(python: &Path, script: &str, args: &[&str]) -> anyhow::Result<String> {
    let script = crate::repository().join("tests/peers").join(script);
    let output = Command::new(python).arg(&script).args(args).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(300), output).await.context("wait for the script")??;
    ensure!(
        output.status.success(),
        "{} ended with {}:\n{}",
        script.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A server that ends with its owner.
pub struct Peer {
    child: Child,
}

impl Peer {
    /// Starts a command whose output goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::create(log).context("create the peer's log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start the peer")?;
        Ok(Self { child })
    }

    /// The process id; `None` once the process has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the peer to end and waits.
    pub async fn terminate(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            crate::server::signal(pid, "TERM")?;
        }
        tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.context("wait for the peer's end")??;
        Ok(())
    }
}

/// A port of the loopback interface that was free a moment ago, and that no other test of this process was given.
pub fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the ephemeral range, so that no outgoing connection takes it between now and its use.
    let first = 20_000 + u16::try_from(std::process::id() % 8_000)?;
    std::iter::repeat_with(|| first.saturating_add(NEXT.fetch_add(1, Ordering::Relaxed)))
        .take_while(|port| *port < 32_000)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("find a free port")
}

/// Waits until a URL answers 2xx.
pub async fn until_ready(client: &reqwest::Client, url: &str, within: Duration) -> anyhow::Result<()> {
    let attempt = async {
        loop {
            if client.get(url).send().await.is_ok_and(|r| r.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(within, attempt).await.with_context(|| format!("wait for {url}"))
}
