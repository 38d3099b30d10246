//! What jobs concluded, for the API and the command line: anomalies and incidents, forecasts, recommendations, decisions about them.
//!
//! Reading order: [`list`] (rows of a table of findings, chosen, ordered, cut), [`decide`] (what people decide and say), [`ledger`] (what was promised and
//! what came), [`jobs`] (how the jobs fare).

pub mod list;
pub mod decide;
pub mod ledger;
pub mod jobs;

pub use list::{ListAsk, Listed};

use grid_desk::Recommended;
use grid_model::Amount;
use grid_plan::cost::Range;
use serde_json::Value;

/// A row of recommendations, for whoever carries it out.
pub fn recommended(item: &Value) -> Option<Recommended> {
    let text = |name: &str| item[name].as_str().map(str::to_owned);
    let amount = |name: &str| Amount::parse(item[name].as_str()?).ok().map(|(amount, _)| amount);
    Some(Recommended {
        id: text("recommendation_id")?,
        action: text("action")?,
        resource_id: text("resource_id")?,
        present: text("present").unwrap_or_default(),
        proposed: text("proposed").unwrap_or_default(),
        saving: Range { low: amount("saving_low")?, likely: amount("saving")?, high: amount("saving_high")? },
        currency: text("currency")?,
        risk: item["risk"].as_f64()?,
        title: text("title")?,
        effort: text("effort").unwrap_or_default(),
        restart_needed: item["restart_needed"].as_bool().unwrap_or(true),
        rollback_possible: item["rollback_possible"].as_bool().unwrap_or(false),
    })
}
