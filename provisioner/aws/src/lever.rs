//! What Grid can do to each kind, by which call of AWS, and what the emulator that proves it lacks. The executor refuses what is not in this table;
//! `docs/aws.md` is made of it, and a test goes through it against the emulator.

use grid_plan::Path;

/// One thing that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lever {
    /// To which kind.
    pub kind: &'static str,
    /// What.
    pub does: Does,
    /// The call that does it.
    pub call: &'static str,
    /// What moto lacks for it, if it lacks something: then it is not proven.
    pub lacks: Option<&'static str>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It is made.
    Create,
    /// A field is changed where it is. `machine` is all ways to say a machine: `size`, `machine_type.aws`, the `memory_gib` of a cache.
    Change(&'static str),
    /// A field that is read, and set only when the resource is made; a change makes it anew.
    Fix(&'static str),
    /// It is deleted.
    Destroy,
}

impl Lever {
    /// Whether it is about this field or what holds it.
    pub fn holds(&self, path: &Path) -> bool {
        let name = match self.does {
            Does::Change(name) | Does::Fix(name) => name,
            Does::Create | Does::Destroy => return false,
        };
        let is_machine = |path: &Path| {
            let first = path.keys().next().unwrap_or_default();
            ["size", "machine_type", "machine"].contains(&first) || (self.kind == "redis" && first == "memory_gib")
        };
        if name == "machine" { is_machine(path) } else { Path::parse(name).is_ok_and(|p| p.holds(path)) }
    }
}

/// The levers of a kind.
pub fn levers_of(kind: &str) -> impl Iterator<Item = &'static Lever> {
    LEVERS.iter().filter(move |l| l.kind == kind)
}

const fn lever(kind: &'static str, does: Does, call: &'static str) -> Lever {
    Lever { kind, does, call, lacks: None }
}

const fn lacking(kind: &'static str, does: Does, call: &'static str) -> Lever {
    Lever { kind, does, call, lacks: Some(call) }
}

use Does::{Change, Create, Destroy, Fix};

