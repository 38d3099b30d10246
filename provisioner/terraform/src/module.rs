//! One environment as a root module: its folder, and runs of Terraform in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use grid_act::executor::CloudError;
use grid_plan::plan::looked_up;
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use grid_types::{Cloud, Format, Rendered, Spec, Target};
use parking_lot::Mutex;
use serde_json::Value;

use crate::change::{Change, changes};
use crate::limits::{APPLY_TIME_MAX, LOCK_TIMEOUT, LOOK_TIME_MAX, OVERRIDE_BYTES_MAX};
use crate::marker;
use crate::program::{NoProgram, Program, RunError};
use crate::record::{Record, replace};
use crate::settings::Settings;

/// The plan file. It can hold secrets, so it does not outlive its use.
const PLAN: &str = "grid.tfplan";
/// What is laid over what is rendered.
const OVERRIDES: &str = "grid_override.tf";
/// What is taken over, while it is.
const IMPORTS: &str = "grid_import.tf";
/// What the folder was last initialised with.
const INITIALISED: &str = ".grid-init";

/// Whose module it is, and where it becomes real.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tenant.
    pub tenant: String,
    /// The environment.
    pub environment: String,
    /// Cloud, region, names.
    pub target: Target,
    /// What the blueprint wants of each resource, references and all: what is taken over is compared with it.
    pub wanted: BTreeMap<Address, Fields>,
}

/// Terraform or OpenTofu on this machine. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Terraform(Arc<Inner>);

struct Inner {
    settings: Settings,
    program: Program,
    /// One task at a time in each folder.
    locks: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Terraform {
    /// Finds the program.
    pub fn new(settings: Settings) -> Result<Self, NoProgram> {
        let program = Program::find(&settings.program)?;
        Ok(Self(Arc::new(Inner { settings, program, locks: Mutex::default() })))
    }

    /// The executor of one environment; why there is none, if there is none.
    pub fn module(&self, place: Place) -> Result<Module, String> {
        if place.target.cloud == Cloud::Kubernetes {
            return Err(
                "manifests of Kubernetes are not applied by Terraform: take the driver \"kubernetes\", or Argo CD"
                    .to_owned(),
            );
        }
        let is_name = |t: &str| {
            !t.is_empty() && !t.starts_with('.') && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        for name in [&place.tenant, &place.environment] {
            if !is_name(name) {
                return Err(format!("{name:?} is no name of a folder"));
            }
        }
        let folder = self.0.settings.folder.join(&place.tenant).join(&place.environment);
        let lock = self.lock(&folder);
        Ok(Module { terraform: self.clone(), place, folder, lock, shown: Mutex::default() })
    }

    /// Where the modules stand.
    pub(crate) fn folder(&self) -> &Path {
        &self.0.settings.folder
    }

    /// The lock of a module's folder.
    pub(crate) fn lock(&self, folder: &Path) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.0.locks.lock().entry(folder.to_owned()).or_default())
    }
}

/// One environment.
pub struct Module {
    terraform: Terraform,
    pub(crate) place: Place,
    pub(crate) folder: PathBuf,
    pub(crate) lock: Arc<tokio::sync::Mutex<()>>,
    /// What there is, and what would be there after the steps that were shown: a dry run goes through a whole plan.
    pub(crate) shown: Mutex<Option<(Record, Record)>>,
}

pub(crate) fn refused(why: impl std::fmt::Display) -> CloudError {
    CloudError::Refused(why.to_string())
}

impl Module {
    fn settings(&self) -> &Settings {
        &self.terraform.0.settings
    }

    /// What was applied.
    pub(crate) fn record(&self) -> Result<Record, CloudError> {
        Record::read(&self.folder).map_err(refused)
    }

    /// The files of some resources.
    pub(crate) fn rendered(&self, record: &Record) -> Result<Rendered, CloudError> {
        let spec = if record.resources.is_empty() {
            Spec { resources: Vec::new() }
        } else {
            Spec::read(&record.spec(), Format::Json).map_err(|problems| {
                let first = problems.list.first();
                refused(first.map_or_else(String::new, |p| format!("{}: {}; {}", p.path, p.what, p.hint)))
            })?
        };
        (self.settings().render)(&spec, &self.place.target).map_err(|e| {
            let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
            refused(format!("{e}{cause}"))
        })
    }

    /// Puts back what was there before something that was refused: whoever looks into the folder finds what was applied.
    pub(crate) fn put_back(&self, rendered: &Rendered) {
        if let Err(why) = self.write(rendered, None) {
            // What was refused is what has to be told; every step lays the folder out anew.
            tracing::warn!(folder = %self.folder.display(), why, "a module cannot be put back");
        }
    }

