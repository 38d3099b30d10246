//! Observe, approve, execute, verify. Every step of a plan goes the same way: may it ([`Mode`]), what is meant is written down ([`Journal`]), the
//! call is made ([`Executor`]), what came of it is written down. After a crash an intent without an outcome is looked up in the cloud by its tag
//! before anything is repeated.
//!
//! Reading order: [`mode`], [`policy`] (who may decide alone, within what limits), [`journal`], [`executor`], [`retry`], [`run`] (the runner),
//! [`native`] (what drivers of clouds share that create nothing), [`simulated`] (a cloud that is none), [`acting`] (a recommendation's way from
//! acceptance to the ledger), [`healing`] (how often something may be repaired by itself).
//!
//! Architecture invariants:
//! - Nothing acts without a record of who allowed it ([`Approval`]); dry-run is the default.
//! - An approval binds one plan by its content; another plan is refused, however alike.
//! - An intent rests in the journal before its call is made; an action without an outcome is looked up before it is repeated.
//! - Time, waiting and seeds are inputs.
//! - No other crate knows a cloud.

pub mod limits;
pub mod mode;
pub mod policy;
pub mod journal;
pub mod executor;
pub mod retry;
pub mod run;
pub mod native;
pub mod simulated;
pub mod acting;
pub mod healing;
#[cfg(test)]
mod loop_tests;

pub use executor::Executor;
pub use journal::Journal;
pub use mode::{Approval, Mode, Refusal};
