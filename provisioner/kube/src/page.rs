//! The table of levers as a page: `docs/kubernetes.md` is checked against it.

use std::fmt::Write as _;

use crate::KINDS;
use crate::lever::{Does, levers_of};

/// The levers of all kinds, one row each.
pub fn table() -> String {
    let mut text = "| kind | what | where |\n|---|---|---|\n".to_owned();
    for kind in KINDS {
        for lever in levers_of(kind) {
            let what = match lever.does {
                Does::Create => "create".to_owned(),
                Does::Destroy => "delete".to_owned(),
                Does::Change(name) => format!("change `{name}`"),
                Does::Fix(name) => format!("`{name}`: when made"),
            };
            let _ = writeln!(text, "| `{kind}` | {what} | {} |", lever.at);
        }
    }
    text
}
