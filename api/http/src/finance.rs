//! Costs over time: reads charges by SQL, lets `grid-finance` decide, answers shapes of the API. The command line uses the same functions on a
//! data directory without a server.
//!
//! Reading order: [`desk`] (asks and reads rows), [`ask`] (what the user wants, checked), [`trend`], [`forecast`], [`variance`], [`budget`],
//! [`provisional`], [`report`] (all of it), [`saved`] (its parameters by name), [`render`] (the report for people).

pub mod desk;
pub mod ask;
pub mod trend;
pub mod forecast;
pub mod variance;
pub mod budget;
pub mod provisional;
pub mod report;
pub mod saved;
pub mod render;

pub use ask::{CostAsk, CostScope};
pub use desk::Desk;

use grid_model::Amount;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Days from `from` up to, but not with, `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayRange {
    /// The first day.
    #[schema(example = "2026-11-01")]
    pub from: String,
    /// The day after the last one.
    #[schema(example = "2026-12-01")]
    pub to: String,
}

impl From<grid_finance::calendar::Period> for DayRange {
    fn from(period: grid_finance::calendar::Period) -> Self {
        Self { from: period.start.to_string(), to: period.end.to_string() }
    }
}

/// A sum left 38 digits, which no currency needs.
impl From<grid_finance::variance::Overflow> for ApiError {
    fn from(e: grid_finance::variance::Overflow) -> Self {
        Self::Parameter(format!("{e}: choose fewer charges by a filter"))
    }
}

/// `part` of `whole` in percent with two decimals, as text; `None` of nothing.
pub(crate) fn percent(part: Amount, whole: Amount) -> Option<String> {
    grid_finance::exact::basis_points(part, whole).map(grid_finance::exact::percent_text)
}

/// `a - b`.
pub(crate) fn less(a: Amount, b: Amount) -> Result<Amount, ApiError> {
    a.0.checked_sub(b.0).map(Amount).ok_or_else(|| grid_finance::variance::Overflow.into())
}
