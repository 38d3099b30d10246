//! A resource as the cloud tells of it, and a wish as it is read: both in the fields of Grid's types.

use std::collections::{BTreeMap, BTreeSet};

use grid_plan::state::Observed;
use grid_plan::{Fields, Path};
use grid_types::size::{Size, machine};
use grid_types::{Cloud, find};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// The tag with the size that was asked for, and the machine that was named in its place, if one was: the machine alone does not tell, because what lies between two sizes takes the larger.
pub(crate) const SIZE_TAG: &str = "grid:size";
/// The tag with the address that Grid knows a resource under.
pub(crate) const RESOURCE_TAG: &str = "grid:resource";
/// The tag with the token of the creation: what carries it was begun, and is not made again.
pub(crate) const BEGUN_TAG: &str = "grid:begun";
/// What the tag of a size says when the machine was named itself.
pub(crate) const NO_SIZE: &str = "none";

/// A resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Seen {
    /// By which calls name it; the same as Terraform imports it by.
    pub(crate) id: String,
    /// Its full name, as bills have it; empty where there is none.
    pub(crate) arn: String,
    /// What people call it.
    pub(crate) name: String,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// Its machine, where it has one.
    pub(crate) machine: Option<String>,
    /// Its other fields, in the names of the type.
    pub(crate) fields: Map<String, Value>,
    /// What others may refer to.
    pub(crate) outputs: BTreeMap<String, Value>,
    /// What later calls need to know of it.
    pub(crate) handles: BTreeMap<&'static str, String>,
    /// How many of it there are to be now, where the cloud's own scaling moves that.
    pub(crate) desired: Option<i32>,
    /// Whether an earlier change of it was left half done.
    pub(crate) is_unfinished: bool,
}

/// The tag that says whether somebody asked for a number. Where nobody did, the cloud's own scaling moves it, and it is told as an output, so
/// that taking a group over does not pin it.
pub(crate) const DESIRED_TAG: &str = "grid:desired";
/// What that tag says when somebody did.
pub(crate) const KEPT: &str = "kept";

/// An object without those members that are null, and without objects that are empty.
pub(crate) fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { return Map::new() };
    let full = |v: &Value| !v.is_null() && v.as_object().is_none_or(|m| !m.is_empty());
    map.into_iter()
        .map(|(key, v)| (key, if v.is_object() { Value::Object(fields(v)) } else { v }))
        .filter(|(_, v)| full(v))
        .collect()
}

/// What is there, as JSON: nothing is null.
pub(crate) fn or_null<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}

impl Seen {
    /// Its fields, in the names of the type. `family` is of its machines.
    pub(crate) fn fields(&self, family: Option<&str>) -> Fields {
        let mut all = Fields::of_json(&Value::Object(self.fields.clone()));
        if let (Some(desired), true) = (self.desired, self.has(DESIRED_TAG, KEPT)) {
            all.set(&Path::of(["desired"]), &Value::from(desired));
        }
        if let (Some(machine), Some(family)) = (&self.machine, family) {
            let tag = self.tags.get(SIZE_TAG).map_or("", String::as_str);
            let (size, named) = tag.split_once(' ').map_or((tag, None), |(size, named)| (size, Some(named)));
            let is_named = named == Some(machine.as_str());
            let is_of_size = is_named || machine_of(family, size) == Some(machine);
            let size = if is_of_size { Some(size.to_owned()) } else { memory_of(family, machine) };
            match &size {
                Some(size) if family == "cache" => all.set(&Path::of(["memory_gib"]), &gib(size)),
                Some(size) => all.set(&Path::of(["size"]), &Value::from(size.as_str())),
                None => {}
            }
            if is_named || size.is_none() {
                all.set(&Path::of(["machine_type", "aws"]), &Value::from(machine.as_str()));
            }
        }
        all
    }

