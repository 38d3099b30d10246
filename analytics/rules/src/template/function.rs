//! What Prometheus adds to Go's functions (`template/template.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use grid_model::time::SECOND_NS;
use grid_promql_syntax::parse_duration;
use regex::{Regex, RegexBuilder};

use super::builtin::{query_escape, wrong_type};
use super::exec::State;
use super::humanize::{humanize, humanize_duration, humanize_percentage, humanize1024, time};
use super::printf::general;
use super::value::{Value, time_text};
use crate::host::{Sample, SampleValue};
use crate::limits::{TEMPLATE_OUTPUT_BYTES_MAX, TEMPLATE_QUERIES_MAX, TEMPLATE_REGEX_BYTES_MAX};

const NAMES: [&str; 29] = [
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "args",
    "reReplaceAll",
    "safeHtml",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "sortByLabel",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "toTime",
    "toDuration",
    "now",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "urlQueryEscape",
];

/// Whether there is a function of this name.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls one; `None` if it is none of these.
pub(super) fn call(state: &mut State<'_, '_, '_>, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    is_known(name).then(|| apply(state, name, args))
}

fn apply(state: &mut State<'_, '_, '_>, name: &str, args: &[Value]) -> Result<Value, String> {
    match (name, args) {
        ("query", [q]) => query(state, text(q)?),
        ("first", [Value::List(items)]) => {
            items.first().cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
        }
        ("label", [name, sample]) => Ok(label(sample, text(name)?)?),
        ("strvalue", [sample]) => label(sample, "__value__"),
        ("value", [sample]) => field(sample, "Value"),
        ("sortByLabel", [name, Value::List(items)]) => {
            let name = text(name)?;
            let mut items = items.to_vec();
            items.sort_by_cached_key(|item| label(item, name).map(|v| v.printed()).unwrap_or_default());
            Ok(Value::List(Rc::new(items)))
        }
        ("args", args) => {
            let named = args.iter().enumerate().map(|(i, v)| (format!("arg{i}"), v.clone()));
            Ok(Value::Map(Rc::new(named.collect())))
        }
        ("reReplaceAll", [pattern, by, of]) => {
            replace_all(&regex(text(pattern)?)?, text(by)?, text(of)?).map(Value::text)
        }
        ("match", [pattern, of]) => Ok(Value::Bool(regex(text(pattern)?)?.is_match(text(of)?))),
        ("safeHtml", [of]) => Ok(Value::text(text(of)?)),
        ("title", [of]) => Ok(Value::text(title(text(of)?))),
        ("toUpper", [of]) => Ok(Value::text(text(of)?.to_uppercase())),
        ("toLower", [of]) => Ok(Value::text(text(of)?.to_lowercase())),
        ("graphLink", [of]) => Ok(Value::text(link(text(of)?, 0))),
        ("tableLink", [of]) => Ok(Value::text(link(text(of)?, 1))),
        ("stripPort", [of]) => {
            let of = text(of)?;
            Ok(Value::text(split_port(of).map_or(of, |(host, _)| host)))
        }
        ("stripDomain", [of]) => Ok(Value::text(strip_domain(text(of)?))),
        ("humanize", [v]) => Ok(Value::text(humanize(number(v)?))),
        ("humanize1024", [v]) => Ok(Value::text(humanize1024(number(v)?))),
        ("humanizeDuration", [v]) => Ok(Value::text(humanize_duration(number(v)?))),
        ("humanizePercentage", [v]) => Ok(Value::text(humanize_percentage(number(v)?))),
        ("humanizeTimestamp", [v]) => {
            let v = number(v)?;
            Ok(Value::text(time(v)?.map_or_else(|| general(v, Some(4)), time_text)))
        }
        ("toTime", [v]) => match time(number(v)?)? {
            Some(ns) => Ok(Value::Time(ns)),
            None => Err("value is NaN or Inf".to_owned()),
        },
        ("toDuration", [v]) => {
            let ns = number(v)? * SECOND_NS as f64;
            match ns.is_finite() && ns.abs() < i64::MAX as f64 {
                true => Ok(Value::Duration(ns as i64)),
                false => Err("value cannot be represented as a duration".to_owned()),
            }
        }
        ("now", []) => Ok(Value::Float(state.context.time.0.div_euclid(1_000_000) as f64 / 1000.0)),
        ("externalURL", []) => Ok(Value::text(&state.context.external.url)),
        ("pathPrefix", []) => Ok(Value::text(path(&state.context.external.url))),
        ("parseDuration", [of]) => {
            parse_duration(text(of)?).map(|ms| Value::Float(ms as f64 / 1000.0)).map_err(|e| e.to_string())
        }
        ("urlQueryEscape", [of]) => Ok(Value::text(query_escape(text(of)?))),
        ("first" | "sortByLabel", args) => match args.last() {
            Some(other) => Err(wrong_type("template.queryResult", other)),
            None => Err(format!("wrong number of args for {name}: got 0")),
        },
        (name, args) => Err(format!("wrong number of args for {name}: got {}", args.len())),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type("string", other)),
    }
}

