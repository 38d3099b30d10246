//! Fields of a resource: JSON values at paths of keys. A list is one value; nothing inside of it has a path of its own, so that each field has one
//! writer and one line in a diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address::Address;
use crate::limits::{PATH_BYTES_MAX, PATH_DEPTH_MAX};

/// Where a field is: keys of nested objects, the outermost first. The empty path is the resource as a whole.
///
/// As text, keys are joined by dots; a key that is empty or holds a dot or a quote is quoted: `labels."app.kubernetes.io/name"`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<Box<str>>);

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no path of a field: {why}")]
pub struct BadPath {
    /// The text, cut.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

impl Path {
    /// The resource as a whole.
    pub fn root() -> Self {
        Self::default()
    }

    /// Of keys.
    pub fn of<I: IntoIterator<Item = S>, S: Into<Box<str>>>(keys: I) -> Self {
        Self(keys.into_iter().map(Into::into).collect())
    }

    /// From its text. The empty text is the root.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let bad = |why| BadPath { text: text.chars().take(100).collect(), why };
        if text.len() > PATH_BYTES_MAX {
            return Err(bad("it is too long"));
        }
        let (mut keys, mut rest): (Vec<Box<str>>, &str) = (Vec::new(), text);
        while !rest.is_empty() || (!keys.is_empty() && text.ends_with('.') && rest.is_empty()) {
            if rest.is_empty() {
                return Err(bad("a key is missing after the last dot"));
            }
            let (key, after) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted).ok_or_else(|| bad("a quote is not closed"))?,
                None => {
                    let end = rest.find('.').unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            let is_quoted = rest.starts_with('"');
            if !is_quoted && (key.is_empty() || key.contains('"')) {
                return Err(bad("a key is empty or holds a quote; quote it"));
            }
            keys.push(key.into());
            match (after.strip_prefix('.'), after.is_empty()) {
                (_, true) => break,
                (Some(""), _) => return Err(bad("a key is missing after the last dot")),
                (Some(next), _) => rest = next,
                (None, _) => return Err(bad("a dot is missing after a quoted key")),
            }
        }
        if keys.len() > PATH_DEPTH_MAX { Err(bad("it is too deep")) } else { Ok(Self(keys)) }
    }

    /// Whether it is the resource as a whole.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Its keys, the outermost first.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.0.iter().map(|k| &**k)
    }

    /// Whether the other path lies at or below this one.
    pub fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Whether writing at one changes what is at the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.holds(other) || other.holds(self)
    }

    /// The path of a key below this one.
    pub fn join(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([key.into()]).collect())
    }
}

crate::kept::text!(Path, Path::parse);

/// The key up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut key, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((key, &text[at + 1..])),
            '\\' => key.push(chars.next()?.1),
            c => key.push(c),
        }
    }
    None
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, key) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            if key.is_empty() || key.contains(['.', '"']) {
                write!(f, "\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))?;
            } else {
                f.write_str(key)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// All fields of a resource. No path lies below another; an object without keys is a value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Fields(BTreeMap<Path, Value>);

impl Fields {
    /// The fields of an object; anything but an object has none. What lies deeper than a path may go stays a value.
    pub fn of_json(value: &Value) -> Self {
        let mut fields = Self::default();
        if let Value::Object(map) = value {
            map.iter().for_each(|(key, value)| fields.spread(Path::of([key.as_str()]), value));
        }
        fields
    }

    /// The nested object.
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        for (path, value) in &self.0 {
            let Some((last, above)) = path.0.split_last() else { continue };
            let mut at = &mut root;
            for key in above {
                let next = at.entry(&**key).or_insert_with(|| Value::Object(Map::new()));
                if !next.is_object() {
                    *next = Value::Object(Map::new());
                }
                at = next.as_object_mut().expect("it was just made an object");
            }
            at.insert((**last).to_owned(), value.clone());
        }
        Value::Object(root)
    }

    /// The value at a path, if a field is there; an object that has fields is no value.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.0.get(path)
    }

    /// Every field at or below a path.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Value)> {
        self.0.range(path.clone()..).take_while(move |(p, _)| path.holds(p))
    }

    /// Every field, in order of paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Path, &Value)> + Clone {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a value, in place of all that was at, below or above the path. Without effect at the root.
    pub fn set(&mut self, path: &Path, value: &Value) {
        if path.is_root() {
            return;
        }
        self.remove(path);
        self.0.retain(|p, _| !p.holds(path));
        self.spread(path.clone(), value);
    }

    /// Removes all at or below a path.
    pub fn remove(&mut self, path: &Path) {
        let gone: Vec<Path> = self.below(path).map(|(p, _)| p.clone()).collect();
        gone.iter().for_each(|p| {
            self.0.remove(p);
        });
    }

    /// What other resources the values name, as `${kind.name...}`.
    pub fn references(&self) -> BTreeSet<Address> {
        let mut found = BTreeSet::new();
        self.0.values().for_each(|v| value_references(v, &mut found));
        found
    }

    fn spread(&mut self, path: Path, value: &Value) {
        match value {
            Value::Object(map) if !map.is_empty() && path.0.len() < PATH_DEPTH_MAX => {
                map.iter().for_each(|(key, value)| self.spread(path.join(key), value));
            }
            value => {
                self.0.insert(path, value.clone());
            }
        }
    }
}

