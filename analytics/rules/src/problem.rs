//! What is wrong with a file, where, and what to do.

use std::fmt;

use crate::limits::PROBLEMS_MAX;

/// A place in a text, both counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What is there cannot be used.
    Error,
    /// It can, but is probably not meant (promtool's lint).
    Warning,
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What, in Prometheus' words where it has some.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// Something that cannot be used.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { place, severity: Severity::Error, message: message.into(), hint: None }
    }

    /// Something that is probably not meant.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `12:7: field 'expr' must be set in rule`; the hint is left to who shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.line, self.place.column, self.message)
    }
}

/// Problems as they are found: at most [`PROBLEMS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.found.len() < PROBLEMS_MAX { self.found.push(problem) } else { self.left_out += 1 }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) {
        self.push(Problem::error(place, message));
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.left_out + self.found.iter().filter(|p| p.severity == Severity::Error).count()
    }

    /// All of them by place; those left out are counted in one more.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|p| p.place);
        if let (1.., Some(last)) = (self.left_out, self.found.last()) {
            self.found.push(Problem::error(last.place, format!("and {} problems more", self.left_out)));
        }
        self.found
    }
}
