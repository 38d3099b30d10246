//! Addresses, gateways, load balancers, firewalls, peering, CDN, Front Door.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_public_ip", "Virtual Network", public_ip),
    ("azurerm_public_ip_prefix", "Virtual Network", public_ip_prefix),
    ("azurerm_nat_gateway", "NAT Gateway", nat),
    ("azurerm_lb", "Load Balancer", lb),
    ("azurerm_lb_rule", "Load Balancer", lb_rule),
    ("azurerm_lb_outbound_rule", "Load Balancer", lb_rule),
    ("azurerm_application_gateway", "Application Gateway", application_gateway),
    ("azurerm_firewall", "Azure Firewall", firewall),
    ("azurerm_bastion_host", "Azure Bastion", bastion),
    ("azurerm_private_endpoint", "Virtual Network", private_endpoint),
    ("azurerm_virtual_network_peering", "Virtual Network", peering),
    ("azurerm_virtual_network_gateway", "VPN Gateway", network_gateway),
    ("azurerm_virtual_network_gateway_connection", "VPN Gateway", gateway_connection),
    ("azurerm_vpn_gateway", "Virtual WAN", vpn_gateway),
    ("azurerm_vpn_gateway_connection", "Virtual WAN", vpn_connection),
    ("azurerm_point_to_site_vpn_gateway", "Virtual WAN", point_to_site),
    ("azurerm_virtual_hub", "Virtual WAN", hub),
    ("azurerm_express_route_gateway", "ExpressRoute", express_gateway),
    ("azurerm_express_route_connection", "ExpressRoute", express_connection),
    ("azurerm_network_ddos_protection_plan", "Azure DDOS Protection", ddos),
    ("azurerm_network_watcher", "Network Watcher", watcher),
    ("azurerm_network_watcher_flow_log", "Network Watcher", flow_log),
    ("azurerm_network_connection_monitor", "Network Watcher", connection_monitor),
    ("azurerm_cdn_endpoint", "Content Delivery Network", cdn),
    ("azurerm_frontdoor", "Azure Front Door Service", frontdoor),
    ("azurerm_frontdoor_firewall_policy", "Azure Front Door Service", frontdoor_policy),
];

fn public_ip(v: &View<'_>, c: &mut Cost) -> Ruled {
    let method = v.text_or("allocation_method", "Static").to_lowercase();
    let tier = v.text_or("sku_tier", "Regional").to_lowercase();
    c.hours(format!("IP address ({method}, {tier})"), 1).with("sku", v.text_or("sku", "Basic")).with("method", &method);
    Ok(())
}

fn public_ip_prefix(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("IP prefix", 1);
    Ok(())
}