impl FromIterator<(Path, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Path, Value)>>(fields: I) -> Self {
        let mut all = Self::default();
        fields.into_iter().for_each(|(path, value)| all.set(&path, &value));
        all
    }
}

/// What a text names between `${` and `}`: a resource, and the keys behind it (`out.host`). `$${` is a plain `${`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The resource.
    pub to: Address,
    /// The output, without the word `out`; empty for the resource itself (its id).
    pub output: Path,
}

/// A text, cut into what stays and what it refers to. What looks like a reference and is none stays text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Stays.
    Text(&'t str),
    /// Refers.
    Refers(Reference),
}

/// Cuts a text into pieces.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("${") {
        let is_escaped = rest[..at].ends_with('$');
        let end = rest[at..].find('}').map(|e| at + e);
        let reference = end.filter(|_| !is_escaped).and_then(|end| reference(&rest[at + 2..end]));
        let (text, cut) = match (&reference, end) {
            (Some(_), Some(end)) => (&rest[..at], end + 1),
            _ if is_escaped => (&rest[..at - 1], at),
            _ => (&rest[..at + 2], at + 2),
        };
        if !text.is_empty() {
            found.push(Piece::Text(text));
        }
        // Behind an escape the `${` itself is text.
        if is_escaped {
            found.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        found.extend(reference.map(Piece::Refers));
        rest = &rest[cut..];
    }
    if !rest.is_empty() || found.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

fn reference(inside: &str) -> Option<Reference> {
    let path = Path::parse(inside.trim()).ok()?;
    let (kind, name) = (path.0.first()?, path.0.get(1)?);
    let to = Address::new(kind, name).ok()?;
    let rest = &path.0[2..];
    let output = match rest.first() {
        Some(first) if &**first == "out" => rest[1..].to_vec(),
        _ => rest.to_vec(),
    };
    Some(Reference { to, output: Path(output) })
}

fn value_references(value: &Value, found: &mut BTreeSet<Address>) {
    match value {
        Value::String(text) if text.contains("${") => {
            found.extend(pieces(text).into_iter().filter_map(|p| match p {
                Piece::Refers(reference) => Some(reference.to),
                Piece::Text(_) => None,
            }));
        }
        Value::Array(list) => list.iter().for_each(|v| value_references(v, found)),
        Value::Object(map) => map.values().for_each(|v| value_references(v, found)),
        _ => {}
    }
}

