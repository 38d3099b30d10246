//! The bar: import -> empty plan for every kind that Grid drives in Google Cloud; and the inventory, which finds the same and touches nothing.

use std::sync::Arc;

use grid_act::Executor;
use grid_act::simulated::SimulatedTime;
use grid_gcp::lever::LEVERS;
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, taken_over};
use crate::support::{SCRIPT, grid, grid_with, group_id, seeded, vm_id};

#[tokio::test]
async fn what_others_made_needs_no_plan() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("gcp_import", reason),
    };
    let all = seeded(&server).await?;
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(7)).await;
    assert!(inventory.failed.is_empty(), "{:?}", inventory.failed);
    assert_eq!(inventory.rows.len(), all.len(), "the region's, and no more");
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;

    // In the fields of Grid's types, and by the names that bills have.
    let row = |id: &str| inventory.rows.iter().find(|r| r.id == id).unwrap();
    let web = row(&vm_id("web"));
    assert_eq!(
        web.fields.to_json(),
        json!({"running": true, "disk_gib": 30, "machine_type": {"google": "n2-standard-4"},
            "google": {"subnetwork": "projects/shop/regions/europe-west3/subnetworks/main"}})
    );
    assert!(web.full_name.starts_with("//compute.googleapis.com/projects/shop/zones/europe-west3-a/instances/1"));
    assert_eq!((web.tags["team"].as_str(), web.outputs["private_ip"].as_str()), ("shop", Some("10.0.0.7")));
    assert_eq!(row(&vm_id("still")).fields.to_json()["running"], json!(false));
    assert_eq!(
        row(&group_id("scaled")).fields.to_json(),
        json!({"min": 2, "max": 10, "target_cpu_percent": 60, "disk_gib": 20, "machine_type": {"google": "n2-standard-4"}})
    );
    assert_eq!(row(&group_id("scaled")).outputs["desired"], json!(3));
    assert_eq!(row(&group_id("fixed")).fields.to_json()["desired"], json!(3));
    let vm = Address::parse("vm.a")?;
    for wrong in
        ["web", "projects/other/zones/europe-west3-a/instances/web", "projects/shop/zones/us-east1-b/instances/far"]
    {
        let error = cloud.import(&vm, wrong).await.unwrap_err().to_string();
        assert!(error.contains("projects/PROJECT/zones/ZONE/instances/NAME"), "{error}");
    }
    figure("gcp_import", true, format!("contract server: {} resources taken over, empty plan, untouched", all.len()));

    // Who may list nothing is told of each kind.
    let guest = grid_with(&server, Arc::new(SimulatedTime::at(Timestamp(0))), "few-rights").await?;
    let none = guest.inventory(Timestamp(7)).await;
    let failed: Vec<&str> = none.failed.iter().map(|f| f.what.as_str()).collect();
    assert_eq!((failed, none.rows.len()), (vec!["vm", "autoscaling_group"], 0));
    assert!(none.failed[0].why.contains("docs/gcp.md"), "{}", none.failed[0].why);
    figure(
        "gcp_inventory",
        true,
        format!("contract server: {} rows with their fields, 0 changed", inventory.rows.len()),
    );
    Ok(())
}
