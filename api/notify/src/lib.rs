//! Takes alerts and tells people.
//!
//! Entry point: [`Notifier`]. [`Notifier::take`] makes alerts durable; [`Notifier::run`] groups them, tells receivers, and tries again
//! until they have it. What is decided is decided by `grid_notify_policy`; here are the disk, the sockets and the clock.
//!
//! Reading order: [`notifier`] (state, and what callers may ask), [`keep`] (the database), [`send`] (HTTP, SMTP, secrets),
//! [`address`] (which addresses may be called), [`relay`] (other Alertmanagers), [`webhook`] (receivers made by the API).
//!
//! Architecture invariants:
//! - What [`Notifier::take`] accepted survives a kill; what was to be told is told at least once, and each group's messages in order.
//! - Memory changes after the database has: a change is asked for, committed, then made.
//! - A receiver that fails or hangs holds up nobody else.
//! - No secret is shown: not by `Debug`, not in an error, not in the log.
//! - An address that came by the API never leads into the networks around the server unless they were allowed.

pub mod notifier;
pub mod webhook;
pub mod keep;
pub mod send;
pub mod address;
pub mod relay;
pub mod metrics;
pub mod error;
pub mod limits;

/// The database of a data directory.
pub const FILE_NAME: &str = "alerts.db";

pub use grid_notify_policy as policy;
pub use grid_notify_policy::{Alert, Config, ConfigError, LabelSet};

pub use address::{AddressGuard, GuardedResolver, Network, NetworkError};
pub use error::NotifyError;
pub use keep::{Delivery, DeliveryState, DeliveryWanted};
pub use metrics::Figures;
pub use notifier::{AlertView, Clock, Notifier, Options, ReceiverView, Replayed, Taken, Tried};
pub use webhook::{Webhook, WebhookError, WebhookSetting};
