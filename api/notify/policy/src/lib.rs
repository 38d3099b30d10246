//! Who is told of which alerts, when, and in whose words: the pure half of notifications.
//!
//! Entry point: [`Desk`], the alerts of one tenant under a [`Plan`]; beside it [`Queue`], which decides when a delivery is tried.
//! Reading order: [`alert`], [`matcher`], [`route`] (the tree and the plan), [`desk`] (grouping, deduplication, resolution), then what
//! mutes: [`silence`], [`inhibit`], [`interval`]; [`log`] (what was told); [`message`] and [`shape`] (what is said), [`sign`];
//! [`queue`] (order, retries); [`relay`] (other Alertmanagers); [`config`] and [`receiver`] (what a file says).
//!
//! The behaviour is that of Alertmanager 0.28 as its documentation and its answers show it; where it differs (a durable queue
//! instead of retries within a flush), `docs/notifications.md` says so.
//!
//! Architecture invariants:
//! - No IO, no clock, no async, no chance: times and seeds are inputs, secrets are named here and read elsewhere.
//! - What is told is a function of what is remembered: after a restart the same alerts lead to the same messages, and no more.
//! - Messages of one group to one target never overtake each other.
//! - Everything that grows has a bound in [`limits`].

pub mod alert;
pub mod matcher;
pub mod route;
pub mod desk;
pub mod silence;
pub mod inhibit;
pub mod interval;
pub mod log;
pub mod message;
pub mod shape;
pub mod sign;
pub mod queue;
pub mod relay;
pub mod receiver;
pub mod config;
pub mod limits;

pub use alert::{Alert, AlertError, Fingerprint, Held, LabelSet};
pub use config::{Config, ConfigError};
pub use desk::{Admitted, Desk, Due, Outgoing};
pub use matcher::{Matcher, MatcherError};
pub use message::Message;
pub use queue::{Outcome, Queue, RetryPolicy, Step};
pub use receiver::{Channel, Integration, Receiver, Secret, Source};
pub use route::{Plan, Route};
pub use silence::{Silence, SilenceError, SilenceState};
