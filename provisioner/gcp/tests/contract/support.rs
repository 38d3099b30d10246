//! What the tests share: an executor for a contract server, and things as others would make them.

use std::sync::Arc;

use grid_act::executor::Time;
use grid_act::simulated::SimulatedTime;
use grid_gcp::{Credentials, Gcp, Settings};
use grid_model::Timestamp;
use serde_json::{Value, json};

use crate::contract::Server;

pub(crate) const SCRIPT: &str = "gcp_contract.py";

/// An executor whose time passes only when somebody waits.
pub(crate) async fn grid(server: &Server) -> anyhow::Result<Gcp> {
    grid_with(server, Arc::new(SimulatedTime::at(Timestamp(0))), "all-rights").await
}

pub(crate) async fn grid_with(server: &Server, time: Arc<dyn Time>, token: &str) -> anyhow::Result<Gcp> {
    let settings = Settings {
        endpoint_url: Some(server.url.clone()),
        credentials: Credentials::Token(token.to_owned()),
        calls_per_second: 1000.0,
        burst: 1000,
        ..Settings::new("shop", "europe-west3")
    };
    Ok(Gcp::new(settings, time).await?)
}

pub(crate) fn vm_id(name: &str) -> String {
    format!("projects/shop/zones/europe-west3-a/instances/{name}")
}

pub(crate) fn group_id(name: &str) -> String {
    format!("projects/shop/regions/europe-west3/instanceGroupManagers/{name}")
}

pub(crate) fn scaler_id(name: &str) -> String {
    format!("projects/shop/regions/europe-west3/autoscalers/{name}")
}

/// A machine as its owner would make it.
pub(crate) fn vm(machine: &str) -> Value {
    json!({
        "machineType": format!("https://www.googleapis.com/compute/v1/projects/shop/zones/europe-west3-a/machineTypes/{machine}"),
        "labels": {"team": "shop"},
        "disks": [{"boot": true, "diskSizeGb": "30"}],
        "networkInterfaces": [{"networkIP": "10.0.0.7",
            "subnetwork": "https://www.googleapis.com/compute/v1/projects/shop/regions/europe-west3/subnetworks/main"}],
    })
}

/// A group with its template, and with an autoscaler if it has bounds.
pub(crate) fn group(name: &str, bounds: Option<(u32, u32)>, is_regional: bool) -> Value {
    let scope = if is_regional { "regions/europe-west3" } else { "global" };
    let template = format!("projects/shop/{scope}/instanceTemplates/{name}");
    let link = |key: &str| format!("https://www.googleapis.com/compute/v1/{key}");
    let mut all = json!({
        template.as_str(): {"description": "made by hand", "properties": {
            "machineType": "n2-standard-4", "labels": {"team": "shop"},
            "disks": [{"boot": true, "initializeParams": {"diskSizeGb": "20", "sourceImage": "debian-12"}}]}},
        group_id(name): {"targetSize": 3, "instanceTemplate": link(&template), "baseInstanceName": name,
            "versions": [{"instanceTemplate": link(&template)}], "updatePolicy": {"type": "OPPORTUNISTIC"}},
    });
    if let Some((min, max)) = bounds {
        all[scaler_id(name)] = json!({"target": link(&group_id(name)), "description": "holds 60%", "autoscalingPolicy": {
            "minNumReplicas": min, "maxNumReplicas": max, "coolDownPeriodSec": 90, "mode": "ON",
            "cpuUtilization": {"utilizationTarget": 0.6, "predictiveMethod": "NONE"}}});
    }
    all
}

/// Machines and groups of all sorts; the ids of what can be taken over.
pub(crate) async fn seeded(server: &Server) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut stopped = vm("e2-small");
    stopped["status"] = json!("TERMINATED");
    server
        .seed(json!({vm_id("web"): vm("n2-standard-4"), vm_id("idle"): vm("n2-standard-2"), vm_id("still"): stopped}))
        .await?;
    // Another region's machine is another account's to look at.
    server.seed(json!({"projects/shop/zones/us-east1-b/instances/far": vm("n2-standard-2")})).await?;
    server.seed(group("scaled", Some((2, 10)), false)).await?;
    server.seed(group("regional", Some((1, 3)), true)).await?;
    server.seed(group("fixed", None, false)).await?;
    let vms = ["web", "idle", "still"].map(|name| ("vm", vm_id(name)));
    let groups = ["scaled", "regional", "fixed"].map(|name| ("autoscaling_group", group_id(name)));
    Ok([vms, groups].concat())
}

/// An object of the store.
pub(crate) async fn object(server: &Server, key: &str) -> anyhow::Result<Value> {
    Ok(server.store().await?.remove(key).unwrap_or_default())
}
