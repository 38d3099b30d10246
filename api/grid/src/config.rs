//! Settings: defaults < TOML file < environment `GRID__SECTION__KEY` < flags. Unknown names are refused, and every mistake
//! is reported at once with its place. Secrets never come by flag: they are read from files or the environment.

mod keys;
mod value;
mod file;
pub(crate) mod report;
pub(crate) mod suggest;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use report::ConfigErrors;
use report::{Mistake, Origin, Place};
use value::Value;

use grid_guard::AuthMode;
use grid_promql_syntax::Features;

pub(crate) use keys::KEYS;

/// Prefix of environment variables that are settings.
const ENVIRONMENT_PREFIX: &str = "GRID__";

const MEMORY_LIMIT: &str = "memory.limit";
/// The least that a server can work with.
const MEMORY_LIMIT_MIN: u64 = 256 << 20;

/// What a flag of the command line says about a setting.
#[derive(Debug, Clone)]
pub(crate) struct FlagSetting {
    /// `section.key`.
    pub(crate) path: &'static str,
    /// The flag as typed, `--listen`.
    pub(crate) flag: &'static str,
    /// The value as typed.
    pub(crate) text: String,
}

/// Everything settings are read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Name and text of the configuration file.
    pub(crate) file: Option<(String, String)>,
    /// Environment variables; those without the prefix are ignored.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags.
    pub(crate) flags: Vec<FlagSetting>,
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    settings: BTreeMap<&'static str, Setting>,
}

#[derive(Debug, Clone)]
struct Setting {
    text: String,
    value: Value,
    origin: Origin,
    place: Place,
}

/// One line of `grid config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `section.key`.
    pub(crate) path: &'static str,
    /// The value as it was written.
    pub(crate) text: String,
    /// Where it came from.
    pub(crate) origin: String,
    /// What it means.
    pub(crate) about: &'static str,
    /// Whether it is written with quotes in TOML.
    pub(crate) quoted: bool,
}

