//! What can go wrong with a query, told to the person who wrote it: what happened, where, and what to try.

use std::fmt;
use std::time::Duration;

use datafusion::common::{DataFusionError, Diagnostic, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

/// A place in the text of a statement, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The text is no SQL.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
        /// Where.
        position: Option<Position>,
    },
    /// A statement that would change something or leave the tenant's tables.
    #[error("{statement} is not allowed: only queries are")]
    Refused {
        /// The kind of statement.
        statement: String,
    },
    /// No such table.
    #[error("there is no table {name}")]
    UnknownTable {
        /// The name as understood.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// No such column.
    #[error("there is no column {name}")]
    UnknownColumn {
        /// The name as understood.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// The names that exist, if they are few.
        columns: Vec<String>,
        /// Where.
        position: Option<Position>,
    },
    /// No such function.
    #[error("there is no function {name}")]
    UnknownFunction {
        /// The name as understood.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// The statement means nothing: wrong types, ambiguous names, a missing GROUP BY.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to try.
        hint: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// The parameters do not fit the statement.
    #[error("{0}")]
    Parameters(String),
    /// The data does not allow the calculation: a division by zero, an overflow, a text that is no number.
    #[error("{0}")]
    Data(String),
    /// The statement is too large.
    #[error("the statement has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The deadline passed.
    #[error("the query did not finish within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Somebody ended it.
    #[error("the query was cancelled")]
    Cancelled,
    /// It needs more memory than allowed and could not spill.
    #[error("the query needs more memory than it may have: {0}")]
    Memory(String),
    /// The answer has too many rows.
    #[error("the answer has more than {0} rows")]
    TooManyRows(usize),
    /// Too many queries run.
    #[error("{0} queries are running and none ended in time")]
    Busy(usize),
    /// Something that SQL has and this engine lacks.
    #[error("{0}")]
    Unsupported(String),
    /// Files could not be read.
    #[error("storage: {0}")]
    Storage(String),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl QueryError {
    /// The code under which the documentation explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "GRID-0400",
            Self::Refused { .. } => "GRID-0401",
            Self::UnknownTable { .. } => "GRID-0402",
            Self::UnknownColumn { .. } => "GRID-0403",
            Self::UnknownFunction { .. } => "GRID-0404",
            Self::Invalid { .. } => "GRID-0405",
            Self::Parameters(_) => "GRID-0406",
            Self::Data(_) => "GRID-0407",
            Self::Timeout(_) => "GRID-0408",
            Self::Cancelled => "GRID-0409",
            Self::Memory(_) => "GRID-0410",
            Self::TooManyRows(_) => "GRID-0411",
            Self::Busy(_) => "GRID-0412",
            Self::TooLarge { .. } => "GRID-0413",
            Self::Unsupported(_) => "GRID-0414",
            Self::Storage(_) => "GRID-0450",
            Self::Internal(_) => "GRID-0451",
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let meant = |s: &Option<String>| s.as_ref().map(|s| format!("did you mean {s}?"));
        match self {
            Self::UnknownTable { suggestion, .. } => {
                Some(meant(suggestion).unwrap_or_else(|| "SHOW TABLES lists what there is".into()))
            }
            Self::UnknownColumn { suggestion, columns, .. } => meant(suggestion)
                .or_else(|| (!columns.is_empty()).then(|| format!("the columns are {}", columns.join(", ")))),
            Self::UnknownFunction { suggestion, .. } => {
                Some(meant(suggestion).unwrap_or_else(|| "SHOW FUNCTIONS lists what there is".into()))
            }
            Self::Invalid { hint, .. } => hint.clone(),
            Self::Refused { .. } => {
                Some("use SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN, one statement at a time".into())
            }
            Self::Timeout(_) => Some("ask for less time or fewer columns, or raise timeout_ms".into()),
            Self::Memory(_) => Some("ask for less time, group by fewer columns, or raise the memory limit".into()),
            Self::TooManyRows(_) => Some("add LIMIT, or aggregate".into()),
            Self::Busy(_) => Some("try again shortly".into()),
            Self::Parameters(_) => Some("give one value in `params` for each $1, $2, ...".into()),
            _ => None,
        }
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        match self {
            Self::Timeout(_) => 408,
            Self::Cancelled => 409,
            Self::TooLarge { .. } => 413,
            Self::Memory(_) | Self::TooManyRows(_) | Self::Data(_) => 422,
            Self::Busy(_) => 503,
            Self::Storage(_) | Self::Internal(_) => 500,
            Self::UnknownTable { .. } => 404,
            Self::Refused { .. } => 403,
            _ => 400,
        }
    }

    /// Where in the statement.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { position, .. }
            | Self::UnknownTable { position, .. }
            | Self::UnknownColumn { position, .. }
            | Self::UnknownFunction { position, .. }
            | Self::Invalid { position, .. } => *position,
            _ => None,
        }
    }

    /// The error in the words of this crate.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        translate(error, None)
    }

    /// Boxes the error so that it passes through DataFusion and is found again by [`QueryError::from_datafusion`].
    pub(crate) fn into_datafusion(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

fn translate(error: &DataFusionError, position: Option<Position>) -> QueryError {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => translate(inner, position.or(position_of(diagnostic))),
        DataFusionError::Context(_, inner) => translate(inner, position),
        DataFusionError::Shared(inner) => translate(inner, position),
        DataFusionError::Collection(all) => match all.first() {
            Some(first) => translate(first, position),
            None => QueryError::Internal(error.to_string()),
        },
        DataFusionError::External(inner) => external(inner.as_ref(), position),
        DataFusionError::SQL(parser, _) => syntax(parser),
        DataFusionError::SchemaError(schema, _) => schema_error(schema, position),
        DataFusionError::Plan(message) => plan_error(message, position),
        DataFusionError::Configuration(message) => {
            QueryError::Invalid { message: first_line(message), hint: None, position }
        }
        DataFusionError::NotImplemented(message) => QueryError::Unsupported(first_line(message)),
        DataFusionError::ResourcesExhausted(message) => QueryError::Memory(first_line(message)),
        DataFusionError::ArrowError(arrow, _) => arrow_error(arrow, position),
        DataFusionError::Execution(message) => QueryError::Data(first_line(message)),
        DataFusionError::ParquetError(e) => QueryError::Storage(e.to_string()),
        DataFusionError::ObjectStore(e) => QueryError::Storage(e.to_string()),
        DataFusionError::IoError(e) => QueryError::Storage(e.to_string()),
        other => QueryError::Internal(first_line(&other.to_string())),
    }
}

