//! Which tenant a request means: the header `X-Scope-OrgID`, within what the token holds.

use std::fmt;

use grid_model::TenantId;
use grid_model::tenant::TenantError;
use http::HeaderMap;

use crate::auth::AuthError;

/// The header that names the tenant, as in Mimir, Loki and Tempo.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// How many tenants one token may name.
pub const TENANTS_PER_TOKEN_MAX: usize = 64;

/// The tenants that a token may act for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every tenant, `*`.
    Any,
    /// These, at least one; the first is meant when the header is absent.
    Only(Vec<TenantId>),
}

/// Why a text names no tenants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantsError {
    /// One of the names is not a tenant's.
    #[error(transparent)]
    Name(#[from] TenantError),
    /// There are more than [`TENANTS_PER_TOKEN_MAX`].
    #[error("a token may name at most {TENANTS_PER_TOKEN_MAX} tenants")]
    TooMany,
}

impl Tenants {
    /// From names; `*` alone means every tenant (so a tenant that is called `*` cannot be named alone).
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, TenantsError> {
        let mut tenants = Vec::new();
        for name in names {
            let tenant = TenantId::parse(name.trim())?;
            if !tenants.contains(&tenant) {
                tenants.push(tenant);
            }
            if tenants.len() > TENANTS_PER_TOKEN_MAX {
                return Err(TenantsError::TooMany);
            }
        }
        match tenants.as_slice() {
            [] => Err(TenantError::Empty.into()),
            [one] if one.as_str() == "*" => Ok(Self::Any),
            _ => Ok(Self::Only(tenants)),
        }
    }

    /// Whether a tenant is among them.
    pub fn contains(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Any => true,
            Self::Only(tenants) => tenants.contains(tenant),
        }
    }

    /// Whether every tenant of `other` is among them.
    pub fn contains_all(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Only(_), Self::Any) => false,
            (Self::Only(_), Self::Only(theirs)) => theirs.iter().all(|t| self.contains(t)),
        }
    }

    /// The tenant of a request, given its header.
    pub fn choose(&self, header: Option<TenantId>) -> Result<TenantId, AuthError> {
        match (header, self) {
            (Some(tenant), _) if self.contains(&tenant) => Ok(tenant),
            (Some(tenant), _) => Err(AuthError::TenantForbidden { tenant }),
            (None, Self::Any) => Ok(TenantId::default_tenant()),
            (None, Self::Only(tenants)) => Ok(tenants[0].clone()),
        }
    }
}

impl fmt::Display for Tenants {
    /// `a,b` or `*`; the form at rest. No tenant's name holds a comma.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Only(tenants) => {
                for (i, t) in tenants.iter().enumerate() {
                    if i > 0 {
                        f.write_str(",")?;
                    }
                    f.write_str(t.as_str())?;
                }
                Ok(())
            }
        }
    }
}

/// The tenant that the header names, if it is there.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<TenantId>, AuthError> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::TenantTwice);
    }
    // An empty header is what proxies send for "none".
    match value.to_str().map(str::trim) {
        Ok("") => Ok(None),
        Ok(name) => TenantId::parse(name).map(Some).map_err(AuthError::TenantInvalid),
        Err(_) => {
            let shown = String::from_utf8_lossy(value.as_bytes()).into_owned();
            Err(AuthError::TenantInvalid(TenantError::BadCharacter(shown)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `held | header` -> the tenant, or the error's first word.
    fn check(held: &str, header: &str, want: &str) {
        let mut headers = HeaderMap::new();
        if header != "-" {
            headers.insert(TENANT_HEADER, header.parse().unwrap());
        }
        let held = Tenants::parse(held.split(',')).unwrap();
        let got = match from_headers(&headers).and_then(|h| held.choose(h)) {
            Ok(tenant) => tenant.to_string(),
            Err(AuthError::TenantForbidden { .. }) => "forbidden".to_owned(),
            Err(AuthError::TenantInvalid(_)) => "invalid".to_owned(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, want, "token {held}, header {header:?}");
    }

    #[test]
    fn the_header_only_narrows() {
        check("a", "-", "a");
        check("a", "", "a");
        check("a", "a", "a");
        check("a", "b", "forbidden");
        check("a", "default", "forbidden");
        check("a,b", "-", "a");
        check("a,b", "b", "b");
        check("a,b", "c", "forbidden");
        check("a,b", "*", "forbidden");
        check("*", "-", "default");
        check("*", "c", "c");
        check("a,b", "a|b", "invalid");
        check("*", "../x", "invalid");
        check("*", "a/b", "invalid");
    }

    #[test]
    fn narrower_than() {
        let parse = |s: &str| Tenants::parse(s.split(',')).unwrap();
        assert!(parse("*").contains_all(&parse("a,b")));
        assert!(parse("a,b").contains_all(&parse("b")));
        assert!(!parse("a,b").contains_all(&parse("c")));
        assert!(!parse("a,b").contains_all(&parse("*")));
        assert!(Tenants::parse([]).is_err());
    }
}
