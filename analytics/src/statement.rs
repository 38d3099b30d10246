//! A report as the statement that makes it.

use serde_json::Value;

/// A statement and its parameters: what reproduces a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text, with `$1`, `$2`.
    pub sql: String,
    /// The parameters.
    pub params: Vec<Value>,
}

impl Statement {
    /// The text with the parameters in it, for a reader who wants to run it.
    pub fn inlined(&self) -> String {
        let mut text = self.sql.clone();
        for (n, value) in self.params.iter().enumerate().rev() {
            let quoted = value.as_str().map_or_else(|| value.to_string(), |t| format!("'{}'", t.replace('\'', "''")));
            text = text.replace(&format!("${}", n + 1), &quoted);
        }
        text
    }
}
