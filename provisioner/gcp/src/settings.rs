//! Which project, where, and how fast.

use crate::limits::TIMEOUT_NS;

/// What an executor is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The project's id.
    pub project: String,
    /// The region of groups, such as `europe-west3`; machines are looked at in its zones.
    pub region: String,
    /// Where Compute Engine is, in place of Google's own address: a gateway, or a contract server.
    pub endpoint_url: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// Calls a second on average.
    pub calls_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// How long one call may take, in nanoseconds, before its answer counts as lost.
    pub timeout_ns: i64,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Application default credentials: the file of `GOOGLE_APPLICATION_CREDENTIALS`, that of `gcloud`, or the machine's own service account.
    Default,
    /// Whoever this token is of, for as long as it is good.
    Token(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Default => "Default",
            Self::Token(_) => "Token",
        })
    }
}

impl Settings {
    /// Of a region of a project, with application default credentials.
    pub fn new(project: &str, region: &str) -> Self {
        Self {
            project: project.to_owned(),
            region: region.to_owned(),
            endpoint_url: None,
            credentials: Credentials::Default,
            calls_per_second: 5.0,
            burst: 20,
            timeout_ns: TIMEOUT_NS,
        }
    }
}