/// All levers, kind by kind.
#[rustfmt::skip]
pub const LEVERS: &[Lever] = &[
    lever("vm", Create, "RunInstances"),
    lever("vm", Change("machine"), "StopInstances, ModifyInstanceAttribute, StartInstances"),
    lever("vm", Change("running"), "StartInstances, StopInstances"),
    lever("vm", Change("firewall"), "ModifyInstanceAttribute"),
    lever("vm", Fix("network"), "RunInstances"),
    lever("vm", Fix("aws.image"), "RunInstances"),
    lever("vm", Destroy, "TerminateInstances"),

    lever("autoscaling_group", Create, "CreateLaunchTemplate, CreateAutoScalingGroup"),
    lever("autoscaling_group", Change("min"), "UpdateAutoScalingGroup"),
    lever("autoscaling_group", Change("max"), "UpdateAutoScalingGroup"),
    lever("autoscaling_group", Change("desired"), "UpdateAutoScalingGroup"),
    lever("autoscaling_group", Change("machine"), "CreateLaunchTemplateVersion (or CreateLaunchConfiguration), UpdateAutoScalingGroup"),
    lever("autoscaling_group", Change("network"), "UpdateAutoScalingGroup"),
    lever("autoscaling_group", Fix("firewall"), "CreateLaunchTemplate"),
    lever("autoscaling_group", Fix("aws.image"), "CreateLaunchTemplate"),
    lever("autoscaling_group", Fix("aws.zones"), "CreateAutoScalingGroup"),
    lever("autoscaling_group", Destroy, "DeleteAutoScalingGroup, DeleteLaunchTemplate"),

    lever("spot_pool", Create, "CreateLaunchTemplate, CreateFleet"),
    lacking("spot_pool", Change("capacity"), "ModifyFleet"),
    lever("spot_pool", Fix("machine"), "CreateLaunchTemplate"),
    lever("spot_pool", Fix("network"), "CreateFleet"),
    lever("spot_pool", Fix("on_reclaim"), "CreateFleet"),
    lever("spot_pool", Fix("firewall"), "CreateLaunchTemplate"),
    lever("spot_pool", Fix("aws.image"), "CreateLaunchTemplate"),
    lever("spot_pool", Destroy, "DeleteFleets, DeleteLaunchTemplate"),

    lever("block_disk", Create, "CreateVolume"),
    lever("block_disk", Change("size_gib"), "ModifyVolume"),
    lever("block_disk", Change("class"), "ModifyVolume"),
    lever("block_disk", Fix("aws.zone"), "CreateVolume"),
    lever("block_disk", Destroy, "DeleteVolume"),

    lever("node_pool", Create, "CreateNodegroup"),
    lever("node_pool", Change("min"), "UpdateNodegroupConfig"),
    lever("node_pool", Change("max"), "UpdateNodegroupConfig"),
    Lever { lacks: Some("TagResource for node groups"), ..lever("node_pool", Change("desired"), "UpdateNodegroupConfig, TagResource") },
    lever("node_pool", Fix("cluster"), "CreateNodegroup"),
    lever("node_pool", Fix("machine"), "CreateNodegroup"),
    lever("node_pool", Fix("disk_gib"), "CreateNodegroup"),
    lever("node_pool", Fix("spot"), "CreateNodegroup"),
    lever("node_pool", Fix("aws.subnets"), "CreateNodegroup"),
    lever("node_pool", Fix("aws.role"), "CreateNodegroup"),
    lever("node_pool", Destroy, "DeleteNodegroup"),

    lever("postgresql", Create, "CreateDBInstance"),
    lever("postgresql", Change("machine"), "ModifyDBInstance"),
    lever("postgresql", Change("storage_gib"), "ModifyDBInstance"),
    lever("postgresql", Change("high_availability"), "ModifyDBInstance"),
    lever("postgresql", Change("backup_days"), "ModifyDBInstance"),
    lever("postgresql", Change("protect"), "ModifyDBInstance"),
    lever("postgresql", Change("version"), "ModifyDBInstance"),
    lever("postgresql", Fix("database"), "CreateDBInstance"),
    lever("postgresql", Fix("network"), "CreateDBInstance"),
    lever("postgresql", Destroy, "DeleteDBInstance"),

    lever("mysql", Create, "CreateDBInstance"),
    lever("mysql", Change("machine"), "ModifyDBInstance"),
    lever("mysql", Change("storage_gib"), "ModifyDBInstance"),
    lever("mysql", Change("high_availability"), "ModifyDBInstance"),
    lever("mysql", Change("backup_days"), "ModifyDBInstance"),
    lever("mysql", Change("protect"), "ModifyDBInstance"),
    lever("mysql", Change("version"), "ModifyDBInstance"),
    lever("mysql", Fix("database"), "CreateDBInstance"),
    lever("mysql", Fix("network"), "CreateDBInstance"),
    lever("mysql", Destroy, "DeleteDBInstance"),

    lever("redis", Create, "CreateReplicationGroup"),
    lever("redis", Change("machine"), "ModifyReplicationGroup"),
    lever("redis", Change("high_availability"), "ModifyReplicationGroup"),
    lever("redis", Destroy, "DeleteReplicationGroup"),

    lever("nosql", Create, "CreateTable, UpdateContinuousBackups"),
    lever("nosql", Change("backup"), "UpdateContinuousBackups"),
    lever("nosql", Change("protect"), "UpdateTable"),
    lever("nosql", Fix("partition_key"), "CreateTable"),
    lever("nosql", Fix("sort_key"), "CreateTable"),
    lever("nosql", Destroy, "DeleteTable"),

    lever("kafka", Create, "CreateCluster"),
    lacking("kafka", Change("brokers"), "UpdateBrokerCount"),
    lacking("kafka", Change("machine"), "UpdateBrokerType"),
    lacking("kafka", Change("storage_gib"), "UpdateBrokerStorage"),
    lacking("kafka", Change("version"), "UpdateClusterKafkaVersion"),
    lever("kafka", Fix("network"), "CreateCluster"),
    lever("kafka", Destroy, "DeleteCluster"),

    lever("function", Create, "CreateFunction, PutFunctionConcurrency"),
    lever("function", Change("memory_mib"), "UpdateFunctionConfiguration"),
    lever("function", Change("timeout_seconds"), "UpdateFunctionConfiguration"),
    lever("function", Change("max_instances"), "PutFunctionConcurrency"),
    lever("function", Change("handler"), "UpdateFunctionConfiguration"),
    lever("function", Change("runtime"), "UpdateFunctionConfiguration"),
    lever("function", Change("env"), "UpdateFunctionConfiguration"),
    lever("function", Change("source"), "UpdateFunctionCode"),
    lever("function", Change("archive"), "UpdateFunctionCode"),
    lever("function", Fix("aws.role"), "CreateFunction"),
    lever("function", Destroy, "DeleteFunction"),

    lever("container_service", Create, "RegisterTaskDefinition, CreateService"),
    lever("container_service", Change("desired"), "UpdateService"),
    lever("container_service", Change("cpu_milli"), "RegisterTaskDefinition, UpdateService"),
    lever("container_service", Change("memory_mib"), "RegisterTaskDefinition, UpdateService"),
    lever("container_service", Change("image"), "RegisterTaskDefinition, UpdateService"),
    lever("container_service", Change("port"), "RegisterTaskDefinition, UpdateService"),
    lever("container_service", Change("env"), "RegisterTaskDefinition, UpdateService"),
    lever("container_service", Fix("network"), "CreateService"),
    lever("container_service", Fix("firewall"), "CreateService"),
    lever("container_service", Fix("aws.cluster"), "CreateService"),
    lever("container_service", Fix("aws.role"), "RegisterTaskDefinition"),
    lever("container_service", Destroy, "DeleteService"),

    lever("file_store", Create, "CreateFileSystem"),
    lacking("file_store", Change("class"), "UpdateFileSystem"),
    lever("file_store", Destroy, "DeleteFileSystem"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::KINDS;

    /// Fields that no type has, because only Grid's own driver knows them.
    const OWN: [&str; 3] = ["machine", "running", "desired"];

    #[test]
    fn every_lever_is_a_field_of_its_type() {
        for lever in LEVERS {
            assert!(KINDS.contains(&lever.kind));
            let (Does::Change(name) | Does::Fix(name)) = lever.does else { continue };
            let of = grid_types::find(lever.kind).unwrap();
            let is_known = OWN.contains(&name) || name.starts_with("aws.") || of.field(name).is_some();
            assert!(is_known, "{} has no field {name}", lever.kind);
        }
    }

    #[test]
    fn every_kind_with_a_lever_has_some() {
        for of in grid_types::types().iter().filter(|t| t.lever) {
            assert!(KINDS.contains(&of.name.as_str()), "{} says lever = true", of.name);
            let all: Vec<Does> = levers_of(&of.name).map(|l| l.does).collect();
            assert!(all.contains(&Create) && all.contains(&Destroy), "{}", of.name);
            assert!(all.iter().any(|d| matches!(d, Change(_))), "{}", of.name);
        }
    }
}