fn external(error: &(dyn std::error::Error + Send + Sync + 'static), position: Option<Position>) -> QueryError {
    if let Some(query) = error.downcast_ref::<QueryError>() {
        return query.clone();
    }
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        return translate(inner, position);
    }
    if let Some(arrow) = error.downcast_ref::<arrow::error::ArrowError>() {
        return arrow_error(arrow, position);
    }
    if let Some(store) = error.downcast_ref::<grid_store::StoreError>() {
        return QueryError::Storage(store.to_string());
    }
    QueryError::Internal(error.to_string())
}

fn arrow_error(error: &arrow::error::ArrowError, position: Option<Position>) -> QueryError {
    use arrow::error::ArrowError;
    match error {
        ArrowError::ExternalError(inner) => external(inner.as_ref(), position),
        ArrowError::IoError(..) | ArrowError::ParquetError(_) | ArrowError::IpcError(_) => {
            QueryError::Storage(error.to_string())
        }
        ArrowError::MemoryError(m) => QueryError::Memory(m.clone()),
        other => QueryError::Data(other.to_string()),
    }
}

fn syntax(error: &ParserError) -> QueryError {
    let message = match error {
        ParserError::ParserError(m) | ParserError::TokenizerError(m) => m.clone(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
    };
    match message.find(" at Line: ") {
        Some(cut) => {
            QueryError::Syntax { position: written_position(&message[cut..]), message: message[..cut].to_owned() }
        }
        None => QueryError::Syntax { message, position: None },
    }
}

/// Reads `at Line: 1, Column: 8`, as the parser writes it.
fn written_position(text: &str) -> Option<Position> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).map(str::parse::<u64>);
    Some(Position { line: numbers.next()?.ok()?, column: numbers.next()?.ok()? })
}

