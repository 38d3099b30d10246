//! The desk: where planner, queue, gates and executors meet. It keeps environments, plans, releases and accepted recommendations, and goes on with them:
//! what was asked for is planned, waits, is let through by its gates, is carried out by a driver, is looked at, and stays or is taken back.
//!
//! Entry point: [`Desk`]. Reading order: [`spec`] (a spec as a blueprint), [`mod@kinds`], [`price`], [`gates`], [`checks`] (what people forbid in plans), [`accepts`] (what Grid accepts
//! by itself), [`heals`] (what repairs itself), [`outside`] (what is asked of others), [`room`] (what is kept), `keep` (where), [`desk`] (what can be done), `show` (how it looks), `dryrun` (the driver that touches no cloud),
//! [`inventory`] (what accounts have), `tables` (all of it as SQL sees it).
//!
//! Architecture invariants:
//! - One writer: every change goes through one lock and one transaction, with a record of who did it and what allowed it.
//! - What is applied is a plan whose inputs were checked under the lock, and nothing changes an environment while a release is at work on it.
//! - A gate that cannot be asked holds.
//! - An intent rests in the journal before its call is made.
//! - Time is an input; no cloud is named here but the one that is none.

pub mod limits;
pub mod error;
pub mod spec;
pub mod kinds;
pub mod price;
pub mod gates;
pub mod checks;
pub mod accepts;
pub mod heals;
pub mod outside;
pub mod room;
mod lever;
mod keep;
mod journal;
mod progress;
mod dryrun;
pub mod desk;
mod show;
pub mod inventory;
mod tables;
mod workshop;
#[cfg(test)]
mod tests;

pub use accepts::{Accepts, Effort};
pub use checks::{Check, Weight};
pub use desk::{
    By, CloneWish, Desk, New, Options, PlanWish, PolicyForm, PromoteWish, ResourceAsk, SimulateForm, Submission,
    Written,
};
pub use dryrun::DRY_RUN;
pub use error::DeskError;
pub use heals::{Condition, Heals, RepairForm};
pub use inventory::{Sighting, Survey, Surveyor, Unlisted};
pub use keep::{Audit, FILE_NAME};
pub use kinds::kinds;
pub use outside::{Language, Nobody, Outside, Recommended};
pub use progress::Progress;
pub use room::{Settings, cautious};
pub use tables::Tables;
pub use workshop::{Site, Workshop};

pub use desk::play;
