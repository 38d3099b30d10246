//! Alert and recording rules as the settings say, read anew on SIGHUP and when a rule file changes. A file that cannot be read leaves its
//! former groups in force.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use grid_analytics::Engine;
use grid_api::RuleBook;
use grid_insight::rules::{AlertSink, Keeper, KeeperOptions, KeeperParts, Loaded, SampleWriter, source};
use grid_model::table::samples::{self, SamplesBuilder};
use grid_model::{Table, TenantId, Timestamp, Write};
use grid_rules::file::ParseOptions;
use grid_rules::group::GroupOptions;
use grid_rules::host::NewSample;
use grid_rules::template::External;
use grid_rules::{GroupView, SampleValue};
use grid_store::Store;
use parking_lot::RwLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock;
use crate::config::Config;
use crate::setup;

/// How often the times of rule files are looked at.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// How often it is asked whether there are tenants whose documents were never read.
const TENANT_CHECK: Duration = Duration::from_secs(10);

/// Rules that are not yet evaluated.
#[derive(Clone)]
pub(crate) struct Rules {
    keeper: Keeper,
    store: Store,
    patterns: Vec<String>,
    tenant: TenantId,
    /// What the files say, beside which documents are put in force.
    files: Arc<RwLock<Loaded>>,
}

impl Rules {
    /// Puts together what evaluates rules. Nothing is evaluated yet.
    pub(crate) fn prepare(
        config: &Config,
        store: &Store,
        engine: &Arc<Engine>,
        sink: Arc<dyn AlertSink>,
        url: &str,
    ) -> anyhow::Result<Self> {
        let tenant = TenantId::parse(config.text("rules.tenant")).context("read `rules.tenant`")?;
        let ns = |path: &str| i64::try_from(config.duration(path).as_nanos()).unwrap_or(i64::MAX);
        let own = config.text("rules.external_url");
        let labels = config.list("rules.external_labels");
        let labels = labels.iter().filter_map(|pair| pair.split_once('='));
        let external = External {
            labels: labels.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).collect(),
            // Prometheus' own paths are below this prefix.
            url: if own.is_empty() { format!("{url}/prometheus") } else { own.trim_end_matches('/').to_owned() },
        };
        let group = GroupOptions {
            interval_ns: ns("rules.evaluation_interval"),
            resend_delay_ns: ns("rules.resend_delay"),
            for_grace_period_ns: ns("rules.for_grace_period"),
            outage_tolerance_ns: ns("rules.for_outage_tolerance"),
            external,
            ..GroupOptions::default()
        };
        let parse = ParseOptions { features: engine.promql_settings().features, ignore_unknown: false };
        let writer = StoreWriter { store: store.clone(), limits: setup::decode_limits(config) };
        let keeper = Keeper::new(KeeperParts {
            store: store.clone(),
            engine: Arc::clone(engine),
            writer: Arc::new(writer),
            sink,
            clock: clock::system(),
            options: KeeperOptions { group, parse, concurrency: config.size("rules.concurrency") },
        });
        let patterns = config.list("rules.files");
        Ok(Self { keeper, store: store.clone(), patterns, tenant, files: Arc::default() })
    }

    /// For the API.
    pub(crate) fn book(&self) -> Arc<dyn RuleBook> {
        Arc::new(self.clone())
    }

    /// For `/metrics`.
    pub(crate) fn metrics(&self) -> Arc<dyn grid_api::MetricsSource> {
        Arc::new(self.clone())
    }

    /// Evaluates until the token is cancelled.
    pub(crate) async fn run(self, token: CancellationToken) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup()).context("catch SIGHUP")?;
        let mut known = std::collections::BTreeSet::new();
        let mut stamps = self.load_files().await?;
        self.apply_all(&mut known).await;
        let mut tenants = tokio::time::interval(TENANT_CHECK);
        loop {
            let asked = tokio::select! {
                () = token.cancelled() => break,
                _ = hangup.recv() => true,
                _ = tenants.tick() => {
                    self.greet(&mut known).await;
                    continue;
                }
                () = tokio::time::sleep(FILE_CHECK) => false,
            };
            let seen = self.look().await?;
            if asked || seen != stamps {
                stamps = self.load_files().await?;
                self.apply_all(&mut known).await;
            }
        }
        self.keeper.stop().await;
        Ok(())
    }

    /// When each rule file was last written.
    async fn look(&self) -> anyhow::Result<Stamps> {
        let patterns = self.patterns.clone();
        let look = move || source::files(&patterns).map(|files| source::stamps(&files)).unwrap_or_default();
        tokio::task::spawn_blocking(look).await.context("look at rule files")
    }

    /// Reads all rule files.
    async fn load_files(&self) -> anyhow::Result<Stamps> {
        let (patterns, tenant) = (self.patterns.clone(), self.tenant.clone());
        let parse = *self.keeper.parse_options();
        let read = move || {
            let mut loaded = Loaded::default();
            let files: Vec<PathBuf> = source::files(&patterns).unwrap_or_else(|error| {
                warn!(error, "rule files cannot be found (`rules.files`, flag --rules)");
                Vec::new()
            });
            let stamps = source::stamps(&files);
            source::load_files(&files, &tenant, &parse, &mut loaded);
            (loaded, stamps)
        };
        let (loaded, stamps) = tokio::task::spawn_blocking(read).await.context("read rule files")?;
        *self.files.write() = loaded;
        Ok(stamps)
    }

    /// Puts files and the documents of all tenants in force.
    async fn apply_all(&self, known: &mut std::collections::BTreeSet<TenantId>) {
        let mut loaded = self.files.read().clone();
        known.extend(self.store.tenants());
        known.insert(self.tenant.clone());
        for tenant in &*known {
            if let Err(error) =
                source::load_documents(&self.store, tenant, self.keeper.parse_options(), &mut loaded).await
            {
                warn!(%tenant, %error, "rules of a tenant cannot be read");
            }
        }
        self.keeper.apply(loaded, None).await;
    }

    /// Reads the documents of tenants that have come since.
    async fn greet(&self, known: &mut std::collections::BTreeSet<TenantId>) {
        for tenant in self.store.tenants().into_iter().filter(|t| !known.contains(t)).collect::<Vec<_>>() {
            if let Err(error) = self.reload_of(&tenant).await {
                warn!(%tenant, error, "rules of a tenant cannot be read");
            }
            known.insert(tenant);
        }
    }

    async fn reload_of(&self, tenant: &TenantId) -> Result<(), String> {
        let files = self.files.read().clone();
        self.keeper.reload_documents(tenant, &files).await.map_err(|e| e.to_string())
    }
}

