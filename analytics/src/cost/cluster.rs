//! Kubernetes nodes, hour by hour: what each has and who uses it, from kube-state-metrics and cAdvisor by PromQL.
//!
//! Averages over an hour count the time that something did not run as nothing: a sum over steps of five minutes, divided by twelve.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grid_cost::Weights;
use grid_cost::cluster::{Capacity, Proportion, Use, share_node};
use grid_cost::rules::Metric;
use grid_cost::weights::User;
use grid_model::resource::ResourceKey;
use grid_model::{TenantId, Timestamp};

use super::CostError;
use super::measure::{Hours, Measured};
use crate::engine::Engine;

/// Averages of an hour, by container. Series of the pause container and of whole pods (without a container's name) would count twice.
const REQUESTS: &str = "sum by (cluster, namespace, pod, container, node) (sum_over_time((kube_pod_container_resource_requests{resource=\"RESOURCE\"})[1h:5m])) / 12";
const CPU_USAGE: &str = "sum by (cluster, namespace, pod, container, node) (increase(container_cpu_usage_seconds_total{container!=\"\",container!=\"POD\"}[1h])) / 3600";
const RAM_USAGE: &str = "sum by (cluster, namespace, pod, container, node) (sum_over_time((container_memory_working_set_bytes{container!=\"\",container!=\"POD\"})[1h:5m])) / 12";
const CAPACITY: &str = "max by (cluster, node) (max_over_time(kube_node_status_capacity{resource=\"RESOURCE\"}[1h]))";
const NODES: &str = "max by (cluster, node, provider_id) (max_over_time(kube_node_info[1h]))";
const POD_NODES: &str = "max by (cluster, namespace, pod, node) (max_over_time(kube_pod_info{node!=\"\"}[1h]))";
const OWNERS: &str = "max by (cluster, namespace, pod, owner_kind, owner_name) (max_over_time(kube_pod_owner[1h]))";
const POD_LABELS: &str = "max by (cluster, namespace, pod, LABEL) (max_over_time(kube_pod_labels[1h]))";
const NETWORK: &str = "sum by (cluster, namespace, pod) (increase(container_network_transmit_bytes_total[1h]))";

/// One container of one pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Container {
    /// The cluster; empty if there is one only.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

/// One node in one hour.
#[derive(Debug, Clone, Default)]
pub struct NodeHour {
    /// What it has.
    pub capacity: Capacity,
    /// Who used it.
    pub uses: BTreeMap<Container, Use>,
}

/// One node.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// The provider's id, as Kubernetes spells it.
    pub provider_id: String,
    /// By the hour's start.
    pub hours: BTreeMap<Timestamp, NodeHour>,
}

impl Node {
    /// The key by which bills know it.
    pub fn key(&self) -> Option<ResourceKey> {
        ResourceKey::of_id(&self.provider_id)
    }
}

/// What is known of pods beside their use.
#[derive(Debug, Clone, Default)]
pub struct PodFacts {
    /// `deployment:cart`: what owns it, a ReplicaSet seen through to its Deployment.
    pub controller: String,
    /// `kind`.
    pub controller_kind: String,
    /// Bytes sent, by the hour's start.
    pub sent_bytes: BTreeMap<Timestamp, f64>,
    /// The label that names the owner, if rules ask for one.
    pub owner_label: String,
}

/// All nodes of a tenant's clusters between two instants.
#[derive(Debug, Clone, Default)]
pub struct Clusters {
    /// By cluster and name.
    pub nodes: BTreeMap<(String, String), Node>,
    /// By cluster, namespace and pod.
    pub pods: HashMap<(String, String, String), PodFacts>,
}

