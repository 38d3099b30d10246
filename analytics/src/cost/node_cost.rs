//! What containers cost: the bill of each node, hour by hour, shared out by requests and usage; volumes and load balancers by who claims them.
//! The parts of a node's hour sum to what the bill says of it; what nobody holds is idle.

use std::collections::{BTreeMap, HashMap};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use futures::StreamExt as _;
use grid_cost::cluster::{Capacity, Parts, Proportion, Use, share_node};
use grid_cost::split::{Weight, split};
use grid_model::resource::ResourceKey;
use grid_model::table::charges::decimal_type;
use grid_model::time::HOUR_NS;
use grid_model::{Amount, Scope, TenantId, Timestamp};

use super::cluster::{Clusters, Container, Node};
use super::measure::Hours;
use super::{CostError, charges, sql_time};
use crate::engine::Engine;
use crate::error::QueryError;

/// Hours of one question.
pub const HOURS_MAX: i64 = 24 * 93;
/// Charges of a machine that are for what it sends.
const IS_NETWORK: &str = "(coalesce(sku_meter, '') LIKE '%DataTransfer%' OR coalesce(service_subcategory, '') LIKE '%Network%' OR coalesce(service_category, '') = 'Networking')";

/// Costs of one kind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Processors.
    pub cpu: Amount,
    /// Memory.
    pub ram: Amount,
    /// GPUs.
    pub gpu: Amount,
    /// What was sent.
    pub network: Amount,
    /// Volumes.
    pub volume: Amount,
    /// Load balancers.
    pub load_balancer: Amount,
    /// What others left idle, if it is shared.
    pub shared: Amount,
}

impl Costs {
    /// All of them; `None` if the sum leaves 38 digits.
    pub fn total(&self) -> Option<Amount> {
        let all = [self.cpu, self.ram, self.gpu, self.network, self.volume, self.load_balancer, self.shared];
        all.into_iter().try_fold(Amount::ZERO, Amount::checked_add)
    }

    /// Adds others; `None` if a sum leaves 38 digits.
    pub fn add(&mut self, other: &Self) -> Option<()> {
        *self = Self {
            cpu: self.cpu.checked_add(other.cpu)?,
            ram: self.ram.checked_add(other.ram)?,
            gpu: self.gpu.checked_add(other.gpu)?,
            network: self.network.checked_add(other.network)?,
            volume: self.volume.checked_add(other.volume)?,
            load_balancer: self.load_balancer.checked_add(other.load_balancer)?,
            shared: self.shared.checked_add(other.shared)?,
        };
        Some(())
    }
}

/// One container, or what is idle, on one node in one hour.
#[derive(Debug, Clone, PartialEq)]
pub struct HourCost {
    /// The hour's start.
    pub hour: Timestamp,
    /// The cluster.
    pub cluster: String,
    /// The node; empty for what is of no node.
    pub node: String,
    /// The provider's id of the node.
    pub provider_id: String,
    /// The container; `None` = idle.
    pub container: Option<Container>,
    /// What owns the pod.
    pub controller: String,
    /// Which kind of thing that is.
    pub controller_kind: String,
    /// What it held.
    pub uses: Use,
    /// What that costs.
    pub costs: Costs,
}

/// The answer.
#[derive(Debug, Clone, Default)]
pub struct ClusterCosts {
    /// The currency of all costs; empty if there are none.
    pub currency: String,
    /// Other currencies in which nodes are billed; their costs are not in the answer.
    pub left_out: Vec<String>,
    /// By hour, node, container.
    pub hours: Vec<HourCost>,
    /// Nodes that no charge names, so that their cost is not known.
    pub unbilled_nodes: Vec<String>,
}

/// Costs of resources by key, hour and currency; of each, what is for the network.
type Billed = HashMap<ResourceKey, Bill>;
/// By hour and currency: what is for the machine, and what is for the network.
type Bill = BTreeMap<(Timestamp, String), (Amount, Amount)>;

