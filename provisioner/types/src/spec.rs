//! A spec: resources by name, checked. [`Spec::read`] is the only way to one, so that whoever holds a spec need not check again.

use std::collections::{BTreeMap, BTreeSet};

use grid_plan::Graph;

use crate::catalog::{Type, find, types};
use crate::check::{Known, fields};
use crate::limits::{NAME_MAX, RESOURCES_MAX};
use crate::node::{Format, Node, Tree, read};
use crate::problem::{Place, Problems, suggest};
use crate::reference::{Address, Part};
use crate::render::RESERVED;

/// What somebody wants to have.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// In the order of the text.
    pub resources: Vec<Resource>,
}

/// One resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `vm.web`.
    pub address: Address,
    /// Its type.
    pub kind: &'static Type,
    /// The file that it is rendered to, if it is to have one with others.
    pub group: Option<String>,
    /// Every field that has a value or a default, in the type's order.
    pub fields: Vec<(&'static str, Value)>,
    /// Where its name stands.
    pub place: Place,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A text, with references to outputs.
    Text(Vec<Part>),
    /// A resource.
    Resource(Address),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// A text without references.
    pub fn text(text: &str) -> Self {
        Self::Text(if text.is_empty() { Vec::new() } else { vec![Part::Literal(text.to_owned())] })
    }

    /// Every resource that it refers to.
    pub fn references<'v>(&'v self, into: &mut Vec<&'v Address>) {
        match self {
            Self::Resource(address) => into.push(address),
            Self::Text(parts) => into.extend(parts.iter().filter_map(|p| match p {
                Part::Resource(address) | Part::Output(address, _) => Some(address),
                Part::Literal(_) => None,
            })),
            Self::List(values) => values.iter().for_each(|v| v.references(into)),
            Self::Map(pairs) => pairs.iter().for_each(|(_, v)| v.references(into)),
            Self::Bool(_) | Self::Integer(_) => {}
        }
    }
}

impl Spec {
    /// Reads and checks a text.
    pub fn read(text: &str, format: Format) -> Result<Self, Problems> {
        let root = read(text, format)?;
        let mut problems = Problems::default();
        let heads = heads(&root, &mut problems);
        let known: Known = heads.iter().map(|h| (h.address.clone(), h.kind)).collect();
        let resources: Vec<Resource> = heads
            .into_iter()
            .map(|head| {
                let fields = fields(head.kind, &head.address, head.fields, head.place, &known, &mut problems);
                Resource { address: head.address, kind: head.kind, group: head.group, fields, place: head.place }
            })
            .collect();
        let spec = Self { resources };
        if let Err(cycle) = spec.graph().waves() {
            let first = cycle.0.first();
            let place = spec.resources.iter().find(|r| Some(&r.address) == first).map(|r| r.place);
            let path = first.map(ToString::to_string).unwrap_or_default();
            let hint = "take one of the references out, or give a literal in its place";
            problems.push(place.unwrap_or(root.place), path, cycle.to_string(), hint);
        }
        problems.list.sort_by_key(|p| p.place);
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    /// What needs what.
    pub fn graph(&self) -> Graph<Address> {
        let mut graph = Graph::default();
        for resource in &self.resources {
            graph.add(resource.address.clone());
            let mut found = Vec::new();
            resource.fields.iter().for_each(|(_, value)| value.references(&mut found));
            found.into_iter().for_each(|other| graph.need(resource.address.clone(), other.clone()));
        }
        graph
    }

    /// A resource by its address.
    pub fn get(&self, address: &Address) -> Option<&Resource> {
        self.resources.iter().find(|r| r.address == *address)
    }
}

/// A resource before its fields are checked.
struct Head<'n> {
    address: Address,
    kind: &'static Type,
    group: Option<String>,
    fields: Option<&'n Node>,
    place: Place,
}

const ROOT: [&str; 2] = ["version", "resources"];
const HEAD: [&str; 4] = ["kind", "name", "group", "fields"];

