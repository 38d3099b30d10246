//! The fields of a resource against its type.

use std::collections::BTreeMap;

use crate::catalog::{Field, Form, Kind, Type};
use crate::limits::{ELEMENTS_MAX, REFERENCES_MAX, TEXT_BYTES_MAX};
use crate::node::{Node, Tree};
use crate::problem::{Place, Problems, suggest};
use crate::reference::{Address, Part, parts};
use crate::size::Size;
use crate::spec::{Value, named, quoted};
use crate::target::Cloud;

/// The resources that a spec has.
pub(crate) type Known = BTreeMap<Address, &'static Type>;

/// Checks what stands under `fields`, and adds the defaults.
pub(crate) fn fields(
    kind: &'static Type,
    of: &Address,
    node: Option<&Node>,
    place: Place,
    known: &Known,
    problems: &mut Problems,
) -> Vec<(&'static str, Value)> {
    let path = format!("{of}.fields");
    let found = object(&kind.fields, node, place, &path, &mut Context { known, problems });
    let integer = |name: &str| match found.iter().find(|(n, _)| *n == name) {
        Some((_, Value::Integer(n))) => Some(*n),
        _ => None,
    };
    for [low, high] in ORDERED {
        if let (Some(a), Some(b)) = (integer(low), integer(high))
            && a > b
        {
            let place = node.map_or(place, |n| place_of(n, low).or(place_of(n, high)).unwrap_or(n.place));
            problems.push(
                place,
                format!("{path}.{low}"),
                format!("`{low}` is {a}, above `{high}`, {b}"),
                format!("at most {b}"),
            );
        }
    }
    found
}

/// Pairs of fields of which the first may not be above the second, in whichever type has both.
const ORDERED: [[&str; 2]; 3] = [["min", "max"], ["desired", "max"], ["min", "desired"]];

fn place_of(node: &Node, name: &str) -> Option<Place> {
    let Tree::Map(pairs) = &node.value else { return None };
    pairs.iter().find(|(key, _)| key.value == Tree::Text(name.to_owned())).map(|(_, value)| value.place)
}

struct Context<'a> {
    known: &'a Known,
    problems: &'a mut Problems,
}

fn object(
    of: &'static [Field],
    node: Option<&Node>,
    place: Place,
    path: &str,
    context: &mut Context<'_>,
) -> Vec<(&'static str, Value)> {
    let names: Vec<&str> = of.iter().map(|f| f.name.as_str()).collect();
    let found = match node.map(|n| (&n.value, n)) {
        Some((Tree::Map(pairs), _)) => named(pairs, path, &names, "it has", context.problems),
        None | Some((Tree::Null, _)) => BTreeMap::new(),
        Some((other, node)) => {
            context.problems.push(node.place, path, format!("this is {}, it must be a map", other.what()), "");
            return Vec::new();
        }
    };
    let place = node.map_or(place, |n| n.place);
    let mut values = Vec::new();
    for field in of {
        let path = format!("{path}.{}", field.name);
        let value = match found.get(field.name.as_str()) {
            Some((_, given)) if given.value != Tree::Null => value(field, given, &path, context),
            _ if field.required => {
                let hint = format!("add `{}`, {}", field.name, wanted(field));
                context.problems.push(place, path, format!("`{}` is missing", field.name), hint);
                None
            }
            _ => field.default.as_ref().map(default),
        };
        values.extend(value.map(|v| (field.name.as_str(), v)));
    }
    values
}

fn default(value: &toml::Value) -> Value {
    match value {
        toml::Value::Boolean(b) => Value::Bool(*b),
        toml::Value::Integer(n) => Value::Integer(*n),
        toml::Value::String(text) => Value::text(text),
        toml::Value::Array(items) => Value::List(items.iter().map(default).collect()),
        toml::Value::Table(pairs) => Value::Map(pairs.iter().map(|(k, v)| (k.clone(), default(v))).collect()),
        toml::Value::Float(n) => Value::text(&n.to_string()),
        toml::Value::Datetime(d) => Value::text(&d.to_string()),
    }
}

/// What a field would take, for hints.
fn wanted(field: &Field) -> String {
    match field.kind {
        Kind::Text => field.form.map_or("a text".to_owned(), |f| format!("a text like `{}`", f.example())),
        Kind::Integer => {
            let unit = field.unit.as_ref().map(|u| format!(" {u}")).unwrap_or_default();
            let (min, max) = (field.min.unwrap_or(i64::MIN), field.max.unwrap_or(i64::MAX));
            format!("an integer from {min} to {max}{unit}")
        }
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Enum => format!("one of {}", field.values.join(", ")),
        Kind::Size => "processors and GiB of memory like `2x8`".to_owned(),
        Kind::Reference => format!("a reference like `${{{}.NAME}}`", field.to.first().map_or("TYPE", |t| t)),
        Kind::References => format!("a list of references like `${{{}.NAME}}`", field.to.first().map_or("TYPE", |t| t)),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::Map => "a map of texts".to_owned(),
        Kind::Machines => "a map like `{ aws = \"m7i.large\" }`".to_owned(),
        Kind::Objects => {
            let names: Vec<_> = field.fields.iter().map(|f| f.name.as_str()).collect();
            format!("a list of maps with {}", names.join(", "))
        }
    }
}

