//! The command line. What is built appears here; what is not built is absent.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::FlagSetting;

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

/// How a query's answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For people
    Table,
    /// An array of objects
    Json,
    /// One object per line
    Ndjson,
    /// With a header
    Csv,
    /// Arrow IPC stream
    Arrow,
    /// One Parquet file
    Parquet,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `grid query`.
#[derive(Debug, ClapArgs)]
pub(crate) struct QueryArgs {
    /// The statement; `-` reads it from stdin
    pub(crate) sql: String,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = AnswerFormat::Table)]
    pub(crate) output: AnswerFormat,
    /// Values for $1, $2, ... (JSON; plain words are text)
    #[arg(long = "param", value_name = "VALUE")]
    pub(crate) params: Vec<String>,
    /// Give up after this long, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = crate::unit::parse_duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Show charges as their bills were known at a time: RFC 3339, a date, seconds since 1970, now-30d
    #[arg(long, value_name = "TIME")]
    pub(crate) bills_as_of: Option<String>,
    /// Where the data is
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// How an answer to PromQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromqlFormat {
    /// For people
    Table,
    /// As Prometheus' API answers
    Json,
    /// One sample per line
    Csv,
}

/// `grid promql`.
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "A metric that has the name of a command is asked for with braces: 'test{}'."
)]
pub(crate) struct PromqlArgs {
    /// Other things to do.
    #[command(subcommand)]
    pub(crate) command: Option<PromqlCommand>,
    /// The expression; `-` reads it from stdin
    #[arg(required = true, value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) expr: Option<String>,
    /// At one time: RFC 3339, a date, seconds since 1970, `now`, `now-1h` [default: now]
    #[arg(long, value_name = "TIME", conflicts_with_all = ["start", "end", "step"])]
    pub(crate) time: Option<String>,
    /// At the steps of a range that begins at this time
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Where the range ends [default: now]
    #[arg(long, value_name = "TIME", requires = "start")]
    pub(crate) end: Option<String>,
    /// Time between two steps, such as 30s [default: a 250th of the range]
    #[arg(long, value_name = "DURATION", requires = "start", value_parser = crate::unit::parse_duration)]
    pub(crate) step: Option<std::time::Duration>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = PromqlFormat::Table)]
    pub(crate) output: PromqlFormat,
    /// Give up after this long, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = crate::unit::parse_duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Where the data is
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid promql VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum PromqlCommand {
    /// Run files in the grammar of Prometheus' language tests (promqltest), all features on
    Test {
        /// Files to run
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `grid rules VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Whether rule files can be used: all problems with their places; exits with 1 if there is an error
    Check(RulesCheckArgs),
    /// Run promtool's unit test files; exits with 1 if anything is not as expected
    Test(RulesTestArgs),
}

/// `grid rules check`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RulesCheckArgs {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Exit with 3 if rules are only doubtful
    #[arg(long)]
    pub(crate) lint_fatal: bool,
    /// Do not look for doubtful rules
    #[arg(long, conflicts_with = "lint_fatal")]
    pub(crate) no_lint: bool,
    /// Pass over fields that nobody knows
    #[arg(long)]
    pub(crate) ignore_unknown_fields: bool,
    /// Parts of PromQL that are off by default, by Prometheus' names; may be repeated
    #[arg(long, value_name = "LIST")]
    pub(crate) enable_feature: Vec<String>,
}

/// `grid rules test`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RulesTestArgs {
    /// Files to run
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only tests whose names match this pattern; may be repeated
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Vec<String>,
    /// Pass over fields that nobody knows
    #[arg(long)]
    pub(crate) ignore_unknown_fields: bool,
    /// Parts of PromQL that are off by default, by Prometheus' names; may be repeated
    #[arg(long, value_name = "LIST")]
    pub(crate) enable_feature: Vec<String>,
}

/// How an answer about a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FilesFormat {
    /// With a header
    Csv,
    /// An array of objects
    Json,
}

/// `grid detect`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DetectArgs {
    /// CSV with a time and a value per row, in order of time; empty values are gaps
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// As for a million series: without comparing with figures of the past
    #[arg(long, conflicts_with = "changes")]
    pub(crate) cheap: bool,
    /// Find the points from which level or slope are others for good, looking at the whole series
    #[arg(long)]
    pub(crate) changes: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = FilesFormat::Csv)]
    pub(crate) output: FilesFormat,
}

/// `grid forecast`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ForecastArgs {
    /// CSV with one series per row: its name, then its values in order; empty cells are gaps
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Steps ahead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) horizon: u32,
    /// Values per season, such as 24 for hours of a day; 1 if there is none that you know of [default: looked for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) season: Option<u32>,
    /// Percent of the future values that the interval is to hold
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = percent)]
    pub(crate) level: f64,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = FilesFormat::Csv)]
    pub(crate) output: FilesFormat,
}

/// `grid backtest`.
#[derive(Debug, Subcommand)]
pub(crate) enum BacktestCommand {
    /// Anomalies: alerts against the marks of a column `label`, or against faults that are put in
    Detect(BacktestFile),
    /// Forecasts from points of the past, against what came after and against the last season repeated
    Forecast(BacktestForecast),
    /// Limits decided every hour: what they leave unused, how often they are passed
    Rightsize(BacktestFile),
    /// Capacity decided five minutes before it serves: what it costs, what it leaves unserved
    Scale(BacktestFile),
}

/// `grid backtest detect|rightsize|scale`.
#[derive(Debug, ClapArgs)]
pub(crate) struct BacktestFile {
    /// CSV with a time and a value per row, in order of time
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = FilesFormat::Csv)]
    pub(crate) output: FilesFormat,
}

/// `grid backtest forecast`.
#[derive(Debug, ClapArgs)]
pub(crate) struct BacktestForecast {
    /// CSV with one series per row as for `grid forecast`, or with a time and a value per row
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Steps ahead
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) horizon: u32,
    /// Values per season [default: looked for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) season: Option<u32>,
    /// Percent of the future values that the interval is to hold
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = percent)]
    pub(crate) level: f64,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = FilesFormat::Csv)]
    pub(crate) output: FilesFormat,
}

/// `grid patterns`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PatternsArgs {
    /// Lines of text
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The templates with how many lines each has, instead of the template of each line
    #[arg(long)]
    pub(crate) summary: bool,
    /// How the answer is written; JSON is the templates
    #[arg(short, long, value_enum, default_value_t = FilesFormat::Csv)]
    pub(crate) output: FilesFormat,
}

/// A level of an interval.
fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (50.0..=99.9).contains(&value) { Ok(value) } else { Err("an interval has 50 to 99.9 percent".to_owned()) }
}

/// `grid import KIND`.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportKind {
    /// Bills: FOCUS 1.0-1.4, AWS CUR, Azure cost details, Google Cloud billing exports, and others by a mapping
    Bill(BillArgs),
    /// Price lists: AWS offer files, Azure retail prices, ec2instances.info, one's own CSV, ...
    Prices(PricesArgs),
    /// Metrics: OpenMetrics or Prometheus text, OTLP JSON lines
    Metrics(ImportArgs),
    /// Logs: OTLP JSON lines, JSON lines, plain lines
    Logs(LogsArgs),
    /// Traces: OTLP JSON lines
    Traces(ImportArgs),
}

/// `grid import logs`.
#[derive(Debug, ClapArgs)]
pub(crate) struct LogsArgs {
    /// Files and flags of every kind
    #[command(flatten)]
    pub(crate) common: ImportArgs,
    /// The service of lines [default: what JSON lines name; of plain lines the file's name up to its first dot]
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
}

/// What `grid import bill` reads.
const BILL_FORMATS: &str = "\
Formats, known by their content:
  focus    FOCUS 1.0 to 1.4
  aws-cur  AWS Cost and Usage Report, legacy and 2.0
  azure    Azure cost details: actual and amortized, EA, MCA and pay-as-you-go
  gcp      Google Cloud billing export to BigQuery, standard and detailed
  any other bill by --mapping FILE.toml
as CSV, JSON lines (both gzipped or not) or Parquet; the manifest of an AWS or Microsoft export; a folder or s3://BUCKET/PREFIX
of exports, of which the newest version of each period is taken.";

/// `grid import bill`.
#[derive(Debug, ClapArgs)]
#[command(after_help = BILL_FORMATS)]
pub(crate) struct BillArgs {
    /// Files and flags of every kind
    #[command(flatten)]
    pub(crate) common: ImportArgs,
    /// The export's name; with --restate, bills of one dataset replace each other [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Replace what earlier imports said about the same accounts and periods
    #[arg(long)]
    pub(crate) restate: bool,
    /// What the columns of a bill mean that Grid does not know
    #[arg(long, value_name = "FILE.toml", conflicts_with = "format")]
    pub(crate) mapping: Option<PathBuf>,
    /// Look at the folder or bucket again every so many seconds, and import what is new, until stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) watch: Option<u64>,
}

/// `grid import prices`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PricesArgs {
    /// Files and flags of every kind
    #[command(flatten)]
    pub(crate) common: ImportArgs,
    /// The book's name; a book of that name is replaced [default: the file's name without date and ending]
    #[arg(long, value_name = "NAME")]
    pub(crate) book: Option<String>,
    /// When the list was published [default: what the list or the file's name says]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
}

/// `grid prices`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PriceArgs {
    /// What is priced: a type of machine or other resource, such as m5.large
    #[arg(value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// aws, azure, gcp, ...
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// The provider's code of the service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// The region
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// on-demand, spot, reserved, savings-plan, committed-use
    #[arg(long, value_name = "OPTION")]
    pub(crate) option: Option<String>,
    /// The book
    #[arg(long, value_name = "NAME")]
    pub(crate) book: Option<String>,
    /// Prices that your own bills show, instead of listed ones
    #[arg(long, conflicts_with = "book")]
    pub(crate) effective: bool,
    /// Most prices shown
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    pub(crate) target: TargetArgs,
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

/// Flags of every import.
#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Files to read; all files of one command are one import
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The format, or `auto`
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub(crate) format: String,
    /// Read and reconcile, store nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// How the report is written
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) output: ReportFormat,
    /// Where the data goes
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is printed once and kept only as a hash
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do, comma-separated: ingest, query, admin
        #[arg(long, visible_alias = "scopes", value_delimiter = ',', default_value = "ingest,query")]
        scope: Vec<String>,
        /// How long it is valid, such as 90d [default: until revoked]
        #[arg(long, visible_alias = "expires", value_name = "DURATION", value_parser = crate::unit::parse_duration)]
        ttl: Option<std::time::Duration>,
        /// How the answer is written
        #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
        output: ReportFormat,
        /// Whose token, and where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Show all tokens, without their secrets
    List {
        /// How the answer is written
        #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
        output: ReportFormat,
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// End a token
    Revoke {
        /// Its id, from `grid token list`
        id: String,
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
}

/// `grid retention`.
#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Keep rows of a table this long, such as 30d; `forever` lifts the bound
    Set {
        /// samples, logs, spans, exemplars, charges
        table: String,
        /// How long
        keep: String,
        /// Whose rows, and where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Show what is set
    Show {
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Delete now what is too old
    Run {
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
}

/// `grid delete`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DeleteArgs {
    /// samples, logs, spans, exemplars or charges
    pub(crate) table: String,
    /// Which rows, as in WHERE: "service = 'checkout' and time < '2026-01-01'"
    #[arg(long = "where", value_name = "FILTER")]
    pub(crate) filter: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Whose rows, and where
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid compact`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompactArgs {
    /// Where
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid backup`.
#[derive(Debug, ClapArgs)]
pub(crate) struct BackupArgs {
    /// The folder to make; it must not exist or be empty. A running server makes it in its own folder for backups, so
    /// there this is a name
    pub(crate) to: PathBuf,
    /// Of what
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid restore`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RestoreArgs {
    /// The backup's folder
    pub(crate) from: PathBuf,
    /// The data directory to make; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// `grid doctor`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Repair what can be repaired without losing data
    #[arg(long)]
    pub(crate) fix: bool,
    /// Write the findings, the settings and the versions to a file, for a bug report; no data, no secrets
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// How the findings are written
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) output: ReportFormat,
    /// Where to look
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `grid config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting as TOML
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
        /// Flags of `serve`, to see what they would change
        #[command(flatten)]
        serve: ServeArgs,
    },
}

/// `grid export`.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportKind {
    /// Charges of all bills as FOCUS 1.4
    Focus(FocusArgs),
}

/// `grid export focus`.
#[derive(Debug, ClapArgs)]
pub(crate) struct FocusArgs {
    /// The file to write; `-` is stdout
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// The data set
    #[arg(long, value_enum, default_value_t = FocusSet::CostAndUsage)]
    pub(crate) set: FocusSet,
    /// Charges of imports of this dataset only
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Charges whose period begins at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Charges whose period begins before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// The version of FOCUS
    #[arg(long, value_name = "VERSION", default_value = "1.4", value_parser = ["1.4"])]
    pub(crate) version: String,
    /// Further columns of the source too, as columns x_...
    #[arg(long)]
    pub(crate) x_columns: bool,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = FileFormat::Csv)]
    pub(crate) output: FileFormat,
    /// Where the data is
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// Data sets of FOCUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FocusSet {
    /// One row per charge
    CostAndUsage,
    /// One row per billing period and invoice issuer
    BillingPeriod,
    /// One row per line of an invoice
    InvoiceDetail,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Text
    Csv,
    /// Columns
    Parquet,
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
