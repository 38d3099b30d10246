//! The functions of Terraform's language that are evaluated. Any other makes its result unknown, with a note.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Amount;
use hcl::expr::FuncCall;

use super::evaluate::{Evaluator, Frame, equal, index};
use super::module::joined;
use crate::limits::{ELEMENTS_MAX, TEXT_BYTES_MAX};
use crate::quantity::{ceiling, floor, integer, quotient, whole};
use crate::value::{Addresses, Value};

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &FuncCall, frame: &mut Frame) -> Option<Value> {
        let name = call.name.name.as_str();
        // These see errors of their arguments.
        match name {
            "try" => return call.args.iter().find_map(|e| self.eval(e, frame)),
            "can" => return Some(Value::Bool(call.args.iter().all(|e| self.eval(e, frame).is_some()))),
            _ => {}
        }
        let mut args = Vec::with_capacity(call.args.len());
        for (i, e) in call.args.iter().enumerate() {
            let value = self.eval(e, frame)?;
            match value {
                Value::List(items) if call.expand_final && i + 1 == call.args.len() => args.extend(items),
                value => args.push(value),
            }
        }
        if name == "file" || name == "templatefile" {
            return self.file(name, &args, call, frame);
        }
        // A collection may be known although elements of it are not; a scalar argument may not.
        if args.iter().any(|a| matches!(a, Value::Unknown(_)))
            && !["coalesce", "compact", "concat", "merge", "length"].contains(&name)
        {
            return Some(unknown(&args));
        }
        match function(name, &args) {
            Made::Value(value) => value,
            Made::NotKnown => {
                self.note(format!("the function {name} is not evaluated: what depends on it is unknown"));
                Some(unknown(&args))
            }
        }
    }

    fn file(&self, name: &str, args: &[Value], call: &FuncCall, frame: &mut Frame) -> Option<Value> {
        let path = args.first()?.as_text()?;
        let Some(text) = self.sources.file(&joined("", &path)).filter(|t| t.len() <= TEXT_BYTES_MAX) else {
            self.note(format!("{name}({path:?}) could not be read: what depends on it is unknown"));
            return Some(unknown(args));
        };
        if name == "file" {
            return Some(Value::Text(text));
        }
        let template: hcl::Template = text.parse().ok()?;
        let mut inner = Frame::new(usize::MAX, Default::default());
        match (args.get(1), call.args.len()) {
            (Some(Value::Map(entries)), 2) => inner.scope.names.extend(entries.clone()),
            _ => return Some(unknown(args)),
        }
        let value = self.template(&template, &mut inner);
        frame.refs.extend(inner.refs);
        value
    }
}

enum Made {
    Value(Option<Value>),
    NotKnown,
}

fn unknown(args: &[Value]) -> Value {
    let mut from = Addresses::new();
    args.iter().for_each(|a| a.addresses(&mut from));
    Value::Unknown(from)
}

