//! `grid promql`: one expression, against a server or straight on a data directory, with the same answer; and Prometheus' language tests.
//!
//! Reading order: [`run`], `answer` (what came back), `table` with `spark`, and `csv` (how it is written), `test` (the language tests).

mod answer;
mod table;
mod spark;
mod csv;
mod test;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use chrono::{DateTime, SecondsFormat};
use futures::StreamExt as _;
use grid_analytics::promql::{PromqlError, PromqlRequest};
use grid_api::route::prometheus::answer_json;
use grid_model::Timestamp;
use grid_promql::points::Grid;
use grid_promql_syntax::ast::{Span, ValueType};
use grid_promql_syntax::{ParseError, format_duration};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::query;
use crate::args::{PromqlArgs, PromqlCommand, PromqlFormat};
use crate::client::{self, Client};
use crate::config::Config;
use crate::target::{self, Target};
use crate::{clock, out, setup, unit};

/// Steps that a range has if no step is named.
const STEPS_WANTED: i64 = 250;
/// Steps that a range may have, as over HTTP.
const STEPS_MAX: i64 = 11_000;
/// Notes of a kind that are shown.
const NOTES_SHOWN: usize = 10;
/// Largest answer that is read from a server.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Asks and prints.
pub(crate) async fn run(file: Option<&Path>, args: PromqlArgs) -> anyhow::Result<ExitCode> {
    if let Some(PromqlCommand::Test { files }) = args.command {
        return tokio::task::spawn_blocking(move || test::run(&files)).await.context("run the tests")?;
    }
    let config = setup::config(file, Vec::new())?;
    let question = Question {
        expr: query::statement(args.expr.as_deref().unwrap_or_default())?,
        steps: Steps::of(&args, clock::now())?,
    };
    let answered = match Target::resolve(&args.target, &config)? {
        Target::Server(client) => ask_server(&client, &question, &args).await?,
        Target::Directory(dir) => ask_directory(&config, &dir, &question, &args).await?,
    };
    tell("warning", &answered.warnings);
    tell("info", &answered.infos);
    let data: answer::Data = serde_json::from_str(answered.data.get()).context("read the answer")?;
    if data.is_empty() {
        out::say(&format!("no series: nothing that matches has a sample {}", question.steps.words()));
    }
    let text = match args.output {
        PromqlFormat::Json => format!("{}\n", answered.data),
        PromqlFormat::Csv => csv::write(&data),
        PromqlFormat::Table => table::write(&data, &question.steps, table::width()),
    };
    out::bytes(text.as_bytes()).context("write the answer")?;
    Ok(ExitCode::SUCCESS)
}

fn tell(kind: &str, notes: &[String]) {
    for note in notes.iter().take(NOTES_SHOWN) {
        // The evaluator's own notes say what they are.
        out::say(&if note.starts_with("PromQL ") { note.clone() } else { format!("{kind}: {note}") });
    }
    if notes.len() > NOTES_SHOWN {
        out::say(&format!("{kind}: {} more", notes.len() - NOTES_SHOWN));
    }
}

/// What is asked.
struct Question {
    expr: String,
    steps: Steps,
}

/// When it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// Once; milliseconds since 1970.
    Instant(i64),
    /// At the steps of a range.
    Range(Grid),
}

impl Steps {
    fn of(args: &PromqlArgs, now: Timestamp) -> anyhow::Result<Self> {
        let time = |flag: &str, text: Option<&str>| {
            let time = unit::parse_time(text.unwrap_or("now"), now).map_err(|e| anyhow!("{flag}: {e}"))?;
            anyhow::Ok(time.0.div_euclid(1_000_000))
        };
        if args.start.is_none() {
            return Ok(Self::Instant(time("--time", args.time.as_deref())?));
        }
        let (start, end) = (time("--start", args.start.as_deref())?, time("--end", args.end.as_deref())?);
        if end < start {
            bail!("the range ends ({}) before it starts ({})", show_time(end), show_time(start));
        }
        let step = match args.step {
            Some(step) => i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
            // Whole seconds read better.
            None => (((end - start) / STEPS_WANTED).max(1) + 999) / 1000 * 1000,
        };
        if step == 0 {
            bail!("--step is zero; write a duration such as 30s");
        }
        if (end - start) / step > STEPS_MAX {
            bail!("the range has more than {STEPS_MAX} steps of {}; give a longer --step", format_duration(step));
        }
        Ok(Self::Range(Grid { start, end, step }))
    }

