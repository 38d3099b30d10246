//! Who owns a row. A read needs a [`Scope`], so a cross-tenant read cannot be written.

use std::fmt;
use std::sync::Arc;

use crate::time::TimeRange;

/// Longest tenant name in bytes, as in Mimir and Loki.
pub const TENANT_BYTES_MAX: usize = 150;

/// A validated tenant name: 1 to 150 of `A-Z a-z 0-9 ! - _ . * ' ( )`, neither `.` nor `..` (the rule of Mimir and
/// Loki, so the header `X-Scope-OrgID` means the same here). Safe as a folder name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// Why a tenant name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// The name is empty.
    #[error("tenant name is empty")]
    Empty,
    /// The name is longer than [`TENANT_BYTES_MAX`].
    #[error("tenant name has {0} bytes, the limit is {TENANT_BYTES_MAX}")]
    TooLong(usize),
    /// The name is `.` or `..`, or holds a character outside the allowed set.
    #[error("tenant name {0:?} may hold only letters, digits and ! - _ . * ' ( ), and be neither \".\" nor \"..\"")]
    BadCharacter(String),
}

impl TenantId {
    /// The tenant of requests that name none.
    pub fn default_tenant() -> Self {
        Self(Arc::from("default"))
    }

    /// The tenant that holds Grid's own telemetry.
    pub fn grid() -> Self {
        Self(Arc::from("grid"))
    }

    /// Checks and keeps a name.
    pub fn parse(name: &str) -> Result<Self, TenantError> {
        if name.is_empty() {
            return Err(TenantError::Empty);
        }
        if name.len() > TENANT_BYTES_MAX {
            return Err(TenantError::TooLong(name.len()));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
        if !name.bytes().all(allowed) || name == "." || name == ".." {
            return Err(TenantError::BadCharacter(name.to_owned()));
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

/// What a read may see: one tenant, one time range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The only tenant whose rows are visible.
    pub tenant: TenantId,
    /// The only time range whose rows are visible.
    pub range: TimeRange,
}

impl Scope {
    /// All times of one tenant.
    pub fn all(tenant: TenantId) -> Self {
        Self { tenant, range: TimeRange::ALL }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_folders_elsewhere_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\\b", "ä", "a b", "a\0", "|"] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["default", "team-1", "a.b_c*'()!", "..."] {
            assert!(TenantId::parse(good).is_ok(), "{good:?}");
        }
        assert!(TenantId::parse(&"x".repeat(151)).is_err());
    }
}
