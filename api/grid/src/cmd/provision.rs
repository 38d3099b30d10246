//! What the verbs of provisioning have in common: asking, tables, and how a release is told.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use grid_api::finance::render::document::{money, signed};
use reqwest::Method;
use serde_json::Value;

use super::{ask, path_of};
use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::{Columns, print};
use crate::config::Config;
use crate::out;

/// Where environments are kept: as [`TargetArgs`], but understood behind each verb too.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// A server, such as http://127.0.0.1:7080
    #[arg(long, value_name = "URL", global = true, conflicts_with = "data_dir")]
    url: Option<String>,
    /// A data directory that no server holds open
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Whose data
    #[arg(long, value_name = "NAME", default_value = "default", global = true)]
    tenant: String,
    /// File with the bearer token (or environment GRID_TOKEN)
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

impl Place {
    /// As everybody else takes it.
    pub(super) fn target(&self) -> TargetArgs {
        TargetArgs {
            url: self.url.clone(),
            data_dir: self.data_dir.clone(),
            tenant: self.tenant.clone(),
            token_file: self.token_file.clone(),
        }
    }
}

/// Items of a list that one command shows.
const SHOWN: &str = "1000";

/// A text of an answer.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Asks a list and prints it; as JSON an array. `empty` is said where there is nothing.
pub(super) async fn list(
    config: &Config,
    target: &TargetArgs,
    route: &str,
    parameters: &[(&str, Option<&str>)],
    output: ListFormat,
    columns: Columns,
    empty: &str,
) -> anyhow::Result<()> {
    let mut all = parameters.to_vec();
    all.push(("limit", Some(SHOWN)));
    let answer = ask(config, target, Method::GET, &path_of(route, &all), None).await?;
    let items = &answer["items"];
    if output == ListFormat::Table && items.as_array().is_none_or(Vec::is_empty) {
        out::say(empty);
        return Ok(());
    }
    print(output, items, items, columns)
}

/// What a plan adds a month, in words.
pub(super) fn delta(plan: &Value) -> String {
    let of = &plan["delta_monthly"];
    let unknown = of["unknown"].as_array().map_or(0, Vec::len);
    let (low, high) = (text(&of["known"], "low"), text(&of["known"], "high"));
    let range = if low == high { signed(low) } else { format!("{} to {}", signed(low), signed(high)) };
    let more = if unknown > 0 { format!(" and {unknown} of unknown cost") } else { String::new() };
    format!("{range} {} a month{more}", text(plan, "currency"))
}

/// Money of a total, in words.
pub(super) fn monthly(total: &Value, currency: &str) -> String {
    let unknown = total["unknown"].as_array().map_or(0, Vec::len);
    let known = money(text(&total["known"], "likely"));
    if unknown > 0 {
        format!("{known} {currency} a month and {unknown} of unknown cost")
    } else {
        format!("{known} {currency} a month")
    }
}

/// A release in a few lines: where it is, and why.
pub(super) fn release(of: &Value) -> String {
    let mut lines =
        vec![format!("{} ({}, {}): {}", text(of, "id"), text(of, "kind"), text(of, "priority"), text(of, "state"))];
    if !text(of, "why").is_empty() {
        lines.push(format!("  because {}", text(of, "why")));
    }
    if !text(of, "summary").is_empty() {
        let plan: String = text(of, "plan").chars().take(12).collect();
        lines.push(format!("  plan {plan}: {}", text(of, "summary")));
    }
    for hold in of["holds"].as_array().into_iter().flatten() {
        lines.push(format!("  waits: {}", hold.as_str().unwrap_or_default()));
    }
    for gate in of["gates"].as_array().into_iter().flatten() {
        lines.push(
            format!(
                "  gate {} ({}): {} {}",
                text(gate, "name"),
                text(gate, "when"),
                text(gate, "verdict"),
                text(gate, "reason")
            )
            .trim_end()
            .to_owned(),
        );
    }
    if let (Some(p50), Some(p90)) = (of["eta_p50"].as_str(), of["eta_p90"].as_str()) {
        lines.push(format!("  done by {p50} (as likely before as after), by {p90} (nine times of ten)"));
    }
    lines.join("\n")
}

/// A file's text, and the format that its ending names.
pub(super) fn spec(path: &Path) -> anyhow::Result<(String, String)> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
    anyhow::ensure!(
        grid_types::Format::of(&format!(".{ending}")).is_some(),
        "{} must end in .toml, .yaml or .json",
        path.display()
    );
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    // Here all mistakes can be shown with their places; the server would name the first only.
    let format = grid_types::Format::of(&format!(".{ending}")).context("read the ending")?;
    if let Err(problems) = grid_types::Spec::read(&text, format) {
        anyhow::bail!("{} is wrong\n{}", path.display(), problems.show(&path.display().to_string(), &text).trim_end());
    }
    Ok((text, ending))
}

/// A JSON, YAML or TOML file as JSON.
pub(super) fn document(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match ending {
        "toml" => toml::from_str(&text).with_context(|| format!("read {}", path.display())),
        _ => serde_json::from_str(&text).with_context(|| format!("read {} as JSON", path.display())),
    }
}

/// A value of a flag: JSON, or else a plain word.
pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
