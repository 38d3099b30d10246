//! The functions of Go's `text/template` itself (`text/template/funcs.go`).

use std::cmp::Ordering;

use super::printf::printf;
use super::value::{Basic, Value};

const NAMES: [&str; 19] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js", "urlquery", "call", "eq",
    "ne", "lt", "le", "gt", "ge",
];

/// Whether there is a function of this name.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls one.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    match (name, args) {
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("len", [value]) => len(value),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), |value, key| index(&value, key)),
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        ("print", args) => Ok(Value::text(print(args))),
        ("println", args) => {
            let all: Vec<String> = args.iter().map(operand).collect();
            Ok(Value::text(format!("{}\n", all.join(" "))))
        }
        ("printf", [Value::Text(format), args @ ..]) => printf(format, args).map(Value::text),
        ("printf", [other, ..]) => Err(wrong_type("string", other)),
        ("html", args) => Ok(Value::text(escape_html(&print(args)))),
        ("js", args) => Ok(Value::text(escape_js(&print(args)))),
        ("urlquery", args) => Ok(Value::text(query_escape(&print(args)))),
        ("call", [value, ..]) => Err(format!("non-function of type {}", value.type_name())),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            for other in others {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("eq", [_]) => Err("missing argument for comparison".to_owned()),
        ("ne", [a, b]) => equal(a, b).map(|same| Value::Bool(!same)),
        ("lt", [a, b]) => Ok(Value::Bool(order(a, b)? == Some(Ordering::Less))),
        ("le", [a, b]) => Ok(Value::Bool(matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal)))),
        ("gt", [a, b]) => Ok(Value::Bool(order(a, b)? == Some(Ordering::Greater))),
        ("ge", [a, b]) => Ok(Value::Bool(matches!(order(a, b)?, Some(Ordering::Greater | Ordering::Equal)))),
        (name, args) => Err(format!("wrong number of args for {name}: got {}", args.len())),
    }
}

/// What a function says of an argument of another type than it takes.
pub(super) fn wrong_type(wanted: &str, got: &Value) -> String {
    match got {
        Value::Missing | Value::Nil => format!("invalid value; expected {wanted}"),
        other => format!("wrong type for value; expected {wanted}; got {}", other.type_name()),
    }
}

fn len(value: &Value) -> Result<Value, String> {
    let n = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        Value::Missing | Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn position(key: &Value, len: usize, inclusive: bool) -> Result<usize, String> {
    let Value::Int(n) = key else {
        return Err(match key {
            Value::Missing | Value::Nil => "cannot index slice/array with nil".to_owned(),
            other => format!("cannot index slice/array with type {}", other.type_name()),
        });
    };
    let fits = |n: &usize| if inclusive { *n <= len } else { *n < len };
    usize::try_from(*n).ok().filter(fits).ok_or_else(|| format!("index out of range: {n}"))
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    match value {
        Value::List(items) => Ok(items[position(key, items.len(), false)?].clone()),
        Value::Text(text) => Ok(Value::Int(i64::from(text.as_bytes()[position(key, text.len(), false)?]))),
        Value::Map(map) => match key {
            // The zero of its type, unlike a field that a map does not have.
            Value::Text(name) => Ok(map.get(&**name).cloned().unwrap_or_else(|| match value.type_name() {
                "map[string]string" => Value::text(""),
                _ => Value::Nil,
            })),
            other => Err(match other {
                Value::Missing | Value::Nil => "value is nil; should be of type string".to_owned(),
                other => format!("value has type {}; should be string", other.type_name()),
            }),
        },
        Value::Missing | Value::Nil => Err("index of untyped nil".to_owned()),
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let len = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Missing | Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    if bounds.len() > 3 || (bounds.len() == 3 && matches!(value, Value::Text(_))) {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let at = |i: usize, default: usize| bounds.get(i).map_or(Ok(default), |b| position(b, len, true));
    let (from, to) = (at(0, 0)?, at(1, len)?);
    at(2, len)?;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Value::List(items) => Ok(Value::List(std::rc::Rc::new(items[from..to].to_vec()))),
        // Go cuts bytes; half a letter shows as what it is not.
        Value::Text(text) => Ok(Value::text(String::from_utf8_lossy(&text.as_bytes()[from..to]))),
        _ => Ok(Value::Nil),
    }
}

fn operand(value: &Value) -> String {
    match value {
        Value::Missing => "<nil>".to_owned(),
        value => value.printed(),
    }
}

/// `fmt.Sprint`: spaces between operands of which neither is a text.
fn print(args: &[Value]) -> String {
    let mut out = String::new();
    let mut before_is_text = true;
    for (i, arg) in args.iter().enumerate() {
        let is_text = matches!(arg, Value::Text(_));
        if i > 0 && !is_text && !before_is_text {
            out.push(' ');
        }
        out.push_str(&operand(arg));
        before_is_text = is_text;
    }
    out
}

const INCOMPATIBLE: &str = "incompatible types for comparison";

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    let nothing = |v: &Value| matches!(v, Value::Missing | Value::Nil);
    match (a, b) {
        (a, b) if nothing(a) || nothing(b) => Ok(nothing(a) && nothing(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a) | Value::Duration(a), Value::Int(b) | Value::Duration(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok(a == b),
        (a, b) if a.basic() == Basic::Other && b.basic() == Basic::Other => {
            Err(format!("non-comparable type {}: {}", a.printed(), a.type_name()))
        }
        _ => Err(INCOMPATIBLE.to_owned()),
    }
}

fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::Int(a) | Value::Duration(a), Value::Int(b) | Value::Duration(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (a, b) if a.basic() != b.basic() => Err(INCOMPATIBLE.to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// As a value in the query of a URL (`url.QueryEscape`).
pub(super) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
