//! Compute Engine: machines, groups, disks, images, snapshots.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("google_compute_instance", "Compute Engine", instance),
    ("google_compute_instance_from_template", "Compute Engine", instance),
    ("google_compute_instance_group_manager", "Compute Engine", group),
    ("google_compute_region_instance_group_manager", "Compute Engine", group),
    ("google_compute_per_instance_config", "Compute Engine", per_instance),
    ("google_compute_region_per_instance_config", "Compute Engine", per_instance),
    ("google_compute_disk", "Compute Engine", disk),
    ("google_compute_region_disk", "Compute Engine", regional_disk),
    ("google_compute_image", "Compute Engine", image),
    ("google_compute_machine_image", "Compute Engine", machine_image),
    ("google_compute_snapshot", "Compute Engine", snapshot),
    ("google_compute_region_disk_snapshot", "Compute Engine", snapshot),
];

/// The name of a kind of disk on the bill.
pub(super) fn disk_name(kind: &str) -> String {
    let kind = kind.rsplit('/').next().unwrap_or(kind);
    match kind {
        "pd-ssd" => "SSD provisioned storage (pd-ssd)".to_owned(),
        "pd-balanced" => "Balanced provisioned storage (pd-balanced)".to_owned(),
        "pd-extreme" => "Extreme provisioned storage (pd-extreme)".to_owned(),
        "hyperdisk-extreme" => "Hyperdisk provisioned storage (hyperdisk-extreme)".to_owned(),
        _ => "Standard provisioned storage (pd-standard)".to_owned(),
    }
}

/// Storage of a disk.
pub(super) fn storage(c: &mut Cost, kind: &str, size_gb: Quantity) {
    c.add(disk_name(kind), "GB", size_gb).with("disk_type", kind);
}

/// Machines of a type, with their graphics cards.
pub(super) fn machines(v: &View<'_>, c: &mut Cost, kind: &str, count: Quantity, preemptible: bool) {
    let option = if preemptible { "preemptible" } else { "on-demand" };
    let hours = v.used("monthly_hrs").or(MONTH_HOURS);
    let usage = c.hourly(format!("Instance usage (Linux/UNIX, {option}, {kind})"), "hours", count * hours);
    usage.with("machine_type", kind).with("purchase_option", option);
    for card in v.blocks("guest_accelerator") {
        let kind = card.text_or("type", "");
        let name = match kind.as_str() {
            "nvidia-tesla-t4" => "NVIDIA Tesla T4",
            "nvidia-tesla-p4" => "NVIDIA Tesla P4",
            "nvidia-tesla-v100" => "NVIDIA Tesla V100",
            "nvidia-tesla-p100" => "NVIDIA Tesla P100",
            "nvidia-tesla-k80" => "NVIDIA Tesla K80",
            "nvidia-tesla-a100" => "NVIDIA Tesla A100",
            other => other,
        };
        let cards = card.number("count").or(1);
        c.hourly(format!("{name} ({option})"), "hours", count * cards * hours)
            .with("accelerator", &kind)
            .with("purchase_option", option);
    }
}

fn is_preemptible(v: &View<'_>) -> bool {
    v.flag("scheduling.preemptible") || v.text_or("scheduling.provisioning_model", "") == "SPOT"
}

/// The machine and disks that a template or instance describes.
fn described(v: &View<'_>, c: &mut Cost, count: Quantity) -> Ruled {
    let kind = v.need("machine_type")?;
    let kind = kind.rsplit('/').next().unwrap_or(&kind).to_owned();
    machines(v, c, &kind, count, is_preemptible(v));
    Ok(())
}

fn instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    described(v, c, Quantity::of(1))?;
    for boot in v.blocks("boot_disk") {
        if boot.has("source") {
            // A disk of its own.
            continue;
        }
        storage(
            c,
            &boot.text_or("initialize_params.type", "pd-standard"),
            boot.number("initialize_params.size").or(10),
        );
    }
    let scratch = v.count("scratch_disk");
    if scratch > 0 {
        c.add("Local SSD provisioned storage", "GB", 375 * scratch);
    }
    Ok(())
}

