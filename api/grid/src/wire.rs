//! The only composition root. It reads top to bottom as the data flows: sockets -> guard -> ingest -> store -> engine ->
//! answers, with loops and own telemetry beside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use axum::Router;
use grid_analytics::Engine;
use grid_api::{ApiLimits, ApiParts, ApiState, ScrapedTargets, ServerInfo};
use grid_desk::Desk;
use grid_guard::{Guard, Scope};
use grid_ingest::{Ingest, IngestOptions};
use grid_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::alerting::Alerting;
use crate::bills::Bills;
use crate::config::Config;
use crate::handover::handover;
use crate::prices::PriceBooks;
use crate::provisioning::{self, Wall};
use crate::rules::Rules;
use crate::scraping::Scraping;
use crate::shutdown::{Group, Signals};
use crate::telemetry::{self, Incoming, Telemetry};
use crate::{clock, listen, loops, out, setup};

/// Folder of uploads under way, in the data directory.
const UPLOADS: &str = "uploads";

/// Own telemetry as set up before anything else, so that the first log line is caught too.
pub(crate) struct Observed {
    telemetry: Option<Telemetry>,
    incoming: Option<Incoming>,
    receiver: Group,
}

impl Observed {
    /// Receives own telemetry, if it goes to ourselves: in process, so that it works without ports and tokens. To be
    /// called as soon as there is a store, since exporters wait for it.
    pub(crate) fn receive(&mut self, store: &Store) {
        if let Some(incoming) = self.incoming.take() {
            let store = store.clone();
            self.receiver.spawn("receiver", move |token| telemetry::receive(store, clock::system(), incoming, token));
        }
    }

    /// Sends what waits, then stops to receive.
    async fn close(self, patience: Duration) {
        if let Some(telemetry) = self.telemetry {
            telemetry.close().await;
        }
        self.receiver.stop(patience).await;
    }
}

/// Starts logging and own telemetry as the settings say.
pub(crate) fn observe(config: &Config) -> anyhow::Result<Observed> {
    let interval = config.duration("telemetry.interval");
    let (telemetry, incoming) = match config.text("telemetry.to") {
        "off" => (None, None),
        "self" => {
            let (telemetry, incoming) = Telemetry::to_self(interval)?;
            (Some(telemetry), Some(incoming))
        }
        url => (Some(Telemetry::to_collector(url, interval)?), None),
    };
    let format = crate::log::Format::of_setting(config.text("log.format"));
    crate::log::start(format, config.text("log.filter"), telemetry.as_ref());
    Ok(Observed { telemetry, incoming, receiver: Group::new("own telemetry") })
}

/// The sockets of a server, bound.
pub(crate) struct Sockets {
    http: TcpListener,
    otlp_http: Option<TcpListener>,
    otlp_grpc: Option<TcpListener>,
}

impl Sockets {
    /// Binds all of them, or says which one is taken and how to choose another.
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let required = bind(config, "server.http", "--listen").await?;
        Ok(Self {
            http: required.context("server.http cannot be off")?,
            otlp_http: bind(config, "server.otlp_http", "--otlp-http").await?,
            otlp_grpc: bind(config, "server.otlp_grpc", "--otlp-grpc").await?,
        })
    }

    /// The address of API and UI as a URL.
    pub(crate) fn url(&self) -> anyhow::Result<String> {
        let address = self.http.local_addr().context("read the address")?;
        // Nobody can open 0.0.0.0 in a browser.
        let reachable = match address.ip() {
            ip if ip.is_unspecified() && ip.is_ipv4() => SocketAddr::from(([127, 0, 0, 1], address.port())),
            ip if ip.is_unspecified() => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port())),
            _ => address,
        };
        Ok(format!("http://{reachable}"))
    }

    /// Where it listens, by protocol.
    fn endpoints(&self) -> anyhow::Result<Vec<(String, String)>> {
        let all = [
            ("http", Some(&self.http)),
            ("otlp_grpc", self.otlp_grpc.as_ref()),
            ("otlp_http", self.otlp_http.as_ref()),
        ];
        let open = all.into_iter().filter_map(|(name, listener)| Some((name, listener?)));
        open.map(|(name, listener)| {
            Ok((name.to_owned(), listener.local_addr().context("read the address")?.to_string()))
        })
        .collect()
    }
}

