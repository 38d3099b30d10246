//! A checked `prometheus.yml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::duration;
use crate::groups::{self, TargetGroup};
use crate::http::HttpConfig;
use crate::labels::is_legacy_label_name;
use crate::relabel::Rule;
use crate::schema::{FileText, GlobalText, RuleConfigText, ScrapeFileText, ScrapeText};
use crate::target::check_address;

/// How many jobs one configuration may hold.
const JOBS_MAX: usize = 10_000;

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not YAML, a key that Prometheus does not know, or a value of another type; the text shows the place.
    #[error("{0}")]
    Yaml(String),
    /// A value that makes no sense, or something that is not built.
    #[error("{place}: {what}")]
    Value {
        /// The job or section.
        place: String,
        /// What is wrong.
        what: String,
    },
}

/// What a `prometheus.yml` says about scraping.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The jobs, in order.
    pub jobs: Vec<ScrapeConfig>,
    /// Patterns of further files that hold jobs (`scrape_config_files`); see [`Config::add_file`].
    pub files: Vec<PathBuf>,
    /// Sections that are there and have nothing to do with scraping.
    pub ignored: Vec<&'static str>,
    global: Defaults,
}

/// What jobs inherit.
#[derive(Debug, Clone, PartialEq)]
struct Defaults {
    interval: Duration,
    timeout: Option<Duration>,
    protocols: Option<Vec<ScrapeProtocol>>,
    native_histograms: bool,
    classic_histograms: bool,
    limits: SampleLimits,
    target_limit: usize,
    keep_dropped_targets: usize,
    validation: NameValidation,
    escaping: Escaping,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            timeout: None,
            protocols: None,
            native_histograms: false,
            classic_histograms: false,
            limits: SampleLimits::default(),
            target_limit: 0,
            keep_dropped_targets: 0,
            validation: NameValidation::Utf8,
            escaping: Escaping::AllowUtf8,
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeConfig {
    /// `job_name`.
    pub job_name: String,
    /// How often a target is scraped, unless a label says otherwise.
    pub interval: Duration,
    /// How long a scrape may take, unless a label says otherwise.
    pub timeout: Duration,
    /// The path, unless a label says otherwise.
    pub metrics_path: String,
    /// `http` or `https`, unless a label says otherwise.
    pub scheme: String,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether exposed labels win over the target's.
    pub honor_labels: bool,
    /// Whether exposed times are kept.
    pub honor_timestamps: bool,
    /// Whether series with exposed times get stale markers too.
    pub track_timestamps_staleness: bool,
    /// Formats to ask for, best first.
    pub protocols: Vec<ScrapeProtocol>,
    /// What a body is that does not say so.
    pub fallback_protocol: Option<ScrapeProtocol>,
    /// Whether native histograms are taken; else only the classic part of a histogram in protobuf.
    pub native_histograms: bool,
    /// Whether the classic part of a native histogram is taken too.
    pub classic_histograms: bool,
    /// Whether targets may answer with gzip.
    pub compression: bool,
    /// Bounds on one scrape.
    pub limits: SampleLimits,
    /// How many targets the job may have after relabelling; 0 = any number.
    pub target_limit: usize,
    /// How many dropped targets are remembered; 0 = any number.
    pub keep_dropped_targets: usize,
    /// Which names are allowed.
    pub validation: NameValidation,
    /// How targets shall write names that are not of the legacy scheme.
    pub escaping: Escaping,
    /// How requests are made.
    pub http: HttpConfig,
    /// Rules for targets.
    pub relabel: Vec<Rule>,
    /// Rules for samples.
    pub metric_relabel: Vec<Rule>,
    /// `static_configs`.
    pub static_groups: Vec<TargetGroup>,
    /// `file_sd_configs`.
    pub file_sd: Vec<FileSd>,
    /// `http_sd_configs`.
    pub http_sd: Vec<HttpSd>,
}

/// Bounds on one scrape; 0 = none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleLimits {
    /// Bytes of the inflated body.
    pub body_bytes: u64,
    /// Samples after relabelling.
    pub samples: usize,
    /// Labels per sample.
    pub labels: usize,
    /// Bytes of a label's name.
    pub label_name_bytes: usize,
    /// Bytes of a label's value.
    pub label_value_bytes: usize,
}

