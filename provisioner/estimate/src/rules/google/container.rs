//! Kubernetes Engine, Cloud Run, Cloud Functions, registries.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::Row;
use crate::value::Value;
use crate::view::{Ruled, Unpriced, View};

use super::compute::{machines, storage};

pub(in crate::rules) const RULES: &[Row] = &[
    ("google_container_cluster", "Kubernetes Engine", cluster),
    ("google_container_node_pool", "Kubernetes Engine", node_pool),
    ("google_cloud_run_service", "Cloud Run", run_service),
    ("google_cloud_run_v2_service", "Cloud Run", run_v2_service),
    ("google_cloud_run_v2_job", "Cloud Run", run_job),
    ("google_cloudfunctions_function", "Cloud Functions", function),
    ("google_container_registry", "Cloud Storage", registry),
    ("google_artifact_registry_repository", "Artifact Registry", artifacts),
];

fn cluster(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.flag("enable_autopilot") {
        c.hours("Cluster management fee", 1);
        for (name, unit, key) in [
            ("Autopilot vCPU (on-demand)", "vCPU", "autopilot_vcpu_count"),
            ("Autopilot memory (on-demand)", "GB", "autopilot_memory_gb"),
            ("Autopilot ephemeral storage (on-demand)", "GB", "autopilot_ephemeral_storage_gb"),
        ] {
            c.usage(name, unit, v.used(key)).scaled(MONTH_HOURS);
        }
        return Ok(());
    }
    c.hours("Cluster management fee", 1);
    let zones = zones(v, v);
    let pools = v.blocks("node_pool");
    if pools.is_empty() && !v.flag("remove_default_node_pool") {
        let stated = v.used("nodes");
        let count = stated.or_else(v.number("initial_node_count").or(3)) * zones;
        pool(v, v, "node_config", count, c.part("default_pool"));
    }
    for (i, block) in pools.iter().enumerate() {
        let stated = v.used(&format!("node_pool[{i}].nodes"));
        let count = stated
            .or_else(block.number("node_count"))
            .or_else(block.number("initial_node_count"))
            .or_else(block.number("autoscaling.min_node_count"))
            .or(3);
        pool(v, block, "node_config", count * zones, c.part(format!("node_pool[{i}]")));
    }
    Ok(())
}

/// How many zones nodes are in: those listed, three of a region, one of a zone.
fn zones(v: &View<'_>, cluster: &View<'_>) -> i64 {
    let listed = v.count("node_locations").max(cluster.count("node_locations"));
    let place = v.text("location").or_else(|| cluster.text("location")).or_else(|| v.text("zone")).unwrap_or_default();
    let zonal = place.rsplit('-').next().is_some_and(|z| z.len() == 1);
    match (listed, zonal || place.is_empty()) {
        (0, true) => 1,
        (0, false) => 3,
        // A zonal cluster's own zone is not in its list.
        (n, true) => n + i64::from(!v.texts("node_locations").contains(&place)),
        (n, false) => n,
    }
}

fn pool(v: &View<'_>, block: &View<'_>, config: &str, count: Quantity, c: &mut Cost) {
    let own = block.blocks(config).into_iter().next();
    let own = own.as_ref();
    let text = |key: &str, default: &str| own.map_or_else(|| default.to_owned(), |o| o.text_or(key, default));
    let number = |key: &str, default: i64| own.map_or(Quantity::of(default), |o| o.number(key).or(default));
    let preemptible = own.is_some_and(|o| o.flag("preemptible") || o.flag("spot"));
    machines(own.unwrap_or(v), c, &text("machine_type", "e2-medium"), count, preemptible);
    storage(c, &text("disk_type", "pd-standard"), number("disk_size_gb", 100) * count);
    let local = number("local_ssd_count", 0);
    if local.is_positive() {
        c.add("Local SSD provisioned storage", "GB", local * 375 * count);
    }
}

fn node_pool(v: &View<'_>, c: &mut Cost) -> Ruled {
    let cluster = v.refers_to("cluster", &["google_container_cluster"]);
    let zones = match &cluster {
        Some(cluster) if !v.has("location") => zones(cluster, cluster).max(v.count("node_locations")),
        Some(cluster) => zones(v, cluster),
        None => zones(v, v),
    };
    let zones = if v.count("node_locations") > 0 { v.count("node_locations") } else { zones };
    let stated = v.used("nodes");
    let count = stated
        .or_else(v.number("node_count"))
        .or_else(v.number("initial_node_count"))
        .or_else(v.number("autoscaling.min_node_count"))
        .or(3);
    // What usage states counts nodes of a zone too.
    pool(v, v, "node_config", count * zones, c);
    Ok(())
}

/// Regions with the lower prices of Cloud Run: https://cloud.google.com/run/pricing.
const TIER_1: [&str; 17] = [
    "asia-east1",
    "asia-northeast1",
    "asia-northeast2",
    "asia-south1",
    "europe-north1",
    "europe-southwest1",
    "europe-west1",
    "europe-west4",
    "europe-west8",
    "europe-west9",
    "me-west1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-south1",
    "us-west1",
];

/// `500m`, `2`, `0.5`.
fn cpus(text: Option<String>) -> Quantity {
    let Some(text) = text else { return Quantity::of(1) };
    match text.strip_suffix('m') {
        Some(milli) => Quantity(Value::text(milli).as_number()) / 1_000,
        None => Quantity(Value::Text(text).as_number()),
    }
    .or(1)
}

