//! `prometheus.yml` as written: every key that Prometheus knows, so that a misspelt one is told from one that is not built.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::groups::GroupText;
use crate::relabel::RuleText;

/// Something that Prometheus knows and that is not read here.
type Other = Option<IgnoredAny>;

/// The whole file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileText {
    pub(crate) global: Option<GlobalText>,
    pub(crate) scrape_configs: Option<Vec<ScrapeText>>,
    pub(crate) scrape_config_files: Option<Vec<String>>,
    pub(crate) rule_files: Other,
    pub(crate) alerting: Other,
    pub(crate) remote_write: Other,
    pub(crate) remote_read: Other,
    pub(crate) storage: Other,
    pub(crate) tracing: Other,
    pub(crate) otlp: Other,
    pub(crate) runtime: Other,
}

impl FileText {
    /// The sections that have nothing to do with scraping.
    pub(crate) fn ignored(&self) -> Vec<&'static str> {
        let global = self.global.as_ref();
        let sections = [
            ("rule_files", self.rule_files.is_some()),
            ("alerting", self.alerting.is_some()),
            ("remote_write", self.remote_write.is_some()),
            ("remote_read", self.remote_read.is_some()),
            ("storage", self.storage.is_some()),
            ("tracing", self.tracing.is_some()),
            ("otlp", self.otlp.is_some()),
            ("runtime", self.runtime.is_some()),
            ("global.evaluation_interval", global.is_some_and(|g| g.evaluation_interval.is_some())),
            ("global.rule_query_offset", global.is_some_and(|g| g.rule_query_offset.is_some())),
            ("global.external_labels", global.is_some_and(|g| g.external_labels.is_some())),
            ("global.query_log_file", global.is_some_and(|g| g.query_log_file.is_some())),
            ("global.scrape_failure_log_file", global.is_some_and(|g| g.scrape_failure_log_file.is_some())),
            ("global.runtime", global.is_some_and(|g| g.runtime.is_some())),
        ];
        sections.into_iter().filter(|(_, said)| *said).map(|(name, _)| name).collect()
    }
}

/// A file of `scrape_config_files`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScrapeFileText {
    pub(crate) scrape_configs: Option<Vec<ScrapeText>>,
}

/// `global`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GlobalText {
    pub(crate) scrape_interval: Option<String>,
    pub(crate) scrape_timeout: Option<String>,
    pub(crate) scrape_protocols: Option<Vec<String>>,
    pub(crate) scrape_native_histograms: Option<bool>,
    pub(crate) always_scrape_classic_histograms: Option<bool>,
    pub(crate) convert_classic_histograms_to_nhcb: Option<bool>,
    pub(crate) body_size_limit: Option<String>,
    pub(crate) sample_limit: Option<u64>,
    pub(crate) label_limit: Option<u64>,
    pub(crate) label_name_length_limit: Option<u64>,
    pub(crate) label_value_length_limit: Option<u64>,
    pub(crate) target_limit: Option<u64>,
    pub(crate) keep_dropped_targets: Option<u64>,
    pub(crate) metric_name_validation_scheme: Option<String>,
    pub(crate) metric_name_escaping_scheme: Option<String>,
    pub(crate) evaluation_interval: Other,
    pub(crate) rule_query_offset: Other,
    pub(crate) external_labels: Other,
    pub(crate) query_log_file: Other,
    pub(crate) scrape_failure_log_file: Other,
    pub(crate) runtime: Other,
}

