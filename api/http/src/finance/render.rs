//! The report for people: as a table of text, Markdown or a page of HTML, and its groups as CSV. JSON is the report itself.
//!
//! [`document`] says what is shown in which order, [`text`] and [`html`] how.

pub mod document;
pub mod text;
pub mod html;
mod chart;

use super::report::CostReport;
use crate::error::ApiError;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// Columns of text for a terminal.
    Table,
    /// Markdown, for a merge request or a wiki.
    Markdown,
    /// One page of HTML that loads nothing.
    Html,
    /// The groups, one per line, exact.
    Csv,
    /// Everything, exact.
    Json,
}

impl ReportFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Table, Self::Markdown, Self::Html, Self::Csv, Self::Json];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == text)
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Writes a report.
pub fn render(report: &CostReport, format: ReportFormat) -> Result<String, ApiError> {
    Ok(match format {
        ReportFormat::Table => text::table(&document::of(report)),
        ReportFormat::Markdown => text::markdown(&document::of(report)),
        ReportFormat::Html => html::page(report),
        ReportFormat::Csv => text::csv(report),
        ReportFormat::Json => {
            let text = serde_json::to_string_pretty(report);
            text.map_err(|e| ApiError::Internal(format!("write the report: {e}")))? + "\n"
        }
    })
}