fn group(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kinds = ["google_compute_instance_template", "google_compute_region_instance_template"];
    let template = v.refers_to("version.instance_template", &kinds);
    let template = template
        .or_else(|| v.refers_to("instance_template", &kinds))
        .ok_or_else(|| Unpriced::Unknown("instance_template".into()))?;
    let scaler = ["google_compute_autoscaler", "google_compute_region_autoscaler"];
    let least = scaler
        .iter()
        .flat_map(|k| v.users(k))
        .map(|s| s.number("autoscaling_policy.min_replicas"))
        .find(|q| q.is_set());
    let count = v.number("target_size").or_else(least.unwrap_or(Quantity::UNSET)).or(1);
    described(&template, c, count)?;
    for disk in template.blocks("disk") {
        if disk.has("source") {
            continue;
        }
        if disk.text_or("type", "PERSISTENT") == "SCRATCH" {
            c.add("Local SSD provisioned storage", "GB", disk.number("disk_size_gb").or(375) * count);
        } else {
            storage(c, &disk.text_or("disk_type", "pd-standard"), disk.number("disk_size_gb").or(10) * count);
        }
    }
    Ok(())
}

fn per_instance(_: &View<'_>, _: &mut Cost) -> Ruled {
    // Counted with its group.
    Err(Unpriced::Free)
}

fn size(v: &View<'_>) -> Quantity {
    let own = v.number("size");
    if own.is_set() {
        return own;
    }
    let image = v.refers_to("image", &["google_compute_image"]).map(|i| i.number("disk_size_gb"));
    let snapshot = v
        .refers_to("snapshot", &["google_compute_snapshot"])
        .and_then(|s| s.refers_to("source_disk", &["google_compute_disk"]));
    let from = image.or(snapshot.map(|s| s.number("size"))).unwrap_or(Quantity::UNSET);
    // Without any, what the type starts with.
    let default = match v.text_or("type", "pd-standard").as_str() {
        "pd-ssd" | "pd-balanced" => 100,
        "pd-extreme" | "hyperdisk-extreme" => 1_000,
        _ => 500,
    };
    from.or(default)
}

fn disk(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("type", "pd-standard");
    storage(c, &kind, size(v));
    let iops = v.number("provisioned_iops");
    if kind.ends_with("extreme") {
        c.add("Provisioned IOPS", "IOPS", iops.or(2_500)).with("disk_type", &kind);
    }
    Ok(())
}

fn regional_disk(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("type", "pd-standard");
    let name = disk_name(&kind).replace("provisioned storage", "regional provisioned storage");
    c.add(name, "GB", size(v)).with("disk_type", &kind).with("scope", "regional");
    Ok(())
}

fn image(v: &View<'_>, c: &mut Cost) -> Ruled {
    let stated = v.used("storage_gb");
    let own = v.number("disk_size_gb");
    let disk = v.refers_to("source_disk", &["google_compute_disk"]).map(|d| size(&d));
    let other = v.refers_to("source_image", &["google_compute_image"]).map(|i| i.number("disk_size_gb"));
    let snapshot = v
        .refers_to("source_snapshot", &["google_compute_snapshot"])
        .and_then(|s| s.refers_to("source_disk", &["google_compute_disk"]))
        .map(|d| size(&d));
    let derived = disk.or(other).or(snapshot).unwrap_or(Quantity::UNSET);
    c.usage("Storage", "GB", stated.or_else(own).or_else(derived));
    Ok(())
}

fn machine_image(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Storage", "GB", v.used("storage_gb"));
    Ok(())
}

fn snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    let disk = v.refers_to("source_disk", &["google_compute_disk"]).map_or(Quantity::UNSET, |d| size(&d));
    c.usage("Storage", "GB", v.used("storage_gb").or_else(disk));
    Ok(())
}
