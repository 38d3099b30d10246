//! Reports by name: their parameters as versioned documents of the tenant.

use grid_store::{Document, DocumentKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CostAsk, Desk};
use crate::error::ApiError;
use crate::route::rfc3339;

/// The kind of document that a saved report is.
const KIND: &str = "cost-report";
/// Longest name.
const NAME_BYTES_MAX: usize = 63;

/// The parameters of a report. A period that is absent is the month of the last charge, so that a saved report stays current.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSetting {
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The day after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Dimensions, comma-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "service,team")]
    pub by: Option<String>,
    /// `previous`, `year`, or a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<String>,
    /// Which charges, as in WHERE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// `effective`, `billed`, `contracted` or `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// First month of the fiscal year, 1 to 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal_start: Option<u32>,
}

/// A report as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SavedReport {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub report: ReportSetting,
    /// Counted from 1.
    pub version: u64,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub changed: String,
}

impl ReportSetting {
    /// What these parameters ask; those that are given here go before those of `saved`.
    pub fn over(self, saved: Self) -> Self {
        Self {
            from: self.from.or(saved.from),
            to: self.to.or(saved.to),
            by: self.by.or(saved.by),
            compare: self.compare.or(saved.compare),
            filter: self.filter.or(saved.filter),
            cost: self.cost.or(saved.cost),
            fiscal_start: self.fiscal_start.or(saved.fiscal_start),
        }
    }

    /// As a question, and with what its period is compared.
    pub fn ask(self) -> (CostAsk, String) {
        let compare = self.compare.unwrap_or_else(|| "previous".to_owned());
        let Self { from, to, by, filter, cost, fiscal_start, .. } = self;
        (CostAsk { from, to, by, of: None, filter, cost, fiscal_start }, compare)
    }

    /// Refuses what no report could be made of.
    fn check(&self) -> Result<(), ApiError> {
        let (ask, compare) = self.clone().ask();
        ask.scope()?;
        let today = grid_finance::calendar::Day(0);
        let period = ask.period(grid_finance::calendar::Period { start: today, end: today.plus(1) })?;
        super::variance::compared(&compare, period).map(drop)
    }
}

fn key(desk: &Desk<'_>, name: &str) -> DocumentKey {
    DocumentKey { tenant: desk.tenant.clone(), kind: KIND, name: name.to_owned() }
}

fn kept(document: Document) -> Result<SavedReport, ApiError> {
    let report = serde_json::from_str(&document.body)
        .map_err(|e| ApiError::Internal(format!("read the report {:?}: {e}", document.name)))?;
    let changed = rfc3339(document.created);
    Ok(SavedReport { name: document.name, report, version: document.version, author: document.author, changed })
}

/// All saved reports, by name.
pub async fn list(desk: &Desk<'_>) -> Result<Vec<SavedReport>, ApiError> {
    desk.store.catalog().documents(&desk.tenant, KIND).await?.into_iter().map(kept).collect()
}

/// One saved report.
pub async fn get(desk: &Desk<'_>, name: &str) -> Result<SavedReport, ApiError> {
    let found = desk.store.catalog().document(&key(desk, name)).await?;
    found.map_or_else(|| Err(ApiError::NotFound { what: "saved report", id: name.to_owned() }), kept)
}

/// Keeps a report. `expected` is the version that the writer has seen (0: none); absent, whatever is there is replaced.
pub async fn put(
    desk: &Desk<'_>,
    name: &str,
    report: &ReportSetting,
    author: &str,
    expected: Option<u64>,
) -> Result<SavedReport, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
        let rule = format!("1 to {NAME_BYTES_MAX} lower case letters, digits, `-`, `_` and `.`");
        return Err(ApiError::Parameter(format!("the name of a report is {rule}")));
    }
    report.check()?;
    let body = serde_json::to_string(report).map_err(|e| ApiError::Internal(format!("write the report: {e}")))?;
    kept(desk.store.catalog().put_document(&key(desk, name), &body, author, expected, desk.store.now()).await?)
}

/// Deletes a saved report; its history stays.
pub async fn delete(desk: &Desk<'_>, name: &str, author: &str) -> Result<(), ApiError> {
    let there = desk.store.catalog().delete_document(&key(desk, name), author, None, desk.store.now()).await?;
    if there { Ok(()) } else { Err(ApiError::NotFound { what: "saved report", id: name.to_owned() }) }
}
