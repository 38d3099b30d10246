//! `grid cost estimate`: what a plan, a folder of `.tf` files or a spec of resources will cost, before it is deployed; for people, comments and pipelines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use grid_estimate::book::{self, Book};
use grid_estimate::compare::{self, Comparison, Verdict};
use grid_estimate::read::{hcl, plan};
use grid_estimate::value::Value;
use grid_estimate::{Estimate, Inventory, PriceFile, PriceSource, Usage, limits, show};
use grid_model::{Amount, Currency};
use reqwest::Method;

use super::path_of;
use crate::args::TargetArgs;
use crate::config::Config;
use crate::local::Api;
use crate::out;

/// What the command ends with above the budget, or where it cannot be said: neither 0, nor 1 (an error), nor 2 (a wrong command line).
const NOT_HELD: u8 = 3;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree for a terminal
    Table,
    /// Infracost's format 0.2
    Json,
    /// A comment for a pull request
    Markdown,
}

/// `grid cost estimate`.
#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// A folder of .tf files, a plan as JSON (`terraform show -json PLAN`), or a spec of resources (.toml, .yaml) with --cloud
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Where a spec of resources is to stand: aws, azure or google
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<String>,
    /// How much of each resource will be used (Infracost's usage file)
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Unit prices as CSV: component, price and, as far as they matter, address, part, provider, service, region, resource_type, unit,
    /// currency, attribute:NAME. May be given several times; the first that knows a price counts
    #[arg(long, value_name = "FILE")]
    prices: Vec<PathBuf>,
    /// Price machines that no file prices by your own bills and the price books of a server or data directory
    #[arg(long)]
    book: bool,
    /// Values of variables, for a folder (terraform.tfvars and *.auto.tfvars are read by themselves)
    #[arg(long, value_name = "FILE")]
    var_file: Vec<PathBuf>,
    /// What to compare with: another folder or plan. A plan is compared with what it starts from anyway
    #[arg(long, value_name = "PATH", conflicts_with = "region")]
    compare: Option<PathBuf>,
    /// Compare with the same in another region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Most that a month may cost. Above it, or if what is unknown leaves it open, the command ends with 3
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// Currency of prices and of the budget
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,
    /// Windows machines of Azure at the prices of dev/test subscriptions
    #[arg(long)]
    azure_dev_test: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the price books are, for --book
    #[command(flatten)]
    target: TargetArgs,
}

/// Estimates, compares, and holds against the budget.
pub(super) async fn run(config: &Config, args: &EstimateArgs) -> anyhow::Result<ExitCode> {
    let currency = Currency(args.currency.to_uppercase());
    let budget = args.budget.as_ref().map(|text| {
        let (amount, _) = Amount::parse(text).with_context(|| format!("read --budget {text:?}"))?;
        anyhow::Ok(amount)
    });
    let budget = budget.transpose()?;
    let mut usage = match &args.usage {
        Some(path) => Usage::read(&path.display().to_string(), &read(path, limits::FILE_BYTES_MAX)?)?,
        None => Usage::default(),
    };
    if args.azure_dev_test {
        usage.default_for("azurerm_windows_virtual_machine", "purchase_option", "dev_test");
        usage.default_for("azurerm_windows_virtual_machine_scale_set", "purchase_option", "dev_test");
        usage.default_for("azurerm_virtual_machine", "purchase_option", "dev_test");
    }
    let (before, after) = inventories(args)?;
    // Asked first: sources of prices do not travel between threads.
    let book = match args.book {
        true => Some(ask_book(config, args, before.iter().chain([&after]), &usage, &currency).await?),
        false => None,
    };
    let mut prices = prices(&args.prices)?;
    prices.extend(book.map(|book| Box::new(book) as Box<dyn PriceSource>));
    let estimated = grid_estimate::estimate(&after, &usage, &prices, &currency);
    let before = before.map(|inventory| grid_estimate::estimate(&inventory, &usage, &prices, &currency));
    let comparison = before.as_ref().and_then(|before| compare::compare(before, &estimated));
    let change = before.as_ref().zip(comparison.as_ref());
    let verdict = budget.map(|limit| (limit, compare::budget(&estimated.total, limit)));
    write(args, &estimated, change, verdict)?;
    Ok(match verdict {
        None | Some((_, Verdict::Within)) => ExitCode::SUCCESS,
        Some((_, Verdict::Above | Verdict::Unknown)) => ExitCode::from(NOT_HELD),
    })
}

