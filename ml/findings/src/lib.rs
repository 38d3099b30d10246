//! What to report: out of features that somebody else has read, findings with their causes, and changes with what they save and risk.
//!
//! Reading order: [`cost`] (daily costs: spikes, drifts, what is new, what moved, and the dimensions that explain it), [`signal`] (rates and
//! latencies of a series of buckets), [`unlike`] (a member that leaves its group, measures that part), [`growth`] (memory that only grows), [`templates`] (lines of logs), [`security`] (what an attacker would leave), [`incident`] (what belongs together,
//! and its likeliest cause over the graph of calls), [`capacity`] (when something will be full), [`size`] (machines that are too large, or idle),
//! [`container`] (what pods ask for), [`fleet`] (groups of machines that share a load), [`database`] (managed databases), [`spot`] (what may be interrupted),
//! [`waste`] (what nobody uses), [`claim`] (no money is saved twice), [`steady`] (proposals that do not flutter), [`decision`] and [`feedback`]
//! (what people say, and what follows), [`ledger`] (what was promised and what came).
//!
//! Architecture invariants:
//! - No IO, no clock, no async; times and seeds are inputs, and the same input gives the same findings in the same order.
//! - Money is an integer; floats only judge and rank.
//! - Savings of one resource never add up to more than it costs.
//! - Nothing grows without a bound of [`limits`].

pub mod limits;
pub mod cost;
pub mod signal;
pub mod unlike;
pub mod growth;
pub mod templates;
pub mod security;
pub mod incident;
pub mod capacity;
pub mod size;
pub mod container;
pub mod fleet;
pub mod database;
pub mod spot;
pub mod waste;
pub mod claim;
pub mod steady;
pub mod decision;
pub mod feedback;
pub mod ledger;
mod robust;
mod id;

pub use id::stable_id;
