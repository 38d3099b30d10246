//! What Grid does in AWS by itself: the levers of thirteen types (scaling, sizes, start and stop), and a read-only inventory of an account. For what
//! must be quick and provable; everything else of these types is left to their recipes.
//!
//! Entry points: [`Aws::new`] makes an executor for the runner of `grid-act`; [`Aws::inventory`] is what an account has; [`kinds()`] is what a planner
//! must know. Reading order: [`settings`], `client` (how calls are made), `failure` (what is come again, looked up, given up), `seen` (the cloud's words
//! in Grid's fields), [`lever`] (what can be changed by which call, and what the emulator lacks), `native` (what a kind must be able to do), `executor`
//! (what is the same for all); then one file per service: `autoscaling`, `ec2`, `eks`, `rds`, `elasticache`, `dynamodb`, `kafka`, `lambda`, `ecs`, `efs`;
//! then [`mod@kinds`], [`inventory`], [`page`].
//!
//! Architecture invariants:
//! - The SDK tries nothing twice; the runner does, after it has looked up what became of the first try.
//! - The token is put on a resource last: what carries it is done, whatever was killed in between.
//! - A field that no lever knows is refused, never dropped.
//! - No clock: time and waiting are the caller's. Pages, rows, calls at once and texts are bounded in [`limits`].
//! - The inventory changes nothing; what one service refuses is named, and the rest is kept.

pub mod settings;
mod client;
mod failure;
mod seen;
pub mod lever;
mod native;
mod executor;
mod autoscaling;
mod ec2;
mod eks;
mod rds;
mod elasticache;
mod dynamodb;
mod kafka;
mod lambda;
mod ecs;
mod efs;
pub mod kinds;
pub mod inventory;
pub mod page;
pub mod limits;

pub use client::Aws;
pub use kinds::kinds;
pub use native::KINDS;
pub use settings::{Credentials, Settings};
