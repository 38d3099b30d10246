//! Where metrics of machines are read, so that each row has the id that the bill knows: as a label of the metric itself, or by way of its node, of which
//! kube-state-metrics says the provider's id.

use super::super::{JobError, Run};
use crate::read::{columns, name};

/// The label, and the column of charges, that join use and money.
pub(super) const ID: &str = "resource_id";
/// What kube-state-metrics says of nodes.
const NODES: &str = "kube_node_info";

/// Relations with the columns of a metric and `resource_id`; none where no row could have one.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) cpu: Option<String>,
    pub(super) available: Option<String>,
    pub(super) total: Option<String>,
    pub(super) sent: Option<String>,
    pub(super) cores: Option<String>,
    pub(super) requests: Option<String>,
    pub(super) restarts: Option<String>,
}

impl Sources {
    pub(super) async fn read(run: &Run<'_>) -> Result<Self, JobError> {
        let nodes = columns(run.engine, run.tenant, NODES).await?;
        let nodes = Nodes {
            are_known: nodes.contains("node") && nodes.contains("provider_id"),
            have_ips: nodes.contains("internal_ip"),
        };
        Ok(Self {
            cpu: nodes.source(run, super::machines::CPU).await?,
            available: nodes.source(run, super::machines::AVAILABLE).await?,
            total: nodes.source(run, super::machines::TOTAL).await?,
            sent: nodes.source(run, super::machines::SENT).await?,
            cores: nodes.source(run, super::machines::CORES).await?,
            requests: nodes.source(run, super::workloads::REQUESTS).await?,
            restarts: nodes.source(run, super::machines::RESTARTS).await?,
        })
    }

    /// Where memory of machines is read, free and whole, if it is measured.
    pub(super) fn memory(&self) -> Option<(&str, &str)> {
        Some((self.available.as_deref()?, self.total.as_deref()?))
    }
}

/// What is known of nodes.
struct Nodes {
    are_known: bool,
    have_ips: bool,
}

impl Nodes {
    async fn source(&self, run: &Run<'_>, metric: &str) -> Result<Option<String>, JobError> {
        let has = columns(run.engine, run.tenant, metric).await?;
        if has.contains(ID) {
            return Ok(Some(format!("metrics.{}", name(metric))));
        }
        let key = match (has.contains("node"), has.contains("instance")) {
            (true, true) => "coalesce(nullif(m.node, ''), split_part(m.instance, ':', 1))",
            (true, false) => "m.node",
            (false, true) => "split_part(m.instance, ':', 1)",
            (false, false) => return Ok(None),
        };
        Ok(self.are_known.then(|| joined(metric, key, self.have_ips)))
    }
}

/// The rows of a metric with the id of the node that they name. A node exporter behind a service monitor names it by its address alone.
fn joined(metric: &str, key: &str, have_ips: bool) -> String {
    let by = |label: &str| {
        format!(
            "SELECT {label} AS named, max({}) AS {ID} FROM metrics.{NODES} WHERE provider_id <> '' AND {label} <> '' GROUP BY 1",
            id_of_provider()
        )
    };
    let ips = if have_ips { format!("\n  UNION {}", by("internal_ip")) } else { String::new() };
    format!(
        "(SELECT m.*, n.{ID} AS {ID} FROM metrics.{} AS m JOIN (\n  {}{ips}) AS n ON n.named = {key})",
        name(metric),
        by("node")
    )
}

/// The id on the bill from the one that a node has in Kubernetes: `aws:///ZONE/i-...`, `azure:///subscriptions/...`, `gce://PROJECT/ZONE/NAME`.
fn id_of_provider() -> &'static str {
    "CASE WHEN provider_id LIKE 'aws:%' THEN regexp_replace(provider_id, '^.*/', '') \
     WHEN provider_id LIKE 'azure:%' THEN regexp_replace(provider_id, '^azure://', '') \
     WHEN provider_id LIKE 'gce:%' THEN regexp_replace(provider_id, '^gce://([^/]+)/([^/]+)/(.+)$', '//compute.googleapis.com/projects/\\1/zones/\\2/instances/\\3') \
     ELSE provider_id END"
}
