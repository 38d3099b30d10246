//! Killed before any call to the cloud or around any entry of the journal, again and again, every action is done once, and what was stopped for a change
//! runs again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use grid_act::Executor;
use grid_act::simulated::SimulatedTime;
use grid_gcp::lever::LEVERS;
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, taken_over};
use crate::support::{SCRIPT, grid, grid_with, group, group_id, object, scaler_id, vm, vm_id};
use crate::world::advice;
use crate::world::kill::killed;
use crate::world::mortal::{Life, MortalTime};

const SEEDS: u64 = 16;

#[tokio::test]
async fn killed_anywhere_no_action_is_doubled_or_lost() -> anyhow::Result<()> {
    let (mut kills, mut actions) = (0, 0);
    for seed in 0..SEEDS {
        let server = match Server::start(SCRIPT).await? {
            Ok(server) => server,
            Err(reason) => return skip("gcp_kills", reason),
        };
        server.seed(json!({vm_id("web"): vm("n2-standard-4"), vm_id("old"): vm("n2-standard-2")})).await?;
        server.seed(group("scaled", Some((2, 10)), seed % 2 == 0)).await?;
        server.seed(group("fixed", None, false)).await?;
        let cloud = grid(&server).await?;
        let ids = [
            ("vm", vm_id("web")),
            ("vm", vm_id("old")),
            ("autoscaling_group", group_id("scaled")),
            ("autoscaling_group", group_id("fixed")),
        ];
        let ids: Vec<(&str, &str)> = ids.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
        let inventory = cloud.inventory(Timestamp(0)).await;
        let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
        let (web, old) = (Address::parse("vm.web")?, Address::parse("vm.old")?);
        let machine = "machine_type.google";
        for (target, field, to) in [
            ("vm.web", machine, json!("n2-standard-2")),
            ("autoscaling_group.scaled", machine, json!("n2-standard-2")),
            ("autoscaling_group.scaled", "max", json!(4)),
            ("autoscaling_group.fixed", machine, json!("e2-standard-2")),
            ("autoscaling_group.fixed", "desired", json!(1)),
        ] {
            world.environment.write(advice(&Address::parse(target)?, field, &to))?;
        }
        world.blueprint.resources.remove(&old);
        let plan = world.plan();
        assert_eq!(plan.steps.len(), 4);
        actions += plan.steps.len();
        let life = Life::default();
        life.0.store(u32::MAX, Ordering::SeqCst);
        let time = Arc::new(MortalTime(SimulatedTime::at(Timestamp(0)), life.clone()));
        let mortal = grid_with(&server, time, "all-rights").await?;
        kills += killed(&mut world, &mortal, &life, seed, 24).await?;

        assert_eq!(cloud.read(&old, &vm_id("old")).await?, None, "seed {seed}: lost");
        let there = object(&server, &vm_id("web")).await?;
        assert_eq!(there["status"], json!("RUNNING"), "seed {seed}: it was not started again");
        assert_eq!(there["labels"].get("grid-restart"), None, "seed {seed}");
        let now = cloud.read(&web, &vm_id("web")).await?.unwrap();
        assert_eq!(now.fields, world.state.resources[&web].fields, "seed {seed}: lost");
        let scaler = object(&server, &scaler_id("scaled")).await?;
        assert_eq!(scaler["autoscalingPolicy"]["maxNumReplicas"], json!(4), "seed {seed}: lost");
        assert_eq!(object(&server, &group_id("fixed")).await?["targetSize"], json!(1), "seed {seed}: lost");
        let templates = server.store().await?.into_keys().filter(|k| k.contains("/instanceTemplates/")).count();
        assert_eq!(templates, 4, "seed {seed}: a template was doubled");
    }
    assert!(kills > 100, "{kills}");
    figure(
        "gcp_kills",
        true,
        format!("contract server: {SEEDS} seeds, killed {kills} times: {actions} actions, 0 doubled, 0 lost"),
    );
    Ok(())
}