fn function(name: &str, args: &[Value]) -> Made {
    let made = || -> Option<Option<Value>> {
        let text = |i: usize| args.get(i).and_then(Value::as_text);
        let number = |i: usize| args.get(i).and_then(Value::as_number);
        Some(match name {
            "abs" => number(0).map(|n| Value::Number(Amount(n.0.saturating_abs()))),
            "ceil" => number(0).map(|n| Value::Number(ceiling(n))),
            "floor" => number(0).map(|n| Value::Number(floor(n))),
            "min" | "max" => {
                let numbers: Option<Vec<_>> = args.iter().map(Value::as_number).collect();
                numbers
                    .and_then(|n| if name == "min" { n.into_iter().min() } else { n.into_iter().max() })
                    .map(Value::Number)
            }
            "signum" => number(0).map(|n| Value::Number(whole(n.0.signum() as i64))),
            "parseint" => parse_int(text(0), number(1)),
            "tonumber" => convert(args.first(), |v| v.as_number().map(Value::Number)),
            "tostring" => convert(args.first(), |v| v.as_text().map(Value::Text)),
            "tobool" => convert(args.first(), |v| v.as_bool().map(Value::Bool)),
            "lower" => text(0).map(|t| Value::Text(t.to_lowercase())),
            "upper" => text(0).map(|t| Value::Text(t.to_uppercase())),
            "title" => text(0).map(|t| Value::Text(title(&t))),
            "trimspace" => text(0).map(|t| Value::text(t.trim())),
            "chomp" => text(0).map(|t| Value::text(t.trim_end_matches(['\n', '\r']))),
            "trim" => text(0).zip(text(1)).map(|(t, cut)| Value::text(t.trim_matches(|c| cut.contains(c)))),
            "trimprefix" => text(0).zip(text(1)).map(|(t, p)| Value::text(t.strip_prefix(&p).unwrap_or(&t))),
            "trimsuffix" => text(0).zip(text(1)).map(|(t, p)| Value::text(t.strip_suffix(&p).unwrap_or(&t))),
            "startswith" => text(0).zip(text(1)).map(|(t, p)| Value::Bool(t.starts_with(&p))),
            "endswith" => text(0).zip(text(1)).map(|(t, p)| Value::Bool(t.ends_with(&p))),
            "strcontains" => text(0).zip(text(1)).map(|(t, p)| Value::Bool(t.contains(&p))),
            "strrev" => text(0).map(|t| Value::Text(t.chars().rev().collect())),
            "replace" => replace(text(0), text(1), text(2))?,
            "substr" => substr(text(0), number(1), number(2)),
            "split" => text(0).zip(text(1)).map(|(by, t)| Value::List(split(&t, &by))),
            "join" => join(args),
            "format" => format(args)?,
            "formatlist" => return None,
            "length" => length(args.first()),
            "concat" => concat(args),
            "merge" => merge(args),
            "flatten" => args.first().and_then(flatten),
            "distinct" => list(args, 0).map(|items| Value::List(distinct(items))),
            "toset" => set(args.first()),
            "tolist" => list(args, 0).map(Value::List),
            "tomap" | "nonsensitive" | "sensitive" => args.first().cloned(),
            "compact" => list(args, 0).map(|items| {
                let kept = items.into_iter().filter(|v| !matches!(v, Value::Null) && *v != Value::text(""));
                Value::List(kept.collect())
            }),
            "reverse" => list(args, 0).map(|items| Value::List(items.into_iter().rev().collect())),
            "sort" => list(args, 0).and_then(|items| {
                let mut texts = items.iter().map(Value::as_text).collect::<Option<Vec<_>>>()?;
                texts.sort();
                Some(Value::List(texts.into_iter().map(Value::Text).collect()))
            }),
            "element" => list(args, 0).and_then(|items| {
                let n = index(args.get(1)?)?;
                (!items.is_empty()).then(|| items[n % items.len()].clone())
            }),
            "index" => list(args, 0).and_then(|items| {
                let n = items.iter().position(|v| args.get(1).is_some_and(|a| equal(v, a)))?;
                Some(Value::Number(whole(n as i64)))
            }),
            "slice" => list(args, 0).and_then(|items| {
                let (from, to) = (index(args.get(1)?)?, index(args.get(2)?)?);
                Some(Value::List(items.get(from..to)?.to_vec()))
            }),
            "chunklist" => list(args, 0).and_then(|items| {
                let n = index(args.get(1)?)?.max(1);
                Some(Value::List(items.chunks(n).map(|c| Value::List(c.to_vec())).collect()))
            }),
            "contains" => {
                list(args, 0).map(|items| Value::Bool(items.iter().any(|v| args.get(1).is_some_and(|a| equal(v, a)))))
            }
            "one" => list(args, 0).and_then(|mut items| match items.len() {
                0 => Some(Value::Null),
                1 => items.pop(),
                _ => None,
            }),
            "sum" => list(args, 0).and_then(|items| {
                items.iter().try_fold(Amount::ZERO, |sum, v| sum.checked_add(v.as_number()?)).map(Value::Number)
            }),
            "alltrue" => list(args, 0).map(|items| Value::Bool(items.iter().all(|v| v.as_bool() == Some(true)))),
            "anytrue" => list(args, 0).map(|items| Value::Bool(items.iter().any(|v| v.as_bool() == Some(true)))),
            "range" => range(args),
            "keys" => map(args, 0).map(|m| Value::List(m.keys().map(Value::text).collect())),
            "values" => map(args, 0).map(|m| Value::List(m.values().cloned().collect())),
            "lookup" => match (args.first(), text(1)) {
                (Some(Value::Map(entries)), Some(key)) => entries.get(&key).or(args.get(2)).cloned(),
                _ => None,
            },
            "zipmap" => list(args, 0).zip(list(args, 1)).and_then(|(keys, values)| {
                let entries = keys.iter().zip(values).map(|(k, v)| Some((k.as_text()?, v)));
                entries.collect::<Option<BTreeMap<_, _>>>().map(Value::Map)
            }),
            "coalesce" => {
                let found = args.iter().find(|v| !matches!(v, Value::Null) && **v != Value::text(""));
                found.cloned()
            }
            "coalescelist" => args.iter().find(|v| matches!(v, Value::List(items) if !items.is_empty())).cloned(),
            "setunion" => {
                let all = args.iter().map(items_of).collect::<Option<Vec<_>>>();
                all.and_then(|all| set(Some(&Value::List(all.into_iter().flatten().collect()))))
            }
            "setintersection" => keep(args, true),
            "setsubtract" => keep(args, false),
            "setproduct" => product(args),
            "jsondecode" => text(0).and_then(|t| serde_json::from_str(&t).ok()).map(|json| Value::of_json(&json)),
            "jsonencode" => args.first().and_then(json_text).map(Value::Text),
            "basename" => text(0).map(|t| Value::text(t.rsplit('/').next().unwrap_or_default())),
            "dirname" => text(0).map(|t| Value::text(t.rsplit_once('/').map_or(".", |(d, _)| d))),
            "abspath" | "pathexpand" => text(0).map(Value::Text),
            _ => return None,
        })
    };
    match made() {
        Some(value) => Made::Value(value.filter(fits)),
        None => Made::NotKnown,
    }
}

