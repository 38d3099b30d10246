//! Killed before any call to the cluster or around any entry of the journal, again and again, every action is done once.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use grid_act::Executor;
use grid_act::journal::MemoryJournal;
use grid_act::retry::Rate;
use grid_act::run::{Go, Runner};
use grid_act::simulated::SimulatedTime;
use grid_kube::object::{AUTOSCALER, DEPLOYMENT, SERVICE, STATEFUL_SET};
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::skip;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::server::cluster;
use crate::support::world::mortal::{Life, MortalJournal, MortalTime, mixed};
use crate::support::{World, allowed};

const SEEDS: u64 = 24;

/// A kind as it is made, and a change of it.
fn wishes() -> [(&'static str, Value, (&'static str, Value)); 3] {
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
    let (mut kills, mut actions) = (0, 0);
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut drawn = mixed(seed);
        let mut draw = |below: u64| {
            drawn = mixed(drawn);
            drawn % below
        };
        // Three of the kinds: one that is there and changes, one that is there and goes, one that comes.
        let first = draw(wishes.len() as u64) as usize;
        let of = |n: usize| &wishes[(first + n) % wishes.len()];
        let address = |n: usize| Address::new(of(n).0, &format!("s{seed}-{n}")).unwrap();
        let mut world = World::new(grid_kube::kinds());
        for n in [0, 1] {
            world.want(&address(n), &of(n).1);
        }
        world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
        world.blueprint.resources.remove(&address(1));
        let mut changed = of(0).1.clone();
        changed[of(0).2.0] = of(0).2.1.clone();
        world.want(&address(0), &changed);
        world.want(&address(2), &of(2).1);
        let plan = world.plan();
        assert_eq!(plan.steps.len(), 3);
        let before: BTreeMap<Address, String> =
            world.state.resources.iter().map(|(a, o)| (a.clone(), o.id.clone())).collect();

        let (journal, time) = (MemoryJournal::default(), SimulatedTime::at(Timestamp(1)));
        let mut report = None;
        for attempt in 0..200 {
            life.0.store(draw(20) as u32 + attempt / 3, Ordering::SeqCst);
            let journal = MortalJournal(&journal, life.clone());
            let rate = Mutex::new(Rate::new(1000.0, 100));
            let runner = Runner { executor: &executor, journal: &journal, time: &time, seed: draw(1000), rate };
            let current = world.with(|inputs| plan.current(inputs).unwrap());
            let mode = allowed(&plan);
            let run = runner.run(current, &world.state, &mode, &|_| Go::On);
            match AssertUnwindSafe(run).catch_unwind().await {
                Err(_) => kills += 1,
                Ok(answer) => {
                    let answer = answer?;
                    assert!(answer.is_complete(), "seed {seed}: {:?}", answer.outcomes);
                    report = Some(answer);
                    break;
                }
            }
        }
        let report = report.unwrap_or_else(|| panic!("seed {seed} never ended"));
        report.commit("test", &mut world.state)?;
        actions += plan.steps.len();
        assert!(world.plan().is_empty(), "seed {seed}: {:?}", world.plan().steps);
        assert_eq!(cloud.read(&address(1), &before[&address(1)]).await?, None, "seed {seed}: lost");
        for n in [0, 2] {
            let now = cloud.read(&address(n), &world.state.resources[&address(n)].id).await?.unwrap();
            assert_eq!(now.fields, world.state.resources[&address(n)].fields, "seed {seed}: lost");
            let made = &of(n).1;
            let is_set = made["kubernetes"]["workload"] == json!("StatefulSet");
            let sort = if is_set {
                "set"
            } else if of(n).0 == "block_disk" {
                "disk"
            } else {
                "deployment"
            };
            named.insert(format!("s{seed}-{n}"), sort);
        }
        assert_eq!(world.state.resources[&address(0)].id, before[&address(0)], "seed {seed}: made anew");
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
        format!("{SEEDS} seeds, killed {kills} times: {actions} actions, 0 doubled, 0 lost"),
    )
}