    /// As the state keeps it.
    pub(crate) fn observed(self, family: Option<&str>) -> Observed {
        let fields = self.fields(family);
        let mut outputs = self.outputs;
        outputs.extend(self.desired.map(|n| ("desired".to_owned(), Value::from(n))));
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                outputs.entry(name.to_owned()).or_insert_with(|| Value::from(value));
            }
        };
        put("id", &self.id);
        put("arn", &self.arn);
        put("name", &self.name);
        Observed { id: self.id, fields, outputs, managed: BTreeSet::new(), needs: BTreeSet::new() }
    }

    /// Whether a tag has a value.
    pub(crate) fn has(&self, key: &str, value: &str) -> bool {
        self.tags.get(key).is_some_and(|v| v == value)
    }

    /// What a call needs to know.
    pub(crate) fn handle(&self, name: &'static str) -> &str {
        self.handles.get(name).map_or("", String::as_str)
    }
}

/// `1x6` as 6.
fn gib(size: &str) -> Value {
    json!(size.split_once('x').and_then(|(_, n)| n.parse::<u32>().ok()))
}

/// The size of a cache's machine, `1x6`, if it is in the table: a cache has no other name for what it is.
fn memory_of(family: &str, name: &str) -> Option<String> {
    if family != "cache" {
        return None;
    }
    let all = (1..=100).map(|n| format!("1x{n}"));
    // The largest that it can hold: what lies below would be the same machine.
    all.rev().find(|size| machine_of("cache", size) == Some(name))
}

/// The machine of a size, such as `2x8`.
pub(crate) fn machine_of<'a>(family: &str, size: &'a str) -> Option<&'a str> {
    machine(Cloud::Aws, family, size.parse::<Size>().ok()?)
}

/// What is wanted of something that is made: where nobody says anything, what the type says. `is_known` are the fields that can be set.
pub(crate) fn with_defaults(kind: &str, fields: &Fields, is_known: impl Fn(&Path) -> bool) -> Fields {
    let mut all = fields.clone();
    for field in find(kind).map(|t| t.fields.as_slice()).unwrap_or_default() {
        let path = Path::of([field.name.as_str()]);
        let is_said = all.below(&path).next().is_some()
            || (["size", "memory_gib"].contains(&field.name.as_str())
                && all.get(&Path::of(["machine_type", "aws"])).is_some());
        let default = field.default.as_ref().and_then(|d| serde_json::to_value(d).ok());
        if let Some(default) = default.filter(|_| !is_said && (field.name == "size" || is_known(&path))) {
            all.set(&path, &default);
        }
    }
    all
}

/// What is wanted of a resource.
pub(crate) struct Want<'a> {
    kind: &'a str,
    fields: &'a Fields,
    family: Option<&'static str>,
}

impl<'a> Want<'a> {
    /// Of a kind, with machines of a family.
    pub(crate) fn new(kind: &'a str, fields: &'a Fields, family: Option<&'static str>) -> Self {
        Self { kind, fields, family }
    }

