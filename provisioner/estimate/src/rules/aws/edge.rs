//! Route 53, CloudFront, Global Accelerator, WAF.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, tiers};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_route53_zone", "AmazonRoute53", zone),
    ("aws_route53_record", "AmazonRoute53", record),
    ("aws_route53_health_check", "AmazonRoute53", health_check),
    ("aws_route53_resolver_endpoint", "AmazonRoute53", resolver),
    ("aws_cloudfront_distribution", "AmazonCloudFront", cloudfront),
    ("aws_cloudfront_function", "AmazonCloudFront", cloudfront_function),
    ("aws_globalaccelerator_accelerator", "AWSGlobalAccelerator", accelerator),
    ("aws_globalaccelerator_endpoint_group", "AWSGlobalAccelerator", endpoint_group),
    ("aws_waf_web_acl", "awswaf", classic_acl),
    ("aws_wafregional_web_acl", "awswaf", classic_acl),
    ("aws_wafv2_web_acl", "awswaf", acl),
];

fn zone(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Hosted zone", "months", 1);
    Ok(())
}

fn record(v: &View<'_>, c: &mut Cost) -> Ruled {
    const M: i64 = 1_000_000;
    const TARGETS: [&str; 7] = [
        "aws_lb",
        "aws_alb",
        "aws_elb",
        "aws_cloudfront_distribution",
        "aws_s3_bucket",
        "aws_elastic_beanstalk_environment",
        "aws_api_gateway_domain_name",
    ];
    if v.has("alias") && v.refers_to("alias.name", &TARGETS).is_some() {
        // Queries for aliases of AWS' own resources are free.
        return Err(Unpriced::Free);
    }
    let kinds = [
        ("Standard queries", "monthly_standard_queries"),
        ("Latency based routing queries", "monthly_latency_based_queries"),
        ("Geo DNS queries", "monthly_geo_queries"),
    ];
    for (name, key) in kinds {
        if key != "monthly_standard_queries" && !v.has_usage(key) {
            c.usage(format!("{name} (first 1B)"), "1M queries", Quantity::UNSET).scaled(M);
            continue;
        }
        let sized = [(format!("{name} (first 1B)"), Some(1_000 * M)), (format!("{name} (over 1B)"), None)];
        c.tiers("1M queries", v.used(key), M, &sized);
    }
    Ok(())
}

fn health_check(v: &View<'_>, c: &mut Cost) -> Ruled {
    let endpoint = v.used_text("endpoint_type").unwrap_or_else(|| "aws".to_owned()).to_lowercase();
    let kind = v.text_or("type", "").to_uppercase();
    c.add("Health check", "months", 1).with("endpoint", &endpoint).with("type", &kind);
    let features = [
        kind.starts_with("HTTPS"),
        kind.ends_with("_STR_MATCH"),
        v.flag("measure_latency"),
        v.text_or("request_interval", "30") == "10",
    ];
    let count = features.into_iter().filter(|f| *f).count() as i64;
    if count > 0 {
        c.add("Optional features", "months", count).with("endpoint", &endpoint);
    }
    Ok(())
}

fn resolver(v: &View<'_>, c: &mut Cost) -> Ruled {
    const M: i64 = 1_000_000;
    c.hours("Resolver endpoints", v.count("ip_address").max(1));
    c.tiers(
        "1M queries",
        v.used("monthly_queries"),
        M,
        &tiers(&[("DNS queries (first 1B)", 1_000 * M)], "DNS queries (over 1B)"),
    );
    Ok(())
}

/// (usage key, name of the places that serve).
const PLACES: [(&str, &str); 8] = [
    ("us", "US, Mexico, Canada"),
    ("europe", "Europe, Israel"),
    ("south_africa", "South Africa, Kenya, Middle East"),
    ("south_america", "South America"),
    ("japan", "Japan"),
    ("australia", "Australia, New Zealand"),
    ("asia_pacific", "Hong Kong, Philippines, Asia Pacific"),
    ("india", "India"),
];

