//! Observe, approve, execute, verify. This room starts with the one question that comes before any call to a cloud: may
//! this run change anything? [`Mode`] answers it, and its default is no.
//!
//! Architecture invariants:
//! - Nothing acts without a record of who allowed it ([`Approval`]); dry-run is the default.
//! - An approval binds one plan by its content; another plan is refused, however alike.
//! - No other crate knows a cloud.

pub mod mode;

pub use mode::{Approval, Mode, Refusal};