impl Engine {
    /// Costs of containers between two instants, in one currency: the given one, or that in which most is billed.
    pub async fn cluster_costs(
        &self,
        tenant: &TenantId,
        from: Timestamp,
        until: Timestamp,
        currency: Option<&str>,
    ) -> Result<ClusterCosts, CostError> {
        if until.0.saturating_sub(from.0) > HOURS_MAX * HOUR_NS {
            return Err(CostError::Document(format!("the window has more than {HOURS_MAX} hours")));
        }
        let clusters = self.clusters(tenant, from, until, None).await?;
        let claims = self.claims(tenant, from, until).await?;
        let machines = clusters.nodes.values().filter_map(|n| n.key());
        let machines = machines.flat_map(|key| key.parent().into_iter().chain([key]));
        let wanted: Vec<ResourceKey> = machines.chain(claims.volumes.keys().cloned()).collect();
        let billed = self.billed_hours(tenant, from, until, &wanted, &claims).await?;
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for ((_, currency), (cost, network)) in billed.values().flatten() {
            let sum = sums.entry(currency).or_default();
            *sum = sum.saturating_add(cost.0).saturating_add(network.0);
        }
        let largest = sums.iter().max_by_key(|(_, sum)| **sum).map(|(c, _)| (*c).to_owned());
        let currency = currency.map(str::to_owned).or(largest).unwrap_or_default();
        let left_out = sums.keys().filter(|c| **c != currency).map(|c| (*c).to_owned()).collect();
        let mut answer = ClusterCosts { currency, left_out, ..ClusterCosts::default() };
        answer.add_nodes(&clusters, &billed).ok_or_else(too_large)?;
        answer.add_claims(&clusters, &claims, &billed).ok_or_else(too_large)?;
        answer.hours.sort_by(|a, b| {
            (a.hour, &a.cluster, &a.node, &a.container).cmp(&(b.hour, &b.cluster, &b.node, &b.container))
        });
        Ok(answer)
    }