async fn bind(config: &Config, setting: &str, flag: &str) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.address(setting) else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => Err(anyhow!(
            "{address} is in use by another process\nhint: choose another address with {flag} ADDR (port 0 takes any free one); `{setting}` came from: {}",
            config.origin(setting)
        )),
        Err(e) => Err(anyhow!(e).context(format!("listen on {address} (`{setting}`, flag {flag})"))),
    }
}

/// The rooms, opened and introduced to each other.
pub(crate) struct Rooms {
    /// Bytes at rest.
    pub(crate) store: Store,
    /// Answers.
    pub(crate) engine: Arc<Engine>,
    guard: Guard,
    ingest: Ingest,
    scraping: Option<Scraping>,
    alerting: Alerting,
    /// Environments, plans, releases.
    pub(crate) desk: Desk,
}

impl Rooms {
    /// Opens the store and builds what stands on it.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let data_dir = config.data_dir();
        let store = setup::store(config, &data_dir).await?;
        tell_recovery(&store);
        // Uploads that a crash cut short; whoever holds the lock has no other.
        let _ = std::fs::remove_dir_all(data_dir.join(UPLOADS));
        let engine = Arc::new(setup::engine(config, &store)?);
        let guard = setup::guard(config, &store);
        let options = IngestOptions {
            limits: setup::decode_limits(config),
            otlp: setup::otlp_options(config),
            replicas: setup::replicas(config),
        };
        let ingest = Ingest::new(store.clone(), guard.clone(), options, clock::system());
        let scraping = Scraping::prepare(config, &ingest)?;
        let alerting = Alerting::open(config, &data_dir).await?;
        let desk = provisioning::open(config, &data_dir, &engine, &store, Arc::new(Wall), false).await?;
        Ok(Self { store, engine, guard, ingest, scraping, alerting, desk })
    }

    /// What the API needs to know.
    fn api_state(&self, endpoints: Vec<(String, String)>, rules: &Rules) -> ApiState {
        let data_dir = self.store.data_dir();
        ApiState::new(ApiParts {
            engine: Arc::clone(&self.engine),
            store: self.store.clone(),
            guard: self.guard.clone(),
            info: ServerInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: option_env!("GRID_COMMIT").map(str::to_owned),
                started: clock::now(),
                endpoints,
            },
            clock: clock::system(),
            importer: Arc::new(Bills::new(self.store.clone())),
            prices: Arc::new(PriceBooks::new(self.store.clone())),
            scraped: self.scraping.as_ref().map(|scraping| Arc::new(scraping.targets()) as Arc<dyn ScrapedTargets>),
            notifier: Some(self.alerting.notifier()),
            rules: Some(rules.book()),
            desk: Some(self.desk.clone()),
            metrics: vec![
                Arc::new(telemetry::Received {
                    ingest: self.ingest.clone(),
                    scraping: self.scraping.as_ref().map(Scraping::status),
                }),
                rules.metrics(),
            ],
            upload_dir: data_dir.join(UPLOADS),
            backup_dir: data_dir.join("backups"),
            limits: ApiLimits::default(),
        })
    }

    /// Everything that is answered over HTTP, behind the guard.
    fn router(&self, state: ApiState) -> Router {
        let ingest = self.guard.layer(grid_ingest::http_router(self.ingest.clone()), Scope::Ingest);
        grid_api::router(state).merge(ingest).layer(axum::middleware::from_fn(telemetry::observe_request))
    }
}

fn tell_recovery(store: &Store) {
    let recovery = store.recovery();
    if recovery.records > 0 {
        let (segments, records, rows) = (recovery.segments, recovery.records, recovery.rows);
        info!(segments, records, rows, "replayed the WAL: rows of the last run that were not yet in files");
    }
    for torn in &recovery.torn {
        let (path, bytes, reason) = (torn.path.display().to_string(), torn.bytes, &torn.reason);
        if torn.newest {
            info!(path, bytes, reason, "dropped the torn end of the WAL: a write that was never acknowledged");
        } else {
            warn!(path, bytes, reason, "dropped a damaged part of the WAL: acknowledged rows may be lost");
        }
    }
}