/// Files that list targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSd {
    /// Paths; the last part may hold `*`.
    pub files: Vec<PathBuf>,
    /// How often they are read even if they look unchanged.
    pub refresh: Duration,
}

/// A URL that lists targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSd {
    /// The URL.
    pub url: String,
    /// How often it is asked.
    pub refresh: Duration,
    /// How requests are made.
    pub http: HttpConfig,
}

/// Which metric and label names are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameValidation {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    Legacy,
}

/// How a target shall write names beyond the legacy scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// As they are.
    #[default]
    AllowUtf8,
    /// With underscores for what is not allowed.
    Underscores,
    /// The same, with dots as `_dot_`.
    Dots,
    /// As `U__` and code points.
    Values,
}

impl Escaping {
    fn parse(word: &str) -> Option<Self> {
        let all = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];
        all.into_iter().find(|e| e.as_str() == word)
    }

    /// The value of the parameter `escaping`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

/// A format in which targets can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrapeProtocol {
    /// Delimited protobuf messages.
    Protobuf,
    /// OpenMetrics 1.0.0.
    OpenMetrics1,
    /// OpenMetrics 0.0.1.
    OpenMetrics0,
    /// Prometheus text 1.0.0.
    Text1,
    /// Prometheus text 0.0.4.
    Text0,
}

impl ScrapeProtocol {
    const ALL: [(&str, Self); 5] = [
        ("PrometheusProto", Self::Protobuf),
        ("OpenMetricsText1.0.0", Self::OpenMetrics1),
        ("OpenMetricsText0.0.1", Self::OpenMetrics0),
        ("PrometheusText1.0.0", Self::Text1),
        ("PrometheusText0.0.4", Self::Text0),
    ];
    const DEFAULT: [Self; 4] = [Self::OpenMetrics1, Self::OpenMetrics0, Self::Text1, Self::Text0];
    const WITH_NATIVE: [Self; 5] = [Self::Protobuf, Self::OpenMetrics1, Self::OpenMetrics0, Self::Text1, Self::Text0];

    fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|(w, _)| w).join(", ");
        let found = Self::ALL.into_iter().find(|(w, _)| *w == word).map(|(_, p)| p);
        found.ok_or_else(|| format!("unknown scrape protocol {word:?}, known are {}", known()))
    }
}

impl ScrapeConfig {
    /// The request's `Accept` header: the protocols with falling weights, and whatever else at the lowest.
    pub fn accept_header(&self) -> String {
        let escaping = self.escaping.as_str();
        // One above the number of protocols there are, as Prometheus counts.
        let mut weight = ScrapeProtocol::ALL.len() + 1;
        let mut parts = Vec::new();
        for protocol in &self.protocols {
            let media = match protocol {
                ScrapeProtocol::Protobuf => "application/vnd.google.protobuf;\
                     proto=io.prometheus.client.MetricFamily;encoding=delimited"
                    .to_owned(),
                ScrapeProtocol::OpenMetrics1 => {
                    format!("application/openmetrics-text;version=1.0.0;escaping={escaping}")
                }
                ScrapeProtocol::OpenMetrics0 => "application/openmetrics-text;version=0.0.1".to_owned(),
                ScrapeProtocol::Text1 => format!("text/plain;version=1.0.0;escaping={escaping}"),
                ScrapeProtocol::Text0 => "text/plain;version=0.0.4".to_owned(),
            };
            parts.push(format!("{media};q=0.{weight}"));
            weight -= 1;
        }
        parts.push(format!("*/*;q=0.{weight}"));
        parts.join(",")
    }
}

