//! A resource as objects of Kubernetes, as `kubectl apply` and repositories of Argo CD take them. It is what the executor would apply for a new one, without
//! the marks that it leaves.

use grid_plan::{Address, Fields};
use serde_json::{Value, json};

use crate::native::native;
use crate::object::{Id, Sort, name_of};
use crate::prepare::known;
use crate::seen::{Want, with_defaults};

/// Why a resource has no objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// There is no such thing in Kubernetes.
    #[error("a {0} is nothing in Kubernetes that Grid knows")]
    Kind(String),
    /// Its fields cannot be.
    #[error("{address}: {why}")]
    Fields {
        /// The resource.
        address: Address,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// The objects of a resource, the one that it is last. `namespace` is for what says none itself.
pub fn manifests(address: &Address, fields: &Fields, namespace: &str) -> Result<Vec<Value>, ManifestError> {
    let kind = address.kind();
    let driver = native(kind).ok_or_else(|| ManifestError::Kind(kind.to_owned()))?;
    let failed = |failure: crate::failure::Failure| ManifestError::Fields {
        address: address.clone(),
        why: failure.error.to_string(),
    };
    let fields = with_defaults(kind, fields);
    let want = Want { kind, fields: &fields };
    known(&want).map_err(failed)?;
    driver.check(None, &want).map_err(failed)?;
    let id = Id::new(driver.sort(&want).map_err(failed)?, want.text("network").unwrap_or(namespace), &name_of(address));
    let all = driver.make(&id, &want).map_err(failed)?;
    Ok(all.into_iter().map(|(id, body)| named(id.sort, &id, body)).collect())
}

/// All of them as one document of JSON, which `kubectl apply -f` takes as it takes YAML.
pub fn document(objects: &[Value]) -> String {
    format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": objects}))
}

fn named(sort: &Sort, id: &Id, mut body: Value) -> Value {
    body["apiVersion"] = Value::from(sort.api_version());
    body["kind"] = Value::from(sort.kind);
    body["metadata"]["name"] = Value::from(id.name.as_str());
    if sort.is_namespaced {
        body["metadata"]["namespace"] = Value::from(id.namespace.as_str());
    }
    body
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(address: &str, fields: Value, expected: Result<Value, &str>) {
        let address = Address::parse(address).unwrap();
        let made = manifests(&address, &Fields::of_json(&fields), "shop");
        match expected {
            Ok(expected) => assert_eq!(Value::Array(made.unwrap()), expected),
            Err(expected) => {
                let error = made.unwrap_err().to_string();
                assert!(error.contains(expected), "{error}");
            }
        }
    }

    #[test]
    fn resources_as_objects() {
        check(
            "container_service.web",
            json!({"image": "a:1", "env": {"A": "1"}, "kubernetes": {"memory_limit_mib": 2048}}),
            Ok(json!([
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": {
                    "type": "ClusterIP", "selector": {"app.kubernetes.io/name": "web"},
                    "ports": [{"name": "main", "port": 8080, "protocol": "TCP", "targetPort": 8080}]}},
                {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "web", "namespace": "shop"}, "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "minReplicas": 1, "maxReplicas": 4, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 70}}}]}},
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {
                    "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
                    "template": {"metadata": {"labels": {"app.kubernetes.io/name": "web"}}, "spec": {"containers": [{
                        "name": "web", "image": "a:1", "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                        "env": [{"name": "A", "value": "1"}],
                        "resources": {"requests": {"cpu": "500m", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}}}]}}}}
            ])),
        );
        check(
            "block_disk.data",
            json!({"size_gib": 20, "network": "db", "kubernetes": {"storage_class": "fast"}}),
            Ok(
                json!([{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "db"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                    "resources": {"requests": {"storage": "20Gi"}}}}]),
            ),
        );
        check(
            "node_pool.general",
            json!({"max": 5, "kubernetes": {"node_class": "karpenter.k8s.aws/EC2NodeClass/default"}}),
            Ok(json!([{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "general"}, "spec": {
                "limits": {"nodes": "5"}, "template": {"spec": {
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
                    "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]}}}}])),
        );
        check("vm.a", json!({}), Err("nothing in Kubernetes"));
        check("container_service.a", json!({}), Err("without image"));
        check("container_service.a", json!({"image": "a", "desired": 1, "max": 2}), Err("both would write it"));
        check("container_service.a", json!({"image": "a", "gpu": 1}), Err("gpu is not set in Kubernetes"));
        check(
            "container_service.a",
            json!({"image": "a", "kubernetes": {"workload": "Job"}}),
            Err("Deployment or StatefulSet"),
        );
        check("node_pool.a", json!({"kubernetes": {"node_class": "x"}}), Err("GROUP/KIND/NAME"));
    }

    /// As much of a document of YAML as tests compare.
    fn json_of(node: &grid_types::node::Node) -> Value {
        use grid_types::node::Tree;
        match &node.value {
            Tree::Null => Value::Null,
            Tree::Bool(b) => Value::from(*b),
            Tree::Integer(n) => Value::from(*n),
            Tree::Float(n) | Tree::Text(n) => Value::from(n.as_str()),
            Tree::List(items) => Value::Array(items.iter().map(json_of).collect()),
            Tree::Map(pairs) => {
                pairs.iter().map(|(k, v)| (json_of(k).as_str().unwrap().to_owned(), json_of(v))).collect()
            }
        }
    }

    /// Whether all that is said here is said there, too.
    fn holds(there: &Value, here: &Value) -> bool {
        match (there, here) {
            (Value::Object(there), Value::Object(here)) => {
                here.iter().all(|(key, value)| there.get(key).is_some_and(|v| holds(v, value)))
            }
            (Value::Array(there), Value::Array(here)) => here.iter().all(|item| there.iter().any(|v| holds(v, item))),
            (there, here) => there == here,
        }
    }

    #[test]
    fn recipes_say_what_the_driver_says() {
        use grid_types::{Cloud, Format, Spec, Target, render};
        let check = |address: &str, mut fields: Value, own: Value| {
            let (kind, name) = address.split_once('.').unwrap();
            let others = json!([{"kind": "network", "name": "main"},
                {"kind": "kubernetes_cluster", "name": "main", "fields": {"network": "${network.main}"}}]);
            let mut resources = others.as_array().unwrap().clone();
            let mut given = fields.clone();
            for (key, value) in own.as_object().unwrap() {
                match value {
                    Value::String(text) if text.starts_with("${") => given[key] = value.clone(),
                    value => fields[key] = value.clone(),
                }
            }
            resources.push(json!({"kind": kind, "name": name, "fields": given}));
            let spec = Spec::read(&json!({ "resources": resources }).to_string(), Format::Json).unwrap();
            let text = render(&spec, &Target::example(Cloud::Kubernetes)).unwrap().files["main.yaml"].clone();
            let rendered: Vec<Value> =
                text.split("---\n").map(|d| json_of(&grid_types::node::read(d, Format::Yaml).unwrap())).collect();
            let address = Address::parse(address).unwrap();
            for object in manifests(&address, &Fields::of_json(&fields), "shop-prod").unwrap() {
                assert!(rendered.iter().any(|r| holds(r, &object)), "{object:#}\n{text}");
            }
        };
        check(
            "container_service.web",
            json!({"image": "a:1", "port": 80, "cpu_milli": 1500, "min": 2, "max": 9, "env": {"A": "1"}}),
            json!({"network": "${network.main}"}),
        );
        check(
            "container_service.web",
            json!({"image": "a:1", "cpu_milli": 2000}),
            json!({"network": "${network.main}"}),
        );
        check("block_disk.data", json!({"size_gib": 20}), json!({}));
        check("file_store.files", json!({"size_gib": 2048}), json!({"network": "${network.main}"}));
        let class = json!({"node_class": "karpenter.k8s.aws/EC2NodeClass/default"});
        for spot in [true, false] {
            let own = json!({"cluster": "${kubernetes_cluster.main}", "kubernetes": class});
            check("node_pool.general", json!({"max": 5, "spot": spot}), own);
        }
    }
}
