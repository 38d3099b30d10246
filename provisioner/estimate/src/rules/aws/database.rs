//! DynamoDB, DocumentDB, Neptune, ElastiCache, Redshift, OpenSearch, DMS.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_dynamodb_table", "AmazonDynamoDB", dynamodb),
    ("aws_docdb_cluster", "AmazonDocDB", docdb_cluster),
    ("aws_docdb_cluster_instance", "AmazonDocDB", docdb_instance),
    ("aws_docdb_cluster_snapshot", "AmazonDocDB", docdb_snapshot),
    ("aws_neptune_cluster", "AmazonNeptune", neptune_cluster),
    ("aws_neptune_cluster_instance", "AmazonNeptune", neptune_instance),
    ("aws_neptune_cluster_snapshot", "AmazonNeptune", neptune_snapshot),
    ("aws_elasticache_cluster", "AmazonElastiCache", elasticache_cluster),
    ("aws_elasticache_replication_group", "AmazonElastiCache", replication_group),
    ("aws_redshift_cluster", "AmazonRedshift", redshift),
    ("aws_elasticsearch_domain", "AmazonES", search),
    ("aws_opensearch_domain", "AmazonES", search),
    ("aws_dms_replication_instance", "AWSDatabaseMigrationSvc", dms),
];

fn dynamodb(v: &View<'_>, c: &mut Cost) -> Ruled {
    let on_demand = v.text_or("billing_mode", "PROVISIONED") == "PAY_PER_REQUEST";
    let name = v.text("name").map(|n| format!("table/{n}"));
    let target = |dimension: &str| {
        let all =
            v.all("aws_appautoscaling_target").into_iter().filter(|t| t.text_or("scalable_dimension", "") == dimension);
        let mut ours = all.filter(|t| match t.refers_to("resource_id", &["aws_dynamodb_table"]) {
            Some(table) => table.resource.address == v.resource.address,
            None => t.text("resource_id") == name,
        });
        ours.next()
    };
    let mut replicated = Quantity::UNSET;
    if on_demand {
        replicated = v.used("monthly_write_request_units");
        c.usage("Write request unit (WRU)", "WRUs", replicated);
        c.usage("Read request unit (RRU)", "RRUs", v.used("monthly_read_request_units"));
    } else {
        for (word, unit, key, dimension) in [
            ("Write", "WCU", "write_capacity", "dynamodb:table:WriteCapacityUnits"),
            ("Read", "RCU", "read_capacity", "dynamodb:table:ReadCapacityUnits"),
        ] {
            let fixed = v.number(key).or(0);
            match target(dimension) {
                Some(scaled) => {
                    let capacity = scaled.used("capacity").or_else(scaled.number("min_capacity"));
                    c.hourly(format!("{word} capacity unit ({unit}, autoscaling)"), unit, capacity)
                        .by_usage()
                        .scaled(MONTH_HOURS);
                    if word == "Write" {
                        replicated = capacity;
                    }
                }
                None => {
                    c.hourly(format!("{word} capacity unit ({unit})"), unit, fixed).scaled(MONTH_HOURS);
                    if word == "Write" {
                        replicated = fixed;
                    }
                }
            }
        }
    }
    c.usage("Data storage", "GB", v.used("storage_gb"));
    if v.flag("point_in_time_recovery.enabled") {
        c.usage("Point-In-Time Recovery (PITR) backup storage", "GB", v.used("pitr_backup_storage_gb"));
    }
    used(
        v,
        c,
        &[
            ("On-demand backup storage", "GB", "on_demand_backup_storage_gb", 1),
            ("Table data restored", "GB", "monthly_data_restored_gb", 1),
            ("Streams read request unit (sRRU)", "sRRUs", "monthly_streams_read_request_units", 1),
        ],
    );
    let mut regions: Vec<String> = v.blocks("replica").iter().filter_map(|r| r.text("region_name")).collect();
    regions.sort();
    for region in regions {
        let part = c.part(format!("Global table ({region})"));
        part.query.region.clone_from(&region);
        if on_demand {
            // The average of an hour, as the capacity units are.
            part.hourly("Replicated write request unit (rWRU)", "rWRU", replicated / MONTH_HOURS).scaled(MONTH_HOURS);
        } else {
            part.hourly("Replicated write capacity unit (rWCU)", "rWCU", replicated).scaled(MONTH_HOURS);
        }
    }
    Ok(())
}

