//! Virtual machines, scale sets, managed disks, images, machine learning.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_linux_virtual_machine", "Virtual Machines", linux),
    ("azurerm_windows_virtual_machine", "Virtual Machines", windows),
    ("azurerm_virtual_machine", "Virtual Machines", classic),
    ("azurerm_linux_virtual_machine_scale_set", "Virtual Machines", linux_set),
    ("azurerm_windows_virtual_machine_scale_set", "Virtual Machines", windows_set),
    ("azurerm_virtual_machine_scale_set", "Virtual Machines", classic_set),
    ("azurerm_managed_disk", "Storage", managed_disk),
    ("azurerm_snapshot", "Storage", snapshot),
    ("azurerm_image", "Storage", image),
    ("azurerm_machine_learning_compute_cluster", "Virtual Machines", learning_cluster),
    ("azurerm_machine_learning_compute_instance", "Virtual Machines", learning_instance),
];

/// How machines are bought.
fn option(windows: bool, license: &str, dev_test: bool) -> &'static str {
    if dev_test {
        "dev/test"
    } else if windows && ["Windows_Client", "Windows_Server"].contains(&license) {
        "hybrid benefit"
    } else {
        "pay as you go"
    }
}

/// The hours of machines of a size.
pub(super) fn machines(v: &View<'_>, c: &mut Cost, size: &str, windows: bool, license: &str, hours: Quantity) {
    let system = if windows { "Windows" } else { "Linux" };
    let dev_test = windows && v.used_text("purchase_option").is_some_and(|o| o == "dev_test");
    let option = option(windows, license, dev_test);
    let usage = c.hourly(format!("Instance usage ({system}, {option}, {size})"), "hours", hours);
    usage.with("size", size).with("operating_system", system).with("purchase_option", option);
}

fn ultra(v: &View<'_>, c: &mut Cost) {
    if v.flag("additional_capabilities.ultra_ssd_enabled") {
        c.usage("Ultra disk reservation (if unattached)", "vCPU", Quantity::UNSET).scaled(MONTH_HOURS);
    }
}

/// Tiers of managed disks by size in GB: https://azure.microsoft.com/pricing/details/managed-disks.
const TIERS: [(i64, u32); 14] = [
    (4, 1),
    (8, 2),
    (16, 3),
    (32, 4),
    (64, 6),
    (128, 10),
    (256, 15),
    (512, 20),
    (1_024, 30),
    (2_048, 40),
    (4_096, 50),
    (8_192, 60),
    (16_384, 70),
    (32_767, 80),
];

/// Storage and operations of `count` disks.
pub(super) fn disk(
    c: &mut Cost,
    kind: &str,
    size_gb: i64,
    count: Quantity,
    operations: Quantity,
    shown_operations: bool,
) {
    let (media, redundancy) = kind.split_once('_').unwrap_or((kind, "LRS"));
    let letter = match media {
        "Premium" => "P",
        "StandardSSD" => "E",
        _ => "S",
    };
    // Hard disks begin at 32 GB.
    let size = if letter == "S" { size_gb.max(32) } else { size_gb.max(1) };
    let tier = TIERS.iter().find(|(gb, _)| size <= *gb).map_or(80, |(_, n)| *n);
    let name = format!("{letter}{tier}");
    c.add(format!("Storage ({name}, {redundancy})"), "months", count)
        .with("tier", &name)
        .with("redundancy", redundancy);
    if letter != "P" && shown_operations {
        c.usage("Disk operations", "10k operations", operations)
            .per(10_000)
            .with("tier", &name)
            .with("redundancy", redundancy);
    }
}

fn os_disk(v: &View<'_>, c: &mut Cost) {
    if let Some(block) = v.blocks("os_disk").into_iter().next() {
        let kind = block.text_or("storage_account_type", "Standard_LRS");
        let operations = v.used("os_disk.monthly_disk_operations");
        disk(c.part("os_disk"), &kind, block.int("disk_size_gb", 30), Quantity::of(1), operations, true);
    }
}

fn linux(v: &View<'_>, c: &mut Cost) -> Ruled {
    single(v, c, false)
}

fn windows(v: &View<'_>, c: &mut Cost) -> Ruled {
    single(v, c, true)
}

fn single(v: &View<'_>, c: &mut Cost, windows: bool) -> Ruled {
    let size = v.need("size")?;
    machines(v, c, &size, windows, &v.text_or("license_type", ""), v.used("monthly_hrs").or(MONTH_HOURS));
    ultra(v, c);
    os_disk(v, c);
    Ok(())
}

fn classic(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v.need("vm_size")?;
    let publisher = v.text_or("storage_image_reference.publisher", "");
    let windows = v.has("os_profile_windows_config")
        || v.text_or("storage_os_disk.os_type", "").eq_ignore_ascii_case("windows")
        || publisher.starts_with("MicrosoftWindows");
    machines(v, c, &size, windows, &v.text_or("license_type", ""), v.used("monthly_hrs").or(MONTH_HOURS));
    c.usage("Ultra disk reservation (if unattached)", "vCPU", Quantity::UNSET).scaled(MONTH_HOURS);
    for path in ["storage_os_disk", "storage_data_disk"] {
        for block in v.blocks(path) {
            let kind = block.text_or("managed_disk_type", "Standard_LRS");
            let operations = v.used(&format!("{path}.monthly_disk_operations"));
            disk(c.part(path), &kind, block.int("disk_size_gb", 30), Quantity::of(1), operations, true);
        }
    }
    Ok(())
}

