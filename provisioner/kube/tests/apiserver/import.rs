//! The bar: import -> empty plan for every kind that Grid drives in Kubernetes. All is made by others, in their own way.

use grid_act::Executor;
use grid_kube::KINDS;
use grid_kube::lever::levers_of;
use grid_kube::object::{AUTOSCALER, CLAIM, DEPLOYMENT, Id, NODE_POOL, STATEFUL_SET};
use grid_model::Timestamp;
use grid_plan::Address;
use grid_plan::adopt::{Found, adopt};
use grid_tests::skip;
use serde_json::json;

use crate::server::cluster;
use crate::support::{
    World, act, advice, autoscaler, claim, deployment, node_pools, object, pool, storage_class, version, workload,
};

#[tokio::test]
async fn what_others_made_needs_no_plan() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_import", reason),
    };
    let namespace = "import";
    cluster.namespace(namespace).await?;
    storage_class(&cluster).await;
    node_pools(&cluster).await?;
    let in_it = |sort, name| Id::new(sort, namespace, name);
    let mut set = workload(2);
    set["spec"]["serviceName"] = json!("theirs");
    let bare = json!({"spec": {"selector": {"matchLabels": {"app": "bare"}}, "template": {
        "metadata": {"labels": {"app": "bare"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let all = [
        ("container_service", deployment(namespace, "theirs"), workload(4)),
        ("container_service", deployment(namespace, "scaled"), workload(3)),
        ("container_service", deployment(namespace, "bare"), bare),
        ("container_service", in_it(&STATEFUL_SET, "set"), set),
        ("block_disk", in_it(&CLAIM, "disk"), claim("ReadWriteOnce")),
        ("file_store", in_it(&CLAIM, "files"), claim("ReadWriteMany")),
        ("node_pool", Id::new(&NODE_POOL, "", "import"), pool()),
    ];
    for (_, id, made) in &all {
        cluster.create(id, made.clone()).await?;
    }
    cluster.create(&in_it(&AUTOSCALER, "by-load"), autoscaler(DEPLOYMENT.kind, "scaled")).await?;
    let kinds: std::collections::BTreeSet<&str> = all.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, KINDS.into());
    let mut before = Vec::new();
    for (_, id, _) in &all {
        before.push(version(&object(&cluster, id).await?));
    }

    let cloud = cluster.grid(namespace).await;
    let mut world = World::new(grid_kube::kinds());
    let mut found = Vec::new();
    for (kind, id, _) in &all {
        let observed = cloud.import(&Address::new(kind, "theirs")?, &id.to_string()).await?;
        assert!(observed.fields.len() > 1, "{kind} tells nothing");
        for (path, _) in observed.fields.iter() {
            assert!(levers_of(kind).any(|l| l.holds(path)), "{kind}: {path} is told, and could not be wanted");
        }
        found.push(Found { kind: (*kind).to_owned(), title: id.name.clone(), observed });
    }
    assert_eq!(
        found[1].observed.fields.to_json(),
        json!({
            "cpu_milli": 500, "memory_mib": 1024, "image": "shop:1", "port": 9000, "env": {"LEVEL": "info"}, "min": 2, "max": 10,
            "network": namespace,
            "kubernetes": {"memory_limit_mib": 2048, "target_cpu_percent": 65, "workload": "Deployment"},
        })
    );
    let adopted = adopt("shop", "prod", &found, &world.kinds);
    assert!(adopted.refused.is_empty());
    (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);

    // Seen anew it is still the same, and nothing was touched.
    let again: Vec<_> = world.state.resources.iter().map(|(a, o)| (a.clone(), o.clone())).collect();
    for (address, old) in again {
        let mut now = cloud.read(&address, &old.id).await?.unwrap();
        now.managed = old.managed;
        world.state.commit("test", world.state.serial, [(address, Some(now))])?;
    }
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);

    // The inventory finds the same, and taking over all of it needs no plan either.
    let inventory = cloud.inventory(Timestamp(7)).await;
    assert!(inventory.failed.is_empty(), "{:?}", inventory.failed);
    let listed = inventory.found(&KINDS);
    for (one, (kind, id, _)) in found.iter().zip(&all) {
        let same = listed.iter().find(|f| f.kind == *kind && f.observed.id == id.to_string());
        assert_eq!(same.map(|f| &f.observed), Some(&one.observed), "{id}");
    }
    let after = adopt("all", "prod", &listed, &world.kinds);
    let mut other = World::new(grid_kube::kinds());
    (other.blueprint, other.state) = (after.blueprint, after.state);
    assert!(other.plan().is_empty());
    for ((_, id, _), version_before) in all.iter().zip(before) {
        assert_eq!(version(&object(&cluster, id).await?), version_before, "{id} was touched");
    }

    // A recommendation for what was taken over: refused while it is theirs, done when the plan takes the field over.
    let theirs = Address::parse("container_service.theirs")?;
    let refused = act(&mut world, &cloud, advice(&theirs, "cpu_milli", &json!(250))).await;
    assert!(refused.is_err_and(|why| why.contains("cpu_milli is set by \"theirs\"")));
    let take_over = grid_plan::Path::parse("kubernetes.take_over")?;
    world.blueprint.resources.get_mut(&theirs).unwrap().fields.set(&take_over, &json!(["cpu_milli"]));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    act(&mut world, &cloud, advice(&theirs, "cpu_milli", &json!(250))).await.map_err(anyhow::Error::msg)?;
    let there = object(&cluster, &all[0].1).await?;
    assert_eq!(there["spec"]["template"]["spec"]["containers"][1]["resources"]["requests"]["cpu"], json!("250m"));
    for wrong in ["import/deployment/none", "import/none"] {
        let error = cloud.import(&theirs, wrong).await.unwrap_err();
        assert!(error.to_string().contains("there is no container_service"), "{error}");
    }
    let error = cloud.import(&theirs, "import/service/web").await.unwrap_err().to_string();
    assert!(error.contains("NAMESPACE/deployment/NAME or NAMESPACE/statefulset/NAME"), "{error}");
    cluster.figure(
        "kube_import",
        true,
        format!("{} objects of {} kinds imported, adopted, empty plan, untouched", all.len(), KINDS.len()),
    )
}
