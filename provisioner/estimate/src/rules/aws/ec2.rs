//! EC2: machines, groups of them, their disks, dedicated hosts; Lightsail.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_instance", "AmazonEC2", instance),
    ("aws_spot_instance_request", "AmazonEC2", spot_instance),
    ("aws_autoscaling_group", "AmazonEC2", autoscaling_group),
    ("aws_ebs_volume", "AmazonEC2", ebs_volume),
    ("aws_ebs_snapshot", "AmazonEC2", ebs_snapshot),
    ("aws_ebs_snapshot_copy", "AmazonEC2", ebs_snapshot_copy),
    ("aws_ec2_host", "AmazonEC2", host),
    ("aws_elastic_beanstalk_environment", "AmazonEC2", beanstalk),
    ("aws_lightsail_instance", "AmazonLightsail", lightsail),
];

/// A machine as its price sees it, whoever creates it.
pub(super) struct Machine {
    pub(super) kind: String,
    pub(super) count: Quantity,
    pub(super) tenancy: String,
    pub(super) spot: bool,
    pub(super) ebs_optimized: bool,
    pub(super) monitoring: bool,
    pub(super) cpu_credits: String,
    pub(super) accelerators: Vec<String>,
}

impl Machine {
    fn of(v: &View<'_>, kind: String, count: Quantity) -> Self {
        Self {
            kind,
            count,
            tenancy: v
                .text("tenancy")
                .or_else(|| v.text("placement.tenancy"))
                .or_else(|| v.text("placement_tenancy"))
                .unwrap_or_default(),
            spot: false,
            ebs_optimized: v.flag("ebs_optimized"),
            monitoring: false,
            cpu_credits: v.text_or("credit_specification.cpu_credits", ""),
            accelerators: [v.text("elastic_inference_accelerator.type")].into_iter().flatten().collect(),
        }
    }
}

