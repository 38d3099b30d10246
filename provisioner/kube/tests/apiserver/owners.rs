//! Whose a field is: what others own is refused by name, taken over only where the plan says so, and left alone otherwise.

use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Owned, Token};
use grid_kube::Kube;
use grid_kube::object::{AUTOSCALER, DEPLOYMENT, Id};
use grid_plan::Fields;
use grid_plan::plan::Action;
use grid_plan::state::Observed;
use grid_tests::skip;
use serde_json::{Value, json};

use crate::server::cluster;
use crate::support::{World, address, autoscaler, deployment, object, version, workload};

/// Asks for fields of something that is there; `managed` are those that Grid had set.
async fn ask(cloud: &Kube, id: &Id, fields: &Value, managed: &[&str]) -> Result<Observed, CloudError> {
    let address = address("container_service.theirs");
    let mut before = cloud.import(&address, &id.to_string()).await?;
    before.managed = managed.iter().map(|p| crate::support::path(p)).collect();
    let (fields, token) = (Fields::of_json(fields), Token::of_text(&format!("grid-{}", fields_digits(fields))));
    let call =
        Call { address: &address, action: Action::Update, before: Some(&before), fields: &fields, token: &token };
    cloud.apply(&call).await
}

fn fields_digits(fields: &Value) -> usize {
    fields.to_string().bytes().map(usize::from).sum()
}

/// Who owns the number of pods.
fn owners(object: &Value) -> Vec<&str> {
    let all = object["metadata"]["managedFields"].as_array().unwrap().iter();
    let owns = |entry: &&Value| !entry["fieldsV1"]["f:spec"]["f:replicas"].is_null();
    all.filter(owns).map(|entry| entry["manager"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_others_own_is_named_and_left_or_taken_over_by_the_plan() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_owners", reason),
    };
    let namespace = "owners";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let id = deployment(namespace, "theirs");
    let made = cluster.create(&id, workload(4)).await?;

    // Refused by name, and nothing has changed.
    for (fields, field) in [
        (json!({"desired": 2}), "desired"),
        (json!({"image": "shop:2"}), "image"),
        (json!({"cpu_milli": 250}), "cpu_milli"),
        (json!({"memory_mib": 512}), "memory_mib"),
        (json!({"kubernetes": {"memory_limit_mib": 1024}}), "kubernetes.memory_limit_mib"),
        (json!({"env": {"LEVEL": "debug"}}), "env.LEVEL"),
        (json!({"desired": 2, "kubernetes": {"take_over": ["image"]}}), "desired"),
    ] {
        let error = ask(&cloud, &id, &fields, &[]).await.unwrap_err();
        let CloudError::Owned { owned, .. } = &error else { panic!("{fields}: {error}") };
        assert_eq!(*owned, [Owned { field: field.to_owned(), by: "theirs".to_owned() }], "{error}");
        assert!(error.to_string().contains("kubernetes.take_over"), "{error}");
    }
    assert_eq!(version(&object(&cluster, &id).await?), version(&made));

    // What nobody owns is anybody's.
    ask(&cloud, &id, &json!({"kubernetes": {"cpu_limit_milli": 2000}}), &[]).await?;
    // What the plan names is taken over, and nothing else is.
    let now = ask(&cloud, &id, &json!({"desired": 2, "kubernetes": {"take_over": ["desired"]}}), &[]).await?;
    assert_eq!(now.fields.get(&crate::support::path("desired")), Some(&json!(2)));
    let there = object(&cluster, &id).await?;
    assert_eq!(owners(&there), ["grid"]);
    let container = &there["spec"]["template"]["spec"]["containers"][1];
    assert_eq!((&container["image"], &container["resources"]["limits"]["cpu"]), (&json!("shop:1"), &json!("2")));
    assert_eq!(container["env"][1]["valueFrom"]["fieldRef"]["fieldPath"], json!("metadata.name"));

    // From now on it is Grid's: no conflict with itself, whoever else owns the rest.
    ask(&cloud, &id, &json!({"desired": 3}), &[]).await?;
    // What Grid has set goes when nobody wants it; what others have set does not.
    let limit = "kubernetes.cpu_limit_milli";
    let now = ask(&cloud, &id, &json!({"desired": 3}), &["desired", limit]).await?;
    assert_eq!(now.fields.get(&crate::support::path(limit)), None);
    let error = ask(&cloud, &id, &json!({"desired": 3}), &["cpu_milli"]).await.unwrap_err();
    assert!(matches!(&error, CloudError::Owned { owned, .. } if owned[0].field == "cpu_milli"), "{error}");
    // Somebody takes it back by force of their own tool: that is theirs again.
    cluster.change("kubectl", &id, json!({"spec": {"replicas": 9}})).await?;
    let error = ask(&cloud, &id, &json!({"desired": 1}), &[]).await.unwrap_err();
    assert!(matches!(&error, CloudError::Owned { owned, .. } if owned[0].by == "kubectl"), "{error}");
    cluster.figure(
        "kube_owners",
        true,
        "7 of 7 fields of others refused by name with nothing changed; 1 taken over as the plan said".to_owned(),
    )
}

#[tokio::test]
async fn bounds_of_others_and_a_number_beside_them_are_refused() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_owners", reason),
    };
    let namespace = "scalers";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let id = deployment(namespace, "theirs");
    cluster.create(&id, workload(4)).await?;
    // Its name is another one: what it scales tells.
    let scaler = Id::new(&AUTOSCALER, namespace, "by-load");
    cluster.create(&scaler, autoscaler(DEPLOYMENT.kind, "theirs")).await?;
    let check = async |fields: Value, expected: &str| {
        let error = ask(&cloud, &id, &fields, &[]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{fields}: {error}");
    };
    check(json!({"max": 5}), "max is set by \"theirs\"").await;
    check(json!({"desired": 5}), "moves how many there are").await;
    check(json!({"desired": 5, "max": 5}), "both would write it").await;
    ask(&cloud, &id, &json!({"max": 5, "kubernetes": {"take_over": ["max"]}}), &[]).await?;
    let there = object(&cluster, &scaler).await?;
    assert_eq!((&there["spec"]["minReplicas"], &there["spec"]["maxReplicas"]), (&json!(2), &json!(5)));
    // The other load that it looks at stays.
    let percent =
        json!({"kubernetes": {"target_cpu_percent": 50, "take_over": ["max", "kubernetes.target_cpu_percent"]}});
    ask(&cloud, &id, &percent, &[]).await?;
    let there = object(&cluster, &scaler).await?;
    let loads: Vec<&Value> =
        there["spec"]["metrics"].as_array().unwrap().iter().map(|m| &m["resource"]["name"]).collect();
    assert_eq!(loads, ["memory", "cpu"]);
    Ok(())
}

#[tokio::test]
async fn two_owners_of_one_blueprint_do_not_meet() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_owners", reason),
    };
    let namespace = "twice";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let wish = json!({"image": "shop:1", "desired": 1});
    let mut first = World::new(grid_kube::kinds());
    first.want(&address("container_service.web"), &wish);
    first.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    // Another environment with the same name of a resource, in the same namespace.
    let mut second = World::new(grid_kube::kinds());
    second.environment.name = "staging".to_owned();
    second.state.environment = "staging".to_owned();
    second.want(&address("container_service.web"), &wish);
    let why = second.settle(&cloud).await.unwrap_err();
    assert!(why.contains("is there already"), "{why}");
    Ok(())
}