fn position_of(diagnostic: &Diagnostic) -> Option<Position> {
    diagnostic.span.map(|s| Position { line: s.start.line, column: s.start.column })
}

fn schema_error(error: &SchemaError, position: Option<Position>) -> QueryError {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return QueryError::Invalid { message: error.to_string(), hint: None, position };
    };
    let names: Vec<String> = valid_fields.iter().map(|c| quoted(c.name())).collect();
    QueryError::UnknownColumn {
        name: quoted(field.name()),
        suggestion: nearest(&quoted(field.name()), names.iter().map(String::as_str)),
        columns: if names.len() <= 40 { names } else { Vec::new() },
        position,
    }
}

fn plan_error(message: &str, position: Option<Position>) -> QueryError {
    if let Some(rest) = message.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default().to_owned();
        let suggestion = rest.split("Did you mean '").nth(1).and_then(|s| s.split('\'').next()).map(str::to_owned);
        return QueryError::UnknownFunction { name, suggestion, position };
    }
    if message.starts_with("table '") || message.starts_with("Table '") {
        let name = message.split('\'').nth(1).unwrap_or_default().to_owned();
        if message.contains("not found") {
            return QueryError::UnknownTable { name, suggestion: None, position };
        }
    }
    // Our own functions say what they take; DataFusion wraps that twice.
    if let Some((_, said)) = message.split_once("coercion failed with: Error during planning: ") {
        let said = said.split(". No function matches").next().unwrap_or(said);
        return QueryError::Invalid { message: said.to_owned(), hint: None, position };
    }
    if let Some((_, rest)) = message.split_once("While expanding wildcard, column \"")
        && let Some((column, _)) = rest.split_once('"')
    {
        let message = format!("column {column} is neither grouped by nor within an aggregate");
        return QueryError::Invalid { message, hint: Some(format!("add {column} to GROUP BY")), position };
    }
    if message.contains("laceholder") {
        return QueryError::Parameters(first_line(message));
    }
    let (message, hint) = match message.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), Some(rest.trim().to_owned()).filter(|r| !r.is_empty())),
        None => (message.to_owned(), None),
    };
    QueryError::Invalid { message, hint, position }
}

fn first_line(text: &str) -> String {
    let mut line = text.lines().next().unwrap_or_default();
    for prefix in ["Execution error: ", "Error during planning: ", "Arrow error: ", "External error: "] {
        line = line.strip_prefix(prefix).unwrap_or(line);
    }
    line.to_owned()
}

/// A name as one would type it: quoted unless it is plain.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The name nearest to a mistyped one, if any is near: at most a third of the letters differ.
pub(crate) fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = name.trim_matches('"').to_lowercase();
    let bound = (wanted.chars().count() / 3).max(1);
    among
        .take(50_000)
        .filter_map(|candidate| {
            let c = candidate.trim_matches('"').to_lowercase();
            let distance = if c == wanted {
                0
            } else if wanted.len() >= 4 && c.starts_with(&wanted) || c.len() >= 4 && wanted.starts_with(&c) {
                1
            } else if c.len().abs_diff(wanted.len()) > bound {
                return None;
            } else {
                edits(&wanted, &c)
            };
            (distance <= bound).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let names = ["logs", "spans", "samples", "service", "severity_number", "\"http.method\""];
        for (typed, expected) in [
            ("log", Some("logs")),
            ("Logs", Some("logs")),
            ("sampels", Some("samples")),
            ("servcie", Some("service")),
            ("severity", Some("severity_number")),
            ("http.metod", Some("\"http.method\"")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()).as_deref(), expected, "{typed}");
        }
    }
}
