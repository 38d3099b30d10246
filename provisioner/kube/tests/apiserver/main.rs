//! Everything that Grid does in Kubernetes, against a real kube-apiserver with a real etcd: each lever from a recommendation to what a fresh read says,
//! taking over, whose a field is, kills, the inventory. There are no controllers and no nodes: nothing that is asked for ever runs, and what a
//! controller would do is done by the tests in its name. Each test has a namespace of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod server;
mod support;
mod levers;
mod owners;
mod import;
mod kill;
mod inventory;
mod errors;
mod manifests;

/// Examples of the types of resources.
#[path = "../../../types/tests/support/examples.rs"]
mod examples;