    /// Puts files in the folder, and takes away those that were there before; made ready for providers and backend.
    pub(crate) async fn lay_out(&self, rendered: &Rendered, imports: Option<&str>) -> Result<(), CloudError> {
        self.write(rendered, imports).map_err(refused)?;
        self.initialise(rendered).await
    }

    fn write(&self, rendered: &Rendered, imports: Option<&str>) -> Result<(), String> {
        let fails = |e: std::io::Error| format!("write {}: {e}", self.folder.display());
        fs::create_dir_all(&self.folder).map_err(fails)?;
        let mut files = rendered.files.clone();
        files.extend(imports.map(|text| (IMPORTS.to_owned(), text.to_owned())));
        if let Some(text) = self.overrides()? {
            files.insert(OVERRIDES.to_owned(), text);
        }
        for entry in fs::read_dir(&self.folder).map_err(fails)? {
            let name = entry.map_err(fails)?.file_name();
            let is_old = name.to_str().is_some_and(|n| n.ends_with(".tf") && !files.contains_key(n));
            if is_old {
                fs::remove_file(self.folder.join(&name)).map_err(fails)?;
            }
        }
        files.iter().try_for_each(|(name, text)| replace(&self.folder, name, text))
    }

    fn overrides(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.settings().overrides else { return Ok(None) };
        let fails = |e: &dyn std::fmt::Display| format!("read {} (provision.terraform_overrides): {e}", path.display());
        let length = fs::metadata(path).map_err(|e| fails(&e))?.len();
        if length > OVERRIDE_BYTES_MAX {
            return Err(fails(&format!("{length} bytes, at most {OVERRIDE_BYTES_MAX} are read")));
        }
        let text = fs::read_to_string(path).map_err(|e| fails(&e))?;
        let text = text.replace("{tenant}", &self.place.tenant).replace("{environment}", &self.place.environment);
        Ok(Some(text))
    }

    /// Fetches providers and opens the backend, when what asks for them is new.
    async fn initialise(&self, rendered: &Rendered) -> Result<(), CloudError> {
        let asks = format!(
            "{}\n{}",
            rendered.files.get("versions.tf").map(String::as_str).unwrap_or_default(),
            self.overrides().map_err(refused)?.unwrap_or_default()
        );
        let known = fs::read_to_string(self.folder.join(INITIALISED)).ok();
        if known.as_deref() == Some(asks.as_str()) && self.folder.join(".terraform").is_dir() {
            return Ok(());
        }
        // With the plainest module `.terraform` is not made.
        fs::create_dir_all(self.folder.join(".terraform")).map_err(refused)?;
        self.run(&["init", "-input=false", "-no-color"]).await?;
        replace(&self.folder, INITIALISED, &asks).map_err(refused)
    }

    /// Runs something that changes nothing in the cloud.
    async fn run(&self, args: &[&str]) -> Result<String, CloudError> {
        let program = &self.terraform.0.program;
        let answer = program.run(&self.folder, args, LOOK_TIME_MAX).await;
        answer.map_err(|e| self.failed(args.first().unwrap_or(&""), e))
    }

    fn failed(&self, verb: &str, error: RunError) -> CloudError {
        let name = self.terraform.0.program.name();
        match error {
            RunError::Start(why) => refused(format!("{name} cannot be started: {why}")),
            RunError::Failed(why) if why.contains("Error acquiring the state lock") => {
                CloudError::Again { after_ns: Some(30_000_000_000), why: format!("{name} {verb}: {why}") }
            }
            RunError::Failed(why) => refused(format!("{name} {verb}: {why}")),
            RunError::Late => CloudError::Lost(format!("{name} {verb} has not ended yet")),
            RunError::TooMuch => refused(format!("{name} {verb} says more than is read")),
        }
    }

    /// Makes a plan of Terraform for some blocks and what they need, and reads it. The plan file is there until [`Self::forget`].
    pub(crate) async fn planned(&self, targets: &BTreeSet<String>) -> Result<Vec<Change>, CloudError> {
        let lock = format!("-lock-timeout={LOCK_TIMEOUT}");
        let targets: Vec<String> = targets.iter().map(|t| format!("-target={t}")).collect();
        let out = format!("-out={PLAN}");
        let mut args = vec!["plan", "-input=false", "-no-color", lock.as_str(), out.as_str()];
        args.extend(targets.iter().map(String::as_str));
        self.run(&args).await?;
        let text = self.run(&["show", "-json", "-no-color", PLAN]).await?;
        let plan: Option<Value> = serde_json::from_str(&text).ok();
        plan.as_ref()
            .and_then(changes)
            .ok_or_else(|| refused("the plan of Terraform cannot be read: it is not of format 1"))
    }