fn heads<'n>(root: &'n Node, problems: &mut Problems) -> Vec<Head<'n>> {
    let Tree::Map(pairs) = &root.value else {
        let what = format!("a spec is a map with `resources`, this is {}", root.value.what());
        problems.push(root.place, "", what, "begin with `resources`, a list of `kind`, `name` and `fields`");
        return Vec::new();
    };
    let found = named(pairs, "", &ROOT, "a spec has", problems);
    if let Some((_, version)) = found.get("version")
        && version.value != Tree::Integer(1)
    {
        problems.push(version.place, "version", "specs have version 1", "write `1`, or leave it out");
    }
    let Some((_, list)) = found.get("resources") else {
        problems.push(root.place, "", "there are no `resources`", "add a list of `kind`, `name` and `fields`");
        return Vec::new();
    };
    let Tree::List(items) = &list.value else {
        let what = format!("this is {}, it must be a list of resources", list.value.what());
        problems.push(list.place, "resources", what, "each with `kind`, `name` and `fields`");
        return Vec::new();
    };
    if items.len() > RESOURCES_MAX {
        problems.push(
            list.place,
            "resources",
            format!("there are more than {RESOURCES_MAX} resources"),
            "split the spec",
        );
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    items.iter().enumerate().filter_map(|(n, item)| head(item, n, &mut seen, problems)).collect()
}

fn head<'n>(item: &'n Node, n: usize, seen: &mut BTreeSet<Address>, problems: &mut Problems) -> Option<Head<'n>> {
    let path = format!("resources[{n}]");
    let Tree::Map(pairs) = &item.value else {
        let what = format!("this is {}, it must be a map", item.value.what());
        problems.push(item.place, path, what, "give it `kind`, `name` and `fields`");
        return None;
    };
    let found = named(pairs, &path, &HEAD, "a resource has", problems);
    let mut text = |key: &str| match found.get(key) {
        Some((_, Node { value: Tree::Text(text), place })) => Some((text.as_str(), *place)),
        Some((_, other)) => {
            let what = format!("this is {}, it must be a text", other.value.what());
            problems.push(other.place, format!("{path}.{key}"), what, "");
            None
        }
        None if key == "group" => None,
        None => {
            problems.push(item.place, path.clone(), format!("`{key}` is missing"), format!("add `{key}`"));
            None
        }
    };
    let (kind, name, group) = (text("kind"), text("name"), text("group"));
    let (kind_text, kind_place) = kind?;
    let kind = find(kind_text);
    if kind.is_none() {
        let hint = suggest(kind_text, types().iter().map(|t| t.name.as_str()), "types");
        problems.push(kind_place, format!("{path}.kind"), format!("there is no type {}", quoted(kind_text)), hint);
    }
    let (name, place) = name?;
    for (text, place, key) in [(name, place, "name")].into_iter().chain(group.map(|(t, p)| (t, p, "group"))) {
        if !is_name(text) {
            let what = format!("{} is no name", quoted(text));
            let hint = format!("lower-case letters, digits and `-`, first a letter, at most {NAME_MAX}");
            problems.push(place, format!("{path}.{key}"), what, hint);
            return None;
        }
        if key == "group" && RESERVED.contains(&text) && text != "main" {
            let hint = format!("Grid writes {} itself", RESERVED.map(|r| format!("{r}.tf")).join(", "));
            problems.push(place, format!("{path}.group"), format!("no group can be called {}", quoted(text)), hint);
            return None;
        }
    }
    let kind = kind?;
    let address = Address { kind: kind.name.clone(), name: name.to_owned() };
    if !seen.insert(address.clone()) {
        problems.push(place, address.to_string(), "there is one of this type and name already", "give it another name");
        return None;
    }
    let fields = found.get("fields").map(|(_, node)| *node);
    Some(Head { address, kind, group: group.map(|(text, _)| text.to_owned()), fields, place })
}

/// The values of a map by name; tells of names twice and names unknown.
pub(crate) fn named<'n>(
    pairs: &'n [(Node, Node)],
    path: &str,
    known: &[&str],
    what: &str,
    problems: &mut Problems,
) -> BTreeMap<&'n str, (Place, &'n Node)> {
    let mut found = BTreeMap::new();
    for (key, value) in pairs {
        let Tree::Text(name) = &key.value else {
            problems.push(key.place, path, format!("a name is {}, it must be a text", key.value.what()), "quote it");
            continue;
        };
        if found.contains_key(name.as_str()) {
            problems.push(key.place, path, format!("{} is given twice", quoted(name)), "take one out");
        } else if known.contains(&name.as_str()) {
            found.insert(name.as_str(), (key.place, value));
        } else {
            problems.push(
                key.place,
                path,
                format!("there is no {} here", quoted(name)),
                suggest(name, known.iter().copied(), what),
            );
        }
    }
    found
}

/// A text of a stranger for a message: short, and without what would move the cursor.
pub(crate) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
