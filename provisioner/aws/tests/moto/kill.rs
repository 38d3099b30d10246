//! Killed before any call to the cloud or around any entry of the journal, again and again, every action is done once.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_act::simulated::SimulatedTime;
use grid_aws::{Aws, Credentials, Settings};
use grid_model::Timestamp;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::fixtures::{Stage, stage};
use crate::support::world::kill::{Wish, turned};
use crate::support::world::mortal::{Life, MortalTime};
use crate::support::{Moto, World, aws, moto};

const SEEDS: u64 = 24;

fn wishes(stage: &Stage) -> Vec<Wish> {
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
    let mut kills = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(grid_aws::kinds());
        kills += turned(&mut world, &cloud, (&executor, &life), &wishes, (seed, 14)).await?;
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
        format!("{SEEDS} seeds on moto, killed {kills} times: {} actions, 0 doubled, 0 lost", 3 * SEEDS),
    );
    Ok(())
}

/// Templates that have more versions than one for their making and one for their change.
async fn versions(stage: &Stage) -> anyhow::Result<usize> {
    let ec2 = aws_sdk_ec2::Client::new(&stage.config);
    let all = ec2.describe_launch_templates().send().await?;
    Ok(all.launch_templates().iter().filter(|t| t.latest_version_number().is_some_and(|n| n > 2)).count())
}
