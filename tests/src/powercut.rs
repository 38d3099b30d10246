//! Simulated power cuts: a real `grid` runs over the file layer of `tests/faultfs`, which writes down every change of its files;
//! a model of a disk says from that trace what a cut at any moment may leave; the real `grid` opens it.
//!
//! Reading order: [`shim`] (the file layer, built and put beneath a server), [`trace`] (what it wrote down), [`disk`] (what is
//! durable, what may be lost), [`workload`] (what the server is asked to do meanwhile), [`expect`] (what must be there
//! afterwards).

pub mod shim;
pub mod trace;
pub mod disk;
pub mod workload;
pub mod expect;
