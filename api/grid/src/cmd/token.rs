//! `grid token`: bearer tokens. A secret is printed once and kept only as a hash.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use grid_guard::{NewToken, Scopes, Tenants, TokenInfo};
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{ReportFormat, TargetArgs, TokenCommand};
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::{show_duration, show_time};
use crate::{clock, out, setup};

const ROUTE: &str = "/api/v1/tokens";

/// Creates, lists or revokes.
pub(crate) async fn run(file: Option<&Path>, command: TokenCommand) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match command {
        TokenCommand::Create { name, scope, ttl, output, target } => {
            create(&config, &name, &scope, ttl, output, &target).await
        }
        TokenCommand::List { output, target } => list(&config, output, &target).await,
        TokenCommand::Revoke { id, target } => revoke(&config, &id, &target).await,
    }
}

async fn create(
    config: &Config,
    name: &str,
    scope: &[String],
    ttl: Option<Duration>,
    output: ReportFormat,
    args: &TargetArgs,
) -> anyhow::Result<ExitCode> {
    let scopes = match Scopes::parse(&scope.join(",")) {
        Ok(scopes) => scopes,
        Err(word) => bail!("there is no scope {word:?}; scopes are ingest, query, admin"),
    };
    let tenants = Tenants::parse(args.tenant.split(',')).context("read --tenant")?;
    let (secret, shown) = match Target::resolve(args, config)? {
        Target::Server(client) => {
            let body = json!({
                "name": name,
                "tenants": args.tenant.split(',').collect::<Vec<_>>(),
                "scopes": scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
                "expires": ttl.map(show_duration),
            });
            let answer = client.send(client.request(Method::POST, ROUTE).json(&body)).await?;
            let mut shown: Value = answer.json().await.context("read the answer")?;
            let secret = shown.as_object_mut().and_then(|o| o.remove("token"));
            let Some(Value::String(secret)) = secret else { bail!("the server's answer holds no token") };
            (secret, shown)
        }
        Target::Directory(dir) => {
            // A token for a server that never ran makes sense: it is how the first one begins.
            let store = setup::store(config, &dir).await?;
            let guard = setup::guard(config, &store);
            let expires = ttl.map(|ttl| clock::now().saturating_add(i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX)));
            let issued = guard.issue(NewToken { name: name.to_owned(), tenants, scopes, expires }).await;
            store.close().await.context("close the store")?;
            let issued = issued.context("make the token")?;
            (issued.secret, describe(&issued.info))
        }
    };
    match output {
        ReportFormat::Text => {
            out::say(&format!("token {} for tenant {}, scopes {scopes}; it is shown only now:", name, args.tenant));
            out::line(&secret)?;
        }
        ReportFormat::Json => {
            let mut shown = shown;
            shown["token"] = Value::from(secret);
            out::line(&shown.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: &Config, output: ReportFormat, args: &TargetArgs) -> anyhow::Result<ExitCode> {
    let tokens: Vec<Value> = match Target::resolve(args, config)? {
        Target::Server(client) => {
            let answer: Value =
                client.send(client.request(Method::GET, ROUTE)).await?.json().await.context("read the answer")?;
            answer["items"].as_array().cloned().unwrap_or_default()
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            let tokens = setup::guard(config, &store).tokens().await;
            store.close().await.context("close the store")?;
            tokens.context("read the tokens")?.iter().map(describe).collect()
        }
    };
    match output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&tokens)?)?,
        ReportFormat::Text if tokens.is_empty() => out::say("there are no tokens; `grid token create` makes one"),
        ReportFormat::Text => {
            let mut table = comfy_table::Table::new();
            table.load_preset(comfy_table::presets::NOTHING);
            let columns = ["id", "name", "tenants", "scopes", "created", "last_used", "expires"];
            table.set_header(columns);
            for token in &tokens {
                table.add_row(columns.map(|c| cell(&token[c])));
            }
            out::line(&table.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

async fn revoke(config: &Config, id: &str, args: &TargetArgs) -> anyhow::Result<ExitCode> {
    let found = match Target::resolve(args, config)? {
        Target::Server(client) => {
            client.send(client.request(Method::DELETE, &format!("{ROUTE}/{id}"))).await?;
            true
        }
        Target::Directory(dir) => {
            let store = target::open_existing(config, &dir).await?;
            let found = setup::guard(config, &store).revoke(id).await;
            store.close().await.context("close the store")?;
            found.context("revoke the token")?
        }
    };
    if !found {
        bail!("there is no token {id:?}; `grid token list` shows all");
    }
    out::say(&format!("token {id} is worthless from now on"));
    Ok(ExitCode::SUCCESS)
}

/// A token without its secret.
fn describe(info: &TokenInfo) -> Value {
    json!({
        "id": info.id,
        "name": info.name,
        "tenants": info.tenants.to_string(),
        "scopes": info.scopes.to_string(),
        "created": show_time(info.created),
        "last_used": info.last_used.map(show_time),
        "expires": info.expires.map(show_time),
    })
}
