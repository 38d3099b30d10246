//! Killed before any call to the cloud or around any entry of the journal, again and again, every action is done once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use grid_act::Executor;
use grid_act::simulated::SimulatedTime;
use grid_azure::lever::LEVERS;
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, taken_over};
use crate::support::{SCRIPT, admin, grid, grid_with, group, group_id, object, setting_id, vm, vm_id};
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
            Err(reason) => return skip("azure_kills", reason),
        };
        let machines = json!({
            vm_id("web"): vm("Standard_D4s_v5", "running"),
            vm_id("idle"): vm("Standard_D4s_v5", "running"),
            vm_id("old"): vm("Standard_D4s_v5", "running"),
        });
        server.seed(machines).await?;
        server.seed(group("scaled", Some((2, 10)))).await?;
        let cloud = grid(&server).await?;
        let ids: Vec<(&str, String)> = ["web", "idle", "old"]
            .map(|name| ("vm", vm_id(name)))
            .into_iter()
            .chain([("autoscaling_group", group_id("scaled"))])
            .collect();
        let ids: Vec<(&str, &str)> = ids.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
        let inventory = cloud.inventory(Timestamp(0)).await;
        let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
        let (web, old) = (Address::parse("vm.web")?, Address::parse("vm.old")?);
        let machine = "machine_type.azure";
        for (target, field, to) in [
            ("vm.web", machine, json!("Standard_D2s_v5")),
            ("vm.idle", "running", json!(false)),
            ("autoscaling_group.scaled", machine, json!("Standard_D2s_v5")),
            ("autoscaling_group.scaled", "max", json!(4)),
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
        let mortal = grid_with(&server, time, admin()).await?;
        kills += killed(&mut world, &mortal, &life, seed, 24).await?;

        assert_eq!(cloud.read(&old, &vm_id("old")).await?, None, "seed {seed}: lost");
        let now = cloud.read(&web, &vm_id("web")).await?.unwrap();
        assert_eq!(now.fields, world.state.resources[&web].fields, "seed {seed}: lost");
        let setting = object(&server, &setting_id("scaled")).await?;
        assert_eq!(setting["properties"]["profiles"][0]["capacity"]["maximum"], json!("4"), "seed {seed}: lost");
        assert_eq!(object(&server, &vm_id("idle")).await?["power"], json!("deallocated"), "seed {seed}: lost");
        // A machine that is resized is restarted: that must not happen twice.
        let log = server.log().await?;
        for (what, path) in [("PATCH", vm_id("web")), ("PATCH", group_id("scaled")), ("DELETE", vm_id("old"))] {
            let done = log.iter().filter(|l| **l == format!("{what} {path}")).count();
            assert_eq!(done, 1, "seed {seed}: {what} {path} was doubled");
        }
    }
    assert!(kills > 100, "{kills}");
    figure(
        "azure_kills",
        true,
        format!("contract server: {SEEDS} seeds, killed {kills} times: {actions} actions, 0 doubled, 0 lost"),
    );
    Ok(())
}
