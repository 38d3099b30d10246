//! S3, EFS, FSx, Backup.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_s3_bucket", "AmazonS3", bucket),
    ("aws_s3_bucket_analytics_configuration", "AmazonS3", analytics),
    ("aws_s3_bucket_inventory", "AmazonS3", inventory),
    ("aws_efs_file_system", "AmazonEFS", efs),
    ("aws_fsx_windows_file_system", "AmazonFSx", fsx_windows),
    ("aws_fsx_openzfs_file_system", "AmazonFSx", fsx_openzfs),
    ("aws_fsx_lustre_file_system", "AmazonFSx", fsx_lustre),
    ("aws_fsx_ontap_file_system", "AmazonFSx", fsx_ontap),
    ("aws_backup_vault", "AWSBackup", backup_vault),
];

/// (usage key, storage class of Terraform, name).
const CLASSES: [(&str, &str, &str); 6] = [
    ("standard", "STANDARD", "Standard"),
    ("intelligent_tiering", "INTELLIGENT_TIERING", "Intelligent tiering"),
    ("standard_infrequent_access", "STANDARD_IA", "Standard - infrequent access"),
    ("one_zone_infrequent_access", "ONEZONE_IA", "One zone - infrequent access"),
    ("glacier_flexible_retrieval", "GLACIER", "Glacier flexible retrieval"),
    ("glacier_deep_archive", "DEEP_ARCHIVE", "Glacier deep archive"),
];

fn bucket(v: &View<'_>, c: &mut Cost) -> Ruled {
    let mut rules = v.blocks("lifecycle_rule");
    for lifecycle in v.users("aws_s3_bucket_lifecycle_configuration") {
        rules.extend(lifecycle.blocks("rule"));
    }
    let mut classes: Vec<String> = Vec::new();
    let mut tags = v.has_usage("object_tags");
    for rule in &rules {
        if rule.text("status").is_some_and(|s| s == "Disabled") || !rule.flag_or("enabled", true) {
            continue;
        }
        tags |= rule.has("tags") || rule.has("filter.tag") || rule.has("filter.and.tags");
        let moves = ["transition", "noncurrent_version_transition"].into_iter().flat_map(|p| rule.blocks(p));
        classes.extend(moves.filter_map(|t| t.text("storage_class")));
    }
    if tags {
        c.usage("Object tagging", "10k tags", v.used("object_tags")).per(10_000);
    }
    for (key, class, name) in CLASSES {
        if key == "standard" || v.has_usage(key) || classes.iter().any(|k| k == class) {
            let part = c.part(name);
            storage_class(v, part, key);
            let each = part.components.iter_mut();
            each.for_each(|component| {
                component.with("storage_class", class);
            });
        }
    }
    Ok(())
}

