//! What Grid does in a project of Google Cloud by itself: the size of machines and of regional groups, start and stop, the bounds of scaling; and a
//! read-only inventory. Everything else of these types is left to their recipes.
//!
//! Entry points: [`Gcp::new`] makes an executor for the runner of `grid-act`; [`Gcp::inventory`] is what a project has; [`kinds()`] is what a planner
//! must know. Reading order: [`settings`], [`lever`] (what can be changed by which call), `failure` (what is come again, looked up, given up), `client`
//! (how calls are made, and operations waited for), `words` (Grid's marks as labels and descriptions); then `vm` and `group`. What is the same for all
//! kinds is in [`grid_act::native`].
//!
//! Architecture invariants:
//! - The client tries nothing twice; the runner does, after it has looked up what became of the first try.
//! - An operation is waited for before the next call; a wait that has no end is given back to the runner.
//! - Labels and groups are changed by their fingerprint: what somebody else changed meanwhile is looked at again.
//! - No clock: time and waiting are the caller's. Pages, calls at once and waits are bounded in [`limits`].

pub mod settings;
pub mod lever;
mod failure;
mod client;
mod words;
mod vm;
mod group;
mod account;
pub mod limits;

pub use client::{ConnectError, Gcp};
pub use lever::{KINDS, kinds};
pub use settings::{Credentials, Settings};
