//! App Service, Functions, API Management, App Configuration, messaging.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_service_plan", "Azure App Service", service_plan),
    ("azurerm_app_service_plan", "Azure App Service", app_service_plan),
    ("azurerm_app_service_environment", "Azure App Service", environment),
    ("azurerm_app_service_certificate_order", "Azure App Service", certificate_order),
    ("azurerm_app_service_certificate_binding", "Azure App Service", certificate_binding),
    ("azurerm_app_service_custom_hostname_binding", "Azure App Service", hostname_binding),
    ("azurerm_function_app", "Functions", function_app),
    ("azurerm_linux_function_app", "Functions", function_app),
    ("azurerm_windows_function_app", "Functions", function_app),
    ("azurerm_logic_app_standard", "Logic Apps", logic_app),
    ("azurerm_logic_app_integration_account", "Logic Apps", integration_account),
    ("azurerm_integration_service_environment", "Logic Apps", integration_environment),
    ("azurerm_api_management", "API Management", api_management),
    ("azurerm_app_configuration", "App Configuration", app_configuration),
    ("azurerm_eventhub_namespace", "Event Hubs", eventhub),
    ("azurerm_servicebus_namespace", "Service Bus", servicebus),
    ("azurerm_eventgrid_topic", "Event Grid", eventgrid),
    ("azurerm_eventgrid_system_topic", "Event Grid", eventgrid),
    ("azurerm_iothub", "IoT Hub", iothub),
    ("azurerm_iothub_dps", "IoT Hub", iothub_dps),
    ("azurerm_notification_hub_namespace", "Notification Hubs", notification_hub),
    ("azurerm_signalr_service", "SignalR", signalr),
    ("azurerm_search_service", "Azure Cognitive Search", search),
];

fn service_plan(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    let upper = sku.to_uppercase();
    if upper.starts_with("EP") || upper.starts_with("WS") || upper == "Y1" || upper.starts_with("FC") {
        // The functions and workflows on it are paid for.
        return Err(Unpriced::Free);
    }
    let count = v.number("worker_count").or(1);
    let system = v.text_or("os_type", "Linux");
    c.hours(format!("Instance usage ({sku})"), count).with("sku", &sku).with("operating_system", system);
    Ok(())
}

fn app_service_plan(v: &View<'_>, c: &mut Cost) -> Ruled {
    let (size, tier) = (v.text_or("sku.size", ""), v.text_or("sku.tier", ""));
    let kind = v.text_or("kind", "Windows");
    if tier == "ElasticPremium"
        || tier == "Dynamic"
        || tier == "WorkflowStandard"
        || kind.eq_ignore_ascii_case("elastic")
        || kind.eq_ignore_ascii_case("functionapp")
        || size == "Y1"
    {
        return Err(Unpriced::Free);
    }
    let count = v.number("sku.capacity").or(1);
    let system = if v.flag("reserved") || kind.eq_ignore_ascii_case("linux") { "Linux" } else { "Windows" };
    c.hours(format!("Instance usage ({size})"), count).with("sku", &size).with("operating_system", system);
    Ok(())
}

fn environment(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tier = v.text_or("pricing_tier", "I1");
    c.hours("Stamp fee", 1);
    let system = v.used_text("operating_system").unwrap_or_else(|| "Linux".to_owned());
    c.hours(format!("Instance usage ({tier})"), 1).with("sku", &tier).with("operating_system", system);
    Ok(())
}

fn certificate_order(v: &View<'_>, c: &mut Cost) -> Ruled {
    let product = v.text_or("product_type", "Standard");
    let name = if product == "WildCard" { "Wildcard" } else { "Standard" };
    c.add(format!("SSL certificate ({})", name.to_lowercase()), "years", Quantity::of(1) / 12).with("product", name);
    Ok(())
}

fn certificate_binding(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("ssl_state", "") != "IpBasedEnabled" {
        return Err(Unpriced::Free);
    }
    c.add("IP SSL certificate", "months", 1);
    Ok(())
}

fn hostname_binding(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("ssl_state", "") != "IpBasedEnabled" {
        return Err(Unpriced::Free);
    }
    c.add("IP SSL certificate", "months", 1);
    Ok(())
}

/// Processors and GB of the premium sizes of functions.
fn premium(sku: &str) -> Option<(i64, Quantity)> {
    match sku.to_uppercase().as_str() {
        "EP1" => Some((1, Quantity::decimal("3.5"))),
        "EP2" => Some((2, Quantity::of(7))),
        "EP3" => Some((4, Quantity::of(14))),
        _ => None,
    }
}

