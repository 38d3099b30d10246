//! SQL Database, elastic pools, PostgreSQL, MySQL, MariaDB, Redis.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::{Quantity, integer};
use crate::rules::Row;
use crate::view::{Ruled, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_sql_database", "SQL Database", sql_database),
    ("azurerm_mssql_database", "SQL Database", mssql_database),
    ("azurerm_mssql_elasticpool", "SQL Database", mssql_pool),
    ("azurerm_sql_elasticpool", "SQL Database", sql_pool),
    ("azurerm_mssql_managed_instance", "SQL Managed Instance", managed_instance),
    ("azurerm_sql_managed_instance", "SQL Managed Instance", managed_instance),
    ("azurerm_postgresql_server", "Azure Database for PostgreSQL", server),
    ("azurerm_mysql_server", "Azure Database for MySQL", server),
    ("azurerm_mariadb_server", "Azure Database for MariaDB", server),
    ("azurerm_postgresql_flexible_server", "Azure Database for PostgreSQL", flexible_server),
    ("azurerm_mysql_flexible_server", "Azure Database for MySQL", flexible_server),
    ("azurerm_redis_cache", "Redis Cache", redis),
];

/// How a database is bought.
struct Bought<'a> {
    sku: &'a str,
    zones: bool,
    license: bool,
    storage_gb: Quantity,
    redundancy: &'a str,
}

fn database(v: &View<'_>, c: &mut Cost, b: &Bought<'_>) {
    let mut words = b.sku.split('_');
    let tier = words.next().unwrap_or_default().to_uppercase();
    let by_cores = ["GP", "BC", "HS"].contains(&tier.as_str());
    let sku = b.sku;
    if !by_cores {
        let hours = v.used("monthly_hrs").or(MONTH_HOURS);
        c.hourly(format!("Compute ({})", if tier == "BASIC" { "Basic" } else { sku }), "hours", hours).with("sku", sku);
        // Premium and standard databases can grow beyond what they include.
        let extra = v.used("extra_data_storage_gb");
        if tier != "BASIC" && extra.is_set() {
            c.usage("Extra data storage", "GB", extra).with("sku", sku);
        }
    } else {
        let cores = Quantity::decimal(sku.rsplit('_').next().unwrap_or_default());
        let serverless = sku.to_uppercase().contains("_S_");
        if serverless {
            c.usage(format!("Compute (serverless, {sku})"), "vCore-hours", v.used("monthly_vcore_hours"))
                .with("sku", sku);
            if b.zones {
                c.usage(format!("Zone redundancy (serverless, {sku})"), "vCore-hours", v.used("monthly_vcore_hours"))
                    .with("sku", sku);
            }
        } else {
            c.hours(format!("Compute (provisioned, {sku})"), 1).with("sku", sku);
            if b.zones && tier == "GP" {
                c.hours(format!("Zone redundancy (provisioned, {sku})"), 1).with("sku", sku);
            }
            if tier == "HS" {
                let replicas = v.number("read_replica_count");
                if replicas.is_set() {
                    c.hours("Read replicas", replicas).with("sku", sku);
                } else {
                    c.usage("Read replicas", "hours", Quantity::UNSET).with("sku", sku);
                }
            }
            if b.license {
                c.hourly("SQL license", "vCore-hours", cores * MONTH_HOURS).with("tier", &tier);
            }
        }
        c.add("Storage", "GB", b.storage_gb).with("tier", &tier).with("zone_redundant", b.zones.to_string());
    }
    if tier != "HS" {
        let r = b.redundancy;
        c.usage(format!("Long-term retention ({r})"), "GB", v.used("long_term_retention_storage_gb"))
            .with("redundancy", r);
        c.usage(format!("PITR backup storage ({r})"), "GB", v.used("backup_storage_gb")).with("redundancy", r);
    }
}

fn sql_database(v: &View<'_>, c: &mut Cost) -> Ruled {
    let edition = v.text_or("edition", "").to_lowercase();
    let default = match edition.as_str() {
        "basic" => "Basic",
        "standard" => "S0",
        "premium" => "P1",
        "businesscritical" => "BC_Gen5_2",
        "hyperscale" => "HS_Gen5_2",
        _ => "GP_Gen5_2",
    };
    let sku =
        v.text("requested_service_objective_name").filter(|s| !s.is_empty()).unwrap_or_else(|| default.to_owned());
    let storage_gb = (v.number("max_size_bytes") / (1 << 30)).or_else(v.number("max_size_gb")).or(5);
    database(
        v,
        c,
        &Bought { sku: &sku, zones: v.flag("zone_redundant"), license: false, storage_gb, redundancy: "RA-GRS" },
    );
    Ok(())
}

fn mssql_database(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku_name", "GP_S_Gen5_2");
    if sku.eq_ignore_ascii_case("elasticpool") || v.has("elastic_pool_id") {
        return Err(crate::view::Unpriced::Free);
    }
    let redundancy = match v
        .text("storage_account_type")
        .or_else(|| v.text("geo_backup_enabled").filter(|g| g == "false"))
        .unwrap_or_default()
        .to_lowercase()
        .as_str()
    {
        "local" | "lrs" => "LRS",
        "zone" | "zrs" => "ZRS",
        _ => "RA-GRS",
    };
    let license = v.text_or("license_type", "LicenseIncluded") == "LicenseIncluded";
    let bought = Bought {
        sku: &sku,
        zones: v.flag("zone_redundant"),
        license,
        storage_gb: v.number("max_size_gb").or(5),
        redundancy,
    };
    database(v, c, &bought);
    Ok(())
}

