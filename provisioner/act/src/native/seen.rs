//! A resource as the cloud tells of it, and a wish as it is read: both in the fields of Grid's types.

use std::collections::{BTreeMap, BTreeSet};

use grid_plan::state::Observed;
use grid_plan::{Fields, Path};
use serde_json::Value;

use super::Account;
use super::failure::Failure;

/// What Grid puts on a resource, under names that the cloud allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// The token of the last action that is done.
    pub token: String,
    /// The address that Grid knows it under.
    pub resource: String,
    /// The size that was asked for: the machine alone does not tell, because what lies between two sizes takes the larger.
    pub size: String,
    /// The machine that was named in its place.
    pub machine: String,
}

impl Marks {
    /// The names of the marks.
    pub const NAMES: [&str; 4] = ["token", "resource", "size", "machine"];

    /// By a look-up of each name.
    pub fn of<'a>(mut get: impl FnMut(&str) -> Option<&'a str>) -> Self {
        let mut text = |name| get(name).unwrap_or_default().to_owned();
        Self { token: text("token"), resource: text("resource"), size: text("size"), machine: text("machine") }
    }

    /// Each with its name; those that say nothing are empty.
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        [("token", &self.token), ("resource", &self.resource), ("size", &self.size), ("machine", &self.machine)]
    }
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// By which calls name it; the same as Terraform imports it by.
    pub id: String,
    /// Its full name, as bills have it; empty where there is none.
    pub full_name: String,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub region: String,
    /// Its tags or labels.
    pub tags: BTreeMap<String, String>,
    /// What Grid put on it.
    pub marks: Marks,
    /// Its machine, where it has one.
    pub machine: Option<String>,
    /// Its other fields, in the names of the type.
    pub own: Fields,
    /// What others may refer to.
    pub outputs: BTreeMap<String, Value>,
    /// What later calls need to know of it.
    pub handles: BTreeMap<&'static str, String>,
    /// The state on its way to another, if it is on one: nothing is asked of it meanwhile.
    pub busy: Option<String>,
    /// The group whose machine it is, if it is one: the group would set back whatever is changed of it.
    pub owner: Option<String>,
    /// Whether an earlier change of it was left half done.
    pub is_unfinished: bool,
}

impl Seen {
    /// What a call needs to know.
    pub fn handle(&self, name: &'static str) -> &str {
        self.handles.get(name).map_or("", String::as_str)
    }

    /// Its fields, in the names of the type.
    pub fn fields<A: Account + ?Sized>(&self, account: &A) -> Fields {
        let mut all = self.own.clone();
        let Some(machine) = &self.machine else { return all };
        let (size, is_named) = (self.marks.size.as_str(), self.marks.machine == *machine);
        let is_of_size = !size.is_empty() && (is_named || account.machine_of(size) == Some(machine));
        if is_of_size {
            all.set(&Path::of(["size"]), &Value::from(size));
        }
        if is_named || !is_of_size {
            all.set(&Path::of(["machine_type", account.machines()]), &Value::from(machine.as_str()));
        }
        all
    }

    /// As the state keeps it.
    pub fn observed<A: Account + ?Sized>(self, account: &A) -> Observed {
        let fields = self.fields(account);
        let mut outputs = self.outputs;
        outputs.extend(self.owner.map(|group| ("group".to_owned(), Value::from(group))));
        for (name, value) in [("id", &self.id), ("name", &self.name)] {
            if !value.is_empty() {
                outputs.entry(name.to_owned()).or_insert_with(|| Value::from(value.as_str()));
            }
        }
        Observed { id: self.id, fields, outputs, managed: BTreeSet::new(), needs: BTreeSet::new() }
    }
}

/// What is wanted of a resource.
pub struct Want<'a> {
    kind: &'a str,
    fields: &'a Fields,
}

impl<'a> Want<'a> {
    /// Of a kind.
    pub fn new(kind: &'a str, fields: &'a Fields) -> Self {
        Self { kind, fields }
    }

    /// The kind.
    pub fn kind(&self) -> &'a str {
        self.kind
    }

    /// All fields that are wanted.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Value)> {
        self.fields.iter()
    }

    fn get(&self, path: &Path) -> Option<&Value> {
        self.fields.get(path)
    }

    /// A number.
    pub fn int(&self, name: &str) -> Option<i32> {
        self.get(&Path::of([name]))?.as_i64().and_then(|n| i32::try_from(n).ok())
    }

    /// Yes or no.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(&Path::of([name]))?.as_bool()
    }

    /// The size that is asked for, and the machine that is named in its place. `machines` is the cloud's key.
    pub fn asked(&self, machines: &str) -> (Option<String>, Option<String>) {
        let text = |path: Path| self.get(&path).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        (text(Path::of(["size"])), text(Path::of(["machine_type", machines])))
    }

    /// The machine, named or by size; `None` if nothing is said about it.
    pub fn machine<A: Account + ?Sized>(&self, account: &A) -> Result<Option<String>, Failure> {
        match self.asked(account.machines()) {
            (_, Some(named)) => Ok(Some(named)),
            (Some(size), None) => match account.machine_of(&size) {
                Some(machine) => Ok(Some(machine.to_owned())),
                None => Err(Failure::refused(format!(
                    "no machine of {} has size {size:?}: name one in machine_type.{}",
                    account.driver(),
                    account.machines()
                ))),
            },
            (None, None) => Ok(None),
        }
    }
}
