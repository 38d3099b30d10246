//! From settings to the options of each room: the one place that knows both.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use grid_analytics::promql::PromqlSettings;
use grid_analytics::{Engine, QueryLimits};
use grid_decode::otlp::{NameTranslation, OtlpOptions};
use grid_guard::body::Budget;
use grid_guard::load::Concurrency;
use grid_guard::{BodyLimits, Guard, GuardConfig, Quota};
use grid_ingest::ReplicaOptions;
use grid_promql_syntax::Features;
use grid_store::{OpenError, Store, StoreOptions};

use crate::clock;
use crate::config::{Config, FlagSetting, Sources};

/// Reads the settings of this process: the file if one is named, the environment, the flags.
pub(crate) fn config(file: Option<&Path>, flags: Vec<FlagSetting>) -> anyhow::Result<Config> {
    let file = match file {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("read the configuration {}", path.display()))?;
            Some((path.display().to_string(), text))
        }
        None => None,
    };
    let environment = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    Ok(Config::load(&Sources { file, environment: environment.collect(), flags })?)
}

/// Opens the store of a data directory, which is made if it does not exist.
pub(crate) async fn store(config: &Config, data_dir: &Path) -> anyhow::Result<Store> {
    let options = StoreOptions {
        object_url: Some(config.text("storage.object_url").to_owned()).filter(|url| !url.is_empty()),
        limits: grid_store::Limits {
            flush_bytes: config.size("storage.flush_bytes"),
            buffer_bytes_max: config.size("storage.buffer_bytes_max"),
            flush_interval: config.duration("storage.flush_interval"),
            series_per_tenant_max: config.size("storage.series_max"),
            tenants_max: config.size("storage.tenants_max"),
            series_bytes_max: config.size("storage.series_bytes_max"),
            free_bytes_min: config.number("storage.free_bytes_min"),
        },
        ..StoreOptions::local(data_dir, clock::system())
    };
    Store::open(options).await.map_err(|e| match e {
        OpenError::Locked { address: Some(ref address), .. } => {
            let hint = format!("use --url {address}, or stop that server");
            anyhow!("{e}\nhint: {hint}")
        }
        OpenError::Locked { .. } => anyhow!("{e}\nhint: wait for it to end, or stop it"),
        other => anyhow::Error::from(other).context(format!("open the data directory {}", data_dir.display())),
    })
}

/// The query engine over a store.
pub(crate) fn engine(config: &Config, store: &Store) -> anyhow::Result<Engine> {
    let limits = QueryLimits {
        memory_bytes: config.size("query.memory_bytes"),
        query_memory_bytes: config.size("query.query_memory_bytes"),
        spill_bytes: config.number("query.spill_bytes"),
        timeout: config.duration("query.timeout"),
        timeout_max: config.duration("query.timeout_max"),
        rows_max: config.size("query.rows_max"),
        concurrent: config.size("query.concurrent"),
        threads: config.size("query.threads"),
        price_age_days_max: i64::try_from(config.duration("prices.stale_after").as_secs() / 86_400).unwrap_or(i64::MAX),
        slow: config.duration("query.slow"),
        promql: promql(config),
        ..QueryLimits::default()
    };
    Engine::new(store.clone(), limits).context("start the query engine")
}

/// What of PromQL is on. Unknown names were refused with the settings.
fn promql(config: &Config) -> PromqlSettings {
    let (features, _) = Features::from_names(config.list("promql.enable_feature").iter().map(String::as_str));
    let lookback = i64::try_from(config.duration("promql.lookback_delta").as_millis()).unwrap_or(i64::MAX / 1000);
    PromqlSettings { features, lookback, ..PromqlSettings::default() }
}

/// The guard over a store's tokens.
pub(crate) fn guard(config: &Config, store: &Store) -> Guard {
    let rate = |path| Some(config.number(path) as f64).filter(|rate| *rate > 0.0);
    Guard::new(
        store.clone(),
        GuardConfig {
            auth: config.auth_mode(),
            allowed_hosts: config.list("guard.allowed_hosts"),
            concurrency: Concurrency {
                ingest: config.size("guard.concurrency_ingest"),
                query: config.size("guard.concurrency_query"),
                admin: config.size("guard.concurrency_admin"),
            },
            body: BodyLimits {
                received_max: config.size("guard.body_bytes_max"),
                inflated_max: config.size("guard.inflated_bytes_max"),
                read_timeout: config.duration("guard.body_timeout"),
                budget: Budget::new(config.size("guard.bodies_bytes_max")),
            },
            quota: Quota {
                rows_per_s: rate("guard.quota_rows_per_second"),
                bytes_per_s: rate("guard.quota_bytes_per_second"),
                ..Quota::default()
            },
            clock: clock::system(),
            ..GuardConfig::default()
        },
    )
}

/// The bounds of the decoders.
pub(crate) fn decode_limits(config: &Config) -> grid_decode::Limits {
    grid_decode::Limits {
        labels_max: config.size("ingest.labels_max"),
        label_name_bytes_max: config.size("ingest.label_name_bytes_max"),
        label_value_bytes_max: config.size("ingest.label_value_bytes_max"),
        attributes_max: config.size("ingest.attributes_max"),
        attribute_value_bytes_max: config.size("ingest.attribute_value_bytes_max"),
        log_body_bytes_max: config.size("ingest.log_body_bytes_max"),
        future_ns_max: i64::try_from(config.duration("ingest.future_max").as_nanos()).unwrap_or(i64::MAX),
        ..grid_decode::Limits::default()
    }
}

/// How one of several replicas of a Prometheus is chosen, if that is asked for.
pub(crate) fn replicas(config: &Config) -> Option<ReplicaOptions> {
    config.flag("ingest.ha_dedup").then(|| ReplicaOptions {
        cluster_label: config.text("ingest.ha_cluster_label").to_owned(),
        replica_label: config.text("ingest.ha_replica_label").to_owned(),
        failover: config.duration("ingest.ha_failover"),
        ..ReplicaOptions::default()
    })
}

/// How OTLP becomes rows.
pub(crate) fn otlp_options(config: &Config) -> OtlpOptions {
    let mut options = OtlpOptions::default();
    if config.text("ingest.metric_names") == "utf8" {
        options.name_translation = NameTranslation::NoTranslation;
    }
    options.promote_resource_attributes.extend(config.list("ingest.promote_resource_attributes"));
    options.log_index_attributes.extend(config.list("ingest.log_index_attributes"));
    options
}
