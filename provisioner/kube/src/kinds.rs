//! What the planner must know of the kinds that Grid drives itself in Kubernetes: which changes make a resource anew.

use grid_plan::Path;
use grid_plan::kinds::Kinds;

use crate::KINDS;
use crate::lever::{Does, LEVERS};
use crate::seen::TAKE_OVER;

/// All thirty kinds with their roles; those that Grid drives itself with what the table of levers says.
pub fn kinds() -> Kinds {
    let mut kinds = Kinds::roles();
    for lever in LEVERS {
        let Some(kind) = kinds.0.get_mut(lever.kind) else { continue };
        if let Does::Fix(name) = lever.does {
            kind.replace_on.extend(Path::parse(name).ok());
        }
    }
    for name in KINDS {
        if let Some(kind) = kinds.0.get_mut(name) {
            kind.unordered.extend(Path::parse(TAKE_OVER).ok());
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_makes_a_resource_anew() {
        let kinds = kinds();
        assert_eq!(kinds.0.len(), 30);
        let replaces = |kind: &str, path: &str| kinds.get(kind).unwrap().replaces(&Path::parse(path).unwrap());
        assert!(replaces("container_service", "network") && !replaces("container_service", "max"));
        assert!(replaces("block_disk", "kubernetes.storage_class") && !replaces("block_disk", "size_gib"));
        assert!(replaces("node_pool", "kubernetes.node_class") && !replaces("node_pool", "desired"));
    }
}
