//! `grid alert`: what fires, who hears of it, and who does not. All of it is asked of a running server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::list::{self, Columns};
use crate::args::{ListFormat, TargetArgs};
use crate::client::Client;
use crate::config::Config;
use crate::target::Target;
use crate::{out, setup};

/// `grid alert VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Show alerts that fire, and whether anybody is told of them
    List(ListArgs),
    /// Keep quiet about some alerts for a while
    #[command(subcommand)]
    Silence(SilenceCommand),
    /// Receivers made here: add, test, change the secret, delete
    #[command(subcommand)]
    Webhooks(WebhookCommand),
    /// Show all receivers and how they do
    Receivers(PlainArgs),
    /// Show what was told, what waits, what was given up
    Deliveries(DeliveriesArgs),
    /// Put what was given up back into the queue
    Replay(ReplayArgs),
    /// Check an alertmanager.yml without a server
    Check {
        /// The file
        file: PathBuf,
    },
}

/// `grid alert silence VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum SilenceCommand {
    /// Make a silence
    Add {
        /// What to keep quiet about: 'alertname="HighLatency"' 'service=~"cart|checkout"'; all must match
        #[arg(required = true)]
        matchers: Vec<String>,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "DURATION", default_value = "1h")]
        duration: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Show silences
    List(PlainArgs),
    /// End a silence now
    Expire {
        /// Its id
        id: String,
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
}

/// `grid alert webhooks VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Make a webhook; the secret that signs is printed once
    Add {
        /// The receiver's name
        name: String,
        /// Where it listens
        address: String,
        /// Which alerts [default: all]; may be repeated, all must match
        #[arg(long = "matcher", value_name = "MATCHER")]
        matchers: Vec<String>,
        /// Where
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Show webhooks, without their secrets
    List(PlainArgs),
    /// Send a made-up alert to a webhook
    Test(IdArgs),
    /// Give a webhook another secret, printed once; for a day both sign
    Rotate(IdArgs),
    /// Delete a webhook
    Delete(IdArgs),
}

/// Which, and where.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// Its id
    id: String,
    /// Where
    #[command(flatten)]
    target: TargetArgs,
}

/// How, and where.
#[derive(Debug, Args)]
pub(crate) struct PlainArgs {
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid alert list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which alerts, as in Alertmanager: 'severity="critical",team=~"a|b"'
    #[arg(long, value_name = "MATCHERS")]
    filter: Option<String>,
    /// Only active, suppressed or resolved ones
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// How and where
    #[command(flatten)]
    plain: PlainArgs,
}

/// `grid alert deliveries`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesArgs {
    /// Only queued, delivered or dead ones
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only to this receiver: webhook/ID, receiver/NAME/KIND/N
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,
    /// How and where
    #[command(flatten)]
    plain: PlainArgs,
}

/// `grid alert replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Which delivery [default: all dead letters]
    #[arg(conflicts_with = "to")]
    id: Option<String>,
    /// Only to this receiver
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,
    /// Where
    #[command(flatten)]
    target: TargetArgs,
}

const ALERTS: Columns = &[
    ("STATE", "state"),
    ("SINCE", "starts_at"),
    ("LABELS", "labels"),
    ("RECEIVERS", "receivers"),
    ("SILENCED BY", "silenced_by"),
];
const SILENCES: Columns = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("MATCHERS", "matchers"),
    ("UNTIL", "ends_at"),
    ("BY", "created_by"),
    ("COMMENT", "comment"),
];
const WEBHOOKS: Columns = &[
    ("ID", "id"),
    ("NAME", "name"),
    ("URL", "url"),
    ("MATCHERS", "matchers"),
    ("ENABLED", "enabled"),
    ("UPDATED", "updated"),
];
const RECEIVERS: Columns = &[
    ("TARGET", "target"),
    ("KIND", "kind"),
    ("FAILING", "failing"),
    ("WAITING", "waiting"),
    ("DEAD", "dead"),
    ("ERROR", "error"),
];
const DELIVERIES: Columns = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("TARGET", "target"),
    ("GROUP", "group"),
    ("ATTEMPTS", "attempts"),
    ("CREATED", "created"),
    ("ERROR", "error"),
];

/// Does what the command line says.
pub(crate) async fn run(file: Option<&Path>, command: AlertCommand) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match command {
        AlertCommand::List(a) => {
            let path = with_params("/api/v1/alerts", &[("filter", &a.filter), ("state", &a.state)]);
            show(&config, &a.plain, &path, ALERTS).await
        }
        AlertCommand::Silence(c) => silence(&config, c).await,
        AlertCommand::Webhooks(c) => webhooks(&config, c).await,
        AlertCommand::Receivers(a) => show(&config, &a, "/api/v1/receivers?limit=1000", RECEIVERS).await,
        AlertCommand::Deliveries(a) => {
            let path = with_params("/api/v1/deliveries", &[("state", &a.state), ("target", &a.to)]);
            show(&config, &a.plain, &path, DELIVERIES).await
        }
        AlertCommand::Replay(a) => {
            let path = match &a.id {
                Some(id) => format!("/api/v1/deliveries/{}/replay", segment(id)),
                None => with_params("/api/v1/deliveries/replay", &[("target", &a.to)]),
            };
            let answer = call(&client(&config, &a.target)?, Method::POST, &path, None).await?;
            out::say(&format!("{} put back into the queue", answer["queued"]));
            Ok(ExitCode::SUCCESS)
        }
        AlertCommand::Check { file } => check(&file),
    }
}