fn nat(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("NAT gateway", 1);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn lb(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("sku", "Basic").eq_ignore_ascii_case("basic") {
        return Err(Unpriced::Free);
    }
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn lb_rule(v: &View<'_>, c: &mut Cost) -> Ruled {
    let balancer = v.refers_to("loadbalancer_id", &["azurerm_lb"]);
    if balancer.is_none_or(|b| b.text_or("sku", "Basic").eq_ignore_ascii_case("basic")) {
        return Err(Unpriced::Free);
    }
    c.hours("Rule usage", 1);
    Ok(())
}

fn application_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku.name")?;
    let tier = v.text_or("sku.tier", "");
    let count = v
        .used("capacity_units")
        .or_else(v.number("sku.capacity"))
        .or_else(v.number("autoscale_configuration.min_capacity"))
        .or(1);
    if sku.ends_with("_v2") {
        let kind = if sku.starts_with("WAF") { "WAF" } else { "basic" };
        c.hours(format!("Gateway usage ({kind} v2)"), 1).with("sku", &sku);
        c.hourly("V2 capacity units", "CU", count).scaled(MONTH_HOURS).with("sku", &sku);
        return Ok(());
    }
    let size = sku.rsplit('_').next().unwrap_or_default().to_lowercase();
    let kind = if tier.starts_with("WAF") || sku.starts_with("WAF") { "WAF" } else { "basic" };
    c.hours(format!("Gateway usage ({kind}, {size})"), count).with("sku", &sku);
    const TB: i64 = 1_024;
    // Medium gateways include 10 TB, large ones 40 TB.
    let free = match size.as_str() {
        "medium" => 10 * TB,
        "large" => 40 * TB,
        _ => 0,
    };
    let steps = match size.as_str() {
        "medium" => [("Data processed (over 10TB)", 30 * TB)],
        _ => [("Data processed (first 40TB)", 40 * TB)],
    };
    c.tiers("GB", v.used("monthly_data_processed_gb").above(free), 1, &tiers(&steps, "Data processed (over 40TB)"));
    Ok(())
}

fn firewall(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tier = v.text_or("sku_tier", "Standard");
    let hub =
        if v.text_or("sku_name", "").contains("Hub") || v.has("virtual_hub") { "Secured Virtual Hub" } else { "" };
    let label = match (hub, tier.as_str()) {
        ("", tier) => tier.to_owned(),
        (hub, "Premium") => format!("Premium {hub}"),
        (hub, _) => hub.to_owned(),
    };
    c.hours(format!("Deployment ({label})"), 1).with("tier", &label);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb")).with("tier", &label);
    Ok(())
}

fn bastion(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_000;
    c.hours("Bastion host", 1).with("sku", v.text_or("sku", "Basic"));
    let steps = [
        ("Outbound data transfer (first 10TB)", 10 * TB),
        ("Outbound data transfer (next 40TB)", 40 * TB),
        ("Outbound data transfer (next 100TB)", 100 * TB),
        ("Outbound data transfer (next 350TB)", 350 * TB),
    ];
    c.tiers("GB", v.used("monthly_outbound_data_gb"), 1, &tiers(&steps, "Outbound data transfer (over 500TB)"));
    Ok(())
}

fn private_endpoint(v: &View<'_>, c: &mut Cost) -> Ruled {
    const PB: i64 = 1_000_000;
    c.hours("Private endpoint", 1);
    for (word, key) in
        [("Inbound", "monthly_inbound_data_processed_gb"), ("Outbound", "monthly_outbound_data_processed_gb")]
    {
        let sized = [
            (format!("{word} data processed (first 1PB)"), Some(PB)),
            (format!("{word} data processed (next 4PB)"), Some(4 * PB)),
            (format!("{word} data processed (over 5PB)"), None),
        ];
        c.tiers("GB", v.used(key), 1, &sized);
    }
    Ok(())
}

fn peering(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kinds = ["azurerm_virtual_network"];
    let (from, to) = (v.refers_to("virtual_network_name", &kinds), v.refers_to("remote_virtual_network_id", &kinds));
    let gb = v.used("monthly_data_transfer_gb");
    let same = from.as_ref().map(View::region) == to.as_ref().map(View::region);
    let scope = if same { "region" } else { "global" };
    // The receiving side pays what it costs there, the sending side what it costs here.
    c.usage("Inbound data transfer", "GB", gb)
        .with("scope", scope)
        .with("from_region", to.map_or_else(String::new, |t| t.region()));
    c.usage("Outbound data transfer", "GB", gb).with("scope", scope);
    Ok(())
}

fn network_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "Basic");
    let kind = v.text_or("type", "Vpn");
    if kind.eq_ignore_ascii_case("expressroute") {
        c.hours(format!("ExpressRoute gateway ({sku})"), 1).with("sku", &sku);
        return Ok(());
    }
    c.hours(format!("VPN gateway ({sku})"), 1).with("sku", &sku);
    if sku != "Basic" {
        // 128 connections of clients are in the price.
        let extra = v.used("p2s_connection").or_else(v.used("p2s_tunnels")).above(128);
        c.usage("VPN gateway P2S tunnels (over 128)", "tunnel", extra).scaled(MONTH_HOURS);
    }
    c.usage("VPN gateway data tranfer", "GB", v.used("monthly_data_transfer_gb"));
    Ok(())
}

fn gateway_connection(v: &View<'_>, c: &mut Cost) -> Ruled {
    let gateway = v.refers_to("virtual_network_gateway_id", &["azurerm_virtual_network_gateway"]);
    let sku = gateway.map_or_else(|| "Basic".to_owned(), |g| g.text_or("sku", "Basic"));
    if sku == "Basic" {
        return Err(Unpriced::Free);
    }
    c.hours(format!("VPN gateway ({sku})"), 1).with("sku", &sku);
    Ok(())
}

fn vpn_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hourly("S2S scale units (500 Mbps)", "scale units", v.number("scale_unit").or(1)).scaled(MONTH_HOURS);
    Ok(())
}

fn vpn_connection(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("S2S Connections", 1);
    Ok(())
}

fn point_to_site(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hourly("P2S scale units (500 Mbps)", "scale units", v.number("scale_unit").or(1)).scaled(MONTH_HOURS);
    c.usage("P2S connections", "hours", v.used("monthly_p2s_connections_hrs"));
    Ok(())
}

fn hub(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("sku", "Basic") != "Standard" {
        return Err(Unpriced::Free);
    }
    c.hours("Deployment", 1);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn express_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hourly("ER scale units (2 Gbps)", "scale units", v.number("scale_units").or(1)).scaled(MONTH_HOURS);
    Ok(())
}

fn express_connection(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("ER Connections", 1);
    Ok(())
}

fn ddos(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("DDoS protection plan", 1);
    // A hundred protected addresses are in the price.
    c.usage("Overage charges", "resource", v.used("overage_resources"));
    Ok(())
}

