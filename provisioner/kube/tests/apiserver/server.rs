//! A kube-apiserver and its etcd, started by the tests and ended with the last of them; and a client that is not Grid's. Where there is no
//! kube-apiserver the suite runs against a contract server, and its figures say SKIPPED: that is no Kubernetes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use grid_act::executor::Time;
use grid_act::simulated::SimulatedTime;
use grid_kube::object::{Id, Sort};
use grid_kube::{Access, Kube, Settings};
use grid_model::Timestamp;
use grid_tests::{figure, peers, skip};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// Who may do everything, and who may only do so in one namespace.
const TOKENS: &str = "all-rights,admin,1,system:masters\nfew-rights,guest,2,guests\n";

/// What is running.
struct Running {
    children: Vec<Child>,
    folder: tempfile::TempDir,
    /// Why it is not a real one, if it is none.
    stands_in: Option<String>,
}

/// What is running, as one test sees it: a client belongs to the runtime that it was made in.
pub(crate) struct Cluster {
    running: Arc<Running>,
    client: kube::Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The API server first: it complains of an etcd that is gone.
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The one cluster of this process; why there is none if it cannot be.
pub(crate) async fn cluster() -> anyhow::Result<Result<Cluster, String>> {
    static RUNNING: tokio::sync::Mutex<Weak<Running>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut running = RUNNING.lock().await;
    if let Some(running) = running.upgrade() {
        let client = client(&running.folder.path().join("admin")).await?;
        return Ok(Ok(Cluster { running, client }));
    }
    let cluster = match (peers::kube_apiserver(), which("python3")) {
        (Ok(programs), _) => start(&programs).await?,
        (Err(reason), Some(python)) => stand_in(&python, reason).await?,
        (Err(reason), None) => return Ok(Err(reason)),
    };
    *running = Arc::downgrade(&cluster.running);
    Ok(Ok(cluster))
}

fn spawn(program: &Path, args: &[String], log: PathBuf) -> anyhow::Result<Child> {
    let log = std::fs::File::create(log)?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("start {}", program.display()))
}

/// Keys by which the server signs tokens of service accounts: it does not start without, and reads public keys only out of the older form (SEC 1).
fn keys(folder: &Path) -> anyhow::Result<PathBuf> {
    let file = folder.join("accounts.key");
    let args = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"];
    let made = Command::new("openssl").args(args).arg(&file).stderr(Stdio::null()).status();
    anyhow::ensure!(made.context("run openssl")?.success(), "openssl made no key");
    Ok(file)
}

async fn start(programs: &Path) -> anyhow::Result<Cluster> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let (store, peer, secure) = (peers::free_port()?, peers::free_port()?, peers::free_port()?);
    let accounts = keys(folder.path())?;
    std::fs::write(at("tokens.csv"), TOKENS)?;
    let own = |args: &[(&str, String)]| args.iter().map(|(key, value)| format!("--{key}={value}")).collect::<Vec<_>>();
    let etcd = own(&[
        ("data-dir", at("etcd").display().to_string()),
        ("listen-client-urls", format!("http://127.0.0.1:{store}")),
        ("advertise-client-urls", format!("http://127.0.0.1:{store}")),
        ("listen-peer-urls", format!("http://127.0.0.1:{peer}")),
        ("initial-advertise-peer-urls", format!("http://127.0.0.1:{peer}")),
        ("initial-cluster", format!("default=http://127.0.0.1:{peer}")),
        // Nothing here is to survive.
        ("unsafe-no-fsync", "true".to_owned()),
    ]);
    let mut children = vec![spawn(&programs.join("etcd"), &etcd, at("etcd.log"))?];
    let apiserver = own(&[
        ("etcd-servers", format!("http://127.0.0.1:{store}")),
        ("bind-address", "127.0.0.1".to_owned()),
        ("advertise-address", "127.0.0.1".to_owned()),
        ("secure-port", secure.to_string()),
        ("cert-dir", at("certificates").display().to_string()),
        ("token-auth-file", at("tokens.csv").display().to_string()),
        ("authorization-mode", "RBAC".to_owned()),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-account-key-file", accounts.display().to_string()),
        ("service-account-signing-key-file", accounts.display().to_string()),
        ("service-cluster-ip-range", "10.0.0.0/24".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
        // There is no controller that would make the account, and no pod that would use it.
        ("disable-admission-plugins", "ServiceAccount".to_owned()),
    ]);
    children.push(spawn(&programs.join("kube-apiserver"), &apiserver, at("kube-apiserver.log"))?);
    let certificate = at("certificates").join("apiserver.crt");
    for _ in 0..600 {
        if certificate.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let cluster = json!({"server": format!("https://127.0.0.1:{secure}"), "certificate-authority": certificate});
    ready(children, folder, &cluster, None).await
}

/// The contract server, for want of a real one.
async fn stand_in(python: &Path, reason: String) -> anyhow::Result<Cluster> {
    let folder = tempfile::tempdir()?;
    let port = peers::free_port()?;
    let script = grid_tests::repository().join("tests/peers/kube_contract.py").display().to_string();
    let child = spawn(python, &[script, port.to_string()], folder.path().join("etcd.log"))?;
    let cluster = json!({"server": format!("http://127.0.0.1:{port}")});
    ready(vec![child], folder, &cluster, Some(reason)).await
}

fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|file| file.exists())
}

