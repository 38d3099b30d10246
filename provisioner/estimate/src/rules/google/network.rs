//! Addresses, load balancers, NAT, VPN, DNS.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, tiers};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("google_compute_address", "Compute Engine", address),
    ("google_compute_global_address", "Compute Engine", address),
    ("google_compute_router_nat", "Compute Engine", nat),
    ("google_compute_vpn_gateway", "Compute Engine", vpn_gateway),
    ("google_compute_ha_vpn_gateway", "Compute Engine", vpn_gateway),
    ("google_compute_external_vpn_gateway", "Compute Engine", vpn_gateway),
    ("google_compute_vpn_tunnel", "Compute Engine", tunnel),
    ("google_compute_forwarding_rule", "Compute Engine", forwarding_rule),
    ("google_compute_global_forwarding_rule", "Compute Engine", forwarding_rule),
    ("google_compute_target_http_proxy", "Compute Engine", proxy),
    ("google_compute_target_https_proxy", "Compute Engine", proxy),
    ("google_compute_target_ssl_proxy", "Compute Engine", proxy),
    ("google_compute_target_tcp_proxy", "Compute Engine", proxy),
    ("google_compute_target_grpc_proxy", "Compute Engine", proxy),
    ("google_compute_region_target_http_proxy", "Compute Engine", proxy),
    ("google_compute_region_target_https_proxy", "Compute Engine", proxy),
    ("google_dns_managed_zone", "Cloud DNS", zone),
    ("google_dns_record_set", "Cloud DNS", record),
    ("google_service_networking_connection", "Compute Engine", peering),
];

fn address(v: &View<'_>, c: &mut Cost) -> Ruled {
    let purpose = v.text_or("purpose", "");
    let paid = ["", "GCE_ENDPOINT"].contains(&purpose.as_str());
    if v.text_or("address_type", "EXTERNAL") == "INTERNAL" || !paid {
        return Err(Unpriced::Free);
    }
    // The machine that uses it decides.
    let user = v.users("google_compute_instance").into_iter().next();
    let name = match user {
        Some(m) if m.flag("scheduling.preemptible") => "IP address (preemptible VM)",
        Some(_) => "IP address (standard VM)",
        None => "IP address (unused)",
    };
    c.hours(name, 1);
    Ok(())
}

fn nat(v: &View<'_>, c: &mut Cost) -> Ruled {
    // Beyond 32 machines the gateway costs what it does for 32.
    let machines = v.used("assigned_vms");
    let (few, many) = (machines.min(32), machines.above(32));
    c.usage("Assigned VMs (first 32)", "VM-hours", few * MONTH_HOURS);
    if many.is_positive() {
        c.usage("Assigned VMs (over 32)", "VM-hours", Quantity::ZERO);
    }
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn vpn_gateway(v: &View<'_>, c: &mut Cost) -> Ruled {
    const PLACES: [(&str, &str); 7] = [
        ("same_region", "IPSec traffic within the same region"),
        ("us_or_canada", "IPSec traffic within the US or Canada"),
        ("europe", "IPSec traffic within Europe"),
        ("asia", "IPSec traffic within Asia"),
        ("south_america", "IPSec traffic within South America"),
        ("oceania", "IPSec traffic to/from Indonesia and Oceania"),
        ("worldwide", "IPSec traffic between continents (excludes Oceania)"),
    ];
    let part = c.part("Network egress");
    for (key, name) in PLACES {
        part.usage(name, "GB", v.used(&format!("monthly_egress_data_transfer_gb.{key}"))).with("to", key);
    }
    Ok(())
}

fn tunnel(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("VPN Tunnel", 1);
    Ok(())
}

fn forwarding_rule(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Forwarding rules", 1);
    c.usage("Ingress data", "GB", v.used("monthly_ingress_data_gb"));
    Ok(())
}

fn proxy(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Proxy instance", "hours", v.used("monthly_proxy_instances") * MONTH_HOURS);
    c.usage("Data processed", "GB", v.used("monthly_data_processed_gb"));
    Ok(())
}

fn zone(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Managed zone", "months", 1);
    Ok(())
}

fn record(v: &View<'_>, c: &mut Cost) -> Ruled {
    const M: i64 = 1_000_000;
    let steps = tiers(&[("Queries (first 1B)", 1_000 * M)], "Queries (over 1B)");
    let queries = v.used("monthly_queries");
    if (queries - 1_000 * M).is_positive() {
        c.tiers("1M queries", queries, M, &steps);
    } else {
        c.usage("Queries", "1M queries", queries).per(M);
    }
    Ok(())
}

fn peering(v: &View<'_>, c: &mut Cost) -> Ruled {
    const PLACES: [(&str, &str); 7] = [
        ("same_region", "Traffic within the same region"),
        ("us_or_canada", "Traffic within the US or Canada"),
        ("europe", "Traffic within Europe"),
        ("asia", "Traffic within Asia"),
        ("south_america", "Traffic within South America"),
        ("oceania", "Traffic to/from Indonesia and Oceania"),
        ("worldwide", "Traffic between continents (excludes Oceania)"),
    ];
    let part = c.part("Network egress");
    for (key, name) in PLACES {
        part.usage(name, "GB", v.used(&format!("monthly_egress_data_transfer_gb.{key}"))).with("to", key);
    }
    Ok(())
}