/// Operating system as usage states it, else Linux; the name on the bill and in price lists.
fn operating_system(v: &View<'_>) -> &'static str {
    match v.used_text("operating_system").unwrap_or_default().to_lowercase().as_str() {
        "windows" => "Windows",
        "rhel" => "RHEL",
        "suse" => "SUSE",
        _ => "Linux/UNIX",
    }
}

/// The hours of machines, and what hangs on them.
pub(super) fn machine(v: &View<'_>, c: &mut Cost, m: &Machine) {
    let system = operating_system(v);
    let reserved = v.used_text("reserved_instance_type").is_some();
    let option = if m.spot {
        "spot"
    } else if reserved {
        "reserved"
    } else {
        "on-demand"
    };
    let hours = v.used("monthly_hrs").or(MONTH_HOURS);
    let usage = c.hourly(format!("Instance usage ({system}, {option}, {})", m.kind), "hours", m.count * hours);
    usage.with("instance_type", &m.kind).with("operating_system", system).with("purchase_option", option);
    usage.with("tenancy", if m.tenancy.is_empty() { "default" } else { &m.tenancy });
    for (key, name) in [
        ("reserved_instance_type", "offering_class"),
        ("reserved_instance_term", "term"),
        ("reserved_instance_payment_option", "payment_option"),
    ] {
        if let Some(text) = v.used_text(key) {
            usage.with(name, text);
        }
    }
    if m.ebs_optimized && pays_for_ebs_optimisation(&m.kind) {
        c.hourly("EBS-optimized usage", "hours", m.count * hours).with("instance_type", &m.kind);
    }
    for accelerator in &m.accelerators {
        c.hours(format!("Inference accelerator ({accelerator})"), m.count).with("accelerator", accelerator);
    }
    if m.monitoring {
        // Seven metrics a machine: https://aws.amazon.com/cloudwatch/pricing, "detailed monitoring".
        c.add("EC2 detailed monitoring", "metrics", m.count * 7);
    }
    let family = m.kind.split('.').next().unwrap_or_default();
    let burstable = ["t2", "t3", "t3a", "t4g"].contains(&family);
    let unlimited = match m.cpu_credits.as_str() {
        "" => family != "t2",
        chosen => chosen == "unlimited",
    };
    if burstable && unlimited {
        let credits = v.used("monthly_cpu_credit_hrs");
        if credits.is_set() {
            let vcpus = v.used("vcpu_count").or_else(vcpus(&m.kind)).or(2);
            c.usage("CPU credits", "vCPU-hours", credits * vcpus * m.count).with("instance_family", family);
        }
    }
}

/// Older types alone pay extra for what newer ones include.
fn pays_for_ebs_optimisation(kind: &str) -> bool {
    const PAYING: [&str; 19] = [
        "c1.xlarge",
        "c3.xlarge",
        "c3.2xlarge",
        "c3.4xlarge",
        "g2.2xlarge",
        "i2.xlarge",
        "i2.2xlarge",
        "i2.4xlarge",
        "m1.large",
        "m1.xlarge",
        "m2.2xlarge",
        "m2.4xlarge",
        "m3.xlarge",
        "m3.2xlarge",
        "r3.xlarge",
        "r3.2xlarge",
        "r3.4xlarge",
        "hi1.4xlarge",
        "cr1.8xlarge",
    ];
    PAYING.contains(&kind)
}

/// Virtual CPUs of burstable types; unset for others.
fn vcpus(kind: &str) -> Quantity {
    match kind.split_once('.') {
        Some(("t2", "nano" | "micro" | "small")) => Quantity::of(1),
        Some((_, "nano" | "micro" | "small" | "medium" | "large")) => Quantity::of(2),
        Some((_, "xlarge")) => Quantity::of(4),
        Some((_, "2xlarge")) => Quantity::of(8),
        _ => Quantity::UNSET,
    }
}

/// A disk, as `ebs_block_device`, `ebs` and `aws_ebs_volume` describe it.
pub(super) struct Disk {
    pub(super) kind: String,
    pub(super) size_gb: Quantity,
    pub(super) iops: Quantity,
    pub(super) throughput: Quantity,
}

impl Disk {
    pub(super) fn of(v: &View<'_>, kind: &str, size: &str, default: &str) -> Self {
        Self {
            kind: v.text_or(kind, default),
            size_gb: v.number(size).or(8),
            iops: v.number("iops"),
            throughput: v.number("throughput"),
        }
    }
}

/// The storage of a disk, its provisioned operations, and the operations of magnetic disks.
pub(super) fn disk(c: &mut Cost, d: &Disk, operations: Quantity) {
    let name = match d.kind.as_str() {
        "standard" => "magnetic".to_owned(),
        "io1" => "provisioned IOPS SSD, io1".to_owned(),
        "io2" => "provisioned IOPS SSD, io2".to_owned(),
        "st1" => "throughput optimized HDD, st1".to_owned(),
        "sc1" => "cold HDD, sc1".to_owned(),
        "gp3" => "general purpose SSD, gp3".to_owned(),
        other => format!("general purpose SSD, {other}"),
    };
    c.add(format!("Storage ({name})"), "GB", d.size_gb).with("volume_type", &d.kind);
    match d.kind.as_str() {
        "standard" => {
            c.usage("I/O requests", "1M request", operations).per(1_000_000).with("volume_type", &d.kind);
        }
        "io1" | "io2" => {
            c.add("Provisioned IOPS", "IOPS", d.iops.or(100)).with("volume_type", &d.kind);
        }
        "gp3" => {
            // 3,000 operations and 125 MB/s are in the price of the storage.
            let (iops, throughput) = (d.iops.or(0).above(3_000), d.throughput.or(0).above(125));
            if iops.is_positive() {
                c.add("Provisioned IOPS", "IOPS", iops).with("volume_type", &d.kind);
            }
            if throughput.is_positive() {
                c.add("Provisioned throughput", "Mbps", throughput).with("volume_type", &d.kind);
            }
        }
        _ => {}
    }
}

fn disks(v: &View<'_>, c: &mut Cost, count: Quantity) {
    let root = v.blocks("root_block_device").into_iter().next();
    let part = c.part("root_block_device");
    let own = root.as_ref().unwrap_or(v);
    let described = match root {
        Some(_) => Disk::of(own, "volume_type", "volume_size", "gp2"),
        None => Disk {
            kind: "gp2".to_owned(),
            size_gb: Quantity::of(8),
            iops: Quantity::UNSET,
            throughput: Quantity::UNSET,
        },
    };
    disk(part, &described, v.used("root_block_device.monthly_iops"));
    part.multiply(count);
    for (i, block) in v.blocks("ebs_block_device").iter().enumerate() {
        let part = c.part(format!("ebs_block_device[{i}]"));
        disk(part, &Disk::of(block, "volume_type", "volume_size", "gp2"), v.used("ebs_block_device.monthly_iops"));
        part.multiply(count);
    }
}

fn instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let template = v
        .refers_to("launch_template.id", &["aws_launch_template"])
        .or_else(|| v.refers_to("launch_template.name", &["aws_launch_template"]));
    let kind = match (v.text("instance_type"), &template) {
        (Some(kind), _) => kind,
        (None, Some(template)) => template.need("instance_type")?,
        (None, None) => v.need("instance_type")?,
    };
    let mut m = Machine::of(v, kind, Quantity::of(1));
    if let Some(template) = &template {
        m.ebs_optimized |= template.flag("ebs_optimized");
        if m.cpu_credits.is_empty() {
            m.cpu_credits = template.text_or("credit_specification.cpu_credits", "");
        }
        if m.tenancy.is_empty() {
            m.tenancy = template.text_or("placement.tenancy", "");
        }
    }
    if m.tenancy == "host" {
        // The host is paid for, not what runs on it.
        return Err(Unpriced::Free);
    }
    m.spot = v.text("instance_market_options.market_type").as_deref() == Some("spot");
    m.monitoring = v.flag("monitoring") || template.as_ref().is_some_and(|t| t.flag("monitoring.enabled"));
    machine(v, c, &m);
    disks(v, c, Quantity::of(1));
    Ok(())
}

