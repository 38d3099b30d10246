//! Where and why a text is no expression.

use std::fmt;

use crate::ast::Span;

/// Why a text is no expression, and where. Displayed as Prometheus does: `1:5: parse error: unclosed left parenthesis`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, in the words of Prometheus' parser where it has some.
    pub message: String,
    /// The part of the text that is wrong, in bytes.
    pub span: Span,
    /// Line of its start, from 1; 0 if the text is empty.
    pub line: usize,
    /// Column of its start in bytes, from 1; 0 if the text is empty.
    pub column: usize,
}

impl ParseError {
    pub(crate) fn new(text: &str, failure: Failure) -> Self {
        let (line, column) = if text.is_empty() { (0, 0) } else { position(text, failure.span.start) };
        Self { message: failure.message, span: failure.span, line, column }
    }

    /// The line of `text` (what was parsed) where the error is, and below it a `^` under the spot.
    pub fn caret(&self, text: &str) -> String {
        let line = text.lines().nth(self.line.saturating_sub(1)).unwrap_or_default();
        let mut shown = String::with_capacity(2 * line.len() + 2);
        shown.push_str(line);
        shown.push('\n');
        // Tabs are kept so that the mark stands below the spot whatever their width.
        let before = line.char_indices().take_while(|(at, _)| at + 1 < self.column);
        shown.extend(before.map(|(_, c)| if c == '\t' { '\t' } else { ' ' }));
        shown.push('^');
        shown
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "unknown position: parse error: {}", self.message)
        } else {
            write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)
        }
    }
}

impl std::error::Error for ParseError {}

/// An error before its line is known.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) span: Span,
}

impl Failure {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span }
    }
}

/// Line and column of a byte of a text, both from 1; the column counts bytes, as in Prometheus. A place beyond the end counts as the
/// end.
pub fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    (line, before.len() - line_start + 1)
}
