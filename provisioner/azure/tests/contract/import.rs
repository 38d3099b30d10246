//! The bar: import -> empty plan for every kind that Grid drives in Azure; and the inventory, which finds the same and more, and touches nothing.

use std::sync::Arc;

use grid_act::Executor;
use grid_act::simulated::SimulatedTime;
use grid_azure::lever::LEVERS;
use grid_azure::{Azure, Credentials, Settings};
use grid_model::Timestamp;
use grid_plan::Address;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::contract::{Server, taken_over};
use crate::support::{SCRIPT, admin, grid, grid_with, group_id, id, seeded, vm_id};

#[tokio::test]
async fn what_others_made_needs_no_plan() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("azure_import", reason),
    };
    let all = seeded(&server).await?;
    let cloud = grid(&server).await?;
    let inventory = cloud.inventory(Timestamp(7)).await;
    assert!(inventory.failed.is_empty(), "{:?}", inventory.failed);
    let ids: Vec<(&str, &str)> = all.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
    taken_over(&server, &cloud, &inventory, LEVERS, &ids).await?;

    // In the fields of Grid's types, and by the names that bills have.
    let row = |id: &str| inventory.rows.iter().find(|r| r.id == id).unwrap();
    let web = row(&vm_id("web"));
    assert_eq!(
        web.fields.to_json(),
        json!({"running": true, "disk_gib": 30, "machine_type": {"azure": "Standard_D4s_v5"}})
    );
    assert_eq!((web.full_name.as_str(), web.region.as_str()), (vm_id("web").to_lowercase().as_str(), "westeurope"));
    assert_eq!(row(&vm_id("still")).fields.to_json()["running"], json!(false));
    assert_eq!(
        row(&group_id("scaled")).fields.to_json(),
        json!({"min": 2, "max": 10, "disk_gib": 64, "machine_type": {"azure": "Standard_D4s_v5"}})
    );
    assert_eq!(row(&group_id("scaled")).outputs["desired"], json!(3));
    assert_eq!(row(&group_id("fixed")).fields.to_json()["desired"], json!(3));
    for (sort, name, kind) in [
        ("Network/virtualNetworks", "main", "network"),
        ("Storage/storageAccounts", "files", "object_store"),
        ("Maps/accounts", "map", "microsoft.maps/accounts"),
    ] {
        assert_eq!(row(&id(sort, name)).kind, kind);
    }
    assert_eq!(row(&id("Network/virtualNetworks", "main")).tags["team"], "net");
    let (vm, long) = (Address::parse("vm.a")?, format!("{}?x=", vm_id("web")));
    for wrong in ["web", &vm_id("far").replace("s-1", "s-2"), &group_id("scaled"), &long] {
        let error = cloud.import(&vm, wrong).await.unwrap_err().to_string();
        assert!(error.contains("Microsoft.Compute/virtualMachines/NAME"), "{error}");
    }
    // Any case is the same.
    assert_eq!(cloud.import(&vm, &vm_id("web").to_uppercase()).await?.id, vm_id("web"));
    figure("azure_import", true, format!("contract server: {} resources taken over, empty plan, untouched", all.len()));

    // One resource group and no other, by an application's secret.
    let application = |secret: &str| Credentials::Client {
        authority: server.url.clone(),
        tenant: "t".to_owned(),
        client: "c".to_owned(),
        secret: secret.to_owned(),
    };
    for (group, secret, rows, failed) in
        [("shop", "right", inventory.rows.len(), 0), ("none", "right", 0, 0), ("shop", "wrong", 0, 3)]
    {
        let settings = Settings {
            endpoint_url: server.url.clone(),
            resource_group: Some(group.to_owned()),
            ..Settings::new("s-1", application(secret))
        };
        let cloud = Azure::new(settings, Arc::new(SimulatedTime::at(Timestamp(0)))).await?;
        let found = cloud.inventory(Timestamp(7)).await;
        assert_eq!((found.rows.len(), found.failed.len()), (rows, failed), "{group} {secret}");
        assert!(found.failed.iter().all(|f| f.why.contains("Invalid client secret")), "{:?}", found.failed);
    }
    let guest = Credentials::Token("few-rights".to_owned());
    let none =
        grid_with(&server, Arc::new(SimulatedTime::at(Timestamp(0))), guest).await?.inventory(Timestamp(7)).await;
    let failed: Vec<&str> = none.failed.iter().map(|f| f.what.as_str()).collect();
    assert_eq!(failed, ["vm", "autoscaling_group", "resources"]);
    assert!(none.failed[0].why.contains("docs/azure.md"), "{}", none.failed[0].why);
    figure(
        "azure_inventory",
        true,
        format!("contract server: {} rows with their fields, 0 changed", inventory.rows.len()),
    );

    // An answer that leads elsewhere is not followed: the token would go along.
    let lure = json!({"value": [], "nextLink": "http://127.0.0.1:9/page"});
    server.fault(json!({"method": "GET", "path": "/virtualMachines", "times": 1, "status": 200, "body": lure})).await?;
    let lured =
        grid_with(&server, Arc::new(SimulatedTime::at(Timestamp(0))), admin()).await?.inventory(Timestamp(7)).await;
    assert!(lured.failed[0].why.contains("http://127.0.0.1:9/page is not at"), "{:?}", lured.failed);
    Ok(())
}