/// Waits for it, with a file for each of those who ask.
async fn ready(
    children: Vec<Child>,
    folder: tempfile::TempDir,
    cluster: &Value,
    stands_in: Option<String>,
) -> anyhow::Result<Cluster> {
    for (user, token) in [("admin", "all-rights"), ("guest", "few-rights"), ("nobody", "none-at-all")] {
        let file = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": user}}],
        });
        std::fs::write(folder.path().join(user), file.to_string())?;
    }
    let client = client(&folder.path().join("admin")).await?;
    let mut running = Running { children, folder, stands_in };
    let asked = async {
        loop {
            let asked = http::Request::get("/readyz").body(Vec::new()).context("build the request")?;
            if client.request_text(asked).await.is_ok() {
                return Ok(());
            }
            if running.children.iter_mut().any(|c| c.try_wait().is_ok_and(|ended| ended.is_some())) {
                let read = |name| std::fs::read_to_string(running.folder.path().join(name)).unwrap_or_default();
                let end = |text: String| text.lines().rev().take(20).collect::<Vec<_>>().join("\n");
                anyhow::bail!("it ended:\n{}\n{}", end(read("etcd.log")), end(read("kube-apiserver.log")));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), asked).await.context("wait for the API server")??;
    Ok(Cluster { running: Arc::new(running), client })
}

async fn client(file: &Path) -> anyhow::Result<kube::Client> {
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?;
    Ok(kube::Client::try_from(config)?)
}

impl Cluster {
    /// Notes a figure, if this is a real API server; says that it is none if not.
    pub(crate) fn figure(&self, bar: &str, pass: bool, measured: String) -> anyhow::Result<()> {
        match &self.running.stands_in {
            Some(reason) => skip(bar, format!("{reason}; on a contract server that is no Kubernetes: {measured}")),
            None => {
                figure(bar, pass, measured);
                Ok(())
            }
        }
    }

    /// Why it is not a real one, if it is none.
    pub(crate) fn stands_in(&self) -> Option<&str> {
        self.running.stands_in.as_deref()
    }

    /// Somebody who may do everything.
    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Settings of somebody: `admin`, `guest`, `nobody`.
    pub(crate) fn settings(&self, who: &str) -> Settings {
        let path = self.running.folder.path().join(who);
        let access = Access::File { path, context: None };
        Settings { calls_per_second: 1000.0, burst: 1000, ..Settings::new(access) }
    }

    /// An executor that works in one namespace. Its time passes only when somebody waits.
    pub(crate) async fn grid(&self, namespace: &str) -> Kube {
        self.grid_with(namespace, Arc::new(SimulatedTime::at(Timestamp(0)))).await
    }

    pub(crate) async fn grid_with(&self, namespace: &str, time: Arc<dyn Time>) -> Kube {
        let settings = Settings { namespace: Some(namespace.to_owned()), ..self.settings("admin") };
        Kube::new(settings, time).await.unwrap()
    }

    /// Makes a namespace.
    pub(crate) async fn namespace(&self, name: &str) -> anyhow::Result<()> {
        static NAMESPACE: Sort =
            Sort { group: "", version: "v1", kind: "Namespace", plural: "namespaces", is_namespaced: false };
        let id = Id::new(&NAMESPACE, "", name);
        self.create(&id, json!({"metadata": {"name": name}})).await.map(drop)
    }

    fn api(&self, id: &Id) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk(id.sort.group, id.sort.version, id.sort.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, id.sort.plural);
        if id.sort.is_namespaced {
            Api::namespaced_with(self.client.clone(), &id.namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    /// Makes an object as somebody's own tool would.
    pub(crate) async fn create(&self, id: &Id, mut object: Value) -> anyhow::Result<Value> {
        object["apiVersion"] = json!(id.sort.api_version());
        object["kind"] = json!(id.sort.kind);
        object["metadata"]["name"] = json!(id.name);
        let params = PostParams { field_manager: Some("theirs".to_owned()), ..PostParams::default() };
        let made = self.api(id).create(&params, &serde_json::from_value(object)?).await?;
        Ok(serde_json::to_value(made)?)
    }

    /// Changes an object as somebody's own tool would, whoever owns what.
    pub(crate) async fn change(&self, manager: &str, id: &Id, change: Value) -> anyhow::Result<Value> {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        Ok(serde_json::to_value(self.api(id).patch(&id.name, &params, &Patch::Merge(change)).await?)?)
    }

    /// Says how an object is, as its controller would.
    pub(crate) async fn status(&self, id: &Id, change: Value) -> anyhow::Result<()> {
        let params = PatchParams { field_manager: Some("controller".to_owned()), ..PatchParams::default() };
        self.api(id).patch_status(&id.name, &params, &Patch::Merge(change)).await?;
        Ok(())
    }

    /// What is there.
    pub(crate) async fn get(&self, id: &Id) -> anyhow::Result<Option<Value>> {
        let found = self.api(id).get_opt(&id.name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// The names of all of a sort in a namespace.
    pub(crate) async fn names(&self, sort: &'static Sort, namespace: &str) -> anyhow::Result<Vec<String>> {
        let all = self.api(&Id::new(sort, namespace, "")).list(&ListParams::default()).await?;
        Ok(all.items.into_iter().filter_map(|o| o.metadata.name).collect())
    }
}
