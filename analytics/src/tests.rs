//! Statements against a real store. Most answers must be the same wherever the rows rest, so most cases run three times.
#![allow(clippy::unwrap_used)]

mod alerts;
mod bed;
mod commitments;
mod errors;
mod isolation;
mod lent;
mod limits;
mod metrics;
mod money;
mod rows;
mod remote;
mod samples;
