//! Storage accounts, queues, shares.

use crate::component::Cost;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_storage_account", "Storage", account),
    ("azurerm_storage_queue", "Storage", queue),
    ("azurerm_storage_share", "Storage", share),
];

fn account(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("account_kind", "StorageV2");
    let tier = v.text_or("account_tier", "Standard");
    let redundancy = v.text_or("account_replication_type", "LRS").to_uppercase();
    let access = v.text_or("access_tier", "Hot");
    let premium = tier.eq_ignore_ascii_case("premium");
    if premium && !["LRS", "ZRS"].contains(&redundancy.as_str()) {
        return Err(Unpriced::Unsupported(format!("{kind} {tier} is not sold with {redundancy}")));
    }
    match kind.as_str() {
        "FileStorage" => files(v, c, premium, &access),
        _ => blobs(v, c, &kind, premium, &access),
    }
    for component in &mut c.components {
        component
            .with("account_kind", &kind)
            .with("account_tier", &tier)
            .with("redundancy", &redundancy)
            .with("access_tier", &access);
    }
    Ok(())
}

fn operations(v: &View<'_>, c: &mut Cost, list: &str) {
    let rows = [
        ("Write operations", "monthly_write_operations"),
        (list, "monthly_list_and_create_container_operations"),
        ("Read operations", "monthly_read_operations"),
        ("All other operations", "monthly_other_operations"),
    ];
    for (name, key) in rows {
        c.usage(name, "10k operations", v.used(key)).per(10_000);
    }
}

fn files(v: &View<'_>, c: &mut Cost, premium: bool, access: &str) {
    used(v, c, &[("Data at rest", "GB", "data_at_rest_storage_gb", 1), ("Snapshots", "GB", "snapshots_storage_gb", 1)]);
    if premium {
        return;
    }
    used(v, c, &[("Metadata at rest", "GB", "metadata_at_rest_storage_gb", 1)]);
    operations(v, c, "List operations");
    if access == "Cool" {
        used(
            v,
            c,
            &[
                ("Data retrieval", "GB", "monthly_data_retrieval_gb", 1),
                ("Early deletion", "GB", "early_deletion_gb", 1),
            ],
        );
    }
}

fn blobs(v: &View<'_>, c: &mut Cost, kind: &str, premium: bool, access: &str) {
    const TB: i64 = 1_024;
    let nfs = v.flag("nfsv3_enabled");
    let cool = access == "Cool" && !premium && ["StorageV2", "BlobStorage"].contains(&kind);
    let stepped = !premium && !cool && kind != "Storage" && !nfs;
    let storage = v.used("storage_gb");
    if stepped && storage.is_set() {
        let steps = [("Capacity (first 50TB)", 50 * TB), ("Capacity (next 450TB)", 500 * TB)];
        c.tiers("GB", storage, 1, &tiers(&steps, "Capacity (over 500TB)"));
    } else {
        c.usage("Capacity", "GB", storage);
    }
    if nfs && !premium {
        used(
            v,
            c,
            &[
                ("Iterative write operations", "100 operations", "monthly_iterative_write_operations", 100),
                ("Write operations", "10k operations", "monthly_write_operations", 10_000),
                ("Iterative read operations", "10k operations", "monthly_iterative_read_operations", 10_000),
                ("Read operations", "10k operations", "monthly_read_operations", 10_000),
                ("All other operations", "10k operations", "monthly_other_operations", 10_000),
            ],
        );
    } else {
        operations(v, c, "List and create container operations");
    }
    if cool {
        used(v, c, &[("Data retrieval", "GB", "monthly_data_retrieval_gb", 1)]);
    }
    if !premium && !nfs && kind != "Storage" {
        c.usage("Blob index", "10k tags", v.used("blob_index_tags")).per(10_000);
    }
    if cool && kind == "StorageV2" {
        used(v, c, &[("Early deletion", "GB", "early_deletion_gb", 1)]);
    }
}

fn queue(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Capacity", "GB", "monthly_storage_gb", 1),
            ("Class 1 operations", "10k operations", "monthly_class_1_operations", 10_000),
            ("Class 2 operations", "10k operations", "monthly_class_2_operations", 10_000),
        ],
    );
    let account = v.refers_to("storage_account_name", &["azurerm_storage_account"]);
    if account.is_some_and(|a| {
        ["GRS", "RAGRS", "GZRS", "RAGZRS"].contains(&a.text_or("account_replication_type", "LRS").as_str())
    }) {
        used(v, c, &[("Geo-replication data transfer", "GB", "monthly_geo_replication_data_transfer_gb", 1)]);
    }
    Ok(())
}

fn share(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tier = v.text_or("access_tier", "TransactionOptimized");
    if tier == "Premium" {
        c.add("Data at rest", "GB", v.number("quota").or(50)).with("access_tier", &tier);
        used(v, c, &[("Snapshots", "GB", "snapshots_storage_gb", 1)]);
        return Ok(());
    }
    used(v, c, &[("Data at rest", "GB", "storage_gb", 1), ("Snapshots", "GB", "snapshots_storage_gb", 1)]);
    if tier != "TransactionOptimized" {
        used(v, c, &[("Metadata at rest", "GB", "metadata_at_rest_storage_gb", 1)]);
    }
    used(
        v,
        c,
        &[
            ("Write operations", "10k operations", "monthly_write_operations", 10_000),
            ("List operations", "10k operations", "monthly_list_operations", 10_000),
            ("Read operations", "10k operations", "monthly_read_operations", 10_000),
            ("All other operations", "10k operations", "monthly_other_operations", 10_000),
        ],
    );
    if tier == "Cool" {
        used(v, c, &[("Data retrieval", "GB", "monthly_data_retrieval_gb", 1)]);
    }
    c.components.iter_mut().for_each(|component| {
        component.with("access_tier", &tier);
    });
    Ok(())
}
