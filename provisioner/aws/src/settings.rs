//! Which account, where, and how fast.

use grid_plan::Address;

use crate::limits::{NAME_MAX, TIMEOUT_NS};

/// What an executor is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Where all services are, in place of Amazon's own addresses: an emulator, or a gateway.
    pub endpoint_url: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// What the names of everything that is made begin with, such as `shop-prod`.
    pub prefix: String,
    /// Calls a second on average.
    pub calls_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// How long one call may take, in nanoseconds, before its answer counts as lost.
    pub timeout_ns: i64,
    /// Whether the machines of a group are replaced one by one when their type has changed (StartInstanceRefresh). Without it only new machines
    /// have the new type.
    pub refreshes: bool,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Whoever the environment says: variables, profile, web identity, container, instance, in the order of Amazon's own tools.
    Chain,
    /// These keys.
    Keys {
        /// The access key's id.
        id: String,
        /// Its secret.
        secret: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chain => f.write_str("Chain"),
            Self::Keys { id, .. } => f.debug_struct("Keys").field("id", id).finish_non_exhaustive(),
        }
    }
}

impl Settings {
    /// Of a region, with the credentials of the environment.
    pub fn new(region: &str, prefix: &str) -> Self {
        Self {
            region: region.to_owned(),
            endpoint_url: None,
            credentials: Credentials::Chain,
            prefix: prefix.to_owned(),
            calls_per_second: 5.0,
            burst: 20,
            timeout_ns: TIMEOUT_NS,
            refreshes: true,
        }
    }

    /// The name of something that is made by a token, in letters that every service takes. A token makes one thing, so a name that is taken already
    /// was made by an earlier try.
    pub fn name(&self, address: &Address, token: &str) -> String {
        let digits: String = token.chars().rev().take(8).collect();
        let mut name = String::with_capacity(NAME_MAX);
        let text = format!("{}-{}", self.prefix, address.name());
        for c in text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }) {
            let starts = !name.is_empty() || c.is_ascii_alphabetic();
            if starts && !(c == '-' && name.ends_with('-')) && name.len() < NAME_MAX - 9 {
                name.push(c);
            }
        }
        format!("{}-{digits}", if name.is_empty() { "grid" } else { name.trim_end_matches('-') })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_taken_by_every_service() {
        let token = "grid-0123456789abcdef0123456789abcdef";
        for (prefix, address, expected) in [
            ("shop-prod", "vm.web", "shop-prod-web-fedcba98"),
            ("shop_prod", "vm._a__b", "shop-prod-a-b-fedcba98"),
            ("9", "vm.ABC", "abc-fedcba98"),
            ("", "vm._", "grid-fedcba98"),
            ("a-very-long-name-of-a-system", "vm.and-a-long-name-too", "a-very-long-name-of-a-system-an-fedcba98"),
        ] {
            let name = Settings::new("eu-central-1", prefix).name(&Address::parse(address).unwrap(), token);
            assert_eq!(name, expected);
            assert!(name.len() <= NAME_MAX);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = Credentials::Keys { id: "AK".to_owned(), secret: "hidden".to_owned() };
        assert!(!format!("{keys:?}").contains("hidden"));
    }
}
