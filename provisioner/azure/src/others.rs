//! What else is there, by the Resource Manager's own list: each by its type, under Grid's kind where there is one. It is cached by Azure and minutes
//! behind, which is soon enough for an inventory; nothing that is driven is looked for in it.

use std::collections::BTreeMap;

use grid_act::native::failure::Failure;
use grid_act::native::seen::Seen;
use serde_json::Value;

use crate::account::{tags, text};
use crate::client::Azure;

/// Everything but the kinds that are listed by themselves.
pub(crate) async fn others(azure: &Azure) -> Vec<(String, Result<Vec<Seen>, Failure>)> {
    let path = format!("{}/resources?api-version=2021-04-01", azure.scope());
    let listed = match azure.list("list resources", path).await {
        Ok(listed) => listed,
        Err(failure) => return vec![("resources".to_owned(), Err(failure))],
    };
    let mut all: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for resource in &listed {
        let (Some(id), Some(of)) = (text(resource, "/id"), text(resource, "/type")) else { continue };
        let kind = kind_of(of, text(resource, "/kind").unwrap_or_default());
        if !crate::KINDS.contains(&kind.as_str()) {
            all.entry(kind).or_default().push(seen(resource, id));
        }
    }
    all.into_iter().map(|(kind, rows)| (kind, Ok(rows))).collect()
}

fn seen(resource: &Value, id: &str) -> Seen {
    let (tags, marks) = tags(resource);
    Seen {
        id: id.to_owned(),
        full_name: id.to_ascii_lowercase(),
        name: text(resource, "/name").unwrap_or_default().to_owned(),
        region: text(resource, "/location").unwrap_or_default().to_owned(),
        tags,
        marks,
        ..Seen::default()
    }
}

/// Grid's kind of a type, else the type itself in small letters.
fn kind_of(of: &str, variant: &str) -> String {
    let of = of.to_ascii_lowercase();
    let known = match of.as_str() {
        "microsoft.compute/virtualmachines" => "vm",
        "microsoft.compute/virtualmachinescalesets" => "autoscaling_group",
        "microsoft.compute/disks" => "block_disk",
        "microsoft.network/virtualnetworks" => "network",
        "microsoft.network/natgateways" => "nat",
        "microsoft.network/networksecuritygroups" => "firewall",
        "microsoft.network/applicationgateways" => "l7_load_balancer",
        "microsoft.network/loadbalancers" => "l4_load_balancer",
        "microsoft.network/dnszones" => "dns_zone",
        "microsoft.network/frontdoorwebapplicationfirewallpolicies"
        | "microsoft.network/applicationgatewaywebapplicationfirewallpolicies" => "waf",
        "microsoft.cdn/profiles" => "cdn",
        "microsoft.storage/storageaccounts" => "object_store",
        "microsoft.containerservice/managedclusters" => "kubernetes_cluster",
        "microsoft.dbforpostgresql/flexibleservers" => "postgresql",
        "microsoft.dbformysql/flexibleservers" => "mysql",
        "microsoft.documentdb/databaseaccounts" => "nosql",
        "microsoft.cache/redis" | "microsoft.cache/redisenterprise" => "redis",
        "microsoft.eventhub/namespaces" => "kafka",
        "microsoft.web/sites" if variant.contains("functionapp") => "function",
        "microsoft.app/containerapps" => "container_service",
        "microsoft.containerregistry/registries" => "registry",
        "microsoft.managedidentity/userassignedidentities" => "workload_identity",
        "microsoft.dataprotection/backupvaults" => "backup_plan",
        _ => return of,
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_tell_kinds() {
        for (of, variant, kind) in [
            ("Microsoft.Compute/disks", "", "block_disk"),
            ("Microsoft.Web/sites", "functionapp,linux", "function"),
            ("Microsoft.Web/sites", "app", "microsoft.web/sites"),
            ("Microsoft.New/things", "", "microsoft.new/things"),
        ] {
            assert_eq!(kind_of(of, variant), kind, "{of}");
        }
    }
}
