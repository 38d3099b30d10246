//! What a runner hears when the cluster is away, does not know who asks, or says no: what happened, where, and what to do.

use std::sync::Arc;

use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Token};
use grid_act::simulated::SimulatedTime;
use grid_kube::{Access, Kube, Settings};
use grid_model::Timestamp;
use grid_plan::Fields;
use grid_plan::plan::Action;
use grid_tests::skip;
use serde_json::{Value, json};

use crate::server::cluster;
use crate::support::{address, deployment, workload};

async fn create(cloud: &Kube, name: &str, fields: &Value) -> CloudError {
    let (address, fields) = (address(name), Fields::of_json(fields));
    let token = Token::of_text("grid-0123456789abcdef0123456789abcdef");
    let call = Call { address: &address, action: Action::Create, before: None, fields: &fields, token: &token };
    cloud.apply(&call).await.unwrap_err()
}

fn shown(error: &CloudError) -> &'static str {
    match error {
        CloudError::Again { .. } => "again",
        CloudError::Lost(_) => "lost",
        CloudError::Refused(_) => "refused",
        CloudError::Owned { .. } => "owned",
        CloudError::Unsupported { .. } => "unsupported",
    }
}

#[tokio::test]
async fn what_a_runner_hears() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_levers", reason),
    };
    let namespace = "errors";
    cluster.namespace(namespace).await?;
    cluster.create(&deployment(namespace, "taken"), workload(1)).await?;
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let with = async |settings: Settings| Kube::new(settings, time.clone()).await.unwrap();
    let one = |who: &str| Settings { namespace: Some(namespace.to_owned()), ..cluster.settings(who) };
    let (admin, guest, nobody) = (with(one("admin")).await, with(one("guest")).await, with(one("nobody")).await);
    let nowhere = with(Settings { namespace: Some("nowhere".to_owned()), ..cluster.settings("admin") }).await;
    let web = json!({"image": "a"});
    let of = |extra: Value| {
        let mut fields = web.clone();
        fields.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        fields
    };
    let service = "container_service.web";
    for (cloud, name, fields, expected, words) in [
        (&guest, service, web.clone(), "refused", "docs/kubernetes.md"),
        (&nobody, service, web.clone(), "refused", "provision.kubeconfig"),
        (&nowhere, service, web.clone(), "refused", "namespaces \"nowhere\" not found"),
        (&admin, "container_service.taken", web.clone(), "refused", "errors/deployment/taken is there already"),
        (&admin, service, of(json!({"network": "other"})), "refused", "provision.kube_namespace"),
        (
            &admin,
            service,
            of(json!({"cpu_milli": 2000, "kubernetes": {"cpu_limit_milli": 1000}})),
            "refused",
            "must be less than or equal to cpu limit",
        ),
        (&admin, service, of(json!({"min": 5, "max": 2})), "refused", "maxReplicas"),
        (&admin, service, of(json!({"env": {"a b=": "x"}})), "refused", "env"),
        (&admin, service, of(json!({"gpu": 1})), "refused", "gpu is not set in Kubernetes by Grid"),
        (&admin, "vm.a", json!({}), "unsupported", "kubernetes cannot create vm"),
    ] {
        let error = create(cloud, name, &fields).await;
        assert_eq!(shown(&error), expected, "{fields}: {error}");
        assert!(error.to_string().contains(words), "{fields}: {error}");
    }
    // Whatever was refused has left nothing behind: it was asked dry.
    assert_eq!(cluster.names(&grid_kube::object::SERVICE, namespace).await?, Vec::<String>::new());
    assert_eq!(cluster.names(&grid_kube::object::DEPLOYMENT, namespace).await?, ["taken"]);
    Ok(())
}

#[tokio::test]
async fn nobody_is_there() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (file, none) = (folder.path().join("config"), folder.path().join("none"));
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    std::fs::write(&file, config.to_string())?;
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let access = |path: &std::path::Path, context: Option<&str>| {
        Settings::new(Access::File { path: path.to_owned(), context: context.map(str::to_owned) })
    };
    let cloud = Kube::new(access(&file, None), time.clone()).await?;
    let error = cloud.read(&address("block_disk.a"), "a/b").await.unwrap_err();
    assert!(matches!(&error, CloudError::Lost(why) if why.contains("get a/persistentvolumeclaim/b")), "{error}");
    // What cannot even be tried is said at once.
    for settings in [access(&none, None), access(&file, Some("other"))] {
        let error = Kube::new(settings, time.clone()).await.err().map(|e| e.to_string());
        assert!(error.as_ref().is_some_and(|e| e.starts_with("read ")), "{error:?}");
    }
    Ok(())
}
