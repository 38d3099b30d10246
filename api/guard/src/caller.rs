//! Who calls: the answer of authentication, handed to handlers as an argument.

use std::fmt;

use axum::extract::FromRequestParts;
use grid_model::TenantId;
use http::request::Parts;

use crate::auth::AuthError;
use crate::problem::{Problem, internal_error};

/// What a route needs and a token grants. Not the scope of a read, which is [`grid_model::Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Write telemetry and bills.
    Ingest,
    /// Read.
    Query,
    /// Delete, set retention, handle tokens, run maintenance.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Query, Self::Admin];

    /// The word in tokens, in the API and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Query => "query",
            Self::Admin => "admin",
        }
    }

    /// From the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. `admin` does not include the others: a token for deleting need not read.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// All of them.
    pub const ALL: Self = Self(0b111);

    /// A set of the given.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |set, s| set | s.bit()))
    }

    /// Whether a scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of `other` is in the set.
    pub fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is granted.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.contains(*s))
    }

    /// From words separated by commas or spaces; the unknown word if there is one.
    pub fn parse(words: &str) -> Result<Self, String> {
        let mut set = 0;
        for word in words.split([',', ' ']).filter(|w| !w.is_empty()) {
            set |= Scope::parse(word).ok_or_else(|| word.to_owned())?.bit();
        }
        Ok(Self(set))
    }
}

impl fmt::Display for Scopes {
    /// `ingest,query`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

/// The authenticated caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The only tenant whose rows this request may touch.
    pub tenant: TenantId,
    /// What it may do.
    pub scopes: Scopes,
    /// Who, for the audit and the list of queries: `anonymous` or `token:NAME`.
    pub subject: String,
}

impl Caller {
    /// Checks that the caller holds a scope.
    pub fn require(&self, needs: Scope) -> Result<(), AuthError> {
        if self.scopes.contains(needs) {
            return Ok(());
        }
        Err(AuthError::ScopeMissing { needs, has: self.scopes, subject: self.subject.clone() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// The caller that [`crate::Guard::layer`] put there. A route outside the guard has none and answers 500, so that a
    /// forgotten layer fails closed.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| internal_error("this route is not behind the guard, so it has no caller"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scopes_survive_their_text() {
        for bits in 0..8u8 {
            let scopes = Scopes(bits);
            assert_eq!(Scopes::parse(&scopes.to_string()).unwrap(), scopes);
        }
        assert_eq!(Scopes::parse("query, ingest").unwrap().to_string(), "ingest,query");
        assert_eq!(Scopes::parse("query,root"), Err("root".to_owned()));
    }
}
