//! Starts and stops the binary.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_grid");
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) ready: Value,
    http: reqwest::Client,
}

/// Runs a command that ends by itself.
pub(crate) fn run(args: &[&str]) -> Output {
    run_with(args, &[])
}

/// The same with settings from the environment.
pub(crate) fn run_with(args: &[&str], environment: &[(&str, &str)]) -> Output {
    clean(Command::new(BINARY)).args(args).envs(environment.iter().copied()).output().unwrap()
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("GRID_")) {
        command.env_remove(name);
    }
    command
}

impl Server {
    /// Starts `grid serve` on free ports and waits for its ready line.
    pub(crate) fn start(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let any = "127.0.0.1:0";
        let mut child = clean(Command::new(BINARY))
            .args(["serve", "--listen", any, "--otlp-grpc", any, "--otlp-http", any, "--data-dir"])
            .arg(data_dir)
            .env("GRID__TELEMETRY__TO", "off")
            .env("GRID__LOG__FORMAT", "text")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("ready line {line:?}: {e}"));
        assert_eq!(ready["event"], "ready");
        let url = format!("http://{}", ready["http"].as_str().unwrap());
        Self { child, url, ready, http: reqwest::Client::new() }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.post_as("default", path, body).await
    }

    pub(crate) async fn post_as(&self, tenant: &str, path: &str, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.url)).header("x-scope-orgid", tenant).json(body);
        request.timeout(PATIENCE).send().await.unwrap()
    }

    pub(crate) async fn post_with(&self, token: &str, path: &str, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token).json(body);
        request.timeout(PATIENCE).send().await.unwrap()
    }

    pub(crate) async fn sql(&self, query: &str) -> Value {
        self.sql_as("default", query).await
    }

    /// Rows as an array of objects.
    pub(crate) async fn sql_as(&self, tenant: &str, query: &str) -> Value {
        let request = self
            .http
            .post(format!("{}/api/v1/sql", self.url))
            .header("x-scope-orgid", tenant)
            .header("accept", "application/x-ndjson")
            .json(&json!({ "query": query }));
        let answer = request.timeout(PATIENCE).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{query}: {status} {text}");
        text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([&name, &pid]).status().unwrap().success());
    }

    /// Whether the process lives.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            #[allow(clippy::disallowed_methods, reason = "a test that waits for a process, on no executor's thread")]
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop within {PATIENCE:?}");
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
