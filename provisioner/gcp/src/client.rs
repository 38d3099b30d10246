//! The clients of one project, and the one way in which calls are made: as fast as they may be, once each. Nothing is tried again here; that is the
//! runner's. What the cloud does in its own time is waited for by looking at the operation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::{CacheableResource, Credentials as Bearer, CredentialsProvider, EntityTag};
use google_cloud_compute_v1::client::{
    GlobalOperations, InstanceTemplates, Instances, RegionAutoscalers, RegionInstanceGroupManagers,
    RegionInstanceTemplates, RegionOperations, ZoneOperations,
};
use google_cloud_compute_v1::model::Operation;
use google_cloud_compute_v1::model::operation::Status;
use google_cloud_gax::error::{CredentialsError, Error};
use google_cloud_gax::retry_policy::NeverRetry;
use grid_act::executor::Time;
use grid_act::native::failure::Failure;
use grid_act::retry::Rate;
use grid_model::Timestamp;
use grid_plan::inventory::Inventory;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::failure;
use crate::limits::{CALLS_AT_ONCE, PAGES_MAX, POLL_NS, POLLS_MAX};
use crate::settings::{Credentials, Settings};

/// What Grid does in one project and region of Google Cloud.
pub struct Gcp {
    pub(crate) settings: Settings,
    pub(crate) instances: Instances,
    pub(crate) groups: RegionInstanceGroupManagers,
    pub(crate) scalers: RegionAutoscalers,
    pub(crate) templates: InstanceTemplates,
    pub(crate) regional_templates: RegionInstanceTemplates,
    zone_operations: ZoneOperations,
    region_operations: RegionOperations,
    global_operations: GlobalOperations,
    time: Arc<dyn Time>,
    rate: Mutex<Rate>,
    slots: Semaphore,
}

/// Why a project cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("make the client of {what}")]
pub struct ConnectError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where<'a> {
    Zone(&'a str),
    Region,
    Global,
}

impl Gcp {
    /// Clients by settings. Files of credentials are read; nothing is called yet.
    pub async fn new(settings: Settings, time: Arc<dyn Time>) -> Result<Self, ConnectError> {
        // The clients take the process's own choice of cryptography and end the process if it has none. Whoever chose before has chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bearer = bearer(&settings)?;
        macro_rules! client {
            ($of:ident) => {{
                let mut builder = $of::builder().with_credentials(bearer.clone()).with_retry_policy(NeverRetry);
                if let Some(url) = &settings.endpoint_url {
                    builder = builder.with_endpoint(url);
                }
                let failed = |e| ConnectError { what: stringify!($of), source: Box::new(e) };
                builder.build().await.map_err(failed)?
            }};
        }
        let rate = Mutex::new(Rate::new(settings.calls_per_second, settings.burst));
        Ok(Self {
            instances: client!(Instances),
            groups: client!(RegionInstanceGroupManagers),
            scalers: client!(RegionAutoscalers),
            templates: client!(InstanceTemplates),
            regional_templates: client!(RegionInstanceTemplates),
            zone_operations: client!(ZoneOperations),
            region_operations: client!(RegionOperations),
            global_operations: client!(GlobalOperations),
            settings,
            time,
            rate,
            slots: Semaphore::new(CALLS_AT_ONCE),
        })
    }

    /// Reads what is there, and changes nothing.
    pub async fn inventory(&self, now: Timestamp) -> Inventory {
        grid_act::native::inventory(self, now).await
    }