fn value(field: &'static Field, node: &Node, path: &str, context: &mut Context<'_>) -> Option<Value> {
    let place = node.place;
    match (field.kind, &node.value) {
        (Kind::Text, Tree::Text(given)) => text(field, given, place, path, context),
        // `version: 17` and `8.0` are numbers to YAML, and what is meant is plain.
        (Kind::Text, Tree::Integer(n)) if field.form == Some(Form::Version) => {
            text(field, &n.to_string(), place, path, context)
        }
        (Kind::Text, Tree::Float(n)) if field.form == Some(Form::Version) => text(field, n, place, path, context),
        (Kind::Integer, Tree::Integer(n)) => {
            if *n < field.min.unwrap_or(i64::MIN) || *n > field.max.unwrap_or(i64::MAX) {
                let what = format!("{n} is out of bounds");
                context.problems.push(place, path, what, format!("it takes {}", wanted(field)));
                return None;
            }
            Some(Value::Integer(*n))
        }
        (Kind::Bool, Tree::Bool(b)) => Some(Value::Bool(*b)),
        (Kind::Enum, Tree::Text(_) | Tree::Integer(_) | Tree::Float(_)) => {
            let given = match &node.value {
                Tree::Integer(n) => n.to_string(),
                Tree::Float(text) | Tree::Text(text) => text.clone(),
                _ => String::new(),
            };
            if field.values.contains(&given) {
                return Some(Value::text(&given));
            }
            let hint = suggest(&given, field.values.iter().map(String::as_str), "it takes");
            context.problems.push(place, path, format!("{} is none of its values", quoted(&given)), hint);
            None
        }
        (Kind::Size, Tree::Text(given)) => match given.parse::<Size>() {
            Ok(_) => Some(Value::text(given)),
            Err(e) => {
                context.problems.push(place, path, e.to_string(), e.hint());
                None
            }
        },
        (Kind::Reference, Tree::Text(given)) => resource(field, given, place, path, context),
        (Kind::References | Kind::Texts | Kind::Objects, Tree::List(items)) => list(field, items, place, path, context),
        (Kind::Map | Kind::Machines, Tree::Map(pairs)) => map(field, pairs, place, path, context),
        (_, other) => {
            let what = format!("this is {}", other.what());
            context.problems.push(place, path, what, format!("it takes {}", wanted(field)));
            None
        }
    }
}

