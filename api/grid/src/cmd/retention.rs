//! `grid retention`: how long rows are kept. Nothing is deleted unless a rule says so.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_model::Table;
use grid_store::catalog::RetentionRule;
use reqwest::Method;

use crate::args::{RetentionCommand, TargetArgs};
use crate::client::words_of_failure;
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::{parse_duration, show_count, show_duration};
use crate::{out, setup};

/// Sets, shows or applies rules.
pub(crate) async fn run(file: Option<&Path>, command: RetentionCommand) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match command {
        RetentionCommand::Set { table, keep, target } => set(&config, &table, &keep, &target).await?,
        RetentionCommand::Show { target } => show(&config, &target).await?,
        RetentionCommand::Run { target } => apply(&config, &target).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(config: &Config, table: &str, keep: &str, args: &TargetArgs) -> anyhow::Result<()> {
    let Some(table) = Table::parse(table) else {
        let names: Vec<&str> = Table::ALL.iter().map(|t| t.name()).collect();
        bail!("there is no table {table:?}; tables are {}", names.join(", "));
    };
    if table == Table::Prices && keep != "forever" {
        bail!("prices do not go by age: a book is replaced by its next edition");
    }
    let keep_ns = match keep {
        "forever" => None,
        text => {
            let keep = parse_duration(text).map_err(anyhow::Error::msg)?;
            Some(i64::try_from(keep.as_nanos()).ok().filter(|ns| *ns > 0).context("keep rows for a time above zero")?)
        }
    };
    let tenant = target::tenant(&args.tenant)?;
    match Target::resolve(args, config)? {
        Target::Server(client) => {
            let path = format!("/api/v1/retention/{}", table.name());
            if keep_ns.is_some() {
                let body = serde_json::json!({ "keep": keep });
                client.send(client.request(Method::PUT, &path).json(&body)).await?;
            } else {
                // Without a rule rows are kept for ever already, which 404 says.
                let answer = client.send_any(client.request(Method::DELETE, &path)).await?;
                if !answer.status().is_success() && answer.status() != reqwest::StatusCode::NOT_FOUND {
                    let status = answer.status();
                    bail!("{}", words_of_failure(status, &answer.text().await.unwrap_or_default()));
                }
            }
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            match keep_ns {
                Some(keep_ns) => {
                    store.catalog().set_retention(&RetentionRule { tenant: tenant.clone(), table, keep_ns }).await?;
                }
                None => {
                    store.catalog().drop_retention(&tenant, table).await?;
                }
            }
            store.close().await.context("close the store")?;
        }
    }
    out::say(&format!("{} of {tenant}: kept {}", table.name(), if keep_ns.is_some() { keep } else { "for ever" }));
    Ok(())
}

async fn show(config: &Config, args: &TargetArgs) -> anyhow::Result<()> {
    match Target::resolve(args, config)? {
        Target::Server(client) => {
            let answer = client.send(client.request(Method::GET, "/api/v1/retention")).await?;
            let answer: serde_json::Value = answer.json().await.context("read the answer")?;
            let items = answer["items"].as_array().cloned().unwrap_or_default();
            if items.is_empty() {
                out::say("no rules: every row is kept for ever");
            }
            for item in items {
                let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
                out::line(&format!("{}\t{}\t{}", args.tenant, text("table"), text("keep")))?;
            }
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            let rules = store.catalog().retention().await.context("read the rules")?;
            if rules.is_empty() {
                out::say("no rules: every row is kept for ever");
            }
            for rule in rules {
                let keep = std::time::Duration::from_nanos(rule.keep_ns.unsigned_abs());
                out::line(&format!("{}\t{}\t{}", rule.tenant, rule.table.name(), show_duration(keep)))?;
            }
            store.close().await.context("close the store")?;
        }
    }
    Ok(())
}

async fn apply(config: &Config, args: &TargetArgs) -> anyhow::Result<()> {
    match Target::resolve(args, config)? {
        Target::Server(client) => {
            let answer = client.send(client.request(Method::POST, "/api/v1/admin/expire")).await?;
            let report: serde_json::Value = answer.json().await.context("read the answer")?;
            let number = |name: &str| report[name].as_u64().unwrap_or(0);
            let rows = number("rows_dropped") + number("rows_rewritten");
            out::line(&format!("deleted {} rows; {} files are gone", show_count(rows), number("files_deleted")))?;
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            let report = store.expire().await.context("apply retention")?;
            store.close().await.context("close the store")?;
            let rows = report.rows_dropped + report.rows_rewritten;
            out::line(&format!("deleted {} rows; {} files are gone", show_count(rows), report.files_deleted))?;
        }
    }
    Ok(())
}
