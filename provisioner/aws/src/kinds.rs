//! What the planner must know of the kinds that Grid drives itself in AWS: which changes make a resource anew.

use grid_plan::Path;
use grid_plan::kinds::Kinds;
use serde_json::json;

use crate::lever::{Does, LEVERS};

/// All thirty kinds with their roles; those that Grid drives itself with what the table of levers says.
pub fn kinds() -> Kinds {
    let mut kinds = Kinds::roles();
    for lever in LEVERS {
        let Some(kind) = kinds.0.get_mut(lever.kind) else { continue };
        match lever.does {
            Does::Fix("machine") => kind.replace_on.extend([Path::of(["size"]), Path::of(["machine_type"])]),
            Does::Fix(name) => kind.replace_on.extend(Path::parse(name).ok()),
            // A machine that stands costs its disk only.
            Does::Change("running") => kind.asleep = vec![(Path::of(["running"]), json!(false))],
            _ => {}
        }
    }
    for (name, lists) in [("autoscaling_group", "network"), ("node_pool", "aws.subnets"), ("spot_pool", "network")] {
        if let Some(kind) = kinds.0.get_mut(name) {
            kind.unordered.extend(Path::parse(lists).ok());
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
        assert!(replaces("node_pool", "size") && !replaces("node_pool", "max"));
        assert!(replaces("vm", "aws.image") && !replaces("vm", "machine_type.aws"));
        assert!(replaces("block_disk", "aws.zone") && !replaces("block_disk", "size_gib"));
        assert!(replaces("postgresql", "database") && !replaces("postgresql", "size"));
    }
}