fn mssql_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    let (name, tier) = (v.need("sku.name")?, v.text_or("sku.tier", ""));
    let capacity = v.number("sku.capacity").or(1);
    let zones = v.flag("zone_redundant");
    let storage = v.number("max_size_gb").or_else(v.number("max_size_bytes") / (1 << 30));
    if ["Basic", "Standard", "Premium"].contains(&tier.as_str()) {
        pool_by_units(c, &tier, capacity, storage);
        return Ok(());
    }
    let size = capacity.to_string();
    c.hours(format!("Compute ({name}, {size} vCore)"), 1).with("sku", &name).with("capacity", &size);
    if zones && name.starts_with("GP") {
        c.hours(format!("Zone redundancy ({name}, {size} vCore)"), 1).with("sku", &name).with("capacity", &size);
    }
    if v.text_or("license_type", "LicenseIncluded") == "LicenseIncluded" {
        c.hourly("SQL license", "vCore-hours", capacity * MONTH_HOURS).with("tier", &tier);
    }
    c.add("Storage", "GB", storage.or(5)).with("tier", &tier).with("zone_redundant", zones.to_string());
    Ok(())
}

/// Storage that a pool of so many units includes: https://learn.microsoft.com/azure/azure-sql/database/resource-limits-dtu-elastic-pools.
fn pool_by_units(c: &mut Cost, tier: &str, units: Quantity, storage: Quantity) {
    c.hours(format!("Compute ({tier}, {units} DTUs)"), 1).with("tier", tier).with("units", units.to_string());
    let included = match (tier, units.0.and_then(integer).unwrap_or(0)) {
        ("Standard", n) => n,
        ("Premium", 125) => 250,
        ("Premium", 250) => 500,
        ("Premium", 500) => 750,
        ("Premium", 1_000) => 1_024,
        ("Premium", 1_500) => 1_536,
        ("Premium", 2_000) => 2_048,
        ("Premium", 2_500) => 2_560,
        ("Premium", 3_000) => 3_072,
        ("Premium", 3_500) => 3_584,
        ("Premium", 4_000) => 4_096,
        _ => return,
    };
    let extra = storage.or(included).above(included);
    if extra.is_positive() {
        c.usage("Extra data storage", "GB", extra).with("tier", tier);
    }
}

fn sql_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    pool_by_units(c, &v.text_or("edition", "Standard"), v.number("dtu").or(50), v.number("pool_size") / 1_024);
    Ok(())
}

fn managed_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku_name", "GP_Gen5");
    let cores = v.number("vcores").or(4);
    c.hours(format!("Compute ({} {cores} cores)", sku.replace('_', " ").to_uppercase().replace("GEN", "Gen")), 1)
        .with("sku", &sku)
        .with("cores", cores.to_string());
    // 32 GB are in the price.
    let extra = v.number("storage_size_in_gb").or(32).above(32);
    if extra.is_positive() {
        c.add("Additional Storage", "GB", extra).with("sku", &sku);
    }
    let redundancy = v.text_or("storage_account_type", "LRS");
    c.usage(format!("PITR backup storage ({redundancy})"), "GB", v.used("backup_storage_gb"))
        .with("redundancy", &redundancy);
    if v.text_or("license_type", "LicenseIncluded") == "LicenseIncluded" {
        c.hourly("SQL license", "vCore-hours", cores * MONTH_HOURS);
    }
    c.usage(format!("LTR backup storage ({redundancy})"), "GB", v.used("long_term_retention_storage_gb"))
        .with("redundancy", redundancy);
    Ok(())
}

fn server(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    c.hours(format!("Compute ({sku})"), 1).with("sku", &sku);
    let tier = sku.split('_').next().unwrap_or_default().to_owned();
    c.add("Storage", "GB", v.number("storage_mb").or(5_120) / 1_024).with("tier", &tier);
    let redundancy = if v.flag("geo_redundant_backup_enabled") { "GRS" } else { "LRS" };
    c.usage("Additional backup storage", "GB", v.used("additional_backup_storage_gb")).with("redundancy", redundancy);
    Ok(())
}

fn flexible_server(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    c.hours(format!("Compute ({sku})"), 1).with("sku", &sku);
    let mysql = v.resource.kind.contains("mysql");
    let storage = if mysql { v.number("storage.size_gb").or(20) } else { v.number("storage_mb").or(32_768) / 1_024 };
    c.add("Storage", "GB", storage);
    if mysql {
        // Three for each GB and 300 more are in the price.
        let extra = v.number("storage.iops").or(360).above(360);
        c.add("Additional IOPS", "IOPS", extra);
    }
    c.usage("Additional backup storage", "GB", v.used("additional_backup_storage_gb"));
    Ok(())
}

fn redis(v: &View<'_>, c: &mut Cost) -> Ruled {
    let (sku, family, capacity) = (v.text_or("sku_name", "Basic"), v.text_or("family", "C"), v.int("capacity", 1));
    let shards = v.number("shard_count").or(1).max(1);
    let replicas = if sku == "Premium" {
        v.number("replicas_per_primary").or(1)
    } else {
        Quantity::of(if sku == "Basic" { 0 } else { 1 })
    };
    // A standard cache is sold with its replica; of premium caches each node pays.
    let nodes = if sku == "Premium" { shards * (replicas + 1) } else { Quantity::of(1) };
    c.hourly(format!("Cache usage ({sku}_{family}{capacity})"), "nodes", nodes)
        .scaled(MONTH_HOURS)
        .with("sku", &sku)
        .with("size", format!("{family}{capacity}"));
    Ok(())
}
