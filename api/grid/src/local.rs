//! The API over a data directory that no server holds: the same routes, called in process. So a command speaks one language, whether it
//! finds a server or a directory.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use grid_api::{ApiLimits, ApiParts, ApiState, ServerInfo};
use grid_desk::Desk;
use grid_guard::{AuthMode, Guard, GuardConfig};
use grid_store::Store;
use reqwest::Method;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::bills::Bills;
use crate::client::{self, Client, words_of_failure};
use crate::config::Config;
use crate::prices::PriceBooks;
use crate::provisioning::{self, Wall};
use crate::target::{self, Target};
use crate::{clock, setup};

/// Bytes of an answer; answers of lists are far smaller.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Whoever answers: a server, or a directory opened here.
pub(crate) enum Api {
    /// Over the network.
    Server(Client),
    /// In process, as this tenant.
    Directory { store: Store, router: Router, tenant: String, desk: Desk },
}

impl Api {
    /// Opens what the flags name.
    pub(crate) async fn open(args: &crate::args::TargetArgs, config: &Config) -> anyhow::Result<Self> {
        target::tenant(&args.tenant)?;
        match Target::resolve(args, config)? {
            Target::Server(client) => Ok(Self::Server(client)),
            Target::Directory(dir) => Self::directory(&dir, &args.tenant, config).await,
        }
    }

    async fn directory(dir: &Path, tenant: &str, config: &Config) -> anyhow::Result<Self> {
        let store = target::open_existing(config, dir).await?;
        let engine = Arc::new(setup::engine(config, &store)?);
        // Whoever may open the directory may do everything with it.
        let guard = GuardConfig { auth: AuthMode::Anonymous, clock: clock::system(), ..GuardConfig::default() };
        // Nobody else goes on with releases while this process holds the directory.
        let desk = provisioning::open(config, dir, &engine, &store, Arc::new(Wall), true).await?;
        let state = ApiState::new(ApiParts {
            engine,
            store: store.clone(),
            guard: Guard::new(store.clone(), guard),
            info: ServerInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: None,
                started: clock::now(),
                endpoints: Vec::new(),
            },
            clock: clock::system(),
            importer: Arc::new(Bills::new(store.clone())),
            prices: Arc::new(PriceBooks::new(store.clone())),
            scraped: None,
            notifier: None,
            rules: None,
            desk: Some(desk.clone()),
            metrics: Vec::new(),
            upload_dir: dir.join("uploads"),
            backup_dir: dir.join("backups"),
            limits: ApiLimits::default(),
        });
        Ok(Self::Directory { store, router: grid_api::router(state), tenant: tenant.to_owned(), desk })
    }

    /// Sends a request and reads the answer's JSON (null if it has none); a failure becomes an error with the API's own words.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        read(&self.send_for_bytes(method, path, body).await?)
    }

    /// The same, once for a key: sent again, nothing happens twice.
    pub(crate) async fn send_with_key(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Value> {
        read(&self.send_bytes(method, path, body, key).await?)
    }

    /// The same for an answer that is no JSON.
    pub(crate) async fn send_for_bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Bytes> {
        self.send_bytes(method, path, body, None).await
    }

    async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Bytes> {
        match self {
            Self::Server(client) => {
                let mut request = client.request(method, path);
                if let Some(body) = body {
                    request = request.json(body);
                }
                if let Some(key) = key {
                    request = request.header("idempotency-key", key);
                }
                client.send(request).await?.bytes().await.context("read the answer")
            }
            Self::Directory { router, tenant, .. } => {
                let mut request = axum::http::Request::builder()
                    .method(method.as_str())
                    .uri(path)
                    .header("host", "localhost")
                    .header("content-type", "application/json")
                    .header("x-scope-orgid", tenant.as_str())
                    .header("x-grid-actor", client::actor());
                if let Some(key) = key {
                    request = request.header("idempotency-key", key);
                }
                let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
                let request = request.body(body).context("build the request")?;
                let Ok(answer) = router.clone().oneshot(request).await;
                let status = answer.status();
                let bytes =
                    axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await.context("read the answer")?;
                if !status.is_success() {
                    let status = reqwest::StatusCode::from_u16(status.as_u16()).context("read the status")?;
                    bail!("{}", words_of_failure(status, &String::from_utf8_lossy(&bytes)));
                }
                Ok(bytes)
            }
        }
    }

    /// Closes the directory, if it was opened here.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Directory { store, router, desk, .. } => {
                drop(router);
                desk.close().await;
                store.close().await.context("close the store")
            }
        }
    }
}

fn read(bytes: &[u8]) -> anyhow::Result<Value> {
    if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(bytes).context("read the answer") }
}
