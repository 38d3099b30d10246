//! What a server is asked to do while its file changes are written down: writes of every kind, bills, restated bills, deletes,
//! retention, forced flushes and compactions, and ends in between, orderly or not.
//!
//! Every row carries the number of its request, so that from any row found it is known what must be beside it. Each request is noted
//! in the trace before it is sent and after its success came back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::disk::{Disk, Memory, Survival, Tree};
use super::expect::Known;
use super::shim::Shim;
use super::trace::{Mark, Marker, parse};
use crate::now_ns;
use crate::server::{Grid, Options};
use crate::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_logs, otlp_span, remote_write};

/// Rows per request, of every kind.
pub const ROWS: u64 = 3;
/// The metric whose samples are all different.
pub const KEPT_METRIC: &str = "powercut_kept";
/// The metric whose few samples are written again and again.
pub const AGAIN_METRIC: &str = "powercut_again";
/// Folder of the data directory below the watched one.
pub const DATA: &str = "data";

const DAY_NS: i64 = 86_400_000_000_000;
const CSV_HEADER: &str = "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,\
    BillingPeriodStart,ChargeCategory,ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,\
    ContractedCost,EffectiveCost,InvoiceIssuerName,ListCost,PricingQuantity,PricingUnit,ProviderName,PublisherName,\
    ServiceCategory,ServiceName";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// New rows of some kind: `line`, `sample`, `span` or `charge`.
    Rows(&'static str),
    /// The same samples with other values.
    Overwrite,
    /// A bill that replaces the one before.
    Restate,
    /// Spans that are older than retention allows.
    OldRows,
    /// Deletes the rows of these requests by a filter: all at once.
    Delete(Vec<u64>),
    /// Applies retention, which takes old rows, not at once.
    Expire,
    /// Looks for old rows; acknowledged if none is there, hence none of these requests.
    SeenGone(Vec<u64>),
    /// Flush, compaction, a rule: no rows.
    Other,
}

/// A request by its number.
pub type Request = (u64, Ask);

/// A recorded stretch of a run, from one disk that is known to the next.
#[derive(Debug)]
pub struct Recording {
    /// The disk at its begin.
    pub disk: Disk<'static>,
    /// The requests that were made before.
    pub known: Known,
    /// What happened.
    pub trace: Vec<u8>,
}

/// How one life of the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// SIGKILL at a change of a file.
    Killed,
    /// The same, and the disk forgets what was not synced. The next life begins with what is left.
    PowerCut,
    /// SIGTERM.
    Asked,
}

/// Where a process is killed: anywhere, or where the next one finds what is not durable.
const DEATHS: [&str; 4] =
    ["die", "die-sync match=catalog.db-wal", "die-sync match=catalog.db-wal", "die-sync match=/wal/"];

/// What fails for a moment in some lives.
const FAULTS: [&str; 8] = [
    "enospc",
    "enospc-write",
    "eio-sync match=/wal/",
    "torn-write match=/wal/",
    "eio-write match=/files/",
    "eio-sync match=/files/",
    "eio-sync match=catalog.db",
    "torn-write match=catalog.db",
];

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides what the driver does when.
    pub seed: u64,
    /// Starts of the server.
    pub lives: usize,
    /// A rule for the file layer that holds all the time; no other fault is ordered then. Empty: faults by the seed.
    pub always: &'static str,
}

