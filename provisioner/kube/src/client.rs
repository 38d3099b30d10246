//! The client of one cluster, and the one way in which calls are made: as fast as they may be, once each. Nothing is tried again here; that is the
//! runner's.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use grid_act::executor::Time;
use grid_act::retry::Rate;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::config::{Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::limits::{CALLS_AT_ONCE, PAGE_OBJECTS, PAGES_MAX};
use crate::object::{Id, MANAGER, Sort};
use crate::settings::{Access, Settings};

/// What Grid does in one cluster.
pub struct Kube {
    pub(crate) settings: Settings,
    pub(crate) cluster: String,
    client: kube::Client,
    time: Arc<dyn Time>,
    rate: Mutex<Rate>,
    slots: Semaphore,
}

/// Why a cluster cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file does not say how.
    #[error("read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// This runs in no pod, or its service account is not mounted.
    #[error("read the service account of this pod")]
    InCluster(#[source] Box<InClusterError>),
    /// Its certificates or its address are none.
    #[error("make a client of {cluster}")]
    Client {
        /// The cluster's address.
        cluster: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// How something is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The cluster only says what it would do.
    Dry,
    /// It is done.
    Real,
}

impl Kube {
    /// A client by settings. Files are read; nothing is called yet.
    pub async fn new(settings: Settings, time: Arc<dyn Time>) -> Result<Self, ConnectError> {
        let mut config = config(&settings.access).await?;
        let timeout = Duration::from_nanos(u64::try_from(settings.timeout_ns).unwrap_or(0).max(1));
        config.connect_timeout = Some(timeout);
        config.read_timeout = None;
        config.write_timeout = Some(timeout);
        // The runner tries again, when it has looked up what became of the first try.
        config.default_retry = false;
        let cluster = config.cluster_url.to_string();
        let client = kube::Client::try_from(config)
            .map_err(|source| ConnectError::Client { cluster: cluster.clone(), source: Box::new(source) })?;
        let rate = Mutex::new(Rate::new(settings.calls_per_second, settings.burst));
        Ok(Self { settings, cluster, client, time, rate, slots: Semaphore::new(CALLS_AT_ONCE) })
    }

    /// Makes one call when its turn has come. `name` says which, if it fails.
    async fn call<T>(&self, name: &str, call: impl Future<Output = kube::Result<T>> + Send) -> Result<T, Failure> {
        let _slot = self.slots.acquire().await.map_err(|_| Failure::refused("the executor is closed"))?;
        let wait = self.rate.lock().take(self.time.now());
        if wait > 0 {
            self.time.wait(wait).await;
        }
        let within = Duration::from_nanos(u64::try_from(self.settings.timeout_ns).unwrap_or(0).max(1));
        match tokio::time::timeout(within, call).await {
            Ok(answer) => answer.map_err(|error| Failure::of(name, &error)),
            Err(_) => Err(Failure::lost(format!("{name}: no answer within {} s", within.as_secs_f64()))),
        }
    }

    /// Where something is made of which nobody says where.
    pub(crate) fn default_namespace(&self) -> &str {
        self.settings.namespace.as_deref().unwrap_or_else(|| self.client.default_namespace())
    }

    fn api(&self, sort: &Sort, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace.filter(|_| sort.is_namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &sort.resource()),
            None => Api::all_with(self.client.clone(), &sort.resource()),
        }
    }

    /// What is there, being deleted or not.
    pub(crate) async fn get(&self, id: &Id) -> Result<Option<Value>, Failure> {
        let name = format!("get {id}");
        let api = self.api(id.sort, Some(&id.namespace));
        match self.call(&name, api.get_opt(&id.name)).await? {
            Some(object) => json(&name, &object).map(Some),
            None => Ok(None),
        }
    }

    /// All of a sort, in one namespace or everywhere, with a label or without.
    pub(crate) async fn list(
        &self,
        sort: &Sort,
        namespace: Option<&str>,
        label: Option<&str>,
    ) -> Result<Vec<Value>, Failure> {
        let name = format!("list {}", sort.plural);
        let api = self.api(sort, namespace);
        let (mut all, mut asked) = (Vec::new(), ListParams::default().limit(PAGE_OBJECTS));
        asked.label_selector = label.map(str::to_owned);
        for _ in 0..PAGES_MAX {
            let page = self.call(&name, api.list(&asked)).await?;
            for object in &page.items {
                all.push(json(&name, object)?);
            }
            match page.metadata.continue_.filter(|t| !t.is_empty()) {
                Some(token) => asked.continue_token = Some(token),
                None => return Ok(all),
            }
        }
        Err(Failure::refused(format!("{name}: there are more than {PAGES_MAX} pages of {PAGE_OBJECTS}")))
    }

    /// Applies an object; what is there then, or would be.
    pub(crate) async fn apply(&self, id: &Id, body: &Value, how: How, force: bool) -> Result<Value, Failure> {
        let name = format!("apply {id}");
        let mut params = PatchParams::apply(MANAGER).validation_strict();
        params.dry_run = how == How::Dry;
        params.force = force;
        let api = self.api(id.sort, Some(&id.namespace));
        let patch = Patch::Apply(body);
        let object = self.call(&name, api.patch(&id.name, &params, &patch)).await?;
        json(&name, &object)
    }

    /// Deletes an object that has this uid, so that nothing is deleted that was made anew since. What is gone is deleted.
    pub(crate) async fn delete(&self, id: &Id, uid: &str, how: How) -> Result<(), Failure> {
        let name = format!("delete {id}");
        let params = DeleteParams {
            dry_run: how == How::Dry,
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let api = self.api(id.sort, Some(&id.namespace));
        match self.call(&name, api.delete(&id.name, &params)).await {
            Err(failure) if failure.is_gone() => Ok(()),
            answer => answer.map(drop),
        }
    }
}

fn json(call: &str, object: &DynamicObject) -> Result<Value, Failure> {
    serde_json::to_value(object).map_err(|e| Failure::lost(format!("{call}: the answer cannot be read: {e}")))
}

async fn config(access: &Access) -> Result<Config, ConnectError> {
    match access {
        Access::InCluster => Config::incluster().map_err(|e| ConnectError::InCluster(Box::new(e))),
        Access::File { path, context } => {
            let failed = |source| ConnectError::File { path: path.clone(), source: Box::new(source) };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            Config::from_custom_kubeconfig(file, &options).await.map_err(failed)
        }
    }
}