/// `512Mi`, `2Gi`, `1G`.
fn memory_gib(text: Option<String>) -> Quantity {
    let Some(text) = text else { return Quantity::decimal("0.5") };
    let number = |t: &str| Quantity(Value::text(t).as_number());
    if let Some(t) = text.strip_suffix("Gi") {
        number(t)
    } else if let Some(t) = text.strip_suffix("Mi") {
        number(t) / 1_024
    } else if let Some(t) = text.strip_suffix('G') {
        number(t) * 1_000_000_000 / (1 << 30)
    } else if let Some(t) = text.strip_suffix('M') {
        number(t) * 1_000_000 / (1 << 20) / 1_024
    } else {
        number(&text) / (1 << 30)
    }
}

fn run(v: &View<'_>, c: &mut Cost, cpu: Quantity, memory: Quantity, throttled: bool, instances: Quantity) {
    let tier = if TIER_1.contains(&v.region().as_str()) { "" } else { " (tier 2)" };
    let requests = v.used("monthly_requests");
    let seconds = if throttled {
        let concurrent = v.used("concurrent_requests_per_instance").or(1);
        requests * v.used("average_request_duration_ms") / 1_000 / concurrent
    } else {
        v.used("instance_hrs") * 3_600 * instances
    };
    let billing = if throttled { "request" } else { "instance" };
    c.usage(format!("CPU allocation time{tier}"), "vCPU-seconds", seconds * cpu).with("billing", billing);
    c.usage(format!("Memory allocation time{tier}"), "GiB-seconds", seconds * memory).with("billing", billing);
    if throttled {
        c.usage("Number of requests", "requests", requests);
    }
}

fn run_service(v: &View<'_>, c: &mut Cost) -> Ruled {
    let limits = "template.spec.containers.resources.limits";
    // Of the revision's template, or of the service.
    let note = |key: &str| {
        ["template.metadata.annotations", "metadata.annotations"].iter().find_map(|path| match v.values.at(path) {
            Some(Value::Map(notes)) => notes.get(key).and_then(Value::as_text),
            _ => None,
        })
    };
    let throttled = note("run.googleapis.com/cpu-throttling").is_none_or(|t| t != "false");
    let least = note("autoscaling.knative.dev/minScale").map_or(Quantity::UNSET, |t| Quantity::decimal(&t));
    run(
        v,
        c,
        cpus(v.text(&format!("{limits}.cpu"))),
        memory_gib(v.text(&format!("{limits}.memory"))),
        throttled,
        running(least),
    );
    Ok(())
}

/// Instances that are there on average: those kept, or half of one that comes and goes.
fn running(least: Quantity) -> Quantity {
    if least.is_positive() { least } else { Quantity::decimal("0.5") }
}

fn run_v2_service(v: &View<'_>, c: &mut Cost) -> Ruled {
    let resources = "template.containers.resources";
    let throttled = v.flag_or(&format!("{resources}.cpu_idle"), true);
    let cpu = cpus(v.text(&format!("{resources}.limits.cpu")));
    let memory = memory_gib(v.text(&format!("{resources}.limits.memory")));
    run(v, c, cpu, memory, throttled, running(v.number("template.scaling.min_instance_count")));
    Ok(())
}

fn run_job(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tier = if TIER_1.contains(&v.region().as_str()) { "" } else { " (tier 2)" };
    let limits = "template.template.containers.resources.limits";
    let seconds = v.used("monthly_job_executions")
        * v.used("average_task_execution_mins")
        * 60
        * v.number("template.task_count").or(1);
    c.usage(format!("CPU allocation time{tier}"), "vCPU-seconds", seconds * cpus(v.text(&format!("{limits}.cpu"))));
    c.usage(
        format!("Memory allocation time{tier}"),
        "GiB-seconds",
        seconds * memory_gib(v.text(&format!("{limits}.memory"))),
    );
    Ok(())
}

fn function(v: &View<'_>, c: &mut Cost) -> Ruled {
    // Processor speed follows memory: https://cloud.google.com/functions/pricing.
    let memory = v.int("available_memory_mb", 256);
    let mhz = match memory {
        ..=128 => 200,
        ..=256 => 400,
        ..=512 => 800,
        ..=1_024 => 1_400,
        ..=2_048 => 2_400,
        _ => 4_800,
    };
    let calls = v.used("monthly_function_invocations");
    // Durations count by 100 ms.
    let seconds = (v.used("request_duration_ms") / 100).ceil() / 10;
    c.usage("CPU", "GHz-seconds", calls * seconds * mhz / 1_000);
    c.usage("Memory", "GB-seconds", calls * seconds * memory / 1_024);
    c.usage("Invocations", "invocations", calls);
    c.usage("Outbound data transfer", "GB", v.used("monthly_outbound_data_gb"));
    Ok(())
}

fn registry(v: &View<'_>, c: &mut Cost) -> Ruled {
    super::storage::bucket_like(v, c, "STANDARD");
    Ok(())
}

fn artifacts(v: &View<'_>, c: &mut Cost) -> Ruled {
    // Half a GB is free.
    c.usage("Storage", "GB", v.used("storage_gb").above(Quantity::decimal("0.5")));
    let region = v.region();
    for (to, gb) in v.used_map("monthly_egress_data_transfer_gb") {
        let to = to.replace('_', "-");
        if to == region {
            continue;
        }
        c.usage(format!("Data transfer ({to})"), "GB", gb).with("to_region", &to);
    }
    if c.components.is_empty() {
        return Err(Unpriced::Free);
    }
    Ok(())
}
