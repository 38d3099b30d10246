//! The client of one subscription, and the one way in which calls are made: as fast as they may be, once each. Nothing is tried again here; that is the
//! runner's. What the cloud does in its own time is waited for at the address that it names.

use std::sync::Arc;
use std::time::Duration;

use grid_act::executor::Time;
use grid_act::native::failure::{Failure, chain, retry_after_ns};
use grid_act::retry::Rate;
use grid_model::Timestamp;
use grid_plan::inventory::Inventory;
use parking_lot::Mutex;
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::failure;
use crate::limits::{ANSWER_BYTES_MAX, CALLS_AT_ONCE, PAGES_MAX, POLL_NS, POLL_NS_MAX, POLLS_MAX};
use crate::settings::Settings;
use crate::token::Bearer;

/// What Grid does in one subscription of Azure.
pub struct Azure {
    pub(crate) settings: Settings,
    pub(crate) time: Arc<dyn Time>,
    http: reqwest::Client,
    endpoint: Url,
    bearer: Bearer,
    rate: Mutex<Rate>,
    slots: Semaphore,
}

/// Why a subscription cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// That is no address.
    #[error("{0:?} is no address of a Resource Manager")]
    Endpoint(String),
    /// There is no client.
    #[error("make the client of Azure")]
    Client(#[source] reqwest::Error),
}

/// One call.
pub(crate) struct Ask<'a> {
    /// Which, for what is said if it fails.
    pub(crate) name: String,
    pub(crate) method: Method,
    /// Below the endpoint, with its query.
    pub(crate) path: String,
    pub(crate) body: Option<&'a Value>,
    /// The state that it is to be in; another one is refused.
    pub(crate) etag: &'a str,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(name: String, method: Method, path: String) -> Self {
        Self { name, method, path, body: None, etag: "" }
    }

    pub(crate) fn body(self, body: &'a Value, etag: &'a str) -> Self {
        Self { body: Some(body), etag, ..self }
    }
}

/// What was answered.
struct Answer {
    status: u16,
    body: Value,
    after_ns: Option<i64>,
    /// Where the operation is told of, and whether that place has a status in its body.
    operation: Option<(String, bool)>,
}

impl Azure {
    /// A client by settings. Nothing is called yet.
    pub async fn new(settings: Settings, time: Arc<dyn Time>) -> Result<Self, ConnectError> {
        let endpoint = Url::parse(&settings.endpoint_url)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
            .ok_or_else(|| ConnectError::Endpoint(settings.endpoint_url.clone()))?;
        let within = Duration::from_nanos(u64::try_from(settings.timeout_ns).unwrap_or(0).max(1));
        // A redirect would take the token of access elsewhere.
        let http = reqwest::Client::builder().timeout(within).redirect(reqwest::redirect::Policy::none()).build();
        let rate = Mutex::new(Rate::new(settings.calls_per_second, settings.burst));
        let bearer = Bearer::new(&settings);
        Ok(Self {
            settings,
            time,
            http: http.map_err(ConnectError::Client)?,
            endpoint,
            bearer,
            rate,
            slots: Semaphore::new(CALLS_AT_ONCE),
        })
    }

    /// Reads what is there, and changes nothing.
    pub async fn inventory(&self, now: Timestamp) -> Inventory {
        grid_act::native::inventory(self, now).await
    }

    /// The path of the subscription, or of the one group that Grid works in.
    pub(crate) fn scope(&self) -> String {
        let subscription = format!("/subscriptions/{}", self.settings.subscription);
        match &self.settings.resource_group {
            Some(group) => format!("{subscription}/resourceGroups/{group}"),
            None => subscription,
        }
    }

