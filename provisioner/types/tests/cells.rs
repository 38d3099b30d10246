//! Every type on every cloud: rendered in every variant, formatted, and in the provider's schema. What is found is `tiers.csv`.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::process::Command;

use expect_test::expect;
use grid_types::tier::count;
use grid_types::{Cloud, Rendered, Target, Tier, render, types};

use support::examples::{cases, everything};
use support::manifest::Kinds;
use support::schema::{Found, Schema};
use support::{file, golden, provider};

/// Types that Kubernetes has, and those of them whose schemas can be had: fewer is a loss.
const MANIFESTS: usize = 26;
const MANIFESTS_VALID: usize = 24;

#[test]
fn every_variant_of_every_cell_is_in_the_schema() {
    let mut table = "type,cloud,tier\n".to_owned();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for cloud in Cloud::HCL {
        let schema = Schema::of(cloud);
        assert_eq!(schema.version, cloud.provider().unwrap().version, "the extract is of another version");
    }
    let (schemas, kinds) = (Cloud::HCL.map(Schema::of), Kinds::read());
    let check = |cloud: Cloud, rendered: &Rendered| -> Found {
        match Cloud::HCL.iter().position(|c| *c == cloud) {
            Some(n) => schemas[n].check(rendered),
            None => kinds.check(rendered),
        }
    };
    let mut open = std::collections::BTreeSet::new();
    // What executors have proven against emulators; their suites write it.
    let emulated = std::fs::read_to_string(file("emulated.csv")).unwrap();
    // And against contract servers.
    let contract = std::fs::read_to_string(file("contract.csv")).unwrap();
    // And what Kubernetes' own API server has taken.
    let apiserver = std::fs::read_to_string(file("apiserver.csv")).unwrap();
    for kind in types() {
        let cases = cases(kind);
        for cloud in Cloud::ALL {
            if grid_types::recipe::recipe(&kind.name, cloud).is_none() {
                continue;
            }
            let mut tier = Some(Tier::SchemaValid);
            for case in &cases {
                let at = format!("{} on {} with {}", kind.name, cloud.name(), case.what);
                checked += 1;
                match render(&case.spec, &Target::example(cloud)) {
                    Err(e) => {
                        let why = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
                        wrong.push(format!("{at}: {e}: {why}"));
                        tier = None;
                    }
                    Ok(rendered) => {
                        let found = check(cloud, &rendered);
                        open.extend(found.open.iter().map(|what| format!("{} on {}: {what}", kind.name, cloud.name())));
                        if !found.wrong.is_empty() || !found.open.is_empty() {
                            tier = tier.min(Some(Tier::Rendered));
                        }
                        wrong.extend(found.wrong.into_iter().map(|t| format!("{at}: {t}")));
                    }
                }
            }
            if let Some(mut tier) = tier {
                let cell = format!("{},{}", kind.name, cloud.name());
                if tier == Tier::SchemaValid {
                    let proofs =
                        [(&contract, Tier::Contract), (&emulated, Tier::Emulated), (&apiserver, Tier::RealApiserver)];
                    let proven = proofs.into_iter().filter(|(text, _)| text.lines().any(|l| l == cell));
                    tier = proven.map(|(_, tier)| tier).max().unwrap_or(tier);
                }
                writeln!(table, "{},{},{}", kind.name, cloud.name(), tier.name()).unwrap();
            }
        }
    }
    println!("{checked} variants; without a schema: {open:#?}");
    // One mistake shows in many variants.
    let mut seen = std::collections::BTreeSet::new();
    wrong.retain(|w| {
        seen.insert((w.split(" with ").next().map(str::to_owned), w.split(": ").last().map(str::to_owned)))
    });
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    golden("tiers.csv", &table);
    let is_valid = |l: &&str| Tier::ALL[1..].iter().any(|t| l.ends_with(&format!(",{}", t.name())));
    let is_manifest = |l: &&str| l.contains(",kubernetes,");
    let (manifests, blocks): (Vec<_>, Vec<_>) = table.lines().skip(1).partition(is_manifest);
    let (all, valid) = (types().len() * Cloud::HCL.len(), blocks.iter().filter(|l| is_valid(l)).count());
    note("resource_types", valid == all, &format!("{valid} of {all} cells, {checked} variants on all clouds"));
    let valid = manifests.iter().filter(|l| is_valid(l)).count();
    let measured =
        format!("{valid} of {} cells, the others rendered without a schema to check against", manifests.len());
    note("kubernetes_manifests", manifests.len() >= MANIFESTS && valid >= MANIFESTS_VALID, &measured);
    assert!(manifests.len() >= MANIFESTS && valid >= MANIFESTS_VALID, "{measured}");
}