fn spot_instance(v: &View<'_>, c: &mut Cost) -> Ruled {
    let mut m = Machine::of(v, v.need("instance_type")?, Quantity::of(1));
    m.spot = true;
    m.monitoring = v.flag("monitoring");
    machine(v, c, &m);
    disks(v, c, Quantity::of(1));
    Ok(())
}

/// Machines by a launch template: with its disks as parts.
pub(super) fn template_machines(
    v: &View<'_>,
    template: &View<'_>,
    kind: &str,
    count: Quantity,
    spot: bool,
    c: &mut Cost,
) {
    let mut m = Machine::of(template, kind.to_owned(), count);
    m.spot = spot || template.text("instance_market_options.market_type").as_deref() == Some("spot");
    m.monitoring = template.flag("monitoring.enabled");
    m.accelerators = template.blocks("elastic_inference_accelerator").iter().filter_map(|b| b.text("type")).collect();
    machine(v, c, &m);
    for (i, mapping) in template.blocks("block_device_mappings").iter().enumerate() {
        let Some(ebs) = mapping.blocks("ebs").into_iter().next() else { continue };
        let part = c.part(format!("block_device_mapping[{i}]"));
        disk(part, &Disk::of(&ebs, "volume_type", "volume_size", "gp2"), Quantity::UNSET);
        part.multiply(count);
    }
}

