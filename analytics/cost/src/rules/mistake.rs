//! What is wrong with a file of rules, with line and caret.

use std::fmt;
use std::ops::Range;

/// One mistake, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMistake {
    /// What.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The line itself.
    pub text: String,
    /// Characters that are meant.
    pub width: usize,
}

impl RuleMistake {
    /// A mistake at a span of the source in bytes; what lies beyond its first line is not underlined.
    pub(crate) fn at(source: &str, span: Range<usize>, what: String, hint: Option<String>) -> Self {
        let floor = |at: usize| (0..=at.min(source.len())).rev().find(|i| source.is_char_boundary(*i)).unwrap_or(0);
        let start = floor(span.start);
        let end = floor(span.end).max(start);
        let line_start = source[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |i| start + i);
        Self {
            what,
            hint,
            line: source[..start].matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            text: source[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: source[start..end.min(line_end)].chars().count().max(1),
        }
    }
}

impl fmt::Display for RuleMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{}", self.what)?;
        writeln!(f, "{margin} --> line {}, column {}", self.line, self.column)?;
        writeln!(f, "{number} | {}", self.text)?;
        // Tabs stay tabs, so that the caret stands below its word in every editor.
        let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
        let indent: String = self.text.chars().take(self.column - 1).map(blank).collect();
        write!(f, "{margin} | {indent}{}", "^".repeat(self.width))?;
        if let Some(hint) = &self.hint {
            write!(f, "\n{margin} = {hint}")?;
        }
        Ok(())
    }
}
