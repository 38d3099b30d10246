//! What Grid can do to each kind, by which call of the Resource Manager. The executor refuses what is not in this table; `docs/azure.md` is made of it,
//! and the suite goes through it.

use grid_act::native::lever::Does::{Change, Destroy, Fix};
use grid_act::native::lever::{self, Lever};
use grid_plan::kinds::Kinds;

/// The kinds that Grid drives itself in Azure.
pub const KINDS: [&str; 2] = ["vm", "autoscaling_group"];

/// All levers, kind by kind.
#[rustfmt::skip]
pub const LEVERS: &[Lever] = &[
    Lever::new("vm", Change("machine"), "Virtual Machines - Update"),
    Lever::new("vm", Change("running"), "Virtual Machines - Start, Deallocate"),
    Lever::new("vm", Fix("disk_gib"), "Virtual Machines - Get"),
    Lever::new("vm", Destroy, "Virtual Machines - Delete"),

    Lever::new("autoscaling_group", Change("min"), "Autoscale Settings - Create Or Update"),
    Lever::new("autoscaling_group", Change("max"), "Autoscale Settings - Create Or Update"),
    Lever::new("autoscaling_group", Change("desired"), "Virtual Machine Scale Sets - Update"),
    Lever::new("autoscaling_group", Change("machine"), "Virtual Machine Scale Sets - Update"),
    Lever::new("autoscaling_group", Fix("disk_gib"), "Virtual Machine Scale Sets - Get"),
    Lever::new("autoscaling_group", Destroy, "Autoscale Settings - Delete, Virtual Machine Scale Sets - Delete"),
];

/// What the planner must know of these kinds.
pub fn kinds() -> Kinds {
    lever::kinds(LEVERS)
}
