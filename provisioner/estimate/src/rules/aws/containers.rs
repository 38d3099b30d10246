//! EKS, ECS on Fargate, ECR, App Runner-like services.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::value::Value;
use crate::view::{Ruled, View};

use super::ec2::{self, Disk};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_eks_cluster", "AmazonEKS", eks_cluster),
    ("aws_eks_node_group", "AmazonEC2", eks_node_group),
    ("aws_eks_fargate_profile", "AmazonEKS", fargate_profile),
    ("aws_ecs_service", "AmazonECS", ecs_service),
    ("aws_ecr_repository", "AmazonECR", ecr),
];

fn eks_cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    // The version decides between standard and extended support; which versions are in which changes every few months, so that
    // the price asks for the version.
    let version = v.text_or("version", "");
    c.hours("EKS cluster", 1).with("version", version);
    Ok(())
}

fn eks_node_group(v: &View<'_>, c: &mut Cost) -> Ruled {
    let stated = v.used("instances");
    let desired = v.number("scaling_config.desired_size");
    let count = stated.or_else(desired).or_else(v.number("scaling_config.min_size")).or(1);
    let spot = v.text_or("capacity_type", "").eq_ignore_ascii_case("spot");
    let chosen = v.texts("instance_types").into_iter().next();
    let paths = ["launch_template.id", "launch_template.name"];
    if let Some(template) = paths.iter().find_map(|p| v.refers_to(p, &["aws_launch_template"])) {
        let kind = chosen.or_else(|| template.text("instance_type")).unwrap_or_else(|| "t3.medium".to_owned());
        let part = c.part(template.resource.address.clone());
        ec2::template_machines(v, &template, &kind, count, spot, part);
        return Ok(());
    }
    let m = ec2::Machine {
        kind: chosen.unwrap_or_else(|| "t3.medium".to_owned()),
        count,
        tenancy: String::new(),
        spot,
        ebs_optimized: false,
        monitoring: false,
        cpu_credits: String::new(),
        accelerators: Vec::new(),
    };
    ec2::machine(v, c, &m);
    let size_gb = v.number("disk_size").or(20) * count;
    ec2::disk(
        c,
        &Disk { kind: "gp2".to_owned(), size_gb, iops: Quantity::UNSET, throughput: Quantity::UNSET },
        Quantity::UNSET,
    );
    Ok(())
}

fn fargate_profile(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hourly("Per GB per hour", "GB", 1).scaled(730);
    c.hourly("Per vCPU per hour", "CPU", 1).scaled(730);
    Ok(())
}

fn ecs_service(v: &View<'_>, c: &mut Cost) -> Ruled {
    let launch = v.text_or("launch_type", "");
    let strategies = v.blocks("capacity_provider_strategy");
    let on_fargate =
        launch == "FARGATE" || strategies.iter().any(|s| s.text_or("capacity_provider", "").starts_with("FARGATE"));
    if !on_fargate {
        // The machines are paid for where they are created.
        return Err(crate::view::Unpriced::Free);
    }
    let task = v.refers_to("task_definition", &["aws_ecs_task_definition"]);
    let count = v.number("desired_count").or(0);
    let (memory, cpu) = match &task {
        Some(task) => (memory_gb(task.text("memory")), cpus(task.text("cpu"))),
        None => (Quantity::UNSET, Quantity::UNSET),
    };
    // A month of one unit: the price book counts hours.
    c.hourly("Per GB per hour", "GB", count * memory).scaled(730);
    c.hourly("Per vCPU per hour", "CPU", count * cpu).scaled(730);
    if let Some(kind) = task.as_ref().and_then(|t| t.text("inference_accelerator.device_type")) {
        c.hours(format!("Inference accelerator ({kind})"), count).with("accelerator", kind);
    }
    Ok(())
}

/// `512`, `2GB`, `2 GB`.
fn memory_gb(text: Option<String>) -> Quantity {
    let Some(text) = text else { return Quantity::UNSET };
    let compact = text.replace(' ', "").to_uppercase();
    match compact.strip_suffix("GB") {
        Some(gb) => Quantity(Value::text(gb).as_number()),
        None => Quantity(Value::Text(compact).as_number()) / 1_024,
    }
}

/// `1024`, `1vCPU`, `.5 vcpu`.
fn cpus(text: Option<String>) -> Quantity {
    let Some(text) = text else { return Quantity::UNSET };
    let compact = text.replace(' ', "").to_lowercase();
    match compact.strip_suffix("vcpu") {
        Some(cpus) => Quantity(Value::text(cpus).as_number()),
        None => Quantity(Value::Text(compact).as_number()) / 1_024,
    }
}

fn ecr(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Storage", "GB", v.used("storage_gb"));
    Ok(())
}
