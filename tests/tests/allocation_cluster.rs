//! Kubernetes: what containers cost is the bill of their nodes, whatever asks for it.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use grid_tests::{Grid, figure, run_grid};
use serde_json::{Value, json};

/// 2026-09-01T00:00:00Z.
const START_S: u64 = 1_788_220_800;
const HOURS: u64 = 3;
const GIB: u64 = 1 << 30;

/// What two nodes cost an hour, in dollars; the second has a credit in its last hour.
const NODE_COSTS: [[&str; 3]; 2] = [["0.4", "0.4", "0.4"], ["1.0000000001", "1", "-0.25"]];
const NODES: [(&str, &str, &str); 2] = [
    ("n1", "aws:///eu-west-1a/i-0abc12345678", "arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678"),
    ("n2", "gce://proj/europe-west1-b/n2", "//compute.googleapis.com/projects/proj/zones/europe-west1-b/instances/n2"),
];

/// Namespace, pod, node, cores and GiB requested, cores and GiB used.
const PODS: [(&str, &str, &str, f64, f64, f64, f64); 4] = [
    ("shop", "cart-7d9f-x1", "n1", 1.0, 2.0, 0.5, 4.0),
    ("infra", "agent-1", "n1", 0.5, 1.0, 0.0, 0.5),
    ("shop", "pay-1", "n2", 2.0, 4.0, 1.0, 1.0),
    // More than the node has.
    ("batch", "etl-1", "n2", 30.0, 4.0, 0.0, 2.0),
];

fn metrics() -> anyhow::Result<String> {
    let mut out = String::new();
    let mut gauge = |name: &str, labels: &str, value: &dyn Fn(u64) -> f64| -> anyhow::Result<()> {
        writeln!(out, "# TYPE {name} gauge")?;
        for minute in 0..=HOURS * 60 {
            writeln!(out, "{name}{{{labels}}} {} {}", value(minute), START_S + minute * 60)?;
        }
        Ok(())
    };
    for (node, provider, _) in NODES {
        gauge("kube_node_info", &format!("node=\"{node}\",provider_id=\"{provider}\""), &|_| 1.0)?;
        gauge("kube_node_status_capacity", &format!("node=\"{node}\",resource=\"cpu\",unit=\"core\""), &|_| 4.0)?;
        let memory = format!("node=\"{node}\",resource=\"memory\",unit=\"byte\"");
        gauge("kube_node_status_capacity", &memory, &|_| (16 * GIB) as f64)?;
    }
    for (namespace, pod, node, cpu, ram, cpu_used, ram_used) in PODS {
        let of = format!("namespace=\"{namespace}\",pod=\"{pod}\"");
        gauge("kube_pod_info", &format!("{of},node=\"{node}\""), &|_| 1.0)?;
        gauge(
            "kube_pod_owner",
            &format!("{of},owner_kind=\"ReplicaSet\",owner_name=\"{}\"", &pod[..pod.len() - 3]),
            &|_| 1.0,
        )?;
        let container = format!("{of},container=\"main\"");
        gauge(
            "kube_pod_container_resource_requests",
            &format!("{container},node=\"{node}\",resource=\"cpu\""),
            &|_| cpu,
        )?;
        let memory = format!("{container},node=\"{node}\",resource=\"memory\"");
        gauge("kube_pod_container_resource_requests", &memory, &|_| ram * GIB as f64)?;
        // Without a node, as some scrapers have it.
        gauge("container_cpu_usage_seconds_total", &container, &|minute| cpu_used * minute as f64 * 60.0)?;
        gauge("container_memory_working_set_bytes", &container, &|_| ram_used * GIB as f64)?;
    }
    // One name, one TYPE line, its samples together.
    let mut families: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for line in out.lines().filter(|l| !l.starts_with('#')) {
        families.entry(line.split('{').next().unwrap_or_default()).or_default().push(line);
    }
    let mut text = String::new();
    for (name, lines) in families {
        writeln!(text, "# TYPE {name} gauge")?;
        lines.iter().try_for_each(|l| writeln!(text, "{l}"))?;
    }
    Ok(text + "# EOF\n")
}

fn bill() -> String {
    let mut out = String::from(
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
         ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ProviderName,ResourceId\n",
    );
    for ((_, _, resource), costs) in NODES.iter().zip(NODE_COSTS) {
        for (hour, cost) in costs.iter().enumerate() {
            out.push_str(&format!(
                "{cost},{cost},{cost},{cost},1,USD,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,2026-09-01T{hour:02}:00:00Z,2026-09-01T{:02}:00:00Z,\
                 Usage,Compute,Cloud,{resource}\n",
                hour + 1
            ));
        }
    }
    out
}

const RULES: &str = r#"
[metric.cluster]
kubernetes = true

[[rule]]
name = "nodes"
match = { service = "Compute" }
split = { by = "metric", metric = "cluster" }
"#;

