//! Each lever, all the way: a recommendation, an override, a plan, a dry run that changes nothing, a run, a fresh read, the ledger.

use grid_act::journal::MemoryJournal;
use grid_azure::lever::LEVERS;
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, changing, check_page, check_tiers, pulled, taken_over};
use crate::support::{SCRIPT, grid, group_id, id, object, seeded, setting_id, vm_id};
use crate::world::advice;

#[tokio::test]
async fn each_lever_from_a_recommendation_to_the_ledger() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("azure_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    let machine = "machine_type.azure";
    let changes = [
        ("vm.web", machine, json!("Standard_D2s_v5")),
        ("vm.idle", "running", json!(false)),
        ("vm.idle", machine, json!("Standard_B2s")),
        ("vm.idle", "running", json!(true)),
        ("autoscaling_group.scaled", "max", json!(6)),
        ("autoscaling_group.scaled", "min", json!(1)),
        ("autoscaling_group.scaled", machine, json!("Standard_D2s_v5")),
        ("autoscaling_group.fixed", "desired", json!(2)),
    ];
    let done = pulled(&mut world, &cloud, LEVERS, &changes).await?;
    assert_eq!(changing(LEVERS).difference(&done).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());

    // In the cloud's own words.
    let web = object(&server, &vm_id("web")).await?;
    assert_eq!((&web["power"], &web["tags"]["team"]), (&json!("running"), &json!("shop")));
    assert_eq!(web["tags"]["grid:resource"], json!("vm.web"));
    let profile = &object(&server, &setting_id("scaled")).await?["properties"]["profiles"][0];
    assert_eq!(profile["capacity"], json!({"minimum": "1", "maximum": "6", "default": "6"}));
    assert_eq!(profile["rules"][0]["metricTrigger"]["threshold"], json!(60), "what others set stays");
    let sku = |capacity: i64, name: &str| json!({"name": name, "tier": "Standard", "capacity": capacity});
    assert_eq!(object(&server, &group_id("scaled")).await?["sku"], sku(3, "Standard_D2s_v5"));
    assert_eq!(object(&server, &group_id("fixed")).await?["sku"], sku(2, "Standard_D4s_v5"));

    // A size is remembered, and forgotten when a machine is named in its place.
    let web = Address::parse("vm.web")?;
    world.environment.overrides.clear();
    for (said, size) in [
        (json!({"size": "3x8", "running": true}), json!("3x8")),
        (json!({"machine_type": {"azure": "Standard_D2s_v5"}, "running": false}), json!(null)),
    ] {
        world.want(&web, &said);
        world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
        let there = object(&server, &vm_id("web")).await?;
        assert_eq!(there["tags"].get("grid:size").cloned().unwrap_or_default(), size);
    }
    // Both at once: it is stopped first, and resized while it stands.
    let log = server.log().await?;
    let last: Vec<&str> = log.iter().rev().take(4).rev().map(|l| l.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(last, ["deallocate", "web", "default", "default"]);

    // And away with all of it.
    world.blueprint.resources.clear();
    world.environment.overrides.clear();
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let left: Vec<String> = server.store().await?.into_keys().filter(|k| k.contains("s-1")).collect();
    assert_eq!(
        left,
        [id("Maps/accounts", "map"), id("Network/virtualNetworks", "main"), id("Storage/storageAccounts", "files")]
    );
    check_tiers("azure", &done);
    figure("azure_levers", true, format!("contract server: {} of {} levers", done.len(), changing(LEVERS).len()));
    Ok(())
}

#[tokio::test]
async fn a_number_has_one_writer() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("azure_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    for (target, field, to, words) in [
        ("autoscaling_group.scaled", "desired", json!(5), "desired is its autoscale setting's"),
        ("autoscaling_group.fixed", "max", json!(5), "has no autoscale setting"),
        ("autoscaling_group.scaled", "min", json!(50), "min 50 is above max 10"),
        ("vm.web", "disk_gib", json!(50), "can only be set when it is made"),
        ("vm.web", "gpu", json!(1), "is not set through the API of azure by Grid"),
    ] {
        let change = advice(&Address::parse(target)?, field, &to);
        world.environment.write(change.clone())?;
        let plan = world.plan();
        let report = world.run(&plan, &cloud, &MemoryJournal::default()).await;
        assert!(format!("{:?}", report.outcomes).contains(words), "{:?}", report.outcomes);
        world.environment.take_back(&change.target, &change.path, &change.by.writer);
    }
    assert_eq!(server.log().await?, Vec::<String>::new(), "nothing was asked for");
    Ok(())
}

#[tokio::test]
async fn what_somebody_else_changes_meanwhile_is_looked_at_again() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("azure_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    // ETags are old, answers are lost, and the cloud is busy: it is done once all the same.
    for fault in [
        json!({"method": "PATCH", "path": "/virtualMachines/web", "times": 2, "touch": vm_id("web")}),
        json!({"method": "PATCH", "path": "/virtualMachineScaleSets/fixed", "times": 1, "lose": "after"}),
        json!({"method": "PATCH", "path": "/tags/default", "times": 1, "lose": "before"}),
        json!({"method": "POST", "path": "/virtualMachines/idle/deallocate", "times": 1, "lose": "after"}),
        json!({"method": "GET", "path": "/operations/", "times": 1, "status": 503}),
        json!({"method": "GET", "path": "/virtualMachines/web", "times": 2, "status": 429, "headers": {"retry-after": "3"}}),
    ] {
        server.fault(fault).await?;
    }
    for (target, field, to) in [
        ("vm.web", "machine_type.azure", json!("Standard_D2s_v5")),
        ("vm.idle", "running", json!(false)),
        ("autoscaling_group.fixed", "desired", json!(1)),
    ] {
        world.environment.write(advice(&Address::parse(target)?, field, &to))?;
    }
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let log = server.log().await?;
    let count = |part: &str| log.iter().filter(|l| l.contains(part) && !l.contains("tags")).count();
    assert_eq!(
        count("PATCH /subscriptions/s-1/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web"),
        3
    );
    assert_eq!((count("virtualMachineScaleSets/fixed"), count("deallocate")), (1, 1), "{log:?}");
    assert_eq!(object(&server, &vm_id("idle")).await?["power"], json!("deallocated"));
    Ok(())
}

#[test]
fn the_page_says_what_can_be_done() {
    check_page("azure.md", LEVERS);
}
