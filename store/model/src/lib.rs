//! The nouns of Grid. Everything that rests in a table or travels between rooms is named here, once.
//!
//! Reading order: [`tenant`] and [`time`] (every read needs both), [`attr`] and [`labels`] (what describes a row),
//! [`series`] (what a sample belongs to), [`histogram`], [`decimal_float`] (how numbers rest), [`money`], then [`table`]: one file per table = its column
//! names, its Arrow schema, its row builder. [`write`] is what a decoder hands to the store.
//!
//! Architecture invariants:
//! - This crate imports no other crate of the workspace and does no IO; it knows Arrow's types, not its kernels.
//! - A table's columns are spelled in one file, `table/NAME.rs`, or `lent/NAME.rs` for those that do not rest in the store.
//! - Money is an integer; no `f64` ever holds an amount.

pub mod tenant;
pub mod time;
pub mod attr;
pub mod labels;
pub mod series;
pub mod histogram;
pub mod decimal_float;
pub mod wide;
pub mod money;
pub mod table;
pub mod lent;
pub mod write;
pub mod reject;
pub mod resource;

pub use attr::{AttrValue, Attributes};
pub use histogram::Histogram;
pub use labels::Labels;
pub use lent::Lent;
pub use money::{Amount, Currency};
pub use reject::Reject;
pub use series::{SeriesDef, SeriesId};
pub use table::Table;
pub use tenant::{Scope, TenantId};
pub use time::{TimeRange, Timestamp};
pub use write::Write;
