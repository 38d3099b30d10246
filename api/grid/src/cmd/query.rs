//! `grid query`: one statement, against a server or straight on a data directory, with the same answer.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use grid_analytics::render::{Format, Renderer};
use grid_analytics::{QueryError, SqlRequest};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::args::{AnswerFormat, QueryArgs};
use crate::client::Client;
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::parse_time;
use crate::{clock, out, provisioning, setup};

/// Longest statement that is read from stdin.
const STDIN_BYTES_MAX: u64 = 1 << 20;
/// What the network may take on top of the query's own time.
pub(super) const NETWORK_SLACK: Duration = Duration::from_secs(30);

/// Asks and prints.
pub(crate) async fn run(file: Option<&Path>, args: QueryArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let sql = statement(&args.sql)?;
    // `$1` is a number if it reads as one; plain words need no quotes.
    let params: Vec<Value> =
        args.params.iter().map(|p| serde_json::from_str(p).unwrap_or_else(|_| Value::from(p.as_str()))).collect();
    match Target::resolve(&args.target, &config)? {
        Target::Server(client) => ask_server(&client, &sql, params, &args).await?,
        Target::Directory(dir) => ask_directory(&config, &dir, &sql, params, &args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked: the argument, or stdin where that is `-`.
pub(super) fn statement(argument: &str) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().lock().take(STDIN_BYTES_MAX).read_to_string(&mut text).context("read the statement")?;
    Ok(text)
}

/// How the engine writes it; an array of objects is lines of objects with commas.
fn format(output: AnswerFormat) -> Format {
    match output {
        AnswerFormat::Table => Format::Table,
        AnswerFormat::Json | AnswerFormat::Ndjson => Format::Ndjson,
        AnswerFormat::Csv => Format::Csv,
        AnswerFormat::Arrow => Format::Arrow,
        AnswerFormat::Parquet => Format::Parquet,
    }
}

async fn ask_directory(
    config: &Config,
    dir: &Path,
    sql: &str,
    params: Vec<Value>,
    args: &QueryArgs,
) -> anyhow::Result<()> {
    let store = target::open_existing(config, dir).await?;
    let engine = setup::engine(config, &store)?;
    let lent = provisioning::lend(&engine, dir).await?;
    let request = SqlRequest {
        params,
        timeout: args.timeout,
        client: Some("grid query".to_owned()),
        bills_as_of: args
            .bills_as_of
            .as_deref()
            .map(|t| parse_time(t, clock::now()))
            .transpose()
            .map_err(anyhow::Error::msg)?,
        ..SqlRequest::new(target::tenant(&args.target.tenant)?, sql)
    };
    let outcome = async {
        let mut answer = engine.sql(request).await.map_err(words)?;
        let mut renderer = Renderer::new(format(args.output), answer.schema.clone()).map_err(words)?;
        let mut printer = Printer::new(args.output);
        printer.take(&renderer.head())?;
        while let Some(batch) = answer.stream.next().await {
            printer.take(&renderer.batch(&batch.map_err(words)?).map_err(words)?)?;
        }
        printer.take(&renderer.tail(None).map_err(words)?)?;
        printer.finish()
    }
    .await;
    if let Some(tables) = lent {
        tables.close().await;
    }
    store.close().await.context("close the store")?;
    outcome
}

/// A failed query as people read it.
pub(super) fn words(error: QueryError) -> anyhow::Error {
    let mut text = error.to_string();
    if let Some(position) = error.position() {
        text.push_str(&format!(" (at {position})"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text.push_str(&format!("\nsee: grid explain {}", error.code()));
    anyhow::Error::msg(text)
}

async fn ask_server(client: &Client, sql: &str, params: Vec<Value>, args: &QueryArgs) -> anyhow::Result<()> {
    let mut body = json!({ "query": sql, "params": params });
    let mut request = client.request(Method::POST, "/api/v1/sql").header(ACCEPT, format(args.output).content_type());
    if let Some(at) = &args.bills_as_of {
        let at = parse_time(at, clock::now()).map_err(anyhow::Error::msg)?;
        body["bills_as_of"] = at.to_string().into();
    }
    if let Some(timeout) = args.timeout {
        body["timeout_ms"] = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).into();
        request = request.timeout(timeout + NETWORK_SLACK);
    }
    let answer = client.send(request.json(&body)).await?;
    let mut printer = Printer::new(args.output);
    let mut stream = answer.bytes_stream();
    while let Some(piece) = stream.next().await {
        printer.take(&piece.context("read the answer; rows may be missing")?)?;
    }
    printer.finish()
}

/// Writes pieces of an answer to stdout as they come. Of lines it holds the last one back, which may be an error.
struct Printer {
    output: AnswerFormat,
    held: Vec<u8>,
    lines: u64,
}

impl Printer {
    fn new(output: AnswerFormat) -> Self {
        Self { output, held: Vec::new(), lines: 0 }
    }

    fn take(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        if !matches!(self.output, AnswerFormat::Json | AnswerFormat::Ndjson) {
            return out::bytes(piece).context("write the answer");
        }
        self.held.extend_from_slice(piece);
        let whole = self.held.trim_ascii_end().iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let rest = self.held.split_off(whole);
        let ready = std::mem::replace(&mut self.held, rest);
        self.lines(&ready)
    }

    fn lines(&mut self, text: &[u8]) -> anyhow::Result<()> {
        if self.output == AnswerFormat::Ndjson {
            return out::bytes(text).context("write the answer");
        }
        let mut array = Vec::with_capacity(text.len() + 16);
        for line in text.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            array.extend_from_slice(if self.lines == 0 { b"[\n  " } else { b",\n  " });
            array.extend_from_slice(line);
            self.lines += 1;
        }
        out::bytes(&array).context("write the answer")
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let last = std::mem::take(&mut self.held);
        if let Some(problem) = error_of(&last) {
            bail!("{problem}");
        }
        self.lines(&last)?;
        if self.output == AnswerFormat::Json {
            out::line(if self.lines == 0 { "[]" } else { "\n]" }).context("write the answer")?;
        }
        Ok(())
    }
}

/// The error that ends a stream of lines, if the last line is one: `{"error": {"code": "GRID-...", ...}}`.
fn error_of(line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let object = value.as_object().filter(|o| o.len() == 1)?;
    let error = object.get("error")?;
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = text("code").filter(|c| c.starts_with("GRID-"))?;
    let hint = text("hint").map(|h| format!("\nhint: {h}")).unwrap_or_default();
    Some(format!(
        "{} (rows above are not all){hint}\nsee: grid explain {code}",
        text("detail").unwrap_or("the query failed")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_at_the_end_is_seen() {
        assert!(error_of(br#"{"error":{"code":"GRID-0408","detail":"too slow"}}"#).is_some());
        assert!(error_of(br#"{"error":"text"}"#).is_none());
        assert!(error_of(br#"{"error":{"code":"GRID-0408"},"more":1}"#).is_none());
        assert!(error_of(b"").is_none());
    }
}
