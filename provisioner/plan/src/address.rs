//! The name of a resource inside an environment: its kind and its own name.

use std::fmt;

use crate::limits::NAME_BYTES_MAX;

/// A resource: `autoscaling_group.web`. Kinds and names are letters, digits, `_` and `-`, and begin with a letter or `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    kind: Box<str>,
    name: Box<str>,
}

/// A text that names no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no resource: KIND.NAME of letters, digits, `_` and `-`, at most {NAME_BYTES_MAX} bytes each")]
pub struct BadAddress(pub String);

impl Address {
    /// From its parts.
    pub fn new(kind: &str, name: &str) -> Result<Self, BadAddress> {
        if is_word(kind) && is_word(name) {
            Ok(Self { kind: kind.into(), name: name.into() })
        } else {
            let text = format!("{kind}.{name}");
            Err(BadAddress(text.chars().take(2 * NAME_BYTES_MAX).collect()))
        }
    }

    /// From its text, `KIND.NAME`.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let (kind, name) = text.split_once('.').unwrap_or((text, ""));
        Self::new(kind, name)
    }

    /// What it is, such as `autoscaling_group`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which one of its kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_word(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    starts && text.len() <= NAME_BYTES_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

crate::kept::text!(Address, Address::parse);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_print_and_parse() {
        for good in ["vm.a", "autoscaling_group.web-1", "_x._y"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "vm", "vm.", ".a", "vm.a.b", "vm.1a", "v m.a", "vm.ä", &format!("vm.{}", "a".repeat(129))] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
