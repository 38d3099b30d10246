//! Signatures of webhooks as Standard Webhooks defines them (version 1): an HMAC-SHA256 over id, time and body, so that a receiver
//! knows who sent it, that nobody changed it, and that it is not an old one sent again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
pub const PREFIX: &str = "whsec_";
/// Bytes that a secret may have: 24 to 64, as the specification says.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// Why a text is no secret. The text itself is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not base64.
    #[error("a signing secret is `whsec_` and base64")]
    Base64,
    /// It is too short to be secret, or too long.
    #[error("a signing secret has 24 to 64 bytes, this one has {0}")]
    Length(usize),
}

impl SigningKey {
    /// Reads `whsec_...`; the prefix may be absent.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| SecretError::Base64)?;
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError::Length(bytes.len())) }
    }

    /// From 32 random bytes.
    pub fn of(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// `whsec_...`: to be shown once, to whom it belongs.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// `v1,BASE64` over `id.seconds.body`.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The three headers; with several keys there are several signatures, so that a receiver may hold either secret while it changes.
pub fn headers(keys: &[SigningKey], id: &str, seconds: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds.to_string())];
    if !keys.is_empty() {
        let signatures: Vec<String> = keys.iter().map(|key| key.sign(id, seconds, body)).collect();
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of the specification's reference libraries.
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(SigningKey::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(), key);
        assert_eq!(SigningKey::parse(&key.reveal()).unwrap(), key);
        assert_eq!(format!("{key:?}"), "<secret>");
    }

    #[test]
    fn secrets_are_checked_and_rotate() {
        assert_eq!(SigningKey::parse("whsec_!"), Err(SecretError::Base64));
        assert_eq!(SigningKey::parse("whsec_AAAA"), Err(SecretError::Length(3)));
        let [new, old] = [SigningKey::of([1; 32]), SigningKey::of([2; 32])];
        let headers = headers(&[new.clone(), old.clone()], "msg_1", 5, b"x");
        let both = format!("{} {}", new.sign("msg_1", 5, b"x"), old.sign("msg_1", 5, b"x"));
        assert_eq!(headers[2], ("webhook-signature", both));
        assert_eq!(super::headers(&[], "msg_1", 5, b"x").len(), 2);
    }
}
