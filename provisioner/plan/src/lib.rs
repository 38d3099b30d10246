//! Pure planning: resource types, environments, diff, plan, queue order, gates. This room starts with what the rest stands
//! on: the [`Graph`] of what needs what, with its stable order and its cycles, and the [`PlanId`] that an approval binds.
//!
//! Architecture invariants:
//! - No IO, no clock, no async: the same input gives the same plan, for ever.
//! - A plan is immutable and has a parent; execution makes no choices.
//! - This crate knows no cloud.

pub mod graph;
pub mod plan_id;

pub use graph::{Cycle, Graph};
pub use plan_id::{BadPlanId, PlanId};
