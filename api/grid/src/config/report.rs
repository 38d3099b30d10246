//! How a mistake in the settings is shown: what, where, a caret, and what was probably meant.

use std::fmt;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the configuration file, counted from 1.
    File { path: String, line: usize },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// A share of another setting.
    ShareOf(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::ShareOf(path) => write!(f, "a share of {path}"),
        }
    }
}

/// A piece of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) path: String,
    /// Line and column, counted from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The whole line.
    pub(crate) text: String,
    /// How many characters the carets underline.
    pub(crate) width: usize,
}

impl Excerpt {
    /// The piece of `source` between two byte offsets; what lies beyond its first line is not underlined.
    pub(crate) fn cut(path: &str, source: &str, span: std::ops::Range<usize>) -> Self {
        let start = floor_boundary(source, span.start);
        let end = floor_boundary(source, span.end).max(start);
        let line_start = source[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |i| start + i);
        Self {
            path: path.to_owned(),
            line: source[..start].matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            text: source[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: source[start..end.min(line_end)].chars().count().max(1),
        }
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where a mistake was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(Excerpt),
    Other(Origin),
}

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) what: String,
    pub(crate) place: Place,
    /// What was probably meant, or what to do.
    pub(crate) hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        match &self.place {
            Place::File(e) => {
                let gutter = e.line.to_string();
                let pad = " ".repeat(gutter.len());
                // Tabs are kept under tabs, so that carets stand where the eye expects them.
                let indent: String =
                    e.text.chars().take(e.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let hint = self.hint.as_deref().map_or(String::new(), |h| format!(" {h}"));
                writeln!(f, "{pad}--> {}:{}:{}", e.path, e.line, e.column)?;
                writeln!(f, "{pad} |")?;
                writeln!(f, "{gutter} | {}", e.text)?;
                writeln!(f, "{pad} | {indent}{}{hint}", "^".repeat(e.width))
            }
            Place::Other(origin) => {
                writeln!(f, " --> {origin}")?;
                match &self.hint {
                    Some(hint) => writeln!(f, "  = {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Every mistake of all sources at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors(pub(crate) Vec<Mistake>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}")?;
        }
        match self.0.len() {
            1 => write!(f, "1 mistake in the configuration; nothing was started"),
            n => write!(f, "{n} mistakes in the configuration; nothing was started"),
        }
    }
}
