//! Everything that Grid does in Azure, against a contract server that is no Resource Manager (`tests/peers/azure_contract.py`): taking over, each
//! lever from a recommendation to what a fresh read says, kills, failures, the inventory. Each test has a server of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod support;
mod import;
mod levers;
mod kill;
mod errors;

/// What every driver's suite does.
#[path = "../../../act/tests/world/mod.rs"]
mod world;
/// What the suites of drivers do that change what somebody else has made.
#[path = "../../../act/tests/world/contract.rs"]
mod contract;
