//! Kubernetes Service, container registry and apps.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, View};

use super::compute;

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_kubernetes_cluster", "Azure Kubernetes Service", cluster),
    ("azurerm_kubernetes_cluster_node_pool", "Virtual Machines", node_pool),
    ("azurerm_container_registry", "Container Registry", registry),
];

fn cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    match v.text_or("sku_tier", "Free").as_str() {
        "Paid" | "Standard" => {
            c.hours("Uptime SLA", 1);
        }
        "Premium" => {
            c.hours("Long Term Support", 1);
        }
        _ => {}
    }
    if let Some(block) = v.blocks("default_node_pool").into_iter().next() {
        let stated = v.used("default_node_pool.nodes");
        pool(v, &block, stated, v.used("default_node_pool.monthly_hrs"), c.part("default_node_pool"));
    }
    if v.text_or("network_profile.load_balancer_sku", "").eq_ignore_ascii_case("standard") {
        c.part("load_balancer").usage("Data processed", "GB", v.used("load_balancer.monthly_data_processed_gb"));
    }
    if v.flag("http_application_routing_enabled") || v.flag("addon_profile.http_application_routing.enabled") {
        c.part("http_application_routing").add("Hosted zone", "months", 1);
    }
    Ok(())
}

/// Sizes with an `s` after the digits take premium disks.
fn takes_premium(size: &str) -> bool {
    let name = size.to_lowercase();
    let core = name.trim_start_matches("standard_").trim_start_matches("basic_");
    let word = core.split('_').next().unwrap_or_default();
    let after = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let before = &word[..word.len() - after.len()];
    before.ends_with('s') || after.contains('s')
}

fn pool(v: &View<'_>, block: &View<'_>, stated: Quantity, hours: Quantity, c: &mut Cost) {
    let least = block.number("min_count");
    let count = stated.or_else(block.number("node_count"));
    let count = if count.is_set() {
        count
    } else if least.is_positive() {
        least
    } else {
        Quantity::of(1)
    };
    let size = block.text_or("vm_size", "Standard_D2s_v3");
    let windows = block.text_or("os_type", "Linux") == "Windows" || block.text_or("os_sku", "").starts_with("Windows");
    compute::machines(v, c, &size, windows, "", count * hours.or(MONTH_HOURS));
    if block.text_or("os_disk_type", "Managed") != "Ephemeral" {
        let kind = if takes_premium(&size) { "Premium_LRS" } else { "Standard_LRS" };
        compute::disk(c.part("os_disk"), kind, block.int("os_disk_size_gb", 128), count, Quantity::UNSET, false);
    }
}

fn node_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    pool(v, v, v.used("nodes"), v.used("monthly_hrs"), c);
    Ok(())
}

fn registry(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "Classic");
    let included = match sku.as_str() {
        "Premium" => 500,
        "Standard" => 100,
        _ => 10,
    };
    let places = v.count("georeplications").max(v.count("georeplication_locations"));
    if places > 0 {
        let word = if places == 1 { "location" } else { "locations" };
        c.add(format!("Geo replication ({places} {word})"), "days", Quantity::of(30)).scaled(places).with("sku", &sku);
    }
    c.add(format!("Registry usage ({sku})"), "days", 30).with("sku", &sku);
    c.usage(format!("Storage (over {included}GB)"), "GB", v.used("storage_gb").above(included)).with("sku", &sku);
    c.usage("Build vCPU", "seconds", v.used("monthly_build_vcpu_hrs") * 3_600);
    Ok(())
}
