//! Steps of Grid's plans as plans of a real Terraform. Its one provider here is the one that it has in itself (`terraform_data`): nothing of a cloud is
//! proven, but everything between Grid and Terraform is.
#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Token};
use grid_act::run::Outcome;
use grid_plan::plan::Action;
use grid_plan::{Address, Fields};
use grid_terraform::{Module, Place, Settings, Terraform};
use grid_tests::{figure, skip};
use grid_types::reference::Part;
use grid_types::spec::Value as Said;
use grid_types::{Cloud, Rendered, Spec, Target};
use serde_json::{Value, json};

/// What every driver's suite does.
#[path = "../../act/tests/world/mod.rs"]
mod world;

use world::kill::{Wish, turned};
use world::mortal::Life;
use world::{World, act, advice};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops";
/// Lives of plans that end anywhere.
const SEEDS: u64 = 8;

/// A value as HCL.
fn hcl(value: &Said) -> String {
    let block = |a: &grid_types::reference::Address| format!("terraform_data.{}_{}", a.kind, a.name.replace('-', "_"));
    match value {
        Said::Bool(b) => b.to_string(),
        Said::Integer(n) => n.to_string(),
        Said::Resource(address) => format!("{}.id", block(address)),
        Said::List(items) => format!("[{}]", items.iter().map(hcl).collect::<Vec<_>>().join(", ")),
        Said::Map(pairs) => {
            let each = pairs.iter().map(|(name, value)| format!("{name} = {}", hcl(value)));
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
        Said::Text(parts) => {
            let part = |p: &Part| match p {
                Part::Literal(text) => text.replace('"', "\\\"").replace('\n', "\\n").replace("${", "$${"),
                Part::Resource(address) => format!("${{{}.id}}", block(address)),
                Part::Output(address, output) => {
                    format!("${{{}.{}}}", block(address), if output == "id" { "id" } else { "output" })
                }
            };
            format!("\"{}\"", parts.iter().map(part).collect::<String>())
        }
    }
}

/// Every resource as one `terraform_data` that holds its fields. Another `os` makes it anew; a bucket holds nothing.
fn rendered(spec: &Spec) -> Rendered {
    let (mut main, mut outputs) = (String::new(), String::new());
    for one in &spec.resources {
        let label = format!("{}_{}", one.address.kind, one.address.name.replace('-', "_"));
        let fields =
            one.fields.iter().map(|(name, value)| format!("    {name} = {}\n", hcl(value))).collect::<String>();
        let os = one.fields.iter().find(|(name, _)| *name == "os").map(|(_, value)| hcl(value));
        let anew = os.map(|os| format!("  triggers_replace = {os}\n")).unwrap_or_default();
        let input =
            if one.address.kind == "object_store" { String::new() } else { format!("  input = {{\n{fields}  }}\n") };
        main += &format!("# {}\nresource \"terraform_data\" \"{label}\" {{\n{anew}{input}}}\n\n", one.address);
        outputs += &format!("output \"{label}_id\" {{\n  value = terraform_data.{label}.id\n}}\n\n");
    }
    let versions = "terraform {\n  required_version = \">= 1.6\"\n}\n".to_owned();
    let files = [("main.tf", main), ("outputs.tf", outputs), ("versions.tf", versions)];
    Rendered { files: files.map(|(name, text)| (name.to_owned(), text)).into() }
}

/// A folder, and drivers of environments in it.
struct Bed {
    terraform: Terraform,
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { render: Arc::new(|spec: &Spec, _: &Target| Ok(rendered(spec))), ..Settings::new(folder.path()) };
        let terraform = Terraform::new(settings).map_err(|e| e.to_string())?;
        Ok(Self { terraform, folder })
    }

    fn module(&self, environment: &str, wanted: BTreeMap<Address, Fields>) -> Module {
        let place = Place {
            tenant: "default".to_owned(),
            environment: environment.to_owned(),
            target: Target::example(Cloud::Aws),
            wanted,
        };
        self.terraform.module(place).unwrap()
    }

    fn path(&self, environment: &str) -> PathBuf {
        self.folder.path().join("default").join(environment)
    }
}

