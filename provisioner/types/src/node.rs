//! A text in TOML, YAML or JSON as one kind of tree, whose nodes know their places.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limits::{DEPTH_MAX, NODES_MAX, SPEC_BYTES_MAX};
use crate::problem::{Place, Problems};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML.
    Toml,
    /// YAML 1.2, of which JSON is a part.
    Yaml,
    /// JSON, read as YAML.
    Json,
}

impl Format {
    /// By the end of a file's name.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit('.').next()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub value: Tree,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing: `null`, `~` or no value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, or too large, as written.
    Float(String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name, in the order of the text.
    Map(Vec<(Node, Node)>),
}

impl Tree {
    /// What it is, for messages.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads a text. On a mistake of syntax there is one problem.
pub fn read(text: &str, format: Format) -> Result<Node, Problems> {
    let start = Place { line: 1, column: 1, width: 1 };
    if text.len() > SPEC_BYTES_MAX {
        return Err(one(start, format!("the text has more than {SPEC_BYTES_MAX} bytes"), "split it"));
    }
    match format {
        Format::Toml => read_toml(text),
        Format::Yaml | Format::Json => read_yaml(text),
    }
}

fn one(place: Place, what: impl Into<String>, hint: &str) -> Problems {
    let mut problems = Problems::default();
    problems.push(place, "", what, hint);
    problems
}

/// Where lines begin, so that a byte's place is found in the logarithm of their number.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        let line = self.starts.partition_point(|s| *s <= span.start).max(1);
        let from = self.starts[line - 1];
        let to = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let letters = |from: usize, to: usize| self.text.get(from..to).map_or(0, |t| t.chars().count());
        let width = letters(span.start, span.end.min(to)).max(1);
        Place { line, column: letters(from, span.start) + 1, width }
    }
}

fn read_toml(text: &str) -> Result<Node, Problems> {
    let lines = Lines::of(text);
    let root = DeTable::parse(text).map_err(|e| {
        let place = lines.place(e.span().unwrap_or(0..0));
        one(place, format!("this is no TOML: {}", e.message().lines().collect::<Vec<_>>().join(", ")), "")
    })?;
    let mut left = NODES_MAX;
    table(root.get_ref(), lines.place(0..0), &lines, DEPTH_MAX, &mut left)
}

fn table(
    table: &DeTable<'_>,
    place: Place,
    lines: &Lines<'_>,
    depth: usize,
    left: &mut usize,
) -> Result<Node, Problems> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    let of = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| -> Result<(Node, Node), Problems> {
        let at = lines.place(key.span());
        Ok((
            Node { place: at, value: Tree::Text(key.get_ref().clone().into_owned()) },
            toml_value(value, lines, depth, left)?,
        ))
    };
    Ok(Node { place, value: Tree::Map(pairs.into_iter().map(of).collect::<Result<_, _>>()?) })
}

