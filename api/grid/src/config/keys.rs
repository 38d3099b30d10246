//! Every setting there is: name, kind, default, meaning. The file, the environment, `grid config show` and the
//! documentation all follow this list.

use super::value::Kind;

/// One setting.
pub(crate) struct Key {
    /// `section.key`.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// One sentence for people.
    pub(crate) about: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

const COUNT: Kind = Kind::Count { min: 1, max: 1 << 40 };
const COUNT_OR_NONE: Kind = Kind::Count { min: 0, max: 1 << 40 };

/// What is a share of `memory.limit` unless it is set: the setting, and how many such shares the limit holds. The rest is for what has
/// fixed bounds: merging (256 MiB), building text indexes, decoding, caches, threads.
pub(crate) const MEMORY_SHARES: [(&str, u64); 8] = [
    ("storage.series_bytes_max", 4),
    ("query.memory_bytes", 8),
    ("query.query_memory_bytes", 16),
    ("guard.bodies_bytes_max", 8),
    ("guard.inflated_bytes_max", 32),
    ("guard.body_bytes_max", 128),
    ("storage.buffer_bytes_max", 32),
    ("storage.flush_bytes", 128),
];

/// The list, in the order in which it is shown.
pub(crate) const KEYS: &[Key] = &[
    key(
        "memory.limit",
        Kind::Bytes,
        "4GiB",
        "memory of the whole server; what bounds a part of it and is not set itself is a share of this",
    ),
    key("server.http", Kind::Address { may_be_off: false }, "127.0.0.1:7080", "API, UI, Prometheus, Loki, OTLP/HTTP"),
    key("server.otlp_grpc", Kind::Address { may_be_off: true }, "127.0.0.1:4317", "OTLP over gRPC, or \"off\""),
    key(
        "server.otlp_http",
        Kind::Address { may_be_off: true },
        "127.0.0.1:4318",
        "OTLP over HTTP at its usual port, or \"off\"",
    ),
    key("server.drain_timeout", Kind::Duration, "20s", "how long replies may take to finish after SIGTERM"),
    key(
        "auth.mode",
        Kind::Choice(&["anonymous", "tokens"]),
        "anonymous",
        "who is let in: everyone, or holders of a bearer token (`grid token create`)",
    ),
    key("auth.allow_anonymous", Kind::Bool, "false", "whether to serve beyond loopback without tokens"),
    key(
        "guard.allowed_hosts",
        Kind::List,
        "",
        "host names, besides addresses and private names, under which this server may be called without tokens",
    ),
    key("guard.concurrency_ingest", COUNT, "256", "writes under way at once; more are answered 503 with Retry-After"),
    key("guard.concurrency_query", COUNT, "128", "reads under way at once; more are answered 503"),
    key("guard.concurrency_admin", COUNT, "16", "other requests under way at once; more are answered 503"),
    key("guard.body_bytes_max", Kind::Bytes, "32MiB", "largest request as sent"),
    key("guard.inflated_bytes_max", Kind::Bytes, "128MiB", "largest request after decompression"),
    key("guard.bodies_bytes_max", Kind::Bytes, "512MiB", "memory of all request bodies; more are answered 503"),
    key("guard.body_timeout", Kind::Duration, "30s", "how long a request's body may take to arrive"),
    key(
        "guard.quota_rows_per_second",
        COUNT_OR_NONE,
        "0",
        "rows per second and tenant; more are answered 429; 0 = no quota",
    ),
    key(
        "guard.quota_bytes_per_second",
        Kind::Bytes,
        "0",
        "inflated bytes per second and tenant; more are answered 429; 0 = no quota",
    ),
    key(
        "storage.data_dir",
        Kind::Path,
        "./grid-data",
        "where data rests: WAL, catalog, and files unless object_url is set",
    ),
    key(
        "storage.object_url",
        Kind::Text,
        "",
        "s3://BUCKET/PREFIX for files; credentials come from the AWS_* environment",
    ),
    key(
        "storage.flush_interval",
        Kind::Duration,
        "5m",
        "how long rows may stay in the buffer before they become files",
    ),
    key("storage.flush_bytes", Kind::Bytes, "32MiB", "how large the buffer may grow before it becomes files"),
    key(
        "storage.buffer_bytes_max",
        Kind::Bytes,
        "128MiB",
        "how large the buffer may grow before writes are answered 503",
    ),
    key("storage.series_max", COUNT, "5000000", "series per tenant; writes of more are answered 429"),
    key("storage.tenants_max", COUNT, "10000", "tenants that may have rows; writes of one more are answered 429"),
    key(
        "storage.series_bytes_max",
        Kind::Bytes,
        "1GiB",
        "memory of the series of all tenants; writes of more are answered 503, known series are taken",
    ),
    key(
        "storage.free_bytes_min",
        Kind::Bytes,
        "256MiB",
        "free bytes of the data directory's disk below which writes are answered 503; 0 = only when it is full",
    ),
    key(
        "storage.compact_interval",
        Kind::Duration,
        "60s",
        "how often small files are looked for and merged; 0s = never",
    ),
    key("storage.expire_interval", Kind::Duration, "10m", "how often retention is applied; 0s = never"),
    key("ingest.labels_max", Kind::Count { min: 1, max: 1024 }, "128", "labels per series or stream"),
    key("ingest.label_name_bytes_max", Kind::Bytes, "1024", "length of a label's name"),
    key("ingest.label_value_bytes_max", Kind::Bytes, "4096", "length of a label's value"),
    key(
        "ingest.attributes_max",
        Kind::Count { min: 1, max: 65_536 },
        "256",
        "attributes per record, span, point, resource or scope",
    ),
    key("ingest.attribute_value_bytes_max", Kind::Bytes, "64KiB", "length of one attribute's value"),
    key("ingest.log_body_bytes_max", Kind::Bytes, "1MiB", "length of one log body"),
    key("ingest.future_max", Kind::Duration, "24h", "how far in the future a row may lie; the past is not bounded"),
    key(
        "ingest.metric_names",
        Kind::Choice(&["prometheus", "utf8"]),
        "prometheus",
        "OTLP metric names: translated to Prometheus' conventions (units, _total), or as sent",
    ),
    key(
        "ingest.promote_resource_attributes",
        Kind::List,
        "",
        "resource attributes that become labels of metrics, besides the usual ones",
    ),
    key(
        "ingest.log_index_attributes",
        Kind::List,
        "",
        "resource attributes that become stream labels of logs, besides the usual ones",
    ),
    key(
        "ingest.ha_dedup",
        Kind::Bool,
        "false",
        "whether of several Prometheus replicas that write the same series only one is taken at a time",
    ),
    key("ingest.ha_cluster_label", Kind::Text, "cluster", "the label that says of which cluster a replica is one"),
    key("ingest.ha_replica_label", Kind::Text, "__replica__", "the label that tells replicas apart; it is not stored"),
    key(
        "ingest.ha_failover",
        Kind::Duration,
        "30s",
        "how long the chosen replica may be silent before another is taken",
    ),
    key("scrape.config_file", Kind::Text, "", "a prometheus.yml whose scrape_configs are scraped; empty = nothing is"),
    key("scrape.tenant", Kind::Text, "default", "whose the scraped samples are"),
    key(
        "rules.files",
        Kind::List,
        "",
        "files of alert and recording rules: paths, folders and patterns such as /etc/rules/*.yml",
    ),
    key("rules.tenant", Kind::Text, "default", "whose series the rules of files ask and make"),
    key("rules.evaluation_interval", Kind::Duration, "1m", "how often groups are evaluated that do not say"),
    key(
        "rules.concurrency",
        Kind::Count { min: 1, max: 1000 },
        "4",
        "groups of rules that are evaluated at once; more wait",
    ),
    key("rules.resend_delay", Kind::Duration, "1m", "how long until receivers are told again of an alert that goes on"),
    key(
        "rules.for_grace_period",
        Kind::Duration,
        "10m",
        "how long alerts that were pending before a restart wait at least; those with a shorter `for` begin anew",
    ),
    key(
        "rules.for_outage_tolerance",
        Kind::Duration,
        "1h",
        "the longest pause of the server after which alerts go on as they were",
    ),
    key(
        "rules.external_url",
        Kind::Text,
        "",
        "where links in alerts lead; empty = this server's own address under /prometheus",
    ),
    key("rules.external_labels", Kind::List, "", "`$externalLabels` of templates: name=value, ..."),
    key(
        "alerting.config",
        Kind::Text,
        "",
        "an alertmanager.yml that says who is told of which alerts; empty = only webhooks made by the API are",
    ),
    key(
        "alerting.alertmanagers",
        Kind::List,
        "",
        "addresses of Alertmanagers that are sent all alerts, such as http://alertmanager:9093",
    ),
    key(
        "alerting.external_url",
        Kind::Text,
        "",
        "this server's address as people reach it, for links in messages; empty = the address it listens on",
    ),
    key("alerting.attempt_timeout", Kind::Duration, "10s", "how long one attempt to tell a receiver may take"),
    key("alerting.retry_min", Kind::Duration, "1s", "how long to wait after the first failure; doubled with each"),
    key("alerting.retry_max", Kind::Duration, "10m", "how long to wait between attempts at most"),
    key("alerting.give_up_after", Kind::Duration, "24h", "age at which a message becomes a dead letter"),
    key(
        "alerting.webhook_networks",
        Kind::List,
        "",
        "networks that webhooks made by the API may reach although they are not public, such as 10.0.0.0/8 or 127.0.0.1",
    ),
    key("query.timeout", Kind::Duration, "60s", "how long a query may run unless it asks for another time"),
    key("query.timeout_max", Kind::Duration, "10m", "the longest time a query may ask for"),
    key("query.memory_bytes", Kind::Bytes, "512MiB", "memory of all queries together"),
    key("query.query_memory_bytes", Kind::Bytes, "256MiB", "memory of one query; beyond it is spilled or refused"),
    key("query.spill_bytes", Kind::Bytes, "16GiB", "disk of all queries together"),
    key("query.rows_max", COUNT, "1000000", "rows of one answer"),
    key(
        "query.concurrent",
        Kind::Count { min: 1, max: 10_000 },
        "16",
        "queries at once; more wait, then are answered 503",
    ),
    key("query.threads", Kind::Count { min: 0, max: 4096 }, "0", "threads for queries; 0 = one per core"),
    key("query.slow", Kind::Duration, "1s", "queries that take longer are listed in grid.slow_queries"),
    key("prices.stale_after", Kind::Duration, "180d", "age from which a price is called stale wherever it is used"),
    key(
        "promql.enable_feature",
        Kind::List,
        "",
        "parts of PromQL that are off by default, by the names of Prometheus' --enable-feature",
    ),
    key("promql.lookback_delta", Kind::Duration, "5m", "how long a sample stands for what comes after it"),
    key(
        "provision.aws_region",
        Kind::Text,
        "",
        "the AWS region that environments with the driver \"aws\" are in; empty: there is no such driver",
    ),
    key(
        "provision.aws_endpoint_url",
        Kind::Text,
        "",
        "where AWS' services are instead of Amazon's own addresses: an emulator, a gateway",
    ),
    key(
        "provision.inventory_every",
        Kind::Duration,
        "1h",
        "how often drivers look at what their accounts have, for the table `resources`; 0s = never",
    ),
    key("provision.aws_prefix", Kind::Text, "grid", "what the names of everything that Grid makes in AWS begin with"),
    key(
        "provision.kubeconfig",
        Kind::Text,
        "",
        "the kubeconfig of the cluster that environments with the driver \"kubernetes\" are in, \"in-cluster\" for the service account of Grid's pod; empty: there is no such driver",
    ),
    key("provision.kube_context", Kind::Text, "", "which context of the kubeconfig; empty: its current one"),
    key("provision.kube_namespace", Kind::Text, "", "the one namespace that Grid works in; empty: the whole cluster"),
    key(
        "provision.azure_subscription",
        Kind::Text,
        "",
        "the subscription of Azure that environments with the driver \"azure\" are in; empty: there is no such driver",
    ),
    key(
        "provision.azure_resource_group",
        Kind::Text,
        "",
        "the one resource group that Grid works in; empty: the whole subscription",
    ),
    key(
        "provision.azure_endpoint_url",
        Kind::Text,
        "",
        "where the Resource Manager is instead of https://management.azure.com: another cloud's, a gateway",
    ),
    key(
        "provision.gcp_project",
        Kind::Text,
        "",
        "the project of Google Cloud that environments with the driver \"gcp\" are in; empty: there is no such driver",
    ),
    key("provision.gcp_region", Kind::Text, "", "the region of that project, such as europe-west3"),
    key(
        "provision.gcp_endpoint_url",
        Kind::Text,
        "",
        "where Compute Engine is instead of Google's own address: a gateway",
    ),
    key(
        "provision.terraform",
        Kind::Text,
        "",
        "the program by which environments with the driver \"terraform\" are changed: \"auto\" (tofu if it is on the path, else terraform), a name, or a path; empty: there is no such driver",
    ),
    key(
        "provision.terraform_overrides",
        Kind::Text,
        "",
        "a file of HCL that is laid over what is rendered for it: a backend, settings of a provider; {tenant} and {environment} are filled in",
    ),
    key(
        "telemetry.to",
        Kind::Text,
        "self",
        "Grid's own telemetry: \"self\" (tenant grid), \"off\", or a collector's gRPC address (http://HOST:4317)",
    ),
    key("telemetry.interval", Kind::Duration, "30s", "how often own metrics are sent"),
    key(
        "log.format",
        Kind::Choice(&["auto", "text", "json"]),
        "auto",
        "log lines on stderr: text on a terminal, else JSON",
    ),
    key("log.filter", Kind::Text, "info", "which log lines: \"info\", \"warn,grid_store=debug\""),
];

/// The setting of a name.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.path == path)
}

/// The names of all sections, each once.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = KEYS.iter().filter_map(|k| k.path.split_once('.')).map(|(s, _)| s).collect();
    names.dedup();
    names
}

/// The names of the keys of one section.
pub(crate) fn of_section(section: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|k| k.path.split_once('.')).filter(move |(s, _)| *s == section).map(|(_, k)| k)
}
