//! What the planner must know of a kind of resource beside its fields: which fields can only be changed by making it anew, which the cloud fills in,
//! which are secret, and what is lost with it. Filled in by those who know the types; the planner knows no cloud.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::field::Path;

/// What role a kind plays, as far as risk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Role {
    /// Runs things; it can be made anew.
    #[default]
    Compute,
    /// Holds data that are gone with it.
    Data,
    /// Holds data that are gone with it, and is queried: a database.
    Database,
    /// Says who may reach what.
    Firewall,
    /// Others reach each other through it.
    Network,
    /// Says who may do what, or holds secrets.
    Identity,
}

impl Role {
    /// Whether deleting it deletes data.
    pub fn is_stateful(self) -> bool {
        matches!(self, Self::Data | Self::Database)
    }
}

/// What is known of one kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kind {
    /// Its role.
    pub role: Role,
    /// Fields of which a change makes it anew; all below them too.
    pub replace_on: BTreeSet<Path>,
    /// Fields that only the cloud fills in: never compared, never imported.
    pub computed: BTreeSet<Path>,
    /// Fields that are never shown.
    pub sensitive: BTreeSet<Path>,
    /// Lists in which the order says nothing.
    pub unordered: BTreeSet<Path>,
    /// The field with the name that must be unique in the account, and the longest that it may be.
    pub name: Option<(Path, usize)>,
    /// What its fields are while its environment sleeps.
    pub asleep: Vec<(Path, Value)>,
}

impl Kind {
    /// Whether a path is at or below one of these.
    fn any(set: &BTreeSet<Path>, path: &Path) -> bool {
        set.iter().any(|p| p.holds(path))
    }

    /// Whether a change of a field makes the resource anew.
    pub fn replaces(&self, path: &Path) -> bool {
        Self::any(&self.replace_on, path)
    }

    /// Whether only the cloud fills it in.
    pub fn is_computed(&self, path: &Path) -> bool {
        Self::any(&self.computed, path)
    }

    /// Whether it is never shown.
    pub fn is_sensitive(&self, path: &Path) -> bool {
        Self::any(&self.sensitive, path)
    }

    /// Whether the order of its list says nothing.
    pub fn is_unordered(&self, path: &Path) -> bool {
        self.unordered.contains(path)
    }
}

/// Kinds by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kinds(pub BTreeMap<String, Kind>);

impl Kinds {
    /// The thirty types with their roles and nothing else: what changes force replacement is for the types themselves to say.
    pub fn roles() -> Self {
        let of = |role, names: &str| {
            names.split_whitespace().map(move |n| (n.to_owned(), Kind { role, ..Kind::default() })).collect::<Vec<_>>()
        };
        let all = [
            of(
                Role::Compute,
                "vm autoscaling_group spot_pool kubernetes_cluster node_pool function container_service registry \
                 backup_plan",
            ),
            of(Role::Data, "block_disk object_store file_store queue topic kafka"),
            of(Role::Database, "postgresql mysql nosql redis"),
            of(Role::Firewall, "firewall waf"),
            of(Role::Network, "network nat l7_load_balancer l4_load_balancer cdn dns_zone tls_certificate"),
            of(Role::Identity, "secret workload_identity"),
        ];
        Self(all.into_iter().flatten().collect())
    }

    /// What is known of a kind; `None` if nothing is.
    pub fn get(&self, kind: &str) -> Option<&Kind> {
        self.0.get(kind)
    }

    /// The role of a kind; what is not known counts as compute.
    pub fn role(&self, kind: &str) -> Role {
        self.get(kind).map_or(Role::Compute, |k| k.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_types_have_roles() {
        let kinds = Kinds::roles();
        assert_eq!(kinds.0.len(), 30);
        assert!(kinds.role("postgresql").is_stateful() && !kinds.role("vm").is_stateful());
        assert_eq!(kinds.role("unheard_of"), Role::Compute);
    }
}