fn storage_class(v: &View<'_>, c: &mut Cost, class: &str) {
    let used = |key: &str| v.used(&format!("{class}.{key}"));
    let thousand = |c: &mut Cost, name: &str, key: &str| {
        c.usage(name, "1k requests", used(key)).per(1_000);
    };
    let gb = |c: &mut Cost, name: &str, key: &str| {
        c.usage(name, "GB", used(key));
    };
    if class == "intelligent_tiering" {
        gb(c, "Storage (frequent access)", "frequent_access_storage_gb");
        gb(c, "Storage (infrequent access)", "infrequent_access_storage_gb");
        gb(c, "Storage (archive access)", "archive_access_storage_gb");
        gb(c, "Storage (deep archive access)", "deep_archive_access_storage_gb");
        c.usage("Monitoring and automation", "1k objects", used("monitored_objects")).per(1_000);
    } else {
        gb(c, "Storage", "storage_gb");
    }
    thousand(c, "PUT, COPY, POST, LIST requests", "monthly_tier_1_requests");
    thousand(c, "GET, SELECT, and all other requests", "monthly_tier_2_requests");
    if class != "standard" {
        thousand(c, "Lifecycle transition", "monthly_lifecycle_transition_requests");
    }
    match class {
        "standard" => {
            gb(c, "Select data scanned", "monthly_select_data_scanned_gb");
            gb(c, "Select data returned", "monthly_select_data_returned_gb");
        }
        "intelligent_tiering" => {
            gb(c, "Select data scanned", "monthly_select_data_scanned_gb");
            gb(c, "Select data returned", "monthly_select_data_returned_gb");
            gb(c, "Early delete (within 30 days)", "early_delete_gb");
        }
        "standard_infrequent_access" | "one_zone_infrequent_access" => {
            gb(c, "Retrievals", "monthly_data_retrieval_gb");
            gb(c, "Select data scanned", "monthly_select_data_scanned_gb");
            gb(c, "Select data returned", "monthly_select_data_returned_gb");
        }
        "glacier_flexible_retrieval" => {
            // Bulk retrievals are free.
            for speed in ["standard", "expedited"] {
                thousand(
                    c,
                    &format!("Retrieval requests ({speed})"),
                    &format!("monthly_{speed}_data_retrieval_requests"),
                );
                gb(c, &format!("Retrievals ({speed})"), &format!("monthly_{speed}_data_retrieval_gb"));
                gb(c, &format!("Select data scanned ({speed})"), &format!("monthly_{speed}_select_data_scanned_gb"));
                gb(c, &format!("Select data returned ({speed})"), &format!("monthly_{speed}_select_data_returned_gb"));
            }
            gb(c, "Select data scanned (bulk)", "monthly_bulk_select_data_scanned_gb");
            gb(c, "Select data returned (bulk)", "monthly_bulk_select_data_returned_gb");
            gb(c, "Early delete (within 90 days)", "early_delete_gb");
        }
        _ => {
            for speed in ["standard", "bulk"] {
                thousand(
                    c,
                    &format!("Retrieval requests ({speed})"),
                    &format!("monthly_{speed}_data_retrieval_requests"),
                );
                gb(c, &format!("Retrievals ({speed})"), &format!("monthly_{speed}_data_retrieval_gb"));
            }
            gb(c, "Early delete (within 180 days)", "early_delete_gb");
        }
    }
}

fn analytics(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Objects monitored", "1M objects", v.used("monthly_monitored_objects")).per(1_000_000);
    Ok(())
}

fn inventory(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Objects listed", "1M objects", v.used("monthly_listed_objects")).per(1_000_000);
    Ok(())
}

fn efs(v: &View<'_>, c: &mut Cost) -> Ruled {
    let zone = if v.has("availability_zone_name") { "one zone" } else { "standard" };
    let storage = v.used("storage_gb");
    c.usage(format!("Storage ({zone})"), "GB", storage);
    if v.blocks("lifecycle_policy").iter().any(|p| p.has("transition_to_ia")) {
        c.usage(format!("Storage ({zone}, infrequent access)"), "GB", v.used("infrequent_access_storage_gb"));
        c.usage("Read requests (infrequent access)", "GB", v.used("monthly_infrequent_access_read_gb"));
        c.usage("Write requests (infrequent access)", "GB", v.used("monthly_infrequent_access_write_gb"));
    }
    if v.text_or("throughput_mode", "bursting") == "provisioned" {
        // Each 20 GB stored bring 1 MB/s.
        let provisioned = v.number("provisioned_throughput_in_mibps");
        c.usage("Provisioned throughput", "MBps", provisioned.above(storage.or(0) / 20));
    }
    Ok(())
}

fn fsx_windows(v: &View<'_>, c: &mut Cost) -> Ruled {
    let zones =
        if v.text_or("deployment_type", "SINGLE_AZ_1").starts_with("MULTI_AZ") { "Multi-AZ" } else { "Single-AZ" };
    let media = if v.text_or("storage_type", "SSD") == "HDD" { "HDD" } else { "SSD" };
    c.add("Throughput capacity", "MBps", v.number("throughput_capacity")).with("deployment", zones);
    c.add(format!("{media} storage"), "GB", v.number("storage_capacity")).with("deployment", zones);
    c.usage("Backup storage", "GB", v.used("backup_storage_gb")).with("deployment", zones);
    Ok(())
}

