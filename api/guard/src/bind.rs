//! Whether an address may be listened on: beyond loopback only with authentication, unless the operator insists.

use std::net::SocketAddr;

use crate::auth::AuthMode;

/// Why an address is not listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "GRID-0130: refusing to listen on {addr} without authentication: everyone who reaches this address could read and delete all data
  one of:
    create a token (`grid token create --name first --scopes ingest,query,admin --tenant '*'`) and serve with `--require-auth`
      (or set `auth.mode = \"tokens\"`, GRID__AUTH__MODE=tokens)
    listen on loopback only (`--listen 127.0.0.1:{}`)
    accept the risk in a closed network (`--allow-anonymous`)", addr.port()
)]
pub struct Refusal {
    /// The address.
    pub addr: SocketAddr,
}

/// Decides whether to listen on `addr`.
pub fn bind_policy(addr: SocketAddr, auth: &AuthMode, allow_anonymous: bool) -> Result<(), Refusal> {
    let loopback = match addr.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => ip.is_loopback(),
        std::net::IpAddr::V6(ip) => ip.is_loopback(),
    };
    if loopback || allow_anonymous || *auth == AuthMode::Tokens { Ok(()) } else { Err(Refusal { addr }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn beyond_loopback_needs_authentication() {
        let cases = [
            ("127.0.0.1:7080", true),
            ("127.9.9.9:0", true),
            ("[::1]:7080", true),
            ("[::ffff:127.0.0.1]:7080", true),
            ("0.0.0.0:7080", false),
            ("[::]:7080", false),
            ("10.0.0.1:7080", false),
            ("[::ffff:10.0.0.1]:7080", false),
        ];
        for (addr, loopback) in cases {
            let addr: SocketAddr = addr.parse().unwrap();
            assert_eq!(bind_policy(addr, &AuthMode::Anonymous, false).is_ok(), loopback, "{addr}");
            assert!(bind_policy(addr, &AuthMode::Anonymous, true).is_ok());
            assert!(bind_policy(addr, &AuthMode::Tokens, false).is_ok());
        }
        let text = bind_policy("0.0.0.0:80".parse().unwrap(), &AuthMode::Anonymous, false).unwrap_err().to_string();
        for remedy in ["grid token create", "127.0.0.1:80", "--allow-anonymous"] {
            assert!(text.contains(remedy), "{text}");
        }
    }
}