/// One entry of `scrape_configs`. The keys of [`HttpText`] stand among its own.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScrapeText {
    pub(crate) job_name: Option<String>,
    pub(crate) scrape_interval: Option<String>,
    pub(crate) scrape_timeout: Option<String>,
    pub(crate) scrape_protocols: Option<Vec<String>>,
    pub(crate) fallback_scrape_protocol: Option<String>,
    pub(crate) scrape_native_histograms: Option<bool>,
    pub(crate) always_scrape_classic_histograms: Option<bool>,
    /// The name of the former up to Prometheus 2.
    pub(crate) scrape_classic_histograms: Option<bool>,
    pub(crate) convert_classic_histograms_to_nhcb: Option<bool>,
    pub(crate) metrics_path: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) params: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) honor_labels: Option<bool>,
    pub(crate) honor_timestamps: Option<bool>,
    pub(crate) track_timestamps_staleness: Option<bool>,
    pub(crate) enable_compression: Option<bool>,
    pub(crate) body_size_limit: Option<String>,
    pub(crate) sample_limit: Option<u64>,
    pub(crate) label_limit: Option<u64>,
    pub(crate) label_name_length_limit: Option<u64>,
    pub(crate) label_value_length_limit: Option<u64>,
    pub(crate) target_limit: Option<u64>,
    pub(crate) keep_dropped_targets: Option<u64>,
    pub(crate) native_histogram_bucket_limit: Option<u64>,
    pub(crate) native_histogram_min_bucket_factor: Option<f64>,
    pub(crate) metric_name_validation_scheme: Option<String>,
    pub(crate) metric_name_escaping_scheme: Option<String>,
    /// A log beside the own one; not written.
    #[allow(dead_code, reason = "read so that it is known")]
    pub(crate) scrape_failure_log_file: Other,
    pub(crate) relabel_configs: Option<Vec<RuleConfigText>>,
    pub(crate) metric_relabel_configs: Option<Vec<RuleConfigText>>,
    pub(crate) static_configs: Option<Vec<GroupText>>,
    pub(crate) file_sd_configs: Option<Vec<FileSdText>>,
    pub(crate) http_sd_configs: Option<Vec<HttpSdText>>,

    pub(crate) basic_auth: Option<BasicAuthText>,
    pub(crate) authorization: Option<AuthorizationText>,
    pub(crate) oauth2: Other,
    pub(crate) bearer_token: Option<String>,
    pub(crate) bearer_token_file: Option<String>,
    pub(crate) tls_config: Option<TlsText>,
    pub(crate) follow_redirects: Option<bool>,
    pub(crate) enable_http2: Option<bool>,
    pub(crate) proxy_url: Option<String>,
    pub(crate) no_proxy: Option<String>,
    pub(crate) proxy_from_environment: Option<bool>,
    pub(crate) proxy_connect_header: Other,
    pub(crate) http_headers: Option<BTreeMap<String, HeaderText>>,

    azure_sd_configs: Other,
    consul_sd_configs: Other,
    digitalocean_sd_configs: Other,
    dns_sd_configs: Other,
    docker_sd_configs: Other,
    dockerswarm_sd_configs: Other,
    ec2_sd_configs: Other,
    eureka_sd_configs: Other,
    gce_sd_configs: Other,
    hetzner_sd_configs: Other,
    ionos_sd_configs: Other,
    kubernetes_sd_configs: Other,
    kuma_sd_configs: Other,
    lightsail_sd_configs: Other,
    linode_sd_configs: Other,
    marathon_sd_configs: Other,
    nerve_sd_configs: Other,
    nomad_sd_configs: Other,
    openstack_sd_configs: Other,
    ovhcloud_sd_configs: Other,
    puppetdb_sd_configs: Other,
    scaleway_sd_configs: Other,
    serverset_sd_configs: Other,
    stackit_sd_configs: Other,
    triton_sd_configs: Other,
    uyuni_sd_configs: Other,
    vultr_sd_configs: Other,
}

impl ScrapeText {
    /// Kinds of discovery that are not built.
    pub(crate) fn unsupported_discovery(&self) -> Vec<&'static str> {
        let kinds = [
            ("azure_sd_configs", &self.azure_sd_configs),
            ("consul_sd_configs", &self.consul_sd_configs),
            ("digitalocean_sd_configs", &self.digitalocean_sd_configs),
            ("dns_sd_configs", &self.dns_sd_configs),
            ("docker_sd_configs", &self.docker_sd_configs),
            ("dockerswarm_sd_configs", &self.dockerswarm_sd_configs),
            ("ec2_sd_configs", &self.ec2_sd_configs),
            ("eureka_sd_configs", &self.eureka_sd_configs),
            ("gce_sd_configs", &self.gce_sd_configs),
            ("hetzner_sd_configs", &self.hetzner_sd_configs),
            ("ionos_sd_configs", &self.ionos_sd_configs),
            ("kubernetes_sd_configs", &self.kubernetes_sd_configs),
            ("kuma_sd_configs", &self.kuma_sd_configs),
            ("lightsail_sd_configs", &self.lightsail_sd_configs),
            ("linode_sd_configs", &self.linode_sd_configs),
            ("marathon_sd_configs", &self.marathon_sd_configs),
            ("nerve_sd_configs", &self.nerve_sd_configs),
            ("nomad_sd_configs", &self.nomad_sd_configs),
            ("openstack_sd_configs", &self.openstack_sd_configs),
            ("ovhcloud_sd_configs", &self.ovhcloud_sd_configs),
            ("puppetdb_sd_configs", &self.puppetdb_sd_configs),
            ("scaleway_sd_configs", &self.scaleway_sd_configs),
            ("serverset_sd_configs", &self.serverset_sd_configs),
            ("stackit_sd_configs", &self.stackit_sd_configs),
            ("triton_sd_configs", &self.triton_sd_configs),
            ("uyuni_sd_configs", &self.uyuni_sd_configs),
            ("vultr_sd_configs", &self.vultr_sd_configs),
        ];
        kinds.into_iter().filter(|(_, said)| said.is_some()).map(|(name, _)| name).collect()
    }

    /// Takes the settings of HTTP out.
    pub(crate) fn take_http(&mut self) -> HttpText {
        HttpText {
            basic_auth: self.basic_auth.take(),
            authorization: self.authorization.take(),
            oauth2: self.oauth2.take(),
            bearer_token: self.bearer_token.take(),
            bearer_token_file: self.bearer_token_file.take(),
            tls_config: self.tls_config.take(),
            follow_redirects: self.follow_redirects.take(),
            enable_http2: self.enable_http2.take(),
            proxy_url: self.proxy_url.take(),
            no_proxy: self.no_proxy.take(),
            proxy_from_environment: self.proxy_from_environment.take(),
            proxy_connect_header: self.proxy_connect_header.take(),
            http_headers: self.http_headers.take(),
        }
    }
}

