//! PromQL judged by others: Prometheus' own language tests over the real store and engine ([`bed`]), and a real Prometheus that answers the same
//! queries over the same samples (`tests/differential.rs`).
//!
//! Architecture invariant: every case runs with its rows in the buffer, in Parquet, in both, and compacted; the answer is the same.

pub mod bed;
