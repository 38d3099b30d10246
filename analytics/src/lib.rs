//! Answers: SQL over buffer and Parquet through DataFusion.
//!
//! Entry point: [`Engine`]. It takes one statement of one tenant ([`SqlRequest`]) and answers a stream of batches
//! ([`SqlAnswer`]); [`render`] turns batches into JSON, CSV, Arrow, Parquet or a table of text.
//!
//! Reading order follows a statement: [`engine`] (turn, deadline, rows) -> [`grid_sql_guard`] (one query that reads, parameters
//! bound in the syntax tree) -> `session` and `catalog` (what it can name) -> `exact` (literals typed by their neighbours) -> `table`
//! (which files, which series, which order) -> `function`.
//!
//! Architecture invariants:
//! - A statement reaches one tenant's tables and nothing else: no file, no URL, no setting.
//! - The answer does not depend on where rows rest: in the buffer, in Parquet, in both.
//! - Of two samples of one series at one time the later write wins.
//! - Everything is bounded: memory, disk, time, rows, concurrency; going over is a [`QueryError`] with a code and a hint.
//! - Queries run on threads of their own; dropping an answer ends its query.
//! - No DataFusion type leaves this crate.
//!
//! What things cost is in [`price`] (a price, or why it is unknown) and [`commitments`] (statements over charges).
//!
//! PromQL comes in by [`promql`], over the same snapshots and scans; [`cost`] keeps the table `allocations`.

pub mod engine;
mod guard;
mod session;
mod catalog;
mod exact;
mod table;
mod function;
pub mod promql;
mod statement;
pub mod price;
pub mod commitments;
mod alerts;
pub mod cost;
mod delete;
mod registry;
mod runtime;
mod memory;
mod interrupt;
mod newest;
pub mod render;
pub mod focus_export;
pub mod limits;
pub mod error;

pub use engine::{AnswerStream, Engine, SqlAnswer, SqlRequest};
pub use error::{Position, QueryError};
pub use limits::QueryLimits;
pub use registry::{QueryInfo, QueryState};
pub use statement::Statement;
pub use table::lent::Lender;

#[cfg(test)]
mod tests;
