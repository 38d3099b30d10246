//! What is said of a mistake: what, where (a path, a line and column, and a caret below the very text), and what to do.

use std::fmt;

use crate::limits::PROBLEMS_MAX;

/// A place in a text: line and column from 1, and how many letters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In letters, from 1.
    pub column: usize,
    /// Letters; at least 1.
    pub width: usize,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text.
    pub place: Place,
    /// Where in the spec: `vm.web.fields.size`. Empty for the text itself.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// All mistakes of one text, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Those that are told.
    pub list: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl Problems {
    /// Adds one, or counts it when there are many.
    pub fn push(&mut self, place: Place, path: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) {
        if self.list.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        self.list.push(Problem { place, path: path.into(), what: what.into(), hint: hint.into() });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// As a terminal shows it: each mistake with its line and a caret.
    pub fn show(&self, file: &str, text: &str) -> String {
        let mut shown = String::new();
        for problem in &self.list {
            let Place { line, column, width } = problem.place;
            let source: String = text.lines().nth(line - 1).unwrap_or_default().replace('\t', " ");
            // A long line is shown around the place.
            let from = (column - 1).saturating_sub(80);
            let part: String = source.chars().skip(from).take(160).collect();
            let (number, caret) = (line.to_string(), " ".repeat(column - 1 - from) + &"^".repeat(width.clamp(1, 80)));
            let margin = " ".repeat(number.len());
            let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
            shown.push_str(&format!("error: {path}{}\n", problem.what));
            shown.push_str(&format!(
                "{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {part}\n{margin} | {caret}\n"
            ));
            if !problem.hint.is_empty() {
                shown.push_str(&format!("{margin} = {}\n", problem.hint));
            }
        }
        if self.more > 0 {
            shown.push_str(&format!("and {} more\n", self.more));
        }
        shown
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
            let Place { line, column, .. } = problem.place;
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{line}:{column}: {}", problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A hint with the known name that is nearest, or with all if none is near.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    // Half of a name may be wrong, but no more than three letters.
    let near = |k: &&str| distance(name, k).filter(|d| *d <= (k.len() / 2).clamp(1, 3));
    match known.iter().filter_map(|k| near(k).map(|d| (d, *k))).min() {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what}"),
        None if known.len() > 30 => format!("there are {} of {what}, none like it", known.len()),
        None => format!("{what}: {}", known.join(", ")),
    }
}

/// Levenshtein's distance in bytes; `None` for names too long to be typos.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len() > 64 || b.len() > 64 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    Some(row[b.len()])
}
