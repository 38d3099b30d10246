//! The watch loops: read features, think, append findings. Nobody has to look for what is wrong: jobs read telemetry and bills by SQL, let
//! `grid-findings` and `grid-ml` think, and keep what they conclude in the tables `anomalies`, `forecasts`, `patterns` and `recommendations`.
//!
//! Entry points: [`Insight::run_due`] for jobs, [`rules`] for alert and recording rules, which tell an [`AlertSink`](rules::AlertSink).
//! Reading order of jobs: [`schedule`] (when) -> [`jobs`] (what there is, one file per job) -> [`read`] (features by SQL)
//! -> [`evidence`] (every finding's own query, and the numbers that it gave) -> [`keep`] (rows and state in the store).
//!
//! Architecture invariants:
//! - A job reads tables and appends tables; it calls no other edge and no driver.
//! - When to run is decided from given times: this crate reads no clock of its own.
//! - A finding carries its evidence: the query and the numbers. The numbers come from running that query, so they cannot differ from it.
//! - A run writes its rows whole or not at all; one that was cut short is simply run again.
//! - The same data and the same time give the same rows, byte for byte.

pub mod rules;
pub mod schedule;
pub mod jobs;
pub mod read;
pub mod evidence;
pub mod keep;
pub mod limits;

pub use jobs::{Commitments, Insight, Job, JobError, JobReport};
pub use schedule::{BadInterval, Due, Schedule};
