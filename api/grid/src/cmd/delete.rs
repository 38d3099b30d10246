//! `grid delete`: rows by a filter. It asks first.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_model::{Scope, Table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::DeleteArgs;
use crate::target::{self, Target};
use crate::unit::show_count;
use crate::{out, setup};

/// Deletes what matches.
pub(crate) async fn run(file: Option<&Path>, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let Some(table) = Table::parse(&args.table) else {
        let names: Vec<&str> = Table::ALL.iter().map(|t| t.name()).collect();
        bail!("there is no table {:?}; tables are {}", args.table, names.join(", "));
    };
    let tenant = target::tenant(&args.target.tenant)?;
    if !args.yes && !confirmed(&format!("delete rows of {} of {tenant} where {}? [y/N] ", table.name(), args.filter))? {
        out::say("nothing was deleted");
        return Ok(ExitCode::FAILURE);
    }
    let deleted = match Target::resolve(&args.target, &config)? {
        Target::Server(client) => {
            let body = json!({ "table": table.name(), "filter": args.filter });
            let answer = client.send(client.request(Method::POST, "/api/v1/delete").json(&body)).await?;
            let report: Value = answer.json().await.context("read the answer")?;
            report["rows_deleted"].as_u64().unwrap_or(0)
        }
        Target::Directory(dir) => {
            let store = target::open_existing(&config, &dir).await?;
            let engine = setup::engine(&config, &store)?;
            let report = engine.delete(&Scope::all(tenant), table, &args.filter).await;
            store.close().await.context("close the store")?;
            report?.rows_deleted
        }
    };
    out::line(&format!("deleted {} rows", show_count(deleted)))?;
    Ok(ExitCode::SUCCESS)
}

fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to ask; say --yes to delete without asking");
    }
    out::say(question);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("read the answer")?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}