/// Runs a server over the file layer. Each stretch ends with a comparison of its trace with what lies on
/// the disk: a trace that does not explain every byte would accuse or acquit falsely.
pub async fn record(folder: &Path, plan: Plan) -> anyhow::Result<(Vec<Recording>, Vec<Request>)> {
    let Plan { seed, lives, always } = plan;
    let mut shim = Shim::new(folder)?;
    let data = shim.root.join(DATA);
    let mut rng = StdRng::seed_from_u64(seed);
    let (numbers, kept_ns) = (Arc::new(AtomicU64::new(1)), now_ns() - 3 * 3_600_000_000_000);
    let (mut recordings, mut requests) = (Vec::new(), Vec::new());
    let mut disk = Disk::of_folder(&shim.root, Memory::Forgetful)?;
    let mut known = Known::default();
    for life in 0..lives {
        let marker = Arc::new(Marker::open(&shim.trace)?);
        let driver = Driver { marker, numbers: Arc::clone(&numbers), kept_ns };
        shim.order(always)?;
        let mut grid =
            start(&shim, &data, always.is_empty(), &mut rng).await.context("start the server over the file layer")?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = driver.spawn(&grid, &stop, life == 0, rng.random());
        let time = Duration::from_millis(rng.random_range(400..1000));
        let faulty = rng.random_ratio(1, 3) && always.is_empty();
        if faulty {
            tokio::time::sleep(time / 3).await;
            shim.order(FAULTS[rng.random_range(0..FAULTS.len())])?;
            tokio::time::sleep(time / 3).await;
            shim.order("")?;
        }
        tokio::time::sleep(if faulty { time * 2 } else { time }).await;
        let end = match rng.random_range(0..3) {
            _ if life + 1 == lives => End::Asked,
            0 => End::Killed,
            1 => End::PowerCut,
            _ => End::Asked,
        };
        if end != End::Asked {
            shim.order(DEATHS[rng.random_range(0..DEATHS.len())])?;
            wait_for_end(&mut grid).await?;
            shim.order("")?;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(done) = tasks.join_next().await {
            requests.extend(done.context("join a writer")??);
        }
        if end == End::Asked {
            let status = grid.terminate().await?;
            ensure!(status.success(), "SIGTERM ends with {status}:\n{}", grid.log());
        }
        if end == End::PowerCut || life + 1 == lives {
            let recording = Recording { disk, known, trace: std::fs::read(&shim.trace).context("read the trace")? };
            let (left, noted) = recording.end(&shim.root, Survival::any(&mut rng), &mut rng)?;
            recordings.push(recording);
            left.write(&shim.root)?;
            disk = Disk::of_folder(&shim.root, Memory::Forgetful)?;
            known = noted;
            shim.trace = folder.canonicalize()?.join(format!("trace-{life}"));
        }
    }
    requests.sort_by_key(|r| r.0);
    Ok((recordings, requests))
}

impl Recording {
    /// What a cut at its end leaves, and the requests made by then. Fails if the trace does not explain the files in `root`.
    fn end(&self, root: &Path, survival: Survival, rng: &mut StdRng) -> anyhow::Result<(Tree, Known)> {
        let (mut disk, mut perfect, mut known) = (self.disk.clone(), self.disk.clone(), self.known.clone());
        perfect.memory(Memory::Perfect);
        for (n, event) in parse(&self.trace)?.iter().enumerate() {
            disk.apply(event).and_then(|()| perfect.apply(event)).with_context(|| format!("event {n}: {event:?}"))?;
            known.apply(event);
        }
        let model = perfect.cut(Survival::Everything, rng);
        let real = Tree::of_folder(root, |path| path.ends_with("-shm") || path == "data.log")?;
        model.ensure_equal(&real).context("the trace (left) does not explain what is on the disk (right)")?;
        Ok((disk.cut(survival, rng), known))
    }
}

/// Settings with which flushes and compactions happen all the time.
pub fn settings() -> Vec<(String, String)> {
    [
        ("GRID__TELEMETRY__TO", "off"),
        ("GRID__LOG__FILTER", "warn"),
        ("GRID__STORAGE__FLUSH_BYTES", "64KiB"),
        ("GRID__STORAGE__FLUSH_INTERVAL", "1s"),
        ("GRID__STORAGE__COMPACT_INTERVAL", "300ms"),
        // Retention only when asked, so that it is known what it may have covered.
        ("GRID__STORAGE__EXPIRE_INTERVAL", "0s"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec()
}

/// Starts a server; sometimes it is killed while it starts, and started again.
async fn start(shim: &Shim, data: &Path, may_die: bool, rng: &mut StdRng) -> anyhow::Result<Grid> {
    let env = [settings(), shim.env()].concat();
    let options = Options { data_dir: Some(data.to_owned()), env, ..Options::default() };
    if may_die && rng.random_ratio(1, 3) {
        shim.order(&format!("die permille=30 seed={}", rng.random_range(0..1000)))?;
        let attempt = Grid::start_with(options.clone()).await;
        if let Ok(mut grid) = attempt {
            shim.order("die")?;
            // Without load nothing may change any more; then this is its end.
            let _ = tokio::time::timeout(Duration::from_millis(500), wait_for_end(&mut grid)).await;
            if grid.pid().is_some() {
                shim.order("")?;
                grid.terminate().await?;
            }
        }
        shim.order("")?;
    }
    Grid::start_with(options).await
}

async fn wait_for_end(grid: &mut Grid) -> anyhow::Result<()> {
    let ended = tokio::time::timeout(Duration::from_secs(30), grid.wait()).await;
    ended.context("wait for the end of the server")?.map(drop)
}

#[derive(Clone)]
struct Driver {
    marker: Arc<Marker>,
    numbers: Arc<AtomicU64>,
    /// Times of rows that stay begin here: in a window that counts as closed, hence is compacted.
    kept_ns: i64,
}

/// One task's hands.
struct Writer {
    driver: Driver,
    client: reqwest::Client,
    base: String,
    stop: Arc<AtomicBool>,
    rng: StdRng,
    requests: Vec<Request>,
}

impl Driver {
    fn spawn(
        &self,
        grid: &Grid,
        stop: &Arc<AtomicBool>,
        first: bool,
        seed: u64,
    ) -> JoinSet<anyhow::Result<Vec<Request>>> {
        let mut tasks = JoinSet::new();
        let mut writers = (0..7).map(|n| Writer {
            driver: self.clone(),
            client: grid.client.clone(),
            base: grid.http.clone(),
            stop: Arc::clone(stop),
            rng: StdRng::seed_from_u64(seed.wrapping_add(n)),
            requests: Vec::new(),
        });
        let mut writer = || writers.next().expect("there are seven");
        tasks.spawn(writer().lines());
        tasks.spawn(writer().samples());
        tasks.spawn(writer().overwrites());
        tasks.spawn(writer().bills());
        tasks.spawn(writer().doomed_lines());
        tasks.spawn(writer().spans(first));
        tasks.spawn(writer().force());
        tasks
    }
}

impl Writer {
    fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn number(&self) -> u64 {
        self.driver.numbers.fetch_add(1, Ordering::Relaxed)
    }

    async fn rest(&mut self, most_ms: u64) {
        let ms = self.rng.random_range(0..=most_ms);
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Sends a request; whether its success came back. A connection that breaks is the server's end.
    async fn send(&mut self, id: u64, ask: Ask, request: reqwest::RequestBuilder) -> anyhow::Result<bool> {
        self.requests.push((id, ask));
        self.driver.marker.note(Mark::Sent(id))?;
        let acknowledged = match request.send().await {
            // The whole answer, not only its head.
            Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
            Err(_) => {
                self.stop.store(true, Ordering::Relaxed);
                false
            }
        };
        if acknowledged {
            self.driver.marker.note(Mark::Acknowledged(id))?;
        }
        Ok(acknowledged)
    }

    async fn post(
        &mut self,
        id: u64,
        ask: Ask,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<bool> {
        let request = self.client.post(format!("{}{path}", self.base)).body(body);
        let request = headers.iter().fold(request, |r, (k, v)| r.header(*k, *v));
        self.send(id, ask, request).await
    }

    async fn post_lines(&mut self, service: &str) -> anyhow::Result<u64> {
        let (id, time) = (self.number(), self.driver.kept_ns);
        let lines: Vec<_> = (0..ROWS).map(|n| (time + n as i64, format!("{id}/{n}"))).collect();
        let body = otlp_logs(service, &lines).into_bytes();
        self.post(id, Ask::Rows("line"), "/v1/logs", &JSON_HEADERS, body).await?;
        Ok(id)
    }

    async fn lines(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            self.post_lines("kept").await?;
            self.rest(12).await;
        }
        Ok(self.requests)
    }

    async fn samples(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            let id = self.number();
            // Every third request brings a new series.
            let series = if id.is_multiple_of(3) { id.to_string() } else { "0".to_owned() };
            let base = self.driver.kept_ns / 1_000_000;
            let samples: Vec<_> = (0..ROWS).map(|n| id * ROWS + n).map(|v| (base + v as i64, v as f64)).collect();
            let body = remote_write(&[("__name__", KEPT_METRIC), ("writer", &series)], &samples);
            self.post(id, Ask::Rows("sample"), "/api/v1/write", &REMOTE_WRITE_HEADERS, body).await?;
            self.rest(12).await;
        }
        Ok(self.requests)
    }

    async fn overwrites(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            let id = self.number();
            let base = self.driver.kept_ns / 1_000_000;
            let samples: Vec<_> = (0..ROWS).map(|n| (base + n as i64, id as f64)).collect();
            let body = remote_write(&[("__name__", AGAIN_METRIC)], &samples);
            self.post(id, Ask::Overwrite, "/api/v1/write", &REMOTE_WRITE_HEADERS, body).await?;
            self.rest(40).await;
        }
        Ok(self.requests)
    }

    async fn bills(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            let id = self.number();
            let restate = self.rng.random_bool(0.5);
            let (dataset, ask) =
                if restate { ("restated".to_owned(), Ask::Restate) } else { (id.to_string(), Ask::Rows("charge")) };
            let mut csv = CSV_HEADER.to_owned();
            for n in 0..ROWS {
                csv.push_str(&format!(
                    "\n1.5,account,Account,USD,2024-10-01T00:00:00Z,2024-09-01T00:00:00Z,Usage,,{id}/{n},Usage-Based,\
                     2024-09-18T23:00:00Z,2024-09-18T22:00:00Z,1.5,1.5,Issuer,1.5,1,Hours,P,P,Compute,S"
                ));
            }
            let path = format!("/api/v1/imports?format=focus&name=bill.csv&dataset={dataset}&restate={restate}");
            self.post(id, ask, &path, &[("content-type", "text/csv")], csv.into_bytes()).await?;
            self.rest(150).await;
        }
        Ok(self.requests)
    }

    async fn doomed_lines(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            let batch = self.number();
            let service = format!("doomed-{batch}");
            let mut covered = Vec::new();
            for _ in 0..self.rng.random_range(1..5) {
                covered.push(self.post_lines(&service).await?);
                self.rest(20).await;
            }
            if !self.go_on() {
                break;
            }
            let body = json!({ "table": "logs", "filter": format!("service = '{service}'") }).to_string().into_bytes();
            let id = self.number();
            self.post(id, Ask::Delete(covered), "/api/v1/delete", &JSON_HEADERS, body).await?;
            self.rest(100).await;
        }
        Ok(self.requests)
    }

    /// Young and old spans in turn; then a flush, since retention looks at files, and retention.
    async fn spans(mut self, first: bool) -> anyhow::Result<Vec<Request>> {
        if first {
            let rule = json!({ "keep": "30d" });
            let request = self.client.put(format!("{}/api/v1/retention/spans", self.base)).json(&rule);
            let id = self.number();
            self.send(id, Ask::Other, request).await?;
        }
        let mut old = Vec::new();
        while self.go_on() {
            for young in [true, false] {
                let id = self.number();
                let time = if young { self.driver.kept_ns } else { self.driver.kept_ns - 40 * DAY_NS };
                let ask = if young { Ask::Rows("span") } else { Ask::OldRows };
                let body = spans(id, if young { "kept" } else { "old" }, time).into_bytes();
                if self.post(id, ask, "/v1/traces", &JSON_HEADERS, body).await? && !young {
                    old.push(id);
                }
                self.rest(20).await;
            }
            if self.rng.random_ratio(1, 3) && self.go_on() {
                let id = self.number();
                if self.post(id, Ask::Other, "/api/v1/admin/flush", &[], Vec::new()).await? {
                    let id = self.number();
                    self.post(id, Ask::Expire, "/api/v1/admin/expire", &[], Vec::new()).await?;
                    self.look_for_old_rows(&old).await?;
                }
            }
        }
        Ok(self.requests)
    }

    /// Retention may skip a file that a compaction replaces meanwhile, so its success says nothing of single rows; an answer does.
    async fn look_for_old_rows(&mut self, old: &[u64]) -> anyhow::Result<()> {
        let id = self.number();
        self.requests.push((id, Ask::SeenGone(old.to_vec())));
        self.driver.marker.note(Mark::Sent(id))?;
        let query = json!({ "query": "SELECT count(*) AS n FROM spans WHERE service = 'old'" });
        let request = self.client.post(format!("{}/api/v1/sql", self.base)).json(&query);
        let answer = request.header("accept", "application/x-ndjson").send().await;
        if let Ok(answer) = answer
            && answer.status().is_success()
            && answer.text().await.is_ok_and(|text| text.trim() == r#"{"n":0}"#)
        {
            self.driver.marker.note(Mark::Acknowledged(id))?;
        }
        Ok(())
    }

    async fn force(mut self) -> anyhow::Result<Vec<Request>> {
        while self.go_on() {
            let path = if self.rng.random_bool(0.3) { "/api/v1/admin/compact" } else { "/api/v1/admin/flush" };
            let id = self.number();
            self.post(id, Ask::Other, path, &[], Vec::new()).await?;
            self.rest(120).await;
        }
        Ok(self.requests)
    }
}

/// An OTLP body of several spans of one service.
fn spans(id: u64, service: &str, time: i64) -> String {
    let mut all: Option<Value> = None;
    for n in 0..ROWS {
        let (trace, span) = (format!("{:032x}", id + 1), format!("{:016x}", id * ROWS + n + 1));
        let one = otlp_span(service, &format!("{id}/{n}"), &trace, &span, time + n as i64, 1000);
        let one: Value = serde_json::from_str(&one).expect("it was made by this crate");
        match &mut all {
            None => all = Some(one),
            Some(all) => {
                let list = all["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().expect("it was made here");
                list.push(one["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone());
            }
        }
    }
    all.unwrap_or_default().to_string()
}
