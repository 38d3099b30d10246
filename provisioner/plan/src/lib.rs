//! Pure planning: what is wanted, what is there, what has to be done, in which order and whether it may start.
//!
//! Reading order: [`address`], [`field`] and [`kinds`] (what a resource is to the planner), [`environment`] (blueprint and overrides, each field
//! with one writer), [`state`] (what was observed), [`cost`], [`diff`], [`plan`] (the planner; [`PlanId`] is what an approval binds, and
//! [`plan::Current`] what may be applied), [`lint`] (a second opinion), [`drift`], [`adopt`] (import), [`inventory`], [`show`] (JSON, table, graph). Then what lets a
//! plan run: [`gate`] (pass, hold or fail), [`queue`] (who may start when). And [`scale`]: how many
//! of something there should be.
//!
//! Architecture invariants:
//! - No IO, no clock, no async: the same input gives the same plan, for ever.
//! - A plan is immutable and has a parent; execution makes no choices.
//! - A plan whose inputs have changed is never applied: only [`plan::Plan::current`] makes what can be.
//! - Every field has one writer.
//! - Unknown money is never zero.
//! - What cannot be evaluated holds and never passes.
//! - This crate knows no cloud.

pub mod limits;
pub mod kept;
pub mod address;
pub mod field;
pub mod kinds;
pub mod environment;
pub mod state;
pub mod cost;
pub mod diff;
pub mod graph;
pub mod plan_id;
pub mod plan;
pub mod lint;
pub mod drift;
pub mod adopt;
pub mod inventory;
pub mod show;
pub mod seed;
pub mod gate;
pub mod queue;
pub mod scale;

pub use address::Address;
pub use field::{Fields, Path};
pub use graph::{Cycle, Graph};
pub use plan::Plan;
pub use plan_id::{BadPlanId, PlanId};
