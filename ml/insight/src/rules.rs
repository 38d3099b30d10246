//! Alert and recording rules in a running server: read from files and from documents of tenants, evaluated on their intervals, written
//! to the store, told to whoever listens.
//!
//! Reading order: [`sink`] (who is told), [`source`] (where rules come from), [`host`] (what a group is evaluated in), `task` (one group over
//! time), [`keeper`] (all of them).
//!
//! Invariants of this room:
//! - One group is evaluated by one task; what others see of it is a view of its last evaluation.
//! - A group that cannot be read leaves its former self in force.
//! - At most `concurrency` groups are evaluated at once, and no evaluation outlasts its deadline by more than one query.

pub mod limits;
pub mod sink;
pub mod source;
pub mod host;
mod rows;
mod task;
pub mod keeper;

pub use host::SampleWriter;
pub use keeper::{Keeper, KeeperOptions, KeeperParts, Totals};
pub use sink::{Alert, AlertSink, AlertStatus, LogSink};
pub use source::{FileProblem, GroupKey, Loaded};