impl Engine {
    /// Nodes and their use between two instants. `owner_label` names a label of pods to read along, as kube-state-metrics spells it
    /// (`label_team`).
    pub async fn clusters(
        &self,
        tenant: &TenantId,
        from: Timestamp,
        until: Timestamp,
        owner_label: Option<&str>,
    ) -> Result<Clusters, CostError> {
        let hours = Hours { engine: self, tenant, from, until };
        let mut clusters = Clusters::default();
        for series in hours.of_cluster(NODES).await? {
            let node = clusters.node(&series);
            let id = series.label("provider_id");
            if !id.is_empty() {
                id.clone_into(&mut node.provider_id);
            }
        }
        let capacities: [(&str, fn(&mut Capacity, f64)); 3] = [
            ("cpu", |c, v| c.cpu_cores = v),
            ("memory", |c, v| c.ram_bytes = v),
            ("nvidia_com_gpu", |c, v| c.gpus = v),
        ];
        for (resource, set) in capacities {
            for series in hours.of_cluster(&CAPACITY.replace("RESOURCE", resource)).await? {
                let node = clusters.node(&series);
                for (hour, value) in &series.hours {
                    set(&mut node.hours.entry(*hour).or_default().capacity, *value);
                }
            }
        }
        // cAdvisor behind some scrapers does not say on which node a pod is; kube_pod_info does, per hour.
        let mut node_of: HashMap<(String, String, String), String> = HashMap::new();
        for series in hours.of_cluster(POD_NODES).await? {
            node_of.insert(pod_key(&series), series.label("node").to_owned());
        }
        let queries: [(String, fn(&mut Use, f64)); 5] = [
            (REQUESTS.replace("RESOURCE", "cpu"), |u, v| u.cpu_request += v),
            (REQUESTS.replace("RESOURCE", "memory"), |u, v| u.ram_request += v),
            (REQUESTS.replace("RESOURCE", "nvidia_com_gpu"), |u, v| u.gpus += v),
            (CPU_USAGE.to_owned(), |u, v| u.cpu_usage += v),
            (RAM_USAGE.to_owned(), |u, v| u.ram_usage += v),
        ];
        for (query, add) in queries {
            for series in hours.of_cluster(&query).await? {
                let pod = pod_key(&series);
                let named = Some(series.label("node")).filter(|n| !n.is_empty()).map(str::to_owned);
                let Some(node) = named.or_else(|| node_of.get(&pod).cloned()) else { continue };
                let container = Container {
                    cluster: pod.0.clone(),
                    namespace: pod.1.clone(),
                    pod: pod.2.clone(),
                    container: series.label("container").to_owned(),
                };
                let Some(node) = clusters.nodes.get_mut(&(pod.0, node)) else { continue };
                for (hour, value) in series.hours.iter().filter(|(_, v)| v.is_finite()) {
                    let uses = &mut node.hours.entry(*hour).or_default().uses;
                    add(uses.entry(container.clone()).or_default(), *value);
                }
            }
        }
        for series in hours.of_cluster(OWNERS).await? {
            let (kind, name) = controller(series.label("owner_kind"), series.label("owner_name"));
            let facts = clusters.pods.entry(pod_key(&series)).or_default();
            (facts.controller_kind, facts.controller) = (kind, name);
        }
        for series in hours.of_cluster(NETWORK).await? {
            clusters.pods.entry(pod_key(&series)).or_default().sent_bytes.extend(series.hours.iter().copied());
        }
        if let Some(label) = owner_label.filter(|l| is_label(l)) {
            for series in hours.of_cluster(&POD_LABELS.replace("LABEL", label)).await? {
                series.label(label).clone_into(&mut clusters.pods.entry(pod_key(&series)).or_default().owner_label);
            }
        }
        Ok(clusters)
    }

    /// Weights of each node's cost: who holds how much of it, and what is idle.
    pub(super) async fn measure_cluster(
        &self,
        tenant: &TenantId,
        name: &str,
        metric: &Metric,
        from: Timestamp,
        until: Timestamp,
        weights: &mut Weights,
    ) -> Result<(), CostError> {
        let label = Some(metric.owner.as_str()).filter(|o| o.starts_with("label_"));
        let clusters = self.clusters(tenant, from, until, label).await?;
        for node in clusters.nodes.values() {
            let Some(key) = node.key() else { continue };
            // Where the bill names the scale set and not its machines, all of them weigh together.
            let keys: Vec<ResourceKey> = key.parent().into_iter().chain([key]).collect();
            for (hour, at) in &node.hours {
                let uses: Vec<Use> = at.uses.values().copied().collect();
                let (parts, idle) = share_node(&at.capacity, &uses, &Proportion::default());
                let named = Some(node.cluster.as_str()).filter(|c| !c.is_empty());
                let dimensions = named.into_iter().map(|c| (Arc::from("cluster"), Arc::from(c))).collect();
                let nobody = User { owner: None, dimensions };
                for key in &keys {
                    for (container, part) in at.uses.keys().zip(&parts) {
                        weights.add(name, key.as_str(), *hour, clusters.user(container, &metric.owner), part.total());
                    }
                    weights.add(name, key.as_str(), *hour, nobody.clone(), idle.total());
                }
            }
        }
        Ok(())
    }
}

impl Clusters {
    fn node(&mut self, series: &Measured) -> &mut Node {
        let (cluster, name) = (series.label("cluster").to_owned(), series.label("node").to_owned());
        self.nodes.entry((cluster.clone(), name.clone())).or_insert_with(|| Node { cluster, name, ..Node::default() })
    }

    /// What is known of a container's pod.
    pub fn facts(&self, container: &Container) -> Option<&PodFacts> {
        self.pods.get(&(container.cluster.clone(), container.namespace.clone(), container.pod.clone()))
    }

    /// A container as an owner: by namespace, controller, or a label of its pod (the namespace where it has none).
    fn user(&self, container: &Container, owner: &str) -> User {
        let facts = self.facts(container);
        let controller = facts.map_or("", |f| f.controller.as_str());
        let labelled = facts.map(|f| f.owner_label.as_str()).filter(|l| !l.is_empty());
        let name = match owner {
            "controller" if !controller.is_empty() => controller,
            o if o.starts_with("label_") => labelled.unwrap_or(&container.namespace),
            _ => &container.namespace,
        };
        let dimensions =
            [("cluster", container.cluster.as_str()), ("namespace", &container.namespace), ("controller", controller)];
        let dimensions =
            dimensions.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (Arc::from(k), Arc::from(v)));
        User { owner: Some(Arc::from(name)), dimensions: dimensions.collect() }
    }
}

fn pod_key(series: &Measured) -> (String, String, String) {
    (series.label("cluster").to_owned(), series.label("namespace").to_owned(), series.label("pod").to_owned())
}

/// A ReplicaSet's name is its Deployment's and a hash.
fn controller(kind: &str, name: &str) -> (String, String) {
    match (kind, name.rsplit_once('-')) {
        ("ReplicaSet", Some((deployment, _))) => ("deployment".to_owned(), deployment.to_owned()),
        _ => (kind.to_ascii_lowercase(), name.to_owned()),
    }
}

/// Whether a text is a label's name, so that it can stand in an expression.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
