//! A folder of `.tf` files to resources, without providers and without network: variables with their defaults and `.tfvars`,
//! locals, `count`, `for_each`, `dynamic` blocks, references, common functions and modules from local folders.
//!
//! What cannot be evaluated is [`Value::Unknown`](crate::value::Value::Unknown), with the resources that it will come from, and a note where that is worth a
//! sentence. Evaluation never fails as a whole; only a folder without any `.tf` file is an error.

mod module;
mod evaluate;
mod traverse;
mod function;

use std::collections::{BTreeMap, BTreeSet};

use hcl::{Body, Structure};

use self::evaluate::Evaluator;
use super::ReadError;
use crate::limits;
use crate::resource::{Inventory, Notes};
use crate::value::Value;

/// Where files come from. The door to the disk: this crate does no IO.
pub trait Sources {
    /// The `.tf` files of a folder, as (name, text), sorted by name; `None` if there is no such folder. The path is relative to the
    /// root folder, `""` for itself, and may begin with `../`.
    fn folder(&self, path: &str) -> Option<Vec<(String, String)>>;
    /// The text of one file, likewise; for `file()` and `templatefile()`.
    fn file(&self, path: &str) -> Option<String>;
}

/// A configuration in memory: path -> text. For tests and for callers that have read the files.
impl Sources for BTreeMap<String, String> {
    fn folder(&self, path: &str) -> Option<Vec<(String, String)>> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let files = self.iter().filter_map(|(name, text)| {
            let name = name.strip_prefix(&prefix)?;
            (!name.contains('/') && name.ends_with(".tf")).then(|| (name.to_owned(), text.clone()))
        });
        let files: Vec<_> = files.collect();
        (!files.is_empty()).then_some(files)
    }

    fn file(&self, path: &str) -> Option<String> {
        self.get(path).cloned()
    }
}

/// Reads a configuration: its root folder from `sources`, with the values of variables given (from `.tfvars`, see
/// [`variables`]).
pub fn read(sources: &dyn Sources, given: BTreeMap<String, Value>) -> Result<Inventory, ReadError> {
    if sources.folder("").is_none_or(|files| files.is_empty()) {
        return Err(ReadError::Empty("the folder".to_owned()));
    }
    Ok(Evaluator::new(sources, given).inventory())
}

/// Reads the assignments of a `.tfvars` file. What is not constant is left out with a note.
pub fn variables(name: &str, text: &str) -> Result<(BTreeMap<String, Value>, Notes), ReadError> {
    let mut notes = Notes::default();
    let body = parse(name, text)?;
    let none: BTreeMap<String, String> = BTreeMap::new();
    let evaluator = Evaluator::new(&none, BTreeMap::new());
    let mut found = BTreeMap::new();
    for attribute in body.attributes() {
        let value = evaluator.constant(&attribute.expr);
        if value.has_unknown() {
            notes.add(format!("{name}: {} is not a constant", attribute.key.as_str()));
        }
        found.insert(attribute.key.to_string(), value);
    }
    Ok((found, notes))
}

/// The blocks of one folder, by what they declare. Parsed once however often the module is called.
#[derive(Debug, Default)]
struct Folder {
    variables: BTreeMap<String, Body>,
    locals: BTreeMap<String, hcl::Expression>,
    resources: BTreeMap<(String, String), Body>,
    data: BTreeMap<(String, String), Body>,
    modules: BTreeMap<String, Body>,
    outputs: BTreeMap<String, hcl::Expression>,
    /// (name, alias) -> its body.
    providers: BTreeMap<(String, Option<String>), Body>,
}

impl Folder {
    fn read(files: Vec<(String, String)>, folder: &str, notes: &mut Notes) -> Self {
        let mut found = Self::default();
        let here = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let mut overrides = BTreeSet::new();
        for (name, text) in files {
            if name == "override.tf" || name.ends_with("_override.tf") {
                overrides.insert(here(&name));
                continue;
            }
            match parse(&here(&name), &text) {
                Ok(body) => found.add(body),
                Err(e) => notes.add(format!("{e}: the file is left out")),
            }
        }
        for name in overrides {
            notes.add(format!("{name}: override files are not merged"));
        }
        found
    }

    fn add(&mut self, body: Body) {
        for structure in body {
            let Structure::Block(block) = structure else { continue };
            let mut labels = block.labels.into_iter().map(|l| l.into_inner());
            let (first, second) = (labels.next(), labels.next());
            match (block.identifier.as_str(), first, second) {
                ("variable", Some(name), _) => drop(self.variables.insert(name, block.body)),
                ("locals", ..) => {
                    let attributes = block.body.into_attributes();
                    self.locals.extend(attributes.map(|a| (a.key.to_string(), a.expr)));
                }
                ("resource", Some(kind), Some(name)) => drop(self.resources.insert((kind, name), block.body)),
                ("data", Some(kind), Some(name)) => drop(self.data.insert((kind, name), block.body)),
                ("module", Some(name), _) => drop(self.modules.insert(name, block.body)),
                ("output", Some(name), _) => {
                    if let Some(value) = block.body.into_attributes().find(|a| a.key.as_str() == "value") {
                        self.outputs.insert(name, value.expr);
                    }
                }
                ("provider", Some(name), _) => {
                    let alias = attribute(&block.body, "alias").and_then(|e| match e {
                        hcl::Expression::String(text) => Some(text.clone()),
                        _ => None,
                    });
                    self.providers.insert((name, alias), block.body);
                }
                _ => {}
            }
        }
    }
}

fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a hcl::Expression> {
    body.attributes().find(|a| a.key.as_str() == name).map(|a| &a.expr)
}

fn parse(name: &str, text: &str) -> Result<Body, ReadError> {
    if text.len() > limits::FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { what: name.to_owned(), bytes: text.len(), max: limits::FILE_BYTES_MAX });
    }
    let malformed =
        |why: String| ReadError::Malformed { what: name.to_owned(), format: "HCL", why: why.replace('\n', " ") };
    hcl::parse(text.trim_start_matches('\u{feff}')).map_err(|e| malformed(e.to_string()))
}

#[cfg(test)]
mod tests;
