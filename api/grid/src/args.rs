//! The command line. What is built appears here; what is not built is absent.

mod query;
mod models;
mod bills;
mod upkeep;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::FlagSetting;

pub(crate) use bills::{
    BillArgs, ExportKind, FileFormat, FocusArgs, FocusSet, ImportArgs, ImportKind, PriceArgs, PricesArgs,
};
pub(crate) use models::{
    BacktestCommand, BacktestFile, BacktestForecast, DetectArgs, FilesFormat, ForecastArgs, PatternsArgs,
};
pub(crate) use query::{
    AnswerFormat, PromqlArgs, PromqlCommand, PromqlFormat, QueryArgs, ReportFormat, RulesCheckArgs, RulesCommand,
    RulesTestArgs,
};
pub(crate) use upkeep::{
    BackupArgs, CompactArgs, ConfigCommand, DeleteArgs, DoctorArgs, RestoreArgs, RetentionCommand, TokenCommand,
};

/// Telemetry, cloud bills and SQL over both, in one binary.
#[derive(Debug, Parser)]
#[command(name = "grid", version, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Args {
    /// Configuration file (TOML); see `grid config show`
    #[arg(long, global = true, env = "GRID_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive telemetry and bills, answer queries
    Serve(ServeArgs),
    /// Seed a small company (metrics, logs, traces, bills) and serve it
    Demo(DemoArgs),
    /// Ask a question in SQL
    Query(QueryArgs),
    /// Ask a question in PromQL, or run Prometheus' language tests
    Promql(PromqlArgs),
    /// Check and test files of alert and recording rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Find what is abnormal in the series of a file
    Detect(DetectArgs),
    /// Forecast the series of a file
    Forecast(ForecastArgs),
    /// Group the lines of a log file by their templates
    Patterns(PatternsArgs),
    /// How good a model would have been on a file of yours
    #[command(subcommand)]
    Backtest(BacktestCommand),
    /// What was unusual in telemetry and costs, and what probably caused it
    Anomalies(crate::cmd::anomalies::AnomaliesArgs),
    /// When disks will be full and budgets spent
    Capacity(crate::cmd::anomalies::FindingArgs),
    /// How things are used: the rhythm of each, which are alike, what drives them
    Usage(crate::cmd::anomalies::FindingArgs),
    /// What to change, what that saves and risks
    Recommend(crate::cmd::recommend::RecommendArgs),
    /// The jobs that find anomalies, forecast and recommend
    Jobs(crate::cmd::anomalies::JobsArgs),
    /// Infrastructure described once: types, specs, files for Terraform
    #[command(subcommand)]
    Resource(crate::cmd::resource::ResourceCommand),
    /// Environments: described once, cloned, compared, promoted, put to sleep
    Env(crate::cmd::env::EnvArgs),
    /// Plans: what has to be done, in which order, why, and what it costs
    Plan(crate::cmd::plan::PlanArgs),
    /// Releases: plans on their way through a queue with gates
    Release(crate::cmd::release::ReleaseArgs),
    /// Scaling policies: kept, and played on a history
    Scale(crate::cmd::scale::ScaleArgs),
    /// Read files: bills, metrics, logs, traces
    #[command(subcommand)]
    Import(ImportKind),
    /// What things cost, who pays, why that changes
    #[command(subcommand)]
    Cost(crate::cmd::cost::CostCommand),
    /// Listed prices, and those that your own bills show
    Prices(PriceArgs),
    /// Write files: charges as data sets of FOCUS
    #[command(subcommand)]
    Export(ExportKind),
    /// Alerts: what fires, silences, webhooks, deliveries
    #[command(subcommand)]
    Alert(crate::cmd::alert::AlertCommand),
    /// Bearer tokens: create, list, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// How long rows are kept, per tenant and table
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Delete rows by a filter
    Delete(DeleteArgs),
    /// Merge small files now
    Compact(CompactArgs),
    /// Copy the data of a directory, consistent and complete
    Backup(BackupArgs),
    /// Make a data directory from a backup
    Restore(RestoreArgs),
    /// Look for what is wrong and say how to fix it
    Doctor(DoctorArgs),
    /// The settings in force and where each came from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Data sources and dashboards for Grafana
    #[command(subcommand)]
    Grafana(GrafanaCommand),
    /// What an error code means and what to do about it
    Explain(ExplainArgs),
    /// Completions for a shell, on stdout
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `grid serve`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Where data rests [default: ./grid-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// API, UI, Prometheus, Loki, OTLP/HTTP [default: 127.0.0.1:7080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// OTLP over gRPC, or `off` [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_grpc: Option<String>,
    /// OTLP over HTTP at its usual port, or `off` [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_http: Option<String>,
    /// Scrape what a prometheus.yml says
    #[arg(long, value_name = "FILE")]
    pub(crate) scrape: Option<String>,
    /// Alert and recording rules: a file, a folder or a pattern; may be repeated
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) rules: Vec<String>,
    /// Tell people of alerts as an alertmanager.yml says
    #[arg(long, value_name = "FILE")]
    pub(crate) alertmanager_config: Option<String>,
    /// Parts of PromQL that are off by default, by Prometheus' names; may be repeated
    #[arg(long, value_name = "LIST")]
    pub(crate) enable_feature: Vec<String>,
    /// Serve beyond loopback without tokens
    #[arg(long)]
    pub(crate) allow_anonymous: bool,
    /// Require a bearer token from everyone
    #[arg(long)]
    pub(crate) require_auth: bool,
}

