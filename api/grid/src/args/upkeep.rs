//! Tokens, how long rows are kept, deleting, copies, and whether all is well.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{ReportFormat, ServeArgs, TargetArgs};

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
