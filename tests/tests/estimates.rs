//! `grid cost estimate` against published golden estimates: unit prices are read from each golden, everything else (resources,
//! components, quantities, tiers, free units, hours, usage) must come out of the configuration and the usage file.
//!
//! A case is covered when every line of the golden is produced with its unit and quantity, nothing is unsupported that the golden
//! supports, and the total is within a cent. A component that the golden does not price must be unknown here, never zero.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use grid_tests::{Grid, figure, figures::say, grid_binary, shared_data, skip};
use serde_json::Value;

/// A line of a golden: where it stands, what it says.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    address: String,
    part: String,
    name: String,
    unit: String,
    /// As displayed; `None` where usage decides.
    quantity: Option<f64>,
    /// Of the quantity, or of one unit where usage decides; `None` for "not found".
    cost: Option<f64>,
}

#[derive(Debug, Default)]
struct Golden {
    lines: Vec<Line>,
    total: f64,
    currency: &'static str,
    unsupported: usize,
}

/// Reads a golden's tree. Columns stand at fixed places, which the header gives; depth is the place of the branch.
fn golden(text: &str) -> anyhow::Result<Golden> {
    let mut golden = Golden { currency: "USD", total: f64::NAN, ..Golden::default() };
    let header = text.lines().find(|l| l.contains("Monthly Qty")).unwrap_or_default();
    let columns =
        ["Monthly Qty", "Unit", "Monthly Cost"].map(|title| header.find(title).map(|b| header[..b].chars().count()));
    let mut path: Vec<String> = Vec::new();
    let mut address = String::new();
    for line in text.lines() {
        if let Some(rest) = line.trim().strip_prefix("OVERALL TOTAL") {
            if rest.contains("CNY") {
                golden.currency = "CNY";
            }
            golden.total = money(rest.split(')').next_back().unwrap_or(rest)).context("the total is no amount")?;
        }
        if let Some(n) = line.trim().strip_prefix("∙ ").and_then(|l| l.split_once(" not supported")) {
            golden.unsupported = n.0.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        if golden.total.is_finite() {
            continue;
        }
        let chars: Vec<char> = line.chars().collect();
        let branch = chars.iter().position(|c| *c == '├' || *c == '└');
        let Some(branch) = branch else {
            if line.starts_with(' ') && line.trim().contains('.') && !line.contains("Monthly Qty") {
                address = line.trim().to_owned();
                path.clear();
            }
            continue;
        };
        let rest: String = chars[branch + 2..].iter().collect();
        let depth = (branch - 1) / 3;
        path.truncate(depth);
        let usage = rest.find("Monthly cost depends on usage:");
        let [Some(qty), Some(_), Some(_)] = columns else { continue };
        let tail: String = chars.get(qty.saturating_sub(12)..).unwrap_or_default().iter().collect();
        let tail = tail.trim().trim_end_matches('*').trim().to_owned();
        let mut made = Line {
            address: address.clone(),
            part: path.join(" / "),
            name: String::new(),
            unit: String::new(),
            quantity: None,
            cost: None,
        };
        let fields: Vec<&str> = rest.trim().split("  ").map(str::trim).filter(|f| !f.is_empty() && *f != "*").collect();
        if let Some(at) = usage {
            made.name = rest[..at].trim().to_owned();
            let (price, unit) = rest[at..].trim().split_once(" per ").context("usage line without unit")?;
            made.unit = unit.trim().to_owned();
            made.cost = money(price.rsplit(": ").next().unwrap_or_default());
            golden.lines.push(made);
        } else if tail.is_empty() || fields.len() == 1 {
            path.push(rest.trim().to_owned());
        } else if let [name, quantity, unit, cost] = fields.as_slice() {
            (made.name, made.unit) = ((*name).to_owned(), (*unit).to_owned());
            made.quantity = money(quantity);
            made.cost = money(cost);
            golden.lines.push(made);
        } else if let [name, unfound] = fields.as_slice() {
            ensure!(*unfound == "not found", "a line with two fields: {line}");
            made.name = (*name).to_owned();
            golden.lines.push(made);
        } else {
            // The name may fill its column, so that one space alone stands before the quantity.
            let words: Vec<&str> = rest.split_whitespace().collect();
            let cost = words.iter().rev().find(|w| **w != "*").copied().unwrap_or_default();
            ensure!(money(cost).is_some(), "a line that is not understood: {line}");
            let name: String = chars[branch + 3..qty.min(chars.len())].iter().collect();
            anyhow::bail!("a line without spaces between its columns ({name}): {line}");
        }
    }
    ensure!(golden.total.is_finite(), "the golden has no total");
    Ok(golden)
}

fn money(text: &str) -> Option<f64> {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.' || *c == '-').collect();
    if text.contains("not found") { None } else { digits.parse().ok() }
}

/// The shortest decimal from which the displayed cost of the displayed quantity follows: what the price list most likely says.
fn unit_price(line: &Line) -> Option<String> {
    let cost = line.cost?;
    let Some(quantity) = line.quantity.filter(|q| *q > 0.0) else { return Some(format!("{cost}")) };
    // Costs are shown to the cent, quantities to four decimals.
    let (low, high) = ((cost - 0.005) / quantity, (cost + 0.005) / quantity);
    for decimals in 0..15_i32 {
        let scale = 10_f64.powi(decimals);
        let n = ((low + high) / 2.0 * scale).round();
        let (least, most) = ((low * scale).ceil(), (high * scale).floor());
        if least <= most && most >= 0.0 {
            return Some(format!("{:.*}", decimals as usize, n.clamp(least.max(0.0), most) / scale));
        }
    }
    None
}

/// One component of our answer.
#[derive(Debug, Clone)]
struct Ours {
    address: String,
    part: String,
    name: String,
    unit: String,
    quantity: Option<f64>,
    status: String,
}

fn ours(answer: &Value) -> Vec<Ours> {
    fn walk(node: &Value, address: &str, part: &str, found: &mut Vec<Ours>) {
        for c in node["costComponents"].as_array().into_iter().flatten() {
            let text = |key: &str| c[key].as_str().unwrap_or_default().to_owned();
            found.push(Ours {
                address: address.to_owned(),
                part: part.to_owned(),
                name: text("name"),
                unit: text("unit"),
                quantity: c["monthlyQuantity"].as_str().and_then(|q| q.parse().ok()),
                status: text("gridStatus"),
            });
        }
        for sub in node["subresources"].as_array().into_iter().flatten() {
            let name = sub["name"].as_str().unwrap_or_default();
            let part = if part.is_empty() { name.to_owned() } else { format!("{part} / {name}") };
            walk(sub, address, &part, found);
        }
    }
    let mut found = Vec::new();
    for resource in answer["projects"][0]["breakdown"]["resources"].as_array().into_iter().flatten() {
        walk(resource, resource["name"].as_str().unwrap_or_default(), "", &mut found);
    }
    found
}

fn same_quantity(golden: Option<f64>, ours: Option<f64>) -> bool {
    match (golden, ours) {
        (None, _) => true,
        (Some(g), Some(o)) => (g - o).abs() <= 0.000_051_f64.max(g.abs() * 1e-9),
        (Some(_), None) => false,
    }
}

/// Pairs lines of a golden with our components: first by place and name, then within the resource by unit and quantity, since
/// how something is called is not what is measured.
fn pairs(golden: &[Line], ours: &[Ours]) -> (BTreeMap<usize, usize>, usize) {
    let mut pairs = BTreeMap::new();
    let mut taken = vec![false; ours.len()];
    let mut loose = 0;
    let steps: [fn(&Line, &Ours) -> bool; 4] = [
        |g, o| g.part == o.part && g.name == o.name && same_quantity(g.quantity, o.quantity),
        |g, o| g.part == o.part && g.name == o.name,
        |g, o| g.name == o.name && g.unit == o.unit && g.quantity.is_some() && same_quantity(g.quantity, o.quantity),
        |g, o| g.unit == o.unit && g.quantity.is_some() && same_quantity(g.quantity, o.quantity),
    ];
    for (round, fits) in steps.iter().enumerate() {
        for (i, line) in golden.iter().enumerate() {
            if pairs.contains_key(&i) {
                continue;
            }
            let found =
                ours.iter().enumerate().position(|(j, o)| !taken[j] && o.address == line.address && fits(line, o));
            if let Some(j) = found {
                taken[j] = true;
                loose += usize::from(round > 1);
                pairs.insert(i, j);
            }
        }
    }
    (pairs, loose)
}

fn estimate(folder: &Path, usage: Option<&Path>, prices: Option<&Path>, currency: &str) -> anyhow::Result<Value> {
    let mut command = Command::new(grid_binary()?);
    command.args(["cost", "estimate"]).arg(folder).args(["-o", "json", "--currency", currency]);
    if let Some(usage) = usage {
        command.arg("--usage").arg(usage);
    }
    if let Some(prices) = prices {
        command.arg("--prices").arg(prices);
    }
    if folder.to_string_lossy().contains("dev_test_price") {
        command.args(["--azure-dev-test"]);
    }
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

struct Outcome {
    covered: bool,
    report: String,
}

fn run(golden_file: &Path, scratch: &Path) -> anyhow::Result<Outcome> {
    let folder = golden_file.parent().context("a golden lies in a folder")?;
    let golden = golden(&std::fs::read_to_string(golden_file)?)?;
    let name = golden_file.file_stem().context("a name")?.to_string_lossy().into_owned();
    let usage =
        std::fs::read_dir(folder)?.flatten().map(|e| e.path()).find(|p| p.to_string_lossy().ends_with(".usage.yml"));
    // A second golden of the same folder is the same configuration bought another way.
    let folder = match name.strip_suffix("_dev_test_price") {
        None => folder.to_owned(),
        Some(_) => {
            let copy = scratch.join(&name);
            std::fs::create_dir_all(&copy)?;
            for file in std::fs::read_dir(folder)?.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "tf"))
            {
                std::fs::copy(file.path(), copy.join(file.file_name()))?;
            }
            copy
        }
    };
    let plain = estimate(&folder, usage.as_deref(), None, golden.currency)?;
    let components = ours(&plain);
    let (pairs, loose) = pairs(&golden.lines, &components);
    let mut table = csv::Writer::from_path(scratch.join("prices.csv"))?;
    table.write_record(["address", "part", "component", "unit", "price", "currency"])?;
    let mut why = String::new();
    for (i, line) in golden.lines.iter().enumerate() {
        let Some(j) = pairs.get(&i) else {
            // What costs nothing in the golden, such as what is included, need not be a line.
            if line.cost != Some(0.0) {
                let qty = line.quantity.map(|q| q.to_string()).unwrap_or_default();
                writeln!(why, "    missing: {} / {} / {} [{qty} {}]", line.address, line.part, line.name, line.unit)?;
            }
            continue;
        };
        let own = &components[*j];
        if !same_quantity(line.quantity, own.quantity) {
            writeln!(
                why,
                "    quantity: {} / {}: {:?} here, {:?} in the golden",
                line.address, line.name, own.quantity, line.quantity
            )?;
        }
        if let Some(price) = unit_price(line) {
            table.write_record([&own.address, &own.part, &own.name, &own.unit, &price, golden.currency])?;
        }
    }
    table.flush()?;
    let priced = estimate(&folder, usage.as_deref(), Some(&scratch.join("prices.csv")), golden.currency)?;
    let known: f64 = priced["gridLowerBound"].as_str().context("a total")?.parse()?;
    let breakdown = &priced["projects"][0]["breakdown"];
    let count = |key: &str| breakdown[key].as_array().map_or(0, Vec::len);
    let unsupported = count("unsupportedResources");
    if unsupported > golden.unsupported {
        let names = breakdown["unsupportedResources"].as_array().into_iter().flatten();
        let names: Vec<_> = names.filter_map(|r| r["name"].as_str()).take(6).collect();
        writeln!(
            why,
            "    unsupported: {} here, {} in the golden: {}",
            unsupported,
            golden.unsupported,
            names.join(", ")
        )?;
    }
    let unknown = ours(&priced).iter().filter(|c| c.status == "unknown").count();
    let close = (known - golden.total).abs() <= 0.010_000_1;
    let covered = why.is_empty() && close;
    let mark = if covered { "ok  " } else { "MISS" };
    let mut report = format!(
        "{mark} {name}: total {known:.2} golden {:.2} difference {:+.2}; {} lines, {} here, {loose} by quantity, {unknown} unknown\n",
        golden.total,
        known - golden.total,
        golden.lines.len(),
        components.len(),
    );
    report.push_str(&why);
    Ok(Outcome { covered, report })
}