/// Whether two values are the same to a cloud: numbers by what they say (`1` is `1.0`), the rest by what they are.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.as_f64().is_some() && x.as_f64() == y.as_f64()),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// As [`same`], for lists in which the order says nothing.
pub fn same_set(a: &Value, b: &Value) -> bool {
    let (Value::Array(x), Value::Array(y)) = (a, b) else { return same(a, b) };
    let mut left: Vec<&Value> = y.iter().collect();
    x.len() == y.len()
        && x.iter().all(|x| match left.iter().position(|y| same(x, y)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}

/// The same value with the keys of all objects in order, so that a text of it is the same however it was built.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let keys: BTreeMap<&String, &Value> = map.iter().collect();
            Value::Object(keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_print_and_parse() {
        for good in ["", "a", "a.b.c", r#"labels."app.kubernetes.io/name""#, r#""".x"#, r#"a."q\"t\\""#] {
            assert_eq!(Path::parse(good).unwrap().to_string(), good);
        }
        for bad in [".", "a.", ".a", "a..b", "\"a", "\"a\"b", "a\"b", &"a.".repeat(40), &"a".repeat(2000)] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_replace_what_overlaps() {
        let check = |path: &str, value: Value, expected: Value| {
            let mut fields = Fields::of_json(&json!({"size": {"min": 1, "max": 4}, "tags": {}, "zones": ["a", "b"]}));
            fields.set(&Path::parse(path).unwrap(), &value);
            assert_eq!(sorted(&fields.to_json()), sorted(&expected), "{path}");
        };
        check("size.max", json!(8), json!({"size": {"min": 1, "max": 8}, "tags": {}, "zones": ["a", "b"]}));
        check("size", json!(3), json!({"size": 3, "tags": {}, "zones": ["a", "b"]}));
        check("zones.first", json!(1), json!({"size": {"min": 1, "max": 4}, "tags": {}, "zones": {"first": 1}}));
        check(
            "tags",
            json!({"a": {"b": 1}}),
            json!({"size": {"min": 1, "max": 4}, "tags": {"a": {"b": 1}}, "zones": ["a", "b"]}),
        );
        check("", json!(1), json!({"size": {"min": 1, "max": 4}, "tags": {}, "zones": ["a", "b"]}));
    }

    #[test]
    fn texts_refer() {
        let check = |text: &str, expected: &str| {
            let shown = pieces(text).into_iter().map(|p| match p {
                Piece::Text(text) => format!("[{text}]"),
                Piece::Refers(r) => format!("<{} {}>", r.to, r.output),
            });
            assert_eq!(shown.collect::<String>(), expected, "{text}");
        };
        check("", "[]");
        check("plain", "[plain]");
        check("${postgresql.main.out.host}", "<postgresql.main host>");
        check("a ${vm.a.id} b ${vm.b}", "[a ]<vm.a id>[ b ]<vm.b >");
        check("$${vm.a}", "[${][vm.a}]");
        check("${nothing} ${vm.a", "[${][nothing} ${][vm.a]");
        check("x$${y} ${vm.a}", "[x][${][y} ]<vm.a >");
    }

    #[test]
    fn numbers_and_sets_are_compared_by_meaning() {
        for (a, b, by_order, by_set) in [
            (json!(1), json!(1.0), true, true),
            (json!([1, 2]), json!([2, 1.0]), false, true),
            (json!([1, 1]), json!([1, 2]), false, false),
            (json!({"a": 1}), json!({"a": 1.0}), true, true),
            (json!("1"), json!(1), false, false),
            (json!(null), json!(null), true, true),
        ] {
            assert_eq!((same(&a, &b), same_set(&a, &b)), (by_order, by_set), "{a} {b}");
        }
    }

    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z.\"$]{0,4}".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..3).prop_map(Value::from),
        ];
        let nested = leaf.prop_recursive(4, 24, 4, |inner| {
            proptest::collection::btree_map("[a-c.\"]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        });
        proptest::collection::btree_map("[a-c.]{0,2}", nested, 0..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn objects_and_fields_are_the_same_thing(value in object()) {
            let fields = Fields::of_json(&value);
            prop_assert!(same(&fields.to_json(), &value));
            for (path, _) in fields.iter() {
                prop_assert_eq!(&Path::parse(&path.to_string()).unwrap(), path);
                prop_assert_eq!(fields.below(path).count(), 1);
            }
        }
    }
}
