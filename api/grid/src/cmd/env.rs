//! `grid env`: environments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::provision::{Place, document, list, monthly, release, spec, text, value};
use super::{ask, segment};
use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::{Columns, print};
use crate::config::Config;
use crate::{out, setup};

const ROUTE: &str = "/api/v1/environments";
const COLUMNS: Columns = &[
    ("environment", "name"),
    ("blueprint", "blueprint"),
    ("cloud", "cloud"),
    ("region", "region"),
    ("driver", "driver"),
    ("wanted", "resources_wanted"),
    ("there", "resources_there"),
    ("overrides", "overrides"),
    ("budget", "budget"),
    ("autonomy", "autonomy"),
    ("held by", "held_by"),
];
const RESOURCES: Columns = &[
    ("environment", "environment"),
    ("resource", "address"),
    ("kind", "kind"),
    ("id", "id"),
    ("region", "region"),
    ("driver", "driver"),
    ("observed", "observed"),
];
const DIFFERENCES: Columns = &[("resource", "address"), ("field", "path"), ("first", "first"), ("second", "second")];
const EXAMPLE: &str = "\
Example:
  grid env create staging --spec shop.yaml --cloud aws --budget 400
  grid plan --env staging
  grid release submit --env staging
  grid env show staging";

/// `grid env`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct EnvArgs {
    /// What to do
    #[command(subcommand)]
    verb: Verb,
    /// Where environments are kept
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make one of a spec of resources
    Create(CreateArgs),
    /// All environments
    List(ListArgs),
    /// One: settings, overrides, what is there, what it costs
    Show(ShowArgs),
    /// Change settings: gates, freezes, checks, policy, budget, another spec
    Set(SetArgs),
    /// Make another one like it
    Clone(CloneArgs),
    /// How two differ, and who made them differ
    Compare(CompareArgs),
    /// Take what was tried in one over into the next
    Promote(PromoteArgs),
    /// Set one field of one resource to something else than the blueprint says
    Override(OverrideArgs),
    /// Send one to sleep: what costs by the hour rests, data stay
    Hibernate(SleepArgs),
    /// Wake one
    Wake(SleepArgs),
    /// Refuse to destroy it, or no longer
    Protect(ProtectArgs),
    /// Destroy what it has, by a release; asks for its name
    Destroy(DestroyArgs),
    /// Read what is there, and tell what has moved, ranked by risk and money
    Drift(DriftArgs),
    /// What environments have, and what else is in the accounts that their drivers work in
    Resources(ResourcesArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  grid env create prod --spec shop.yaml --cloud aws --region eu-central-1 --budget 900 --protect"
)]
struct CreateArgs {
    /// Its name
    name: String,
    /// Resources in TOML, YAML or JSON (see `grid resource types`)
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// aws, azure or google
    #[arg(long, value_name = "CLOUD")]
    cloud: String,
    /// Where [default: a region that has all types]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the blueprint is called, so that environments of one can be promoted [default: the spec's file name]
    #[arg(long, value_name = "NAME")]
    blueprint: Option<String>,
    /// Currency of its costs
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,
    /// Who carries plans out; the dry-run driver touches no cloud
    #[arg(long, value_name = "DRIVER", default_value = "dry-run")]
    driver: String,
    /// What exists already: ADDRESS=ID, such as vm.web=i-0123; may be repeated
    #[arg(long, value_name = "ADDRESS=ID")]
    existing: Vec<String>,
    /// What it may cost a month
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// More settings: gates, freezes, checks, policy, ... (JSON or TOML)
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Refuse to destroy it
    #[arg(long)]
    protect: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Its name
    name: String,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  grid env set prod --settings gates.json\nwith gates.json:\n  {\"gates\": [{\"name\": \"people\", \"kind\": \"approval\", \"people\": 1},\n             {\"name\": \"errors\", \"when\": \"after\", \"kind\": \"query\", \"language\": \"promql\",\n              \"query\": \"sum(rate(http_requests_total{code=~'5..'}[5m]))\", \"at_most\": 1}]}"
)]
struct SetArgs {
    /// Its name
    name: String,
    /// Settings: gates, freezes, checks, policy, accepts, heals, budget, expires, rest, verify_hours, usage, prices (JSON or TOML)
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// What it may cost a month; empty for no budget
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// From when on it is to be destroyed, such as 2026-12-31T00:00:00Z; empty for never
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// off, suggest, approve or automatic: what becomes of recommendations
    #[arg(long, value_name = "WORD", value_parser = ["off", "suggest", "approve", "automatic"])]
    autonomy: Option<String>,
    /// Another blueprint
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  grid env clone prod --as review-7 --set vm.web:size=2x4 --budget 100 --expires 2026-12-31T00:00:00Z"
)]
struct CloneArgs {
    /// Which
    name: String,
    /// The new one's name
    #[arg(long = "as", value_name = "NAME")]
    new: String,
    /// What is to differ: ADDRESS:PATH=VALUE; may be repeated
    #[arg(long = "set", value_name = "ADDRESS:PATH=VALUE")]
    set: Vec<String>,
    /// What it may cost a month
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// From when on it is to be destroyed
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Values of recommendations and scaling policies come along
    #[arg(long)]
    with_tuning: bool,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// The first
    first: String,
    /// The second
    second: String,
    /// How differences are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  grid env promote staging --to prod --stay size --dry-run")]
struct PromoteArgs {
    /// The environment that is taken from
    from: String,
    /// The environment that is changed
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Only these resources; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    only: Vec<String>,
    /// Fields that never travel; may be repeated
    #[arg(long, value_name = "PATH")]
    stay: Vec<String>,
    /// What people set there may be overruled
    #[arg(long)]
    overrule: bool,
    /// Only tell what would be written
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  grid env override prod vm.web size=4x16 --why 'search needs it'\n  grid env override prod vm.web --leave-out --why 'nobody uses it'\n  grid env override prod vm.web size --take-back"
)]
struct OverrideArgs {
    /// Of which environment
    name: String,
    /// The resource, such as vm.web
    resource: String,
    /// The field and its value, PATH=VALUE; only the field to leave it out or take it back
    field: Option<String>,
    /// Leave the field, or without a field the resource, out
    #[arg(long, conflicts_with = "take_back")]
    leave_out: bool,
    /// Take an override back
    #[arg(long)]
    take_back: bool,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
struct SleepArgs {
    /// Its name
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
struct ProtectArgs {
    /// Its name
    name: String,
    /// No longer
    #[arg(long)]
    off: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  grid env destroy review-7 --confirm review-7")]
struct DestroyArgs {
    /// Its name
    name: String,
    /// Its name, once more
    #[arg(long, value_name = "NAME")]
    confirm: String,
}

#[derive(Debug, Args)]
struct DriftArgs {
    /// Its name
    name: String,
    /// What is there becomes what is known, so that the next plan sets it right
    #[arg(long)]
    accept: bool,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  grid env resources --kind vm --unowned")]
struct ResourcesArgs {
    /// Only of this environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Only of this kind, such as vm
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only in this region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only what no environment has
    #[arg(long, conflicts_with = "env")]
    unowned: bool,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, args: EnvArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let (config, target) = (&config, &args.place.target());
    let of = |name: &str| format!("{ROUTE}/{}", segment(name));
    match args.verb {
        Verb::Create(a) => create(config, target, a).await?,
        Verb::List(a) => {
            let empty = "there are no environments; `grid env create NAME --spec FILE --cloud CLOUD` makes one";
            list(config, target, ROUTE, &[], a.output, COLUMNS, empty).await?;
        }
        Verb::Resources(a) => {
            let owned = a.unowned.then_some("false");
            let asked = [
                ("environment", a.env.as_deref()),
                ("kind", a.kind.as_deref()),
                ("region", a.region.as_deref()),
                ("owned", owned),
            ];
            let empty = "there are none";
            list(config, target, "/api/v1/resources", &asked, a.output, RESOURCES, empty).await?;
        }
        Verb::Show(a) => show(config, target, &a).await?,
        Verb::Set(a) => {
            let mut body = match &a.settings {
                Some(path) => document(path)?,
                None => Value::Object(Map::new()),
            };
            if let Some(budget) = a.budget {
                body["budget"] = Value::from(budget);
            }
            if let Some(expires) = a.expires {
                body["expires"] = Value::from(expires);
            }
            if let Some(path) = &a.spec {
                let (text, format) = spec(path)?;
                (body["spec"], body["format"]) = (Value::from(text), Value::from(format));
            }
            if let Some(autonomy) = a.autonomy {
                let mut policy = ask(config, target, Method::GET, &of(&a.name), None).await?["policy"].take();
                policy["autonomy"] = Value::from(autonomy);
                body["policy"] = policy;
            }
            ask(config, target, Method::PUT, &of(&a.name), Some(body)).await?;
            out::line(&format!("{} is set", a.name))?;
        }
        Verb::Clone(a) => {
            let overrides = a.set.iter().map(|t| written(t)).collect::<anyhow::Result<Vec<_>>>()?;
            let body = json!({ "name": a.new, "overrides": overrides, "budget": a.budget, "expires": a.expires, "with_tuning": a.with_tuning });
            ask(config, target, Method::POST, &format!("{}/clone", of(&a.name)), Some(body)).await?;
            out::line(&format!(
                "{} is like {}; nothing of it is there yet: `grid release submit --env {}`",
                a.new, a.name, a.new
            ))?;
        }
        Verb::Compare(a) => {
            let path = format!("{}/compare/{}", of(&a.first), segment(&a.second));
            let answer = ask(config, target, Method::GET, &path, None).await?;
            if answer["items"].as_array().is_none_or(Vec::is_empty) && a.output == ListFormat::Table {
                out::say(&format!("{} and {} are wanted alike", a.first, a.second));
            } else if a.output == ListFormat::Table {
                let items = answer["items"].as_array().into_iter().flatten();
                let rows: Value = items.map(|d| json!({ "address": d["address"], "path": d["path"], "first": side(&d["first"]), "second": side(&d["second"]) })).collect();
                print(a.output, &rows, &rows, DIFFERENCES)?;
            } else {
                print(a.output, &answer["items"], &answer["items"], DIFFERENCES)?;
            }
        }
        Verb::Promote(a) => promote(config, target, a).await?,
        Verb::Override(a) => {
            let (path, to) = match a.field.as_deref().map(|f| f.split_once('=').unwrap_or((f, ""))) {
                None => (String::new(), Value::Null),
                Some((path, _)) if a.leave_out || a.take_back => (path.to_owned(), Value::Null),
                Some((path, to)) if !to.is_empty() => (path.to_owned(), value(to)),
                Some(_) => bail!("say PATH=VALUE, or --leave-out, or --take-back"),
            };
            if path.is_empty() && !a.leave_out && !a.take_back {
                bail!("say which field, PATH=VALUE; or --leave-out leaves the whole resource out");
            }
            let body = json!({ "target": a.resource, "path": path, "to": to, "take_back": a.take_back, "why": a.why });
            ask(config, target, Method::POST, &format!("{}/override", of(&a.name)), Some(body)).await?;
            out::line(&format!("written; `grid plan --env {}` shows what that changes", a.name))?;
        }
        Verb::Hibernate(a) => sleep(config, target, &a, "hibernate").await?,
        Verb::Wake(a) => sleep(config, target, &a, "wake").await?,
        Verb::Protect(a) => {
            let body = json!({ "on": !a.off });
            ask(config, target, Method::POST, &format!("{}/protect", of(&a.name)), Some(body)).await?;
            out::line(&format!("{} is {}protected", a.name, if a.off { "no longer " } else { "" }))?;
        }
        Verb::Destroy(a) => {
            let path = super::path_of(&of(&a.name), &[("confirm", Some(&a.confirm))]);
            let answer = ask(config, target, Method::DELETE, &path, None).await?;
            match answer["forgotten"].as_bool() {
                Some(true) => out::line(&format!("{} is forgotten: nothing was left of it", a.name))?,
                _ => out::line(&release(&answer["release"]))?,
            }
        }
        Verb::Drift(a) => drift(config, target, &a).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One side of a difference, short.
fn side(of: &Value) -> String {
    let by = of["by"].as_str().map(|by| format!(" ({by})")).unwrap_or_default();
    match &of["value"] {
        Value::Null => format!("-{by}"),
        Value::Object(_) => format!("there{by}"),
        value => format!("{value}{by}"),
    }
}

/// `ADDRESS:PATH=VALUE`.
fn written(text: &str) -> anyhow::Result<Value> {
    let parts = text.split_once(':').and_then(|(address, rest)| Some((address, rest.split_once('=')?)));
    let (address, (path, to)) = parts.with_context(|| format!("{text:?} is not ADDRESS:PATH=VALUE"))?;
    Ok(json!({ "target": address, "path": path, "to": value(to) }))
}

async fn create(config: &Config, target: &TargetArgs, a: CreateArgs) -> anyhow::Result<()> {
    let (text, format) = spec(&a.spec)?;
    let stem = a.spec.file_stem().and_then(|s| s.to_str()).unwrap_or("app").to_owned();
    let mut existing = Map::new();
    for pair in &a.existing {
        let (address, id) = pair.split_once('=').with_context(|| format!("{pair:?} is not ADDRESS=ID"))?;
        existing.insert(address.to_owned(), Value::from(id));
    }
    let mut settings = match &a.settings {
        Some(path) => document(path)?,
        None => Value::Object(Map::new()),
    };
    if let Some(budget) = a.budget {
        settings["budget"] = Value::from(budget);
    }
    let body = json!({
        "name": a.name, "spec": text, "format": format, "cloud": a.cloud, "region": a.region, "currency": a.currency,
        "blueprint": a.blueprint.unwrap_or(stem), "driver": a.driver, "existing": existing, "settings": settings,
    });
    let made = ask(config, target, Method::POST, ROUTE, Some(body)).await?;
    if a.protect {
        let path = format!("{ROUTE}/{}/protect", segment(&a.name));
        ask(config, target, Method::POST, &path, Some(json!({ "on": true }))).await?;
    }
    let count = |name: &str| made[name].as_u64().unwrap_or(0);
    out::line(&format!(
        "{}: {} resources wanted, {} there, on driver {}; `grid plan --env {}` says what is to be done",
        a.name,
        count("resources_wanted"),
        count("resources_there"),
        a.driver,
        a.name
    ))?;
    Ok(())
}

async fn show(config: &Config, target: &TargetArgs, a: &ShowArgs) -> anyhow::Result<()> {
    let of = ask(config, target, Method::GET, &format!("{ROUTE}/{}", segment(&a.name)), None).await?;
    if a.output != ListFormat::Table {
        return Ok(out::line(&serde_json::to_string_pretty(&of)?)?);
    }
    let mut lines = vec![format!(
        "{} of {}@{} on {} {} (driver {})",
        text(&of, "name"),
        text(&of, "blueprint"),
        text(&of, "revision"),
        text(&of, "cloud"),
        text(&of, "region"),
        text(&of, "driver")
    )];
    lines.push(format!(
        "{} resources wanted, {} there, serial {}; {}",
        of["resources_wanted"],
        of["resources_there"],
        of["serial"],
        monthly(&of["monthly"], text(&of, "currency"))
    ));
    let budget = of["budget"]
        .as_str()
        .map_or("no budget".to_owned(), |b| format!("budget {b} {} a month", text(&of, "currency")));
    let protected = if of["is_protected"].as_bool() == Some(true) { ", protected" } else { "" };
    lines.push(format!("{budget}{protected}; recommendations: {}", text(&of, "autonomy")));
    if let Some(by) = of["held_by"].as_str() {
        lines.push(format!("held by {by}"));
    }
    if !of["asleep"].is_null() {
        lines.push(format!(
            "asleep since {} by {}: {}",
            text(&of["asleep"], "since"),
            text(&of["asleep"], "who"),
            text(&of["asleep"], "why")
        ));
    }
    if let Some(end) = of["expires"].as_str() {
        let says = of["expiry"]["says"].as_str().map(|s| format!(": {s}")).unwrap_or_default();
        lines.push(format!("ends at {end}{says}"));
    }
    for held in of["held_recommendations"].as_array().into_iter().flatten() {
        let why: Vec<&str> = held["why"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        lines.push(format!(
            "not accepted by itself: {} ({}): {}",
            text(held, "title"),
            text(held, "id"),
            why.join("; ")
        ));
    }
    for gate in of["gates"].as_array().into_iter().flatten() {
        lines.push(format!("gate {} ({}, {})", text(gate, "name"), text(gate, "kind"), text(gate, "when")));
    }
    for one in of["overrides"].as_array().into_iter().flatten() {
        let to = if one["leaves_out"].as_bool() == Some(true) { "left out".to_owned() } else { one["to"].to_string() };
        lines.push(format!(
            "{} {} = {to}  # {} by {}: {}",
            text(one, "target"),
            text(one, "path"),
            text(one, "writer"),
            text(one, "who"),
            text(one, "why")
        ));
    }
    for one in of["resources"].as_array().into_iter().flatten() {
        lines.push(format!("{}  {}", text(one, "address"), text(one, "id")));
    }
    Ok(out::line(&lines.join("\n"))?)
}

async fn promote(config: &Config, target: &TargetArgs, a: PromoteArgs) -> anyhow::Result<()> {
    let body = json!({ "to": a.to, "only": a.only, "stay": a.stay, "overrules": a.overrule, "dry_run": a.dry_run });
    let answer =
        ask(config, target, Method::POST, &format!("{ROUTE}/{}/promote", segment(&a.from)), Some(body)).await?;
    let mut lines = Vec::new();
    if let Some(revision) = answer["revision"].as_str() {
        lines.push(format!("blueprint at revision {revision}"));
    }
    for (name, word) in [("writes", "writes"), ("overruled", "overrules"), ("kept_back", "keeps back")] {
        for one in answer[name].as_array().into_iter().flatten() {
            let why = one["kept_back"].as_str().map(|w| format!("  # {w}")).unwrap_or_default();
            lines.push(format!("{word} {} {} = {}{why}", text(one, "target"), text(one, "path"), one["to"]));
        }
    }
    if lines.is_empty() {
        lines.push("nothing to promote: what people set there is the same".to_owned());
    } else if a.dry_run {
        lines.push("nothing is written: --dry-run".to_owned());
    } else {
        lines.push(format!("written; `grid plan --env {}` shows what that changes", a.to));
    }
    Ok(out::line(&lines.join("\n"))?)
}

async fn sleep(config: &Config, target: &TargetArgs, a: &SleepArgs, verb: &str) -> anyhow::Result<()> {
    let path = format!("{ROUTE}/{}/{verb}", segment(&a.name));
    let answer = ask(config, target, Method::POST, &path, Some(json!({ "why": a.why }))).await?;
    Ok(out::line(&release(&answer))?)
}

async fn drift(config: &Config, target: &TargetArgs, a: &DriftArgs) -> anyhow::Result<()> {
    let path = format!("{ROUTE}/{}/drift", segment(&a.name));
    let answer = ask(config, target, Method::POST, &path, Some(json!({ "accept": a.accept }))).await?;
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    if a.output == ListFormat::Json {
        return Ok(out::line(&serde_json::to_string_pretty(&items)?)?);
    }
    if items.is_empty() {
        return Ok(out::line(&format!("{} is as it was last known", a.name))?);
    }
    for one in &items {
        out::line(&format!(
            "{} risk: {} {}: {}",
            text(one, "risk"),
            text(one, "address"),
            text(one, "moved"),
            text(one, "why")
        ))?;
        for field in one["fields"].as_array().into_iter().flatten() {
            out::line(&format!("    {}: {} -> {}", text(field, "path"), field["was"], field["is"]))?;
        }
    }
    Ok(())
}