impl Config {
    /// Reads and checks a configuration. `base`: the folder of its file, to which relative paths belong.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let file: Option<FileText> = serde_saphyr::from_str(text).map_err(|e| ConfigError::Yaml(e.to_string()))?;
        let file = file.unwrap_or_default();
        let mut config = Self { ignored: file.ignored(), ..Self::default() };
        let global = file.global.unwrap_or_default();
        config.global = Defaults::of(global).map_err(|what| ConfigError::Value { place: "global".to_owned(), what })?;
        config.files = file.scrape_config_files.unwrap_or_default().into_iter().map(|f| base.join(f)).collect();
        config.add(file.scrape_configs.unwrap_or_default(), base)?;
        Ok(config)
    }

    /// Adds the jobs of one file of [`Config::files`].
    pub fn add_file(&mut self, text: &str, base: &Path) -> Result<(), ConfigError> {
        let file: Option<ScrapeFileText> =
            serde_saphyr::from_str(text).map_err(|e| ConfigError::Yaml(e.to_string()))?;
        self.add(file.unwrap_or_default().scrape_configs.unwrap_or_default(), base)
    }

    fn add(&mut self, jobs: Vec<ScrapeText>, base: &Path) -> Result<(), ConfigError> {
        let mut names: BTreeSet<String> = self.jobs.iter().map(|j| j.job_name.clone()).collect();
        for (i, text) in jobs.into_iter().enumerate() {
            let name = text.job_name.clone().unwrap_or_default();
            let place =
                if name.is_empty() { format!("scrape_configs[{i}]") } else { format!("scrape config {name:?}") };
            let refuse = |what: String| ConfigError::Value { place: place.clone(), what };
            if name.is_empty() {
                return Err(refuse("it has no job_name".to_owned()));
            }
            if !names.insert(name) {
                return Err(refuse("there is another job of this name".to_owned()));
            }
            if self.jobs.len() >= JOBS_MAX {
                return Err(refuse(format!("there are more than {JOBS_MAX} jobs")));
            }
            self.jobs.push(self.global.job(text, base).map_err(refuse)?);
        }
        Ok(())
    }
}

impl Defaults {
    fn of(text: GlobalText) -> Result<Self, String> {
        let none = Self::default();
        refuse_conversion(text.convert_classic_histograms_to_nhcb)?;
        let validation = validation(text.metric_name_validation_scheme.as_deref())?.unwrap_or_default();
        Ok(Self {
            interval: interval(text.scrape_interval)?.unwrap_or(none.interval),
            timeout: interval(text.scrape_timeout)?,
            protocols: protocols(text.scrape_protocols)?,
            native_histograms: text.scrape_native_histograms.unwrap_or(false),
            classic_histograms: text.always_scrape_classic_histograms.unwrap_or(false),
            limits: SampleLimits {
                body_bytes: bytes(text.body_size_limit)?.unwrap_or(0),
                samples: size(text.sample_limit),
                labels: size(text.label_limit),
                label_name_bytes: size(text.label_name_length_limit),
                label_value_bytes: size(text.label_value_length_limit),
            },
            target_limit: size(text.target_limit),
            keep_dropped_targets: size(text.keep_dropped_targets),
            validation,
            escaping: escaping(text.metric_name_escaping_scheme.as_deref(), validation)?
                .unwrap_or(default_escaping(validation)),
        })
    }

