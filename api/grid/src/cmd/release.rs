//! `grid release`: releases and their queue.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::provision::{Place, document, list, release as told, text};
use super::{ask, segment};
use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::Columns;
use crate::config::Config;
use crate::local::Api;
use crate::{out, setup};

const ROUTE: &str = "/api/v1/releases";
/// How often a watched release is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// What `watch` ends with where the release did not end well.
const NOT_DONE: u8 = 3;
const COLUMNS: Columns = &[
    ("release", "id"),
    ("kind", "kind"),
    ("priority", "priority"),
    ("state", "state"),
    ("by", "by"),
    ("submitted", "submitted"),
    ("summary", "summary"),
    ("note", "note"),
];
const EXAMPLE: &str = "\
Example:
  grid release submit --env prod --note 'larger disks'
  grid release show prod-12              why it waits
  grid release approve prod-12 --note 'seen'
  grid release watch prod-12
  grid release rollback prod-12 --why 'slower than before'";

/// `grid release`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ReleaseArgs {
    /// What to do
    #[command(subcommand)]
    verb: Verb,
    /// Where environments are kept
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Put a plan into the queue of its environment
    Submit(SubmitArgs),
    /// Releases, the youngest first
    List(ListArgs),
    /// One: where it is, why it waits, what its gates say
    Show(ShowArgs),
    /// Approve the plan that it has now
    Approve(VoteArgs),
    /// Vote against it
    Reject(VoteArgs),
    /// Stop it: at once while it waits, at its next safe point while it runs
    Cancel(WhyArgs),
    /// Let nothing start in an environment any more
    Pause(PauseArgs),
    /// Let a queue go on
    Resume(QueueArgs),
    /// Take one back, by a release of its own
    Rollback(WhyArgs),
    /// Follow one until it has ended; exits with 3 if it did not end well
    Watch(WatchArgs),
    /// Every queue: what runs, what waits in which order and why
    Queue(ListArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  grid release submit --env prod --plan 3f2a91c0 --priority high --note 'before the sale'"
)]
struct SubmitArgs {
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: String,
    /// Which plan; a new one is made if absent
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Only these resources, of a new plan; may be repeated
    #[arg(long, value_name = "ADDRESS", conflicts_with = "plan")]
    only: Vec<String>,
    /// full, selective, plan-only or hotfix
    #[arg(long, value_name = "KIND", value_parser = ["full", "selective", "plan-only", "hotfix"])]
    kind: Option<String>,
    /// low, normal, high or emergency: the last stops what is in its way at a safe point
    #[arg(long, value_name = "PRIORITY", value_parser = ["low", "normal", "high", "emergency"])]
    priority: Option<String>,
    /// What for
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// A newer release of the same lane takes its place while it waits
    #[arg(long, value_name = "NAME")]
    lane: Option<String>,
    /// Gates of its own, beside the environment's (a JSON list)
    #[arg(long, value_name = "FILE")]
    gates: Option<PathBuf>,
    /// A name for the request: sent again with the same name, nothing is submitted twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
    /// Only in this state: waiting, running, checking, done, failed, undone, ...
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Its name, such as prod-12
    id: String,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
struct VoteArgs {
    /// Its name, such as prod-12
    id: String,
    /// The plan that is meant: refused if it has another by now
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// What is said with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
struct WhyArgs {
    /// Its name, such as prod-12
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
struct QueueArgs {
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: String,
}

#[derive(Debug, Args)]
struct PauseArgs {
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Emergencies wait too
    #[arg(long)]
    hold_emergencies: bool,
}

#[derive(Debug, Args)]
struct WatchArgs {
    /// Its name, such as prod-12
    id: String,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = crate::unit::parse_duration)]
    timeout: Duration,
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, args: ReleaseArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let (config, target) = (&config, &args.place.target());
    let of = |id: &str, verb: &str| format!("{ROUTE}/{}{verb}", segment(id));
    let answer = match args.verb {
        Verb::Submit(a) => submit(config, target, a).await?,
        Verb::List(a) => {
            let parameters = [("environment", a.environment.as_deref()), ("state", a.state.as_deref())];
            let empty = "there are no releases; `grid release submit --env NAME` makes one";
            list(config, target, ROUTE, &parameters, a.output, COLUMNS, empty).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Show(a) => {
            let answer = ask(config, target, Method::GET, &of(&a.id, ""), None).await?;
            if a.output == ListFormat::Table {
                out::line(&told(&answer))?;
                for event in answer["events"].as_array().into_iter().flatten() {
                    out::line(&format!("  {}  {}: {}", text(event, "at"), text(event, "what"), text(event, "text")))?;
                }
            } else {
                out::line(&serde_json::to_string_pretty(&answer)?)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Approve(a) => {
            let body = json!({ "note": a.note, "plan": a.plan });
            ask(config, target, Method::POST, &of(&a.id, "/approve"), Some(body)).await?
        }
        Verb::Reject(a) => {
            let body = json!({ "note": a.note, "plan": a.plan });
            ask(config, target, Method::POST, &of(&a.id, "/reject"), Some(body)).await?
        }
        Verb::Cancel(a) => {
            ask(config, target, Method::POST, &of(&a.id, "/cancel"), Some(json!({ "why": a.why }))).await?
        }
        Verb::Rollback(a) => {
            ask(config, target, Method::POST, &of(&a.id, "/rollback"), Some(json!({ "why": a.why }))).await?
        }
        Verb::Pause(a) => {
            let path = format!("/api/v1/queues/{}/pause", segment(&a.environment));
            let body = json!({ "why": a.why, "holds_emergencies": a.hold_emergencies });
            ask(config, target, Method::POST, &path, Some(body)).await?;
            out::line(&format!("the queue of {} is paused; what runs goes on", a.environment))?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Resume(a) => {
            let path = format!("/api/v1/queues/{}/resume", segment(&a.environment));
            ask(config, target, Method::POST, &path, Some(json!({}))).await?;
            out::line(&format!("the queue of {} goes on", a.environment))?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Watch(a) => return watch(config, target, &a).await,
        Verb::Queue(a) => return queue(config, target, &a).await,
    };
    out::line(&told(&answer))?;
    Ok(ExitCode::SUCCESS)
}

async fn submit(config: &Config, target: &TargetArgs, a: SubmitArgs) -> anyhow::Result<Value> {
    let mut body = json!({ "environment": a.environment, "note": a.note });
    let gates = a.gates.as_deref().map(document).transpose()?;
    for (name, value) in [
        ("plan", a.plan.map(Value::from)),
        ("only", (!a.only.is_empty()).then(|| json!(a.only))),
        ("kind", a.kind.map(Value::from)),
        ("priority", a.priority.map(Value::from)),
        ("lane", a.lane.map(Value::from)),
        ("gates", gates),
    ] {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    let api = Api::open(target, config).await?;
    let answer = api.send_with_key(Method::POST, ROUTE, Some(&body), a.idempotency_key.as_deref()).await;
    api.close().await?;
    answer
}

/// Tells what happens, line by line, until it has ended.
async fn watch(config: &Config, target: &TargetArgs, a: &WatchArgs) -> anyhow::Result<ExitCode> {
    let api = Api::open(target, config).await?;
    let path = format!("{ROUTE}/{}", segment(&a.id));
    let work = async {
        let (mut told_of, mut holds) = (0, String::new());
        loop {
            let of = api.send(Method::GET, &path, None).await?;
            let events = of["events"].as_array().cloned().unwrap_or_default();
            for event in events.iter().skip(told_of) {
                out::line(&format!("{}  {}: {}", text(event, "at"), text(event, "what"), text(event, "text")))?;
            }
            told_of = events.len();
            if !of["ended"].is_null() {
                return anyhow::Ok(text(&of, "state") == "done");
            }
            let now =
                of["holds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
            if now != holds && !now.is_empty() {
                out::say(&format!("waits: {now}"));
            }
            holds = now;
            tokio::time::sleep(WATCH_EVERY).await;
        }
    };
    let done = tokio::time::timeout(a.timeout, work).await;
    api.close().await?;
    let is_well = done.with_context(|| format!("{} has not ended in time", a.id))??;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(NOT_DONE) })
}

async fn queue(config: &Config, target: &TargetArgs, a: &ListArgs) -> anyhow::Result<ExitCode> {
    let path = super::path_of("/api/v1/queues", &[("environment", a.environment.as_deref())]);
    let answer = ask(config, target, Method::GET, &path, None).await?;
    if a.output != ListFormat::Table {
        out::line(&serde_json::to_string_pretty(&answer["items"])?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        out::say("there are no environments, hence no queues");
    }
    for queue in &items {
        let open = queue["open"].as_array().cloned().unwrap_or_default();
        let paused = &queue["paused"];
        let pause = if paused.is_null() {
            String::new()
        } else {
            format!("; paused by {}: {}", text(paused, "by"), text(paused, "why"))
        };
        out::line(&format!("{}: {} open{pause}", text(queue, "environment"), open.len()))?;
        for one in &open {
            out::line(&told(one))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