/// Serves until a signal comes or a listener fails, then stops in order.
pub(crate) async fn serve(
    config: &Config,
    mut rooms: Rooms,
    sockets: Sockets,
    observed: Observed,
    mut signals: Signals,
    started: Instant,
) -> anyhow::Result<()> {
    let url = sockets.url()?;
    rooms.store.advertise(&url).context("write the address into the lock file")?;
    let ready = ready_line(&sockets, &rooms.store, started)?;

    let mut background = Group::new("loops");
    loops::start(config, &rooms.store, &mut background);
    let (engine, store) = (Arc::clone(&rooms.engine), rooms.store.clone());
    background.spawn("allocation", move |token| loops::allocate(engine, store, token));
    let (insight, store) = (crate::watch::insight(&rooms.engine, &rooms.store), rooms.store.clone());
    background.spawn("insight", move |token| loops::watch(insight, store, token));

    let mut listeners = Group::new("listeners");
    let (handover, carrier) = handover();
    let rules = Rules::prepare(config, &rooms.store, &rooms.engine, Arc::new(handover), &url)?;
    let state = rooms.api_state(sockets.endpoints()?, &rules);
    background.spawn("rules", move |token| rules.run(token));
    if let Some(telemetry) = &observed.telemetry {
        let (meter, state) = (telemetry.meter(), state.clone());
        background.spawn("own metrics", move |token| telemetry::measure(meter, state, token));
    }
    if let Some(scraping) = rooms.scraping.take() {
        background.spawn("scraper", move |token| scraping.run(token));
    }
    let notifier = rooms.alerting.notifier();
    background.spawn("alerts of rules", move |token| carrier.run(notifier, token));
    let alerting = rooms.alerting.clone();
    background.spawn("notifications", move |token| alerting.run(token));
    let alerting = rooms.alerting.clone();
    background.spawn("alerting configuration", move |token| alerting.watch(token));
    let desk = rooms.desk.clone();
    background.spawn("environments", move |token| provisioning::go_on(desk, token));
    let (desk, every) = (rooms.desk.clone(), config.duration("provision.inventory_every"));
    background.spawn("inventory", move |token| provisioning::survey(desk, every, token));
    let router = rooms.router(state.clone());
    let http = |listener: TcpListener, router: Router| {
        move |token: CancellationToken| listen::serve(listener, router, listen::Limits::default(), token)
    };
    if let Some(listener) = sockets.otlp_grpc {
        // Asks the guard itself: a gRPC client wants refusals as gRPC statuses.
        let grpc = grid_ingest::grpc_router(rooms.ingest.clone());
        let grpc = grpc.layer(axum::middleware::from_fn(telemetry::observe_request));
        listeners.spawn("OTLP/gRPC", http(listener, grpc));
    }
    if let Some(listener) = sockets.otlp_http {
        listeners.spawn("OTLP/HTTP", http(listener, router.clone()));
    }
    listeners.spawn("HTTP", http(sockets.http, router));

    out::line(&ready)?;
    info!(url, data_dir = %rooms.store.data_dir().display(), "ready");

    let failure = tokio::select! {
        signal = signals.next() => {
            info!(signal, "stopping: no new connections, replies finish; a second signal exits at once");
            None
        }
        failure = listeners.failure() => Some(failure),
        failure = background.failure() => Some(failure),
    };
    signals.exit_on_next();
    state.drain();

    let patience = config.duration("server.drain_timeout");
    listeners.stop(patience).await;
    background.stop(patience).await;
    observed.close(patience).await;
    rooms.store.close().await.context("flush and close the store")?;
    info!("stopped");
    match failure {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// The one line on stdout.
fn ready_line(sockets: &Sockets, store: &Store, started: Instant) -> anyhow::Result<String> {
    let data_dir = store.data_dir();
    let data_dir = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let endpoints = sockets.endpoints()?;
    let address = |name: &str| endpoints.iter().find(|(n, _)| n == name).map(|(_, address)| address.as_str());
    let line = ReadyLine {
        event: "ready",
        http: address("http"),
        otlp_grpc: address("otlp_grpc"),
        otlp_http: address("otlp_http"),
        data_dir: &data_dir.to_string_lossy(),
        startup_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        recovered_rows: store.recovery().rows,
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
    };
    serde_json::to_string(&line).context("write the ready line")
}

/// What programs that start Grid wait for. Fields are added, never changed.
#[derive(serde::Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    http: Option<&'a str>,
    /// Null if off, as the next.
    otlp_grpc: Option<&'a str>,
    otlp_http: Option<&'a str>,
    data_dir: &'a str,
    startup_ms: u64,
    /// Rows that the last run had acknowledged but not yet written to files.
    recovered_rows: u64,
    version: &'static str,
    pid: u32,
}