    async fn billed_hours(
        &self,
        tenant: &TenantId,
        from: Timestamp,
        until: Timestamp,
        wanted: &[ResourceKey],
        claims: &Claims,
    ) -> Result<Billed, CostError> {
        let aliases = self.resource_aliases(tenant).await?;
        let keys: std::collections::HashSet<&ResourceKey> = wanted.iter().collect();
        let source = self.shared.source(&Scope::all(tenant.clone()));
        let sql = format!(
            "SELECT resource_id, charge_period_start, charge_period_end, billing_currency, {IS_NETWORK} AS net, sum(effective_cost) \
             FROM charges WHERE resource_id IS NOT NULL AND charge_period_start < {} AND charge_period_end > {} GROUP BY 1, 2, 3, 4, 5",
            sql_time(until),
            sql_time(from)
        );
        let mut stream = charges::execute(&self.shared, &source, &sql).await?;
        let mut billed = Billed::new();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| QueryError::from_datafusion(&e))?;
            let as_type = |i: usize, kind: &DataType| {
                cast(batch.column(i), kind).map_err(|e| CostError::Query(QueryError::Internal(e.to_string())))
            };
            let (resources, currencies) = (as_type(0, &DataType::Utf8)?, as_type(3, &DataType::Utf8)?);
            let (starts, ends) = (as_type(1, &DataType::Int64)?, as_type(2, &DataType::Int64)?);
            let costs = as_type(5, &decimal_type())?;
            for row in 0..batch.num_rows() {
                let Some(key) = ResourceKey::of_id(resources.as_string::<i32>().value(row)) else { continue };
                let start = Timestamp(starts.as_primitive::<Int64Type>().value(row));
                let key = aliases.resolve(&key, start).0;
                if !keys.contains(&key) && claims.balancer_of(&key).is_none() {
                    continue;
                }
                let end = Timestamp(ends.as_primitive::<Int64Type>().value(row));
                let cost = Amount(costs.as_primitive::<Decimal128Type>().value(row));
                let currency = currencies.as_string::<i32>().value(row);
                let network = batch.column(4).as_boolean().value(row);
                let hours = billed.entry(key).or_default();
                for (hour, part) in spread(cost, start, end, from, until) {
                    let (own, sent) = hours.entry((hour, currency.to_owned())).or_default();
                    let sum = if network { sent } else { own };
                    *sum = sum.checked_add(part).ok_or_else(too_large)?;
                }
            }
        }
        Ok(billed)
    }

    /// Who claims which volume and load balancer.
    async fn claims(&self, tenant: &TenantId, from: Timestamp, until: Timestamp) -> Result<Claims, CostError> {
        const VOLUMES: &str = "max by (cluster, persistentvolume, csi_volume_handle, ebs_volume_id, gce_persistent_disk_name, azure_disk_name) \
             (max_over_time(kube_persistentvolume_info[1h]))";
        const CLAIMS: &str = "max by (cluster, namespace, persistentvolumeclaim, volumename) (max_over_time(kube_persistentvolumeclaim_info[1h]))";
        const PODS: &str = "max by (cluster, namespace, pod, persistentvolumeclaim) \
             (max_over_time(kube_pod_spec_volumes_persistentvolumeclaims_info[1h]))";
        const BALANCERS: &str = "max by (cluster, namespace, service, hostname) (max_over_time(kube_service_status_load_balancer_ingress[1h]))";
        let hours = Hours { engine: self, tenant, from, until };
        let mut claims = Claims::default();
        let mut of_volume: HashMap<(String, String), (String, String)> = HashMap::new();
        for series in hours.of_cluster(CLAIMS).await? {
            let volume = (series.label("cluster").to_owned(), series.label("volumename").to_owned());
            let claim = (series.label("namespace").to_owned(), series.label("persistentvolumeclaim").to_owned());
            of_volume.insert(volume, claim);
        }
        let mut pods: HashMap<(String, String, String), Vec<String>> = HashMap::new();
        for series in hours.of_cluster(PODS).await? {
            let claim = (
                series.label("cluster").to_owned(),
                series.label("namespace").to_owned(),
                series.label("persistentvolumeclaim").to_owned(),
            );
            pods.entry(claim).or_default().push(series.label("pod").to_owned());
        }
        for series in hours.of_cluster(VOLUMES).await? {
            let ids = ["csi_volume_handle", "ebs_volume_id", "azure_disk_name", "gce_persistent_disk_name"];
            let Some(key) = ids.iter().find_map(|id| ResourceKey::of_id(series.label(id))) else { continue };
            let volume = (series.label("cluster").to_owned(), series.label("persistentvolume").to_owned());
            let Some((namespace, claim)) = of_volume.get(&volume) else { continue };
            let claimants =
                pods.get(&(volume.0.clone(), namespace.clone(), claim.clone())).cloned().unwrap_or_default();
            // A claim that no pod mounts costs its namespace.
            let claimants = if claimants.is_empty() { vec![String::new()] } else { claimants };
            let container = |pod: String| Container {
                cluster: volume.0.clone(),
                namespace: namespace.clone(),
                pod,
                container: String::new(),
            };
            claims.volumes.insert(key, claimants.into_iter().map(container).collect());
        }
        for series in hours.of_cluster(BALANCERS).await? {
            // `a1b2c3-123456.eu-west-1.elb.amazonaws.com`: the balancer's name, a dash, and a number or a hash.
            let first = series.label("hostname").split('.').next().unwrap_or_default();
            let name = first.strip_prefix("internal-").unwrap_or(first);
            let Some((name, _)) = name.rsplit_once('-').filter(|(n, _)| !n.is_empty()) else { continue };
            let container = Container {
                cluster: series.label("cluster").to_owned(),
                namespace: series.label("namespace").to_owned(),
                ..Container::default()
            };
            claims.balancers.insert(name.to_owned(), container);
        }
        Ok(claims)
    }
}

fn too_large() -> CostError {
    CostError::Document("a sum of costs has more than 38 digits".to_owned())
}

#[derive(Debug, Default)]
struct Claims {
    volumes: HashMap<ResourceKey, Vec<Container>>,
    /// By the balancer's name.
    balancers: HashMap<String, Container>,
}

impl Claims {
    /// Whose load balancer an ARN (`...:loadbalancer/net/NAME/HASH`, `...:loadbalancer/NAME`) is.
    fn balancer_of(&self, key: &ResourceKey) -> Option<&Container> {
        let (_, path) = key.as_str().split_once(":loadbalancer/")?;
        path.split('/').find_map(|part| self.balancers.get(part))
    }
}

