//! The inventory: what is there is told with its fields, nothing changes, and what may not be listed is named and the rest kept.

use std::sync::Arc;

use grid_act::simulated::SimulatedTime;
use grid_kube::object::{Id, NODE, SERVICE};
use grid_kube::{KINDS, Kube, Settings};
use grid_model::Timestamp;
use grid_plan::inventory::Inventory;
use grid_tests::skip;
use serde_json::json;

use crate::server::cluster;
use crate::support::{World, address};

#[tokio::test]
async fn a_cluster_is_told_and_left_as_it_is() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_inventory", reason),
    };
    let namespace = "inventory";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let mut world = World::new(grid_kube::kinds());
    world.want(&address("container_service.web"), &json!({"image": "shop:1"}));
    world.want(
        &address("container_service.db"),
        &json!({"image": "db:1", "desired": 1, "kubernetes": {"workload": "StatefulSet"}}),
    );
    world.want(&address("block_disk.data"), &json!({"size_gib": 20}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let node = json!({"metadata": {"labels": {"node.kubernetes.io/instance-type": "m7i.large"}}, "spec": {"providerID": "aws:///a/i-1"}});
    cluster.create(&Id::new(&NODE, "", "inventory-node"), node).await?;
    cluster.create(&Id::new(&SERVICE, namespace, "theirs"), json!({"spec": {"ports": [{"port": 80}]}})).await?;

    let first = cloud.inventory(Timestamp(7)).await;
    assert!(first.failed.is_empty() && first.left_out == 0, "{:?}", first.failed);
    for (address, observed) in &world.state.resources {
        let row = first.rows.iter().find(|r| r.id == observed.id && r.kind == address.kind());
        let row = row.unwrap_or_else(|| panic!("no row of {address}"));
        assert_eq!((&row.fields, row.observed_at), (&observed.fields, Timestamp(7)), "{address}");
        assert!(!row.full_name.is_empty() && row.tags.contains_key("grid/token"), "{address}");
    }
    assert!(first.rows.iter().any(|r| r.kind == "kubernetes:service" && r.name == "theirs"));
    assert!(!first.rows.iter().any(|r| r.kind == "kubernetes:node"), "nodes are of no namespace");
    // Pools of nodes are of no namespace: other tests change theirs meanwhile.
    let own = |of: &Inventory| of.rows.iter().filter(|r| r.kind != "node_pool").cloned().collect::<Vec<_>>();
    assert_eq!(own(&cloud.inventory(Timestamp(7)).await), own(&first), "looking changes nothing");

    // Everywhere.
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let all = Kube::new(cluster.settings("admin"), time.clone()).await?.inventory(Timestamp(7)).await;
    let node = all.rows.iter().find(|r| r.id == "node/inventory-node").unwrap();
    assert_eq!(node.fields.to_json(), json!({"machine_type": "m7i.large", "provider_id": "aws:///a/i-1"}));

    // Who may list nothing is told of each thing, once.
    let settings = Settings { namespace: Some(namespace.to_owned()), ..cluster.settings("guest") };
    let none = Kube::new(settings, time).await?.inventory(Timestamp(7)).await;
    assert!(none.rows.is_empty());
    for kind in KINDS {
        let failed: Vec<_> = none.failed.iter().filter(|f| f.what == kind).collect();
        let is_named = matches!(failed.as_slice(), [one] if one.why.contains("forbidden"));
        assert!(is_named || kind == "node_pool", "{kind}: {failed:?}");
    }
    cluster.figure(
        "kube_inventory",
        true,
        format!("{} rows of a namespace, {} of the cluster, nothing changed", first.rows.len(), all.rows.len()),
    )
}