    fn job(&self, mut text: ScrapeText, base: &Path) -> Result<ScrapeConfig, String> {
        if let Some(kind) = text.unsupported_discovery().first() {
            return Err(format!("{kind} is not supported; list the targets by file_sd_configs or http_sd_configs"));
        }
        refuse_conversion(text.convert_classic_histograms_to_nhcb)?;
        if text.native_histogram_bucket_limit.unwrap_or(0) > 0 {
            return Err("native_histogram_bucket_limit is not supported".to_owned());
        }
        if text.native_histogram_min_bucket_factor.unwrap_or(0.0) > 0.0 {
            return Err("native_histogram_min_bucket_factor is not supported".to_owned());
        }
        let path_of = |file: String| base.join(file);
        let (interval, timeout) = self.times(&mut text)?;
        let scheme = text.scheme.take().filter(|s| !s.is_empty()).unwrap_or_else(|| "http".to_owned());
        if scheme != "http" && scheme != "https" {
            return Err(format!("scheme {scheme:?} is neither http nor https"));
        }
        let validation = validation(text.metric_name_validation_scheme.as_deref())?.unwrap_or(self.validation);
        let escaping = escaping(text.metric_name_escaping_scheme.as_deref(), validation)?
            .unwrap_or(if validation == self.validation { self.escaping } else { default_escaping(validation) });
        let native_histograms = text.scrape_native_histograms.unwrap_or(self.native_histograms);
        let said = protocols(text.scrape_protocols.take())?.or_else(|| self.protocols.clone());
        let protocols = said.unwrap_or_else(|| {
            if native_histograms { ScrapeProtocol::WITH_NATIVE.to_vec() } else { ScrapeProtocol::DEFAULT.to_vec() }
        });
        let static_groups = groups::checked(text.static_configs.take().unwrap_or_default())?;
        for address in static_groups.iter().flat_map(|g| &g.targets) {
            check_address(address)?;
        }
        let mut file_sd = Vec::new();
        for sd in text.file_sd_configs.take().unwrap_or_default() {
            file_sd.push(file_discovery(sd.files.unwrap_or_default(), sd.refresh_interval, base)?);
        }
        let mut http_sd = Vec::new();
        for mut sd in text.http_sd_configs.take().unwrap_or_default() {
            let url = sd.url.take().unwrap_or_default();
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(format!("http_sd_configs: {url:?} is not an http:// or https:// URL"));
            }
            let refresh = self::interval(sd.refresh_interval.take())?.unwrap_or(Duration::from_secs(60));
            http_sd.push(HttpSd { url, refresh, http: HttpConfig::of(sd.take_http(), &path_of)? });
        }
        let or = |said: Option<u64>, inherited: usize| said.filter(|n| *n > 0).map_or(inherited, |n| size(Some(n)));
        let limits = SampleLimits {
            body_bytes: bytes(text.body_size_limit.take())?.filter(|n| *n > 0).unwrap_or(self.limits.body_bytes),
            samples: or(text.sample_limit, self.limits.samples),
            labels: or(text.label_limit, self.limits.labels),
            label_name_bytes: or(text.label_name_length_limit, self.limits.label_name_bytes),
            label_value_bytes: or(text.label_value_length_limit, self.limits.label_value_bytes),
        };
        let classic = text.always_scrape_classic_histograms.or(text.scrape_classic_histograms);
        let fallback = text.fallback_scrape_protocol.take();
        Ok(ScrapeConfig {
            http: HttpConfig::of(text.take_http(), &path_of)?,
            job_name: text.job_name.unwrap_or_default(),
            interval,
            timeout,
            metrics_path: text.metrics_path.filter(|p| !p.is_empty()).unwrap_or_else(|| "/metrics".to_owned()),
            scheme,
            params: text.params.unwrap_or_default(),
            honor_labels: text.honor_labels.unwrap_or(false),
            honor_timestamps: text.honor_timestamps.unwrap_or(true),
            track_timestamps_staleness: text.track_timestamps_staleness.unwrap_or(false),
            // Whoever asks for protobuf gets what only protobuf has.
            native_histograms: native_histograms || protocols.contains(&ScrapeProtocol::Protobuf),
            protocols,
            fallback_protocol: fallback.map(|word| ScrapeProtocol::parse(&word)).transpose()?,
            classic_histograms: classic.unwrap_or(self.classic_histograms),
            compression: text.enable_compression.unwrap_or(true),
            limits,
            target_limit: or(text.target_limit, self.target_limit),
            keep_dropped_targets: or(text.keep_dropped_targets, self.keep_dropped_targets),
            validation,
            escaping,
            relabel: rules("relabel_configs", text.relabel_configs, validation)?,
            metric_relabel: rules("metric_relabel_configs", text.metric_relabel_configs, validation)?,
            static_groups,
            file_sd,
            http_sd,
        })
    }

    fn times(&self, text: &mut ScrapeText) -> Result<(Duration, Duration), String> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        let interval = interval(text.scrape_interval.take())?.unwrap_or(self.interval);
        let inherited = self.timeout.unwrap_or(TIMEOUT).min(interval);
        let timeout = self::interval(text.scrape_timeout.take())?.unwrap_or(inherited);
        if timeout > interval {
            let (timeout, interval) = (duration::format(timeout), duration::format(interval));
            return Err(format!("scrape_timeout {timeout} is longer than scrape_interval {interval}"));
        }
        Ok((interval, timeout))
    }
}

fn refuse_conversion(said: Option<bool>) -> Result<(), String> {
    match said {
        Some(true) => Err("convert_classic_histograms_to_nhcb is not supported".to_owned()),
        _ => Ok(()),
    }
}

