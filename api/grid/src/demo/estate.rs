//! What the company has written down of its machines on AWS: a spec of resources, the ids of those that exist, list prices, and how its people release.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Demo;
use super::company::{Cloud, MACHINE_TYPES, Pool};

/// The blueprint's name.
pub(crate) const BLUEPRINT: &str = "nimbus";
/// What a GiB of disk costs a month by the list, in dollars.
const DISK_PRICE: &str = "0.08";
const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops";

/// A description of machines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estate {
    /// The spec, JSON.
    pub(crate) spec: String,
    /// The cloud's ids of what exists, by address.
    pub(crate) existing: BTreeMap<String, String>,
    /// Unit prices as CSV.
    pub(crate) prices: String,
    /// Addresses of the machines of each pool.
    pub(crate) pools: BTreeMap<&'static str, Vec<String>>,
}

impl Demo {
    /// The machines that the company runs on AWS.
    pub(crate) fn estate(&self) -> Estate {
        let mut resources = vec![json!({ "kind": "network", "name": "main", "fields": { "cidr": "10.0.0.0/16" } })];
        let mut existing = BTreeMap::from([("network.main".to_owned(), "vpc-0nimbus".to_owned())]);
        let mut pools: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for pool in [Pool::App, Pool::Search, Pool::Batch] {
            for (n, node) in self.world.company.pool(pool).enumerate() {
                let name = format!("{}-{}", pool.word(), n + 1);
                let fields = json!({ "network": "${network.main}", "ssh_public_key": SSH_KEY, "machine_type": { "aws": node.machine } });
                resources.push(json!({ "kind": "vm", "name": name, "fields": fields }));
                existing.insert(format!("vm.{name}"), node.resource_id.clone());
                pools.entry(pool.word()).or_default().push(format!("vm.{name}"));
            }
        }
        let mut prices = format!("component,price,currency\n\"Storage (general purpose SSD, gp3)\",{DISK_PRICE},USD\n");
        for of in MACHINE_TYPES {
            let price = of.price_nanos as f64 / 1e9;
            prices.push_str(&format!("\"Instance usage (Linux/UNIX, on-demand, {})\",{price},USD\n", of.name));
        }
        Estate { spec: json!({ "resources": resources }).to_string(), existing, prices, pools }
    }
}

/// The region of the machines.
pub(crate) fn region() -> &'static str {
    Cloud::Aws.region()
}

/// How production is released to: a person approves, the budget holds, nothing over the holidays, and afterwards the shop still answers.
pub(crate) fn settings(prices: &str) -> Value {
    json!({
        "budget": "20000",
        "prices": prices,
        "verify_hours": 0.1,
        "gates": [
            { "name": "people", "kind": "approval", "people": 1 },
            { "name": "money", "kind": "budget" },
            { "name": "calendar", "kind": "freeze" },
            { "name": "answers", "when": "after", "kind": "query", "language": "promql", "at_most": 0.9,
              "query": "sum(rate(http_requests_total{status=~\"5..\"}[30m])) / sum(rate(http_requests_total[30m]))" },
        ],
        "freezes": [{ "why": "holidays", "from": "2199-12-23T00:00:00Z", "until": "2199-12-27T00:00:00Z" }],
    })
}
