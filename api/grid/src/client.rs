//! A client of a running server, for commands that take `--url`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Method, RequestBuilder, Response};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a failed answer is shown.
const ERROR_CHARS_MAX: usize = 4_000;

/// A server, a tenant and perhaps a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    tenant: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// Who acts, where no token says it: `GRID_ACTOR`, or who is logged in.
pub(crate) fn actor() -> String {
    let named = ["GRID_ACTOR", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let plain: String = named.unwrap_or_default().chars().filter(|c| (' '..='~').contains(c)).take(128).collect();
    if plain.is_empty() { "somebody".to_owned() } else { plain }
}

impl Client {
    /// A client of the server at `url`.
    pub(crate) fn new(url: &str, tenant: &str, token: Option<String>) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("{url:?} is not an address of a server; write --url http://127.0.0.1:7080");
        }
        let http =
            reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build().context("build the HTTP client")?;
        Ok(Self { base: base.to_owned(), tenant: tenant.to_owned(), token, http })
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request with tenant and token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("x-scope-orgid", &self.tenant);
        let request = request.header("x-grid-actor", actor());
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; an answer that is no success becomes an error with the server's own words.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = self.send_any(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        bail!("{}", words_of_failure(status, &text));
    }

    /// Sends a request and answers whatever came back.
    pub(crate) async fn send_any(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(|e| {
            let refused = e.is_connect();
            let e = anyhow::Error::from(e);
            if refused {
                e.context(format!("no server answers at {}; is `grid serve` running?", self.base))
            } else {
                e.context(format!("call {}", self.base))
            }
        })
    }
}

/// A failed answer as people read it: problem+json has title, detail, code and hint, anything else is shown as it is.
pub(crate) fn words_of_failure(status: reqwest::StatusCode, body: &str) -> String {
    let Ok(problem) = serde_json::from_str::<serde_json::Value>(body) else {
        let text: String = body.trim().chars().take(ERROR_CHARS_MAX).collect();
        return if text.is_empty() { format!("the server answered {status}") } else { format!("{text} ({status})") };
    };
    let field = |name: &str| problem.get(name).and_then(serde_json::Value::as_str);
    let mut words = match (field("title"), field("detail").or_else(|| field("message")).or_else(|| field("error"))) {
        (Some(title), Some(detail)) if detail.contains(title) => detail.to_owned(),
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => format!("the server answered {status}"),
    };
    if let Some(hint) = field("hint") {
        words.push_str(&format!("\nhint: {hint}"));
    }
    if let Some(code) = field("code") {
        words.push_str(&format!("\nsee: grid explain {code}"));
    }
    words
}

/// The bearer token: from a file if one is named, else from the environment. Never from a flag, which others can see.
pub(crate) fn token(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(path) = file else {
        return Ok(std::env::var("GRID_TOKEN").ok().filter(|t| !t.trim().is_empty()).map(|t| t.trim().to_owned()));
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("read the token file {}", path.display()))?;
    let token = text.trim();
    if token.is_empty() {
        bail!("the token file {} is empty", path.display());
    }
    Ok(Some(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_speak() {
        let status = reqwest::StatusCode::BAD_REQUEST;
        let problem =
            r#"{"title":"no such table","detail":"table `x` does not exist","code":"GRID-0404","hint":"SHOW TABLES"}"#;
        assert_eq!(
            words_of_failure(status, problem),
            "no such table: table `x` does not exist\nhint: SHOW TABLES\nsee: grid explain GRID-0404"
        );
        assert_eq!(words_of_failure(status, "plain"), "plain (400 Bad Request)");
        assert_eq!(words_of_failure(status, ""), "the server answered 400 Bad Request");
    }
}