fn fits(value: &Value) -> bool {
    match value {
        Value::List(items) => items.len() <= ELEMENTS_MAX,
        Value::Map(entries) => entries.len() <= ELEMENTS_MAX,
        Value::Text(text) => text.len() <= TEXT_BYTES_MAX,
        _ => true,
    }
}

fn convert(value: Option<&Value>, to: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    match value? {
        Value::Null => Some(Value::Null),
        value => to(value),
    }
}

fn items_of(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(items) => Some(items.clone()),
        _ => None,
    }
}

fn list(args: &[Value], i: usize) -> Option<Vec<Value>> {
    items_of(args.get(i)?)
}

fn map(args: &[Value], i: usize) -> Option<BTreeMap<String, Value>> {
    match args.get(i)? {
        Value::Map(entries) => {
            Some(entries.iter().filter(|(k, _)| !k.starts_with('\0')).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        _ => None,
    }
}

fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|v| seen.insert(format!("{v:?}"))).collect()
}

/// A set is a list of distinct values in order.
fn set(value: Option<&Value>) -> Option<Value> {
    let mut items = distinct(items_of(value?)?);
    items.sort_by_key(|v| v.as_text().unwrap_or_else(|| format!("{v:?}")));
    Some(Value::List(items))
}

fn keep(args: &[Value], common: bool) -> Option<Value> {
    let (a, b) = (list(args, 0)?, list(args, 1)?);
    set(Some(&Value::List(a.into_iter().filter(|v| b.iter().any(|o| equal(v, o)) == common).collect())))
}

fn product(args: &[Value]) -> Option<Value> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for arg in args {
        let items = items_of(arg)?;
        if rows.len().saturating_mul(items.len()) > ELEMENTS_MAX {
            return None;
        }
        rows = rows
            .iter()
            .flat_map(|row| items.iter().map(|v| [row.as_slice(), std::slice::from_ref(v)].concat()))
            .collect();
    }
    Some(Value::List(rows.into_iter().map(Value::List).collect()))
}

fn length(value: Option<&Value>) -> Option<Value> {
    Some(match value? {
        Value::List(items) => Value::Number(whole(items.len() as i64)),
        Value::Map(entries) => Value::Number(whole(entries.keys().filter(|k| !k.starts_with('\0')).count() as i64)),
        Value::Text(text) => Value::Number(whole(text.chars().count() as i64)),
        Value::Unknown(from) => Value::Unknown(from.clone()),
        _ => return None,
    })
}

fn concat(args: &[Value]) -> Option<Value> {
    let mut all = Vec::new();
    for arg in args {
        match arg {
            Value::List(items) => all.extend(items.iter().cloned()),
            Value::Unknown(_) => return Some(unknown(args)),
            _ => return None,
        }
    }
    Some(Value::List(all))
}

fn merge(args: &[Value]) -> Option<Value> {
    let mut all = BTreeMap::new();
    for arg in args {
        match arg {
            Value::Map(entries) => all.extend(entries.iter().map(|(k, v)| (k.clone(), v.clone()))),
            Value::Null => {}
            Value::Unknown(_) => return Some(unknown(args)),
            _ => return None,
        }
    }
    Some(Value::Map(all))
}

fn flatten(value: &Value) -> Option<Value> {
    let mut flat = Vec::new();
    fn into(items: &[Value], flat: &mut Vec<Value>) {
        for item in items {
            match item {
                Value::List(inner) => into(inner, flat),
                other => flat.push(other.clone()),
            }
        }
    }
    into(&items_of(value)?, &mut flat);
    Some(Value::List(flat))
}

fn range(args: &[Value]) -> Option<Value> {
    let n: Vec<i64> = args.iter().map(|a| integer(a.as_number()?)).collect::<Option<_>>()?;
    let (from, to, step) = match n.as_slice() {
        [to] => (0, *to, 1),
        [from, to] => (*from, *to, if from <= to { 1 } else { -1 }),
        [from, to, step] => (*from, *to, *step),
        _ => return None,
    };
    let mut made = Vec::new();
    let mut at = from;
    while step != 0 && ((step > 0 && at < to) || (step < 0 && at > to)) {
        made.push(Value::Number(whole(at)));
        if made.len() > ELEMENTS_MAX {
            return None;
        }
        at = at.checked_add(step)?;
    }
    Some(Value::List(made))
}

