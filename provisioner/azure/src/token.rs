//! Who asks: a token that was given, or one that an application gets by its secret and keeps until shortly before its end.

use grid_act::native::failure::{Failure, retry_after_ns};
use grid_model::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::client::{lost, read};
use crate::limits::TOKEN_MARGIN_NS;
use crate::settings::{Credentials, Settings};

/// Gives the token of a call.
pub(crate) struct Bearer {
    credentials: Credentials,
    scope: String,
    /// The last token, and until when it is used. One asks, the others wait for it.
    kept: Mutex<Option<(String, Timestamp)>>,
}

impl Bearer {
    pub(crate) fn new(settings: &Settings) -> Self {
        let scope = format!("{}/.default", settings.endpoint_url.trim_end_matches('/'));
        Self { credentials: settings.credentials.clone(), scope, kept: Mutex::new(None) }
    }

    /// The last token is not taken any more, though its time is not over.
    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    pub(crate) async fn token(&self, http: &reqwest::Client, now: Timestamp) -> Result<String, Failure> {
        let Credentials::Client { authority, tenant, client, secret } = &self.credentials else {
            let Credentials::Token(token) = &self.credentials else { return Ok(String::new()) };
            return Ok(token.clone());
        };
        let mut kept = self.kept.lock().await;
        if let Some((token, _)) = kept.as_ref().filter(|(_, until)| now < *until) {
            return Ok(token.clone());
        }
        let name = "get a token";
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", secret),
            ("scope", &self.scope),
        ];
        let asked = http.post(format!("{authority}/{tenant}/oauth2/v2.0/token")).form(&form).send().await;
        // Without a token nothing was asked of the cloud, so nothing is lost: it may be tried again.
        let again = |failure: Failure| Failure::again(None, failure.error.to_string());
        let response = asked.map_err(|e| again(lost(name, &e.without_url())))?;
        let status = response.status().as_u16();
        let after_ns = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(retry_after_ns);
        let body: Value = serde_json::from_slice(&read(name, response).await.map_err(again)?).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        if status == 429 || status >= 500 {
            return Err(Failure::again(after_ns, format!("{name}: HTTP {status}")));
        }
        let token = text("access_token");
        if status >= 300 || token.is_empty() {
            let why = format!("{name}: {}: {}", text("error"), text("error_description"));
            return Err(Failure::refused(format!("{why}: see the credentials in docs/azure.md")));
        }
        let seconds = body.get("expires_in").and_then(Value::as_i64).unwrap_or(0);
        let until = now.saturating_add(seconds.saturating_mul(1_000_000_000).saturating_sub(TOKEN_MARGIN_NS));
        *kept = Some((token.to_owned(), until));
        Ok(token.to_owned())
    }
}
