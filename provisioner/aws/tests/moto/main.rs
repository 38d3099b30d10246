//! Everything that Grid does in AWS, against a real moto: each lever from a recommendation to the ledger, taking over, kills, the inventory. One program,
//! so that the SDK is linked once; each test has a region of its own, which to moto is a cloud of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod support;
mod fixtures;
mod loops;
mod levers;
mod import;
mod kill;
mod inventory;
mod errors;