fn watcher(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Network diagnostic tool (over 1,000 checks)", "checks", v.used("monthly_diagnostic_checks").above(1_000));
    Ok(())
}

fn flow_log(v: &View<'_>, c: &mut Cost) -> Ruled {
    let gb = v.used("monthly_logs_collected_gb").above(5);
    c.usage("Network logs collected (over 5GB)", "GB", gb);
    if v.flag("traffic_analytics.enabled") {
        let fast = v.int("traffic_analytics.interval_in_minutes", 60) == 10;
        let name = if fast {
            "Traffic Analytics data processed (10 min interval)"
        } else {
            "Traffic Analytics data processed (60 min interval)"
        };
        c.usage(name, "GB", v.used("monthly_logs_collected_gb"));
    }
    Ok(())
}

fn connection_monitor(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tests: i64 = v
        .blocks("test_group")
        .iter()
        .filter(|t| t.flag_or("enabled", true))
        .map(|t| {
            t.count("destination_endpoints").max(1)
                * t.count("source_endpoints").max(1)
                * t.count("test_configuration_names").max(1)
        })
        .sum();
    // Ten tests are free.
    let tests = v.used("tests").or_else(Quantity::of(tests)).above(10);
    let steps = [("Tests (10-240,010)", 240_000), ("Tests (240,010-750,010)", 510_000)];
    c.tiers("tests", tests, 1, &tiers(&steps, "Tests (over 750,010)"));
    Ok(())
}

fn cdn(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_000;
    let profile = v
        .refers_to("profile_name", &["azurerm_cdn_profile"])
        .ok_or_else(|| Unpriced::Unknown("profile_name".into()))?;
    let sku = profile.need("sku")?;
    let name = match sku.as_str() {
        "Standard_Verizon" => "Standard Verizon",
        "Premium_Verizon" => "Premium Verizon",
        "Standard_Akamai" => "Akamai",
        _ => "Microsoft",
    };
    let gb = v.used("monthly_outbound_gb");
    let sizes = [
        ("first 10TB", 10),
        ("next 40TB", 40),
        ("next 100TB", 100),
        ("next 350TB", 350),
        ("next 500TB", 500),
        ("next 4000TB", 4_000),
    ];
    let steps = sizes.iter().map(|(s, tb)| (format!("Outbound data transfer ({name}, {s})"), Some(tb * TB)));
    let last = (format!("Outbound data transfer ({name}, over 5000TB)"), None);
    c.tiers("GB", gb, 1, &steps.chain([last]).collect::<Vec<_>>());
    if v.text_or("optimization_type", "") == "DynamicSiteAcceleration" && name != "Microsoft" {
        let sizes = [("first 50TB", 50), ("next 100TB", 100), ("next 350TB", 350), ("next 500TB", 500)];
        let steps = sizes.iter().map(|(s, tb)| (format!("Acceleration outbound data transfer ({s})"), Some(tb * TB)));
        let last = ("Acceleration outbound data transfer (over 1000TB)".to_owned(), None);
        c.tiers("GB", gb, 1, &steps.chain([last]).collect::<Vec<_>>());
    }
    if name == "Microsoft" {
        // Five rules are free.
        let rules = v.count("delivery_rule") + v.count("global_delivery_rule");
        if rules > 5 {
            c.add("Rules engine rules (over 5)", "rules", rules - 5);
        }
        c.usage("Rules engine requests", "1M requests", v.used("monthly_rules_engine_requests")).per(1_000_000);
    }
    Ok(())
}

fn frontdoor(v: &View<'_>, c: &mut Cost) -> Ruled {
    let rules = v.count("routing_rule");
    c.hours("Routing rules (first 5 rules)", rules.min(5));
    if rules > 5 {
        c.hours("Routing rules (per additional rule)", rules - 5);
    }
    let hosts = v.count("frontend_endpoint");
    if hosts > 100 {
        c.add("Frontend hosts (over 100)", "hosts", hosts - 100);
    }
    used(v, c, &[("Inbound data transfer", "GB", "monthly_inbound_data_transfer_gb", 1)]);
    c.usage("Outbound data transfer", "GB", v.used("monthly_outbound_data_transfer_gb"));
    Ok(())
}

fn frontdoor_policy(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Policy", "months", 1);
    let (custom, managed) = (v.count("custom_rule"), v.count("managed_rule"));
    if custom > 0 {
        c.add("Custom rules", "rules", custom);
        c.usage("Custom rule requests", "1M requests", v.used("monthly_custom_rule_requests")).per(1_000_000);
    }
    if managed > 0 {
        c.add("Managed rulesets", "rulesets", managed);
        c.usage("Managed ruleset requests", "1M requests", v.used("monthly_managed_ruleset_requests")).per(1_000_000);
    }

    Ok(())
}