#[test]
fn all_types_together_share_no_block() {
    for cloud in Cloud::ALL {
        let rendered = render(&everything(cloud), &Target::example(cloud)).unwrap();
        let told = match cloud {
            Cloud::Kubernetes => Kinds::read().check(&rendered).wrong,
            _ => Schema::of(cloud).check(&rendered).wrong,
        };
        assert!(told.is_empty(), "{}: {}", cloud.name(), told.join("\n"));
    }
}

#[test]
fn terraform_leaves_every_variant_as_it_is() {
    if Command::new("terraform").arg("version").output().is_err() {
        println!("SKIPPED terraform fmt: there is no terraform here");
        return;
    }
    // Variants share most of their files: each text is checked once.
    let (mut texts, mut variants) = (std::collections::BTreeMap::new(), 0);
    for cloud in Cloud::HCL {
        for kind in types() {
            for case in cases(kind) {
                let Ok(rendered) = render(&case.spec, &Target::example(cloud)) else { continue };
                let at = format!("{}_{}_{}", cloud.name(), kind.name, texts.len());
                texts.extend(rendered.files.into_iter().map(|(name, text)| (text, format!("{at}_{name}"))));
                variants += 1;
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    texts.iter().for_each(|(text, name)| std::fs::write(folder.path().join(name), text).unwrap());
    let output = Command::new("terraform")
        .args(["fmt", "-check", "-diff", "-no-color"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("terraform fmt -check: {} files of {variants} variants", texts.len());
    assert!(!texts.is_empty());
    assert!(
        output.status.success(),
        "{}\n{}",
        told.chars().take(6000).collect::<String>(),
        String::from_utf8_lossy(&output.stderr)
    );
    note(
        "resource_types_fmt",
        true,
        &format!("terraform fmt -check is clean over {} files of {variants} variants", texts.len()),
    );
}

/// Notes the figure of a bar where the scorecard collects them.
fn note(bar: &str, pass: bool, measured: &str) {
    use std::io::Write as _;
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    let line = serde_json::json!({ "bar": bar, "measured": measured, "pass": pass });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn tiers_are_counted() {
    let of = |cloud| count(cloud).values().sum::<usize>();
    assert_eq!(of(None), Cloud::ALL.into_iter().map(|c| of(Some(c))).sum::<usize>());
    for cloud in Cloud::ALL {
        println!("{}: {:?}", cloud.name(), count(Some(cloud)));
    }
}

#[test]
fn recipes_give_every_output() {
    let mut wrong = Vec::new();
    for cloud in Cloud::ALL {
        for kind in types() {
            let Some(recipe) = grid_types::recipe::recipe(&kind.name, cloud) else { continue };
            let out = recipe.blocks().find(|b| b.identifier.as_str() == "out");
            let given: Vec<_> = out.iter().flat_map(|b| b.body.attributes()).map(|a| a.key.as_str()).collect();
            let missing = kind.outputs.iter().filter(|o| !given.contains(&o.name.as_str()));
            wrong.extend(missing.map(|o| format!("{} on {} does not give {}", kind.name, provider(cloud), o.name)));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The page says them too, with their reasons.
#[test]
fn fields_that_no_manifest_says() {
    let mut unsaid = Vec::new();
    for kind in types().iter().filter(|t| grid_types::recipe::recipe(&t.name, Cloud::Kubernetes).is_some()) {
        let text = std::fs::read_to_string(file(&format!("recipes/kubernetes/{}.hcl", kind.name))).unwrap();
        let is_said = |name: &str| text.contains(&format!("field.{name}")) || name == "size" && text.contains("cpus()");
        let names = kind.fields.iter().map(|f| f.name.as_str()).filter(|name| !is_said(name)).collect::<Vec<_>>();
        if !names.is_empty() {
            unsaid.push(format!("{}: {}", kind.name, names.join(" ")));
        }
    }
    expect![[r#"
        spot_pool: network ssh_public_key os disk_gib on_reclaim firewall
        block_disk: vm
        network: cidr zones
        firewall: network
        l7_load_balancer: network
        l4_load_balancer: network
        tls_certificate: zone
        object_store: versioning
        file_store: network
        backup_plan: disks
        kubernetes_cluster: network
        node_pool: min disk_gib
        postgresql: machine_type
        mysql: machine_type
        nosql: partition_key sort_key
        kafka: machine_type
        secret: recovery_days
        workload_identity: cluster namespace"#]]
    .assert_eq(&unsaid.join("\n"));
}

#[test]
fn the_extracts_stay_small() {
    for cloud in Cloud::ALL {
        let bytes = std::fs::metadata(file(&format!("schema/{}.json", provider(cloud)))).unwrap().len();
        assert!(bytes < 400_000, "{}: {bytes}", provider(cloud));
    }
}