fn list(field: &'static Field, items: &[Node], place: Place, path: &str, context: &mut Context<'_>) -> Option<Value> {
    let at = |bound: Option<i64>, otherwise: usize| bound.and_then(|b| usize::try_from(b).ok()).unwrap_or(otherwise);
    let (min, max) = (at(field.min, 0), at(field.max, ELEMENTS_MAX));
    if items.len() < min || items.len() > max {
        let what = format!("there are {} elements", items.len());
        context.problems.push(place, path, what, format!("give from {min} to {max}"));
        return None;
    }
    let mut values = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let made = match (field.kind, &item.value) {
            (Kind::References, Tree::Text(given)) => resource(field, given, item.place, &path, context),
            (Kind::Texts, Tree::Text(given)) => text(field, given, item.place, &path, context),
            (Kind::Objects, Tree::Map(_)) => {
                let object = object(&field.fields, Some(item), item.place, &path, context);
                Some(Value::Map(object.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
            }
            (_, other) => {
                let what = format!("this is {}", other.what());
                context.problems.push(item.place, path, what, format!("the field takes {}", wanted(field)));
                None
            }
        };
        values.extend(made);
    }
    Some(Value::List(values))
}

fn map(
    field: &'static Field,
    pairs: &[(Node, Node)],
    place: Place,
    path: &str,
    context: &mut Context<'_>,
) -> Option<Value> {
    if pairs.len() > ELEMENTS_MAX {
        context.problems.push(place, path, format!("there are more than {ELEMENTS_MAX} elements"), "");
        return None;
    }
    let mut values: Vec<(String, Value)> = Vec::new();
    for (key, item) in pairs {
        let Tree::Text(name) = &key.value else {
            context.problems.push(key.place, path, format!("a name is {}", key.value.what()), "quote it");
            continue;
        };
        if values.iter().any(|(n, _)| n == name) {
            context.problems.push(key.place, path, format!("{} is given twice", quoted(name)), "take one out");
            continue;
        }
        let clouds = Cloud::ALL.map(Cloud::name);
        if field.kind == Kind::Machines && !clouds.contains(&name.as_str()) {
            let what = format!("there is no cloud {}", quoted(name));
            context.problems.push(key.place, path, what, suggest(name, clouds, "clouds"));
            continue;
        }
        if field.kind == Kind::Map && !Form::Word.holds(name) {
            let what = format!("{} is no name", quoted(name));
            context.problems.push(key.place, path, what, "letters, digits, `_` and `-`, first a letter");
            continue;
        }
        let path = format!("{path}.{name}");
        match &item.value {
            Tree::Text(given) => {
                values.extend(text(field, given, item.place, &path, context).map(|v| (name.clone(), v)));
            }
            other => {
                let what = format!("this is {}, it must be a text", other.what());
                context.problems.push(item.place, path, what, "quote it");
            }
        }
    }
    Some(Value::Map(values))
}

/// Takes a text apart; places of what is wrong lie within it where it stands on one line.
fn split(given: &str, place: Place, path: &str, context: &mut Context<'_>) -> Option<Vec<Part>> {
    if given.len() > TEXT_BYTES_MAX {
        context.problems.push(place, path, format!("the text has more than {TEXT_BYTES_MAX} bytes"), "");
        return None;
    }
    match parts(given) {
        Ok(parts) if parts.len() > 2 * REFERENCES_MAX => {
            context.problems.push(place, path, format!("there are more than {REFERENCES_MAX} references in it"), "");
            None
        }
        Ok(parts) => Some(parts),
        Err(bad) => {
            // A quotation mark stands before the text if the place is wider than it.
            let letters = given.chars().count();
            let inside = place.width >= letters && !given.contains('\n');
            let quote = usize::from(place.width > letters);
            let place = if inside {
                Place { column: place.column + quote + bad.from, width: bad.width, ..place }
            } else {
                place
            };
            let hint = "write `${TYPE.NAME}` or `${TYPE.NAME.out.OUTPUT}`; a plain `${` is `$${`";
            context.problems.push(place, path, bad.what, hint);
            None
        }
    }
}

fn text(field: &Field, given: &str, place: Place, path: &str, context: &mut Context<'_>) -> Option<Value> {
    let parts = split(given, place, path, context)?;
    let mut plain = true;
    for part in &parts {
        match part {
            Part::Literal(_) => {}
            Part::Resource(address) => {
                let hint = format!("a text takes an output: `${{{address}.out.OUTPUT}}`");
                context.problems.push(place, path, format!("`${{{}}}` is a whole resource", short(address)), hint);
                return None;
            }
            Part::Output(address, output) => {
                plain = false;
                let kind = exists(address, place, path, context)?;
                if !kind.outputs.iter().any(|o| o.name == *output) {
                    let what = format!("{} has no output {}", kind.name, quoted(output));
                    let hint = suggest(output, kind.outputs.iter().map(|o| o.name.as_str()), "outputs");
                    context.problems.push(place, path, what, hint);
                    return None;
                }
            }
        }
    }
    // What a reference stands for is not known yet, so only plain texts can be held to a form.
    if let Some(form) = field.form.filter(|_| plain && field.kind != Kind::Machines) {
        let whole: String =
            parts.iter().map(|p| if let Part::Literal(text) = p { text.as_str() } else { "" }).collect();
        if !form.holds(&whole) {
            let hint = format!("write it like `{}`", form.example());
            context.problems.push(
                place,
                path,
                format!("{} does not have the form that it needs", quoted(&whole)),
                hint,
            );
            return None;
        }
    }
    Some(Value::Text(parts))
}

fn resource(field: &Field, given: &str, place: Place, path: &str, context: &mut Context<'_>) -> Option<Value> {
    let parts = split(given, place, path, context)?;
    let [Part::Resource(address)] = parts.as_slice() else {
        let what = format!("{} is no reference to a resource", quoted(given));
        context.problems.push(place, path, what, format!("it takes {}", wanted(field)));
        return None;
    };
    let kind = exists(address, place, path, context)?;
    if !field.to.contains(&kind.name) {
        let what = format!("{} cannot stand here", short(address));
        context.problems.push(place, path, what, format!("it takes {}", field.to.join(", ")));
        return None;
    }
    Some(Value::Resource(address.clone()))
}

fn exists(address: &Address, place: Place, path: &str, context: &mut Context<'_>) -> Option<&'static Type> {
    if let Some(kind) = context.known.get(address) {
        return Some(kind);
    }
    let names: Vec<String> = context.known.keys().map(ToString::to_string).collect();
    let hint = suggest(&address.to_string(), names.iter().map(String::as_str), "resources in this spec");
    context.problems.push(place, path, format!("there is no resource `{}`", short(address)), hint);
    None
}

fn short(address: &Address) -> String {
    quoted(&address.to_string()).trim_matches('`').to_owned()
}