    fn grid(self) -> Grid {
        match self {
            Self::Instant(time) => Grid::instant(time),
            Self::Range(grid) => grid,
        }
    }

    fn is_range(self) -> bool {
        matches!(self, Self::Range(_))
    }

    fn words(self) -> String {
        match self {
            Self::Instant(time) => format!("at {}", show_time(time)),
            Self::Range(grid) => format!("from {} to {}", show_time(grid.start), show_time(grid.end)),
        }
    }
}

/// Milliseconds since 1970 in RFC 3339.
fn show_time(ms: i64) -> String {
    match DateTime::from_timestamp_millis(ms) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{ms} ms since 1970"),
    }
}

/// What came back.
struct Answered {
    /// `data` of Prometheus' API.
    data: Box<RawValue>,
    warnings: Vec<String>,
    infos: Vec<String>,
}

async fn ask_directory(
    config: &Config,
    dir: &Path,
    question: &Question,
    args: &PromqlArgs,
) -> anyhow::Result<Answered> {
    let store = target::open_existing(config, dir).await?;
    let engine = setup::engine(config, &store)?;
    let outcome = async {
        let expr = &question.expr;
        let tree = grid_promql_syntax::parse(expr, &engine.promql_settings().features)
            .map_err(|e| anyhow!(parse_words(&e, expr)))?;
        let kind = match tree.value_type() {
            ValueType::Matrix => Some("range vector"),
            ValueType::Text => Some("string"),
            ValueType::Scalar | ValueType::Vector => None,
        };
        if let Some(kind) = kind.filter(|_| question.steps.is_range()) {
            bail!("invalid expression type {kind:?} for range query, must be Scalar or instant Vector");
        }
        let grid = question.steps.grid();
        let request = PromqlRequest {
            tenant: target::tenant(&args.target.tenant)?,
            query: expr.clone(),
            grid,
            lookback: None,
            timeout: args.timeout,
            client: Some("grid promql".to_owned()),
        };
        let answer = match engine.promql(request).await {
            Ok(got) => got.answer,
            Err(PromqlError::Engine(e)) => return Err(query::words(e)),
            Err(e) => return Err(e.into()),
        };
        let json = String::from_utf8(answer_json(&answer, grid, question.steps.is_range())).context("write JSON")?;
        let data = RawValue::from_string(json).context("write JSON")?;
        Ok(Answered { data, warnings: answer.notes.warnings, infos: answer.notes.infos })
    }
    .await;
    store.close().await.context("close the store")?;
    outcome
}

async fn ask_server(client: &Client, question: &Question, args: &PromqlArgs) -> anyhow::Result<Answered> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("query", &question.expr);
    let seconds = |ms: i64| format!("{}{}.{:03}", if ms < 0 { "-" } else { "" }, ms.abs() / 1000, ms.abs() % 1000);
    let path = match question.steps {
        Steps::Instant(time) => {
            form.append_pair("time", &seconds(time));
            "/prometheus/api/v1/query"
        }
        Steps::Range(Grid { start, end, step }) => {
            for (name, ms) in [("start", start), ("end", end), ("step", step)] {
                form.append_pair(name, &seconds(ms));
            }
            "/prometheus/api/v1/query_range"
        }
    };
    let mut request = client.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(timeout) = args.timeout {
        form.append_pair("timeout", &format!("{}ms", timeout.as_millis()));
        request = request.timeout(timeout + query::NETWORK_SLACK);
    }
    let response = client.send_any(request.body(form.finish())).await?;
    let status = response.status();
    let body = read(response).await?;
    match serde_json::from_str(&body) {
        Ok(Envelope { data: Some(data), warnings, infos, .. }) if status.is_success() => {
            Ok(Answered { data: data.to_owned(), warnings, infos })
        }
        Ok(Envelope { error: Some(error), .. }) => bail!("{}", server_words(&error, &question.expr)),
        _ => bail!("{}", client::words_of_failure(status, &body)),
    }
}

