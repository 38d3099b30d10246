//! A receiver of webhooks that takes, fails, hangs, goes away and comes back, as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Takes,
    /// Answers 500.
    Fails,
    /// Answers 429 and asks for a second's pause.
    Busy,
    /// Reads it and never answers.
    Hangs,
    /// Takes it, and never answers: the sender cannot know.
    TakesAndHangs,
    /// Is not there.
    Gone,
}

impl Mood {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Takes, Self::Fails, Self::Busy, Self::Hangs, Self::TakesAndHangs, Self::Gone];
}

/// One request that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
    /// When.
    pub at: Instant,
}

impl Taken {
    /// A header as text.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Clone, Default)]
struct Shared {
    mood: Arc<AtomicU8>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// The receiver.
pub struct Hook {
    address: SocketAddr,
    shared: Shared,
    server: Option<JoinHandle<()>>,
}

impl Hook {
    /// Starts one that takes everything.
    pub async fn start() -> anyhow::Result<Self> {
        let mut hook = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), shared: Shared::default(), server: None };
        hook.listen().await?;
        Ok(hook)
    }

    async fn listen(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await.context("listen as a receiver")?;
        self.address = listener.local_addr()?;
        let router = axum::Router::new().fallback(post(take)).with_state(self.shared.clone());
        self.server = Some(tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        }));
        Ok(())
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Changes its mood; going away ends its connections, coming back opens the same port.
    pub async fn be(&mut self, mood: Mood) -> anyhow::Result<()> {
        let code = Mood::ALL.iter().position(|m| *m == mood).unwrap_or_default();
        self.shared.mood.store(u8::try_from(code)?, Ordering::Relaxed);
        if mood == Mood::Gone {
            if let Some(server) = self.server.take() {
                server.abort();
                let _ = server.await;
            }
        } else if self.server.is_none() {
            self.listen().await?;
        }
        Ok(())
    }

    /// What it took so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().clone()
    }

    /// Waits until what it took satisfies a condition.
    pub async fn until(&self, what: &str, within: Duration, enough: impl Fn(&[Taken]) -> bool) -> anyhow::Result<()> {
        let attempt = async {
            while !enough(&self.shared.taken.lock()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(within, attempt).await.with_context(|| {
            let bodies: Vec<String> = self.taken().iter().map(|t| t.body.chars().take(300).collect()).collect();
            format!("wait for {what}; it took {bodies:#?}")
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mood = Mood::ALL[usize::from(shared.mood.load(Ordering::Relaxed))];
    if matches!(mood, Mood::Takes | Mood::TakesAndHangs) {
        shared.taken.lock().push(Taken { headers, body, at: Instant::now() });
    }
    match mood {
        Mood::Takes => StatusCode::OK.into_response(),
        Mood::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Busy => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        Mood::Hangs | Mood::TakesAndHangs | Mood::Gone => std::future::pending().await,
    }
}