    async fn call(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let _slot = self.slots.acquire().await.map_err(|_| Failure::refused("the executor is closed"))?;
        let wait = self.rate.lock().take(self.time.now());
        if wait > 0 {
            self.time.wait(wait).await;
        }
        let (name, url) = (ask.name.as_str(), self.url(&ask.path)?);
        let bearer = self.bearer.token(&self.http, self.time.now()).await?;
        let mut request = self.http.request(ask.method.clone(), url).bearer_auth(bearer);
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        if !ask.etag.is_empty() {
            request = request.header(reqwest::header::IF_MATCH, ask.etag);
        }
        let response = request.send().await.map_err(|e| lost(name, &e))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let after_ns = header("retry-after").as_deref().and_then(retry_after_ns);
        let operation = match (header("azure-asyncoperation"), header("location")) {
            (Some(url), _) => Some((url, true)),
            (None, url) => url.map(|url| (url, false)),
        };
        let bytes = read(name, response).await?;
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            // Some failures come from a gateway, in words of its own.
            Err(_) if bytes.is_empty() || status >= 300 => Value::Null,
            Err(_) => return Err(failure::answered(name, status, &Value::Null, None)),
        };
        if status == 401 {
            self.bearer.forget().await;
        }
        if status >= 300 {
            return Err(failure::answered(name, status, &body, after_ns));
        }
        Ok(Answer { status, body, after_ns, operation })
    }

    /// Asks what changes nothing.
    pub(crate) async fn get(&self, name: String, path: String) -> Result<Value, Failure> {
        Ok(Box::pin(self.call(&Ask::new(name, Method::GET, path))).await?.body)
    }

    /// All pages of a listing.
    pub(crate) async fn list(&self, name: &str, path: String) -> Result<Vec<Value>, Failure> {
        let (mut all, mut path) = (Vec::new(), path);
        for _ in 0..PAGES_MAX {
            let mut page = self.get(name.to_owned(), path).await?;
            if let Some(Value::Array(rows)) = page.get_mut("value").map(Value::take) {
                all.extend(rows);
            }
            match page.get("nextLink").and_then(Value::as_str).filter(|url| !url.is_empty()) {
                Some(next) => path = next.to_owned(),
                None => return Ok(all),
            }
        }
        Err(Failure::refused(format!("{name} has more than {PAGES_MAX} pages")))
    }

    /// Makes one call that changes something, and waits until that is done.
    pub(crate) async fn done(&self, ask: &Ask<'_>) -> Result<(), Failure> {
        let first = Box::pin(self.call(ask)).await?;
        let name = &ask.name;
        let Some((url, has_status)) = first.operation.filter(|_| first.status != 204) else {
            // It was done at once; if not, the next look tells.
            return Ok(());
        };
        let mut after_ns = first.after_ns;
        for _ in 0..POLLS_MAX {
            self.time.wait(after_ns.unwrap_or(POLL_NS).clamp(0, POLL_NS_MAX)).await;
            let look = Ask::new(format!("{name}: operation"), Method::GET, url.clone());
            let now = Box::pin(self.call(&look)).await?;
            after_ns = now.after_ns;
            let status = now.body.get("status").and_then(Value::as_str).filter(|_| has_status);
            match status {
                None if now.status == 202 => {}
                None | Some("Succeeded") => return Ok(()),
                Some(status @ ("Failed" | "Canceled")) => return Err(failure::of_operation(name, status, &now.body)),
                Some(_) => {}
            }
        }
        Err(Failure::unsettled(format!("{name}: the operation is not done yet")))
    }

    /// An address below the endpoint. Answers name whole addresses for pages and operations: one elsewhere is not asked, for the token goes along.
    fn url(&self, path: &str) -> Result<Url, Failure> {
        let url = self.endpoint.join(path).map_err(|_| Failure::refused(format!("{path:?} is no address")))?;
        if url.origin() != self.endpoint.origin() {
            return Err(Failure::refused(format!("{} is not at {}", url, self.endpoint)));
        }
        Ok(url)
    }
}

pub(crate) fn lost(name: &str, error: &reqwest::Error) -> Failure {
    let why = chain(name, error);
    // Nothing was sent.
    if error.is_builder() { Failure::refused(why) } else { Failure::lost(why) }
}

/// The bytes of an answer, as many as one may have.
pub(crate) async fn read(name: &str, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| lost(name, &e))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::lost(format!("{name}: the answer has more than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
