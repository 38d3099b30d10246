//! Whether a bill keeps the rules of FOCUS: every rule of the specification's requirement model, run over the rows of a file.
//!
//! Entry point: [`Checker::new`] with a header, [`Checker::row`] for each row as its raw cells, [`Checker::finish`] for the
//! [`Report`]. Reading order: [`column`] (what FOCUS says of its columns, per version), [`rule`] (what a rule is), [`table`] (all
//! of them, one line each), [`criterion`] (which of them concern a provider), [`checker`], [`report`].
//!
//! The rules are facts of the FOCUS specification (CC BY 4.0), told in our own words: ids, columns, conditions, allowed values.
//! Version 1.2 is the requirement model, rule by rule; of 1.0, 1.1, 1.3 and 1.4 we know the columns, so the rules of 1.2 hold for the
//! columns that a version has, beside our own reading of the columns it added (ids with the letter `G`).
//!
//! Architecture invariants:
//! - Pure: no IO, no clock, no other crate of the workspace. The same rows give the same report.
//! - Numbers are exact decimals; no float is ever compared or summed.
//! - Memory does not grow with the rows: examples, texts and the keys of rules across rows are bounded ([`limits`]), and a rule that
//!   was cut short by its bound says so.
//! - A rule that is not run says why. Nothing passes because nobody looked.

pub mod column;
pub mod version;
pub mod rule;
pub mod criterion;
pub mod table;
pub mod checker;
pub mod report;
pub mod sentence;
pub mod limits;
mod across;
mod cell;
mod currency;
mod decimal;
mod key_value;
mod row;
mod listed;
mod time_text;
mod unit;
#[cfg(test)]
mod testing;

pub use checker::Checker;
pub use column::Column;
pub use criterion::{Applicability, Criterion};
pub use report::{Example, Report, RuleResult, Status};
pub use rule::{Check, Keyword, Reason, Rule, RuleKind, When};
pub use version::Version;
