//! Bearer tokens: how they look, what rests of them, and why a request was refused.

use std::hint::black_box;

use axum::response::{IntoResponse, Response};
use grid_model::tenant::TenantError;
use grid_model::{TenantId, Timestamp};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::book::BookError;
use crate::caller::{Scope, Scopes};
use crate::problem::Problem;
use crate::tenant::Tenants;

/// What every token begins with, so that secret scanners can find it.
pub const PREFIX: &str = "grid_";
/// Hex digits after the prefix that name the token; they are shown in lists.
const ID_LEN: usize = 12;
/// Hex digits after the prefix in all: 48 bits of name and 208 bits of secret.
const DIGITS: usize = 64;
/// Longest name of a token in bytes.
pub const TOKEN_NAME_BYTES_MAX: usize = 100;

/// Whether callers must say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// Everyone who reaches the server may do everything; on loopback only, unless the operator insists.
    #[default]
    Anonymous,
    /// A bearer token, or HTTP basic authentication whose password is the token.
    Tokens,
}

/// What a token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// For humans; need not be unique.
    pub name: String,
    /// For which tenants.
    pub tenants: Tenants,
    /// For what.
    pub scopes: Scopes,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A token as it may be shown: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The first digits of the token, by which it is revoked.
    pub id: String,
    /// For humans.
    pub name: String,
    /// For which tenants.
    pub tenants: Tenants,
    /// For what.
    pub scopes: Scopes,
    /// Since when.
    pub created: Timestamp,
    /// Last seen; exact to a minute.
    pub last_used: Option<Timestamp>,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A token just created: the only time that its secret is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The whole token, `grid_...`.
    pub secret: String,
    /// What it is.
    pub info: TokenInfo,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Why a caller was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Neither a bearer token nor basic authentication.
    #[error("the request has no credentials")]
    CredentialsMissing,
    /// An `Authorization` header that cannot be read.
    #[error("the header Authorization {0}")]
    CredentialsMalformed(&'static str),
    /// No token is so.
    #[error("the token is unknown or was revoked")]
    TokenUnknown,
    /// Its time is over.
    #[error("the token {name:?} expired at {at}")]
    TokenExpired {
        /// The token's name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// The caller may not do this.
    #[error("{subject} has the scopes \"{has}\", this needs \"{}\"", needs.as_str())]
    ScopeMissing {
        /// What the route needs.
        needs: Scope,
        /// What the caller has.
        has: Scopes,
        /// Who.
        subject: String,
    },
    /// The header asks for a tenant that the token does not hold.
    #[error("the token does not hold the tenant {tenant}")]
    TenantForbidden {
        /// The tenant asked for.
        tenant: TenantId,
    },
    /// The header is no tenant's name.
    #[error("the header X-Scope-OrgID is not a tenant: {0}")]
    TenantInvalid(TenantError),
    /// The header occurs twice.
    #[error("the header X-Scope-OrgID occurs more than once")]
    TenantTwice,
    /// The tokens cannot be read.
    #[error("the tokens cannot be checked: {0}")]
    Book(#[from] BookError),
}

impl AuthError {
    /// The refusal as the client sees it.
    pub fn problem(&self) -> Problem {
        let (status, code, title, hint) = match self {
            Self::CredentialsMissing => (
                StatusCode::UNAUTHORIZED,
                "GRID-0101",
                "credentials missing",
                "send `Authorization: Bearer grid_...`, or basic authentication with the token as password; `grid token create` makes one",
            ),
            Self::CredentialsMalformed(_) => (
                StatusCode::UNAUTHORIZED,
                "GRID-0101",
                "credentials missing",
                "send `Authorization: Bearer grid_...`, or basic authentication with the token as password",
            ),
            Self::TokenUnknown => (
                StatusCode::UNAUTHORIZED,
                "GRID-0102",
                "token unknown",
                "check for a cut or padded token; `grid token list` shows those that exist",
            ),
            Self::TokenExpired { .. } => {
                (StatusCode::UNAUTHORIZED, "GRID-0103", "token expired", "create another with `grid token create`")
            }
            Self::ScopeMissing { .. } => (
                StatusCode::FORBIDDEN,
                "GRID-0104",
                "scope missing",
                "use a token with this scope; scopes do not include each other",
            ),
            Self::TenantForbidden { .. } => (
                StatusCode::FORBIDDEN,
                "GRID-0105",
                "tenant not permitted",
                "leave X-Scope-OrgID away, or use a token of that tenant",
            ),
            Self::TenantInvalid(_) | Self::TenantTwice => (
                StatusCode::BAD_REQUEST,
                "GRID-0106",
                "tenant name invalid",
                "one tenant per request; queries over several tenants (`a|b`) do not exist",
            ),
            Self::Book(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "GRID-0112",
                "tokens cannot be checked",
                "look at /readyz and the log of the server",
            ),
        };
        Problem::new(status, code, title, self.to_string()).hint(hint)
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        self.problem().into_response()
    }
}

/// SHA-256 of a whole token. A token holds 208 random bits, so a slow hash would add nothing but load.
pub type TokenHash = [u8; 32];

/// A token's text, checked in form only.
pub(crate) struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    /// From what the client sent.
    pub(crate) fn parse(text: &'a str) -> Result<Self, AuthError> {
        let digits = text.strip_prefix(PREFIX).ok_or(AuthError::TokenUnknown)?;
        let well_formed = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if well_formed { Ok(Self(text)) } else { Err(AuthError::TokenUnknown) }
    }

    /// The part that may be shown.
    pub(crate) fn id(&self) -> &'a str {
        &self.0[PREFIX.len()..PREFIX.len() + ID_LEN]
    }

    /// What rests of it.
    pub(crate) fn hash(&self) -> TokenHash {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// A new token's text from 256 random bits.
pub(crate) fn mint(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", hex::encode(random))
}

/// Compares in a time that does not depend on where the two differ.
pub(crate) fn same(a: &TokenHash, b: &TokenHash) -> bool {
    black_box(a.iter().zip(b).fold(0u8, |diff, (x, y)| black_box(diff | (x ^ y)))) == 0
}

/// The token that a request carries.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<String, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::CredentialsMissing)?;
    if values.next().is_some() {
        return Err(AuthError::CredentialsMalformed("occurs more than once"));
    }
    let text = value.to_str().map_err(|_| AuthError::CredentialsMalformed("is not text"))?;
    let (scheme, rest) = text.split_once(' ').ok_or(AuthError::CredentialsMalformed("has no scheme"))?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(AuthError::CredentialsMalformed("has a scheme other than Bearer and Basic"));
    }
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let pair = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or(AuthError::CredentialsMalformed("is not base64"))?;
    // The user name is whatever the client likes; the password is the token.
    let (_, password) = pair.split_once(':').ok_or(AuthError::CredentialsMalformed("has no password"))?;
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn credentials_in_every_dress() {
        let token = mint([0xab; 32]);
        let basic = |pair: String| {
            use base64::Engine as _;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        };
        for (value, want) in [
            (format!("Bearer {token}"), Some(&token)),
            (format!("bearer  {token}"), Some(&token)),
            (basic(format!("grafana:{token}")), Some(&token)),
            (basic(format!(":{token}")), Some(&token)),
            (basic("nocolon".to_owned()), None),
            ("Basic ???".to_owned(), None),
            (format!("Digest {token}"), None),
            (token.clone(), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(credentials(&headers).ok().as_ref(), want, "{value}");
        }
        assert_eq!(credentials(&HeaderMap::new()), Err(AuthError::CredentialsMissing));
    }

    #[test]
    fn tokens_have_one_form() {
        let token = mint([0x5a; 32]);
        assert_eq!(token.len(), PREFIX.len() + DIGITS);
        assert_eq!(Secret::parse(&token).unwrap().id(), "5a5a5a5a5a5a");
        for bad in ["", "grid_", &token[1..], &token[..token.len() - 1], &format!("{token}0"), &token.replace('5', "ü")]
        {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hashes_compare_whole() {
        let a = Secret::parse(&mint([1; 32])).unwrap().hash();
        for i in 0..32 {
            let mut b = a;
            b[i] ^= 1;
            assert!(!same(&a, &b));
        }
        assert!(same(&a, &a.clone()));
    }
}
