//! Who owns which cost. Pure: charges, rules and weights in, rows of `allocations` out, exact to the last digit.
//!
//! Entry point: [`Allocator`]. Reading order follows a charge: [`rules`] (`allocation.toml` as types; mistakes with line and caret) ->
//! [`charge`] (what a rule sees of it) -> [`allocate`] (which rule decides, who gets how much) -> [`split`] (an amount by weights, exactly).
//! [`weights`] is measured usage that splits shared cost; [`cluster`] turns requests and usage of a Kubernetes node into such weights.
//! [`unit`] is the cost of one of something; [`alias`] is what else resources are called; [`rates`] and [`fiscal`] are for reports: conversion of currencies by dated rates, months of a fiscal year.
//!
//! Architecture invariants:
//! - Per currency, allocated + idle + unallocated = what came in; [`Allocator`] refuses to go on when a charge does not add up.
//! - No amount is ever a float; weights are integers; products are 256 bits wide. Two currencies are never added.
//! - Nothing is invented: no part of a charge has another sign than the charge.
//! - The same charges, rules and weights give the same rows, in any order of charges.
//! - No async, no IO, no clock.

pub mod rules;
pub mod charge;
pub mod allocate;
pub mod split;
pub mod weights;
pub mod cluster;
pub mod alias;
pub mod rates;
pub mod fiscal;
pub mod unit;
pub mod limits;

pub use allocate::{AllocateError, Allocated, Allocator, Kind, Summary};
pub use charge::Charge;
pub use rules::{RuleMistake, Rules};
pub use weights::Weights;
