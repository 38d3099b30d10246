//! DNS zones, records, resolvers, traffic manager.

use crate::component::Cost;
use crate::rules::{Row, tiers};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_dns_zone", "Azure DNS", zone),
    ("azurerm_private_dns_zone", "Azure DNS", zone),
    ("azurerm_dns_a_record", "Azure DNS", record),
    ("azurerm_dns_aaaa_record", "Azure DNS", record),
    ("azurerm_dns_caa_record", "Azure DNS", record),
    ("azurerm_dns_cname_record", "Azure DNS", record),
    ("azurerm_dns_mx_record", "Azure DNS", record),
    ("azurerm_dns_ns_record", "Azure DNS", record),
    ("azurerm_dns_ptr_record", "Azure DNS", record),
    ("azurerm_dns_srv_record", "Azure DNS", record),
    ("azurerm_dns_txt_record", "Azure DNS", record),
    ("azurerm_private_dns_a_record", "Azure DNS", record),
    ("azurerm_private_dns_aaaa_record", "Azure DNS", record),
    ("azurerm_private_dns_cname_record", "Azure DNS", record),
    ("azurerm_private_dns_mx_record", "Azure DNS", record),
    ("azurerm_private_dns_ptr_record", "Azure DNS", record),
    ("azurerm_private_dns_srv_record", "Azure DNS", record),
    ("azurerm_private_dns_txt_record", "Azure DNS", record),
    ("azurerm_private_dns_resolver_inbound_endpoint", "Azure DNS", inbound),
    ("azurerm_private_dns_resolver_outbound_endpoint", "Azure DNS", outbound),
    ("azurerm_private_dns_resolver_dns_forwarding_ruleset", "Azure DNS", ruleset),
    ("azurerm_traffic_manager_profile", "Traffic Manager", profile),
    ("azurerm_traffic_manager_azure_endpoint", "Traffic Manager", azure_endpoint),
    ("azurerm_traffic_manager_external_endpoint", "Traffic Manager", external_endpoint),
    ("azurerm_traffic_manager_nested_endpoint", "Traffic Manager", external_endpoint),
];

const M: i64 = 1_000_000;

fn zone(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Hosted zone", "months", 1);
    Ok(())
}

fn record(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.tiers(
        "1M queries",
        v.used("monthly_queries"),
        M,
        &tiers(&[("DNS queries (first 1B)", 1_000 * M)], "DNS queries (over 1B)"),
    );
    Ok(())
}

fn inbound(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Inbound endpoint", "months", 1);
    Ok(())
}

fn outbound(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Outbound endpoint", "months", 1);
    Ok(())
}

fn ruleset(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Forwarding ruleset", "months", 1);
    Ok(())
}

fn disabled(v: &View<'_>) -> bool {
    ["profile_status", "status"].iter().any(|p| v.text_or(p, "").eq_ignore_ascii_case("disabled"))
        || !v.flag_or("enabled", true)
}

fn profile(v: &View<'_>, c: &mut Cost) -> Ruled {
    if disabled(v) {
        return Err(Unpriced::Free);
    }
    c.tiers(
        "1M queries",
        v.used("monthly_dns_queries"),
        M,
        &tiers(&[("DNS queries (first 1B)", 1_000 * M)], "DNS queries (over 1B)"),
    );
    if v.flag("traffic_view_enabled") {
        c.usage("Traffic view", "1M data points", v.used("monthly_traffic_view_data_points")).per(M);
    }
    Ok(())
}

/// Where prices of Traffic Manager differ.
fn place(region: &str) -> &'static str {
    if region.starts_with("germany") && !region.starts_with("germanywestcentral") {
        "Germany"
    } else if region.starts_with("usgov") || region.starts_with("usdod") {
        "US Gov"
    } else if region.starts_with("china") {
        "China"
    } else {
        "Global"
    }
}

fn endpoint(v: &View<'_>, c: &mut Cost, what: &str) -> Ruled {
    let parent = v
        .refers_to("profile_id", &["azurerm_traffic_manager_profile"])
        .or_else(|| v.refers_to("profile_name", &["azurerm_traffic_manager_profile"]));
    let parent = parent.as_ref();
    if disabled(v) || parent.is_some_and(disabled) {
        return Err(Unpriced::Free);
    }
    let region = parent.map_or_else(|| v.region(), View::region);
    let place = place(&region);
    let name = format!("Basic health check ({what}{place})");
    c.hours(name, 1).with("place", place);
    if parent.is_some_and(|p| p.int("monitor_config.interval_in_seconds", 30) <= 10) {
        c.hours(format!("Fast interval health checks add-on ({what}{place})"), 1).with("place", place);
    }
    Ok(())
}

fn azure_endpoint(v: &View<'_>, c: &mut Cost) -> Ruled {
    endpoint(v, c, "")
}

fn external_endpoint(v: &View<'_>, c: &mut Cost) -> Ruled {
    endpoint(v, c, "")
}
