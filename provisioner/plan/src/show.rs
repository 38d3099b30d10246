//! A plan, to be read: [`json`] by machines, [`table`] by people, [`dot`] by those who draw.

mod json;
mod table;
mod dot;
#[cfg(test)]
mod tests;

pub use dot::dot;
pub use json::json;
pub use table::table;

use crate::cost::{Cost, Range};

/// A cost as text: `+12.5 .. +20 EUR a month`, or that nobody knows.
fn money(cost: &Cost, currency: &str) -> String {
    match cost {
        Cost::Known(range) => format!("{} a month", range_text(*range, currency)),
        Cost::Unknown(_) => "cost unknown".to_owned(),
    }
}

fn range_text(range: Range, currency: &str) -> String {
    let signed = |a: grid_model::Amount| match a.0 {
        0 => "0".to_owned(),
        n if n > 0 => format!("+{a}"),
        _ => a.to_string(),
    };
    match range.low == range.high {
        true => format!("{} {currency}", signed(range.likely)),
        false => format!("{} .. {} {currency}", signed(range.low), signed(range.high)),
    }
}
