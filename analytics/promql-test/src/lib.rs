//! Prometheus' language tests (`promql/promqltest`): read them, run them, compare. Pure; the samples live wherever a [`Target`] puts them,
//! so that the same file judges the evaluator alone, the store, and its API.
//!
//! Reading order: [`command`] (what a file says), [`notation`] (series in expanding notation), [`compare`], [`run`].
//!
//! Architecture invariant: what a file expects is never guessed. A line that is not understood is an error with its number.

pub mod notation;
pub mod command;
pub mod compare;
pub mod run;

pub use run::{Failure, MemoryTarget, Report, Target, run};