    /// Makes one call when its turn has come. `name` says which, if it fails.
    pub(crate) async fn call<T>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        let _slot = self.slots.acquire().await.map_err(|_| Failure::refused("the executor is closed"))?;
        let wait = self.rate.lock().take(self.time.now());
        if wait > 0 {
            self.time.wait(wait).await;
        }
        let within = Duration::from_nanos(u64::try_from(self.settings.timeout_ns).unwrap_or(0).max(1));
        match tokio::time::timeout(within, call).await {
            Ok(answer) => answer.map_err(|error| failure::of(name, &error)),
            Err(_) => Err(Failure::lost(format!("{name}: no answer within {} s", within.as_secs_f64()))),
        }
    }

    /// Makes one call that changes something, and waits until that is done.
    pub(crate) async fn done(
        &self,
        name: &str,
        at: Where<'_>,
        call: impl Future<Output = Result<Operation, Error>> + Send,
    ) -> Result<(), Failure> {
        let mut operation = Box::pin(self.call(name, call)).await?;
        for _ in 0..POLLS_MAX {
            if operation.status == Some(Status::Done) {
                return failure::of_operation(name, &operation).map_or(Ok(()), Err);
            }
            let id = operation.name.clone().unwrap_or_default();
            self.time.wait(POLL_NS).await;
            operation = Box::pin(self.operation(&id, at)).await?;
        }
        Err(Failure::unsettled(format!("{name}: the operation is not done yet")))
    }

    async fn operation(&self, id: &str, at: Where<'_>) -> Result<Operation, Failure> {
        let (project, region) = (&self.settings.project, &self.settings.region);
        let name = format!("operations.get {id}");
        match at {
            Where::Zone(zone) => {
                let ask = self.zone_operations.get().set_project(project).set_zone(zone).set_operation(id);
                self.call(&name, ask.send()).await
            }
            Where::Region => {
                let ask = self.region_operations.get().set_project(project).set_region(region).set_operation(id);
                self.call(&name, ask.send()).await
            }
            Where::Global => {
                let ask = self.global_operations.get().set_project(project).set_operation(id);
                self.call(&name, ask.send()).await
            }
        }
    }
}

/// Counts pages, so that a listing ends.
pub(crate) struct Pages {
    call: &'static str,
    seen: usize,
    next: Option<String>,
}

impl Pages {
    /// Of one listing.
    pub(crate) fn of(call: &'static str) -> Self {
        Self { call, seen: 0, next: None }
    }

    /// Where the next page begins; nothing for the first.
    pub(crate) fn at(&self) -> Option<String> {
        self.next.clone()
    }

    /// Whether there is another page after the one that was read.
    pub(crate) fn turn(&mut self, next: Option<String>) -> Result<bool, Failure> {
        self.seen += 1;
        self.next = next.filter(|n| !n.is_empty());
        if self.next.is_some() && self.seen >= PAGES_MAX {
            return Err(Failure::refused(format!("{} has more than {PAGES_MAX} pages", self.call)));
        }
        Ok(self.next.is_some())
    }
}

fn bearer(settings: &Settings) -> Result<Bearer, ConnectError> {
    match &settings.credentials {
        Credentials::Token(token) => Ok(Bearer::from(Token::new(token)?)),
        Credentials::Default => google_cloud_auth::credentials::Builder::default()
            .build()
            .map_err(|e| ConnectError { what: "application default credentials", source: Box::new(e) }),
    }
}

/// A token that somebody else has got.
struct Token {
    header: http::HeaderValue,
    tag: EntityTag,
}

impl Token {
    fn new(token: &str) -> Result<Self, ConnectError> {
        let failed = |e| ConnectError { what: "the token", source: Box::new(e) };
        let mut header = http::HeaderValue::from_str(&format!("Bearer {token}")).map_err(failed)?;
        header.set_sensitive(true);
        Ok(Self { header, tag: EntityTag::new() })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl CredentialsProvider for Token {
    async fn headers(&self, known: http::Extensions) -> Result<CacheableResource<http::HeaderMap>, CredentialsError> {
        if known.get::<EntityTag>() == Some(&self.tag) {
            return Ok(CacheableResource::NotModified);
        }
        let data = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, self.header.clone())]);
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_listing_ends() {
        let mut pages = Pages::of("instances.list");
        for _ in 1..PAGES_MAX {
            assert!(pages.turn(Some("more".to_owned())).unwrap());
        }
        assert!(pages.turn(Some("more".to_owned())).is_err());
        assert!(!Pages::of("x").turn(None).unwrap() && !Pages::of("x").turn(Some(String::new())).unwrap());
    }
}
