//! Which subscription, where in it, and how fast.

use crate::limits::TIMEOUT_NS;

/// What an executor is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The subscription's id.
    pub subscription: String,
    /// The one resource group that Grid works in; `None` for the whole subscription. Rights for one group are enough then.
    pub resource_group: Option<String>,
    /// Where the Resource Manager is: `https://management.azure.com`, another cloud's, a gateway, or a contract server.
    pub endpoint_url: String,
    /// Who asks.
    pub credentials: Credentials,
    /// Calls a second on average.
    pub calls_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// How long one call may take, in nanoseconds, before its answer counts as lost.
    pub timeout_ns: i64,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An application that is registered in a tenant, by its secret.
    Client {
        /// Where tokens are given out: `https://login.microsoftonline.com`.
        authority: String,
        /// The tenant's id.
        tenant: String,
        /// The application's id.
        client: String,
        /// Its secret.
        secret: String,
    },
    /// Whoever this token is of, for as long as it is good.
    Token(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::Client { tenant, client, .. } => {
                f.debug_struct("Client").field("tenant", tenant).field("client", client).finish_non_exhaustive()
            }
        }
    }
}

/// Azure's own address of its Resource Manager.
pub const ENDPOINT: &str = "https://management.azure.com";
/// Azure's own address for tokens.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";

impl Credentials {
    /// Of variables, by the names that Azure's own tools have: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`, with
    /// `AZURE_AUTHORITY_HOST` for other clouds. The name of one that is missing, if one is.
    pub fn of_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let one = |name: &'static str| get(name).filter(|v| !v.is_empty()).ok_or(name);
        let authority = one("AZURE_AUTHORITY_HOST").unwrap_or_else(|_| AUTHORITY.to_owned());
        Ok(Self::Client {
            authority: authority.trim_end_matches('/').to_owned(),
            tenant: one("AZURE_TENANT_ID")?,
            client: one("AZURE_CLIENT_ID")?,
            secret: one("AZURE_CLIENT_SECRET")?,
        })
    }
}

impl Settings {
    /// Of a subscription, all of its groups.
    pub fn new(subscription: &str, credentials: Credentials) -> Self {
        Self {
            subscription: subscription.to_owned(),
            resource_group: None,
            endpoint_url: ENDPOINT.to_owned(),
            credentials,
            calls_per_second: 5.0,
            burst: 20,
            timeout_ns: TIMEOUT_NS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_say_who_asks_and_secrets_are_not_shown() {
        let get = |name: &str| (name != "AZURE_AUTHORITY_HOST").then(|| format!("of {name}"));
        let made = Credentials::of_variables(get);
        let shown = format!("{made:?}");
        assert!(shown.contains("of AZURE_TENANT_ID") && !shown.contains("SECRET"), "{shown}");
        assert!(matches!(made, Ok(Credentials::Client { authority, .. }) if authority == AUTHORITY));
        assert_eq!(Credentials::of_variables(|_| None), Err("AZURE_TENANT_ID"));
        assert_eq!(format!("{:?}", Credentials::Token("hidden".to_owned())), "Token");
    }
}