fn fsx_openzfs(v: &View<'_>, c: &mut Cost) -> Ruled {
    let storage = v.number("storage_capacity");
    c.add("Throughput capacity", "MBps", v.number("throughput_capacity"));
    let compressed =
        ["ZSTD", "LZ4"].contains(&v.text_or("root_volume_configuration.data_compression_type", "NONE").as_str());
    let name = if compressed { "SSD storage (compression enabled)" } else { "SSD storage" };
    let savings = if compressed { v.used("data_compression_savings_percentage").or(50) } else { Quantity::ZERO };
    c.add(name, "GB", storage * (Quantity::of(100) - savings) / 100);
    // Three operations a second for each GB are in the price of the storage.
    let iops = v.number("disk_iops_configuration.iops").above(storage * 3);
    if v.text_or("disk_iops_configuration.mode", "AUTOMATIC") == "USER_PROVISIONED" {
        c.add("Provisioned SSD IOPS", "IOPS", iops);
    }
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn fsx_lustre(v: &View<'_>, c: &mut Cost) -> Ruled {
    let deployment = v.text_or("deployment_type", "SCRATCH_1");
    let throughput = v.text_or("per_unit_storage_throughput", "");
    let storage = c.add(format!("Storage ({deployment})"), "GB", v.number("storage_capacity"));
    storage
        .with("deployment", &deployment)
        .with("throughput", throughput)
        .with("media", v.text_or("storage_type", "SSD"));
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn fsx_ontap(v: &View<'_>, c: &mut Cost) -> Ruled {
    let zones = if v.text_or("deployment_type", "").starts_with("MULTI_AZ") { "Multi-AZ" } else { "Single-AZ" };
    let storage = v.number("storage_capacity");
    c.add("Throughput capacity", "MBps", v.number("throughput_capacity")).with("deployment", zones);
    c.add("SSD storage", "GB", storage).with("deployment", zones);
    if v.text_or("disk_iops_configuration.mode", "AUTOMATIC") == "USER_PROVISIONED" {
        c.add("Provisioned SSD IOPS", "IOPS", v.number("disk_iops_configuration.iops").above(storage * 3));
    }
    c.usage("Capacity pool storage", "GB", v.used("capacity_pool_storage_gb"));
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn backup_vault(v: &View<'_>, c: &mut Cost) -> Ruled {
    const ROWS: [(&str, &str); 18] = [
        ("EFS backup (warm)", "monthly_efs_warm_backup_gb"),
        ("EFS backup (cold)", "monthly_efs_cold_backup_gb"),
        ("EFS restore (warm)", "monthly_efs_warm_restore_gb"),
        ("EFS restore (cold)", "monthly_efs_cold_restore_gb"),
        ("EFS restore (item-level)", "monthly_efs_item_restore_requests"),
        ("EBS snapshot", "monthly_ebs_snapshot_gb"),
        ("RDS snapshot", "monthly_rds_snapshot_gb"),
        ("DynamoDB backup", "monthly_dynamodb_backup_gb"),
        ("DynamoDB restore", "monthly_dynamodb_restore_gb"),
        ("Aurora snapshot", "monthly_aurora_snapshot_gb"),
        ("DocumentDB snapshot", "monthly_documentdb_snapshot_gb"),
        ("Neptune snapshot", "monthly_neptune_snapshot_gb"),
        ("FSx for Windows backup", "monthly_fsx_windows_backup_gb"),
        ("FSx for Lustre backup", "monthly_fsx_lustre_backup_gb"),
        ("S3 backup", "monthly_s3_backup_gb"),
        ("S3 restore", "monthly_s3_restore_gb"),
        ("Storage Gateway backup", "monthly_storage_gateway_backup_gb"),
        ("VMware backup", "monthly_vmware_backup_gb"),
    ];
    for (name, key) in ROWS {
        let unit = if key.ends_with("requests") { "requests" } else { "GB" };
        c.usage(name, unit, v.used(key));
    }
    if c.components.is_empty() {
        return Err(Unpriced::Free);
    }
    Ok(())
}
