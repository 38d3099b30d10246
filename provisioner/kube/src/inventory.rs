//! What a cluster has: read, never changed. Kinds that Grid drives itself come with their fields; nodes, workloads that run on every node, and Services
//! of others by what they are. What may not be listed is named, and the rest is kept.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_plan::Fields;
use grid_plan::inventory::{Failed, Inventory, Row};
use grid_plan::state::Observed;
use serde_json::{Value, json};

use crate::KINDS;
use crate::client::Kube;
use crate::executor::gathered;
use crate::failure::Failure;
use crate::limits::ROWS_MAX;
use crate::native::native;
use crate::object::{DAEMON_SET, Id, NODE, SERVICE, Sort};
use crate::seen::{Seen, is_going, object, uid};

impl Kube {
    /// Reads what is there, in the whole cluster or in the one namespace that Grid works in.
    pub async fn inventory(&self, now: Timestamp) -> Inventory {
        let mut made = Making { cluster: &self.cluster, now, inventory: Inventory::default() };
        let scope = self.settings.namespace.as_deref();
        for kind in KINDS {
            let Some(driver) = native(kind) else { continue };
            let mut around = Vec::new();
            for sort in driver.around() {
                let listed = made.kept(sort.plural, self.list(sort, scope, None).await);
                around.extend(listed.into_iter().map(|object| (*sort, object)));
            }
            for sort in driver.sorts() {
                let listed = made.kept(kind, self.list(sort, scope, None).await);
                for main in listed.into_iter().filter(|o| driver.is(o) && !is_going(o)) {
                    made.push(kind, gathered(driver, Id::of(sort, &main), main, &around));
                }
            }
        }
        // Nodes are of no namespace: who works in one alone may not see them.
        let others: &[&'static Sort] = if scope.is_some() { &[&DAEMON_SET] } else { &[&DAEMON_SET, &NODE] };
        for sort in others.iter().copied().chain([&SERVICE]) {
            for main in made.kept(sort.plural, self.list(sort, scope, None).await) {
                let mut seen = Seen::new(Id::of(sort, &main), main, Vec::new());
                seen.fields = Fields::of_json(&told(sort, &seen.main));
                made.push(&format!("kubernetes:{}", sort.kind.to_ascii_lowercase()), seen);
            }
        }
        made.inventory.rows.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        made.inventory
    }
}

/// What is worth knowing of an object that Grid does not drive.
fn told(sort: &Sort, of: &Value) -> Value {
    let at = |pointer| of.pointer(pointer).cloned();
    let label = |key| of.pointer("/metadata/labels").and_then(|l| l.get(key)).cloned();
    object(match sort.kind {
        "Node" => json!({
            "machine_type": label("node.kubernetes.io/instance-type"),
            "zone": label("topology.kubernetes.io/zone"),
            "provider_id": at("/spec/providerID"),
            "cpu": at("/status/capacity/cpu"),
            "memory": at("/status/capacity/memory"),
        }),
        "Service" => json!({"type": at("/spec/type"), "cluster_ip": at("/spec/clusterIP")}),
        _ => json!({"image": at("/spec/template/spec/containers/0/image")}),
    })
}

struct Making<'a> {
    cluster: &'a str,
    now: Timestamp,
    inventory: Inventory,
}

impl Making<'_> {
    /// What was listed; if it was not, that is named. Sorts that the cluster does not have are no failure.
    fn kept(&mut self, what: &str, listed: Result<Vec<Value>, Failure>) -> Vec<Value> {
        listed.unwrap_or_else(|failure| {
            let is_known = self.inventory.failed.iter().any(|f| f.what == what);
            if !failure.is_gone() && !is_known {
                self.inventory.failed.push(Failed { what: what.to_owned(), why: failure.error.to_string() });
            }
            Vec::new()
        })
    }

    fn push(&mut self, kind: &str, seen: Seen) {
        if self.inventory.rows.len() >= ROWS_MAX {
            self.inventory.left_out += 1;
            return;
        }
        let labels = seen.main.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let tags: BTreeMap<String, String> =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        // Bills of clusters name what they allocate by its uid.
        let (full_name, name) = (uid(&seen.main).to_owned(), seen.id.name.clone());
        let Observed { id, fields, outputs, .. } = seen.observed();
        let (kind, region) = (kind.to_owned(), self.cluster.to_owned());
        self.inventory.rows.push(Row {
            kind,
            id,
            full_name,
            region,
            name,
            tags,
            fields,
            outputs,
            observed_at: self.now,
        });
    }
}