type Stamps = Vec<(PathBuf, Option<(std::time::SystemTime, u64)>)>;

impl RuleBook for Rules {
    fn groups(&self, tenant: &TenantId) -> Vec<Arc<GroupView>> {
        self.keeper.groups(tenant)
    }

    fn parse_options(&self) -> ParseOptions {
        *self.keeper.parse_options()
    }

    fn reload<'a>(&'a self, tenant: &'a TenantId) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(self.reload_of(tenant))
    }
}

impl grid_api::MetricsSource for Rules {
    fn write(&self, out: &mut grid_api::Exposition) {
        out.gauge("grid_rules_groups", "Groups of rules in force.", &[], self.keeper.group_count() as f64);
        out.gauge(
            "grid_rules_problems",
            "Problems of rule files and documents.",
            &[],
            self.keeper.problems().len() as f64,
        );
        self.keeper.totals().now().into_iter().for_each(|(name, help, n)| out.counter(name, help, &[], n as f64));
    }
}

/// Writes what rules make as if it had come in: the same bounds on labels, the same log.
struct StoreWriter {
    store: Store,
    limits: grid_decode::Limits,
}

impl StoreWriter {
    /// The rows of samples; what a bound refuses is told.
    fn rows(&self, samples: Vec<NewSample>) -> Result<Write, String> {
        let mut write = Write::default();
        let mut rows = SamplesBuilder::with_capacity(samples.len());
        for NewSample { labels, time, value } in samples {
            let key = grid_decode::canonical_key(labels.iter(), &self.limits)?;
            let id = write.series.add_key(&key).ok_or("two series collide in their 64-bit id")?;
            let time = Timestamp::from_millis(time).ok_or("the time of a sample is out of range")?;
            let value = match value {
                SampleValue::Float(v) => samples::SampleValue::Float(v),
                SampleValue::Histogram(h) => samples::SampleValue::Histogram(Box::new(h.to_model())),
            };
            rows.push(id, time, None, value);
        }
        write.push(Table::Samples, rows.finish());
        Ok(write)
    }
}

impl SampleWriter for StoreWriter {
    fn write<'a>(
        &'a self,
        tenant: &'a TenantId,
        samples: Vec<NewSample>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let rows = self.rows(samples)?;
            self.store.append(tenant, rows).await.map(|_| ()).map_err(|e| e.to_string())
        })
    }
}