fn split(text: &str, by: &str) -> Vec<Value> {
    if text.is_empty() {
        return vec![Value::text("")];
    }
    text.split(by).map(Value::text).collect()
}

fn join(args: &[Value]) -> Option<Value> {
    let by = args.first()?.as_text()?;
    let mut pieces = Vec::new();
    for arg in &args[1..] {
        for item in items_of(arg)? {
            match item {
                Value::Unknown(_) => return Some(unknown(args)),
                item => pieces.push(item.as_text()?),
            }
        }
    }
    Some(Value::Text(pieces.join(&by)))
}

/// The outer `None` means that it is not evaluated: a pattern between slashes is a regular expression.
fn replace(text: Option<String>, from: Option<String>, to: Option<String>) -> Option<Option<Value>> {
    let (Some(text), Some(from), Some(to)) = (text, from, to) else { return Some(None) };
    if from.len() > 1 && from.starts_with('/') && from.ends_with('/') {
        return None;
    }
    Some((!from.is_empty()).then(|| Value::Text(text.replace(&from, &to))))
}

fn substr(text: Option<String>, offset: Option<Amount>, length: Option<Amount>) -> Option<Value> {
    let chars: Vec<char> = text?.chars().collect();
    let (offset, length) = (integer(offset?)?, integer(length?)?);
    let from = if offset < 0 { (chars.len() as i64).checked_add(offset)?.max(0) } else { offset };
    let from = usize::try_from(from).ok()?.min(chars.len());
    let rest = chars.len() - from;
    let take = if length < 0 { rest } else { usize::try_from(length).ok()?.min(rest) };
    Some(Value::Text(chars[from..from + take].iter().collect()))
}

fn title(text: &str) -> String {
    let mut start = true;
    let each = text.chars().map(|c| {
        let c = if start { c.to_uppercase().next().unwrap_or(c) } else { c };
        start = c.is_whitespace();
        c
    });
    each.collect()
}

fn parse_int(text: Option<String>, base: Option<Amount>) -> Option<Value> {
    let base = u32::try_from(integer(base?)?).ok().filter(|b| (2..=36).contains(b))?;
    i64::from_str_radix(&text?, base).ok().map(|n| Value::Number(whole(n)))
}

/// `%s`, `%d`, `%v`, `%q`, `%t`, `%f` and `%0Nd`; anything else is not evaluated.
fn format(args: &[Value]) -> Option<Option<Value>> {
    let Some(spec) = args.first().and_then(Value::as_text) else { return Some(None) };
    let mut rest = args.get(1..).unwrap_or_default().iter();
    let mut made = String::new();
    let mut chars = spec.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            made.push(c);
            continue;
        }
        let mut width = String::new();
        while let Some(d) = chars.peek().filter(|c| c.is_ascii_digit()) {
            width.push(*d);
            chars.next();
        }
        let verb = chars.next()?;
        if verb == '%' {
            made.push('%');
            continue;
        }
        let arg = rest.next()?;
        let text = match verb {
            's' | 'v' | 't' | 'd' => arg.as_text().or_else(|| json_text(arg))?,
            'q' => format!("{:?}", arg.as_text()?),
            'f' => {
                let micro = quotient(arg.as_number()?, Amount(10_i128.pow(12)))?;
                let micro = integer(floor(micro))?;
                format!("{}.{:06}", micro / 1_000_000, (micro % 1_000_000).abs())
            }
            _ => return None,
        };
        let zero = width.starts_with('0') && verb == 'd';
        let width: usize = width.parse().unwrap_or(0);
        let pad = width.min(TEXT_BYTES_MAX).saturating_sub(text.chars().count());
        made.extend(std::iter::repeat_n(if zero { '0' } else { ' ' }, pad));
        made.push_str(&text);
        if made.len() > TEXT_BYTES_MAX {
            return Some(None);
        }
    }
    Some(Some(Value::Text(made)))
}

fn json_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(json_text).collect::<Option<_>>()?;
            format!("[{}]", items.join(","))
        }
        Value::Map(entries) => {
            let entries = entries.iter().filter(|(k, _)| !k.starts_with('\0'));
            let entries =
                entries.map(|(k, v)| Some(format!("{}:{}", serde_json::Value::from(k.as_str()), json_text(v)?)));
            format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(","))
        }
        Value::Unknown(_) => return None,
    })
}
