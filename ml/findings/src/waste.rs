//! What is paid for and not used, told from charges alone: disks that no machine has, old snapshots, balancers that carry nothing, addresses that
//! point nowhere, clusters without machines.
//!
//! A charge says what something costs, not whether it is used. What is told here is told by the provider's own words in the bill (an idle address is
//! a line of its own), or by what is absent beside it (a disk whose machine is not billed, a balancer without a byte).

use grid_model::Amount;

/// The name of the model.
pub const MODEL: &str = "unused-charges";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Days that a thing must have been unused.
pub const DAYS_MIN: i64 = 7;
/// Days after which a snapshot is old.
pub const SNAPSHOT_DAYS: i64 = 90;

/// Something that costs money, over the last days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thing {
    /// As the bill spells it.
    pub resource: String,
    /// Its meter, SKU or usage type, and the type of resource, in the bill's words.
    pub words: String,
    /// Days on which it cost something.
    pub days: i64,
    /// Days since it was first billed.
    pub age_days: i64,
    /// Whether something that is billed or measured uses it: a disk's machine, a cluster's nodes.
    pub has_user: bool,
    /// What it carried (bytes, requests), beside its hours; `None` if that is not billed apart.
    pub carried: Option<Amount>,
}

/// What is wasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waste {
    /// A disk that no machine has.
    Disk,
    /// An old snapshot.
    Snapshot,
    /// A balancer that carries nothing.
    Balancer,
    /// An address that points nowhere.
    Address,
    /// A cluster without machines.
    Cluster,
}

impl Waste {
    /// What to do: the word in `recommendations.action`.
    pub fn action(self) -> &'static str {
        match self {
            Self::Disk => "delete",
            Self::Snapshot => "snapshot_delete",
            Self::Balancer | Self::Cluster => "delete",
            Self::Address => "release",
        }
    }

    /// The word in `recommendations.resource_kind`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
            Self::Balancer => "load_balancer",
            Self::Address => "address",
            Self::Cluster => "cluster",
        }
    }
}

/// What a thing is by the words of its charges; `None` of everything else. Words are those of the providers' bills, lower case.
pub fn kind_of(words: &str) -> Option<Waste> {
    let words = words.to_lowercase();
    let has = |list: &[&str]| list.iter().any(|w| words.contains(w));
    if has(&["snapshot"]) {
        Some(Waste::Snapshot)
    } else if has(&[
        "elasticip:idleaddress",
        "publicipv4:idleaddress",
        "idleaddress",
        "static ip charge",
        "unused static ip",
        "unassociated",
    ]) {
        Some(Waste::Address)
    } else if has(&[
        "eks-hours:percluster",
        "gke-cluster",
        "kubernetes clusters",
        "container.googleapis.com/cluster",
        "managedclusters",
    ]) {
        Some(Waste::Cluster)
    } else if has(&["loadbalancerusage", "load balancer", "forwarding rule", "loadbalancers"]) {
        Some(Waste::Balancer)
    } else if has(&[
        "volumeusage",
        "pd capacity",
        "persistent disk",
        "managed disk",
        "compute.googleapis.com/disk",
        "microsoft.compute/disks",
    ]) {
        Some(Waste::Disk)
    } else {
        None
    }
}

/// Probability that somebody misses within a week what nobody used on so many days: the rule of succession (Laplace).
pub(crate) fn missed(days: i64) -> f64 {
    1.0 - (1.0 - 1.0 / (days.max(0) as f64 + 2.0)).powi(7)
}

/// Whether a thing is wasted, and the probability that somebody misses it within a week.
pub fn judge(thing: &Thing) -> Option<(Waste, f64)> {
    let waste = kind_of(&thing.words)?;
    let is_wasted = match waste {
        Waste::Disk => !thing.has_user && thing.days >= DAYS_MIN,
        Waste::Snapshot => thing.age_days >= SNAPSHOT_DAYS,
        Waste::Balancer => thing.carried.is_some_and(|c| c.0 == 0) && thing.days >= DAYS_MIN,
        Waste::Address => thing.days >= DAYS_MIN,
        // A control plane without a machine that reports.
        Waste::Cluster => !thing.has_user && thing.days >= DAYS_MIN,
    };
    is_wasted.then(|| (waste, missed(thing.age_days.max(thing.days))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_verdicts() {
        let thing = |words: &str| Thing { words: words.to_owned(), days: 14, age_days: 14, ..Thing::default() };
        let check = |thing: Thing, expected: Option<Waste>| {
            let found = judge(&thing);
            assert_eq!(found.map(|(waste, _)| waste), expected, "{thing:?}");
            assert!(found.is_none_or(|(_, risk)| (0.0..=1.0).contains(&risk)));
        };
        check(thing("EBS:VolumeUsage.gp3"), Some(Waste::Disk));
        check(Thing { has_user: true, ..thing("EBS:VolumeUsage.gp3") }, None);
        check(Thing { days: 3, ..thing("EBS:VolumeUsage.gp3") }, None);
        check(thing("EBS:SnapshotUsage"), None);
        check(Thing { age_days: 200, ..thing("EBS:SnapshotUsage") }, Some(Waste::Snapshot));
        check(thing("PublicIPv4:IdleAddress"), Some(Waste::Address));
        check(thing("LoadBalancerUsage"), None);
        check(Thing { carried: Some(Amount::ZERO), ..thing("LoadBalancerUsage") }, Some(Waste::Balancer));
        check(Thing { carried: Some(Amount(1)), ..thing("LoadBalancerUsage") }, None);
        check(thing("AmazonEKS-Hours:perCluster"), Some(Waste::Cluster));
        check(Thing { has_user: true, ..thing("Regional Kubernetes Clusters GKE-CLUSTER") }, None);
        check(thing("BoxUsage:m5.xlarge"), None);
    }
}