impl ServeArgs {
    /// The flags as settings.
    pub(crate) fn settings(&self) -> Vec<FlagSetting> {
        let text = |path, flag, value: &Option<String>| {
            value.as_ref().map(|text| FlagSetting { path, flag, text: text.clone() })
        };
        let features = (!self.enable_feature.is_empty()).then(|| self.enable_feature.join(","));
        let rules = (!self.rules.is_empty()).then(|| self.rules.join(","));
        let yes = |path, flag, value: bool| value.then(|| FlagSetting { path, flag, text: "true".to_owned() });
        [
            text("storage.data_dir", "--data-dir", &self.data_dir),
            text("server.http", "--listen", &self.listen),
            text("server.otlp_grpc", "--otlp-grpc", &self.otlp_grpc),
            text("server.otlp_http", "--otlp-http", &self.otlp_http),
            text("scrape.config_file", "--scrape", &self.scrape),
            text("rules.files", "--rules", &rules),
            text("alerting.config", "--alertmanager-config", &self.alertmanager_config),
            text("promql.enable_feature", "--enable-feature", &features),
            yes("auth.allow_anonymous", "--allow-anonymous", self.allow_anonymous),
            self.require_auth.then(|| FlagSetting {
                path: "auth.mode",
                flag: "--require-auth",
                text: "tokens".to_owned(),
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// `grid demo`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Where to listen and where data rests
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// How many days of history
    #[arg(long, default_value_t = crate::demo::DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub(crate) days: u32,
    /// Moves times, sizes and victims
    #[arg(long, default_value_t = crate::demo::DEFAULT_SEED)]
    pub(crate) seed: u64,
    /// When the history ends: a time, or `now`
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) until: String,
    /// Print what is planted in the history, as JSON, and do nothing else
    #[arg(long)]
    pub(crate) facts: bool,
    /// Seed, print the tour, stop
    #[arg(long)]
    pub(crate) exit: bool,
}

/// Where a command finds its data: a server, or a directory that no server holds open. With neither, the server that
/// holds the configured data directory, else that directory itself.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct TargetArgs {
    /// A server, such as http://127.0.0.1:7080
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub(crate) url: Option<String>,
    /// A data directory that no server holds open
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Whose data
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: String,
    /// File with the bearer token (or environment GRID_TOKEN)
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// With a header
    Csv,
}

/// `grid grafana`.
#[derive(Debug, Subcommand)]
pub(crate) enum GrafanaCommand {
    /// Write a provisioning folder: data sources and dashboards
    Export(GrafanaExport),
}

/// `grid grafana export`.
#[derive(Debug, ClapArgs)]
pub(crate) struct GrafanaExport {
    /// The folder to write; files of an earlier export are replaced
    #[arg(long, value_name = "DIR", default_value = "grafana")]
    pub(crate) out: PathBuf,
    /// Where Grafana reaches Grid
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7080")]
    pub(crate) url: String,
    /// Whose data the data source `Grid` shows
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: String,
    /// Variable of Grafana's environment that holds a bearer token
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) token_env: Option<String>,
    /// Where Grafana sees the folder, if not where it was written (a container)
    #[arg(long, value_name = "DIR")]
    pub(crate) mounted_at: Option<PathBuf>,
    /// How often samples come; windows of rates are at least four times as long
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = crate::unit::parse_duration)]
    pub(crate) scrape_interval: std::time::Duration,
}