impl Config {
    /// Reads and checks all sources.
    pub(crate) fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let mut mistakes = Vec::new();
        let mut settings = BTreeMap::new();
        for key in KEYS {
            let value = key.kind.read(key.default).expect("defaults are readable, which a test holds");
            let place = Place::Other(Origin::Default);
            settings.insert(key.path, Setting { text: key.default.to_owned(), value, origin: Origin::Default, place });
        }
        if let Some((path, source)) = &sources.file {
            for found in file::read(path, source, &mut mistakes) {
                let origin = Origin::File { path: path.clone(), line: found.excerpt.line };
                if let Ok(value) = found.key.kind.read(&found.text) {
                    let place = Place::File(found.excerpt);
                    settings.insert(found.key.path, Setting { text: found.text, value, origin, place });
                }
            }
        }
        let named = sources.environment.iter().filter_map(|(name, text)| Some((name, environment_path(name)?, text)));
        for (name, path, text) in named {
            let origin = Origin::Environment(name.clone());
            match keys::find(&path) {
                Some(key) => set(&mut settings, key, text, origin, &mut mistakes),
                None => {
                    let hint = suggest::closest(&path, KEYS.iter().map(|k| k.path));
                    let hint = hint.map(|p| format!("did you mean {}?", environment_name(p)));
                    let what = format!("unknown setting `{path}`");
                    mistakes.push(Mistake { what, place: Place::Other(origin), hint });
                }
            }
        }
        for flag in &sources.flags {
            if let Some(key) = keys::find(flag.path) {
                set(&mut settings, key, &flag.text, Origin::Flag(flag.flag.to_owned()), &mut mistakes);
            }
        }
        share_memory(&mut settings);
        let config = Self { settings };
        config.check(&mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors(mistakes)) }
    }

    /// Rules between settings.
    fn check(&self, mistakes: &mut Vec<Mistake>) {
        let mut refuse = |path: &str, what: String, hint: &str| {
            let place = self.settings[path].place.clone();
            mistakes.push(Mistake { what, place, hint: Some(hint.to_owned()) });
        };
        let listeners = ["server.http", "server.otlp_grpc", "server.otlp_http"];
        for (i, path) in listeners.iter().enumerate() {
            let Some(address) = self.address(path) else { continue };
            if grid_guard::bind_policy(address, &self.auth_mode(), self.flag("auth.allow_anonymous")).is_err() {
                refuse(
                    path,
                    format!(
                        "GRID-0130: `{path}` = {address} can be reached from other machines, but everyone may do everything"
                    ),
                    "make a token (`grid token create`) and set auth.mode = \"tokens\", or accept it with --allow-anonymous",
                );
            }
            let taken = listeners[..i].iter().find(|p| self.address(p) == Some(address) && address.port() != 0);
            if let Some(other) = taken {
                refuse(
                    path,
                    format!("`{path}` and `{other}` are the same address, {address}"),
                    "give each its own port",
                );
            }
        }
        for (small, large) in [
            ("guard.body_bytes_max", "guard.inflated_bytes_max"),
            ("guard.inflated_bytes_max", "guard.bodies_bytes_max"),
            ("storage.flush_bytes", "storage.buffer_bytes_max"),
            ("query.query_memory_bytes", "query.memory_bytes"),
        ] {
            if self.number(large) < self.number(small) {
                refuse(large, format!("`{large}` is smaller than `{small}`"), "make it at least as large");
            }
        }
        if self.number(MEMORY_LIMIT) < MEMORY_LIMIT_MIN {
            refuse(MEMORY_LIMIT, format!("`{MEMORY_LIMIT}` is less than 256 MiB"), "give the server at least 256 MiB");
        }
        for path in [
            "storage.flush_interval",
            "query.timeout",
            "promql.lookback_delta",
            "rules.evaluation_interval",
            "guard.body_timeout",
            "telemetry.interval",
        ] {
            if self.duration(path).is_zero() {
                refuse(path, format!("`{path}` is zero"), "give a duration above zero");
            }
        }
        let telemetry = self.text("telemetry.to");
        if telemetry.starts_with("https://") {
            refuse(
                "telemetry.to",
                format!("`telemetry.to`: {telemetry} wants TLS, which the exporter does not speak"),
                "send to a collector on this machine, http://127.0.0.1:4317, and let it speak TLS",
            );
        } else if !["self", "off"].contains(&telemetry) && !telemetry.starts_with("http://") {
            refuse(
                "telemetry.to",
                format!("`telemetry.to`: {telemetry:?} is neither \"self\", \"off\" nor a URL"),
                "write \"http://HOST:4317\" for a collector's gRPC address",
            );
        }
        let own = listeners.iter().filter_map(|p| self.address(p)).map(|a| format!("http://{a}"));
        if own.into_iter().any(|own| own == telemetry.trim_end_matches('/')) {
            refuse("telemetry.to", format!("`telemetry.to`: {telemetry} is this server"), "write \"self\"");
        }
        if let Err(e) = grid_model::TenantId::parse(self.text("scrape.tenant")) {
            refuse("scrape.tenant", format!("`scrape.tenant`: {e}"), "write the tenant's name, or leave it out");
        }
        if let Err(e) = grid_model::TenantId::parse(self.text("rules.tenant")) {
            refuse("rules.tenant", format!("`rules.tenant`: {e}"), "write the tenant's name, or leave it out");
        }
        if let Some(pair) = self.list("rules.external_labels").iter().find(|pair| !pair.contains('=')) {
            let what = format!("`rules.external_labels`: {pair:?} is no label");
            refuse("rules.external_labels", what, "write name=value");
        }
        for path in ["ingest.ha_cluster_label", "ingest.ha_replica_label"] {
            if self.text(path).is_empty() {
                refuse(path, format!("`{path}` is empty"), "write the label's name, or leave it out");
            }
        }
        let words = self.list("promql.enable_feature");
        let (_, unknown) = Features::from_names(words.iter().map(String::as_str));
        if !unknown.is_empty() {
            let what = format!("`promql.enable_feature`: there is no {}", unknown.join(", "));
            let known = format!("there are {}", Features::ALL.names().join(", "));
            refuse("promql.enable_feature", what, &known);
        }
        let url = self.text("storage.object_url");
        if !url.is_empty() && !url.starts_with("s3://") {
            refuse(
                "storage.object_url",
                format!("`storage.object_url`: {url:?} is not an s3:// URL"),
                "write \"s3://BUCKET/PREFIX\"",
            );
        }
        if let Err(e) = self.text("log.filter").parse::<tracing_subscriber::filter::Targets>() {
            refuse(
                "log.filter",
                format!("`log.filter`: {e}"),
                "write for example \"info\" or \"warn,grid_store=debug\"",
            );
        }
    }

    /// Every setting with its value and origin, in the order of [`KEYS`].
    pub(crate) fn show(&self) -> Vec<Shown> {
        let line = |key: &keys::Key| {
            let setting = &self.settings[key.path];
            Shown {
                path: key.path,
                text: setting.text.clone(),
                origin: setting.origin.to_string(),
                about: key.about,
                quoted: !matches!(setting.value, Value::Bool(_)) && setting.text.parse::<u64>().is_err(),
            }
        };
        KEYS.iter().map(line).collect()
    }

    /// Where a setting came from, for messages ("change flag --listen").
    pub(crate) fn origin(&self, path: &str) -> String {
        self.settings[path].origin.to_string()
    }

    /// Where to listen; `None` = off.
    pub(crate) fn address(&self, path: &str) -> Option<SocketAddr> {
        match &self.settings[path].value {
            Value::Address(address) => *address,
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// A duration.
    pub(crate) fn duration(&self, path: &str) -> Duration {
        match &self.settings[path].value {
            Value::Duration(duration) => *duration,
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// A count or a size in bytes.
    pub(crate) fn number(&self, path: &str) -> u64 {
        match &self.settings[path].value {
            Value::Number(number) => *number,
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// A count or a size in bytes as a length.
    pub(crate) fn size(&self, path: &str) -> usize {
        usize::try_from(self.number(path)).unwrap_or(usize::MAX)
    }

    /// Yes or no.
    pub(crate) fn flag(&self, path: &str) -> bool {
        match &self.settings[path].value {
            Value::Bool(flag) => *flag,
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// A text.
    pub(crate) fn text(&self, path: &str) -> &str {
        match &self.settings[path].value {
            Value::Text(text) => text,
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// Words.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        match &self.settings[path].value {
            Value::List(words) => words.clone(),
            other => unreachable!("{path} holds {other:?}"),
        }
    }

    /// Who is let in.
    pub(crate) fn auth_mode(&self) -> AuthMode {
        if self.text("auth.mode") == "tokens" { AuthMode::Tokens } else { AuthMode::Anonymous }
    }

    /// The folder in which data rests.
    pub(crate) fn data_dir(&self) -> PathBuf {
        match &self.settings["storage.data_dir"].value {
            Value::Path(path) => path.clone(),
            other => unreachable!("storage.data_dir holds {other:?}"),
        }
    }
}

/// Gives every setting of memory that nobody set its share of `memory.limit`, if somebody set that.
fn share_memory(settings: &mut BTreeMap<&'static str, Setting>) {
    let limit = match &settings[MEMORY_LIMIT] {
        Setting { origin: Origin::Default, .. } => return,
        Setting { value: Value::Number(limit), .. } => *limit,
        _ => return,
    };
    for (path, parts) in keys::MEMORY_SHARES {
        if settings[path].origin == Origin::Default {
            let (bytes, origin) = (limit / parts, Origin::ShareOf(MEMORY_LIMIT));
            let place = Place::Other(origin.clone());
            settings.insert(path, Setting { text: bytes.to_string(), value: Value::Number(bytes), origin, place });
        }
    }
}

fn set(
    settings: &mut BTreeMap<&'static str, Setting>,
    key: &keys::Key,
    text: &str,
    origin: Origin,
    mistakes: &mut Vec<Mistake>,
) {
    let place = Place::Other(origin.clone());
    match key.kind.read(text) {
        Ok(value) => {
            settings.insert(key.path, Setting { text: text.to_owned(), value, origin, place });
        }
        Err(what) => mistakes.push(Mistake { what: format!("`{}`: {what}", key.path), place, hint: None }),
    }
}

/// `GRID__STORAGE__DATA_DIR` as `storage.data_dir`.
fn environment_path(name: &str) -> Option<String> {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX)?;
    Some(rest.to_ascii_lowercase().replace("__", "."))
}

/// `storage.data_dir` as `GRID__STORAGE__DATA_DIR`.
pub(crate) fn environment_name(path: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests;
