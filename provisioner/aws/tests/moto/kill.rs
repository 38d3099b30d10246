//! Killed before any call to the cloud or around any entry of the journal, again and again, every action is done once.

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
use grid_aws::{Aws, Credentials, Settings};
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::fixtures::{Stage, stage};
use crate::support::world::mortal::{Life, MortalJournal, MortalTime, mixed};
use crate::support::{Moto, World, allowed, aws, moto};

const SEEDS: u64 = 24;

/// A kind as it is made, and a change of it.
fn wishes(stage: &Stage) -> Vec<(&'static str, Value, (&'static str, Value))> {
    let (subnets, image) = (&stage.subnets, &stage.images[0]);
    let bucket = format!("code-{}", stage.region);
    vec![
        (
            "autoscaling_group",
            json!({"network": subnets, "size": "2x8", "min": 0, "max": 4, "aws": {"image": image}}),
            ("size", json!("1x2")),
        ),
        (
            "vm",
            json!({"network": subnets[0], "firewall": stage.groups[0], "size": "2x8", "aws": {"image": image}}),
            ("size", json!("1x2")),
        ),
        (
            "block_disk",
            json!({"size_gib": 20, "class": "balanced", "aws": {"zone": stage.zone}}),
            ("size_gib", json!(30)),
        ),
        ("nosql", json!({"partition_key": "id", "backup": true, "protect": false}), ("backup", json!(false))),
        (
            "function",
            json!({"source": bucket, "archive": "a.zip", "max_instances": 40, "aws": {"role": stage.role}}),
            ("memory_mib", json!(1024)),
        ),
        ("redis", json!({"memory_gib": 3, "high_availability": false}), ("memory_gib", json!(1))),
        (
            "container_service",
            json!({"image": "shop:1", "network": subnets, "aws": {"cluster": "main", "role": stage.role}}),
            ("image", json!("shop:2")),
        ),
    ]
}

async fn mortal(moto: &Moto, region: &str, life: &Life) -> Aws {
    let settings = Settings {
        endpoint_url: Some(moto.endpoint.clone()),
        credentials: Credentials::Keys { id: "test".to_owned(), secret: "test".to_owned() },
        calls_per_second: 1000.0,
        burst: 1000,
        refreshes: false,
        ..Settings::new(region, "kill")
    };
    Aws::new(settings, Arc::new(MortalTime(SimulatedTime::at(Timestamp(0)), life.clone()))).await
}

#[tokio::test]
async fn killed_anywhere_no_action_is_doubled_or_lost_on_moto() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_kills", reason),
    };
    let region = "us-west-2";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let wishes = wishes(&stage);
    // One executor for all lives: it remembers nothing, and its TLS roots are read once.
    let life = Life::default();
    let executor = mortal(&moto, region, &life).await;
    let (mut kills, mut actions) = (0, 0);
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
        let mut world = World::new(grid_aws::kinds());
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
            life.0.store(draw(14) as u32 + attempt / 3, Ordering::SeqCst);
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
                    if answer.is_complete() {
                        report = Some(answer);
                        break;
                    }
                    panic!("seed {seed}: {:?}", answer.outcomes);
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
        }
        assert_eq!(world.state.resources[&address(0)].id, before[&address(0)], "seed {seed}: made anew");
    }
    // One of each address that is wanted, and none of those that went: nothing was made twice.
    let inventory = cloud.inventory(Timestamp(0)).await;
    assert!(inventory.failed.is_empty(), "{:?}", inventory.failed);
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for row in inventory.rows.iter().filter(|r| grid_aws::KINDS.contains(&r.kind.as_str())) {
        if let Some(of) = row.tags.get("grid:resource") {
            *made.entry(of).or_default() += 1;
        }
    }
    let doubled: Vec<_> = made.iter().filter(|(_, n)| **n != 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    assert_eq!(made.len() as u64, 2 * SEEDS, "one that was changed and one that was made for each seed");
    assert_eq!(versions(&stage).await?, 0, "templates with more versions than changes");
    figure(
        "aws_kills",
        kills >= 100,
        format!("{SEEDS} seeds on moto, killed {kills} times: {actions} actions, 0 doubled, 0 lost"),
    );
    Ok(())
}

/// Templates that have more versions than one for their making and one for their change.
async fn versions(stage: &Stage) -> anyhow::Result<usize> {
    let ec2 = aws_sdk_ec2::Client::new(&stage.config);
    let all = ec2.describe_launch_templates().send().await?;
    Ok(all.launch_templates().iter().filter(|t| t.latest_version_number().is_some_and(|n| n > 2)).count())
}