fn toml_value(
    value: &Spanned<DeValue<'_>>,
    lines: &Lines<'_>,
    depth: usize,
    left: &mut usize,
) -> Result<Node, Problems> {
    let place = lines.place(value.span());
    bound(place, depth, left)?;
    let tree = match value.get_ref() {
        DeValue::String(text) => Tree::Text(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Tree::Integer(n),
            Err(_) => Tree::Float(n.as_str().to_owned()),
        },
        DeValue::Float(n) => Tree::Float(n.as_str().to_owned()),
        DeValue::Boolean(b) => Tree::Bool(*b),
        DeValue::Datetime(d) => Tree::Text(d.to_string()),
        DeValue::Array(items) => {
            Tree::List(items.iter().map(|v| toml_value(v, lines, depth - 1, left)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(t) => return table(t, place, lines, depth - 1, left),
    };
    Ok(Node { place, value: tree })
}

fn bound(place: Place, depth: usize, left: &mut usize) -> Result<(), Problems> {
    if depth == 0 {
        return Err(one(
            place,
            format!("this nests deeper than {DEPTH_MAX}"),
            "specs are flat: name a resource instead",
        ));
    }
    *left =
        left.checked_sub(1).ok_or_else(|| one(place, format!("there are more than {NODES_MAX} values"), "split it"))?;
    Ok(())
}

fn read_yaml(text: &str) -> Result<Node, Problems> {
    let mut builder = Builder { left: NODES_MAX, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            let place = Place { line: e.marker().line().max(1), column: e.marker().col() + 1, width: 1 };
            one(place, format!("this is neither YAML nor JSON: {}", e.kind()), "")
        })?;
        let line = span.start.line().max(1);
        let width =
            if span.end.line() == span.start.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        let place = Place { line, column: span.start.col() + 1, width: width.max(1) };
        match event {
            Event::DocumentEnd => break,
            event => builder.take(event, place)?,
        }
    }
    Ok(builder.root.unwrap_or(Node { place: Place { line: 1, column: 1, width: 1 }, value: Tree::Null }))
}

/// A collection whose end has not come.
struct Open {
    place: Place,
    anchor: usize,
    is_map: bool,
    items: Vec<Node>,
    size: usize,
    depth: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// With how many nodes each has, and how deep it goes.
    anchors: HashMap<usize, (Node, usize, usize)>,
    left: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Problems> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = if style == ScalarStyle::Plain { plain(&text) } else { Tree::Text(text.into_owned()) };
                self.add(Node { place, value }, anchor, 1, 0)
            }
            Event::SequenceStart(_, anchor, _) => self.open(place, anchor, false),
            Event::MappingStart(_, anchor, _) => self.open(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { place, anchor, is_map, items, size, depth }) = self.open.pop() else { return Ok(()) };
                let value = if is_map { Tree::Map(pairs(items)) } else { Tree::List(items) };
                self.add(Node { place, value }, anchor, size, depth + 1)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, size, depth)) => {
                    let (node, size, depth) = (node.clone(), *size, *depth);
                    self.add(Node { place, ..node }, 0, size, depth)
                }
                None => Err(one(place, "an alias within its own anchor", "write the value out")),
            },
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, is_map: bool) -> Result<(), Problems> {
        bound(place, DEPTH_MAX.saturating_sub(self.open.len()), &mut self.left)?;
        self.open.push(Open { place, anchor, is_map, items: Vec::new(), size: 1, depth: 0 });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize, depth: usize) -> Result<(), Problems> {
        if self.open.len() + depth > DEPTH_MAX {
            return bound(node.place, 0, &mut self.left);
        }
        let spent = self.left.checked_sub(size);
        self.left =
            spent.ok_or_else(|| one(node.place, format!("there are more than {NODES_MAX} values"), "split it"))?;
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size, depth));
        }
        match self.open.last_mut() {
            Some(open) => {
                open.items.push(node);
                open.size = open.size.saturating_add(size);
                open.depth = open.depth.max(depth);
            }
            None => self.root = self.root.take().or(Some(node)),
        }
        Ok(())
    }
}

fn pairs(items: Vec<Node>) -> Vec<(Node, Node)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// A scalar without quotation marks, by the core schema of YAML 1.2.
fn plain(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" => return Tree::Bool(true),
        "false" | "False" | "FALSE" => return Tree::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_or_else(|_| Tree::Float(text.to_owned()), Tree::Integer);
    }
    let number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && text.parse::<f64>().is_ok();
    if number { Tree::Float(text.to_owned()) } else { Tree::Text(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.value {
            Tree::Null => "null".to_owned(),
            Tree::Bool(b) => b.to_string(),
            Tree::Integer(n) => n.to_string(),
            Tree::Float(n) => format!("~{n}"),
            Tree::Text(t) => format!("{t:?}"),
            Tree::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(", ")),
            Tree::Map(pairs) => {
                let all: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {}", shape(k), shape(v))).collect();
                format!("{{{}}}", all.join(", "))
            }
        }
    }

    #[test]
    fn one_tree_of_three_formats() {
        let wanted = r#"{"b": [1, "x", true], "a": {"c": "17", "d": ~1.5}}"#;
        for (format, text) in [
            (Format::Toml, "b = [1, 'x', true]\n[a]\nc = '17'\nd = 1.5\n"),
            (Format::Yaml, "b: [1, x, true]\na:\n  c: '17'\n  d: 1.5\n"),
            (Format::Json, r#"{"b": [1, "x", true], "a": {"c": "17", "d": 1.5}}"#),
        ] {
            assert_eq!(shape(&read(text, format).unwrap()), wanted);
        }
        assert_eq!(shape(&read("", Format::Yaml).unwrap()), "null");
        assert_eq!(shape(&read("a: &x [1]\nb: *x", Format::Yaml).unwrap()), r#"{"a": [1], "b": [1]}"#);
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let of = format!("*a{}, ", i - 1).repeat(10);
            bomb.push_str(&format!("a{i}: &a{i} [{of}]\n"));
        }
        // Each anchor holds the one before, so that aliases nest although the text does not.
        let mut tower = "a0: &a0 [x]\n".to_owned();
        (1..40).for_each(|i| tower.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1)));
        let deep = format!("a = {}1{}", "[".repeat(60), "]".repeat(60));
        let deeper = format!("{}x{}", "[".repeat(500), "]".repeat(500));
        for (text, format) in [
            (&bomb, Format::Yaml),
            (&tower, Format::Yaml),
            (&deep, Format::Toml),
            (&deeper, Format::Json),
            (&"a: *a".to_owned(), Format::Yaml),
            (&" ".repeat(SPEC_BYTES_MAX + 1), Format::Toml),
        ] {
            assert_eq!(read(text, format).unwrap_err().list.len(), 1);
        }
    }
}