/// A charge's cost by hour, in proportion to time; only the hours in `from..until`. The parts of all hours of the charge sum to it.
fn spread(
    cost: Amount,
    start: Timestamp,
    end: Timestamp,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Amount)> {
    let hour = |t: i64| t.div_euclid(HOUR_NS) * HOUR_NS;
    if end <= start || hour(end.0 - 1) == hour(start.0) {
        let at = Timestamp(hour(start.0));
        return if at >= Timestamp(hour(from.0)) && at < until { vec![(at, cost)] } else { Vec::new() };
    }
    let (first, last) = (start.0.max(hour(from.0)), end.0.min(until.0));
    let length = |a: i64, b: i64| Weight::new(u64::try_from(b.saturating_sub(a)).unwrap_or(0));
    // What lies before and after is one part each: a reservation of three years is not cut into hours.
    let mut bounds = vec![first];
    let mut next = hour(first) + HOUR_NS;
    while next < last {
        bounds.push(next);
        next += HOUR_NS;
    }
    bounds.push(last);
    let mut weights = vec![length(start.0, first)];
    weights.extend(bounds.windows(2).map(|w| length(w[0], w[1])));
    weights.push(length(last, end.0));
    let Some(parts) = split(cost, &weights) else { return Vec::new() };
    let inside = parts.len().saturating_sub(2);
    let hours = bounds.iter().map(|b| Timestamp(hour(*b)));
    hours.zip(parts.into_iter().skip(1)).take(inside).filter(|(_, p)| *p != Amount::ZERO).collect()
}

/// Each node's bill. Where the bill names a scale set, its machines share it by what they have.
fn node_bills<'a>(clusters: &'a Clusters, billed: &Billed) -> Option<BTreeMap<&'a (String, String), Bill>> {
    let mut bills: BTreeMap<&(String, String), Bill> = BTreeMap::new();
    let mut sets: HashMap<ResourceKey, Vec<(&(String, String), &Node)>> = HashMap::new();
    for (name, node) in &clusters.nodes {
        let Some(key) = node.key() else { continue };
        match (billed.get(&key), key.parent().filter(|parent| billed.contains_key(parent))) {
            (Some(bill), _) => {
                bills.insert(name, bill.clone());
            }
            (None, Some(set)) => sets.entry(set).or_default().push((name, node)),
            (None, None) => {}
        }
    }
    for (set, nodes) in &sets {
        for ((hour, currency), (own, network)) in billed.get(set).into_iter().flatten() {
            let has = |node: &Node| {
                let capacity = node.hours.get(hour).map(|at| at.capacity).unwrap_or_default();
                share_node(&capacity, &[], &Proportion::default()).1.total()
            };
            let mut weights: Vec<Weight> = nodes.iter().map(|(_, node)| has(node)).collect();
            if weights.iter().all(|w| *w == Weight::ZERO) {
                weights.fill(Weight::new(1));
            }
            let (owns, networks) = (split(*own, &weights)?, split(*network, &weights)?);
            for (((name, _), own), network) in nodes.iter().zip(owns).zip(networks) {
                bills.entry(name).or_default().insert((*hour, currency.clone()), (own, network));
            }
        }
    }
    Some(bills)
}

impl ClusterCosts {
    fn add_nodes(&mut self, clusters: &Clusters, billed: &Billed) -> Option<()> {
        let bills = node_bills(clusters, billed)?;
        for (name, node) in &clusters.nodes {
            let Some(bill) = bills.get(name) else {
                self.unbilled_nodes.push(node.name.clone());
                continue;
            };
            for ((hour, _), (own, network)) in bill.iter().filter(|((_, c), _)| *c == self.currency) {
                // An hour that is billed and not measured is idle as a whole.
                let at = node.hours.get(hour).cloned().unwrap_or_default();
                let uses: Vec<Use> = at.uses.values().copied().collect();
                let measured = at.capacity != Capacity::default() || !uses.is_empty();
                let (parts, idle) = share_node(&at.capacity, &uses, &Proportion::default());
                let idle = if measured { idle } else { Parts { cpu: Weight::new(1), ..Parts::default() } };
                let all: Vec<&Parts> = parts.iter().chain([&idle]).collect();
                // A credit is nobody's idle time: only who used the node shares it.
                let credit = own.0 < 0 && parts.iter().any(|p| p.total() > Weight::ZERO);
                let weights: Vec<Weight> = all
                    .iter()
                    .enumerate()
                    .flat_map(
                        |(i, p)| if credit && i == parts.len() { [Weight::ZERO; 3] } else { [p.cpu, p.ram, p.gpu] },
                    )
                    .collect();
                let costs = split(*own, &weights).unwrap_or_else(|| {
                    // Nothing has a weight: all of it is idle.
                    let mut costs = vec![Amount::ZERO; weights.len()];
                    let idle_cpu = parts.len() * 3;
                    costs[idle_cpu] = *own;
                    costs
                });
                let sent: Vec<Weight> = at
                    .uses
                    .keys()
                    .map(|c| clusters.facts(c).and_then(|f| f.sent_bytes.get(hour)).copied().unwrap_or(0.0))
                    .map(Weight::of_measurement)
                    .collect();
                let network_parts = split(*network, &sent);
                let containers: Vec<Option<&Container>> = at.uses.keys().map(Some).chain([None]).collect();
                for (i, container) in containers.iter().enumerate() {
                    let sent = match (&network_parts, container) {
                        (Some(parts), Some(_)) => parts[i],
                        // Nobody is known to have sent it.
                        (None, None) => *network,
                        _ => Amount::ZERO,
                    };
                    let costs = Costs {
                        cpu: costs[i * 3],
                        ram: costs[i * 3 + 1],
                        gpu: costs[i * 3 + 2],
                        network: sent,
                        ..Costs::default()
                    };
                    if container.is_none() && costs == Costs::default() {
                        continue;
                    }
                    let facts = container.and_then(|c| clusters.facts(c));
                    self.hours.push(HourCost {
                        hour: *hour,
                        cluster: node.cluster.clone(),
                        node: node.name.clone(),
                        provider_id: node.provider_id.clone(),
                        container: container.cloned(),
                        controller: facts.map(|f| f.controller.clone()).unwrap_or_default(),
                        controller_kind: facts.map(|f| f.controller_kind.clone()).unwrap_or_default(),
                        uses: container.and_then(|c| at.uses.get(c)).copied().unwrap_or_default(),
                        costs,
                    });
                }
            }
        }
        Some(())
    }