/// A number, a whole one, a span of time in seconds, or a text that says a number.
fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(v) => Ok(*v),
        Value::Int(n) => Ok(*n as f64),
        Value::Duration(ns) => Ok(*ns as f64 / SECOND_NS as f64),
        Value::Text(text) => grid_promql_test::notation::float(text)
            .map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", grid_promql_syntax::quote(text))),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn query(state: &mut State<'_, '_, '_>, text: &str) -> Result<Value, String> {
    state.queries += 1;
    if state.queries > TEMPLATE_QUERIES_MAX {
        return Err(format!("the template runs more than {TEMPLATE_QUERIES_MAX} queries"));
    }
    let samples = (state.context.query)(text)?;
    Ok(Value::List(Rc::new(samples.iter().map(sample).collect())))
}

fn sample(sample: &Sample) -> Value {
    let labels = sample.labels.iter().map(|(k, v)| (k.to_owned(), Value::text(v))).collect();
    // Of a histogram there is only its number, which is zero.
    let value = match sample.value {
        SampleValue::Float(v) => v,
        SampleValue::Histogram(_) => 0.0,
    };
    Value::Struct(Rc::new(BTreeMap::from([
        ("Labels".to_owned(), Value::Map(Rc::new(labels))),
        ("Value".to_owned(), Value::Float(value)),
    ])))
}

fn field(sample: &Value, name: &str) -> Result<Value, String> {
    match sample {
        Value::Struct(fields) => fields.get(name).cloned().ok_or_else(|| wrong_type("*template.sample", sample)),
        other => Err(wrong_type("*template.sample", other)),
    }
}

fn label(sample: &Value, name: &str) -> Result<Value, String> {
    match field(sample, "Labels")? {
        Value::Map(labels) => Ok(labels.get(name).cloned().unwrap_or_else(|| Value::text(""))),
        other => Err(wrong_type("*template.sample", &other)),
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(TEMPLATE_REGEX_BYTES_MAX).build();
    built.map_err(|e| format!("error parsing regexp: {e}"))
}

/// As `Regex::replace_all`, but never longer than a template may write.
fn replace_all(regex: &Regex, by: &str, of: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(of) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&of[end..whole.start()]);
        found.expand(by, &mut out);
        end = whole.end();
        if out.len() > TEMPLATE_OUTPUT_BYTES_MAX {
            return Err(format!("the text has more than {TEMPLATE_OUTPUT_BYTES_MAX} bytes"));
        }
    }
    out.push_str(&of[end..]);
    Ok(out)
}

/// The first letter of every word made large (`strings.Title`).
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        let separates =
            if before.is_ascii() { !before.is_ascii_alphanumeric() && before != '_' } else { before.is_whitespace() };
        if separates {
            out.extend(c.to_uppercase())
        } else {
            out.push(c)
        }
        before = c;
    }
    out
}

pub(super) fn link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", query_escape(expression))
}

/// Host and port, if there is a port (`net.SplitHostPort`).
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|h| !h.contains(['[', ']'])).map(|host| (host, port)),
        None => (!host.contains([':', '[', ']'])).then_some((host, port)),
    }
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_port(text).map_or((text, None), |(host, port)| (host, Some(port)));
    if host.parse::<core::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    port.filter(|p| !p.is_empty()).map_or_else(|| first.to_owned(), |port| format!("{first}:{port}"))
}

/// The path of a URL.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.find('/').map_or("", |at| &rest[at..]);
    rest.find(['?', '#']).map_or(rest, |at| &rest[..at])
}
