//! promtool's unit tests of rules (`cmd/promtool/unittest.go`): series given in expanding notation, rules run over them, alerts and
//! answers compared with what is expected.
//!
//! Reading order: [`file`] (what a test file says), [`world`] (the samples of a test), [`run`](mod@run), [`mismatch`] (what differs).

pub mod file;
pub mod world;
pub mod run;
pub mod mismatch;

pub use file::UnitFile;
pub use mismatch::Failure;
pub use run::{RunOptions, run};