fn goldens(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            goldens(&path, found);
        } else if path.extension().is_some_and(|e| e == "golden") {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn goldens_within_a_cent() -> anyhow::Result<()> {
    let Some(folder) = shared_data().map(|d| d.join("estimates")).filter(|d| d.is_dir()) else {
        return skip("estimates", "no ../shared/data/estimates");
    };
    let mut files = Vec::new();
    goldens(&folder, &mut files);
    let scratch = tempfile::tempdir()?;
    let (mut covered, mut report) = (0, String::new());
    let only = std::env::var("GRID_ESTIMATE_ONLY").ok();
    for file in files.iter().filter(|f| only.as_ref().is_none_or(|o| f.to_string_lossy().contains(o.as_str()))) {
        match run(file, scratch.path()) {
            Ok(outcome) => {
                covered += usize::from(outcome.covered);
                report.push_str(&outcome.report);
            }
            Err(e) => writeln!(report, "FAIL {}: {e:#}", file.display())?,
        }
    }
    say(&report);
    let held = figure("estimates", covered >= 60, format!("{covered} of {} goldens within $0.01", files.len()));
    ensure!(held || only.is_some(), "only {covered} of {} goldens are covered", files.len());
    Ok(())
}

/// Without the goldens: a folder of our own, its total, its exit codes, and a plan over HTTP.
#[tokio::test]
async fn a_folder_and_a_plan_of_our_own() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let main = "variable \"size\" {}\nprovider \"aws\" {\n  region = \"us-east-1\"\n}\nresource \"aws_instance\" \"a\" {\n  \
                instance_type = var.size\n}\nresource \"aws_nat_gateway\" \"n\" {}\n";
    std::fs::write(folder.path().join("main.tf"), main)?;
    std::fs::write(folder.path().join("terraform.tfvars"), "size = \"m5.large\"\n")?;
    let prices = folder.path().join("prices.csv");
    let rows = "component,price\n\"Instance usage (Linux/UNIX, on-demand, m5.large)\",0.1\n\"Storage (general purpose SSD, gp2)\",0.1\n\
                NAT gateway,0.045\n";
    std::fs::write(&prices, rows)?;
    // 73.00 + 0.80 + 32.85
    for (budget, code) in [(None, 0), (Some("106.65"), 0), (Some("106.64"), 3), (Some("cheap"), 1)] {
        let mut command = Command::new(grid_binary()?);
        command.args(["cost", "estimate"]).arg(folder.path()).arg("--prices").arg(&prices);
        command.args(budget.iter().flat_map(|b| ["--budget", b]));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(code), "{budget:?}: {} {said} {err}", output.status);
        ensure!(code == 1 || said.contains("$106.65"), "{said}");
    }
    let mut open = Command::new(grid_binary()?);
    open.args(["cost", "estimate"]).arg(folder.path()).args(["--budget", "1000"]);
    ensure!(open.output()?.status.code() == Some(3), "a budget that cannot be held against what is unknown");

    let mut grid = Grid::start().await?;
    let plan = r#"{"format_version":"1.2","planned_values":{"root_module":{"resources":[{"address":"aws_instance.a","mode":"managed","type":"aws_instance","name":"a","values":{"instance_type":"c4.large"}},{"address":"aws_nat_gateway.n","mode":"managed","type":"aws_nat_gateway","name":"n","values":{}}]}},"configuration":{"provider_config":{"aws":{"name":"aws","expressions":{"region":{"constant_value":"us-east-1"}}}},"root_module":{}}}"#;
    let headers = [("content-type", "application/json")];
    let answer = grid.post_ok("/api/v1/estimates?budget=1", "default", &headers, plan).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    ensure!(answer["totalMonthlyCost"].is_null() && answer["gridUnknown"] == 2, "{answer}");
    // The bundled book has the machine; 0.1 an hour.
    ensure!(answer["gridLowerBound"] == "73", "{answer}");
    ensure!(answer["gridBudget"]["verdict"] == "above", "{answer}");
    grid.terminate().await?;
    Ok(())
}
