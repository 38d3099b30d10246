//! Models over files: detect, forecast, backtest, patterns.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

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
