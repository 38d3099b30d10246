//! PromQL as text: parse, check types, print. Pure.
//!
//! Entry points: [`parse`] an expression, [`parse_selector`] for `match[]`, [`parse_duration`]; an [`Expr`] is printed on one line by its
//! `Display`, formatted by [`prettify`], and is JSON by [`to_json`].
//!
//! Reading order: [`ast`] (the tree), [`matcher`], [`function`] (the table of functions), then `lex` (tokens), `parse` (the grammar),
//! `check` (the types), `duration`, and the ways out: `print` (one line), `pretty` (Prometheus' formatting), `json` (the tree as
//! `/api/v1/parse_query` answers it).
//!
//! Architecture invariants:
//! - Nothing here knows samples: a tree is checked by the types of its nodes alone.
//! - No text makes the parser panic or recurse without bound.
//! - Parsing what was printed gives an equal tree, but for the order of matchers (printing sorts them).

pub mod ast;
pub mod matcher;
pub mod function;
mod features;
mod error;
mod lex;
mod parse;
mod check;
mod duration;
mod print;
mod pretty;
mod json;

pub use ast::Expr;
pub use duration::{DurationError, format_duration, parse_duration};
pub use error::{ParseError, position};
pub use features::Features;
pub use json::to_json;
pub use matcher::Matcher;
pub use parse::{TEXT_BYTES_MAX, TREE_HEIGHT_MAX};
pub use pretty::prettify;
pub use print::{format_number, quote};

/// Parses an expression and checks its types. The first error is reported.
pub fn parse(text: &str, features: &Features) -> Result<Expr, ParseError> {
    let expr = parse::expression(text, features).and_then(|mut expr| {
        check::check(text, &mut expr)?;
        Ok(expr)
    });
    expr.map_err(|failure| ParseError::new(text, failure))
}

/// Parses a vector selector such as `up{job="api"}`, what the API takes as `match[]`: all its matchers, that of the name among them. That
/// one of them does not match the empty string is left to who needs it.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    match parse::selector(text) {
        Ok(selector) => Ok(selector.matchers),
        Err(failure) => Err(ParseError::new(text, failure)),
    }
}
