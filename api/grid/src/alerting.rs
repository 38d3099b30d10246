//! Alerting as the settings say: who is told of alerts, read anew on SIGHUP and when the file of the configuration changes. What cannot be
//! read at the start is refused; later the last good configuration stays in force.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use grid_notify::policy::RetryPolicy;
use grid_notify::{AddressGuard, Config as AlertmanagerConfig, FILE_NAME, Network, Notifier, Options, relay};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock;
use crate::config::Config;

/// How often the time of the configuration's file is looked at.
const FILE_CHECK: Duration = Duration::from_secs(1);

/// Notifications that have not begun, or whoever wants to reach them. Clones share.
#[derive(Clone)]
pub(crate) struct Alerting {
    notifier: Notifier,
    path: Option<PathBuf>,
}

impl Alerting {
    /// Reads the configuration, if there is one, and opens the database. Nobody is told of anything yet.
    pub(crate) async fn open(config: &Config, data_dir: &Path) -> anyhow::Result<Self> {
        let path = Some(config.text("alerting.config")).filter(|p| !p.is_empty()).map(PathBuf::from);
        let routes = match &path {
            Some(path) => read(path).with_context(|| {
                format!("read who is told of alerts (`alerting.config`, flag --alertmanager-config) from {}; see: grid explain GRID-0807", path.display())
            })?,
            None => AlertmanagerConfig::default(),
        };
        tell(&routes);
        let database = data_dir.join(FILE_NAME);
        let notifier = Notifier::open(&database, routes, options(config)?, clock::system());
        Ok(Self { notifier: notifier.await.context("open the database of notifications")?, path })
    }

    /// Whoever takes alerts.
    pub(crate) fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Tells people until the token is cancelled.
    pub(crate) async fn run(self, token: CancellationToken) -> anyhow::Result<()> {
        self.notifier.run(token).await;
        Ok(())
    }

    /// Looks at the configuration's file until the token is cancelled. A task of its own: whoever tells people holds what a change
    /// needs, and must go on meanwhile.
    pub(crate) async fn watch(self, token: CancellationToken) -> anyhow::Result<()> {
        let notifier = &self.notifier;
        let mut hangup = signal(SignalKind::hangup()).context("catch SIGHUP")?;
        let mut stamp = self.stamp();
        loop {
            let asked = tokio::select! {
                () = token.cancelled() => return Ok(()),
                _ = hangup.recv() => true,
                () = tokio::time::sleep(FILE_CHECK) => false,
            };
            let Some(path) = &self.path else { continue };
            let seen = self.stamp();
            if !asked && seen == stamp {
                continue;
            }
            stamp = seen;
            match read(path) {
                Ok(config) => {
                    tell(&config);
                    notifier.configure(config).await;
                }
                Err(e) => {
                    let error = format!("{e:#}");
                    warn!(error, "who is told of alerts cannot be read; the last good configuration stays in force");
                }
            }
        }
    }

    /// When the file was last written.
    fn stamp(&self) -> Option<SystemTime> {
        std::fs::metadata(self.path.as_ref()?).and_then(|m| m.modified()).ok()
    }
}

/// Copies the database of notifications of a directory that no server holds, if it has one.
pub(crate) async fn copy(config: &Config, data_dir: &Path, to: &Path) -> anyhow::Result<()> {
    let path = data_dir.join(FILE_NAME);
    if !path.exists() {
        return Ok(());
    }
    let notifier = Notifier::open(&path, AlertmanagerConfig::default(), options(config)?, clock::system());
    let notifier = notifier.await.context("open the database of notifications")?;
    let copied = notifier.copy_to(&to.join(FILE_NAME)).await.context("copy the database of notifications");
    notifier.close().await;
    copied
}

fn read(path: &Path) -> anyhow::Result<AlertmanagerConfig> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    AlertmanagerConfig::parse(&text).map_err(|e| anyhow!("{e}"))
}

fn tell(config: &AlertmanagerConfig) {
    if !config.plan.receivers.is_empty() {
        info!(receivers = config.plan.receivers.len(), "alerts are told as the configuration says");
    }
    if !config.ignored.is_empty() {
        let parts = config.ignored.join(", ");
        info!(parts, "parts of the alerting configuration have no effect here");
    }
}

/// From settings to options.
pub(crate) fn options(config: &Config) -> anyhow::Result<Options> {
    let nanos = |path| i64::try_from(config.duration(path).as_nanos()).unwrap_or(i64::MAX);
    let networks = config.list("alerting.webhook_networks").into_iter();
    let networks = networks.map(|text| text.parse::<Network>().context("read `alerting.webhook_networks`"));
    let alertmanagers = config.list("alerting.alertmanagers").into_iter();
    let alertmanagers = alertmanagers
        .map(|text| relay::endpoint(&text).map_err(|e| anyhow!(e)).context("read `alerting.alertmanagers`"));
    let external_url = match config.text("alerting.external_url") {
        "" => config.address("server.http").map(|address| format!("http://{address}")).unwrap_or_default(),
        url => url.to_owned(),
    };
    Ok(Options {
        external_url,
        attempt_timeout: config.duration("alerting.attempt_timeout").max(Duration::from_millis(1)),
        retry: RetryPolicy {
            first_ns: nanos("alerting.retry_min"),
            most_ns: nanos("alerting.retry_max"),
            give_up_ns: nanos("alerting.give_up_after"),
            // Another one with each start, so that several servers do not call one receiver in step.
            seed: clock::now().0.unsigned_abs(),
            ..RetryPolicy::default()
        },
        guard: AddressGuard { allowed: networks.collect::<anyhow::Result<_>>()? },
        alertmanagers: alertmanagers.collect::<anyhow::Result<_>>()?,
    })
}
