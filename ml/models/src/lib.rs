//! Pure models: detect, find changes, forecast, right-size, scale, group, compare, blame, commit. This room starts with what every model takes and may answer:
//! a [`Series`] of evenly spaced numbers whose gaps are explicit, and [`NotEnoughData`], which is a value and no failure.
//!
//! A model is a function `fn(&Series, &Params) -> Result<Answer, NotEnoughData>`; a seed is a parameter.
//!
//! Architecture invariants:
//! - No IO, no clock, no async, no randomness without a seed: the same input gives the same answer, for ever.
//! - No type of DataFusion or polars crosses this crate's boundary: plain slices and types of `grid-model` do.
//! - A gap is never filled silently; a model says what it does with gaps.

pub mod series;
pub mod detect;
pub mod changes;
pub mod forecast;
pub mod rightsize;
pub mod scale;
pub mod patterns;
pub mod usage;
pub mod peers;
pub mod together;
pub mod commit;
pub mod cause;
pub mod score;
mod rng;

pub use series::{BadStep, NotEnoughData, Series};
