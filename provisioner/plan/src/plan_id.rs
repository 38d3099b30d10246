//! The name of a plan is its content: a hash over blueprint revision, overrides, state serial and price book. An approval
//! names a plan by it, so a plan whose inputs changed is another plan and is not approved.

use std::fmt;

/// SHA-256 of a plan's inputs, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId([u8; 32]);

/// A text that is no plan id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no plan id: 64 lower-case hexadecimal digits")]
pub struct BadPlanId(pub String);

impl PlanId {
    /// From the digest.
    pub fn of_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn digest(self) -> [u8; 32] {
        self.0
    }

    /// From its text.
    pub fn parse(text: &str) -> Result<Self, BadPlanId> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        let mut digest = [0; 32];
        let bytes = text.as_bytes();
        let parsed = bytes.len() == 64
            && bytes.chunks_exact(2).zip(&mut digest).all(|(pair, out)| match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => {
                    *out = high << 4 | low;
                    true
                }
                _ => false,
            });
        if parsed { Ok(Self(digest)) } else { Err(BadPlanId(text.chars().take(100).collect())) }
    }
}

crate::kept::text!(PlanId, PlanId::parse);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanId({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        let id = PlanId::of_digest(std::array::from_fn(|n| n as u8 * 7));
        assert_eq!(PlanId::parse(&id.to_string()).unwrap(), id);
        let text = id.to_string();
        for bad in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), &"ä".repeat(32), &text.replace('0', "g")]
        {
            assert!(PlanId::parse(bad).is_err(), "{bad}");
        }
    }
}
