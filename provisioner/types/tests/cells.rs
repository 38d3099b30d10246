//! Every type on every cloud: rendered in every variant, formatted, and in the provider's schema. What is found is `tiers.csv`.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::process::Command;

use grid_types::tier::count;
use grid_types::{Cloud, Rendered, Target, Tier, render, types};

use support::schema::Schema;
use support::{cases, everything, file, golden, provider};

#[test]
fn every_variant_of_every_cell_is_in_the_schema() {
    let mut table = "type,cloud,tier\n".to_owned();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for cloud in Cloud::HCL {
        let schema = Schema::of(cloud);
        assert_eq!(schema.version, cloud.provider().unwrap().version, "the extract is of another version");
    }
    let schemas = Cloud::HCL.map(Schema::of);
    for kind in types() {
        let cases = cases(kind);
        for (cloud, schema) in Cloud::HCL.into_iter().zip(&schemas) {
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
                        let told = schema.check(&rendered);
                        if !told.is_empty() {
                            tier = tier.min(Some(Tier::Rendered));
                        }
                        wrong.extend(told.into_iter().map(|t| format!("{at}: {t}")));
                    }
                }
            }
            if let Some(tier) = tier {
                writeln!(table, "{},{},{}", kind.name, cloud.name(), tier.name()).unwrap();
            }
        }
    }
    println!("{checked} variants");
    // One mistake shows in many variants.
    let mut seen = std::collections::BTreeSet::new();
    wrong.retain(|w| seen.insert((w.split(" with ").next().map(str::to_owned), w.split(": ").last().map(str::to_owned))));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    golden("tiers.csv", &table);
}

#[test]
fn all_types_together_share_no_block() {
    for cloud in Cloud::HCL {
        let told = Schema::of(cloud).check(&render(&everything(), &Target::example(cloud)).unwrap());
        assert!(told.is_empty(), "{}: {}", cloud.name(), told.join("\n"));
    }
}

#[test]
fn terraform_leaves_every_variant_as_it_is() {
    if Command::new("terraform").arg("version").output().is_err() {
        println!("SKIPPED terraform fmt: there is no terraform here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rendered: &Rendered| {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        rendered.files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    };
    let mut folders = 0;
    for cloud in Cloud::HCL {
        for kind in types() {
            for (n, case) in cases(kind).iter().enumerate() {
                let Ok(rendered) = render(&case.spec, &Target::example(cloud)) else { continue };
                write(&format!("{}_{}_{n}", cloud.name(), kind.name), &rendered);
                folders += 1;
            }
        }
    }
    let output = Command::new("terraform")
        .args(["fmt", "-check", "-diff", "-recursive", "-no-color"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("terraform fmt -check: {folders} folders");
    assert!(folders > 0);
    assert!(output.status.success(), "{}\n{}", told.chars().take(6000).collect::<String>(), String::from_utf8_lossy(&output.stderr));
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
    for cloud in Cloud::HCL {
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

#[test]
fn the_extracts_stay_small() {
    for cloud in Cloud::HCL {
        let bytes = std::fs::metadata(file(&format!("schema/{}.json", provider(cloud)))).unwrap().len();
        assert!(bytes < 400_000, "{}: {bytes}", provider(cloud));
    }
}
