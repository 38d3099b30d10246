//! What the tests share: the harness of all drivers, objects as others would make them, and looks at what is there without Grid.

use anyhow::Context;
use grid_kube::object::{CLAIM, DEPLOYMENT, Id, NODE_POOL, Sort};
use grid_plan::{Address, Path};
use serde_json::{Value, json};

use crate::server::Cluster;

/// What every driver's suite does.
#[path = "../../../act/tests/world/mod.rs"]
pub(crate) mod world;

pub(crate) use world::{World, act, advice, allowed};

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A workload as its owner would make it without Grid: two containers, one of them meant.
pub(crate) fn workload(replicas: u32) -> Value {
    json!({"spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "theirs"}},
        "template": {
            "metadata": {"labels": {"app": "theirs"}, "annotations": {"kubectl.kubernetes.io/default-container": "main"}},
            "spec": {"containers": [
                {"name": "proxy", "image": "proxy:1", "resources": {"requests": {"cpu": "10m"}}},
                {"name": "main", "image": "shop:1", "ports": [{"containerPort": 9000}],
                    "env": [{"name": "LEVEL", "value": "info"},
                        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "resources": {"requests": {"cpu": "0.5", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}}]},
        },
    }})
}

/// An autoscaler as its owner would make it.
pub(crate) fn autoscaler(kind: &str, name: &str) -> Value {
    json!({"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
        "minReplicas": 2, "maxReplicas": 10,
        "metrics": [
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}}}],
    }})
}

/// A claim as its owner would make it.
pub(crate) fn claim(mode: &str) -> Value {
    json!({"spec": {"accessModes": [mode], "storageClassName": "grows", "resources": {"requests": {"storage": "33Gi"}}}})
}

/// A pool of nodes as its owner would make it.
pub(crate) fn pool() -> Value {
    json!({"spec": {"limits": {"cpu": "64", "memory": "256Gi"}, "template": {"spec": {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
        "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]}]}}}})
}

/// A class of storage whose claims may grow. Made once, whoever comes first.
pub(crate) async fn storage_class(cluster: &Cluster) {
    static CLASS: Sort = Sort {
        group: "storage.k8s.io",
        version: "v1",
        kind: "StorageClass",
        plural: "storageclasses",
        is_namespaced: false,
    };
    let class = json!({"provisioner": "example.com/none", "allowVolumeExpansion": true, "reclaimPolicy": "Delete"});
    let _ = cluster.create(&Id::new(&CLASS, "", "grows"), class).await;
}

/// Says that a claim has its volume, which a controller would.
pub(crate) async fn bind(cluster: &Cluster, namespace: &str, name: &str, size: &str) -> anyhow::Result<()> {
    let status = json!({"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}}});
    cluster.status(&Id::new(&CLAIM, namespace, name), status).await
}

/// Karpenter's resource, as far as Grid speaks of it: no Karpenter is here, only the shape of its objects.
pub(crate) async fn node_pools(cluster: &Cluster) -> anyhow::Result<()> {
    static DEFINITION: Sort = Sort {
        group: "apiextensions.k8s.io",
        version: "v1",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        is_namespaced: false,
    };
    let quantity = json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]});
    let text = json!({"type": "string"});
    let requirement = json!({"type": "object", "properties": {
        "key": text, "operator": text, "values": {"type": "array", "items": text, "x-kubernetes-list-type": "atomic"}}});
    let class = json!({"type": "object", "properties": {"group": text, "kind": text, "name": text}});
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "replicas": {"type": "integer"},
        "limits": {"type": "object", "additionalProperties": quantity},
        "template": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "nodeClassRef": class, "requirements": {"type": "array", "items": requirement}}}}}}}}});
    let definition = json!({"spec": {
        "group": "karpenter.sh", "scope": "Cluster",
        "names": {"kind": "NodePool", "plural": "nodepools", "singular": "nodepool", "listKind": "NodePoolList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
    }});
    let _ = cluster.create(&Id::new(&DEFINITION, "", "nodepools.karpenter.sh"), definition).await;
    for _ in 0..100 {
        if cluster.names(&NODE_POOL, "").await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("the resource does not come up")
}

/// An object that must be there.
pub(crate) async fn object(cluster: &Cluster, id: &Id) -> anyhow::Result<Value> {
    cluster.get(id).await?.with_context(|| format!("there is no {id}"))
}

/// What changes whenever an object does.
pub(crate) fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

pub(crate) fn deployment(namespace: &str, name: &str) -> Id {
    Id::new(&DEPLOYMENT, namespace, name)
}
