//! The house rules that a machine can check. Each failure names the file and what to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the house has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use grid_tests::repository;
use serde_json::Value;

/// Who may import whom. A new edge is a change of this table, hence visible in review (see ARCHITECTURE.md, "Layers").
const LAYERS: [(&str, &[&str]); 36] = [
    ("grid-model", &[]),
    ("grid-sql-guard", &[]),
    ("grid-promql-syntax", &[]),
    ("grid-cost", &["grid-model"]),
    ("grid-promql", &["grid-model", "grid-promql-syntax"]),
    ("grid-promql-test", &["grid-model", "grid-promql-syntax", "grid-promql"]),
    ("grid-finance", &["grid-model"]),
    ("grid-rules", &["grid-model", "grid-promql-syntax", "grid-promql", "grid-promql-test"]),
    ("grid-ml", &["grid-model"]),
    ("grid-findings", &["grid-model", "grid-ml", "grid-finance"]),
    ("grid-plan", &["grid-model"]),
    ("grid-types", &["grid-plan"]),
    ("grid-estimate", &["grid-model"]),
    ("grid-decode", &["grid-model"]),
    ("grid-focus-rules", &[]),
    ("grid-scrape-config", &[]),
    ("grid-store", &["grid-model"]),
    (
        "grid-analytics",
        &[
            "grid-focus-rules",
            "grid-model",
            "grid-sql-guard",
            "grid-cost",
            "grid-promql-syntax",
            "grid-promql",
            "grid-store",
        ],
    ),
    ("grid-guard", &["grid-model", "grid-store"]),
    ("grid-notify-policy", &["grid-model", "grid-scrape-config"]),
    ("grid-notify", &["grid-model", "grid-notify-policy"]),
    ("grid-ingest", &["grid-model", "grid-decode", "grid-scrape-config", "grid-store", "grid-guard"]),
    (
        "grid-insight",
        &[
            "grid-model",
            "grid-ml",
            "grid-promql-syntax",
            "grid-promql",
            "grid-rules",
            "grid-finance",
            "grid-findings",
            "grid-store",
            "grid-analytics",
        ],
    ),
    ("grid-act", &["grid-model", "grid-plan", "grid-store", "grid-analytics"]),
    ("grid-desk", &["grid-model", "grid-plan", "grid-types", "grid-estimate", "grid-act"]),
    // The last for its suite against the emulator.
    ("grid-aws", &["grid-model", "grid-plan", "grid-types", "grid-act", "grid-tests"]),
    // The last for its suite against a real API server.
    ("grid-kube", &["grid-model", "grid-plan", "grid-types", "grid-act", "grid-tests"]),
    // The last for its suite against a real Terraform.
    ("grid-terraform", &["grid-model", "grid-plan", "grid-types", "grid-act", "grid-tests"]),
    // The last for their suites against contract servers.
    ("grid-azure", &["grid-model", "grid-plan", "grid-types", "grid-act", "grid-tests"]),
    ("grid-gcp", &["grid-model", "grid-plan", "grid-types", "grid-act", "grid-tests"]),
    (
        "grid-api",
        &[
            "grid-focus-rules",
            "grid-model",
            "grid-cost",
            "grid-promql-syntax",
            "grid-promql",
            "grid-rules",
            "grid-estimate",
            "grid-finance",
            "grid-findings",
            "grid-ml",
            "grid-plan",
            "grid-types",
            "grid-desk",
            "grid-store",
            "grid-analytics",
            "grid-guard",
            "grid-notify",
        ],
    ),
    ("grid-tests", &["grid-model", "grid-ml", "grid-focus-rules"]),
    (
        "grid-promql-conformance",
        &[
            "grid-model",
            "grid-promql-syntax",
            "grid-promql",
            "grid-promql-test",
            "grid-store",
            "grid-analytics",
            "grid-tests",
        ],
    ),
    ("grid-bench", &["grid-tests"]),
    ("grid-bench-ml", &["grid-tests", "grid-model", "grid-decode", "grid-ml"]),
    ("grid-faultfs", &[]),
];