/// `grid explain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A code such as GRID-0412; without one, all codes are listed
    pub(crate) code: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let args = Args::try_parse_from(["grid", "serve", "--listen", "127.0.0.1:0", "--allow-anonymous"]).unwrap();
        let Command::Serve(serve) = args.command else { panic!("not serve") };
        let settings: Vec<_> = serve.settings().into_iter().map(|s| (s.path, s.flag, s.text)).collect();
        assert_eq!(
            settings,
            [
                ("server.http", "--listen", "127.0.0.1:0".to_owned()),
                ("auth.allow_anonymous", "--allow-anonymous", "true".to_owned())
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            vec!["grid"],
            vec!["grid", "query"],
            vec!["grid", "query", "SELECT 1", "--url", "http://x", "--data-dir", "y"],
            vec!["grid", "import", "bill"],
            vec!["grid", "demo", "--days", "0"],
            vec!["grid", "query", "SELECT 1", "--timeout", "soon"],
            vec!["grid", "serve", "--token", "secret"],
            vec!["grid", "promql"],
            vec!["grid", "promql", "test"],
            vec!["grid", "forecast", "--input", "a.csv"],
            vec!["grid", "forecast", "--input", "a.csv", "--horizon", "3", "--level", "0.95"],
            vec!["grid", "detect", "--input", "a.csv", "--changes", "--cheap"],
            vec!["grid", "backtest", "scale"],
            vec!["grid", "promql", "up", "--step", "30s"],
            vec!["grid", "promql", "up", "--time", "now", "--start", "now-1h"],
        ] {
            assert!(Args::try_parse_from(&bad).is_err(), "{bad:?}");
        }
        for good in [
            vec!["grid", "query", "SELECT 1", "-o", "parquet", "--timeout", "5s"],
            vec!["grid", "import", "bill", "a.csv", "b.csv", "--dataset", "x", "--restate", "--check", "-o", "json"],
            vec!["grid", "promql", "-up", "-o", "csv", "--start", "now-1h", "--step", "30s", "--url", "http://x"],
            vec!["grid", "promql", "test", "a.test", "b.test"],
            vec!["grid", "detect", "--input", "a.csv", "--changes", "-o", "json"],
            vec!["grid", "backtest", "rightsize", "--input", "a.csv"],
            vec!["grid", "backtest", "forecast", "--input", "a.csv", "--horizon", "48", "--season", "24"],
            vec!["grid", "token", "create", "--name", "ci", "--scope", "ingest", "--ttl", "90d"],
            vec!["grid", "demo", "--days", "2", "--seed", "1", "--until", "2026-01-01T00:00:00Z", "--exit"],
        ] {
            if let Err(e) = Args::try_parse_from(&good) {
                panic!("{good:?}: {e}");
            }
        }
    }
}
