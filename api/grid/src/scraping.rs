//! Scraping as the settings say, read anew on SIGHUP and when a file of the configuration changes. What cannot be read at the start
//! is refused; later the last good configuration stays in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use grid_api::{ScrapedTarget, ScrapedTargets, TargetLabels};
use grid_ingest::scrape::{self, LoadError};
use grid_ingest::scrape_config::{Config as ScrapeConfig, LabelMap};
use grid_ingest::{Ingest, ScrapeStatus, Scraper};
use grid_model::TenantId;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;

/// How often the times of the configuration's files are looked at.
const FILE_CHECK: Duration = Duration::from_secs(1);

/// A scraper that has not begun.
pub(crate) struct Scraping {
    path: PathBuf,
    first: ScrapeConfig,
    tenant: TenantId,
    scraper: Scraper,
}

impl Scraping {
    /// Reads the configuration, if there is one. Nothing is scraped yet.
    pub(crate) fn prepare(config: &Config, ingest: &Ingest) -> anyhow::Result<Option<Self>> {
        let path = config.text("scrape.config_file");
        if path.is_empty() {
            return Ok(None);
        }
        let tenant = TenantId::parse(config.text("scrape.tenant")).context("read `scrape.tenant`")?;
        let path = PathBuf::from(path);
        let first = scrape::load(&path).context("read what to scrape (`scrape.config_file`, flag --scrape)")?;
        let scraper = Scraper::new(ingest.clone(), tenant.clone());
        Ok(Some(Self { path, first, tenant, scraper }))
    }

    /// What the scraper is doing.
    pub(crate) fn status(&self) -> ScrapeStatus {
        self.scraper.status()
    }

    /// What is scraped, for the API.
    pub(crate) fn targets(&self) -> Targets {
        Targets { tenant: self.tenant.clone(), status: self.scraper.status() }
    }

    /// Scrapes until the token is cancelled.
    pub(crate) async fn run(self, token: CancellationToken) -> anyhow::Result<()> {
        let Self { path, first, mut scraper, .. } = self;
        let mut hangup = signal(SignalKind::hangup()).context("catch SIGHUP")?;
        let mut stamps = scrape::stamps(&path, &first);
        let mut current = first.clone();
        tell(&first);
        scraper.apply(first).await;
        loop {
            let asked = tokio::select! {
                () = token.cancelled() => break,
                _ = hangup.recv() => true,
                () = tokio::time::sleep(FILE_CHECK) => false,
            };
            let (of, known) = (path.clone(), current.clone());
            let seen =
                tokio::task::spawn_blocking(move || scrape::stamps(&of, &known)).await.context("look at files")?;
            if !asked && seen == stamps {
                continue;
            }
            stamps = seen;
            match load(path.clone()).await? {
                Ok(config) => {
                    scraper.status().count_reload(true);
                    if config != current {
                        tell(&config);
                        stamps = scrape::stamps(&path, &config);
                        current = config.clone();
                        scraper.apply(config).await;
                    }
                }
                Err(e) => {
                    scraper.status().count_reload(false);
                    let error = format!("{:#}", anyhow::Error::from(e));
                    warn!(error, "what to scrape cannot be read; the last good configuration stays in force");
                }
            }
        }
        scraper.stop().await;
        Ok(())
    }
}

/// The scraper's targets as the API shows them.
pub(crate) struct Targets {
    tenant: TenantId,
    status: ScrapeStatus,
}

impl ScrapedTargets for Targets {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    fn active(&self) -> Vec<ScrapedTarget> {
        let show = |target: grid_ingest::scrape::ActiveTarget| ScrapedTarget {
            pool: target.job,
            discovered: pairs(&target.discovered),
            labels: pairs(&target.labels),
            url: target.url,
            interval: target.interval,
            timeout: target.timeout,
            health: target.progress.health.as_str(),
            last_error: target.progress.last_error,
            last_scrape: target.progress.last_scrape,
            last_duration: target.progress.last_duration,
        };
        self.status.active().into_iter().map(show).collect()
    }

    fn dropped(&self) -> Vec<(String, TargetLabels)> {
        self.status.dropped().into_iter().map(|target| (target.job, pairs(&target.discovered))).collect()
    }

    fn dropped_counts(&self) -> BTreeMap<String, usize> {
        self.status.dropped_counts()
    }
}

fn pairs(labels: &LabelMap) -> TargetLabels {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn load(path: PathBuf) -> anyhow::Result<Result<ScrapeConfig, LoadError>> {
    tokio::task::spawn_blocking(move || scrape::load(&path)).await.context("read what to scrape")
}

fn tell(config: &ScrapeConfig) {
    info!(jobs = config.jobs.len(), "scraping");
    if !config.ignored.is_empty() {
        let sections = config.ignored.join(", ");
        info!(sections, "parts of the configuration that have nothing to do with scraping are not used");
    }
}