/// Prometheus' envelope.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
    error: Option<String>,
}

async fn read(response: Response) -> anyhow::Result<String> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        body.extend_from_slice(&piece.context("read the answer")?);
        if body.len() > ANSWER_BYTES_MAX {
            bail!("the answer is larger than {}; ask for less", unit::show_bytes(ANSWER_BYTES_MAX as u64));
        }
    }
    String::from_utf8(body).context("read the answer")
}

/// What a server says of an expression. A place in it is shown.
fn server_words(error: &str, expr: &str) -> String {
    let text = error.strip_prefix("invalid parameter \"query\": ").unwrap_or(error);
    place(text).map_or_else(|| text.to_owned(), |e| parse_words(&e, expr))
}

/// `1:5: parse error: ...`, taken apart.
fn place(text: &str) -> Option<ParseError> {
    let (line, rest) = text.split_once(':')?;
    let (column, rest) = rest.split_once(": parse error: ")?;
    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
    Some(ParseError { message: rest.to_owned(), span: Span::default(), line, column })
}

/// Why a text is no expression, and where.
fn parse_words(error: &ParseError, expr: &str) -> String {
    let mut words = error.to_string();
    if error.line > 0 {
        for line in error.caret(expr).lines() {
            words.push_str("\n  ");
            words.push_str(line);
        }
    }
    if error.message.contains("not enabled") {
        words.push_str(
            "\nhint: start the server with --enable-feature, or set `promql.enable_feature`; see docs/promql.md",
        );
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn steps(flags: &str) -> anyhow::Result<Steps> {
        let args = ["grid", "promql", "up"].into_iter().chain(flags.split_whitespace());
        match Args::try_parse_from(args).unwrap().command {
            Command::Promql(args) => Steps::of(&args, Timestamp::from_secs(1_000_000).unwrap()),
            _ => bail!("another command"),
        }
    }

    #[test]
    fn times_of_a_question() {
        let range = |start, end, step| Steps::Range(Grid { start, end, step });
        for (flags, wanted) in [
            ("", Steps::Instant(1_000_000_000)),
            ("--time 5", Steps::Instant(5000)),
            ("--time 1.25", Steps::Instant(1250)),
            ("--start now-1h", range(996_400_000, 1_000_000_000, 15_000)),
            ("--start 0 --end 10", range(0, 10_000, 1000)),
            ("--start 0 --end 10 --step 500ms", range(0, 10_000, 500)),
            ("--start 0 --end 0", range(0, 0, 1000)),
        ] {
            assert_eq!(steps(flags).unwrap(), wanted, "{flags}");
        }
        for (flags, said) in [
            ("--start 10 --end 0", "before it starts"),
            ("--start 0 --step 1s", "longer --step"),
            ("--start 0 --step 0", "zero"),
            ("--time soon", "--time: \"soon\" is not a time"),
        ] {
            let error = steps(flags).unwrap_err().to_string();
            assert!(error.contains(said), "{flags}: {error}");
        }
    }

    #[test]
    fn a_place_in_an_expression_is_shown() {
        for (said, wanted) in [
            (
                "invalid parameter \"query\": 1:4: parse error: unclosed left parenthesis",
                "1:4: parse error: unclosed left parenthesis\n  sum(up\n     ^",
            ),
            ("query timed out in expression evaluation", "query timed out in expression evaluation"),
            ("unknown position: parse error: no expression", "unknown position: parse error: no expression"),
        ] {
            assert_eq!(server_words(said, "sum(up"), wanted);
        }
    }
}
