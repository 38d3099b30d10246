//! RDS and Aurora.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_db_instance", "AmazonRDS", instance),
    ("aws_rds_cluster", "AmazonRDS", cluster),
    ("aws_rds_cluster_instance", "AmazonRDS", cluster_instance),
    ("aws_db_snapshot", "AmazonRDS", snapshot),
    ("aws_db_proxy", "AmazonRDS", proxy),
];

/// The option that reservations are bought by, if usage states one.
fn option(v: &View<'_>) -> &'static str {
    if v.used_text("reserved_instance_term").is_some() { "reserved" } else { "on-demand" }
}

fn engine_name(engine: &str) -> &'static str {
    match engine {
        "postgres" => "PostgreSQL",
        "mysql" => "MySQL",
        "mariadb" => "MariaDB",
        "aurora-mysql" | "aurora" => "Aurora MySQL",
        "aurora-postgresql" => "Aurora PostgreSQL",
        e if e.starts_with("oracle") => "Oracle",
        e if e.starts_with("sqlserver") => "SQL Server",
        _ => "",
    }
}

fn instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let class = v.need("instance_class")?;
    let zones = if v.flag("multi_az") { "Multi-AZ" } else { "Single-AZ" };
    let source = v.refers_to("replicate_source_db", &["aws_db_instance"]);
    let engine = v
        .text("engine")
        .or_else(|| source.as_ref().and_then(|s| s.text("engine")))
        .unwrap_or_else(|| "mysql".to_owned());
    let hours = v.used("monthly_hrs").or(MONTH_HOURS);
    let usage = c.hourly(format!("Database instance ({}, {zones}, {class})", option(v)), "hours", hours);
    usage
        .with("instance_type", &class)
        .with("engine", engine_name(&engine))
        .with("deployment", zones)
        .with("purchase_option", option(v));
    usage.with("license", v.text_or("license_model", ""));
    let iops = v.number("iops");
    let default = if iops.is_positive() { "io1" } else { "gp2" };
    let kind = v.text_or("storage_type", default);
    let name = match kind.as_str() {
        "standard" => "magnetic".to_owned(),
        "io1" | "io2" => format!("provisioned IOPS SSD, {kind}"),
        other => format!("general purpose SSD, {other}"),
    };
    let least = if ["io1", "io2"].contains(&kind.as_str()) { 100 } else { 20 };
    let allocated = v.number("allocated_storage");
    let allocated = allocated.or_else(source.as_ref().map_or(Quantity::UNSET, |s| s.number("allocated_storage")));
    let storage = allocated.or(least);
    c.add(format!("Storage ({name})"), "GB", storage)
        .with("volume_type", &kind)
        .with("deployment", zones)
        .with("engine", engine_name(&engine));
    match kind.as_str() {
        "standard" => {
            c.usage("I/O requests", "1M requests", v.used("monthly_standard_io_requests")).per(1_000_000);
        }
        "io1" | "io2" => {
            c.add("Provisioned IOPS", "IOPS", iops.or(1_000)).with("volume_type", &kind).with("deployment", zones);
        }
        "gp3" => {
            // From 400 GB on (Oracle: 200 GB) a volume has 12,000 operations and 500 MB/s, below 3,000 and 125.
            let large = (storage - if engine.starts_with("oracle") { 200 } else { 400 }).max(-1) + 1;
            let large = large.is_positive() && !engine.starts_with("sqlserver");
            let (free_iops, free_mb) = if large { (12_000, 500) } else { (3_000, 125) };
            let (iops, mb) = (iops.or(0).above(free_iops), v.number("storage_throughput").or(0).above(free_mb));
            if iops.is_positive() {
                c.add(
                    "Provisioned GP3 IOPS (above 3,000)".replace("3,000", if large { "12,000" } else { "3,000" }),
                    "IOPS",
                    iops,
                );
            }
            if mb.is_positive() {
                c.add("Provisioned GP3 throughput", "MBps", mb);
            }
        }
        _ => {}
    }
    let retention = v
        .number("backup_retention_period")
        .or_else(source.as_ref().map_or(Quantity::UNSET, |s| s.number("backup_retention_period")));
    if retention.is_positive() {
        c.usage("Additional backup storage", "GB", v.used("additional_backup_storage_gb"));
    }
    insights(v, c, &class, "db_instance");
    Ok(())
}

/// Performance insights beyond a week, and their requests.
fn insights(v: &View<'_>, c: &mut Cost, class: &str, _what: &str) {
    if !v.flag("performance_insights_enabled") {
        return;
    }
    if v.int("performance_insights_retention_period", 7) > 7 {
        let serverless = class == "db.serverless";
        if !serverless {
            c.add(format!("Performance Insights Long Term Retention ({class})"), "vCPU-month", vcpus(class))
                .with("instance_type", class);
        }
    }
    c.usage("Performance Insights API", "1000 requests", v.used("monthly_additional_performance_insights_requests"))
        .per(1_000);
}

