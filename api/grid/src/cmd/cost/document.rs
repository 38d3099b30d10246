//! `grid cost rules|aliases|rates`: texts that people write, with their versions.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use grid_cost::Rules;
use grid_cost::alias::Aliases;
use grid_cost::rates::Rates;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::TargetArgs;
use crate::config::Config;
use crate::out;

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `allocation.toml`.
    Rules,
    /// Other names of resources.
    Aliases,
    /// Exchange rates.
    Rates,
}

impl Subject {
    fn route(self) -> &'static str {
        match self {
            Self::Rules => "/api/v1/costs/rules",
            Self::Aliases => "/api/v1/costs/documents/aliases",
            Self::Rates => "/api/v1/costs/documents/rates",
        }
    }

    /// The mistakes of a text, as people read them.
    fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Rules => Rules::parse(text)
                .map(drop)
                .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")),
            Self::Aliases => Aliases::parse(text).map(drop),
            Self::Rates => Rates::parse(text).map(drop),
        }
    }
}

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum DocumentCommand {
    /// Print the text in force
    Show {
        /// The text that held at a time
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        /// Where the data is
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Look for mistakes in a file, keep nothing
    Check {
        /// The file
        file: PathBuf,
    },
    /// Keep a file as the new version
    Set {
        /// The file
        file: PathBuf,
        /// Refuse if another version than this holds by now (0 = none)
        #[arg(long, value_name = "N")]
        expected_version: Option<u64>,
        /// Where the data is
        #[command(flatten)]
        target: TargetArgs,
    },
    /// List all versions
    History {
        /// Where the data is
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Delete the text: what held before anybody wrote one holds again
    Reset {
        /// Where the data is
        #[command(flatten)]
        target: TargetArgs,
    },
}

/// Does it.
pub(super) async fn run(config: &Config, subject: Subject, command: DocumentCommand) -> anyhow::Result<ExitCode> {
    let text_of = |file: &PathBuf| std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()));
    match command {
        DocumentCommand::Show { as_of, target } => {
            let pair = |t: String| form_urlencoded::Serializer::new(String::new()).append_pair("as_of", &t).finish();
            let query = as_of.map(|t| format!("?{}", pair(t)));
            let path = format!("{}{}", subject.route(), query.unwrap_or_default());
            let answer = super::ask(config, &target, Method::GET, &path, None).await?;
            let current = &answer["current"];
            let version = current["version"].as_u64().unwrap_or(0);
            out::say(&if version == 0 {
                "nobody has written one; this holds:".to_owned()
            } else {
                format!("version {version}")
            });
            out::bytes(current["text"].as_str().unwrap_or_default().as_bytes())?;
        }
        DocumentCommand::Check { file } => {
            if let Err(mistakes) = subject.check(&text_of(&file)?) {
                bail!("{} has mistakes\n{mistakes}", file.display());
            }
            out::say(&format!("{} reads well", file.display()));
        }
        DocumentCommand::Set { file, expected_version, target } => {
            let text = text_of(&file)?;
            // Here the carets can be shown; the server would name the first mistake only.
            if let Err(mistakes) = subject.check(&text) {
                bail!("{} has mistakes\n{mistakes}", file.display());
            }
            let body = json!({ "text": text, "expected_version": expected_version });
            let kept = super::ask(config, &target, Method::PUT, subject.route(), Some(body)).await?;
            out::say(&format!("kept as version {}", kept["version"].as_u64().unwrap_or(0)));
        }
        DocumentCommand::History { target } => {
            let path = format!("{}?history=true", subject.route());
            let answer = super::ask(config, &target, Method::GET, &path, None).await?;
            for version in answer["history"].as_array().into_iter().flatten() {
                let text = |name: &str| version[name].as_str().unwrap_or_default().to_owned();
                let number = version["version"].as_u64().unwrap_or(0);
                out::line(&format!("{number}\t{}\t{}", text("created"), text("author")))?;
            }
        }
        DocumentCommand::Reset { target } => {
            let gone: Value = super::ask(config, &target, Method::DELETE, subject.route(), None).await?;
            debug_assert!(gone.is_null());
            out::say("deleted; its versions stay in the history");
        }
    }
    Ok(ExitCode::SUCCESS)
}
