//! Databases, messaging, logs, keys, secrets.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::{Quantity, integer};
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("google_sql_database_instance", "Cloud SQL", sql),
    ("google_redis_instance", "Cloud Memorystore for Redis", redis),
    ("google_bigquery_dataset", "BigQuery", dataset),
    ("google_bigquery_table", "BigQuery", table),
    ("google_pubsub_topic", "Cloud Pub/Sub", topic),
    ("google_pubsub_subscription", "Cloud Pub/Sub", subscription),
    ("google_logging_billing_account_sink", "Cloud Logging", logs),
    ("google_logging_folder_sink", "Cloud Logging", logs),
    ("google_logging_organization_sink", "Cloud Logging", logs),
    ("google_logging_project_sink", "Cloud Logging", logs),
    ("google_logging_billing_account_bucket_config", "Cloud Logging", logs),
    ("google_logging_folder_bucket_config", "Cloud Logging", logs),
    ("google_logging_organization_bucket_config", "Cloud Logging", logs),
    ("google_logging_project_bucket_config", "Cloud Logging", logs),
    ("google_monitoring_metric_descriptor", "Cloud Monitoring", metrics),
    ("google_kms_crypto_key", "Cloud Key Management Service (KMS)", key),
    ("google_secret_manager_secret", "Secret Manager", secret),
];

fn sql(v: &View<'_>, c: &mut Cost) -> Ruled {
    let version = v.text_or("database_version", "MYSQL_5_7");
    let engine = match version.split('_').next().unwrap_or_default() {
        "POSTGRES" => "PostgreSQL",
        "SQLSERVER" => "SQL Server",
        _ => "MySQL",
    };
    let tier = v.text("settings.tier").ok_or_else(|| Unpriced::Unknown("settings.tier".into()))?;
    let regional = v.text_or("settings.availability_type", "ZONAL") == "REGIONAL";
    let zones = if regional { "regional" } else { "zonal" };
    instance(c, engine, &tier, zones);
    let disk = v.text_or("settings.disk_type", "PD_SSD");
    let media = if disk == "PD_HDD" { "HDD" } else { "SSD" };
    let size = v.number("settings.disk_size").or(10);
    c.add(format!("Storage ({media}, {zones})"), "GB", size).with("engine", engine);
    c.usage("Backups", "GB", v.used("backup_storage_gb")).with("engine", engine);
    if engine == "SQL Server" {
        let edition = version.rsplit('_').next().unwrap_or_default().to_lowercase();
        if let Some((cpus, _)) = custom(&tier) {
            // At least four cores pay.
            c.hourly(format!("License ({edition})"), "vCPU-hours", Quantity::of(cpus.max(4)) * MONTH_HOURS)
                .with("edition", &edition);
        }
    }
    let public = v.text_or("settings.ip_configuration.ipv4_enabled", "true");
    if public == "true" {
        c.hours("IP address (if unused)", 1).by_usage();
    }
    if v.blocks("replica_configuration").iter().any(|r| r.flag("failover_target")) {
        let part = c.part("Replica");
        instance(part, engine, &tier, zones);
        part.add(format!("Storage ({media}, {zones})"), "GB", size).with("engine", engine);
    }
    Ok(())
}

/// Processors and MB of `db-custom-2-13312`.
fn custom(tier: &str) -> Option<(i64, i64)> {
    let (cpus, mb) = tier.strip_prefix("db-custom-")?.split_once('-')?;
    Some((cpus.parse().ok()?, mb.parse().ok()?))
}

fn instance(c: &mut Cost, engine: &str, tier: &str, zones: &str) {
    match custom(tier) {
        Some((cpus, mb)) => {
            c.hourly(format!("vCPUs ({zones})"), "hours", Quantity::of(cpus) * MONTH_HOURS).with("engine", engine);
            c.hourly(format!("Memory ({zones})"), "GB", Quantity::of(mb) / 1_024 * MONTH_HOURS).with("engine", engine);
        }
        None => {
            c.hours(format!("SQL instance ({tier}, {zones})"), 1).with("tier", tier).with("engine", engine);
        }
    }
}