fn function_app(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kinds = ["azurerm_service_plan", "azurerm_app_service_plan"];
    let plan = ["service_plan_id", "app_service_plan_id"].iter().find_map(|p| v.refers_to(p, &kinds));
    let mut sku = String::new();
    if let Some(plan) = &plan {
        if plan.resource.kind == "azurerm_service_plan" {
            sku = plan.text_or("sku_name", "");
            let dedicated = premium(&sku).is_none() && !sku.is_empty() && !sku.eq_ignore_ascii_case("Y1");
            if dedicated {
                // It runs on what its plan pays for.
                return Err(Unpriced::Free);
            }
        } else {
            let elastic = plan.text_or("sku.tier", "") == "ElasticPremium"
                || plan.text_or("kind", "").eq_ignore_ascii_case("elastic");
            if elastic {
                sku = plan.text_or("sku.size", "");
            } else if !plan.text_or("kind", "").eq_ignore_ascii_case("functionapp")
                && plan.text_or("sku.tier", "Dynamic") != "Dynamic"
            {
                return Err(Unpriced::Free);
            }
        }
    }
    if let Some((cpus, memory)) = premium(&sku) {
        let count = v
            .used("instances")
            .or_else(plan.map_or(Quantity::UNSET, |p| p.number("worker_count").or_else(p.number("sku.capacity"))))
            .or(1);
        c.hourly(format!("vCPU ({sku})"), "vCPU", count * cpus).scaled(MONTH_HOURS).with("sku", &sku);
        c.hourly(format!("Memory ({sku})"), "GB", count * memory).scaled(MONTH_HOURS).with("sku", &sku);
        return Ok(());
    }
    let calls = v.used("monthly_executions");
    // Memory counts in steps of 128 MB, time from 100 ms on.
    let memory_gb = (v.used("memory_mb").or(128) / 128).ceil() * 128 / 1_024;
    let seconds = v.used("execution_duration_ms").max(100) / 1_000;
    c.usage("Execution time", "GB-seconds", calls * seconds * memory_gb);
    c.usage("Executions", "1M requests", calls).per(1_000_000);
    Ok(())
}

fn logic_app(v: &View<'_>, c: &mut Cost) -> Ruled {
    let plan = v.refers_to("app_service_plan_id", &["azurerm_service_plan", "azurerm_app_service_plan"]);
    let sku = plan.and_then(|p| p.text("sku_name").or_else(|| p.text("sku.size")));
    let sku = sku.or_else(|| v.used_text("sku")).unwrap_or_default();
    let (cpus, memory) = match sku.to_uppercase().as_str() {
        "WS1" => (1, Quantity::decimal("3.5")),
        "WS2" => (2, Quantity::of(7)),
        "WS3" => (4, Quantity::of(14)),
        _ => return Err(Unpriced::Unknown("app_service_plan_id".to_owned())),
    };
    c.hourly(format!("Workflow vCore ({sku})"), "vCore", cpus).scaled(MONTH_HOURS).with("sku", &sku);
    c.hourly(format!("Workflow memory ({sku})"), "GB", memory).scaled(MONTH_HOURS).with("sku", &sku);
    used(
        v,
        c,
        &[
            ("Standard connectors", "calls", "monthly_standard_connector_calls", 1),
            ("Enterprise connectors", "calls", "monthly_enterprise_connector_calls", 1),
        ],
    );
    Ok(())
}

fn integration_account(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku_name", "Free");
    if sku == "Free" {
        return Err(Unpriced::Free);
    }
    c.hours(format!("Integration Account ({sku})"), 1).with("sku", &sku);
    Ok(())
}

fn integration_environment(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku_name", "Developer_0");
    let (tier, scale) = sku.split_once('_').unwrap_or((&sku, "0"));
    c.hours("Base units", 1).with("sku", tier);
    if let Ok(scale) = scale.parse::<i64>()
        && scale > 0
    {
        c.hours("Scale units", scale).with("sku", tier);
    }
    Ok(())
}

fn api_management(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    let (tier, units) = sku.split_once('_').unwrap_or((&sku, "1"));
    if tier == "Consumption" {
        c.usage("API gateway", "1M calls", v.used("monthly_api_calls")).per(1_000_000);
        return Ok(());
    }
    c.hourly(format!("API management ({})", tier.to_lowercase()), "units", Quantity::decimal(units))
        .scaled(MONTH_HOURS)
        .with("sku", tier);
    if tier == "Premium" {
        c.usage("Self-hosted gateways", "gateways", v.used("self_hosted_gateway_count")).scaled(MONTH_HOURS);
    }
    Ok(())
}

fn app_configuration(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "free");
    if sku.is_empty() || sku.eq_ignore_ascii_case("free") {
        return Err(Unpriced::Free);
    }
    let replicas = v.count("replica");
    let name = match replicas {
        0 => "Instance".to_owned(),
        1 => "Instance (1 replica)".to_owned(),
        n => format!("Instance ({n} replicas)"),
    };
    // A day of the store and of each replica.
    c.add(name, "days", 30).scaled(replicas + 1).with("sku", &sku);
    c.usage("Requests (over 200k/day per replica)", "10k requests", v.used("monthly_additional_requests"))
        .per(10_000)
        .with("sku", &sku);
    Ok(())
}

