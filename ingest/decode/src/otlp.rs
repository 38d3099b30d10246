//! What the OTLP decoders share: the options, typed attributes, the translation to Prometheus' names, the JSON reader.
//!
//! The decoders themselves are [`crate::otlp_metrics`], [`crate::otlp_logs`] and [`crate::otlp_traces`]; the way back is
//! [`crate::otlp_encode`].

pub mod attributes;
pub mod ids;
pub mod names;
pub mod labels;
pub mod json;
pub mod json_logs;
pub mod json_metrics;
pub mod json_traces;

use grid_model::Attributes;
use grid_model::Timestamp;
use grid_model::resource::service_name;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::decoded::DecodeError;
use crate::growth::Growth;
use crate::limits::Limits;

/// How a metric or attribute becomes a name in PromQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameTranslation {
    /// `http.server.duration` in `ms` becomes `http_server_duration_milliseconds`, monotonic sums end in `_total`.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// UTF-8 names as sent.
    NoTranslation,
}

/// The settings of the OTLP decoders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpOptions {
    /// How names become Prometheus names.
    pub name_translation: NameTranslation,
    /// Resource attributes that become labels of metrics; `service.*` become `job` and `instance` in any case.
    pub promote_resource_attributes: Vec<String>,
    /// Resource attributes that become stream labels of logs.
    pub log_index_attributes: Vec<String>,
}

/// Resource attributes that tell where a metric comes from and hold few values.
const PROMOTED: &[&str] = &[
    "cloud.account.id",
    "cloud.availability_zone",
    "cloud.provider",
    "cloud.region",
    "container.name",
    "deployment.environment",
    "deployment.environment.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.statefulset.name",
];

/// Resource attributes that Loki's OTLP endpoint makes stream labels by default (Loki, `distributor.otlp_config`).
const LOG_INDEX: &[&str] = &[
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

impl Default for OtlpOptions {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            name_translation: NameTranslation::default(),
            promote_resource_attributes: owned(PROMOTED),
            log_index_attributes: owned(LOG_INDEX),
        }
    }
}

/// A resource as the tables know it, or why everything that it holds is refused.
pub(crate) fn resource(resource: Option<Resource>, limits: &Limits) -> Result<Attributes, String> {
    let attributes = resource.map(|r| r.attributes).unwrap_or_default();
    attributes::convert(attributes, limits).map_err(|reason| format!("resource: {reason}"))
}

/// A scope as the tables know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) attributes: Attributes,
}

/// A scope as the tables know it, or why everything that it holds is refused.
pub(crate) fn scope(scope: Option<InstrumentationScope>, limits: &Limits) -> Result<Scope, String> {
    let InstrumentationScope { name, version, attributes, .. } = scope.unwrap_or_default();
    let max = limits.label_value_bytes_max;
    if name.len() > max || version.len() > max {
        return Err(format!("scope: name or version has more than {max} bytes"));
    }
    let attributes = attributes::convert(attributes, limits).map_err(|reason| format!("scope: {reason}"))?;
    Ok(Scope { name, version, attributes })
}

/// What the rows of one request may take: a resource is sent once and repeated in every row.
#[derive(Debug)]
pub(crate) struct Budget {
    growth: Growth,
    /// Estimated bytes of the batch that is being built.
    batch_bytes: usize,
}

impl Budget {
    /// Every request may grow to this, however small it is: a batch of the collector's default size with large resources.
    const FREE_BYTES: usize = 64 * 1024 * 1024;
    /// A batch is closed before its columns come near Arrow's limit of 2^31 bytes per column.
    const BATCH_BYTES_MAX: usize = 512 * 1024 * 1024;
    /// One byte on the wire takes at most so many at rest, as JSON text.
    const JSON_GROWTH_MAX: usize = 6;

    pub(crate) fn of_request(bytes: usize) -> Self {
        Self { growth: Growth::with_free(bytes, Self::FREE_BYTES), batch_bytes: 0 }
    }

    /// Takes what a row repeats.
    pub(crate) fn spend(&mut self, shared_bytes: usize) -> Result<(), String> {
        self.growth.spend(shared_bytes)
    }

    /// Counts a row of the current batch; whether the batch must be closed now.
    pub(crate) fn batch_is_full(&mut self, shared_bytes: usize, wire_bytes: usize) -> bool {
        self.batch_bytes += shared_bytes + wire_bytes.saturating_mul(Self::JSON_GROWTH_MAX);
        let full = self.batch_bytes > Self::BATCH_BYTES_MAX;
        if full {
            self.batch_bytes = 0;
        }
        full
    }
}

/// Bytes that attributes take at rest.
pub(crate) fn bytes_of(attributes: &Attributes) -> usize {
    attributes.iter().map(|(k, v)| k.len() + v.to_json().len()).sum()
}

/// The service that a resource names, empty if none.
pub(crate) fn service(resource: &Attributes) -> String {
    service_name(resource).unwrap_or_default().to_owned()
}

/// OTLP's unsigned nanoseconds as ours; `Err` beyond the year 2262.
pub(crate) fn timestamp(what: &str, nanos: u64) -> Result<Timestamp, String> {
    i64::try_from(nanos).map(Timestamp).map_err(|_| format!("{what} {nanos} ns lies beyond the year 2262"))
}

/// As [`timestamp`], where 0 means "not said".
pub(crate) fn timestamp_if_set(what: &str, nanos: u64) -> Result<Option<Timestamp>, String> {
    if nanos == 0 { Ok(None) } else { timestamp(what, nanos).map(Some) }
}

/// The error of a body that is no protobuf message of the signal.
pub(crate) fn protobuf_error(format: &'static str, error: &prost::DecodeError) -> DecodeError {
    DecodeError { format, reason: error.to_string() }
}
