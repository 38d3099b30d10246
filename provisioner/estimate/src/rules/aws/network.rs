//! VPC, load balancers, VPN, Direct Connect, transit gateways.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_nat_gateway", "AmazonEC2", nat),
    ("aws_lb", "AWSELB", lb),
    ("aws_alb", "AWSELB", lb),
    ("aws_elb", "AWSELB", elb),
    ("aws_eip", "AmazonEC2", eip),
    ("aws_vpc_endpoint", "AmazonVPC", vpc_endpoint),
    ("aws_vpn_connection", "AmazonVPC", vpn),
    ("aws_ec2_client_vpn_endpoint", "AmazonVPC", client_vpn),
    ("aws_ec2_client_vpn_network_association", "AmazonVPC", client_vpn_association),
    ("aws_ec2_transit_gateway_vpc_attachment", "AmazonVPC", transit_vpc),
    ("aws_ec2_transit_gateway_peering_attachment", "AmazonVPC", transit_peering),
    ("aws_ec2_traffic_mirror_session", "AmazonVPC", mirror),
    ("aws_networkfirewall_firewall", "AWSNetworkFirewall", firewall),
    ("aws_dx_connection", "AWSDirectConnect", direct_connect),
    ("aws_dx_gateway_association", "AmazonVPC", direct_connect_gateway),
    ("aws_data_transfer", "AWSDataTransfer", data_transfer),
];

fn nat(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("NAT gateway", 1);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn lb(v: &View<'_>, c: &mut Cost) -> Ruled {
    balancer(v, c, &v.text_or("load_balancer_type", "application"), "");
    Ok(())
}

fn elb(v: &View<'_>, c: &mut Cost) -> Ruled {
    balancer(v, c, "classic", "");
    Ok(())
}

/// A load balancer of a kind, with usage below a prefix.
pub(super) fn balancer(v: &View<'_>, c: &mut Cost, kind: &str, prefix: &str) {
    let used = |key: &str| v.used(&format!("{prefix}{key}"));
    if kind == "classic" {
        c.hours("Classic load balancer", 1);
        c.usage("Data processed", "GB", used("monthly_data_processed_gb"));
        return;
    }
    let (name, unit) = match kind {
        "network" => ("Network load balancer", "Load balancer capacity units"),
        "gateway" => ("Gateway load balancer", "Gateway Load Balancer Capacity Units"),
        _ => ("Application load balancer", "Load balancer capacity units"),
    };
    c.hours(name, 1).with("type", kind);
    // A capacity unit is whichever of its measures is used most: 25 new connections a second (a network one: 800), 3,000 (100,000)
    // active ones a minute, 1 GB an hour, 1,000 rules a second.
    let network = kind != "application";
    let gb = used("processed_bytes_gb").or_else(used("monthly_data_processed_gb"));
    let measures = [
        gb / MONTH_HOURS,
        used("new_connections") / if network { 800 } else { 25 },
        used("active_connections") / if network { 100_000 } else { 3_000 },
        used("rule_evaluations") / 1_000,
    ];
    let most = measures.into_iter().filter(|m| m.is_set()).reduce(|a, b| a.max(b));
    let units = most.unwrap_or(Quantity::UNSET);
    let unit_name = if kind == "gateway" { "GLCU" } else { "LCU" };
    c.usage(unit, unit_name, units).scaled(MONTH_HOURS).with("type", kind);
}

fn eip(v: &View<'_>, c: &mut Cost) -> Ruled {
    let attached = ["customer_owned_ipv4_pool", "instance", "network_interface"].iter().any(|p| v.has(p));
    let associated = ["aws_nat_gateway", "aws_eip_association", "aws_lb"].iter().any(|k| !v.users(k).is_empty());
    if attached || associated {
        return Err(Unpriced::Free);
    }
    c.hours("IP address (if unused)", 1);
    Ok(())
}

fn vpc_endpoint(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_000;
    let kind = v.text_or("vpc_endpoint_type", "Gateway");
    let interfaces = v.used("vpc_endpoint_interfaces");
    let interfaces = interfaces.or_else(Quantity::of(v.count("subnet_ids"))).max(1);
    match kind.to_lowercase().as_str() {
        "interface" => {
            let data = v.used("monthly_data_processed_gb");
            let steps = [("Data processed (first 1PB)", 1_000 * TB), ("Data processed (next 4PB)", 4_000 * TB)];
            c.tiers("GB", data, 1, &tiers(&steps, "Data processed (over 5PB)"));
            c.hours("Endpoint (Interface)", interfaces);
        }
        "gatewayloadbalancer" => {
            c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
            c.hours("Endpoint (GatewayLoadBalancer)", 1);
        }
        _ => return Err(Unpriced::Free),
    }
    Ok(())
}

fn vpn(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("VPN connection", 1);
    if v.has("transit_gateway_id") {
        c.hours("Transit gateway attachment", 1);
        c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    }
    Ok(())
}

fn client_vpn(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Connection", 1);
    Ok(())
}

fn client_vpn_association(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Endpoint association", 1);
    Ok(())
}

fn transit_vpc(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Transit gateway attachment", 1);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn transit_peering(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Transit gateway attachment", 1);
    Ok(())
}

fn mirror(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Traffic mirror", 1);
    Ok(())
}

fn firewall(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Network Firewall Endpoint", v.count("subnet_mapping").max(1));
    c.usage("Data Processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn direct_connect(v: &View<'_>, c: &mut Cost) -> Ruled {
    let bandwidth = v.need("bandwidth")?;
    let kind = v.used_text("dx_connection_type").unwrap_or_else(|| "dedicated".to_owned());
    c.hours("DX connection", 1).with("bandwidth", &bandwidth).with("type", kind);
    for (region, gb) in v.used_map("monthly_outbound_from_region_to_dx_connection_location") {
        let region = region.replace('_', "-");
        c.usage(format!("Outbound data transfer (from {region}, to {})", v.text_or("location", "")), "GB", gb)
            .with("from_region", region);
    }
    Ok(())
}

fn direct_connect_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.refers_to("associated_gateway_id", &["aws_ec2_transit_gateway"]).is_none() {
        return Err(Unpriced::Free);
    }
    c.hours("Transit gateway attachment", 1);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn data_transfer(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_024;
    let intra = v.used("monthly_intra_region_gb");
    if intra.is_set() {
        // Both sides pay.
        c.usage("Intra-region data transfer", "GB", intra * 2);
    }
    let steps = [
        ("Outbound data transfer to Internet (first 10TB)", 10 * TB),
        ("Outbound data transfer to Internet (next 40TB)", 40 * TB),
        ("Outbound data transfer to Internet (next 100TB)", 100 * TB),
    ];
    if v.has_usage("monthly_outbound_internet_gb") {
        c.tiers(
            "GB",
            v.used("monthly_outbound_internet_gb"),
            1,
            &tiers(&steps, "Outbound data transfer to Internet (over 150TB)"),
        );
    }
    let east = v.used("monthly_outbound_us_east_to_us_east_gb");
    if east.is_set() {
        c.usage("Outbound data transfer between US East regions", "GB", east);
    }
    if v.has_usage("monthly_outbound_other_regions_gb") {
        used(v, c, &[("Outbound data transfer to other regions", "GB", "monthly_outbound_other_regions_gb", 1)]);
    }
    Ok(())
}
