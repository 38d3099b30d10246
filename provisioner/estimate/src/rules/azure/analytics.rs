//! Data Factory, Synapse, HDInsight, Databricks.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, used};
use crate::view::{Ruled, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_data_factory", "Azure Data Factory v2", factory),
    ("azurerm_data_factory_integration_runtime_azure", "Azure Data Factory v2", runtime),
    ("azurerm_data_factory_integration_runtime_self_hosted", "Azure Data Factory v2", runtime),
    ("azurerm_synapse_workspace", "Azure Synapse Analytics", synapse),
    ("azurerm_synapse_spark_pool", "Azure Synapse Analytics", spark_pool),
    ("azurerm_synapse_sql_pool", "Azure Synapse Analytics", sql_pool),
    ("azurerm_hdinsight_hadoop_cluster", "HDInsight", hdinsight),
    ("azurerm_hdinsight_hbase_cluster", "HDInsight", hdinsight),
    ("azurerm_hdinsight_interactive_query_cluster", "HDInsight", hdinsight),
    ("azurerm_hdinsight_kafka_cluster", "HDInsight", hdinsight),
    ("azurerm_hdinsight_spark_cluster", "HDInsight", hdinsight),
    ("azurerm_databricks_workspace", "Azure Databricks", databricks),
    ("azurerm_powerbi_embedded", "Power BI Embedded", powerbi),
];

fn factory(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Read/Write operations", "50k entities", "monthly_read_write_operation_entities", 50_000),
            ("Monitoring operations", "50k entities", "monthly_monitoring_operation_entities", 50_000),
        ],
    );
    Ok(())
}

fn runtime(v: &View<'_>, c: &mut Cost) -> Ruled {
    let hosted = if v.resource.kind.ends_with("self_hosted") { "self-hosted" } else { "azure" };
    c.usage("Orchestration", "1k runs", v.used("monthly_orchestration_runs")).per(1_000);
    if hosted == "azure" {
        let compute = v.text_or("compute_type", "General");
        let cores = v.number("core_count").or(8);
        let words = match compute.as_str() {
            "ComputeOptimized" => "Compute optimized",
            "MemoryOptimized" => "Memory optimized",
            _ => "General purpose",
        };
        c.hours(format!("Compute ({words}, {cores} vCores)"), 1).scaled(cores).with("compute", words);
    }
    for name in ["Data movement activity", "Pipeline activity", "External pipeline activity"] {
        c.hours(name, 1).with("runtime", hosted);
    }
    c.components.iter_mut().for_each(|component| {
        component.with("runtime", hosted);
    });
    Ok(())
}

fn synapse(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.add("Serverless SQL pool size", "TB", v.used("serverless_sql_pool_size_tb"));
    let hours = |c: &mut Cost, name: &str, key: &str, factor: Quantity, unit: &str| {
        c.usage(name, unit, v.used(key) * factor);
    };
    let instances =
        |kind: &str| v.used(&format!("dataflow_{kind}_instances")) * v.used(&format!("dataflow_{kind}_vcores"));
    hours(c, "Data flow (basic)", "monthly_dataflow_basic_hours", instances("basic"), "vCore-hours");
    hours(c, "Data flow (standard)", "monthly_dataflow_standard_hours", instances("standard"), "vCore-hours");
    used(
        v,
        c,
        &[
            (
                "Data pipeline azure hosted activity runs",
                "1k activity runs",
                "monthly_datapipeline_azure_hosted_activity_runs",
                1_000,
            ),
            (
                "Data pipeline azure hosted data integration units",
                "DIU-hours",
                "datapipeline_azure_hosted_data_integration_units",
                1,
            ),
            (
                "Data pipeline azure hosted integration runtime",
                "hours",
                "monthly_datapipeline_azure_hosted_integration_runtime_hours",
                1,
            ),
            (
                "Data pipeline azure hosted external integration runtime",
                "hours",
                "monthly_datapipeline_azure_hosted_external_integration_runtime_hours",
                1,
            ),
            (
                "Data pipeline self hosted activity runs",
                "1k activity runs",
                "monthly_datapipeline_self_hosted_activity_runs",
                1_000,
            ),
            (
                "Data pipeline self hosted data movement",
                "hours",
                "monthly_datapipeline_self_hosted_data_movement_hours",
                1,
            ),
            (
                "Data pipeline self hosted integration runtime",
                "hours",
                "monthly_datapipeline_self_hosted_integration_runtime_hours",
                1,
            ),
            (
                "Data pipeline self hosted external integration runtime",
                "hours",
                "monthly_datapipeline_self_hosted_external_integration_runtime_hours",
                1,
            ),
        ],
    );
    Ok(())
}

fn spark_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v.text_or("node_size", "Small").to_lowercase();
    let cores = match size.as_str() {
        "medium" => 8,
        "large" => 16,
        "xlarge" => 32,
        "xxlarge" => 64,
        "xxxlarge" => 80,
        _ => 4,
    };
    let nodes = v.number("node_count").or_else(v.number("auto_scale.min_node_count")).or(3);
    c.add(format!("{size} ({nodes} nodes)"), "vCore-hours", nodes * cores * v.used("monthly_hours"));
    Ok(())
}

fn sql_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    c.hours(format!("DWU blocks ({sku})"), 1).with("sku", &sku);
    c.usage("Storage", "TB", v.used("storage_tb"));
    if v.flag_or("geo_backup_policy_enabled", true) {
        c.usage("Geo-redundant disaster recovery", "TB", v.used("disaster_recovery_tb").or_else(v.used("storage_tb")));
    }
    Ok(())
}

fn hdinsight(v: &View<'_>, c: &mut Cost) -> Ruled {
    let node = |c: &mut Cost, name: &str, role: &str, count: Quantity| {
        if let Some(size) = v.text(&format!("roles.{role}.vm_size")) {
            c.hours(format!("{name} ({size})"), count).with("size", &size);
        }
    };
    let workers = v.number("roles.worker_node.target_instance_count").or(1);
    node(c, "Head node", "head_node", Quantity::of(2));
    node(c, "Worker node", "worker_node", workers);
    node(c, "Zookeeper node", "zookeeper_node", Quantity::of(3));
    node(c, "Edge node", "edge_node", v.number("roles.edge_node.target_instance_count").or(1));
    let disks = v.number("roles.worker_node.number_of_disks_per_node");
    if disks.is_set() {
        let all = disks * workers;
        c.add("Managed OS disks", "months", all);
        c.usage("Disk operations", "100K operations", v.used("monthly_os_disk_operations") * all).per(100_000);
    }
    Ok(())
}

fn databricks(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("All-purpose compute DBUs", "DBU-hours", "monthly_all_purpose_compute_dbu_hrs", 1),
            ("Jobs compute DBUs", "DBU-hours", "monthly_jobs_compute_dbu_hrs", 1),
            ("Jobs light compute DBUs", "DBU-hours", "monthly_jobs_light_compute_dbu_hrs", 1),
        ],
    );
    let sku = v.text_or("sku", "standard");
    c.components.iter_mut().for_each(|component| {
        component.with("sku", &sku);
    });
    Ok(())
}

fn powerbi(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.need("sku_name")?;
    c.hours(format!("Node usage ({sku})"), 1).with("sku", &sku);
    Ok(())
}