/// Heavy dependencies and the only crates that may name them (beside the binary, which wires, the tests and the benchmarks).
const HEAVY: [(&str, &[&str]); 24] = [
    ("datafusion", &["grid-analytics"]),
    ("datafusion-proto", &["grid-analytics"]),
    ("sqlparser", &["grid-sql-guard"]),
    ("sqlx", &["grid-store", "grid-notify", "grid-desk"]),
    ("lettre", &["grid-notify"]),
    ("tantivy", &["grid-store"]),
    ("object_store", &["grid-store", "grid-analytics"]),
    ("parquet", &["grid-store", "grid-analytics", "grid-decode", "grid-api"]),
    ("tonic", &["grid-ingest"]),
    ("prost", &["grid-analytics", "grid-ingest", "grid-decode", "grid-api"]),
    ("opentelemetry-proto", &["grid-ingest", "grid-decode"]),
    ("axum", &["grid-ingest", "grid-guard", "grid-api", "grid-notify"]),
    ("aws-config", &["grid-aws"]),
    ("aws-sdk-ec2", &["grid-aws"]),
    ("kube", &["grid-kube"]),
    ("k8s-openapi", &["grid-kube"]),
    ("cel", &["grid-desk"]),
    ("linfa", &["grid-ml"]),
    ("polars", &["grid-ml"]),
    ("google-cloud-compute-v1", &["grid-gcp"]),
    ("google-cloud-auth", &["grid-gcp"]),
    ("clap", &[]),
    ("toml", &["grid-decode", "grid-cost", "grid-types"]),
    ("utoipa", &["grid-api"]),
];

/// Crates that decide and never act: the folder of each, and what their sources may not say.
const PURE: [&str; 16] = [
    "store/model",
    "ingest/decode",
    "ingest/focus-rules",
    "ingest/scrape-config",
    "analytics/sql-guard",
    "analytics/cost",
    "analytics/promql-syntax",
    "analytics/promql",
    "analytics/finance",
    "analytics/rules",
    "api/notify/policy",
    "ml/models",
    "ml/findings",
    "provisioner/plan",
    "provisioner/types",
    "provisioner/estimate",
];
const IMPURE_WORDS: [&str; 8] =
    ["tokio", "async fn", ".await", "std::fs", "std::net", "SystemTime", "Instant::now", "std::env"];

/// The one file of the product that reads the wall clock.
const CLOCK: &str = "api/grid/src/clock.rs";
const CLOCK_WORDS: [&str; 3] = ["SystemTime::now", "Utc::now", "Local::now"];

/// A file is a chapter: beyond this there is more than one in it.
const LINES_MAX: usize = 1200;

/// Crates of which two versions would not understand each other's types, or would double the build.
const ONE_VERSION: [&str; 9] =
    ["arrow", "arrow-array", "arrow-schema", "parquet", "datafusion", "sqlparser", "object_store", "tonic", "axum"];