fn docdb_cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.int("backup_retention_period", 1) <= 1 {
        return Err(Unpriced::Free);
    }
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn credits(v: &View<'_>, c: &mut Cost, class: &str) {
    if class.starts_with("db.t") {
        let credits = v.used("monthly_cpu_credit_hrs");
        if credits.is_set() {
            c.usage("CPU credits", "vCPU-hours", credits);
        }
    }
}

fn docdb_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let class = v.need("instance_class")?;
    c.hours(format!("Database instance (on-demand, {class})"), 1).with("instance_type", &class);
    used(v, c, &[("Storage", "GB", "data_storage_gb", 1), ("I/O", "1M requests", "monthly_io_requests", 1_000_000)]);
    credits(v, c, &class);
    Ok(())
}

fn docdb_snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn neptune_cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(v, c, &[("Storage", "GB", "storage_gb", 1), ("I/O requests", "1M request", "monthly_io_requests", 1_000_000)]);
    if v.int("backup_retention_period", 1) > 1 {
        c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    }
    Ok(())
}

fn neptune_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let class = v.need("instance_class")?;
    let count = v.number("count").or(1);
    c.hours(format!("Database instance (on-demand, {class})"), count).with("instance_type", &class);
    credits(v, c, &class);
    Ok(())
}

fn neptune_snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    let parent = v.refers_to("db_cluster_identifier", &["aws_neptune_cluster"]);
    if parent.is_some_and(|p| p.int("backup_retention_period", 1) <= 1) {
        // A day of backups is in the price of the cluster.
        return Err(Unpriced::Free);
    }
    c.usage("Backup storage", "GB", v.used("backup_storage_gb"));
    Ok(())
}

fn cache(v: &View<'_>, c: &mut Cost, kind: &str, engine: &str, nodes: Quantity, note: &str) {
    let reserved = v.used_text("reserved_instance_term").is_some();
    let option = if reserved { "reserved" } else { "on-demand" };
    let usage = c.hours(format!("ElastiCache ({option}, {kind}{note})"), nodes);
    usage.with("instance_type", kind).with("engine", engine).with("purchase_option", option);
}

fn elasticache_cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.has("replication_group_id") {
        // The group is paid for, not its members.
        return Err(Unpriced::Free);
    }
    let kind = v.need("node_type")?;
    let engine = v.text_or("engine", "memcached");
    cache(v, c, &kind, &engine, v.number("num_cache_nodes").or(1), "");
    if engine == "redis" && v.int("snapshot_retention_limit", 0) > 1 {
        c.usage("Backup storage", "GB", v.used("snapshot_storage_size_gb"));
    }
    Ok(())
}

fn replication_group(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.need("node_type")?;
    let nested = v.blocks("cluster_mode").into_iter().next();
    let of = |key: &str| nested.as_ref().map_or(Quantity::UNSET, |b| b.number(key)).or_else(v.number(key));
    let (groups, replicas) = (of("num_node_groups"), of("replicas_per_node_group"));
    let clusters = v.number("number_cache_clusters").or_else(v.number("num_cache_clusters"));
    let group = v.resource.address.as_str();
    let scaled = |dimension: &str| {
        let mut all = v.all("aws_appautoscaling_target").into_iter();
        let target = all.find(|t| {
            let ours = t.refers_to("resource_id", &["aws_elasticache_replication_group"]);
            t.text_or("scalable_dimension", "") == dimension && ours.is_some_and(|r| r.resource.address == group)
        });
        target.map(|t| t.used("capacity").or_else(t.number("min_capacity")))
    };
    let by_groups = scaled("elasticache:replication-group:NodeGroups");
    let by_replicas = scaled("elasticache:replication-group:Replicas");
    let autoscaled = by_groups.is_some() || by_replicas.is_some();
    let nodes = if groups.is_set() || replicas.is_set() || autoscaled {
        by_groups.unwrap_or(groups.or(1)) * (by_replicas.unwrap_or(replicas.or(0)) + 1)
    } else {
        clusters.or(1)
    };
    let engine = v.text_or("engine", "redis");
    cache(v, c, &kind, &engine, nodes, if autoscaled { ", autoscaling" } else { "" });
    if v.int("snapshot_retention_limit", 0) > 1 {
        c.usage("Backup storage", "GB", v.used("snapshot_storage_size_gb"));
    }
    Ok(())
}