fn file_discovery(files: Vec<String>, refresh: Option<String>, base: &Path) -> Result<FileSd, String> {
    if files.is_empty() {
        return Err("file_sd_configs: no files".to_owned());
    }
    for file in &files {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        if folder.contains('*') || name.matches('*').count() > 1 {
            return Err(format!(
                "file_sd_configs: {file:?}: one `*`, in the last part of the path, is all that may be"
            ));
        }
        if ![".json", ".yml", ".yaml"].iter().any(|end| name.ends_with(end)) {
            return Err(format!("file_sd_configs: {file:?} ends in none of .json, .yml, .yaml"));
        }
    }
    let refresh = interval(refresh)?.unwrap_or(Duration::from_secs(300));
    Ok(FileSd { files: files.into_iter().map(|f| base.join(f)).collect(), refresh })
}

fn rules(what: &str, texts: Option<Vec<RuleConfigText>>, validation: NameValidation) -> Result<Vec<Rule>, String> {
    let is_valid: fn(&str) -> bool = match validation {
        NameValidation::Utf8 => |name| !name.is_empty(),
        NameValidation::Legacy => is_legacy_label_name,
    };
    let rules = texts.unwrap_or_default().into_iter().enumerate();
    rules.map(|(i, text)| Rule::new(text.into(), is_valid).map_err(|e| format!("{what}[{i}]: {e}"))).collect()
}

/// A duration above zero; zero means "not said", as in Prometheus.
fn interval(text: Option<String>) -> Result<Option<Duration>, String> {
    text.map(|t| duration::parse(&t)).transpose().map(|d| d.filter(|d| !d.is_zero()))
}

fn size(said: Option<u64>) -> usize {
    usize::try_from(said.unwrap_or(0)).unwrap_or(usize::MAX)
}

fn protocols(words: Option<Vec<String>>) -> Result<Option<Vec<ScrapeProtocol>>, String> {
    let Some(words) = words.filter(|w| !w.is_empty()) else { return Ok(None) };
    let mut found: Vec<ScrapeProtocol> = Vec::new();
    for word in &words {
        let protocol = ScrapeProtocol::parse(word)?;
        if found.contains(&protocol) {
            return Err(format!("scrape_protocols names {word} twice"));
        }
        found.push(protocol);
    }
    Ok(Some(found))
}

fn validation(word: Option<&str>) -> Result<Option<NameValidation>, String> {
    match word {
        None | Some("") => Ok(None),
        Some("utf8") => Ok(Some(NameValidation::Utf8)),
        Some("legacy") => Ok(Some(NameValidation::Legacy)),
        Some(other) => Err(format!("metric_name_validation_scheme {other:?} is neither utf8 nor legacy")),
    }
}

fn default_escaping(validation: NameValidation) -> Escaping {
    if validation == NameValidation::Legacy { Escaping::Underscores } else { Escaping::AllowUtf8 }
}

fn escaping(word: Option<&str>, validation: NameValidation) -> Result<Option<Escaping>, String> {
    let Some(word) = word.filter(|w| !w.is_empty()) else { return Ok(None) };
    let escaping = Escaping::parse(word).ok_or_else(|| format!("unknown metric_name_escaping_scheme {word:?}"))?;
    if escaping == Escaping::AllowUtf8 && validation == NameValidation::Legacy {
        return Err("metric_name_escaping_scheme allow-utf-8 needs metric_name_validation_scheme utf8".to_owned());
    }
    Ok(Some(escaping))
}

/// A size as Prometheus reads it: powers of 1024, with or without the `i`.
fn bytes(text: Option<String>) -> Result<Option<u64>, String> {
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(None) };
    let bad = || format!("{text:?} is not a size (write 10MB)");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let power = match unit.trim().strip_suffix('B').map(|u| u.trim_end_matches('i')) {
        None if unit.is_empty() => 0,
        Some("") => 0,
        Some("K") => 1,
        Some("M") => 2,
        Some("G") => 3,
        Some("T") => 4,
        Some("P") => 5,
        _ => return Err(bad()),
    };
    number.checked_mul(1 << (10 * power)).map(Some).ok_or_else(bad)
}

#[cfg(test)]
mod tests;