/// Virtual CPUs of a database class by its size; unset for those that are not known.
fn vcpus(class: &str) -> Quantity {
    let mut words = class.trim_start_matches("db.").split('.');
    let (family, size) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let small = if ["t1", "t2"].contains(&family) && ["micro", "small"].contains(&size) { 1 } else { 2 };
    match size {
        "micro" | "small" => Quantity::of(small),
        "medium" | "large" => Quantity::of(if family == "m3" && size == "medium" { 1 } else { 2 }),
        "xlarge" => Quantity::of(4),
        other => other.strip_suffix("xlarge").map_or(Quantity::UNSET, |n| Quantity::decimal(n) * 4),
    }
}

fn cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    let engine = v.text_or("engine", "aurora");
    let serverless = v.text_or("engine_mode", "provisioned") == "serverless";
    let name = engine_name(&engine);
    if serverless {
        c.usage("Aurora serverless", "ACU-hours", v.used("capacity_units_per_hr") * MONTH_HOURS).with("engine", name);
    }
    if v.has("db_cluster_instance_class") {
        // A Multi-AZ cluster that is not Aurora: three machines with provisioned storage.
        let class = v.need("db_cluster_instance_class")?;
        let kind = v.text_or("storage_type", "io1");
        c.hours(format!("Database instance (on-demand, {class})"), 3)
            .with("instance_type", &class)
            .with("engine", name);
        c.add(format!("Storage ({kind})"), "GB", v.number("allocated_storage")).with("volume_type", &kind);
        c.add("Provisioned IOPS", "IOPS", v.number("iops")).with("volume_type", &kind);
        return Ok(());
    }
    let optimized = v.text_or("storage_type", "") == "aurora-iopt1";
    let storage = c.usage(if optimized { "Storage (I/O-optimized)" } else { "Storage" }, "GB", v.used("storage_gb"));
    storage.with("engine", name);
    if !optimized {
        let (writes, reads) = (v.used("write_requests_per_sec"), v.used("read_requests_per_sec"));
        let both = if writes.is_set() || reads.is_set() { writes.or(0) + reads.or(0) } else { Quantity::UNSET };
        c.usage("I/O requests", "1M requests", both * MONTH_HOURS * 3_600).per(1_000_000).with("engine", name);
    }
    if v.int("backup_retention_period", 1) > 1 {
        // One day of snapshots is in the price of the storage.
        let days = v.number("backup_retention_period").or(1);
        let snapshots = v.used("backup_snapshot_size_gb");
        c.usage("Backup storage", "GB", snapshots * days - snapshots).with("engine", name);
    }
    if name == "Aurora MySQL" && v.int("backtrack_window", 0) > 0 {
        let hours = v.number("backtrack_window") / 3_600;
        let records = v.used("average_statements_per_hr")
            * v.used("change_records_per_statement")
            * v.used("backtrack_window_hrs").or_else(hours)
            * MONTH_HOURS;
        c.usage("Backtrack", "1M change-records", records).per(1_000_000);
    }
    c.usage("Snapshot export", "GB", v.used("snapshot_export_size_gb")).with("engine", name);
    Ok(())
}

fn cluster_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let class = v.need("instance_class")?;
    let parent = v.refers_to("cluster_identifier", &["aws_rds_cluster"]);
    let engine = v
        .text("engine")
        .or_else(|| parent.as_ref().and_then(|p| p.text("engine")))
        .unwrap_or_else(|| "aurora".to_owned());
    let optimized = parent.as_ref().is_some_and(|p| p.text_or("storage_type", "") == "aurora-iopt1");
    if class == "db.serverless" {
        let name = if optimized { "Aurora serverless v2 (I/O-optimized)" } else { "Aurora serverless v2" };
        c.usage(name, "ACU-hours", v.used("capacity_units_per_hr") * MONTH_HOURS).with("engine", engine_name(&engine));
    } else {
        let note = if optimized { ", I/O-optimized" } else { "" };
        let hours = v.used("monthly_hrs").or(MONTH_HOURS);
        let usage = c.hourly(format!("Database instance ({}, {class}{note})", option(v)), "hours", hours);
        usage.with("instance_type", &class).with("engine", engine_name(&engine)).with("purchase_option", option(v));
    }
    if class.starts_with("db.t") {
        let credits = v.used("monthly_cpu_credit_hrs");
        if credits.is_set() {
            c.usage("CPU credits", "vCPU-hours", credits * v.used("vcpu_count").or(2));
        }
    }
    insights(v, c, &class, "cluster");
    Ok(())
}

fn snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Snapshot storage", "GB", v.used("storage_gb"));
    Ok(())
}

fn proxy(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.hourly("RDS Proxy", "vCPU-hours", v.used("vcpu_count") * MONTH_HOURS).by_usage();
    Ok(())
}
