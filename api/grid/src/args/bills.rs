//! What is brought in and out by file: telemetry, bills, prices, FOCUS.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::{ListFormat, ReportFormat, TargetArgs};

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