fn redshift(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.need("node_type")?;
    let nodes = v.number("number_of_nodes").or(1);
    c.hours(format!("Cluster usage (on-demand, {kind})"), nodes).with("instance_type", &kind);
    if kind.starts_with("ra3") {
        c.usage(format!("Managed storage ({kind})"), "GB", v.used("managed_storage_gb")).with("instance_type", &kind);
    }
    c.usage("Concurrency scaling", "node-seconds", v.used("excess_concurrency_scaling_secs") * nodes)
        .with("instance_type", &kind);
    c.usage("Spectrum", "TB", v.used("spectrum_data_scanned_tb"));
    const TB: i64 = 1_024;
    let steps = tiers(
        &[("Backup storage (first 50 TB)", 50 * TB), ("Backup storage (next 450 TB)", 450 * TB)],
        "Backup storage (over 500 TB)",
    );
    c.tiers("GB", v.used("backup_storage_gb"), 1, &steps);
    Ok(())
}

fn search(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("cluster_config.instance_type", "m4.large.elasticsearch");
    let count = v.number("cluster_config.instance_count").or(1);
    c.hours(format!("Instance (on-demand, {kind})"), count).with("instance_type", &kind);
    let storage = v.number("ebs_options.volume_size").or(8);
    let disk = v.text_or("ebs_options.volume_type", "gp2");
    c.add(format!("Storage ({disk})"), "GB", storage).with("volume_type", &disk);
    let iops = v.number("ebs_options.iops");
    match disk.as_str() {
        "io1" => {
            c.add("Storage IOPS (io1)", "IOPS", iops.or(1)).with("volume_type", &disk);
        }
        "gp3" => {
            // Up to 170 GB 125 MB/s are in the price, above 250 MB/s for each 3 TB; operations: 3,000, or three for each GB.
            let over = storage.above(170);
            let free = if over.is_positive() { (storage / 3_072).ceil() * 250 } else { Quantity::of(125) };
            let extra = iops.or(0).above((storage * 3).max(3_000));
            if extra.is_positive() {
                c.add("Storage IOPS (gp3)", "IOPS", extra * count).with("volume_type", &disk);
            }
            let throughput = v.number("ebs_options.throughput").or(0).above(free);
            if throughput.is_positive() {
                c.add("Throughput (gp3)", "Mbps", throughput * count).with("volume_type", &disk);
            }
        }
        _ => {}
    }
    if v.flag("cluster_config.dedicated_master_enabled") {
        let kind = v.text_or("cluster_config.dedicated_master_type", &kind);
        let count = v.number("cluster_config.dedicated_master_count").or(3);
        c.hours(format!("Dedicated master (on-demand, {kind})"), count).with("instance_type", &kind);
    }
    if v.flag("cluster_config.warm_enabled") {
        let kind = v.text_or("cluster_config.warm_type", "ultrawarm1.medium.elasticsearch");
        let count = v.number("cluster_config.warm_count").or(2);
        c.hours(format!("UltraWarm instance (on-demand, {kind})"), count).with("instance_type", &kind);
    }
    Ok(())
}

fn dms(v: &View<'_>, c: &mut Cost) -> Ruled {
    let class = v.need("replication_instance_class")?;
    let zones = if v.flag("multi_az") { "Multi-AZ" } else { "Single-AZ" };
    c.hours(format!("Instance ({})", class.trim_start_matches("dms.")), 1)
        .with("instance_type", &class)
        .with("deployment", zones);
    let (family, storage) = (class.trim_start_matches("dms."), v.number("allocated_storage"));
    // The smaller families include 50 GB, the others 100 GB.
    let free = if family.starts_with('t') { 50 } else { 100 };
    let extra = storage.or(free).above(free);
    if extra.is_positive() {
        c.add("Storage (general purpose SSD, gp2)", "GB", extra).with("deployment", zones);
    }
    Ok(())
}
