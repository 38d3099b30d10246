//! The template language of labels and annotations: Go's `text/template` with Prometheus' functions (`template/template.go`).
//!
//! Reading order: [`value`] (what a template computes with), `lex`, `parse` (a text to its `tree`), `exec`, `function` (what Prometheus
//! adds), `builtin` (what Go has), `printf`, `humanize`.

pub mod value;
mod lex;
mod tree;
mod parse;
mod exec;
mod function;
mod builtin;
mod printf;
mod humanize;

use std::collections::BTreeMap;
use std::rc::Rc;

use grid_model::Timestamp;

use crate::host::{Sample, SampleValue};
use value::Value;

/// What every template of a rule may begin with: the short names of its data.
const DEFINITIONS: &str =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Why a template has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateError {
    /// The line of the template, from 1.
    pub line: usize,
    /// What is wrong, in Go's words where it has some.
    pub message: String,
}

impl TemplateError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// What is the same for all templates of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct External {
    /// `$externalLabels`.
    pub labels: BTreeMap<String, String>,
    /// Where the server is reached: `externalURL`, and `pathPrefix` by its path.
    pub url: String,
}

/// What a template is expanded with.
pub struct Context<'a> {
    /// `$labels`.
    pub labels: BTreeMap<String, String>,
    /// `$value`.
    pub value: SampleValue,
    /// The same for all.
    pub external: &'a External,
    /// The time of the evaluation.
    pub time: Timestamp,
    /// Runs what `query` asks.
    pub query: &'a mut dyn FnMut(&str) -> Result<Vec<Sample>, String>,
}

/// Whether a template of a rule can be read.
pub fn check(text: &str) -> Result<(), TemplateError> {
    if !text.contains("{{") {
        return Ok(());
    }
    parse::parse(&format!("{DEFINITIONS}{text}")).map(|_| ())
}

/// The text that a template of a rule makes.
pub fn expand(text: &str, context: &mut Context<'_>) -> Result<String, TemplateError> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let tree = parse::parse(&format!("{DEFINITIONS}{text}"))?;
    let text_map = |labels: &BTreeMap<String, String>| {
        let pairs = labels.iter().map(|(k, v)| (k.clone(), Value::Text(v.as_str().into())));
        Value::Map(Rc::new(pairs.collect()))
    };
    let value = match &context.value {
        SampleValue::Float(v) => Value::Float(*v),
        SampleValue::Histogram(h) => Value::Histogram(h.to_string().into()),
    };
    let data = BTreeMap::from([
        ("ExternalLabels".to_owned(), text_map(&context.external.labels)),
        ("ExternalURL".to_owned(), Value::Text(context.external.url.as_str().into())),
        ("Labels".to_owned(), text_map(&context.labels)),
        ("Value".to_owned(), value),
    ]);
    exec::run(&tree, Value::Struct(Rc::new(data)), context)
}

/// The path under which a Prometheus shows an expression as a table.
pub fn table_link(expression: &str) -> String {
    function::link(expression, 1)
}

#[cfg(test)]
mod tests;
