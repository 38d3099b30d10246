//! Which statements may run at all: one query, that reads.

use std::ops::ControlFlow;

use sqlparser::ast::{self, SetExpr};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::GuardError;
use crate::limits::LINKS_MAX;

/// Refuses a statement with more links than are taken. `1 + 1 + 1 ...` and `... UNION ... UNION ...` are trees as deep as they are long,
/// without a parenthesis that would count as nesting; taking such a tree apart costs stack for each link.
pub(crate) fn links(tokens: &[TokenWithSpan]) -> Result<(), GuardError> {
    let links = tokens.iter().filter(|t| is_link(&t.token)).count();
    if links > LINKS_MAX { Err(GuardError::TooManyLinks { links, limit: LINKS_MAX }) } else { Ok(()) }
}

/// Whether a token may hang what comes before it below itself.
fn is_link(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            !matches!(word.keyword, Keyword::NoKeyword | Keyword::NULL | Keyword::TRUE | Keyword::FALSE)
        }
        Token::EOF
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_) => false,
        _ => true,
    }
}

/// Refuses all but queries.
pub(crate) fn check(statement: &ast::Statement, depth: usize) -> Result<(), GuardError> {
    match statement {
        ast::Statement::Query(query) => check_query(query),
        ast::Statement::ShowTables { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowFunctions { .. }
        | ast::Statement::ExplainTable { .. } => Ok(()),
        ast::Statement::Explain { statement, .. } if depth < 2 => check(statement, depth + 1),
        other => Err(refused(&other.to_string())),
    }
}

fn refused(text: &str) -> GuardError {
    let words = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    GuardError::Refused { statement: words.chars().take(40).collect::<String>().to_uppercase() }
}

/// Refuses what writes within a query: `SELECT INTO`, DML in a CTE or subquery, row locks.
fn check_query(query: &ast::Query) -> Result<(), GuardError> {
    struct Writes;
    impl ast::Visitor for Writes {
        type Break = String;

        fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<String> {
            if !query.locks.is_empty() {
                return ControlFlow::Break("SELECT ... FOR UPDATE".into());
            }
            writes(&query.body).map_or(ControlFlow::Continue(()), ControlFlow::Break)
        }

        fn pre_visit_statement(&mut self, statement: &ast::Statement) -> ControlFlow<String> {
            match statement {
                ast::Statement::Query(_) => ControlFlow::Continue(()),
                other => ControlFlow::Break(other.to_string()),
            }
        }
    }
    fn writes(body: &SetExpr) -> Option<String> {
        match body {
            SetExpr::Select(select) => select.into.as_ref().map(|_| "SELECT INTO".to_owned()),
            SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => None,
            SetExpr::SetOperation { left, right, .. } => writes(left).or_else(|| writes(right)),
            SetExpr::Insert(_) => Some("INSERT".into()),
            SetExpr::Update(_) => Some("UPDATE".into()),
            SetExpr::Delete(_) => Some("DELETE".into()),
            SetExpr::Merge(_) => Some("MERGE".into()),
        }
    }
    match ast::Visit::visit(query, &mut Writes) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(refused(&what)),
    }
}
