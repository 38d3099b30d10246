//! What Grid does in a subscription of Azure by itself: the size of machines and of scale sets, start and stop, the bounds of scaling; and a read-only
//! inventory. Everything else of these types is left to their recipes.
//!
//! Entry points: [`Azure::new`] makes an executor for the runner of `grid-act`; [`Azure::inventory`] is what a subscription or one of its groups has;
//! [`kinds()`] is what a planner must know. Reading order: [`settings`], [`lever`] (what can be changed by which call), `failure` (what is come again,
//! looked up, given up), `client` (how calls are made, and operations waited for), `token` (who asks); then `vm`, `group` and `others`. What is the
//! same for all kinds is in [`grid_act::native`].
//!
//! Architecture invariants:
//! - The client tries nothing twice; the runner does, after it has looked up what became of the first try.
//! - An operation is waited for before the next call; a wait that has no end is given back to the runner.
//! - What has an ETag is changed by it: what somebody else changed meanwhile is looked at again.
//! - The token of access goes to the one address of the settings, whatever an answer names.
//! - No clock: time and waiting are the caller's. Pages, calls at once and waits are bounded in [`limits`].

pub mod settings;
pub mod lever;
mod failure;
mod client;
mod token;
mod vm;
mod group;
mod others;
mod account;
pub mod limits;

pub use client::{Azure, ConnectError};
pub use lever::{KINDS, kinds};
pub use settings::{Credentials, Settings};
