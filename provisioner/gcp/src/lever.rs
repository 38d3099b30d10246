//! What Grid can do to each kind, by which call of Compute Engine. The executor refuses what is not in this table; `docs/gcp.md` is made of it, and the
//! suite goes through it.

use grid_act::native::lever::Does::{Change, Destroy, Fix};
use grid_act::native::lever::{self, Lever};
use grid_plan::kinds::Kinds;

/// The kinds that Grid drives itself in Google Cloud.
pub const KINDS: [&str; 2] = ["vm", "autoscaling_group"];

/// All levers, kind by kind.
#[rustfmt::skip]
pub const LEVERS: &[Lever] = &[
    Lever::new("vm", Change("machine"), "instances.stop, instances.setMachineType, instances.start"),
    Lever::new("vm", Change("running"), "instances.start, instances.stop"),
    Lever::new("vm", Fix("disk_gib"), "instances.get"),
    Lever::new("vm", Fix("google.subnetwork"), "instances.get"),
    Lever::new("vm", Destroy, "instances.delete"),

    Lever::new("autoscaling_group", Change("min"), "regionAutoscalers.patch"),
    Lever::new("autoscaling_group", Change("max"), "regionAutoscalers.patch"),
    Lever::new("autoscaling_group", Change("target_cpu_percent"), "regionAutoscalers.patch"),
    Lever::new("autoscaling_group", Change("desired"), "regionInstanceGroupManagers.resize"),
    Lever::new("autoscaling_group", Change("machine"), "instanceTemplates.insert (or regionInstanceTemplates.insert), regionInstanceGroupManagers.patch, instanceTemplates.delete"),
    Lever::new("autoscaling_group", Fix("disk_gib"), "instanceTemplates.get"),
    Lever::new("autoscaling_group", Destroy, "regionAutoscalers.delete, regionInstanceGroupManagers.delete, instanceTemplates.delete"),
];

/// What the planner must know of these kinds.
pub fn kinds() -> Kinds {
    lever::kinds(LEVERS)
}
