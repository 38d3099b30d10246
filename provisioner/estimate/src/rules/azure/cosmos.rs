//! Cosmos DB: databases and containers of every interface; the account says where and how they are kept.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, Unpriced, View, azure_region};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_cosmosdb_cassandra_keyspace", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_cassandra_table", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_gremlin_database", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_gremlin_graph", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_mongo_collection", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_mongo_database", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_sql_container", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_sql_database", "Azure Cosmos DB", database),
    ("azurerm_cosmosdb_table", "Azure Cosmos DB", database),
];

/// How the cloud writes regions that people know by other words.
fn display(location: &str) -> String {
    const NAMES: [(&str, &str); 44] = [
        ("australiacentral", "Australia Central"),
        ("australiaeast", "Australia East"),
        ("australiasoutheast", "Australia Southeast"),
        ("brazilsouth", "Brazil South"),
        ("canadacentral", "Canada Central"),
        ("canadaeast", "Canada East"),
        ("centralindia", "Central India"),
        ("centralus", "Central US"),
        ("eastasia", "East Asia"),
        ("eastus", "East US"),
        ("eastus2", "East US 2"),
        ("francecentral", "France Central"),
        ("francesouth", "France South"),
        ("germanynorth", "Germany North"),
        ("germanywestcentral", "Germany West Central"),
        ("italynorth", "Italy North"),
        ("japaneast", "Japan East"),
        ("japanwest", "Japan West"),
        ("koreacentral", "Korea Central"),
        ("koreasouth", "Korea South"),
        ("northcentralus", "North Central US"),
        ("northeurope", "North Europe"),
        ("norwayeast", "Norway East"),
        ("norwaywest", "Norway West"),
        ("polandcentral", "Poland Central"),
        ("qatarcentral", "Qatar Central"),
        ("southafricanorth", "South Africa North"),
        ("southafricawest", "South Africa West"),
        ("southcentralus", "South Central US"),
        ("southeastasia", "Southeast Asia"),
        ("southindia", "South India"),
        ("swedencentral", "Sweden Central"),
        ("switzerlandnorth", "Switzerland North"),
        ("switzerlandwest", "Switzerland West"),
        ("uaecentral", "UAE Central"),
        ("uaenorth", "UAE North"),
        ("uksouth", "UK South"),
        ("ukwest", "UK West"),
        ("westcentralus", "West Central US"),
        ("westeurope", "West Europe"),
        ("westindia", "West India"),
        ("westus", "West US"),
        ("westus2", "West US 2"),
        ("westus3", "West US 3"),
    ];
    let region = azure_region(location);
    NAMES.iter().find(|(k, _)| *k == region).map_or_else(|| location.to_owned(), |(_, name)| (*name).to_owned())
}

fn database(v: &View<'_>, c: &mut Cost) -> Ruled {
    const PARENTS: [&str; 4] = [
        "azurerm_cosmosdb_mongo_database",
        "azurerm_cosmosdb_sql_database",
        "azurerm_cosmosdb_gremlin_database",
        "azurerm_cosmosdb_cassandra_keyspace",
    ];
    const ACCOUNT: [&str; 1] = ["azurerm_cosmosdb_account"];
    let above =
        ["database_name", "cassandra_keyspace_id", "keyspace_name"].iter().find_map(|p| v.refers_to(p, &PARENTS));
    let account =
        above.and_then(|a| a.refers_to("account_name", &ACCOUNT)).or_else(|| v.refers_to("account_name", &ACCOUNT));
    let account = account.ok_or_else(|| Unpriced::Unknown("account_name".into()))?;
    let places = account.blocks("geo_location");
    let throughput = v.number("throughput");
    let most = v.number("autoscale_settings.max_throughput");
    let multiple = account.flag("enable_multiple_write_locations") || account.flag("multiple_write_locations_enabled");
    let writes = if multiple { "multiple" } else { "single" };
    if most.is_set() {
        // Autoscaled units cost half more each, and follow what is used.
        let used = v.used("max_request_units_utilization_percentage");
        for place in &places {
            let name = display(&place.text_or("location", ""));
            let units = most * 3 / 2 / 100 * used / 100;
            let component = c.hourly(format!("Provisioned throughput (autoscale, {name})"), "RU/s x 100", units);
            component.by_usage().scaled(730).with("location", place.text_or("location", "")).with("writes", writes);
        }
    } else if throughput.is_set() {
        for place in &places {
            let name = display(&place.text_or("location", ""));
            // Kept in several zones, a region's units cost a quarter more.
            let zones = if place.flag("zone_redundant") { Quantity::decimal("1.25") } else { Quantity::of(1) };
            let component = c.hourly(
                format!("Provisioned throughput (provisioned, {name})"),
                "RU/s x 100",
                throughput / 100 * zones,
            );
            component.scaled(730).with("location", place.text_or("location", "")).with("writes", writes);
        }
    } else {
        c.usage("Provisioned throughput (serverless)", "1M RU", v.used("monthly_serverless_request_units"))
            .per(1_000_000);
    }
    let storage = v.used("storage_gb");
    let each = |c: &mut Cost, name: &str, unit: &str, quantity: Quantity, per: i64| {
        for place in &places {
            let place = place.text_or("location", "");
            c.usage(format!("{name} ({})", display(&place)), unit, quantity).per(per).with("location", place);
        }
    };
    each(c, "Transactional storage", "GB", storage, 1);
    if account.flag("analytical_storage_enabled") {
        each(c, "Analytical storage", "GB", storage, 1);
        each(
            c,
            "Analytical write operations",
            "10K operations",
            v.used("monthly_analytical_storage_write_operations"),
            10_000,
        );
        each(
            c,
            "Analytical read operations",
            "10K operations",
            v.used("monthly_analytical_storage_read_operations"),
            10_000,
        );
    }
    if account.text_or("backup.type", "Periodic") == "Continuous" {
        each(c, "Continuous backup", "GB", storage, 1);
    } else {
        // Two copies are in the price.
        let interval = account.number("backup.interval_in_minutes").or(240);
        let copies = (account.number("backup.retention_in_hours").or(8) * 60 / interval).floor().above(2);
        each(c, "Periodic backup", "GB", storage * copies, 1);
    }
    c.usage("Restored data", "GB", v.used("monthly_restored_data_gb"));
    Ok(())
}