async fn get(grid: &Grid, path: &str) -> anyhow::Result<Value> {
    let answer = grid.client.get(format!("{}{path}", grid.http)).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

#[tokio::test]
async fn containers_cost_what_their_nodes_are_billed() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cluster.om");
    std::fs::write(&file, metrics()?)?;
    run_grid(&["import", "metrics", &file.to_string_lossy(), "--url", &grid.http]).await?;
    let csv = [("content-type", "text/csv")];
    grid.post_ok("/api/v1/imports?format=focus&name=n.csv&dataset=nodes", "default", &csv, bill()).await?;
    let put =
        grid.client.put(format!("{}/api/v1/costs/rules", grid.http)).json(&json!({ "text": RULES })).send().await?;
    ensure!(put.status().is_success(), "{}", put.text().await?);
    grid.post_ok("/api/v1/costs/allocation", "default", &[("content-type", "application/json")], "{}").await?;

    // The table: each node is its bill, exactly.
    let sums = "SELECT resource_id AS r, sum(cost) AS s FROM allocations GROUP BY 1 ORDER BY 1";
    let rows = grid.sql("default", sums).await?;
    let sum = |i: usize| rows.get(i).and_then(|r| r["s"].as_str()).unwrap_or_default().to_owned();
    let exact = rows.len() == 2 && sum(0) == "1.7500000001" && sum(1) == "1.2";
    let kinds = "SELECT kind AS k, coalesce(owner, '') AS o, resource_id LIKE 'arn%' AS first, sum(cost) AS s FROM allocations GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let rows = grid.sql("default", kinds).await?;
    let of = |kind: &str, owner: &str, first: bool| {
        let row = rows.iter().find(|r| r["k"] == kind && r["o"] == owner && r["first"] == first);
        row.and_then(|r| r["s"].as_str()).and_then(|s| s.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    // Weights by hand, in millionths of a dollar: a core 31611, a GiB 4237; the node has 4 and 16.
    let all = 4.0 * 31_611.0 + 16.0 * 4_237.0;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
    ensure!(near(of("allocated", "shop", true), 1.2 * (31_611.0 + 4.0 * 4_237.0) / all), "{rows:?}");
    ensure!(near(of("allocated", "infra", true), 1.2 * (0.5 * 31_611.0 + 4_237.0) / all), "{rows:?}");
    ensure!(near(of("idle", "", true), 1.2 * (2.5 * 31_611.0 + 11.0 * 4_237.0) / all), "{rows:?}");
    let negative = "SELECT count(*) FROM allocations WHERE kind = 'idle' AND cost < 0";
    ensure!(grid.count("default", negative).await? == 0, "idle is negative");

    // OpenCost's API: the same money.
    let window = "window=2026-09-01T00:00:00Z,2026-09-01T03:00:00Z";
    let path = format!("/opencost/allocation/compute?{window}&aggregate=namespace&includeIdle=true&accumulate=true");
    let answer = get(&grid, &path).await?;
    ensure!(answer["code"] == 200 && answer["data"].as_array().map(Vec::len) == Some(1), "{answer}");
    let set = answer["data"][0].as_object().context("read the set")?;
    let names: Vec<&str> = set.keys().map(String::as_str).collect();
    ensure!(names == ["__idle__", "batch", "infra", "shop"], "{names:?}");
    let total: f64 = set.values().filter_map(|a| a["totalCost"].as_f64()).sum();
    ensure!(near(set["infra"]["totalCost"].as_f64().unwrap_or(0.0), of("allocated", "infra", true)), "{answer}");
    ensure!(set["infra"]["cpuCoreHours"] == 1.5 && set["infra"]["cpuEfficiency"] == 0.0, "{answer}");
    let measured = format!(
        "2 nodes, {HOURS} h: allocations sum to {} and {} as billed; OpenCost's sets sum to {total}",
        sum(0),
        sum(1)
    );
    ensure!(figure("allocation_cluster", exact && (total - 2.950_000_000_1).abs() < 1e-9, &measured), "{measured}");

    // By step and by pod, idle shared: every hour is what it costs.
    let path = format!("/opencost/allocation/compute?{window}&aggregate=namespace,pod&step=1h&shareIdle=true");
    let answer = get(&grid, &path).await?;
    for (hour, set) in answer["data"].as_array().context("read the sets")?.iter().enumerate() {
        let total: f64 = set.as_object().context("read a set")?.values().filter_map(|a| a["totalCost"].as_f64()).sum();
        let billed: f64 = NODE_COSTS.iter().filter_map(|c| c[hour].parse::<f64>().ok()).sum();
        ensure!(
            (total - billed).abs() < 1e-9 && set["shop/pay-1"]["minutes"] == 60.0,
            "{hour}: {total} {billed} {set}"
        );
    }
    let report = get(&grid, "/api/v1/costs/joins").await?;
    ensure!(report["money"][0]["joined"] == "2.9500000001" && report["unseen_count"] == 0, "{report}");
    Ok(())
}
