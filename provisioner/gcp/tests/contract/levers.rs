//! Each lever, all the way: a recommendation, an override, a plan, a dry run that changes nothing, a run, a fresh read, the ledger.

use grid_gcp::lever::LEVERS;
use grid_model::Timestamp;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, changing, check_page, check_tiers, pulled, taken_over};
use crate::support::{SCRIPT, grid, group_id, object, scaler_id, seeded, vm_id};
use crate::world::{act, advice};

#[tokio::test]
async fn each_lever_from_a_recommendation_to_the_ledger() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("gcp_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    let machine = "machine_type.google";
    let changes = [
        ("vm.web", machine, json!("n2-standard-2")),
        ("vm.idle", "running", json!(false)),
        ("vm.idle", machine, json!("e2-medium")),
        ("vm.idle", "running", json!(true)),
        ("vm.still", machine, json!("e2-standard-2")),
        ("vm.still", "running", json!(true)),
        ("autoscaling_group.scaled", "max", json!(6)),
        ("autoscaling_group.scaled", "min", json!(1)),
        ("autoscaling_group.scaled", "target_cpu_percent", json!(75)),
        ("autoscaling_group.scaled", machine, json!("n2-standard-2")),
        ("autoscaling_group.regional", machine, json!("n2-standard-2")),
        ("autoscaling_group.fixed", "desired", json!(2)),
        ("autoscaling_group.fixed", machine, json!("e2-standard-2")),
    ];
    let done = pulled(&mut world, &cloud, LEVERS, &changes).await?;
    assert_eq!(changing(LEVERS).difference(&done).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());

    // In the cloud's own words.
    let web = object(&server, &vm_id("web")).await?;
    assert_eq!(web["status"], json!("RUNNING"), "it runs again");
    assert!(web["machineType"].as_str().unwrap().ends_with("/n2-standard-2"));
    assert_eq!(web["labels"]["team"], json!("shop"), "labels of others stay");
    assert_eq!(web["labels"].get("grid-restart"), None);
    assert!(web["labels"]["grid-token"].as_str().unwrap().starts_with("grid-"));
    let scaler = object(&server, &scaler_id("scaled")).await?;
    let policy = &scaler["autoscalingPolicy"];
    assert_eq!((&policy["minNumReplicas"], &policy["maxNumReplicas"]), (&json!(1), &json!(6)));
    assert_eq!(policy["cpuUtilization"], json!({"utilizationTarget": 0.75, "predictiveMethod": "NONE"}));
    assert_eq!(policy["coolDownPeriodSec"], json!(90), "what others set stays");
    let words = scaler["description"].as_str().unwrap();
    assert!(words.starts_with("holds 60% [grid token=grid-"), "{words}");
    for (name, scope) in [("scaled", "/global/"), ("regional", "/regions/europe-west3/")] {
        let group = object(&server, &group_id(name)).await?;
        let template = group["instanceTemplate"].as_str().unwrap();
        assert!(template.contains(scope) && template.contains(&format!("/{name}-")), "{template}");
        let made = object(&server, &template[template.find("projects/").unwrap()..]).await?;
        assert_eq!(made["properties"]["machineType"], json!("n2-standard-2"));
        assert_eq!(made["properties"]["disks"][0]["initializeParams"]["sourceImage"], json!("debian-12"));
    }
    assert_eq!(object(&server, &group_id("fixed")).await?["targetSize"], json!(2));

    // A size is remembered where something can remember it, and refused where nothing can.
    let web = grid_plan::Address::parse("vm.web")?;
    world.environment.overrides.clear();
    world.want(&web, &json!({"size": "3x8", "running": true}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert_eq!(world.state.resources[&web].fields.to_json()["size"], json!("3x8"));
    assert_eq!(object(&server, &vm_id("web")).await?["labels"]["grid-size"], json!("3x8"));

    // And away with all of it.
    world.blueprint.resources.clear();
    world.environment.overrides.clear();
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let left: Vec<String> = server.store().await?.into_keys().collect();
    let theirs = [
        "projects/shop/global/instanceTemplates/fixed",
        "projects/shop/global/instanceTemplates/scaled",
        "projects/shop/regions/europe-west3/instanceTemplates/regional",
        "projects/shop/zones/us-east1-b/instances/far",
    ];
    assert_eq!(left, theirs, "what Grid has made goes with its group");
    check_tiers("google", &done);
    figure("gcp_levers", true, format!("contract server: {} of {} levers", done.len(), changing(LEVERS).len()));
    Ok(())
}

#[tokio::test]
async fn a_number_has_one_writer() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("gcp_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    let before = server.log().await?.len();
    for (target, field, to, words) in [
        ("autoscaling_group.scaled", "desired", json!(5), "desired is its autoscaler's"),
        ("autoscaling_group.fixed", "max", json!(5), "has no autoscaler"),
        ("vm.web", "disk_gib", json!(50), "can only be set when it is made"),
        ("vm.web", "gpu", json!(1), "is not set through the API of gcp by Grid"),
    ] {
        let change = advice(&grid_plan::Address::parse(target)?, field, &to);
        world.environment.write(change.clone())?;
        let plan = world.plan();
        let report = world.run(&plan, &cloud, &grid_act::journal::MemoryJournal::default()).await;
        assert!(format!("{:?}", report.outcomes).contains(words), "{:?}", report.outcomes);
        world.environment.take_back(&change.target, &change.path, &change.by.writer);
    }
    assert_eq!(server.log().await?.len(), before, "nothing was asked for");
    // What would be made anew is not deleted first: nobody would make it.
    let web = grid_plan::Address::parse("vm.web")?;
    world.kinds.0.get_mut("vm").unwrap().replace_on.insert(grid_plan::Path::of(["network"]));
    world.environment.write(advice(&web, "network", &json!("other")))?;
    let plan = world.plan();
    assert_eq!(plan.steps[0].action.name(), "replace");
    let report = world.run(&plan, &cloud, &grid_act::journal::MemoryJournal::default()).await;
    assert!(format!("{:?}", report.outcomes).contains("gcp cannot replace vm"), "{:?}", report.outcomes);
    assert_eq!(object(&server, &vm_id("web")).await?["status"], json!("RUNNING"));
    Ok(())
}

#[tokio::test]
async fn what_somebody_else_changes_meanwhile_is_looked_at_again() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("gcp_levers", reason),
    };
    let all = seeded(&server).await?;
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(0)).await;
    let mut world = taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;
    let (web, group) = (vm_id("web"), group_id("fixed"));
    // Fingerprints are old, answers are lost, and the cloud is busy: it is done once all the same.
    for fault in [
        json!({"method": "POST", "path": "/instances/web/setLabels", "times": 1, "touch": web}),
        json!({"method": "POST", "path": "/instances/web/stop", "times": 1, "lose": "after"}),
        json!({"method": "POST", "path": "/instances/idle/stop", "times": 1, "lose": "before"}),
        json!({"method": "GET", "path": "/operations/", "times": 1, "status": 503}),
        json!({"method": "PATCH", "path": "/instanceGroupManagers/fixed", "times": 2, "touch": group}),
        json!({"method": "POST", "path": "/instanceTemplates", "times": 1, "lose": "after"}),
        json!({"method": "GET", "path": "/instances/web", "times": 1, "status": 429, "headers": {"retry-after": "3"}}),
    ] {
        server.fault(fault).await?;
    }
    for (target, to) in [("vm.web", "n2-standard-2"), ("autoscaling_group.fixed", "n2-standard-2")] {
        let target = grid_plan::Address::parse(target)?;
        world.environment.write(advice(&target, "machine_type.google", &json!(to)))?;
    }
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert_eq!(object(&server, &web).await?["status"], json!("RUNNING"));
    let templates = server.store().await?.into_keys().filter(|k| k.contains("instanceTemplates/fixed")).count();
    assert_eq!(templates, 2, "theirs and one more");
    act(&mut world, &cloud, advice(&grid_plan::Address::parse("vm.idle")?, "running", &json!(false)))
        .await
        .map_err(anyhow::Error::msg)?;
    Ok(())
}

#[test]
fn the_page_says_what_can_be_done() {
    check_page("gcp.md", LEVERS);
}