fn autoscaling_group(v: &View<'_>, c: &mut Cost) -> Ruled {
    let stated = v.used("instances");
    let count = match stated.is_set() {
        true => stated,
        false => {
            let desired = v.number("desired_capacity");
            desired.or_else(v.number("min_size")).or(1)
        }
    };
    if let Some(config) = v.refers_to("launch_configuration", &["aws_launch_configuration"]) {
        let kind = config.need("instance_type")?;
        let part = c.part(config.resource.address.clone());
        let mut m = Machine::of(&config, kind, count);
        m.spot = config.has("spot_price");
        m.monitoring = config.flag_or("enable_monitoring", true);
        machine(v, part, &m);
        disks(&config, part, count);
        return Ok(());
    }
    let direct = ["launch_template.id", "launch_template.name"];
    if let Some(template) = direct.iter().find_map(|p| v.refers_to(p, &["aws_launch_template"])) {
        let kind = template.need("instance_type")?;
        let part = c.part(template.resource.address.clone());
        template_machines(v, &template, &kind, count, false, part);
        root_of_template(&template, count, part);
        return Ok(());
    }
    let base = "mixed_instances_policy.launch_template.launch_template_specification";
    let specified = [format!("{base}.launch_template_id"), format!("{base}.launch_template_name")];
    if let Some(template) = specified.iter().find_map(|p| v.refers_to(p, &["aws_launch_template"])) {
        let overriding = v.blocks("mixed_instances_policy.launch_template.override");
        let kind = overriding.first().and_then(|o| o.text("instance_type"));
        let weight = overriding.first().map_or(Quantity::of(1), |o| o.number("weighted_capacity").or(1));
        let kind =
            kind.or_else(|| template.text("instance_type")).ok_or_else(|| Unpriced::Unknown("instance_type".into()))?;
        let count = (count / weight).ceil();
        let spread = "mixed_instances_policy.instances_distribution";
        let fixed = v.number(&format!("{spread}.on_demand_base_capacity")).or(0).min(count);
        let percent = v.number(&format!("{spread}.on_demand_percentage_above_base_capacity")).or(100);
        let demand = fixed + ((count - fixed) * percent / 100).ceil();
        let part = c.part(template.resource.address.clone());
        if demand.is_positive() {
            template_machines(v, &template, &kind, demand, false, part);
        }
        let spot = count - demand;
        if spot.is_positive() {
            let own = part.parts.len();
            template_machines(v, &template, &kind, spot, true, part);
            if demand.is_positive() {
                // The disks of both kinds are the same disks, all machines' together.
                part.parts.truncate(own);
                part.parts.iter_mut().for_each(|(_, p)| p.multiply(count / demand));
            }
        }
        root_of_template(&template, count, part);
        return Ok(());
    }
    Err(Unpriced::Unknown("launch_template".to_owned()))
}

/// A template without mappings still has the image's own disk.
fn root_of_template(template: &View<'_>, count: Quantity, part: &mut Cost) {
    if template.count("block_device_mappings") == 0 {
        let root = part.part("root_block_device");
        disk(
            root,
            &Disk {
                kind: "gp2".to_owned(),
                size_gb: Quantity::of(8),
                iops: Quantity::UNSET,
                throughput: Quantity::UNSET,
            },
            Quantity::UNSET,
        );
        root.multiply(count);
    }
}

fn ebs_volume(v: &View<'_>, c: &mut Cost) -> Ruled {
    disk(c, &Disk::of(v, "type", "size", "gp2"), v.used("monthly_standard_io_requests"));
    Ok(())
}

fn ebs_snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    let volume = v.refers_to("volume_id", &["aws_ebs_volume"]);
    snapshot(v, c, volume.as_ref());
    Ok(())
}

fn ebs_snapshot_copy(v: &View<'_>, c: &mut Cost) -> Ruled {
    let source = v.refers_to("source_snapshot_id", &["aws_ebs_snapshot"]);
    let volume = source.and_then(|s| s.refers_to("volume_id", &["aws_ebs_volume"]));
    let size = volume.map_or(Quantity::of(8), |v| v.number("size").or(8));
    c.add("EBS snapshot storage", "GB", size);
    Ok(())
}

fn snapshot(v: &View<'_>, c: &mut Cost, volume: Option<&View<'_>>) {
    let size = volume.map_or(Quantity::of(8), |v| v.number("size").or(8));
    c.add("EBS snapshot storage", "GB", size);
    c.usage("Fast snapshot restore", "DSU-hours", v.used("fast_snapshot_restore_hours"));
    c.usage(
        "ListChangedBlocks & ListSnapshotBlocks API requests",
        "1k requests",
        v.used("monthly_list_block_requests"),
    )
    .per(1_000);
    c.usage("GetSnapshotBlock API requests", "1k SnapshotAPIUnits", v.used("monthly_get_block_requests")).per(1_000);
    c.usage("PutSnapshotBlock API requests", "1k SnapshotAPIUnits", v.used("monthly_put_block_requests")).per(1_000);
}

