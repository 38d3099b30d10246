//! `grid resource`: the types that infrastructure is described with, and what becomes of a description on a cloud. No server is asked.
//!
//! Reading order: [`run`], `types`, `show`, `check`, `render`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use grid_types::limits::SPEC_BYTES_MAX;
use grid_types::tier::{count, tier};
use grid_types::{Cloud, Format, Spec, Target, Tier, Type, find, json_schema, page, problem, render, types};
use serde_json::{Value, json};

use crate::out;

/// What a system and its environment are called where nobody says.
const SYSTEM: &str = "app";
const ENVIRONMENT: &str = "prod";

/// `grid resource`.
#[derive(Debug, Subcommand)]
pub(crate) enum ResourceCommand {
    /// All types, and how far each is proven on each cloud
    Types(TypesArgs),
    /// One type: its fields, its outputs
    Show(ShowArgs),
    /// Whether specs are right: all mistakes with their places; exits with 1 if there is one
    Check(CheckArgs),
    /// A spec as files for Terraform or OpenTofu, or as manifests of Kubernetes
    Render(RenderArgs),
}

/// `grid resource types`.
#[derive(Debug, Args)]
pub(crate) struct TypesArgs {
    /// How it is written
    #[arg(short, long, value_enum, default_value = "table")]
    output: Shown,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    /// For people
    Table,
    /// For programs
    Json,
}

/// `grid resource show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Its name, such as `postgresql`
    #[arg(value_name = "TYPE")]
    name: String,
    /// As a JSON Schema (2020-12) of its fields
    #[arg(long)]
    schema: bool,
}

/// `grid resource check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Specs in TOML, YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// `grid resource render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// A spec in TOML, YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// aws, azure, google or kubernetes
    #[arg(long, value_name = "CLOUD")]
    cloud: String,
    /// Where [default: one that has all types]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the system is called: the beginning of names in the cloud
    #[arg(long, value_name = "NAME", default_value = SYSTEM)]
    system: String,
    /// The second part of names in the cloud
    #[arg(long, value_name = "NAME", default_value = ENVIRONMENT)]
    environment: String,
    /// A folder for the files [default: all on stdout]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Does what is asked.
pub(crate) fn run(command: &ResourceCommand) -> anyhow::Result<ExitCode> {
    match command {
        ResourceCommand::Types(args) => list(args.output),
        ResourceCommand::Show(args) => show(args),
        ResourceCommand::Check(args) => check(args),
        ResourceCommand::Render(args) => render_to(args),
    }
}

fn list(output: Shown) -> anyhow::Result<ExitCode> {
    let cell = |kind: &Type, cloud| tier(&kind.name, cloud).map_or("-", Tier::name);
    if output == Shown::Json {
        let of = |kind: &Type| -> Value {
            let tiers: serde_json::Map<String, Value> =
                Cloud::ALL.iter().map(|c| (c.name().to_owned(), tier(&kind.name, *c).map(Tier::name).into())).collect();
            json!({ "name": kind.name, "version": kind.version, "about": kind.doc, "lever": kind.lever, "tiers": tiers })
        };
        let all: Vec<Value> = types().iter().map(of).collect();
        out::line(&serde_json::to_string_pretty(&all)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |name: &str, cells: [&str; 4], about: &str| {
        let cells = cells.map(|cell| format!("{cell:<15}")).concat();
        format!("{name:<20}{cells}{about}").trim_end().to_owned()
    };
    out::line(&row("TYPE", ["AWS", "AZURE", "GOOGLE", "KUBERNETES"], "ABOUT"))?;
    for kind in types() {
        out::line(&row(&kind.name, Cloud::ALL.map(|cloud| cell(kind, cloud)), &kind.doc))?;
    }
    let counts = count(None);
    let counts: Vec<String> = counts.iter().map(|(tier, cells)| format!("{cells} {}", tier.name())).collect();
    out::say(&format!("\n{} types; of their cells {}", types().len(), counts.join(", ")));
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let Some(kind) = find(&args.name) else {
        let near = problem::suggest(&args.name, types().iter().map(|t| t.name.as_str()), "types");
        bail!("there is no type {:?}; {near}", args.name);
    };
    let text = if args.schema {
        serde_json::to_string_pretty(&json_schema::of(kind))?
    } else {
        page::of(kind).trim().to_owned()
    };
    out::line(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A spec, or its mistakes as a terminal shows them.
fn read(path: &Path) -> anyhow::Result<Result<Spec, String>> {
    let name = path.display();
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let format = Format::of(ending).with_context(|| format!("{name} must end in .toml, .yaml or .json"))?;
    let bytes = std::fs::metadata(path).with_context(|| format!("look at {name}"))?.len();
    ensure!(bytes <= SPEC_BYTES_MAX as u64, "{name} has {bytes} bytes; a spec has at most {SPEC_BYTES_MAX}");
    let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
    Ok(Spec::read(&text, format).map_err(|problems| problems.show(&name.to_string(), &text)))
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mut wrong = false;
    for path in &args.files {
        match read(path)? {
            Ok(spec) => out::line(&format!("{}: {} resources, right", path.display(), spec.resources.len()))?,
            Err(problems) => {
                wrong = true;
                out::line(problems.trim_end())?;
            }
        }
    }
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The cloud of a flag.
fn cloud(name: &str) -> anyhow::Result<Cloud> {
    Cloud::parse(name).with_context(|| format!("--cloud {name:?} is none of aws, azure, google, kubernetes"))
}

/// A spec as `.tf` files by name, for who wants to look at them only.
pub(in crate::cmd) fn rendered(path: &Path, on: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let cloud = cloud(on)?;
    ensure!(
        Cloud::HCL.contains(&cloud),
        "--cloud {on:?} has no files of Terraform: it must be aws, azure or google here"
    );
    let spec = match read(path)? {
        Ok(spec) => spec,
        Err(problems) => bail!("{} is wrong\n{}", path.display(), problems.trim_end()),
    };
    let region = cloud.example_region().to_owned();
    let target = Target { cloud, region, system: SYSTEM.to_owned(), environment: ENVIRONMENT.to_owned() };
    Ok(render(&spec, &target)?.files)
}

fn render_to(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let cloud = cloud(&args.cloud)?;
    let spec = match read(&args.file)? {
        Ok(spec) => spec,
        Err(problems) => {
            out::say(problems.trim_end());
            return Ok(ExitCode::FAILURE);
        }
    };
    let region = args.region.clone().unwrap_or_else(|| cloud.example_region().to_owned());
    let target = Target { cloud, region, system: args.system.clone(), environment: args.environment.clone() };
    let rendered = render(&spec, &target)?;
    let Some(folder) = &args.out else {
        out::bytes(rendered.text().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    for (name, text) in &rendered.files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        out::line(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
