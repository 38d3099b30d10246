//! What the allocation sees of charges: a group of them that no rule tells apart, with the sum of their effective cost.

use grid_model::{Amount, Timestamp};

/// Charges of one window, resource and currency whose [`crate::rules::Field`]s are all equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge<'a> {
    /// Start of the window; validity of rules and measurements are looked up by it.
    pub start: Timestamp,
    /// First instant after it: the end of the charges' own period, which may be longer than a window.
    pub end: Timestamp,
    /// The billing currency.
    pub currency: &'a str,
    /// The sum of `effective_cost`.
    pub cost: Amount,
    /// The resource; empty if the charges name none.
    pub resource: &'a str,
    /// The value of each of [`crate::Rules::fields`], in that order; empty where there is none.
    pub fields: &'a [&'a str],
    /// Whether the cost is of something bought ahead and not used, as the bill itself says it.
    pub unused: bool,
}