fn eventhub(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "Basic");
    let units = v.used("throughput_or_capacity_units").or_else(v.number("capacity")).or(1);
    if sku != "Premium" {
        c.usage("Ingress", "1M events", v.used("monthly_ingress_events")).per(1_000_000).with("sku", &sku);
    }
    let word = if sku == "Premium" { "Processing" } else { "Throughput" };
    c.hourly(word, "units", units).scaled(MONTH_HOURS).with("sku", &sku);
    if sku == "Standard" && v.used_text("capture_enabled").as_deref() == Some("true") {
        c.hourly("Capture", "units", units).scaled(MONTH_HOURS);
    }
    if sku == "Premium" || v.has("dedicated_cluster_id") {
        c.usage("Extended retention", "GB", v.used("retention_storage_gb"));
    }
    Ok(())
}

fn servicebus(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "Basic");
    let operations = v.used("monthly_messaging_operations");
    const M: i64 = 1_000_000;
    match sku.to_lowercase().as_str() {
        "premium" => {
            c.hourly("Messaging units", "units", v.number("capacity").or(1)).scaled(MONTH_HOURS);
        }
        "standard" => {
            // The base charge includes 13 million operations.
            c.hours("Base charge", 1);
            let steps =
                [("Messaging operations (13M-100M)", 87 * M), ("Messaging operations (100M-2,500M)", 2_400 * M)];
            c.tiers(
                "1M operations",
                operations.above(13 * M),
                M,
                &crate::rules::tiers(&steps, "Messaging operations (over 2,500M)"),
            );
            let connections = v.used("monthly_brokered_connections");
            let steps = [("Brokered connections (1K-100K)", 99_000), ("Brokered connections (100K-500K)", 400_000)];
            c.tiers(
                "connections",
                connections.above(1_000),
                1,
                &crate::rules::tiers(&steps, "Brokered connections (over 500K)"),
            );
        }
        _ => {
            c.usage("Messaging operations", "1M operations", operations).per(M);
        }
    }
    Ok(())
}

fn eventgrid(v: &View<'_>, c: &mut Cost) -> Ruled {
    // The first hundred thousand are free.
    c.usage("Operations", "100k operations", v.used("monthly_operations").above(100_000)).per(100_000);
    Ok(())
}

fn iothub(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku.name")?;
    if sku == "F1" {
        return Err(Unpriced::Free);
    }
    c.add("IoT Hub", "units", v.number("sku.capacity").or(1)).with("sku", &sku);
    Ok(())
}

fn iothub_dps(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Device provisioning", "1k operations", v.used("monthly_operations")).per(1_000);
    Ok(())
}

fn notification_hub(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku_name", "Free");
    if sku == "Free" {
        return Err(Unpriced::Free);
    }
    const M: i64 = 1_000_000;
    c.add(format!("Base usage ({sku})"), "months", 1).with("sku", &sku);
    let pushes = v.used("monthly_pushes").above(10 * M);
    c.tiers("1M pushes", pushes, M, &crate::rules::tiers(&[("Pushes (10-100M)", 90 * M)], "Pushes (over 100M)"));
    Ok(())
}

fn signalr(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku.name", "Free_F1");
    if sku.starts_with("Free") {
        return Err(Unpriced::Free);
    }
    let word = if sku.starts_with("Premium") { "premium" } else { "standard" };
    let units = v.number("sku.capacity").or(1);
    c.add(format!("Service usage ({word})"), "units", units * 30).scaled(1).with("sku", word);
    c.usage("Additional messages", "1M messages", v.used("monthly_additional_messages")).per(1_000_000);
    Ok(())
}

fn search(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "free").to_lowercase();
    if sku == "free" {
        return Err(Unpriced::Free);
    }
    let units = v.number("partition_count").or(1) * v.number("replica_count").or(1);
    let name = match sku.as_str() {
        "basic" => "Basic",
        "standard" => "Standard S1",
        "standard2" => "Standard S2",
        "standard3" => "Standard S3",
        "storage_optimized_l1" => "Storage Optimized L1",
        _ => "Storage Optimized L2",
    };
    c.hourly(
        format!("Search usage ({name}, {units} {})", if units == Quantity::of(1) { "unit" } else { "units" }),
        "units",
        units,
    )
    .scaled(MONTH_HOURS)
    .with("sku", name);
    c.usage("Image extraction (first 1M)", "1000 images", v.used("monthly_images_extracted")).per(1_000);
    Ok(())
}
