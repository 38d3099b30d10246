//! Grid's marks in the words that Compute Engine allows: labels on machines; and on groups, which have none, the end of a description. Names out of
//! addresses of resources.

use std::collections::BTreeMap;

use grid_act::native::seen::Marks;

use crate::limits::{LABEL_MAX, NAME_MAX};

/// The label that says that a machine was stopped for a change and is to run again, even if whoever stopped it was killed since.
pub(crate) const RESTART_LABEL: &str = "grid-restart";

/// How Grid's part of a description begins.
const BEGIN: &str = "[grid ";

/// The marks of a machine.
pub(crate) fn of_labels(labels: &BTreeMap<String, String>) -> Marks {
    Marks::of(|name| labels.get(&label(name)).map(String::as_str))
}

/// The labels of marks; those that say nothing are to be taken away.
pub(crate) fn labels(marks: &Marks) -> Vec<(String, Option<String>)> {
    let pair = |(name, value): (&str, &str)| (label(name), (!value.is_empty()).then(|| label_value(value)));
    marks.pairs().into_iter().map(pair).collect()
}

fn label(name: &str) -> String {
    format!("grid-{name}")
}

/// Labels hold small letters, digits, dashes and underscores.
fn label_value(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' };
    text.chars().take(LABEL_MAX).map(allowed).collect()
}

/// The marks at the end of a description.
pub(crate) fn of_description(text: &str) -> Marks {
    let own =
        text.rfind(BEGIN).map(|at| &text[at + BEGIN.len()..]).and_then(|t| t.strip_suffix(']')).unwrap_or_default();
    let pairs: BTreeMap<&str, &str> = own.split(' ').filter_map(|pair| pair.split_once('=')).collect();
    Marks::of(|name| pairs.get(name).copied())
}

/// A description with these marks at its end in place of others; what people wrote stays.
pub(crate) fn described(text: &str, marks: &Marks) -> String {
    let theirs = match text.rfind(BEGIN) {
        Some(at) if text.ends_with(']') => text[..at].trim_end(),
        _ => text,
    };
    let pairs: Vec<String> =
        marks.pairs().into_iter().filter(|(_, v)| !v.is_empty()).map(|(name, v)| format!("{name}={v}")).collect();
    let space = if theirs.is_empty() { "" } else { " " };
    format!("{theirs}{space}{BEGIN}{}]", pairs.join(" "))
}

/// The last part of an address.
pub(crate) fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// What an address says after `/projects/`, with `projects/` before it.
pub(crate) fn path(url: &str) -> &str {
    url.find("projects/").map_or(url, |at| &url[at..])
}

/// The name of what is made by a token: a token makes one thing, so a name that is taken was made by an earlier try.
pub(crate) fn name_by_token(base: &str, token: &str) -> String {
    let digits: String = token.chars().rev().take(8).collect();
    let base: String = base.chars().take(NAME_MAX - 9).collect();
    format!("{}-{digits}", base.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        let text = |t: &str| t.to_owned();
        Marks { token: text("grid-0123"), resource: text("vm.Web"), size: text("2x8"), machine: String::new() }
    }

    #[test]
    fn marks_are_labels() {
        let all: BTreeMap<_, _> = labels(&marks()).into_iter().filter_map(|(k, v)| Some((k, v?))).collect();
        assert_eq!(all["grid-resource"], "vm_web");
        assert!(!all.contains_key("grid-machine"));
        assert_eq!(of_labels(&all).token, "grid-0123");
        assert_eq!(of_labels(&all).size, "2x8");
    }

    #[test]
    fn marks_are_the_end_of_a_description_and_leave_the_rest() {
        for theirs in ["", "holds [60%] of load", "says [grid nothing] here"] {
            let once = described(theirs, &marks());
            assert_eq!(of_description(&once), marks(), "{once}");
            let twice = described(&once, &Marks { token: "grid-4567".to_owned(), ..marks() });
            assert_eq!(of_description(&twice).token, "grid-4567");
            assert!(twice.starts_with(theirs) && twice.matches("token=").count() == 1, "{twice}");
        }
        assert_eq!(of_description("nothing"), Marks::default());
    }

    #[test]
    fn names_are_short_and_hold_the_token() {
        assert_eq!(name_by_token("web", "grid-0123456789abcdef"), "web-fedcba98");
        assert_eq!(name_by_token(&"a".repeat(80), "grid-0123456789abcdef").len(), NAME_MAX);
        assert_eq!(path("https://x/compute/v1/projects/p/zones/z/instances/i"), "projects/p/zones/z/instances/i");
    }
}
