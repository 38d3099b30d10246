//! The watch loops: read features, think, append findings. This room starts with the clockwork that every job shares, a
//! [`Schedule`], as a pure function of times; jobs come with the issues that need them.
//!
//! Architecture invariants:
//! - A job reads tables and appends tables; it calls no other edge and no driver.
//! - When to run is decided from given times: this crate reads no clock of its own.
//! - A finding carries its evidence: the query and the numbers.

pub mod schedule;

pub use schedule::{BadInterval, Due, Schedule};
