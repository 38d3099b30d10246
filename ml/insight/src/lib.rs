//! The watch loops: read features, think, append findings.
//!
//! Rooms: [`rules`] evaluates alert and recording rules and tells an [`AlertSink`](rules::AlertSink). The clockwork that other jobs share is a
//! [`Schedule`], a pure function of times.
//!
//! Architecture invariants:
//! - A job reads tables and appends tables; it calls no other edge and no driver.
//! - When to run is decided from given times: this crate reads no clock of its own.
//! - A finding carries its evidence: the query and the numbers.

pub mod rules;
pub mod schedule;

pub use schedule::{BadInterval, Due, Schedule};
