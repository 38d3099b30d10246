//! PromQL's evaluator: series in, series out. Pure.
//!
//! Reading order: [`labels`], [`samples`] (what is read, and the trait by which it is), [`points`] (what an expression yields), [`histogram`],
//! [`plan`] (which selectors read what), `eval` (how), and [`query`]: from an expression to an answer.
//!
//! Architecture invariants:
//! - No IO, no clock, no async: samples come through [`samples::Source`], a deadline through [`query::Interrupt`].
//! - What holds samples accounts for them ([`query::Options::memory_bytes`]).
//! - What can be done one series at a time holds one series at a time.
//! - The semantics are Prometheus 3's; where its versions differ, the language tests of 3.14 decide.

pub mod labels;
pub mod samples;
pub mod points;
pub mod histogram;
mod histogram_sum;
mod kahan;
pub mod number;
pub mod annotation;
pub mod error;
pub mod plan;
mod eval;
pub mod query;

pub use error::Error;
pub use labels::Labels;
