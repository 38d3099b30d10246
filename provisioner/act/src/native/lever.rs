//! What can be done to each kind, by which call: one table per cloud. The executor refuses what is not in it, the planner's knowledge and the page in
//! the documents are made of it, and the cloud's suite goes through it.

use std::fmt::Write as _;

use grid_plan::Path;
use grid_plan::kinds::Kinds;
use serde_json::json;

/// One thing that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lever {
    /// To which kind.
    pub kind: &'static str,
    /// What.
    pub does: Does,
    /// The call that does it, or that tells it.
    pub call: &'static str,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// A field is changed where it is. `machine` is all ways to say a machine: `size` and `machine_type`.
    Change(&'static str),
    /// A field that is read and never changed: it was set when the resource was made.
    Fix(&'static str),
    /// It is deleted.
    Destroy,
}

impl Lever {
    /// A row of a table.
    pub const fn new(kind: &'static str, does: Does, call: &'static str) -> Self {
        Self { kind, does, call }
    }

    /// The field that it is about.
    pub fn field(&self) -> Option<&'static str> {
        match self.does {
            Does::Change(name) | Does::Fix(name) => Some(name),
            Does::Destroy => None,
        }
    }

    /// Whether it is about this field or what holds it.
    pub fn holds(&self, path: &Path) -> bool {
        match self.field() {
            Some("machine") => says_machine(path),
            Some(name) => Path::parse(name).is_ok_and(|p| p.holds(path)),
            None => false,
        }
    }
}

/// Whether a field says which machine it is.
pub fn says_machine(path: &Path) -> bool {
    ["size", "machine_type", "machine"].contains(&path.keys().next().unwrap_or_default())
}

/// The kinds of a table, in its order.
pub fn kinds_of(levers: &[Lever]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for lever in levers {
        if !kinds.contains(&lever.kind) {
            kinds.push(lever.kind);
        }
    }
    kinds
}

/// What a planner must know of the kinds of a table. No field makes a resource anew: nothing is made here.
pub fn kinds(levers: &[Lever]) -> Kinds {
    let mut kinds = Kinds::roles();
    for lever in levers.iter().filter(|l| l.does == Does::Change("running")) {
        if let Some(kind) = kinds.0.get_mut(lever.kind) {
            // A machine that stands costs its disk only.
            kind.asleep = vec![(Path::of(["running"]), json!(false))];
        }
    }
    kinds
}

/// The table as a page has it, one row each.
pub fn table(levers: &[Lever]) -> String {
    let mut text = "| kind | what | call |\n|---|---|---|\n".to_owned();
    for lever in levers {
        let what = match lever.does {
            Does::Change(name) => format!("change `{name}`"),
            Does::Fix(name) => format!("`{name}`: told, never changed"),
            Does::Destroy => "delete".to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {what} | {} |", lever.kind, lever.call);
    }
    text
}