/// What somebody does with Terraform by hand.
fn by_hand(folder: &Path, args: &[&str]) -> String {
    let program = if Command::new("tofu").arg("version").output().is_ok() { "tofu" } else { "terraform" };
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is there, by name, with what it holds.
fn there(folder: &Path) -> BTreeMap<String, Value> {
    let state: Value = serde_json::from_str(&by_hand(folder, &["show", "-json"])).unwrap();
    let all = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|r| (r["name"].as_str().unwrap().to_owned(), r["values"].clone())).collect()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn vm(disk: u32, os: &str) -> Value {
    json!({"network": "${network.main}", "ssh_public_key": KEY, "disk_gib": disk, "os": os,
        "user_data": "echo ${HOME} in ${network.main.out.id}\n"})
}

fn world() -> World {
    let mut world = World::new(grid_plan::kinds::Kinds::roles());
    world.want(&address("network.main"), &json!({"cidr": "10.0.0.0/16"}));
    world.want(&address("vm.web"), &vm(20, "ubuntu-24.04"));
    world
}

#[tokio::test]
async fn steps_are_plans_of_terraform_and_the_state_is_its_own() -> anyhow::Result<()> {
    let bed = match Bed::new() {
        Ok(bed) => bed,
        Err(reason) => return skip("terraform_loop", reason),
    };
    let (module, folder) = (bed.module("prod", BTreeMap::new()), bed.path("prod"));
    let mut world = world();

    // A dry run of the whole plan: each step says what Terraform says, and nothing is there afterwards.
    let plan = world.plan();
    let report = world.dry(&plan, &module).await;
    let told: Vec<&str> = report
        .outcomes
        .iter()
        .map(|(_, outcome)| match outcome {
            Outcome::WouldDo(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["terraform: + terraform_data.network_main", "terraform: + terraform_data.vm_web"]);
    assert_eq!(there(&folder), BTreeMap::new());

    world.settle(&module).await.map_err(anyhow::Error::msg)?;
    let made = there(&folder);
    assert_eq!(made.keys().collect::<Vec<_>>(), ["network_main", "vm_web"]);
    let web = &world.state.resources[&address("vm.web")];
    assert_eq!(made["vm_web"]["id"], json!(web.id), "the id is the cloud's");
    let network = made["network_main"]["id"].as_str().unwrap();
    assert_eq!(made["vm_web"]["input"]["network"], network, "what refers is a reference of HCL");
    assert_eq!(made["vm_web"]["input"]["user_data"], format!("echo ${{HOME}} in {network}\n"));
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    for (address, known) in world.state.resources.clone() {
        let read = module.read(&address, &known.id).await?.unwrap();
        assert_eq!((&read.fields, &read.id), (&known.fields, &known.id), "{address}");
    }

    // A recommendation all the way to the ledger, in place.
    let entry = act(&mut world, &module, advice(&address("vm.web"), "disk_gib", &json!(40))).await;
    entry.map_err(anyhow::Error::msg)?;
    let now = there(&folder);
    assert_eq!((&now["vm_web"]["id"], &now["vm_web"]["input"]["disk_gib"]), (&made["vm_web"]["id"], &json!(40)));

    // A backup has all that the module is made anew of, the state among it.
    let copies = tempfile::tempdir()?;
    bed.terraform.copy_to(copies.path()).await.map_err(anyhow::Error::msg)?;
    let copy = copies.path().join("default").join("prod");
    by_hand(&copy, &["init", "-input=false"]);
    assert_eq!(there(&copy), now);
    assert!(by_hand(&copy, &["plan", "-input=false", "-no-color"]).contains("No changes"));

    // What goes is gone, and no plan file with its values stays behind.
    world.blueprint.resources.remove(&address("vm.web"));
    world.environment.overrides.clear();
    world.settle(&module).await.map_err(anyhow::Error::msg)?;
    assert_eq!(there(&folder).keys().collect::<Vec<_>>(), ["network_main"]);
    world.blueprint.resources.clear();
    world.settle(&module).await.map_err(anyhow::Error::msg)?;
    assert_eq!(there(&folder), BTreeMap::new());
    assert!(!folder.join("grid.tfplan").exists());
    figure(
        "terraform_loop",
        true,
        "shown, made, changed from a recommendation to the ledger, read, deleted; each step one checked plan of a real Terraform (no cloud behind it)",
    );
    Ok(())
}

#[tokio::test]
async fn what_terraform_would_do_beyond_a_step_is_refused() -> anyhow::Result<()> {
    let bed = match Bed::new() {
        Ok(bed) => bed,
        Err(reason) => return skip("terraform_beyond", reason),
    };
    let (module, folder) = (bed.module("prod", BTreeMap::new()), bed.path("prod"));
    let mut world = world();
    world.settle(&module).await.map_err(anyhow::Error::msg)?;
    let before = there(&folder);

    // The plan says update, the provider would make it anew.
    world.want(&address("vm.web"), &vm(20, "debian-12"));
    let why = world.settle(&module).await.unwrap_err();
    assert!(why.contains("make it anew: -/+ terraform_data.vm_web"), "{why}");
    assert_eq!(there(&folder), before);
    assert!(std::fs::read_to_string(folder.join("main.tf"))?.contains("ubuntu-24.04"), "the folder has what is there");

    // Somebody took the network out of the state: Terraform would make it along with the machine.
    by_hand(&folder, &["state", "rm", "terraform_data.network_main"]);
    world.want(&address("vm.web"), &vm(30, "ubuntu-24.04"));
    let why = world.settle(&module).await.unwrap_err();
    assert!(why.contains("does not mean: + terraform_data.network_main"), "{why}");
    assert_eq!(there(&folder)["vm_web"], before["vm_web"]);
    assert_eq!(module.read(&address("network.main"), "").await?, None, "it is not there");

    // What others refer to is not deleted from under them.
    let network = world.state.resources[&address("network.main")].id.clone();
    let token = Token::of_text("grid-1");
    let refused = module.destroy(&address("network.main"), &network, &token).await.unwrap_err();
    assert!(matches!(&refused, CloudError::Refused(why) if why.contains("network.main")), "{refused}");
    figure("terraform_beyond", true, "3 of 3 plans of Terraform that go beyond their step refused, nothing done");
    Ok(())
}

#[tokio::test]
async fn what_is_there_is_taken_over_if_it_is_what_is_wanted() -> anyhow::Result<()> {
    let bed = match Bed::new() {
        Ok(bed) => bed,
        Err(reason) => return skip("terraform_import", reason),
    };
    let mut world = World::new(grid_plan::kinds::Kinds::roles());
    let (files, network) = (address("object_store.files"), address("network.main"));
    world.want(&files, &json!({}));
    world.want(&network, &json!({"cidr": "10.0.0.0/16"}));
    let wanted = world.blueprint.resources.iter().map(|(a, r)| (a.clone(), r.fields.clone())).collect();
    let (module, folder) = (bed.module("prod", wanted), bed.path("prod"));

    let observed = module.import(&files, "theirs-1").await?;
    assert_eq!(
        (observed.id.as_str(), there(&folder)["object_store_files"]["id"].as_str()),
        ("theirs-1", Some("theirs-1"))
    );
    assert!(!folder.join("grid_import.tf").exists());
    let managed = world.blueprint.resources[&files].fields.iter().map(|(p, _)| p.clone()).collect();
    let observed = grid_plan::state::Observed { managed, ..observed };
    world.state.commit("test", world.state.serial, [(files.clone(), Some(observed))])?;
    assert!(world.plan().steps.iter().all(|s| s.address != files), "{:?}", world.plan().steps);

    let refused = module.import(&network, "theirs-2").await.unwrap_err().to_string();
    assert!(refused.contains("not what the blueprint says") && refused.contains("input"), "{refused}");
    assert_eq!(there(&folder).keys().collect::<Vec<_>>(), ["object_store_files"]);
    let refused = module.import(&address("vm.none"), "x").await.unwrap_err().to_string();
    assert!(refused.contains("not in the blueprint"), "{refused}");
    figure(
        "terraform_import",
        true,
        "taken over to an empty plan; what is otherwise is refused with what differs, and not taken",
    );
    Ok(())
}

#[tokio::test]
async fn killed_anywhere_no_action_is_doubled_or_lost() -> anyhow::Result<()> {
    let bed = match Bed::new() {
        Ok(bed) => bed,
        Err(reason) => return skip("terraform_kills", reason),
    };
    let module = bed.module("prod", BTreeMap::new());
    let wishes: [Wish; 3] = [
        ("network", json!({"cidr": "10.0.0.0/16"}), ("cidr", json!("10.1.0.0/16"))),
        ("queue", json!({"max_receives": 10}), ("max_receives", json!(20))),
        ("object_store", json!({"versioning": true}), ("versioning", json!(false))),
    ];
    let life = Life::default();
    life.0.store(u32::MAX, Ordering::SeqCst);
    let mut kills = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(grid_plan::kinds::Kinds::roles());
        kills += turned(&mut world, &module, (&module, &life), &wishes, (seed, 6)).await?;
    }
    let folder = bed.path("prod");
    let made = there(&folder);
    assert_eq!(
        made.len() as u64,
        2 * SEEDS,
        "one that was changed and one that was made for each seed: {:?}",
        made.keys()
    );

    // Killed after Terraform has done its work, and before that is written down.
    let (queue, token) = (address("queue.jobs"), Token::of_text("grid-made"));
    let before = std::fs::read(folder.join("grid.json"))?;
    let fields = Fields::of_json(&json!({"max_receives": 10}));
    let call = Call { address: &queue, action: Action::Create, before: None, fields: &fields, token: &token };
    let first = module.apply(&call).await?;
    std::fs::write(folder.join("grid.json"), before)?;
    assert_eq!(module.find(&queue, &token).await?, None);
    assert_eq!(module.apply(&call).await?, first, "the second time is the first");
    assert_eq!(module.find(&queue, &token).await?, Some(first.clone()));
    assert_eq!(there(&folder).len() as u64, 2 * SEEDS + 1);

    // What Terraform does not know is not changed: that would make a second one.
    let (other, fields) = (address("queue.other"), Fields::of_json(&json!({"max_receives": 20})));
    let call = Call { address: &other, action: Action::Update, before: Some(&first), fields: &fields, token: &token };
    let refused = module.apply(&call).await.unwrap_err().to_string();
    assert!(refused.contains("take it over first"), "{refused}");
    assert_eq!(there(&folder).len() as u64, 2 * SEEDS + 1);
    figure(
        "terraform_kills",
        kills >= 10,
        format!(
            "{SEEDS} seeds, killed {kills} times around entries of the journal: {} actions, 0 doubled, 0 lost",
            3 * SEEDS
        ),
    );
    Ok(())
}