fn linux_set(v: &View<'_>, c: &mut Cost) -> Ruled {
    set(v, c, false)
}

fn windows_set(v: &View<'_>, c: &mut Cost) -> Ruled {
    set(v, c, true)
}

fn set(v: &View<'_>, c: &mut Cost, windows: bool) -> Ruled {
    let size = v.need("sku")?;
    let count = v.used("instances").or_else(v.number("instances")).or(1);
    machines(v, c, &size, windows, &v.text_or("license_type", ""), count * MONTH_HOURS);
    if v.flag("additional_capabilities.ultra_ssd_enabled") {
        c.usage("Ultra disk reservation (if unattached)", "vCPU", Quantity::UNSET).scaled(MONTH_HOURS);
    }
    if let Some(block) = v.blocks("os_disk").into_iter().next() {
        let kind = block.text_or("storage_account_type", "Standard_LRS");
        let operations = v.used("os_disk.monthly_disk_operations");
        disk(c.part("os_disk"), &kind, block.int("disk_size_gb", 30), count, operations, true);
    }
    Ok(())
}

fn classic_set(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v.need("sku.name")?;
    let count = v.used("instances").or_else(v.number("sku.capacity")).or(1);
    let windows = v.has("os_profile_windows_config");
    machines(v, c, &size, windows, &v.text_or("license_type", ""), count * MONTH_HOURS);
    for (name, path) in
        [("storage_os_disk", "storage_profile_os_disk"), ("storage_data_disk", "storage_profile_data_disk")]
    {
        for block in v.blocks(path) {
            let kind = block.text_or("managed_disk_type", "Standard_LRS");
            let operations = v.used(&format!("{path}.monthly_disk_operations"));
            // Counted once, as the published estimates do, whatever the capacity.
            disk(c.part(name), &kind, block.int("disk_size_gb", 30), Quantity::of(1), operations, true);
        }
    }
    Ok(())
}

fn managed_disk(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("storage_account_type", "Standard_LRS");
    if kind == "UltraSSD_LRS" {
        // Sizes up to 1 TB are steps, then whole TB.
        let size = v.int("disk_size_gb", 1_024);
        let step = [4, 8, 16, 32, 64, 128, 256, 512]
            .into_iter()
            .find(|s| size <= *s)
            .unwrap_or_else(|| (size.max(1) as u64).div_ceil(1_024) as i64 * 1_024);
        c.hourly(format!("Storage (ultra, {step} GiB)"), "GiB", step).scaled(MONTH_HOURS);
        c.hourly("Provisioned IOPS", "IOPS", v.number("disk_iops_read_write").or(2_048)).scaled(MONTH_HOURS);
        c.hourly("Throughput", "MB/s", v.number("disk_mbps_read_write").or(8)).scaled(MONTH_HOURS);
        return Ok(());
    }
    disk(c, &kind, v.int("disk_size_gb", 30), Quantity::of(1), v.used("monthly_disk_operations"), true);
    Ok(())
}

fn snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    let source = ["source_uri", "source_resource_id"].iter().find_map(|p| v.refers_to(p, &["azurerm_managed_disk"]));
    let size = v.number("disk_size_gb").or_else(source.map_or(Quantity::UNSET, |s| s.number("disk_size_gb")));
    c.usage("Storage", "GB", v.used("storage_gb").or_else(size));
    Ok(())
}

fn image(v: &View<'_>, c: &mut Cost) -> Ruled {
    let machine = v.refers_to(
        "source_virtual_machine_id",
        &["azurerm_virtual_machine", "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine"],
    );
    let of = |view: &View<'_>, paths: &[&str], key: &str| {
        let sizes: Vec<_> =
            paths.iter().flat_map(|p| view.blocks(p)).map(|b| b.number(key)).filter(|q| q.is_set()).collect();
        sizes.into_iter().reduce(|a, b| a + b).unwrap_or(Quantity::UNSET)
    };
    let own = of(v, &["os_disk", "data_disk"], "size_gb");
    let theirs = machine
        .map_or(Quantity::UNSET, |m| of(&m, &["storage_os_disk", "storage_data_disk", "os_disk"], "disk_size_gb"));
    c.usage("Storage", "GB", v.used("storage_gb").or_else(own).or_else(theirs));
    Ok(())
}

fn learning_cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v.need("vm_size")?;
    let stated = v.used("instances").or_else(v.number("scale_settings.min_node_count")).or(0);
    // A cluster that goes down to nothing still needs one node to do anything.
    let count = if stated.is_zero() && v.has_usage("monthly_hrs") { Quantity::of(1) } else { stated };
    machines(v, c, &size, false, "", count * v.used("monthly_hrs").or(MONTH_HOURS));
    Ok(())
}

fn learning_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v
        .text("virtual_machine_size")
        .or_else(|| v.text("vm_size"))
        .ok_or_else(|| Unpriced::Unknown("virtual_machine_size".into()))?;
    machines(v, c, &size, false, "", v.used("monthly_hrs").or(MONTH_HOURS));
    Ok(())
}
