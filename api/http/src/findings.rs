//! What jobs concluded, for the API and the command line: anomalies and incidents, forecasts, recommendations, decisions about them.
//!
//! Reading order: [`list`] (rows of a table of findings, chosen, ordered, cut), [`decide`] (what people decide and say), [`ledger`] (what was promised and
//! what came), [`jobs`] (how the jobs fare).

pub mod list;
pub mod decide;
pub mod ledger;
pub mod jobs;

pub use list::{ListAsk, Listed};
