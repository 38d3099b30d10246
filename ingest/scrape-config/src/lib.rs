//! What a `prometheus.yml` says about scraping, and the pure half of doing it: which labels a target has, which labels its
//! samples have, what relabelling makes of both.
//!
//! Entry points: [`Config::parse`], [`target::populate`], [`sample_labels::mutate`]. Reading order: [`config`], [`relabel`],
//! [`target`], [`sample_labels`], then [`groups`] and [`duration`].
//!
//! The behaviour is that of Prometheus 3.5 (`config/config.go`, `model/relabel/relabel.go`, `scrape/target.go`,
//! `scrape/scrape.go`), found out from its documentation and by comparison with the real one.
//!
//! Architecture invariants:
//! - No IO, no clock, no async: files that a configuration names are read by whoever holds it.
//! - A setting of Prometheus that is not built is refused by its name, never silently dropped; what has nothing to do with
//!   scraping is listed in [`Config::ignored`].
//! - Secrets are not shown by `Debug`.

pub mod config;
pub mod relabel;
pub mod target;
pub mod sample_labels;
pub mod groups;
pub mod duration;
mod http;
mod labels;
mod schema;

pub use config::{Config, ConfigError, NameValidation, SampleLimits, ScrapeConfig, ScrapeProtocol};
pub use groups::TargetGroup;
pub use http::{Auth, Header, HttpConfig, ProxyConfig, Secret, SecretSource, TlsConfig};
pub use labels::LabelMap;
