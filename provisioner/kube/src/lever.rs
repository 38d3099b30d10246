//! What Grid can do to each kind, and where in which object that rests. The executor refuses what is not in this table; `docs/kubernetes.md` is made of
//! it, and a test goes through it against an API server.

use grid_plan::Path;

/// One thing that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lever {
    /// To which kind.
    pub kind: &'static str,
    /// What.
    pub does: Does,
    /// Where that rests.
    pub at: &'static str,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It is made.
    Create,
    /// A field is changed where it is.
    Change(&'static str),
    /// A field that is read, and set only when the resource is made; a change makes it anew.
    Fix(&'static str),
    /// It is deleted.
    Destroy,
}

impl Lever {
    /// The field that it is about.
    pub fn field(&self) -> Option<&'static str> {
        match self.does {
            Does::Change(name) | Does::Fix(name) => Some(name),
            Does::Create | Does::Destroy => None,
        }
    }

    /// Whether it is about this field or what holds it.
    pub fn holds(&self, path: &Path) -> bool {
        self.field().is_some_and(|name| Path::parse(name).is_ok_and(|p| p.holds(path)))
    }
}

/// The levers of a kind.
pub fn levers_of(kind: &str) -> impl Iterator<Item = &'static Lever> {
    LEVERS.iter().filter(move |l| l.kind == kind)
}

const fn lever(kind: &'static str, does: Does, at: &'static str) -> Lever {
    Lever { kind, does, at }
}

use Does::{Change, Create, Destroy, Fix};

/// All levers, kind by kind.
#[rustfmt::skip]
pub const LEVERS: &[Lever] = &[
    lever("container_service", Create, "Deployment or StatefulSet, Service, HorizontalPodAutoscaler"),
    lever("container_service", Change("desired"), "workload: `spec.replicas`"),
    lever("container_service", Change("min"), "HorizontalPodAutoscaler: `spec.minReplicas`"),
    lever("container_service", Change("max"), "HorizontalPodAutoscaler: `spec.maxReplicas`"),
    lever("container_service", Change("kubernetes.target_cpu_percent"), "HorizontalPodAutoscaler: `spec.metrics`"),
    lever("container_service", Change("cpu_milli"), "container: `resources.requests.cpu`"),
    lever("container_service", Change("memory_mib"), "container: `resources.requests.memory`"),
    lever("container_service", Change("kubernetes.cpu_limit_milli"), "container: `resources.limits.cpu`"),
    lever("container_service", Change("kubernetes.memory_limit_mib"), "container: `resources.limits.memory`"),
    lever("container_service", Change("image"), "container: `image`"),
    lever("container_service", Change("port"), "container: `ports`; Service: `spec.ports`"),
    lever("container_service", Change("env"), "container: `env`"),
    lever("container_service", Change("kubernetes.take_over"), "workload: annotation `grid/take-over`"),
    lever("container_service", Fix("network"), "`metadata.namespace`"),
    lever("container_service", Fix("kubernetes.workload"), "whether it is a Deployment or a StatefulSet"),
    lever("container_service", Destroy, "all that it was made of, and its HorizontalPodAutoscaler"),

    lever("block_disk", Create, "PersistentVolumeClaim, ReadWriteOnce"),
    lever("block_disk", Change("size_gib"), "`spec.resources.requests.storage`: it only grows"),
    lever("block_disk", Change("kubernetes.take_over"), "annotation `grid/take-over`"),
    lever("block_disk", Fix("network"), "`metadata.namespace`"),
    lever("block_disk", Fix("kubernetes.storage_class"), "`spec.storageClassName`"),
    lever("block_disk", Destroy, "PersistentVolumeClaim"),

    lever("file_store", Create, "PersistentVolumeClaim, ReadWriteMany"),
    lever("file_store", Change("size_gib"), "`spec.resources.requests.storage`: it only grows"),
    lever("file_store", Change("kubernetes.take_over"), "annotation `grid/take-over`"),
    lever("file_store", Fix("network"), "`metadata.namespace`"),
    lever("file_store", Fix("kubernetes.storage_class"), "`spec.storageClassName`"),
    lever("file_store", Destroy, "PersistentVolumeClaim"),

    lever("node_pool", Create, "Karpenter's NodePool"),
    lever("node_pool", Change("desired"), "`spec.replicas`, of a pool with a fixed number of nodes"),
    lever("node_pool", Change("max"), "`spec.limits.nodes`"),
    lever("node_pool", Change("kubernetes.cpu_limit_milli"), "`spec.limits.cpu`"),
    lever("node_pool", Change("kubernetes.memory_limit_mib"), "`spec.limits.memory`"),
    lever("node_pool", Change("kubernetes.take_over"), "annotation `grid/take-over`"),
    lever("node_pool", Fix("spot"), "`spec.template.spec.requirements`: `karpenter.sh/capacity-type`"),
    lever("node_pool", Fix("kubernetes.node_class"), "`spec.template.spec.nodeClassRef`"),
    lever("node_pool", Destroy, "NodePool"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::KINDS;

    #[test]
    fn every_lever_is_a_field_of_its_type() {
        for lever in LEVERS {
            assert!(KINDS.contains(&lever.kind));
            let Some(name) = lever.field() else { continue };
            let of = grid_types::find(lever.kind).unwrap();
            let is_known = name == "desired" || name.starts_with("kubernetes.") || of.field(name).is_some();
            // A claim is in a namespace like everything else, though no cloud's disk is in a network.
            assert!(is_known || (lever.kind, name) == ("block_disk", "network"), "{} has no field {name}", lever.kind);
        }
    }

    #[test]
    fn every_kind_can_be_made_changed_and_deleted() {
        for kind in KINDS {
            let all: Vec<Does> = levers_of(kind).map(|l| l.does).collect();
            assert!(all.contains(&Create) && all.contains(&Destroy), "{kind}");
            assert!(all.iter().any(|d| matches!(d, Change(_))), "{kind}");
        }
    }
}
