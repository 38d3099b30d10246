//! What the tests share: an executor for a contract server, and things as others would make them.

use std::sync::Arc;

use grid_act::executor::Time;
use grid_act::simulated::SimulatedTime;
use grid_azure::{Azure, Credentials, Settings};
use grid_model::Timestamp;
use serde_json::{Value, json};

use crate::contract::Server;

pub(crate) const SCRIPT: &str = "azure_contract.py";

/// Who may do everything.
pub(crate) fn admin() -> Credentials {
    Credentials::Token("all-rights".to_owned())
}

/// An executor whose time passes only when somebody waits.
pub(crate) async fn grid(server: &Server) -> anyhow::Result<Azure> {
    grid_with(server, Arc::new(SimulatedTime::at(Timestamp(0))), admin()).await
}

pub(crate) async fn grid_with(server: &Server, time: Arc<dyn Time>, who: Credentials) -> anyhow::Result<Azure> {
    let settings = Settings {
        endpoint_url: server.url.clone(),
        calls_per_second: 1000.0,
        burst: 1000,
        ..Settings::new("s-1", who)
    };
    Ok(Azure::new(settings, time).await?)
}

pub(crate) fn id(sort: &str, name: &str) -> String {
    format!("/subscriptions/s-1/resourceGroups/shop/providers/Microsoft.{sort}/{name}")
}

pub(crate) fn vm_id(name: &str) -> String {
    id("Compute/virtualMachines", name)
}

pub(crate) fn group_id(name: &str) -> String {
    id("Compute/virtualMachineScaleSets", name)
}

pub(crate) fn setting_id(name: &str) -> String {
    id("Insights/autoscaleSettings", name)
}

/// A machine as its owner would make it.
pub(crate) fn vm(size: &str, power: &str) -> Value {
    json!({"tags": {"team": "shop"}, "power": power, "properties": {
        "hardwareProfile": {"vmSize": size}, "storageProfile": {"osDisk": {"diskSizeGB": 30}}}})
}

/// A scale set, and its autoscale setting if it has bounds.
pub(crate) fn group(name: &str, bounds: Option<(u32, u32)>) -> Value {
    let mut all = json!({group_id(name): {
        "tags": {"team": "shop"}, "sku": {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": 3},
        "properties": {"upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {"storageProfile": {"osDisk": {"diskSizeGB": 64}}}}}});
    if let Some((min, max)) = bounds {
        let capacity = json!({"minimum": min.to_string(), "maximum": max.to_string(), "default": max.to_string()});
        let profile = json!({"name": "cpu", "capacity": capacity, "rules": [{"metricTrigger": {"threshold": 60}}]});
        // Targets are written in any case.
        let target = group_id(name).to_uppercase();
        all[setting_id(name)] =
            json!({"properties": {"enabled": true, "targetResourceUri": target, "profiles": [profile]}});
    }
    all
}

/// Machines and scale sets of all sorts; the ids of what can be taken over.
pub(crate) async fn seeded(server: &Server) -> anyhow::Result<Vec<(&'static str, String)>> {
    server
        .seed(json!({
            vm_id("web"): vm("Standard_D4s_v5", "running"),
            vm_id("idle"): vm("Standard_D2s_v5", "running"),
            vm_id("still"): vm("Standard_B2s", "deallocated"),
            id("Network/virtualNetworks", "main"): {"tags": {"team": "net"}},
            id("Storage/storageAccounts", "files"): {},
            id("Maps/accounts", "map"): {},
        }))
        .await?;
    // Another subscription is another account's to look at.
    server.seed(json!({vm_id("far").replace("s-1", "s-2"): vm("Standard_D2s_v5", "running")})).await?;
    server.seed(group("scaled", Some((2, 10)))).await?;
    server.seed(group("fixed", None)).await?;
    let vms = ["web", "idle", "still"].map(|name| ("vm", vm_id(name)));
    let groups = ["scaled", "fixed"].map(|name| ("autoscaling_group", group_id(name)));
    Ok([vms.to_vec(), groups.to_vec()].concat())
}

/// An object of the store.
pub(crate) async fn object(server: &Server, key: &str) -> anyhow::Result<Value> {
    Ok(server.store().await?.remove(key).unwrap_or_default())
}
