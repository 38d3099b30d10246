//! What Grid does in a cluster of Kubernetes by itself: requests and limits, replicas, the bounds of scaling, claims of storage, and the limits of node
//! pools, each by server-side apply; and a read-only inventory. Everything is a field of a type of `grid-types` or one below `kubernetes`.
//!
//! Entry points: [`Kube`] makes an executor for the runner of `grid-act`; [`inventory`] is what a cluster has; [`kinds()`] is what a planner must know;
//! [`manifest::manifests`] is a resource as `kubectl apply` takes it. Reading order: [`settings`], [`object`] (sorts of objects, ids, names of
//! labels), `place` (where a field rests in an object, and whose it is), `quantity`, [`lever`] (what can be changed, and where that rests), `failure`,
//! `client` (how calls are made), `seen` (objects in Grid's fields), `native` (what a kind must be able to do), `prepare` (what has to be applied), `executor` (what is the same for all);
//! then one file per kind: `service`, `claim`, `pool`; then [`mod@kinds`], [`manifest`], [`inventory`], [`page`].
//!
//! Architecture invariants:
//! - An apply holds what Grid owns already and what changes, nothing else: what others set stays theirs.
//! - What others own is never taken over unless the plan names the field.
//! - Every object is asked as a dry run before the first is changed; the token is put on last.
//! - The client tries nothing twice; the runner does, after it has looked up what became of the first try.
//! - No clock: time and waiting are the caller's. Pages, rows, calls at once and texts are bounded in [`limits`].

pub mod settings;
pub mod object;
mod place;
mod quantity;
pub mod lever;
mod failure;
mod client;
mod seen;
mod native;
mod prepare;
mod executor;
mod service;
mod claim;
mod pool;
pub mod kinds;
pub mod manifest;
pub mod inventory;
pub mod page;
pub mod limits;

pub use client::{ConnectError, Kube};
pub use kinds::kinds;
pub use native::KINDS;
pub use settings::{Access, Settings};