fn host(v: &View<'_>, c: &mut Cost) -> Ruled {
    let reserved = v.used_text("reserved_instance_term").is_some();
    let option = if reserved { "reserved" } else { "on-demand" };
    let family = match (v.text("instance_family"), v.text("instance_type")) {
        (Some(family), _) => family,
        (None, Some(kind)) => kind.split('.').next().unwrap_or_default().to_owned(),
        _ => return Err(Unpriced::Unknown("instance_type".to_owned())),
    };
    c.hours(format!("EC2 Dedicated Host ({option}, {family})"), 1).with("instance_family", family);
    Ok(())
}

fn beanstalk(v: &View<'_>, c: &mut Cost) -> Ruled {
    let settings = v.blocks("setting");
    let of = |namespace: &str, name: &str| {
        settings
            .iter()
            .find(|s| s.text_or("namespace", "") == namespace && s.text_or("name", "") == name)?
            .text("value")
    };
    let launch = "aws:autoscaling:launchconfiguration";
    let kind = of(launch, "InstanceType").or_else(|| of("aws:ec2:instances", "InstanceTypes"));
    let kind =
        kind.and_then(|k| k.split(',').next().map(|k| k.trim().to_owned())).unwrap_or_else(|| "t3.micro".to_owned());
    let number = |text: Option<String>| text.map_or(Quantity::UNSET, |t| Quantity::decimal(&t));
    let count = number(of("aws:autoscaling:asg", "MinSize")).or(1);
    let part = c.part("Launch configuration");
    let m = Machine {
        kind,
        count,
        tenancy: String::new(),
        spot: false,
        ebs_optimized: false,
        monitoring: false,
        cpu_credits: String::new(),
        accelerators: Vec::new(),
    };
    machine(v, part, &m);
    let root = part.part("root_block_device");
    let described = Disk {
        kind: of(launch, "RootVolumeType").unwrap_or_else(|| "gp2".to_owned()),
        size_gb: number(of(launch, "RootVolumeSize")).or(8),
        iops: number(of(launch, "RootVolumeIOPS")),
        throughput: number(of(launch, "RootVolumeThroughput")),
    };
    disk(root, &described, Quantity::UNSET);
    root.multiply(count);
    let logs = "aws:elasticbeanstalk:cloudwatch:logs";
    if of(logs, "StreamLogs").as_deref() == Some("true") {
        super::management::log_group(v, c.part("CloudWatch"), "cloudwatch.");
    }
    if of("aws:elasticbeanstalk:environment", "EnvironmentType").as_deref() != Some("SingleInstance") {
        let kind = of("aws:elasticbeanstalk:environment", "LoadBalancerType").unwrap_or_else(|| "classic".to_owned());
        super::network::balancer(v, c.part("Load balancer"), &kind, "lb.");
    }
    Ok(())
}

fn lightsail(v: &View<'_>, c: &mut Cost) -> Ruled {
    let bundle = v.need("bundle_id")?;
    let mut words = bundle.split('_');
    let (size, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let system = if second == "win" { "Windows" } else { "Linux/UNIX" };
    // Memory of each size: https://aws.amazon.com/lightsail/pricing.
    let memory = match size {
        "nano" => "0.5GB",
        "micro" => "1GB",
        "small" => "2GB",
        "medium" => "4GB",
        "large" => "8GB",
        "xlarge" => "16GB",
        "2xlarge" => "32GB",
        _ => return Err(Unpriced::Unsupported(format!("bundle {bundle}"))),
    };
    c.hours(format!("Virtual server ({system})"), 1).with("bundle", &bundle).with("memory", memory);
    Ok(())
}
