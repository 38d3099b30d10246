//! YAML as a tree that knows its places. Types are decided by who reads: a scalar is its text and whether it was quoted.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::limits::{FILE_BYTES_MAX, YAML_DEPTH_MAX, YAML_NODES_MAX};
use crate::problem::{Place, Problem, Problems};

/// A node and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: Kind,
}

/// The kinds of node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A text, a number, or nothing.
    Scalar {
        /// As written, without quotation marks.
        text: String,
        /// Whether it stands without quotation marks: `5` and `~` then are no texts.
        plain: bool,
        /// Whether it is a block (`|`, `>`), whose text begins on the next line.
        block: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in order.
    Map(Vec<(Node, Node)>),
}

/// The first document of a text; `None` if there is nothing in it but comments.
pub fn parse(text: &str) -> Result<Option<Node>, Problem> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Problem::error(
            Place { line: 1, column: 1 },
            format!("the file has more than {FILE_BYTES_MAX} bytes"),
        ));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            let place = Place { line: e.marker().line().max(1), column: e.marker().col() + 1 };
            Problem::error(place, format!("this is no YAML: {}", e.kind()))
        })?;
        let place = Place { line: span.start.line().max(1), column: span.start.col() + 1 };
        match event {
            Event::DocumentEnd => break,
            event => builder.take(event, place)?,
        }
    }
    Ok(builder.root.filter(|root| !root.is_null()))
}

/// A collection whose end has not come.
struct Open {
    place: Place,
    anchor: usize,
    is_map: bool,
    items: Vec<Node>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                self.add(Node { place, kind: Kind::Scalar { text: text.into_owned(), plain, block } }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.open(place, anchor, false),
            Event::MappingStart(_, anchor, _) => self.open(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { place, anchor, is_map, items }) = self.open.pop() else { return Ok(()) };
                let kind = if is_map { Kind::Map(pairs(items)) } else { Kind::List(items) };
                self.add(Node { place, kind }, anchor, 1)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, size)) => {
                    let (node, size) = (node.clone(), *size);
                    self.add(node, 0, size)
                }
                None => Err(Problem::error(place, "an alias within its own anchor")),
            },
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, is_map: bool) -> Result<(), Problem> {
        if self.open.len() >= YAML_DEPTH_MAX {
            return Err(Problem::error(place, format!("the document nests deeper than {YAML_DEPTH_MAX}")));
        }
        self.open.push(Open { place, anchor, is_map, items: Vec::new() });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > YAML_NODES_MAX {
            return Err(Problem::error(node.place, format!("the document has more than {YAML_NODES_MAX} nodes")));
        }
        if anchor != 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = self.root.take().or(Some(node)),
        }
        Ok(())
    }
}

/// Keys and values in turn as pairs. What merge keys (`<<`) bring comes last, and only where nothing of that name is written out.
fn pairs(items: Vec<Node>) -> Vec<(Node, Node)> {
    let (mut pairs, mut merged) = (Vec::with_capacity(items.len() / 2), Vec::new());
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        match (&key.kind, value) {
            (Kind::Scalar { text, plain: true, .. }, Node { kind: Kind::Map(of), .. }) if text == "<<" => {
                merged.extend(of);
            }
            (_, value) => pairs.push((key, value)),
        }
    }
    for (key, value) in merged {
        if !pairs.iter().any(|(k, _)| k.text().is_some() && k.text() == key.text()) {
            pairs.push((key, value));
        }
    }
    pairs
}

impl Node {
    /// Whether it is nothing: empty, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar; nothing is the empty text.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { .. } if self.is_null() => Some(""),
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a list; nothing has none.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ if self.is_null() => Some(&[]),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { .. } => "a text or number",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    fn size(&self) -> usize {
        match &self.kind {
            Kind::Scalar { .. } => 1,
            Kind::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Kind::Map(pairs) => 1 + pairs.iter().map(|(k, v)| k.size() + v.size()).sum::<usize>(),
        }
    }
}