    fn add_claims(&mut self, clusters: &Clusters, claims: &Claims, billed: &Billed) -> Option<()> {
        for (key, hours) in billed {
            let balancer = claims.balancer_of(key).map(std::slice::from_ref);
            let (claimants, is_volume) = match claims.volumes.get(key) {
                Some(pods) => (pods.as_slice(), true),
                None => (balancer.unwrap_or_default(), false),
            };
            for ((hour, _), (own, network)) in hours.iter().filter(|((_, c), _)| *c == self.currency) {
                let cost = own.checked_add(*network)?;
                let Some(parts) = split(cost, &vec![Weight::new(1); claimants.len()]) else { continue };
                for (container, part) in claimants.iter().zip(parts) {
                    let costs = if is_volume {
                        Costs { volume: part, ..Costs::default() }
                    } else {
                        Costs { load_balancer: part, ..Costs::default() }
                    };
                    let facts = clusters.facts(container);
                    self.hours.push(HourCost {
                        hour: *hour,
                        cluster: container.cluster.clone(),
                        node: String::new(),
                        provider_id: String::new(),
                        container: Some(container.clone()),
                        controller: facts.map(|f| f.controller.clone()).unwrap_or_default(),
                        controller_kind: facts.map(|f| f.controller_kind.clone()).unwrap_or_default(),
                        uses: Use::default(),
                        costs,
                    });
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_model::time::DAY_NS;

    #[test]
    fn charges_spread_over_their_hours() {
        let cost = Amount(1000);
        let at = |h: i64| Timestamp(h * HOUR_NS);
        let sum = |parts: &[(Timestamp, Amount)]| parts.iter().map(|(_, p)| p.0).sum::<i128>();
        let day = spread(cost, at(0), Timestamp(DAY_NS), at(0), at(24));
        assert_eq!((day.len(), sum(&day)), (24, 1000));
        // A window inside sees its part only.
        let part = spread(cost, at(0), at(10), at(2), at(4));
        assert_eq!(part, [(at(2), Amount(100)), (at(3), Amount(100))]);
        // An hour, a moment, a charge that ends before it begins.
        assert_eq!(spread(cost, at(5), at(6), at(0), at(24)), [(at(5), cost)]);
        assert_eq!(spread(cost, at(5), at(5), at(0), at(24)), [(at(5), cost)]);
        assert_eq!(spread(cost, at(5), at(5), at(6), at(24)), []);
        // Half an hour on both sides.
        let half = HOUR_NS / 2;
        let odd = spread(cost, Timestamp(half), Timestamp(HOUR_NS + half), at(0), at(24));
        assert_eq!(odd, [(at(0), Amount(500)), (at(1), Amount(500))]);
    }
}
