//! Protection of a server without authentication from web pages in its user's browser: DNS rebinding (a foreign name that
//! resolves to 127.0.0.1) and cross-site requests.

use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};

use crate::problem::Problem;

/// Why a browser's request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The name in `Host` can be someone else's.
    #[error("the request names the host {0:?}, which this server does not know as its own")]
    ForeignHost(String),
    /// A page of another origin sent the request.
    #[error("the request comes from a page of {0:?}, another origin")]
    CrossOrigin(String),
}

impl IntoResponse for OriginError {
    fn into_response(self) -> Response {
        let (code, title, hint) = match &self {
            Self::ForeignHost(_) => (
                "GRID-0107",
                "unknown host name",
                "without authentication only localhost, addresses and private names are answered; add the name to `guard.allowed_hosts` or turn on tokens",
            ),
            Self::CrossOrigin(_) => {
                ("GRID-0108", "cross-origin request", "call Grid from its own page, from a server, or turn on tokens")
            }
        };
        Problem::new(StatusCode::FORBIDDEN, code, title, self.to_string()).hint(hint).into_response()
    }
}

/// Endings of names that nobody can register in the public DNS (RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`, and
/// Kubernetes' cluster names).
const PRIVATE_ENDINGS: &[&str] = &[".localhost", ".local", ".internal", ".home.arpa", ".svc", ".test"];

/// Checks `Host` (or `:authority`) and `Origin` of a request to a server without authentication.
pub fn check(uri: &Uri, headers: &HeaderMap, allowed_hosts: &[String]) -> Result<(), OriginError> {
    let header = |name| headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let host = header(header::HOST).or_else(|| uri.authority().map(|a| a.to_string()));
    if let Some(host) = &host
        && !is_own(host, allowed_hosts)
    {
        return Err(OriginError::ForeignHost(host.clone()));
    }
    if let Some(origin) = header(header::ORIGIN) {
        let from = origin.split_once("://").map_or("", |(_, authority)| authority);
        if !host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(from)) {
            return Err(OriginError::CrossOrigin(origin));
        }
    }
    Ok(())
}

/// Whether no foreign site can make a browser send this name: an address, a name without a dot, a private name, or one
/// that the operator listed.
fn is_own(host: &str, allowed: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || PRIVATE_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.ends_with(".svc.cluster.local")
        || allowed.iter().any(|a| a.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `host` and `origin` (`-` = absent) -> `ok`, `host` or `origin`.
    fn verdict(host: &str, origin: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if value != "-" {
                headers.insert(name, value.parse().unwrap());
            }
        }
        match check(&Uri::from_static("/api/v1/sql"), &headers, &["grid.example.com".to_owned()]) {
            Ok(()) => "ok",
            Err(OriginError::ForeignHost(_)) => "host",
            Err(OriginError::CrossOrigin(_)) => "origin",
        }
    }

    #[test]
    fn only_own_names_and_own_pages() {
        let cases = [
            ("127.0.0.1:7080", "-", "ok"),
            ("localhost:7080", "-", "ok"),
            ("[::1]:7080", "-", "ok"),
            ("10.1.2.3", "-", "ok"),
            ("grid:7080", "-", "ok"),
            ("grid.monitoring.svc.cluster.local:7080", "-", "ok"),
            ("host.docker.internal:7080", "-", "ok"),
            ("GRID.example.com", "-", "ok"),
            ("-", "-", "ok"),
            ("evil.example.com:7080", "-", "host"),
            ("127.0.0.1.nip.io", "-", "host"),
            ("localhost.evil.com", "-", "host"),
            ("evil.com@localhost", "-", "ok"),
            ("127.0.0.1:7080", "http://127.0.0.1:7080", "ok"),
            ("127.0.0.1:7080", "http://evil.com", "origin"),
            ("127.0.0.1:7080", "null", "origin"),
            ("127.0.0.1:7080", "http://127.0.0.1:3000", "origin"),
            ("-", "http://127.0.0.1:3000", "origin"),
        ];
        for (host, origin, want) in cases {
            assert_eq!(verdict(host, origin), want, "host {host}, origin {origin}");
        }
    }
}