fn write(
    args: &EstimateArgs,
    estimated: &Estimate,
    change: Option<(&Estimate, &Comparison<'_>)>,
    verdict: Option<(Amount, Verdict)>,
) -> anyhow::Result<()> {
    let text = match args.output {
        Format::Json => {
            format!("{:#}\n", show::json::json(&args.path.display().to_string(), estimated, change, verdict))
        }
        Format::Markdown => show::markdown::markdown(estimated, change),
        Format::Table => match change {
            Some((before, comparison)) => show::table::comparison(before, estimated, comparison),
            None => show::table::table(estimated),
        },
    };
    out::bytes(text.as_bytes())?;
    if let (Some((limit, verdict)), true) = (verdict, args.output != Format::Json) {
        let words = match verdict {
            Verdict::Within => "within",
            Verdict::Above => "above",
            Verdict::Unknown => "cannot be held against",
        };
        out::say(&format!("{words} the budget of {}", show::money(limit, &estimated.currency)));
    }
    Ok(())
}

/// What there was or would be otherwise, and what there will be.
fn inventories(args: &EstimateArgs) -> anyhow::Result<(Option<Inventory>, Inventory)> {
    let (before, after) = inventory(&args.path, args)?;
    if let Some(other) = &args.compare {
        let (_, other) = inventory(other, args)?;
        return Ok((Some(other), after));
    }
    if let Some(region) = &args.region {
        let moved = after.in_region(region);
        return Ok((Some(after), moved));
    }
    Ok((before, after))
}

fn inventory(path: &Path, args: &EstimateArgs) -> anyhow::Result<(Option<Inventory>, Inventory)> {
    if path.is_dir() {
        let mut given = BTreeMap::new();
        for file in variable_files(path, &args.var_file)? {
            let name = file.display().to_string();
            let (values, _) = hcl::variables(&name, &read(&file, limits::FILE_BYTES_MAX)?)?;
            given.extend(values);
        }
        let read = hcl::read(&Folder(path.to_owned()), environment(given));
        return Ok((None, read.with_context(|| format!("read {}", path.display()))?));
    }
    if path.extension().is_some_and(|ending| ["toml", "yaml", "yml"].iter().any(|e| ending == *e)) {
        let cloud = args.cloud.as_deref();
        let cloud = cloud.with_context(|| format!("{} is a spec of resources: say --cloud", path.display()))?;
        let files = crate::cmd::resource::rendered(path, cloud)?;
        return Ok((None, hcl::read(&files, environment(BTreeMap::new()))?));
    }
    let text = read(path, limits::PLAN_BYTES_MAX)?;
    let plan = plan::read(&path.display().to_string(), text.as_bytes())?;
    Ok((plan.before, plan.after))
}

/// Values that `TF_VAR_NAME` gives; files win.
fn environment(mut given: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for (name, value) in std::env::vars_os() {
        if let (Some(name), Some(value)) = (name.to_str().and_then(|n| n.strip_prefix("TF_VAR_")), value.to_str()) {
            given.entry(name.to_owned()).or_insert_with(|| Value::text(value));
        }
    }
    given
}

/// The files that give variables, in the order in which later ones win.
fn variable_files(folder: &Path, named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut own: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".auto.tfvars") {
            own.push(path);
        }
    }
    own.sort();
    let main = Some(folder.join("terraform.tfvars")).filter(|p| p.is_file());
    Ok(main.into_iter().chain(own).chain(named.iter().cloned()).collect())
}

fn prices(files: &[PathBuf]) -> anyhow::Result<Vec<Box<dyn PriceSource>>> {
    let mut sources: Vec<Box<dyn PriceSource>> = Vec::new();
    for path in files {
        let file = PriceFile::read(&path.display().to_string(), &read(path, limits::FILE_BYTES_MAX * 8)?)?;
        if let Some(first) = file.rejected.first() {
            bail!("{}: {} rows are no prices, the first: {first}", path.display(), file.rejected.len());
        }
        sources.push(Box::new(file));
    }
    Ok(sources)
}

/// Asks the price books for the machines of an estimate. What they do not know stays unknown.
async fn ask_book<'a>(
    config: &Config,
    args: &EstimateArgs,
    inventories: impl Iterator<Item = &'a Inventory>,
    usage: &Usage,
    currency: &Currency,
) -> anyhow::Result<Book> {
    let wanted = book::machines(inventories, usage);
    let api = Api::open(&args.target, config).await?;
    let mut machines = BTreeMap::new();
    for machine in wanted {
        let system = format!("operating_system={}", machine.system);
        let path = path_of(
            "/api/v1/prices/lookup",
            &[
                ("provider", Some(machine.provider)),
                ("service", Some(machine.service)),
                ("resource_type", Some(&machine.kind)),
                ("region", Some(&machine.region)),
                ("currency", Some(&currency.0)),
                ("attributes", Some(&system)),
            ],
        );
        let answer = api.send(Method::GET, &path, None).await?;
        if let Some((amount, _)) = answer["price"].as_str().and_then(|text| Amount::parse(text).ok()) {
            machines.insert(machine, amount);
        }
    }
    api.close().await?;
    Ok(Book { machines, currency: currency.clone() })
}

fn read(path: &Path, max: usize) -> anyhow::Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?.len();
    ensure!(size <= max as u64, "{} has {size} bytes, more than {max}", path.display());
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// A folder on disk.
struct Folder(PathBuf);

impl hcl::Sources for Folder {
    fn folder(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.0.join(path)).ok()?.flatten() {
            let name = entry.file_name().into_string().ok()?;
            if name.ends_with(".tf") && !name.starts_with('.') {
                files.push((name, read(&entry.path(), limits::FILE_BYTES_MAX).ok()?));
            }
        }
        files.sort();
        Some(files)
    }

    fn file(&self, path: &str) -> Option<String> {
        read(&self.0.join(path), limits::FILE_BYTES_MAX).ok()
    }
}
