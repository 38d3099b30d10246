//! Log lines on stderr, and the same events towards own telemetry.

use std::io;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::out;
use crate::telemetry::Telemetry;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one object per line.
    Json,
}

impl Format {
    /// From the setting `log.format`.
    pub(crate) fn of_setting(word: &str) -> Self {
        match word {
            "text" => Self::Text,
            "json" => Self::Json,
            _ if out::is_watched() => Self::Text,
            _ => Self::Json,
        }
    }
}

/// Starts logging; may be called once per process.
pub(crate) fn start(format: Format, filter: &str, telemetry: Option<&Telemetry>) {
    let targets: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(out::is_coloured()).with_target(false).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    // A second call (in tests) keeps the first subscriber; logging is no reason to fail.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .with(telemetry.map(Telemetry::layer))
        .try_init();
}

/// Logging of commands that come and go: warnings as text.
pub(crate) fn start_quiet() {
    start(Format::Text, &std::env::var("GRID__LOG__FILTER").unwrap_or_else(|_| "warn".to_owned()), None);
}
