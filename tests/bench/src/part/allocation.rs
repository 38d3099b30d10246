//! Who pays for ten million charges: reading the answer, and computing it again after a change of rules.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::context::Context;
use crate::report::{Section, count};
use crate::system::{Kind, System};

/// Days of the bill.
const DAYS: usize = 30;
/// Charges of one file.
const FILE_CHARGES: usize = 500_000;
/// How often each question is asked.
const READS: usize = 40;

const READ_MAX_S: f64 = 1.0;
const RECOMPUTE_MAX_S: f64 = 60.0;

/// What is asked of the materialised table.
const QUESTIONS: [(&str, &str); 4] = [
    ("by owner", "/api/v1/costs?group_by=owner"),
    ("by owner and day", "/api/v1/costs?group_by=owner&granularity=day&limit=1000"),
    ("by environment and kind", "/api/v1/costs?group_by=environment,kind"),
    ("one owner by resource", "/api/v1/costs?group_by=resource_id&filter=owner=team-7"),
];

/// Rules with two shared costs: charges are read twice.
fn rules(version: usize) -> String {
    format!(
        "[[dimension]]\nname = \"environment\"\nfrom = [\"tag.env\"]\n\n\
         [[rule]]\nname = \"network {version}\"\nmatch = {{ service = \"Data Transfer\" }}\nsplit = {{ by = \"proportional\" }}\n\n\
         [[rule]]\nname = \"logs\"\nmatch = {{ service = \"Logging\" }}\nsplit = {{ by = \"even\", to = [\"team-1\", \"team-2\"] }}\n\n\
         [[rule]]\nname = \"tag\"\nassign = {{ owner = \"{{tag.team}}\" }}\n"
    )
}

/// Charges `from..to` of a bill of `charges`, hour by hour, of so many workloads.
fn csv(from: usize, to: usize, charges: usize, workloads: usize) -> String {
    const SERVICES: [&str; 14] = [
        "Compute",
        "Compute",
        "Compute",
        "Compute",
        "Block Storage",
        "Block Storage",
        "Snapshots",
        "Database",
        "Load Balancing",
        "Queue",
        "Functions",
        "Keys",
        "Data Transfer",
        "Logging",
    ];
    let mut rng = StdRng::seed_from_u64(from as u64);
    let mut out = String::from(
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
         ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ProviderName,RegionId,SubAccountId,ResourceId,Tags\n",
    );
    for i in from..to {
        let hour = i * DAYS * 24 / charges;
        let (day, of_day) = (hour / 24 + 1, hour % 24);
        let workload = rng.random_range(0..workloads);
        let cost = rng.random_range(1..9_000_000_000_u64);
        let service = SERVICES[rng.random_range(0..SERVICES.len())];
        let _ = writeln!(
            out,
            "0.{cost:010},0.{cost:010},0.{cost:010},0.{cost:010},1,USD,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,2026-09-{day:02}T{of_day:02}:00:00Z,\
             2026-09-{day:02}T{of_day:02}:59:59Z,Usage,{service},Example Cloud,eu-1,acc-{},w-{workload},\"{{\"\"team\"\":\"\"team-{}\"\",\"\"env\"\":\"\"{}\"\"}}\"",
            workload % 12,
            workload % 50,
            ["prod", "dev", "test"][workload % 3],
        );
    }
    out
}

async fn call(system: &System, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let grid = system.grid()?;
    let mut request =
        grid.client.request(method, format!("{}{path}", grid.http)).timeout(std::time::Duration::from_secs(1800));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).with_context(|| format!("read {text}"))
}

async fn put_rules(system: &System, version: usize) -> anyhow::Result<()> {
    call(system, reqwest::Method::PUT, "/api/v1/costs/rules", Some(json!({ "text": rules(version) }))).await.map(drop)
}

/// Computes what is stale. The server does so by itself within seconds; whoever asks waits for the same run.
async fn allocate(system: &System) -> anyhow::Result<f64> {
    let started = Instant::now();
    call(system, reqwest::Method::POST, "/api/v1/costs/allocation", Some(json!({}))).await?;
    Ok(started.elapsed().as_secs_f64())
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let charges = context.size(10_000_000, 50_000);
    let workloads = context.size(1_000, 100);
    let about = format!(
        "One billing period of {} charges of {workloads} workloads over {DAYS} days, hour by hour, 50 owners, two shared costs. Reads by \
         `GET /api/v1/costs`, {READS} of each question in turns; computed again after a change of one rule.",
        count(charges as f64)
    );
    let system = System::start(Kind::Grid).await?;
    put_rules(&system, 0).await?;
    for from in (0..charges).step_by(FILE_CHARGES) {
        let body = csv(from, (from + FILE_CHARGES).min(charges), charges, workloads);
        let path = format!("/api/v1/imports?dataset=bench&format=focus&name=bench-{from}.csv");
        system.grid()?.post_ok(&path, "default", &[("content-type", "text/csv")], body).await?;
    }
    allocate(&system).await?;
    let before = system.cpu_seconds()?;
    put_rules(&system, 1).await?;
    let recompute = allocate(&system).await?;
    let cpu = system.cpu_seconds()? - before;
    let state = call(&system, reqwest::Method::GET, "/api/v1/costs/allocation", None).await?;
    let sums = &state["reconciliation"][0];
    ensure!(sums["difference"] == "0" && state["parts"][0]["charges"] == charges, "{state}");

    let mut section = Section::new("allocation", about, &["what", "Grid"]);
    let mut worst = 0.0_f64;
    for (name, path) in QUESTIONS {
        let mut times = Vec::new();
        for _ in 0..READS {
            let started = Instant::now();
            call(&system, reqwest::Method::GET, path, None).await?;
            times.push(started.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let p95 = times[times.len() * 95 / 100];
        worst = worst.max(p95);
        section.row([format!("{name}, p95"), format!("{:.0} ms", p95 * 1e3)]);
    }
    let rows = state["parts"][0]["rows"].as_u64().unwrap_or(0);
    section.row(["rows of allocations".to_owned(), count(rows as f64)]);
    section.row(["recompute after a change of rules".to_owned(), format!("{recompute:.1} s, {cpu:.1} s of CPU")]);
    section.row(["peak of resident memory, MiB".to_owned(), count(system.memory_peak_mib()?)]);
    section.note(format!("allocated + idle + unallocated - sum(effective_cost) = {}", sums["difference"]));
    context.figure(
        "allocation_read",
        worst < READ_MAX_S,
        format!("worst p95 {:.0} ms of {} questions", worst * 1e3, QUESTIONS.len()),
    );
    context.figure(
        "allocation_recompute",
        recompute < RECOMPUTE_MAX_S,
        format!("{recompute:.1} s for {} charges", count(charges as f64)),
    );
    Ok(section)
}
