//! `grid retention`: how long rows are kept. Nothing is deleted unless a rule says so.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_model::Table;
use grid_store::catalog::RetentionRule;

use crate::args::{RetentionCommand, TargetArgs};
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::{parse_duration, show_count, show_duration};
use crate::{out, setup};

/// Sets, shows or applies rules.
pub async fn run(file: Option<&Path>, command: RetentionCommand) -> anyhow::Result<ExitCode> {
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
            let body = serde_json::json!({ "table": table.name(), "keep": keep });
            client.send(client.request(reqwest::Method::PUT, "/api/v1/retention").json(&body)).await?;
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
            let answer = client.send(client.request(reqwest::Method::GET, "/api/v1/retention")).await?;
            out::line(&answer.text().await.context("read the answer")?)?;
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
        Target::Server(_) => {
            bail!("a server applies retention by itself, every storage.expire_interval");
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            let report = store.expire().await.context("apply retention")?;
            store.close().await.context("close the store")?;
            out::line(&format!("deleted {} rows in {} files", show_count(report.rows), report.files))?;
        }
    }
    Ok(())
}