async fn silence(config: &Config, command: SilenceCommand) -> anyhow::Result<ExitCode> {
    match command {
        SilenceCommand::Add { matchers, duration, comment, target } => {
            let body = json!({ "matchers": matchers, "duration": duration, "comment": comment });
            let made = call(&client(config, &target)?, Method::POST, "/api/v1/silences", Some(&body)).await?;
            out::say(&format!("silent until {}", made["ends_at"].as_str().unwrap_or("?")));
            out::line(made["id"].as_str().unwrap_or_default())?;
        }
        SilenceCommand::List(a) => return show(config, &a, "/api/v1/silences?limit=1000", SILENCES).await,
        SilenceCommand::Expire { id, target } => {
            call(&client(config, &target)?, Method::DELETE, &format!("/api/v1/silences/{}", segment(&id)), None)
                .await?;
            out::say(&format!("silence {id} has ended"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn webhooks(config: &Config, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    let path = |id: &str, verb: &str| format!("/api/v1/webhooks/{}{verb}", segment(id));
    match command {
        WebhookCommand::Add { name, address, matchers, target } => {
            let body = json!({ "name": name, "url": address, "matchers": matchers });
            let made = call(&client(config, &target)?, Method::POST, "/api/v1/webhooks", Some(&body)).await?;
            out::say(&format!("webhook {}; its secret is shown only now:", made["id"].as_str().unwrap_or("?")));
            out::line(made["secret"].as_str().unwrap_or_default())?;
        }
        WebhookCommand::List(a) => return show(config, &a, "/api/v1/webhooks?limit=1000", WEBHOOKS).await,
        WebhookCommand::Test(a) => {
            let answer =
                call(&client(config, &a.target)?, Method::POST, &path(&a.id, "/test"), Some(&json!({}))).await?;
            if answer["delivered"] != Value::Bool(true) {
                bail!("the receiver did not take it: {}", answer["error"].as_str().unwrap_or("no reason given"));
            }
            out::say("the receiver took it");
        }
        WebhookCommand::Rotate(a) => {
            let answer =
                call(&client(config, &a.target)?, Method::POST, &path(&a.id, "/secret"), Some(&json!({}))).await?;
            out::say("the new secret is shown only now; for a day the former one signs as well:");
            out::line(answer["secret"].as_str().unwrap_or_default())?;
        }
        WebhookCommand::Delete(a) => {
            call(&client(config, &a.target)?, Method::DELETE, &path(&a.id, ""), None).await?;
            out::say(&format!("webhook {} is deleted", a.id));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let config = grid_notify::Config::parse(&text)
        .map_err(|e| anyhow!("{}: {e}\nsee: grid explain GRID-0807", file.display()))?;
    let ways: usize = config.plan.receivers.values().map(|r| r.integrations.len()).sum();
    out::line(&format!("{}: {} receivers, {ways} ways to tell them", file.display(), config.plan.receivers.len()))?;
    for part in &config.ignored {
        out::line(&format!("no effect here: {part}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A server; alerts do not live in a directory that nobody serves.
fn client(config: &Config, args: &TargetArgs) -> anyhow::Result<Client> {
    match Target::resolve(args, config)? {
        Target::Server(client) => Ok(client),
        Target::Directory(_) => {
            bail!("alerts are taken by a server: start `grid serve`, or name one by --url\nsee: grid explain GRID-0808")
        }
    }
}

async fn call(client: &Client, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let mut request = client.request(method, path);
    if let Some(body) = body {
        request = request.json(body);
    }
    let bytes = client.send(request).await?.bytes().await.context("read the answer")?;
    if bytes.is_empty() {
        Ok(Value::Object(Map::new()))
    } else {
        serde_json::from_slice(&bytes).context("read the answer")
    }
}

async fn show(config: &Config, args: &PlainArgs, path: &str, columns: Columns) -> anyhow::Result<ExitCode> {
    let answer = call(&client(config, &args.target)?, Method::GET, path, None).await?;
    list::print(args.output, &answer, &answer["items"], columns)?;
    Ok(ExitCode::SUCCESS)
}

fn with_params(path: &str, params: &[(&str, &Option<String>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in params {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// An id within a path.
fn segment(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}
