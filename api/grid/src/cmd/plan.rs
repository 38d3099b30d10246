//! `grid plan`: plans.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::provision::{Place, delta, list, text};
use super::{ask, path_of, segment};
use crate::args::ListFormat;
use crate::cmd::list::Columns;
use crate::local::Api;
use crate::{out, setup};

const ROUTE: &str = "/api/v1/plans";
const COLUMNS: Columns = &[
    ("plan", "id"),
    ("environment", "environment"),
    ("made", "made"),
    ("by", "by"),
    ("steps", "steps"),
    ("summary", "summary"),
];
const EXAMPLE: &str = "\
Examples:
  grid plan --env prod                     make a plan, and show it
  grid plan --env prod --only vm.web -o json
  grid plan show 3f2a91c0 -o graph | dot -Tsvg > plan.svg
  grid plan lint 3f2a91c0
  grid release submit --plan 3f2a91c0 --env prod";

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Terraform's plan format 1.2, and what is Grid's own below `grid`
    Json,
    /// For people
    Table,
    /// Graphviz
    Graph,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Table => "table",
            Self::Graph => "graph",
        }
    }
}

/// `grid plan`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, args_conflicts_with_subcommands = false)]
pub(crate) struct PlanArgs {
    /// Something else than making one
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Of which environment
    #[arg(long = "env", value_name = "NAME", global = true)]
    environment: Option<String>,
    /// Only these resources, and what has to be made for them; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    only: Vec<String>,
    /// Take another plan back
    #[arg(long, value_name = "PLAN")]
    undo: Option<String>,
    /// How it is written
    #[arg(short, long, visible_alias = "out", value_enum, default_value_t = Form::Table, global = true)]
    output: Form,
    /// Where environments are kept
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plans that were made, the youngest first
    List,
    /// One, by its id or as much of its beginning as names it
    Show {
        /// Its id
        id: String,
    },
    /// A second opinion: what deletes data, opens doors, costs much or cannot be taken back; exits with 3 on errors
    Lint {
        /// Its id
        id: String,
    },
    /// What has moved away from what was last known
    Drift {
        /// What is there becomes what is known
        #[arg(long)]
        accept: bool,
    },
    /// Take over what exists: ADDRESS=ID, of resources that the blueprint has
    Import {
        /// Which
        #[arg(required = true, value_name = "ADDRESS=ID")]
        resources: Vec<String>,
    },
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, args: PlanArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let target = &args.place.target();
    let environment = || {
        args.environment.as_deref().context("say of which environment: --env NAME\nhint: `grid env list` shows them")
    };
    match &args.verb {
        None => {
            let body = json!({ "environment": environment()?, "only": args.only, "undo": args.undo });
            let api = Api::open(target, &config).await?;
            let work = async {
                let plan = api.send(Method::POST, ROUTE, Some(&body)).await?;
                let id = text(&plan, "id");
                let path = path_of(&format!("{ROUTE}/{id}"), &[("form", Some(args.output.word()))]);
                anyhow::Ok((
                    api.send_for_bytes(Method::GET, &path, None).await?,
                    delta(&plan),
                    id.to_owned(),
                    plan["steps"].as_u64(),
                ))
            };
            let done = work.await;
            api.close().await?;
            let (shown, delta, id, steps) = done?;
            out::bytes(&shown)?;
            if args.output == Form::Json {
                out::line("")?;
            } else if steps > Some(0) {
                out::say(&format!(
                    "it adds {delta}; `grid release submit --env {} --plan {}` releases it",
                    environment()?,
                    &id[..12]
                ));
            }
        }
        Some(Verb::List) => {
            let output = if args.output == Form::Json { ListFormat::Json } else { ListFormat::Table };
            let parameters = [("environment", args.environment.as_deref())];
            list(
                &config,
                target,
                ROUTE,
                &parameters,
                output,
                COLUMNS,
                "there are no plans; `grid plan --env NAME` makes one",
            )
            .await?;
        }
        Some(Verb::Show { id }) => {
            let path = path_of(&format!("{ROUTE}/{}", segment(id)), &[("form", Some(args.output.word()))]);
            let api = Api::open(target, &config).await?;
            let shown = api.send_for_bytes(Method::GET, &path, None).await;
            api.close().await?;
            out::bytes(&shown?)?;
        }
        Some(Verb::Lint { id }) => {
            let answer = ask(&config, target, Method::GET, &format!("{ROUTE}/{}/lint", segment(id)), None).await?;
            let items = answer["items"].as_array().cloned().unwrap_or_default();
            if args.output == Form::Json {
                out::line(&serde_json::to_string_pretty(&items)?)?;
            } else if items.is_empty() {
                out::line("nothing to say against it")?;
            }
            if args.output != Form::Json {
                for f in &items {
                    out::line(&format!(
                        "{} {}: {} {}",
                        text(f, "severity"),
                        text(f, "code"),
                        text(f, "address"),
                        text(f, "text")
                    ))?;
                }
            }
            if items.iter().any(|f| text(f, "severity") == "error") {
                return Ok(ExitCode::from(3));
            }
        }
        Some(Verb::Drift { accept }) => {
            let path = format!("/api/v1/environments/{}/drift", segment(environment()?));
            let answer = ask(&config, target, Method::POST, &path, Some(json!({ "accept": accept }))).await?;
            out::line(&serde_json::to_string_pretty(&answer["items"])?)?;
        }
        Some(Verb::Import { resources }) => {
            let mut ids = Map::new();
            for pair in resources {
                let (address, id) = pair.split_once('=').with_context(|| format!("{pair:?} is not ADDRESS=ID"))?;
                ids.insert(address.to_owned(), Value::from(id));
            }
            let path = format!("/api/v1/environments/{}/import", segment(environment()?));
            let answer = ask(&config, target, Method::POST, &path, Some(json!({ "resources": ids }))).await?;
            out::line(text(&answer, "blocks").trim_end())?;
            out::say(&format!("{} taken over; left to do: {}", answer["imported"], text(&answer["plan"], "summary")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
