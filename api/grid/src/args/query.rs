//! What asks: SQL, PromQL, rules.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::TargetArgs;

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
