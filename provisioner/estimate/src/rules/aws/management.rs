//! CloudWatch, CloudTrail, Config, Systems Manager, keys, secrets, certificates, directories.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_cloudwatch_log_group", "AmazonCloudWatch", logs),
    ("aws_cloudwatch_dashboard", "AmazonCloudWatch", dashboard),
    ("aws_cloudwatch_metric_alarm", "AmazonCloudWatch", alarm),
    ("aws_cloudtrail", "AWSCloudTrail", trail),
    ("aws_config_config_rule", "AWSConfig", config_rule),
    ("aws_config_organization_custom_rule", "AWSConfig", config_rule),
    ("aws_config_organization_managed_rule", "AWSConfig", config_rule),
    ("aws_config_configuration_recorder", "AWSConfig", recorder),
    ("aws_ssm_parameter", "AWSSystemsManager", parameter),
    ("aws_ssm_activation", "AWSSystemsManager", activation),
    ("aws_kms_key", "awskms", key),
    ("aws_kms_external_key", "awskms", external_key),
    ("aws_kms_replica_key", "awskms", external_key),
    ("aws_secretsmanager_secret", "AWSSecretsManager", secret),
    ("aws_acm_certificate", "AWSCertificateManager", certificate),
    ("aws_acmpca_certificate_authority", "AWSCertificateManager", authority),
    ("aws_directory_service_directory", "AWSDirectoryService", directory),
    ("aws_cloudhsm_v2_hsm", "CloudHSM", hsm),
];

fn logs(v: &View<'_>, c: &mut Cost) -> Ruled {
    log_group(v, c, "");
    Ok(())
}

/// Logs with usage below a prefix.
pub(super) fn log_group(v: &View<'_>, c: &mut Cost, prefix: &str) {
    c.usage("Data ingested", "GB", v.used(&format!("{prefix}monthly_data_ingested_gb")));
    c.usage("Archival Storage", "GB", v.used(&format!("{prefix}storage_gb")));
    c.usage("Insights queries data scanned", "GB", v.used(&format!("{prefix}monthly_data_scanned_gb")));
}

fn dashboard(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Dashboard", "months", 1);
    Ok(())
}

fn alarm(v: &View<'_>, c: &mut Cost) -> Ruled {
    let queries = v.blocks("metric_query");
    let metrics: Vec<_> = queries.iter().filter(|q| q.has("metric")).collect();
    let count = if queries.is_empty() { 1 } else { metrics.len() as i64 };
    let period = |p: Quantity| p.is_set() && (Quantity::of(60) - p).is_positive();
    let high = period(v.number("period")) || metrics.iter().any(|m| period(m.number("metric.period")));
    let resolution = if high { "High resolution" } else { "Standard resolution" };
    if v.has("threshold_metric_id") {
        // The metric and the two ends of the band.
        c.add(format!("{resolution} anomaly detection"), "alarms", count * 3).with("resolution", resolution);
    } else {
        c.add(resolution, "alarm metrics", count).with("resolution", resolution);
    }
    Ok(())
}

fn trail(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.flag_or("include_global_service_events", true) {
        used(
            v,
            c,
            &[(
                "Management events (additional copies)",
                "100k events",
                "monthly_additional_management_events",
                100_000,
            )],
        );
    }
    used(v, c, &[("Data events", "100k events", "monthly_data_events", 100_000)]);
    if v.has("insight_selector") {
        used(v, c, &[("Insight events", "100k events", "monthly_insight_events", 100_000)]);
    }
    Ok(())
}

fn config_rule(v: &View<'_>, c: &mut Cost) -> Ruled {
    let steps = [("Rule evaluations (first 100K)", 100_000), ("Rule evaluations (next 400K)", 400_000)];
    c.tiers("evaluations", v.used("monthly_rule_evaluations"), 1, &tiers(&steps, "Rule evaluations (over 500K)"));
    Ok(())
}

fn recorder(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Config items", "records", "monthly_config_items", 1),
            ("Custom config items", "records", "monthly_custom_config_items", 1),
        ],
    );
    Ok(())
}

