//! Which cluster, where in it, and how fast.

use std::path::PathBuf;

use crate::limits::TIMEOUT_NS;

/// What an executor is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How the cluster is reached.
    pub access: Access,
    /// The one namespace that Grid works in; `None` for the whole cluster. Rights for one namespace are enough then.
    pub namespace: Option<String>,
    /// Calls a second on average.
    pub calls_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// How long one call may take, in nanoseconds, before its answer counts as lost.
    pub timeout_ns: i64,
}

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By a file as `kubectl` reads it.
    File {
        /// The file.
        path: PathBuf,
        /// Which of its contexts; `None` for the current one.
        context: Option<String>,
    },
    /// As the service account of the pod that this runs in.
    InCluster,
}

impl Settings {
    /// Of a cluster, all of its namespaces.
    pub fn new(access: Access) -> Self {
        Self { access, namespace: None, calls_per_second: 10.0, burst: 20, timeout_ns: TIMEOUT_NS }
    }
}
