//! What happens, as it happens, for whoever listens.

use grid_model::{TenantId, Timestamp};
use serde::Serialize;

/// One thing that happened to a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Whose.
    #[serde(skip)]
    pub tenant: TenantId,
    /// Which release: `prod-12`.
    pub release: String,
    /// What kind of thing: `submitted`, `gate`, `started`, `step`, `ended`, ...
    pub what: String,
    /// In words.
    pub text: String,
    /// When, RFC 3339.
    pub at: String,
    /// Whether the release has ended with it: nothing more will be told.
    #[serde(skip)]
    pub is_last: bool,
}

impl Progress {
    pub(crate) fn new(tenant: &TenantId, release: &str, what: &str, text: &str, at: Timestamp) -> Self {
        Self {
            tenant: tenant.clone(),
            release: release.to_owned(),
            what: what.to_owned(),
            text: text.to_owned(),
            at: crate::show::time(at),
            is_last: false,
        }
    }
}