fn cloudfront(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_024;
    let sizes = [
        ("first 10TB", 10),
        ("next 40TB", 40),
        ("next 100TB", 100),
        ("next 350TB", 350),
        ("next 524TB", 524),
        ("next 4PB", 4_096),
    ];
    for (title, key) in [
        ("Data transfer out to internet", "monthly_data_transfer_to_internet_gb"),
        ("Data transfer out to origin", "monthly_data_transfer_to_origin_gb"),
    ] {
        for (place, name) in PLACES {
            let volume = v.used(&format!("{key}.{place}"));
            if !volume.is_set() && place != "us" {
                continue;
            }
            if key.ends_with("origin_gb") {
                c.usage(format!("{title} ({name})"), "GB", volume).with("place", place);
                continue;
            }
            let steps: Vec<_> = sizes.iter().map(|(s, tb)| (format!("{title} ({name}, {s})"), Some(tb * TB))).collect();
            let steps: Vec<_> = steps.into_iter().chain([(format!("{title} ({name}, over 5PB)"), None)]).collect();
            c.tiers("GB", volume, 1, &steps);
        }
    }
    for (title, key) in [("HTTP requests", "monthly_http_requests"), ("HTTPS requests", "monthly_https_requests")] {
        for (place, name) in PLACES {
            let volume = v.used(&format!("{key}.{place}"));
            if volume.is_set() || place == "us" {
                c.usage(format!("{title} ({name})"), "10k requests", volume).per(10_000).with("place", place);
            }
        }
    }
    if v.has("origin.origin_shield") || v.has_usage("monthly_shield_requests") {
        for (place, volume) in v.used_map("monthly_shield_requests") {
            let name = PLACES.iter().find(|(k, _)| *k == place).map_or(place.as_str(), |(_, n)| *n);
            c.usage(format!("Origin shield HTTP requests ({name})"), "10k requests", volume)
                .per(10_000)
                .with("place", &place);
        }
    }
    let paths = v.used("monthly_invalidation_requests");
    c.usage("Invalidation requests (first 1k)", "paths", paths.min(1_000));
    if paths.above(1_000).is_positive() {
        c.usage("Invalidation requests (over 1k)", "paths", paths.above(1_000));
    }
    if v.has("default_cache_behavior.field_level_encryption_id") {
        c.usage("Field level encryption requests", "10k requests", v.used("monthly_encryption_requests")).per(10_000);
    }
    if v.has("default_cache_behavior.realtime_log_config_arn") {
        c.usage("Real-time log requests", "1M lines", v.used("monthly_log_lines")).per(1_000_000);
    }
    let certificates = v.used("custom_ssl_certificates");
    if certificates.is_set() || v.text_or("viewer_certificate.ssl_support_method", "") == "vip" {
        c.usage("Dedicated IP custom SSLs", "certificates", certificates);
    }
    Ok(())
}

fn cloudfront_function(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Total number of invocations", "1M invocations", v.used("monthly_requests")).per(1_000_000);
    Ok(())
}

fn accelerator(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("Fixed fee", 1);
    Ok(())
}

fn endpoint_group(v: &View<'_>, c: &mut Cost) -> Ruled {
    const NAMES: [(&str, &str); 9] = [
        ("us", "US, Mexico, Canada"),
        ("europe", "Europe"),
        ("south_africa", "South Africa, Kenya"),
        ("south_america", "South America"),
        ("south_korea", "South Korea"),
        ("middle_east", "Middle East"),
        ("australia", "Australia, New Zealand"),
        ("asia_pacific", "Asia Pacific"),
        ("india", "India, Indonesia, Philippines, Thailand"),
    ];
    // Of the two directions only the one with more traffic pays the premium.
    let sum = |key: &str| {
        let all = v.used_map(key);
        all.into_iter().fold(Quantity::ZERO, |sum, (_, gb)| sum + gb.or(0))
    };
    let (inbound, outbound) = ("monthly_inbound_data_transfer_gb", "monthly_outbound_data_transfer_gb");
    let outward = (sum(outbound) - sum(inbound)).is_positive();
    let (key, word) = if outward { (outbound, "Outbound") } else { (inbound, "Inbound") };
    let stated = v.has_usage(key);
    for (place, name) in NAMES {
        let volume = v.used(&format!("{key}.{place}"));
        if volume.is_set() || !stated {
            let part = c.part(name);
            part.usage(format!("{word} DT-premium fee"), "GB", volume)
                .with("place", place)
                .with("endpoint_region", v.text_or("endpoint_group_region", ""));
        }
    }
    Ok(())
}

fn classic_acl(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Web ACL usage", "months", 1);
    let mut blocks = v.blocks("rule");
    blocks.extend(v.blocks("rules"));
    let groups = blocks.iter().filter(|r| r.text_or("type", "") == "GROUP").count() as i64;
    let rules = blocks.len() as i64 - groups;
    let inside = v.used("rule_group_rules");
    if rules > 0 || inside.is_set() {
        c.add("Rules", "rules", inside.or(0) + rules);
    }
    if groups > 0 {
        c.usage("Rule groups", "groups", groups);
    }
    c.usage("Requests", "1M requests", v.used("monthly_requests")).per(1_000_000);
    Ok(())
}

fn acl(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Web ACL usage", "months", 1);
    let blocks = v.blocks("rule");
    let groups = blocks.iter().filter(|r| r.has("statement.rule_group_reference_statement")).count() as i64;
    let managed = blocks.iter().filter(|r| r.has("statement.managed_rule_group_statement")).count() as i64;
    let rules = blocks.len() as i64 - groups - managed;
    let inside = v.used("rule_group_rules").or(0) + v.used("managed_rule_group_rules").or(0);
    let rules = inside + rules;
    if rules.is_positive() {
        c.add("Rules", "rules", rules);
    }
    if groups > 0 {
        c.usage("Rule groups", "groups", groups);
    }
    if managed > 0 {
        c.usage("Managed rule groups", "groups", managed);
    }
    c.usage("Requests", "1M requests", v.used("monthly_requests")).per(1_000_000);
    Ok(())
}