    /// All fields that are wanted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &Value)> {
        self.fields.iter()
    }

    /// A field.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let path = Path::parse(name).ok()?;
        if let Some(value) = self.fields.get(&path) {
            return Some(value.clone());
        }
        let below: Fields = self.fields.below(&path).map(|(p, v)| (p.clone(), v.clone())).collect();
        if !below.is_empty() {
            let mut at = below.to_json();
            for key in path.keys() {
                at = at.get(key)?.clone();
            }
            return Some(at);
        }
        None
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A text that must be there.
    pub(crate) fn must(&self, name: &str) -> Result<String, Failure> {
        let missing = || {
            let why = format!("a {} cannot be made without {name}: give it, or let the recipe make it", self.kind);
            Failure::refused("", why)
        };
        self.text(name).ok_or_else(missing)
    }

    /// A number.
    pub(crate) fn int(&self, name: &str) -> Option<i32> {
        self.get(name).and_then(|v| v.as_i64()).and_then(|n| i32::try_from(n).ok())
    }

    /// Yes or no.
    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// Texts: a list, or one with commas between them.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            Some(Value::String(text)) => {
                text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Texts by name.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let of = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        match self.get(name) {
            Some(Value::Object(map)) => map.iter().map(|(k, v)| (k.clone(), of(v))).collect(),
            _ => BTreeMap::new(),
        }
    }

    /// What the tag of a size remembers: the size, and the machine that is named in its place.
    pub(crate) fn size_tag(&self) -> String {
        match (self.size(), self.named()) {
            (Some(size), Some(named)) => format!("{size} {named}"),
            (Some(size), None) => size,
            (None, _) => NO_SIZE.to_owned(),
        }
    }

    /// The size that is asked for.
    fn size(&self) -> Option<String> {
        match self.family? {
            "cache" => self.int("memory_gib").map(|n| format!("1x{n}")),
            _ => self.text("size"),
        }
    }

    fn named(&self) -> Option<&str> {
        self.fields.get(&Path::of(["machine_type", "aws"]))?.as_str()
    }

    /// Whether anything is said about the machine.
    pub(crate) fn says_machine(&self) -> bool {
        let says = |name: &str| self.fields.get(&Path::of([name])).is_some();
        self.named().is_some() || says("size") || (self.family == Some("cache") && says("memory_gib"))
    }

    /// The machine, named or by size.
    pub(crate) fn machine(&self) -> Result<String, Failure> {
        if let Some(name) = self.named() {
            return Ok(name.to_owned());
        }
        let (family, size) = (self.family.unwrap_or_default(), self.size().unwrap_or_default());
        machine_of(family, &size).map(str::to_owned).ok_or_else(|| {
            Failure::refused("", format!("no machine of AWS has size {size:?}: name one in machine_type.aws"))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(machine: &str, tag: Option<&str>, family: &str, expected: Value) {
        let tags = tag.map(|t| (SIZE_TAG.to_owned(), t.to_owned())).into_iter().collect();
        let seen = Seen { machine: Some(machine.to_owned()), tags, ..Seen::default() };
        assert_eq!(seen.fields(Some(family)).to_json(), expected, "{machine} {tag:?}");
    }

    #[test]
    fn machines_are_told_as_they_were_asked_for() {
        check("m7i.large", Some("2x8"), "vm", json!({"size": "2x8"}));
        // What lies between two sizes takes the larger, and is still what was asked.
        check("m7i.xlarge", Some("3x9"), "vm", json!({"size": "3x9"}));
        // Somebody changed it since.
        check("c5.large", Some("2x8"), "vm", json!({"machine_type": {"aws": "c5.large"}}));
        check("m7i.large", Some(NO_SIZE), "vm", json!({"machine_type": {"aws": "m7i.large"}}));
        check("c5.large", Some("2x8 c5.large"), "vm", json!({"size": "2x8", "machine_type": {"aws": "c5.large"}}));
        check("m7i.large", None, "vm", json!({"machine_type": {"aws": "m7i.large"}}));
        check("cache.m7g.large", None, "cache", json!({"memory_gib": 6}));
        check("cache.m7g.large", Some("1x4"), "cache", json!({"memory_gib": 4}));
        check("cache.r5.large", None, "cache", json!({"machine_type": {"aws": "cache.r5.large"}}));
    }

    #[test]
    fn wishes_are_read_with_the_defaults_of_the_type() {
        let fields = Fields::of_json(&json!({"max": 5, "network": "subnet-a, subnet-b", "aws": {"image": "ami-1"}}));
        let bare = Want::new("autoscaling_group", &fields, Some("vm"));
        assert_eq!((bare.int("min"), bare.int("max"), bare.says_machine()), (None, Some(5), false));
        let fields = with_defaults("autoscaling_group", &fields, |path| *path == Path::of(["min"]));
        let want = Want::new("autoscaling_group", &fields, Some("vm"));
        assert_eq!((want.int("min"), want.int("max"), want.int("desired")), (Some(1), Some(5), None));
        assert_eq!(want.get("target_cpu_percent"), None);
        assert_eq!(want.texts("network"), ["subnet-a", "subnet-b"]);
        assert_eq!(want.text("aws.image").unwrap(), "ami-1");
        assert_eq!(want.machine().unwrap(), "m7i.large");
        assert!(want.must("aws.role").is_err());
        let fields = Fields::of_json(&json!({"size": "2x8", "machine_type": {"aws": "c7i.large"}}));
        let want = Want::new("vm", &fields, Some("vm"));
        assert_eq!((want.machine().unwrap().as_str(), want.size_tag().as_str()), ("c7i.large", "2x8 c7i.large"));
        let fields = Fields::of_json(&json!({"env": {"A": "1", "B": 2}}));
        let want = Want::new("function", &fields, None);
        assert_eq!(want.map("env").len(), 2);
    }
}