/// Settings of HTTP, which jobs and HTTP discovery share.
#[derive(Default)]
pub(crate) struct HttpText {
    pub(crate) basic_auth: Option<BasicAuthText>,
    pub(crate) authorization: Option<AuthorizationText>,
    pub(crate) oauth2: Other,
    pub(crate) bearer_token: Option<String>,
    pub(crate) bearer_token_file: Option<String>,
    pub(crate) tls_config: Option<TlsText>,
    pub(crate) follow_redirects: Option<bool>,
    /// Without effect: targets are asked by HTTP/1.1, which every target speaks.
    #[allow(dead_code, reason = "read so that it is known")]
    pub(crate) enable_http2: Option<bool>,
    pub(crate) proxy_url: Option<String>,
    pub(crate) no_proxy: Option<String>,
    pub(crate) proxy_from_environment: Option<bool>,
    pub(crate) proxy_connect_header: Other,
    pub(crate) http_headers: Option<BTreeMap<String, HeaderText>>,
}

impl HttpText {
    pub(crate) fn refuse_unsupported(&self) -> Result<(), String> {
        let unsupported =
            [("oauth2", self.oauth2.is_some()), ("proxy_connect_header", self.proxy_connect_header.is_some())];
        match unsupported.iter().find(|(_, said)| *said) {
            Some((name, _)) => Err(format!("{name} is not supported")),
            None => Ok(()),
        }
    }
}

/// `basic_auth`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicAuthText {
    pub(crate) username: Option<String>,
    pub(crate) username_file: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) password_file: Option<String>,
}

/// `authorization`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizationText {
    #[serde(rename = "type")]
    pub(crate) scheme: Option<String>,
    pub(crate) credentials: Option<String>,
    pub(crate) credentials_file: Option<String>,
}

/// `tls_config`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsText {
    pub(crate) ca: Option<String>,
    pub(crate) ca_file: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) cert_file: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) key_file: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) insecure_skip_verify: Option<bool>,
    pub(crate) min_version: Option<String>,
    pub(crate) max_version: Option<String>,
}

/// A header of `http_headers`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderText {
    pub(crate) values: Option<Vec<String>>,
    pub(crate) secrets: Option<Vec<String>>,
    pub(crate) files: Option<Vec<String>>,
}

/// `file_sd_configs`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSdText {
    pub(crate) files: Option<Vec<String>>,
    pub(crate) refresh_interval: Option<String>,
}

/// `http_sd_configs`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSdText {
    pub(crate) url: Option<String>,
    pub(crate) refresh_interval: Option<String>,

    basic_auth: Option<BasicAuthText>,
    authorization: Option<AuthorizationText>,
    oauth2: Other,
    bearer_token: Option<String>,
    bearer_token_file: Option<String>,
    tls_config: Option<TlsText>,
    follow_redirects: Option<bool>,
    enable_http2: Option<bool>,
    proxy_url: Option<String>,
    no_proxy: Option<String>,
    proxy_from_environment: Option<bool>,
    proxy_connect_header: Other,
    http_headers: Option<BTreeMap<String, HeaderText>>,
}

impl HttpSdText {
    /// Takes the settings of HTTP out.
    pub(crate) fn take_http(&mut self) -> HttpText {
        HttpText {
            basic_auth: self.basic_auth.take(),
            authorization: self.authorization.take(),
            oauth2: self.oauth2.take(),
            bearer_token: self.bearer_token.take(),
            bearer_token_file: self.bearer_token_file.take(),
            tls_config: self.tls_config.take(),
            follow_redirects: self.follow_redirects.take(),
            enable_http2: self.enable_http2.take(),
            proxy_url: self.proxy_url.take(),
            no_proxy: self.no_proxy.take(),
            proxy_from_environment: self.proxy_from_environment.take(),
            proxy_connect_header: self.proxy_connect_header.take(),
            http_headers: self.http_headers.take(),
        }
    }
}

/// A rule of relabelling.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleConfigText {
    source_labels: Option<Vec<String>>,
    separator: Option<String>,
    regex: Option<String>,
    modulus: Option<u64>,
    target_label: Option<String>,
    replacement: Option<String>,
    action: Option<String>,
}

impl From<RuleConfigText> for RuleText {
    fn from(text: RuleConfigText) -> Self {
        Self {
            source_labels: text.source_labels.unwrap_or_default(),
            separator: text.separator,
            regex: text.regex,
            modulus: text.modulus,
            target_label: text.target_label,
            replacement: text.replacement,
            action: text.action,
        }
    }
}
