//! The tables. One file = one table: column names, Arrow schema, row builder. [`Table`] is the closed list.
//!
//! All timestamps are nanoseconds, UTC. Columns of type `Map` hold text values; those marked with the field metadata
//! `grid:encoding = json` hold typed attributes as JSON text (see [`crate::attr`]), the others plain text.

pub mod samples;
pub mod series;
pub mod exemplars;
pub mod metadata;
pub mod logs;
pub mod spans;
pub mod charges;
pub mod prices;
pub mod allocations;
pub mod record;
pub mod anomalies;
pub mod forecasts;
pub mod patterns;
pub mod recommendations;
pub mod column;

use arrow_schema::SchemaRef;

/// Every table that rests in Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One sample of one series.
    Samples,
    /// One series, written at its first sight.
    Series,
    /// One exemplar.
    Exemplars,
    /// One statement about a metric's type, help and unit.
    Metadata,
    /// One log record.
    Logs,
    /// One span.
    Spans,
    /// One charge of a bill.
    Charges,
    /// One price of one SKU in one region.
    Prices,
    /// The cost of one owner in one window, derived from charges.
    Allocations,
    /// Something unusual that a job found.
    Anomalies,
    /// A question about the future with its answer.
    Forecasts,
    /// How a thing is used.
    Patterns,
    /// A change that a job proposes.
    Recommendations,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 13] = [
        Self::Samples,
        Self::Series,
        Self::Exemplars,
        Self::Metadata,
        Self::Logs,
        Self::Spans,
        Self::Charges,
        Self::Prices,
        Self::Allocations,
        Self::Anomalies,
        Self::Forecasts,
        Self::Patterns,
        Self::Recommendations,
    ];

    /// The name in SQL, in paths and in the catalog.
    pub fn name(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Series => "series",
            Self::Exemplars => "exemplars",
            Self::Metadata => "metadata",
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Charges => "charges",
            Self::Prices => "prices",
            Self::Allocations => "allocations",
            Self::Anomalies => "anomalies",
            Self::Forecasts => "forecasts",
            Self::Patterns => "patterns",
            Self::Recommendations => "recommendations",
        }
    }

    /// Whether its rows are computed out of other tables, or read from files that replace each other. Such a table is written in
    /// parts, each replaced as a whole, and never appended to nor compacted.
    pub fn is_derived(self) -> bool {
        match self {
            Self::Samples
            | Self::Series
            | Self::Exemplars
            | Self::Metadata
            | Self::Logs
            | Self::Spans
            | Self::Charges => false,
            Self::Prices => true,
            Self::Allocations => true,
            Self::Anomalies | Self::Forecasts | Self::Patterns | Self::Recommendations => true,
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// The schema of rows as they are appended (WAL, buffer).
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Samples => samples::schema(),
            Self::Series => series::schema(),
            Self::Exemplars => exemplars::schema(),
            Self::Metadata => metadata::schema(),
            Self::Logs => logs::schema(),
            Self::Spans => spans::schema(),
            Self::Charges => charges::schema(),
            Self::Prices => prices::schema(),
            Self::Allocations => allocations::schema(),
            Self::Anomalies => anomalies::schema(),
            Self::Forecasts => forecasts::schema(),
            Self::Patterns => patterns::schema(),
            Self::Recommendations => recommendations::schema(),
        }
    }

    /// The schema of rows in Parquet: as appended, and for samples the metric's name in front, by which files are sorted.
    pub fn file_schema(self) -> SchemaRef {
        match self {
            Self::Samples => samples::file_schema(),
            other => other.schema(),
        }
    }

    /// The column that holds a row's time.
    pub fn time_column(self) -> &'static str {
        match self {
            Self::Samples => samples::TIME,
            Self::Series => series::CREATED_TIME,
            Self::Exemplars => exemplars::TIME,
            Self::Metadata => metadata::TIME,
            Self::Logs => logs::TIME,
            Self::Spans => spans::START_TIME,
            Self::Charges => charges::CHARGE_PERIOD_START,
            Self::Prices => prices::VALID_FROM,
            Self::Allocations => allocations::WINDOW_START,
            Self::Anomalies => anomalies::START_TIME,
            Self::Forecasts => forecasts::MADE_TIME,
            Self::Patterns => patterns::MADE_TIME,
            Self::Recommendations => recommendations::CREATED_TIME,
        }
    }

    /// The columns by which rows of a file are sorted, ascending, nulls first. At most three.
    pub fn sort_columns(self) -> &'static [&'static str] {
        match self {
            Self::Samples => &[samples::METRIC, samples::SERIES_ID, samples::TIME],
            Self::Series => &[series::METRIC, series::SERIES_ID],
            Self::Exemplars => &[exemplars::SERIES_ID, exemplars::TIME],
            Self::Metadata => &[metadata::METRIC, metadata::TIME],
            Self::Logs => &[logs::SERVICE, logs::STREAM_ID, logs::TIME],
            Self::Spans => &[spans::SERVICE, spans::START_TIME],
            Self::Charges => &[charges::CHARGE_PERIOD_START],
            Self::Prices => &[prices::SERVICE, prices::REGION, prices::RESOURCE_TYPE],
            Self::Allocations => &[allocations::WINDOW_START],
            Self::Anomalies => &[anomalies::START_TIME],
            Self::Forecasts => &[forecasts::MADE_TIME],
            Self::Patterns => &[patterns::MADE_TIME],
            Self::Recommendations => &[recommendations::CREATED_TIME],
        }
    }
}
