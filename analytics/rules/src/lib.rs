//! Alert and recording rules: Prometheus' rule files, the templates in them, what an evaluation does to alerts and series, and promtool's
//! unit tests. Pure: samples come through [`Host`], times are arguments.
//!
//! Entry points: [`RuleFile::parse`], [`Group::evaluate`], [`unit::UnitFile::parse`] and [`unit::run`].
//!
//! Reading order: [`file`] (what a rule file says), [`yaml`] (its text as a tree with places) and [`problem`] (what is wrong with it),
//! [`template`] (Go's template language), [`host`] (where samples come from and go to), [`alert`] (the states of one alert), [`rule`] (one rule
//! over time), [`group`] (rules in order, series that vanish, states restored), [`view`] (a group as it stands), [`slot`] (when groups are due), [`unit`] (unit tests).
//!
//! The behaviour is that of Prometheus 3.5 (`model/rulefmt`, `rules`, `template`, `cmd/promtool/unittest.go`), found out from its
//! documentation, its test data and by comparison with the real one.
//!
//! Architecture invariants:
//! - No IO, no clock, no async. The same file, samples and times give the same states, series and messages.
//! - A file's problems are all told, each with its place; the rules that are good are kept.
//! - No text makes a parser panic or recurse without bound, no template writes or computes without bound ([`limits`]).

pub mod file;
pub mod yaml;
pub mod problem;
pub mod limits;
pub mod template;
pub mod host;
pub mod alert;
pub mod rule;
pub mod group;
pub mod view;
pub mod slot;
pub mod unit;

pub use alert::{Alert, AlertState};
pub use file::{Action, Expression, GroupSpec, RuleFile, RuleSpec};
pub use group::{Group, GroupOptions};
pub use host::{Host, Sample, SampleValue};
pub use problem::{Place, Problem, Severity};
pub use rule::{Health, Rule};
pub use view::{GroupView, RuleView};