fn redis(v: &View<'_>, c: &mut Cost) -> Ruled {
    let gb = v.number("memory_size_gb").or(1);
    let tier = v.text_or("tier", "BASIC");
    let name = if tier == "STANDARD_HA" { "standard" } else { "basic" };
    // Larger instances pay less for a GB: M1 to 4, M2 to 10, M3 to 35, M4 to 100 GB.
    let step = match gb.0.and_then(integer).unwrap_or(1) {
        ..=4 => "M1",
        ..=10 => "M2",
        ..=35 => "M3",
        ..=100 => "M4",
        _ => "M5",
    };
    c.hourly(format!("Redis instance ({name}, {step})"), "GB", gb)
        .scaled(MONTH_HOURS)
        .with("tier", name)
        .with("capacity", step);
    Ok(())
}

fn dataset(v: &View<'_>, c: &mut Cost) -> Ruled {
    // The first TB of a month is free.
    c.usage("Queries (on-demand)", "TB", v.used("monthly_queries_tb").above(1));
    Ok(())
}

fn table(v: &View<'_>, c: &mut Cost) -> Ruled {
    // 10 GB of storage are free.
    c.usage("Active storage", "GB", v.used("monthly_active_storage_gb").above(10));
    c.usage("Long-term storage", "GB", v.used("monthly_long_term_storage_gb").above(10));
    used(
        v,
        c,
        &[
            ("Streaming inserts", "MB", "monthly_streaming_inserts_mb", 1),
            ("Storage write API", "GB", "monthly_storage_write_api_gb", 1),
            ("Storage read API", "TB", "monthly_storage_read_api_tb", 1),
        ],
    );
    Ok(())
}

fn topic(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(v, c, &[("Message ingestion data", "TiB", "monthly_message_data_tb", 1)]);
    Ok(())
}

fn subscription(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Message delivery data", "TiB", "monthly_message_data_tb", 1),
            ("Retained acknowledged message storage", "GiB", "storage_gb", 1),
            ("Snapshot message backlog storage", "GiB", "snapshot_storage_gb", 1),
        ],
    );
    Ok(())
}

fn logs(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Logging data", "GB", v.used("monthly_logging_data_gb"));
    Ok(())
}

fn metrics(v: &View<'_>, c: &mut Cost) -> Ruled {
    let steps = [("Monitoring data (first 100K)", 100_000), ("Monitoring data (next 150K)", 150_000)];
    c.tiers("MB", v.used("monthly_monitoring_data_mb"), 1, &tiers(&steps, "Monitoring data (over 250K)"));
    used(v, c, &[("API calls", "1k calls", "monthly_api_calls", 1_000)]);
    Ok(())
}

fn key(v: &View<'_>, c: &mut Cost) -> Ruled {
    let algorithm = v.text_or("version_template.algorithm", "GOOGLE_SYMMETRIC_ENCRYPTION");
    let level = v.text_or("version_template.protection_level", "SOFTWARE");
    let versions = v.used("key_versions");
    let hardware = level == "HSM";
    let costly = hardware
        && (algorithm.starts_with("RSA_SIGN") || algorithm.starts_with("RSA_DECRYPT") || algorithm.starts_with("EC_"))
        && !algorithm.contains("2048");
    if costly {
        c.tiers("months", versions, 1, &tiers(&[("Key versions (first 2K)", 2_000)], "Key versions (over 2K)"));
    } else {
        c.usage("Key versions", "months", versions).with("protection_level", &level);
    }
    c.usage("Operations", "10k operations", v.used("monthly_key_operations"))
        .per(10_000)
        .with("protection_level", &level);
    Ok(())
}

fn secret(v: &View<'_>, c: &mut Cost) -> Ruled {
    let copies = v.count("replication.user_managed.replicas").max(1);
    c.usage("Active secret versions", "versions", v.used("active_secret_versions") * copies);
    c.usage("Access operations", "10K requests", v.used("monthly_access_operations")).per(10_000);
    c.usage("Rotation notifications", "rotations", v.used("monthly_rotation_notifications"));
    Ok(())
}
