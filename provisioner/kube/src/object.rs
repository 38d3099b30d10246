//! Sorts of objects, how one is named, and the names under which Grid marks what it has changed.

use std::fmt;

use grid_plan::Address;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use crate::limits::NAME_MAX;

/// The field manager: under this name the cluster remembers which fields Grid has set.
pub const MANAGER: &str = "grid";
/// The label with the token of the last action: put on with the change itself, on the object that is changed last.
pub const TOKEN_LABEL: &str = "grid/token";
/// The annotation with the address that Grid knows an object under.
pub const RESOURCE_ANNOTATION: &str = "grid/resource";
/// The annotation with the fields that were said to be taken over.
pub const TAKE_OVER_ANNOTATION: &str = "grid/take-over";
/// The label by which a service finds the pods of a workload that was made here.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";

/// A sort of objects.
#[derive(Debug, PartialEq, Eq)]
pub struct Sort {
    /// Its API group; empty for the core.
    pub group: &'static str,
    /// The version of it that is spoken.
    pub version: &'static str,
    /// Its name, such as `Deployment`.
    pub kind: &'static str,
    /// Its name in paths.
    pub plural: &'static str,
    /// Whether each is in a namespace.
    pub is_namespaced: bool,
}

const fn namespaced(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Sort {
    Sort { group, version, kind, plural, is_namespaced: true }
}

/// Stateless workloads.
pub static DEPLOYMENT: Sort = namespaced("apps", "v1", "Deployment", "deployments");
/// Workloads with names and disks of their own.
pub static STATEFUL_SET: Sort = namespaced("apps", "v1", "StatefulSet", "statefulsets");
/// What moves the number of a workload's pods.
pub static AUTOSCALER: Sort = namespaced("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
/// Addresses of workloads.
pub static SERVICE: Sort = namespaced("", "v1", "Service", "services");
/// Claims of storage.
pub static CLAIM: Sort = namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
/// Karpenter's pools of nodes.
pub static NODE_POOL: Sort = Sort { is_namespaced: false, ..namespaced("karpenter.sh", "v1", "NodePool", "nodepools") };
/// Workloads that run on every node.
pub static DAEMON_SET: Sort = namespaced("apps", "v1", "DaemonSet", "daemonsets");
/// Machines.
pub static NODE: Sort = Sort { is_namespaced: false, ..namespaced("", "v1", "Node", "nodes") };

impl Sort {
    /// As objects say it: `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As the client wants it.
    pub(crate) fn resource(&self) -> ApiResource {
        let gvk = GroupVersionKind::gvk(self.group, self.version, self.kind);
        ApiResource::from_gvk_with_plural(&gvk, self.plural)
    }
}

/// One object: `NAMESPACE/deployment/NAME`, or `nodepool/NAME` where there are no namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// What it is.
    pub sort: &'static Sort,
    /// Where it is; empty where there are no namespaces.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

impl Id {
    /// Of a sort.
    pub fn new(sort: &'static Sort, namespace: &str, name: &str) -> Self {
        let namespace = if sort.is_namespaced { namespace } else { "" };
        Self { sort, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// From its text. Where it says no sort it is of the first of `sorts`; `None` if it is of none of them, or no id.
    pub fn parse(text: &str, sorts: &[&'static Sort]) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let first = *sorts.first()?;
        let of = |word: &str| {
            let is = |s: &&&'static Sort| [s.kind, s.plural].iter().any(|n| n.eq_ignore_ascii_case(word));
            sorts.iter().find(is).copied()
        };
        let (sort, namespace, name) = match parts.as_slice() {
            [name] if !first.is_namespaced => (first, "", *name),
            [word, name] if !first.is_namespaced => (of(word)?, "", *name),
            [namespace, name] => (first, *namespace, *name),
            [namespace, word, name] if first.is_namespaced => (of(word)?, *namespace, *name),
            _ => return None,
        };
        let is_word = |text: &str| {
            text.len() <= 253
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
                && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        };
        (is_word(name) && (is_word(namespace) || !sort.is_namespaced)).then(|| Self::new(sort, namespace, name))
    }

    /// The same name and place, of another sort.
    pub fn beside(&self, sort: &'static Sort) -> Self {
        Self::new(sort, &self.namespace, &self.name)
    }

    /// Of an object that was read.
    pub(crate) fn of(sort: &'static Sort, object: &Value) -> Self {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        Self::new(sort, text("/metadata/namespace"), text("/metadata/name"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.sort.kind.to_ascii_lowercase();
        if self.sort.is_namespaced {
            write!(f, "{}/{kind}/{}", self.namespace, self.name)
        } else {
            write!(f, "{kind}/{}", self.name)
        }
    }
}

/// The name of what is made for an address: a label of DNS.
pub(crate) fn name_of(address: &Address) -> String {
    let mut name = String::with_capacity(NAME_MAX);
    for c in address.name().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }) {
        let starts = !name.is_empty() || c.is_ascii_alphabetic();
        if starts && name.len() < NAME_MAX {
            name.push(c);
        }
    }
    match name.trim_end_matches('-') {
        "" => MANAGER.to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        let workloads = [&DEPLOYMENT, &STATEFUL_SET];
        let check = |text: &str, sorts: &[&'static Sort], expected: Option<&str>| {
            let id = Id::parse(text, sorts);
            assert_eq!(id.as_ref().map(Id::to_string).as_deref(), expected, "{text}");
            if let Some(id) = id {
                assert_eq!(Id::parse(&id.to_string(), sorts), Some(id));
            }
        };
        check("shop/web", &workloads, Some("shop/deployment/web"));
        check("shop/deployments/web", &workloads, Some("shop/deployment/web"));
        check("shop/StatefulSet/db", &workloads, Some("shop/statefulset/db"));
        check("shop/service/web", &workloads, None);
        check("web", &workloads, None);
        check("a/b/c/d", &workloads, None);
        check("shop/Web", &workloads, None);
        check("../web", &workloads, None);
        check("general", &[&NODE_POOL], Some("nodepool/general"));
        check("nodepool/general", &[&NODE_POOL], Some("nodepool/general"));
        check("shop/nodepool/general", &[&NODE_POOL], None);
    }

    #[test]
    fn names_are_labels_of_dns() {
        for (address, expected) in [
            ("container_service.web", "web"),
            ("container_service.Web_2", "web-2"),
            ("container_service._", "grid"),
            ("container_service._9a_", "a"),
            (&format!("container_service.{}", "a".repeat(100)), &"a".repeat(NAME_MAX)),
        ] {
            assert_eq!(name_of(&Address::parse(address).unwrap()), expected);
        }
    }
}