    /// Applies the plan file that was read. It goes on to its end whatever becomes of Grid.
    pub(crate) async fn applied(&self) -> Result<(), CloudError> {
        let lock = format!("-lock-timeout={LOCK_TIMEOUT}");
        let args = ["apply", "-input=false", "-no-color", lock.as_str(), PLAN];
        let done = self.terraform.0.program.run_to_its_end(&self.folder, &args, APPLY_TIME_MAX).await;
        done.map_err(|e| self.failed("apply", e))
    }

    /// Takes the plan file away.
    pub(crate) fn forget(&self) {
        // Where there is none, nothing is left of it.
        let _ = fs::remove_file(self.folder.join(PLAN));
    }

    /// A resource as it was applied, under the name that the cloud gave it.
    pub(crate) async fn known(&self, address: &Address, fields: Fields) -> Result<Observed, CloudError> {
        let text = self.run(&["output", "-json", "-no-color"]).await?;
        let outputs: Value = serde_json::from_str(&text).map_err(refused)?;
        let id = outputs[output_name(address, "id")]["value"].as_str().map(str::to_owned);
        Ok(Observed {
            id: id.unwrap_or_else(|| address.to_string()),
            fields,
            outputs: marker::outputs(address),
            ..Observed::default()
        })
    }
}

/// What an output of a resource is called in HCL.
fn output_name(address: &Address, output: &str) -> String {
    format!("{}_{}_{output}", address.kind(), address.name().replace('-', "_"))
}

/// The block whose id is the resource's: what its output `id` names.
pub(crate) fn main_block(rendered: &Rendered, address: &Address) -> Option<String> {
    let text = rendered.files.get("outputs.tf")?;
    let (_, rest) = text.split_once(&format!("output \"{}\" {{", output_name(address, "id")))?;
    let value = rest.lines().take_while(|l| *l != "}").find_map(|l| l.trim().strip_prefix("value"))?;
    let mut words = value.trim_start().strip_prefix('=')?.trim().split(['.', '[']);
    let (kind, name) = (words.next()?, words.next()?);
    let is_word = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_word(kind) && is_word(name) && kind != "data").then(|| format!("{kind}.{name}"))
}

/// Fields with markers in the place of references.
pub(crate) fn marked(fields: &Fields) -> Result<Fields, CloudError> {
    let of = |address: &Address| Observed { outputs: marker::outputs(address), ..Observed::default() };
    let there: BTreeMap<Address, Observed> = fields.references().into_iter().map(|a| (a.clone(), of(&a))).collect();
    let all = fields.iter().map(|(path, value)| {
        let value = looked_up(value, &there);
        value
            .map(|v| (path.clone(), v))
            .ok_or_else(|| refused(format!("{path} refers to an output that its type has not")))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_types::{render, types};

    /// The block of the output `id` is one of the resource's own, for every type of every cloud that has one.
    #[test]
    fn the_main_block_is_the_resources_own() {
        let spec = "resources:
  - {kind: network, name: main}
  - kind: vm
    name: web-1
    fields: {network: '${network.main}', ssh_public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops'}
  - {kind: object_store, name: files}
";
        assert!(types().len() >= 30);
        let spec = Spec::read(spec, Format::Yaml).unwrap();
        for (cloud, vm, store) in [
            (Cloud::Aws, "aws_instance.web_1", "aws_s3_bucket.files"),
            (Cloud::Azure, "azurerm_linux_virtual_machine.web_1", "azurerm_storage_account.files"),
            (Cloud::Google, "google_compute_instance.web_1", "google_storage_bucket.files"),
        ] {
            let rendered = render(&spec, &Target::example(cloud)).unwrap();
            let of = |address: &str| main_block(&rendered, &Address::parse(address).unwrap());
            assert_eq!(of("vm.web-1").as_deref(), Some(vm));
            assert_eq!(of("object_store.files").as_deref(), Some(store));
            assert_eq!(of("vm.none"), None);
        }
    }

    #[test]
    fn references_are_marked() {
        let fields = Fields::of_json(&serde_json::json!({"network": "${network.main}", "n": 1, "t": "a $${b}"}));
        let marked = marked(&fields).unwrap().to_json();
        assert_eq!(marked, serde_json::json!({"network": "<terraform:network.main>", "n": 1, "t": "a ${b}"}));
        let wrong = Fields::of_json(&serde_json::json!({"x": "${network.main.out.nothing}"}));
        assert!(super::marked(&wrong).is_err());
    }
}
