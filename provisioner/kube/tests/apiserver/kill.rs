//! Killed before any call to the cluster or around any entry of the journal, again and again, every action is done once.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_act::simulated::SimulatedTime;
use grid_kube::object::{AUTOSCALER, DEPLOYMENT, SERVICE, STATEFUL_SET};
use grid_model::Timestamp;
use grid_tests::skip;
use serde_json::json;

use crate::server::cluster;
use crate::support::World;
use crate::support::world::kill::{Wish, drawn, turned};
use crate::support::world::mortal::{Life, MortalTime};

const SEEDS: u64 = 24;

fn wishes() -> [Wish; 3] {
    [
        ("container_service", json!({"image": "shop:1", "min": 1, "max": 4}), ("port", json!(9090))),
        (
            "container_service",
            json!({"image": "db:1", "desired": 3, "kubernetes": {"workload": "StatefulSet"}}),
            ("desired", json!(1)),
        ),
        ("block_disk", json!({"size_gib": 20}), ("kubernetes", json!({"take_over": ["size_gib"]}))),
    ]
}

#[tokio::test]
async fn killed_anywhere_no_action_is_doubled_or_lost() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_kills", reason),
    };
    let namespace = "kills";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let wishes = wishes();
    let life = Life::default();
    let executor =
        cluster.grid_with(namespace, Arc::new(MortalTime(SimulatedTime::at(Timestamp(0)), life.clone()))).await;
    let mut kills = 0;
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut world = World::new(grid_kube::kinds());
        kills += turned(&mut world, &cloud, (&executor, &life), &wishes, (seed, 20)).await?;
        for n in [0, 2] {
            let (address, (kind, made, _)) = drawn(&wishes, seed, n);
            let is_set = made["kubernetes"]["workload"] == json!("StatefulSet");
            let sort = match *kind {
                "block_disk" => "disk",
                _ if is_set => "set",
                _ => "deployment",
            };
            named.insert(address.name().to_owned(), sort);
        }
    }
    // One of each that is wanted, with all that belongs to it, and nothing of those that went.
    let of = |sorts: &[&str]| -> Vec<String> {
        named.iter().filter(|(_, s)| sorts.contains(s)).map(|(name, _)| name.clone()).collect()
    };
    for (sort, wanted) in [
        (&DEPLOYMENT, of(&["deployment"])),
        (&AUTOSCALER, of(&["deployment"])),
        (&STATEFUL_SET, of(&["set"])),
        (&SERVICE, of(&["deployment", "set"])),
    ] {
        let mut there = cluster.names(sort, namespace).await?;
        there.sort();
        assert_eq!(there, wanted, "{}", sort.plural);
    }
    cluster.figure(
        "kube_kills",
        kills >= 100,
        format!("{SEEDS} seeds, killed {kills} times: {} actions, 0 doubled, 0 lost", 3 * SEEDS),
    )
}