/// A map whose keys are known by name. What is not asked for by [`Fields::done`] is told as unknown.
pub(crate) struct Fields<'a> {
    pub(crate) place: Place,
    pairs: Vec<(&'a str, Place, &'a Node, bool)>,
}

impl<'a> Fields<'a> {
    /// Of a map; tells of keys given twice. Nothing is a map without keys.
    pub(crate) fn of(node: &'a Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let mut pairs: Vec<(&str, Place, &Node, bool)> = Vec::new();
        match &node.kind {
            Kind::Map(all) => {
                for (key, value) in all {
                    let Some(name) = key.text() else {
                        problems.error(key.place, format!("a key of {what} is {}, not a name", key.what()));
                        continue;
                    };
                    if pairs.iter().any(|(n, ..)| *n == name) {
                        problems.error(key.place, format!("mapping key {name:?} already defined in {what}"));
                        continue;
                    }
                    pairs.push((name, key.place, value, false));
                }
            }
            _ if node.is_null() => {}
            _ => {
                problems.error(node.place, format!("{what} is {}, it must be a map", node.what()));
                return None;
            }
        }
        Some(Self { place: node.place, pairs })
    }

    /// The value of a key.
    pub(crate) fn get(&mut self, name: &str) -> Option<&'a Node> {
        let pair = self.pairs.iter_mut().find(|(n, ..)| *n == name)?;
        pair.3 = true;
        Some(pair.2)
    }

    /// Tells of all keys that nobody asked for. `known` are the names that there are.
    pub(crate) fn done(self, what: &str, known: &[&str], ignore_unknown: bool, problems: &mut Problems) {
        if ignore_unknown {
            return;
        }
        for (name, place, _, _) in self.pairs.iter().filter(|pair| !pair.3) {
            let problem = Problem::error(*place, format!("field {name} not found in {what}"));
            problems.push(match nearest(name, known) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("it may have {}", known.join(", "))),
            });
        }
    }
}

/// The known name that a typo of one or two letters makes of.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known.iter().map(|k| (distance(name, k), *k)).filter(|(d, _)| *d <= 2).min().map(|(_, k)| k)
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.kind {
            Kind::Scalar { .. } if node.is_null() => "null".to_owned(),
            Kind::Scalar { text, .. } => format!("{text:?}"),
            Kind::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(", ")),
            Kind::Map(pairs) => {
                let all: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {}", shape(k), shape(v))).collect();
                format!("{{{}}}", all.join(", "))
            }
        }
    }

    #[test]
    fn documents_are_trees() {
        for (text, expected) in [
            ("a: 1\nb: [x, 'y']\n", r#"{"a": "1", "b": ["x", "y"]}"#),
            ("a: |\n  x\n  y\nb:", r#"{"a": "x\ny\n", "b": null}"#),
            ("a: &x {k: v}\nb: *x\n", r#"{"a": {"k": "v"}, "b": {"k": "v"}}"#),
            ("a: &x {k: v}\nb: {<<: *x, l: w}\n", r#"{"a": {"k": "v"}, "b": {"l": "w", "k": "v"}}"#),
            ("a: &x {k: v}\nb: {k: w, <<: *x}\n", r#"{"a": {"k": "v"}, "b": {"k": "w"}}"#),
            ("- 1\n---\n- 2\n", r#"["1"]"#),
        ] {
            assert_eq!(shape(&parse(text).unwrap().unwrap()), expected, "{text}");
        }
        assert_eq!(parse("# nothing\n"), Ok(None));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let of = format!("*a{}, ", i - 1).repeat(10);
            bomb.push_str(&format!("a{i}: &a{i} [{of}]\n"));
        }
        let deep = format!("{}x{}", "[".repeat(500), "]".repeat(500));
        for text in [bomb.as_str(), deep.as_str(), "a: [1", "a: b: c"] {
            assert!(parse(text).is_err(), "{}", &text[..text.len().min(40)]);
        }
    }
}