#[test]
fn crates_import_only_what_their_layer_allows() {
    let (layers, heavy) = (BTreeMap::from(LAYERS), BTreeMap::from(HEAVY));
    let mut wrong = Vec::new();
    let packages = metadata();
    for package in &packages {
        let name = text(&package["name"]);
        if name == "grid" {
            continue;
        }
        let Some(allowed) = layers.get(name) else {
            wrong.push(format!("{name} is not in the table of layers (tests/tests/tidy.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let dependency = text(&dependency["name"]);
            let ours = dependency == "grid" || layers.contains_key(dependency);
            if ours && !allowed.contains(&dependency) {
                wrong.push(format!("{name} imports {dependency}, which its layer does not allow"));
            }
            let stranger = heavy.get(dependency).is_some_and(|of| !of.contains(&name));
            if stranger && !["grid-tests", "grid-bench"].contains(&name) {
                wrong.push(format!("{name} imports {dependency}, which only {:?} may", heavy[dependency]));
            }
        }
    }
    let names: BTreeSet<_> = packages.iter().map(|p| text(&p["name"])).collect();
    wrong.extend(LAYERS.iter().filter(|(n, _)| !names.contains(n)).map(|(n, _)| format!("{n} is gone: drop its row")));
    assert_none(&wrong);
}

#[test]
fn lower_layers_do_not_import_higher_ones() {
    // The table itself must have no cycle: every crate has a height above all that it imports.
    let layers = BTreeMap::from(LAYERS);
    fn height(name: &str, layers: &BTreeMap<&str, &[&str]>, depth: usize) -> usize {
        assert!(depth < 12, "the table of layers has a cycle through {name}");
        layers[name].iter().map(|n| height(n, layers, depth + 1) + 1).max().unwrap_or(0)
    }
    for (name, imports) in LAYERS {
        let own = height(name, &layers, 0);
        assert!(imports.iter().all(|n| height(n, &layers, 0) < own), "{name}");
    }
}

#[test]
fn pure_crates_do_no_io_and_read_no_clock() {
    let (mut wrong, product) = (Vec::new(), product_sources());
    for folder in PURE {
        for (path, source) in product.iter().filter(|(path, _)| path.starts_with(&format!("{folder}/src/"))) {
            for (n, line) in product_lines(source) {
                for word in IMPURE_WORDS.iter().filter(|w| line.contains(*w)) {
                    wrong.push(format!("{path}:{n} says {word}, but {folder} is pure: make it an input"));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_wall_clock_is_read_in_one_file() {
    let mut wrong = Vec::new();
    for (path, source) in product_sources() {
        if path == CLOCK {
            continue;
        }
        for (n, line) in product_lines(&source) {
            for word in CLOCK_WORDS.iter().filter(|w| line.contains(*w)) {
                wrong.push(format!("{path}:{n} says {word}: take the time as an input, or ask {CLOCK}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn files_are_chapters() {
    let wrong: Vec<_> = all_sources()
        .into_iter()
        .map(|(path, source)| (path, source.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path} has {lines} lines, more than {LINES_MAX}: find the chapters in it"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn every_crate_says_what_it_is_and_never_is() {
    let mut wrong = Vec::new();
    for package in metadata() {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let root = manifest.parent().unwrap().join("src/lib.rs");
        let Ok(source) = fs::read_to_string(&root) else { continue };
        if !source.starts_with("//! ") {
            wrong.push(format!("{} does not open with what it is for", relative(&root)));
        }
        if !source.contains("Architecture invariant") {
            wrong
                .push(format!("{} does not say what must never be true (`Architecture invariants:`)", relative(&root)));
        }
    }
    assert_none(&wrong);
}

#[test]
fn nothing_unfinished_or_of_one_machine_is_committed() {
    // Written in pieces, so that this file does not find itself.
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("crates", ".io"),
    ];
    let mut wrong = Vec::new();
    for path in tracked() {
        let Ok(source) = fs::read_to_string(repository().join(&path)) else { continue };
        if path.ends_with(".lock") || path.ends_with("deny.toml") {
            continue;
        }
        for (n, line) in source.lines().enumerate() {
            for word in forbidden.iter().filter(|w| line.contains(*w)) {
                wrong.push(format!("{path}:{} says {word}", n + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn decision_records_are_listed_and_numbered() {
    let folder = repository().join("docs/adr");
    let index = fs::read_to_string(folder.join("README.md")).expect("docs/adr/README.md lists the records");
    let mut wrong = Vec::new();
    let mut numbers = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        if !index.contains(&format!("({name})")) {
            wrong.push(format!("docs/adr/{name} is not linked in docs/adr/README.md"));
        }
        let number = name.split('-').next().unwrap_or_default().to_owned();
        if let Some(other) = numbers.insert(number, name.clone()) {
            wrong.push(format!("docs/adr/{name} has the number of {other}"));
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        for part in ["## Decision", "## Why", "## Consequences"] {
            if !text.contains(part) {
                wrong.push(format!("docs/adr/{name} lacks the part `{part}`"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in tracked().into_iter().filter(|p| p.ends_with(".md")) {
        let file = repository().join(&path);
        let text = fs::read_to_string(&file).unwrap_or_default();
        for link in links(&text) {
            if link.contains("://") || link.starts_with('#') || link.starts_with("mailto:") {
                continue;
            }
            let target = link.split('#').next().unwrap_or_default();
            if !file.parent().unwrap().join(target).exists() {
                wrong.push(format!("{path} links to {link}, which is not there"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_document_is_in_the_index() {
    let docs = repository().join("docs");
    let index = fs::read_to_string(docs.join("README.md")).expect("docs/README.md is the index");
    let wrong: Vec<_> = tracked()
        .into_iter()
        .filter_map(|p| p.strip_prefix("docs/").filter(|p| p.ends_with(".md") && *p != "README.md").map(str::to_owned))
        .filter(|p| !p.starts_with("adr/") && !index.contains(&format!("({p})")))
        .map(|p| format!("docs/{p} is not linked in docs/README.md"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn heavy_crates_have_one_version() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let wrong: Vec<_> = ONE_VERSION
        .iter()
        .map(|name| (name, lock.matches(&format!("name = \"{name}\"\n")).count()))
        .filter(|(_, count)| *count != 1)
        .map(|(name, count)| format!("Cargo.lock holds {count} versions of {name}"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn every_bar_has_a_suite_and_every_suite_a_bar() {
    let bars = fs::read_to_string(repository().join("tests/scorecard.toml")).unwrap();
    let bars: toml::Value = toml::from_str(&bars).unwrap();
    let ids: BTreeSet<_> =
        bars["bar"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap().to_owned()).collect();
    let mut noted = BTreeSet::new();
    for (_, source) in sources(&repository().join("tests/tests")) {
        for call in ["figure(\n        \"", "figure(\"", "skip(\""] {
            for part in source.split(call).skip(1) {
                noted.extend(part.split('"').next().map(str::to_owned));
            }
        }
    }
    let mut wrong: Vec<_> = noted.difference(&ids).map(|id| format!("no bar {id} in tests/scorecard.toml")).collect();
    for bar in bars["bar"].as_array().unwrap() {
        let (id, by) = (bar["id"].as_str().unwrap(), bar["measured_by"].as_str().unwrap());
        if by.starts_with("tests/tests/") && !noted.contains(id) {
            wrong.push(format!("{by} notes no figure for bar {id}"));
        }
        if !repository().join(by).exists() {
            wrong.push(format!("{by}, which is to measure {id}, is not there"));
        }
    }
    assert_none(&wrong);
}

/// Lines of code outside comments and the test module at the end, with their numbers.
fn product_lines(source: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).position(|w| w[0] == "#[cfg(test)]" && w[1].contains("mod ") && w[1].ends_with('{'));
    let code = lines.iter().take(tests.unwrap_or(lines.len())).enumerate();
    code.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(n, line)| (n + 1, *line)).collect()
}

/// Files that are only compiled for tests: declared as `#[cfg(test)] mod NAME;`, with all that lies below them.
fn test_only(path: &str, sources: &BTreeMap<String, String>) -> bool {
    sources.iter().any(|(parent, source)| {
        let lines: Vec<&str> = source.lines().collect();
        let folder = match parent.strip_suffix("/lib.rs").or(parent.strip_suffix("/main.rs")) {
            Some(folder) => folder,
            None => parent.trim_end_matches(".rs"),
        };
        lines.windows(2).filter(|w| w[0].starts_with("#[cfg(test)]") || w[0].starts_with("#[cfg(any(test")).any(|w| {
            let name =
                w[1].rsplit("mod ").next().and_then(|rest| rest.strip_suffix(';')).filter(|_| w[1].contains("mod "));
            name.is_some_and(|name| {
                path.starts_with(&format!("{folder}/{name}.rs")) || path.starts_with(&format!("{folder}/{name}/"))
            })
        })
    })
}

/// Sources that ship: no tests, benches or fuzz targets.
fn product_sources() -> Vec<(String, String)> {
    let all: BTreeMap<_, _> =
        all_sources().into_iter().filter(|(path, _)| path.contains("/src/") && !path.starts_with("tests/")).collect();
    all.iter().filter(|(path, _)| !test_only(path, &all)).map(|(path, source)| (path.clone(), source.clone())).collect()
}

fn all_sources() -> Vec<(String, String)> {
    let tops = ["store", "analytics", "ingest", "ml", "provisioner", "api", "tests"];
    tops.iter().flat_map(|top| sources(&repository().join(top))).collect()
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((relative(&path), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Files that git tracks or would track.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .expect("git is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn metadata() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    value["packages"].as_array().unwrap().clone()
}

fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        // Code spans may hold brackets that are no links.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("_");
        for part in line.split("](").skip(1) {
            found.extend(part.split([')', ' ']).next().map(str::to_owned));
        }
    }
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).to_string_lossy().into_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}