fn parameter(v: &View<'_>, c: &mut Cost) -> Ruled {
    let advanced = v.text_or("tier", "Standard") == "Advanced";
    let throughput = v.used_text("api_throughput_limit").unwrap_or_else(|| "standard".to_owned());
    if !advanced && throughput == "standard" {
        return Err(Unpriced::Free);
    }
    if advanced {
        let hours = v.used("parameter_storage_hrs").or(730);
        c.hourly("Parameter storage (advanced)", "hours", hours);
    }
    c.usage(format!("API interactions ({throughput})"), "10k interactions", v.used("monthly_api_interactions"))
        .per(10_000);
    Ok(())
}

fn activation(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.used_text("instance_tier").unwrap_or_default().to_lowercase() != "advanced"
        && v.int("registration_limit", 1) <= 1_000
    {
        return Err(Unpriced::Free);
    }
    c.usage("On-prem managed instances (advanced)", "hours", v.used("instances") * 730);
    Ok(())
}

fn key(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Customer master key", "months", 1);
    let spec = v.text_or("customer_master_key_spec", "SYMMETRIC_DEFAULT");
    let name = match spec.as_str() {
        "RSA_2048" => "Requests (RSA 2048)",
        s if s.starts_with("RSA") || s.starts_with("ECC") => "Requests (asymmetric)",
        _ => "Requests",
    };
    c.usage(name, "10k requests", v.used("monthly_requests")).per(10_000);
    for pair in ["ECC GenerateDataKeyPair requests", "RSA GenerateDataKeyPair requests"] {
        c.usage(pair, "10k requests", Quantity::UNSET).scaled(10_000);
    }
    Ok(())
}

fn external_key(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Customer master key", "months", 1);
    Ok(())
}

fn secret(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Secret", "months", 1);
    used(v, c, &[("API requests", "10k requests", "monthly_requests", 10_000)]);
    Ok(())
}

fn certificate(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.has("certificate_authority_arn") {
        // Public certificates are free.
        return Err(Unpriced::Free);
    }
    c.usage("Certificate", "requests", 1);
    Ok(())
}

fn authority(v: &View<'_>, c: &mut Cost) -> Ruled {
    let short = v.text_or("usage_mode", "GENERAL_PURPOSE") == "SHORT_LIVED_CERTIFICATE";
    let name = if short {
        "Private certificate authority (short-lived certificate mode)"
    } else {
        "Private certificate authority"
    };
    c.add(name, "months", 1).with("mode", if short { "short-lived" } else { "general" });
    let requests = v.used("monthly_requests");
    if short {
        c.usage("Certificates", "requests", requests);
        return Ok(());
    }
    let steps = [("Certificates (first 1K)", 1_000), ("Certificates (next 9K)", 9_000)];
    c.tiers("requests", requests, 1, &tiers(&steps, "Certificates (over 10K)"));
    Ok(())
}

fn directory(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("type", "SimpleAD");
    let edition = match kind.as_str() {
        "MicrosoftAD" => v.text_or("edition", "Enterprise"),
        _ => v.text_or("size", "Large"),
    };
    let name = match kind.as_str() {
        "MicrosoftAD" => "Microsoft AD",
        "ADConnector" => "AD Connector",
        _ => "Simple AD",
    };
    let label = format!("Directory service ({name}, {edition})");
    c.hourly(label, "controllers", 2).scaled(730).with("type", name).with("edition", &edition);
    if v.has_usage("additional_domain_controllers") && kind != "ADConnector" {
        c.usage("Additional domain controllers", "controllers", v.used("additional_domain_controllers"))
            .scaled(730)
            .with("edition", &edition);
    }
    if v.has_usage("shared_accounts") && kind == "MicrosoftAD" {
        c.usage("Directory sharing", "accounts", v.used("shared_accounts")).scaled(730).with("edition", &edition);
    }
    Ok(())
}

fn hsm(v: &View<'_>, c: &mut Cost) -> Ruled {
    let hours = v.used("monthly_hrs").or(730);
    c.hourly("HSM usage", "hours", hours);
    Ok(())
}
