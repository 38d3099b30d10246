//! Which statements may run at all: one query, that reads. Checked on the syntax tree before anything is looked up, and
//! again on the plan.

use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, SetExpr, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use serde_json::Value;
use std::ops::ControlFlow;

use crate::error::QueryError;
use crate::limits::{PARAMETERS_MAX, STATEMENT_BYTES_MAX};

/// Nesting of expressions and subqueries that is read.
const NESTING_MAX: usize = 128;

/// Reads one statement, puts the parameters in, and refuses all but queries.
pub(crate) fn parse(text: &str, params: &[Value]) -> Result<Statement, QueryError> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(QueryError::TooLarge { bytes: text.len(), limit: STATEMENT_BYTES_MAX });
    }
    if params.len() > PARAMETERS_MAX {
        return Err(QueryError::Parameters(format!("{} parameters, the limit is {PARAMETERS_MAX}", params.len())));
    }
    let dialect = PostgreSqlDialect {};
    let sql_error = |e| QueryError::from_datafusion(&DataFusionError::SQL(Box::new(e), None));
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|e| sql_error(e.into()))?;
    let (tokens, positional) = number_placeholders(tokens);
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(NESTING_MAX)
        .build()
        .map_err(|e| QueryError::from_datafusion(&e))?;
    let mut statements = parser.parse_statements().map_err(|e| QueryError::from_datafusion(&e))?;
    let Some(mut statement) = statements.pop_front() else {
        return Err(QueryError::Syntax { message: "there is no statement".into(), position: None });
    };
    if !statements.is_empty() {
        return Err(QueryError::Refused { statement: "more than one statement".into() });
    }
    check(&statement, 0)?;
    bind(&mut statement, params, positional)?;
    Ok(statement)
}

/// Gives each `?` its number; whether there were any.
fn number_placeholders(
    mut tokens: Vec<datafusion::sql::sqlparser::tokenizer::TokenWithSpan>,
) -> (Vec<datafusion::sql::sqlparser::tokenizer::TokenWithSpan>, bool) {
    let mut n = 0;
    for token in &mut tokens {
        let bare = match &token.token {
            Token::Question => true,
            Token::Placeholder(name) => name == "?",
            _ => false,
        };
        if bare {
            n += 1;
            token.token = Token::Placeholder(format!("${n}"));
        }
    }
    (tokens, n > 0)
}

fn check(statement: &Statement, depth: usize) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(inner) => check_sql(inner, depth),
        Statement::Explain(explain) if depth < 2 => check(&explain.statement, depth + 1),
        other => Err(refused(&other.to_string())),
    }
}

fn check_sql(statement: &ast::Statement, depth: usize) -> Result<(), QueryError> {
    match statement {
        ast::Statement::Query(query) => check_query(query),
        ast::Statement::ShowTables { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowFunctions { .. }
        | ast::Statement::ExplainTable { .. } => Ok(()),
        ast::Statement::Explain { statement, .. } if depth < 2 => check_sql(statement, depth + 1),
        other => Err(refused(&other.to_string())),
    }
}

fn refused(text: &str) -> QueryError {
    let words = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    QueryError::Refused { statement: words.chars().take(40).collect::<String>().to_uppercase() }
}

/// Refuses what writes within a query: `SELECT INTO`, DML in a CTE or subquery, row locks.
fn check_query(query: &ast::Query) -> Result<(), QueryError> {
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

/// Puts the parameters in place of `$1`, `$2`, ...: as literals of the syntax tree, so no text is ever parsed again.
fn bind(statement: &mut Statement, params: &[Value], positional: bool) -> Result<(), QueryError> {
    let values = params.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
    let mut binder = Binder { values, used: vec![false; params.len()] };
    if let ControlFlow::Break(e) = visit(statement, &mut binder) {
        return Err(e);
    }
    if let Some(unused) = binder.used.iter().position(|used| !used) {
        let sign = if positional { "?".to_owned() } else { format!("${}", unused + 1) };
        return Err(QueryError::Parameters(format!("parameter {} is not used: there is no {sign} for it", unused + 1)));
    }
    Ok(())
}

fn visit<V: VisitorMut>(statement: &mut Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    match statement {
        Statement::Statement(inner) => inner.visit(visitor),
        Statement::Explain(explain) => visit(&mut explain.statement, visitor),
        _ => ControlFlow::Continue(()),
    }
}

struct Binder {
    values: Vec<ast::Value>,
    used: Vec<bool>,
}

impl VisitorMut for Binder {
    type Break = QueryError;

    fn pre_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<QueryError> {
        let ast::Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let found = number.and_then(|n| self.values.get(n).map(|v| (n, v.clone())));
        let Some((n, found)) = found else {
            let given = self.values.len();
            return ControlFlow::Break(QueryError::Parameters(format!(
                "there is no parameter {name}: {given} were given"
            )));
        };
        self.used[n] = true;
        value.value = found;
        ControlFlow::Continue(())
    }
}

fn literal(value: &Value) -> Result<ast::Value, QueryError> {
    Ok(match value {
        Value::Null => ast::Value::Null,
        Value::Bool(b) => ast::Value::Boolean(*b),
        Value::Number(n) => ast::Value::Number(n.to_string(), false),
        Value::String(s) => ast::Value::SingleQuotedString(s.clone()),
        Value::Array(_) | Value::Object(_) => {
            return Err(QueryError::Parameters("a parameter is a number, a text, true, false or null".into()));
        }
    })
}

/// Names the columns of an answer as they were asked for: `count(*)`, `value * 1.5`.
pub(crate) fn name_columns(statement: &mut Statement) {
    let Statement::Statement(inner) = statement else { return };
    let ast::Statement::Query(query) = inner.as_mut() else { return };
    let mut body = query.body.as_mut();
    while let SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    let SetExpr::Select(select) = body else { return };
    for item in &mut select.projection {
        if let ast::SelectItem::UnnamedExpr(expr) = item
            && !matches!(expr, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_))
        {
            let name = expr.to_string();
            *item = ast::SelectItem::ExprWithAlias { expr: expr.clone(), alias: ast::Ident::with_quote('"', name) };
        }
    }
}

/// The second check, on the plan: nothing in it creates, changes or sets anything.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan)
        .map_err(|_| QueryError::Refused { statement: "a statement that changes something".into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_queries_pass() {
        for good in [
            "SELECT 1",
            "select * from logs where body = ';drop table x'",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1, 2)",
            "SHOW TABLES",
            "SHOW COLUMNS FROM logs",
            "DESCRIBE logs",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN ANALYZE VERBOSE SELECT 1",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "SELECT 1;",
        ] {
            assert!(parse(good, &[]).is_ok(), "{good}: {:?}", parse(good, &[]).err());
        }
        for bad in [
            "",
            "SELECT 1; SELECT 2",
            "SELECT 1 INTO t",
            "WITH a AS (INSERT INTO t VALUES (1)) SELECT 1",
            "INSERT INTO logs VALUES (1)",
            "UPDATE logs SET body = ''",
            "DELETE FROM logs",
            "DROP TABLE logs",
            "CREATE TABLE x AS SELECT 1",
            "CREATE VIEW x AS SELECT 1",
            "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc'",
            "CREATE FUNCTION f() RETURNS INT RETURN 1",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "COPY logs TO '/tmp/x.parquet' STORED AS PARQUET",
            "SET datafusion.execution.batch_size = 1",
            "RESET datafusion.execution.batch_size",
            "SHOW ALL",
            "SHOW datafusion.execution.batch_size",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "DEALLOCATE p",
            "EXPLAIN INSERT INTO logs VALUES (1)",
            "EXPLAIN ANALYZE DELETE FROM logs",
            "TRUNCATE logs",
            "ALTER TABLE logs ADD COLUMN x INT",
            "MERGE INTO logs USING t ON true WHEN MATCHED THEN DELETE",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "GRANT ALL ON logs TO x",
            "CALL f()",
            "ANALYZE logs",
            "VACUUM",
            "LOAD 'x'",
            "ATTACH DATABASE 'x' AS y",
            "USE other",
            "KILL 1",
            "SELECT * FROM logs FOR UPDATE",
            "CREATE SCHEMA x",
            "CREATE DATABASE x",
        ] {
            assert!(parse(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_become_literals() {
        let bound = |sql: &str, params: &[Value]| parse(sql, params).map(|s| s.to_string());
        let text = |s: &str| Value::String(s.into());
        assert_eq!(bound("SELECT $2, $1", &[1.into(), text("it's")]).unwrap(), "SELECT 'it''s', 1");
        assert_eq!(bound("SELECT ? + ? LIMIT ?", &[1.into(), 2.5.into(), 3.into()]).unwrap(), "SELECT 1 + 2.5 LIMIT 3");
        assert_eq!(bound("SELECT '?', '$1'", &[]).unwrap(), "SELECT '?', '$1'");
        for (sql, params) in [("SELECT $1", vec![]), ("SELECT 1", vec![1.into()]), ("SELECT $0", vec![1.into()])] {
            assert!(matches!(bound(sql, &params), Err(QueryError::Parameters(_))), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = parse(&text, &[]);
        }

        #[test]
        fn nothing_that_passes_writes(
            head in prop_oneof![
                Just("SELECT 1"), Just("INSERT INTO logs"), Just("COPY logs TO"), Just("CREATE TABLE t"), Just("DROP TABLE"),
                Just("WITH x AS ("), Just("EXPLAIN"), Just("SET a ="), Just("DELETE FROM logs"), Just("UPDATE logs SET a = 1"),
            ],
            tail in "[a-z0-9 ()',;*=]{0,40}",
        ) {
            if let Ok(Statement::Statement(s)) = parse(&format!("{head} {tail}"), &[]) {
                prop_assert!(matches!(*s, ast::Statement::Query(_) | ast::Statement::ExplainTable { .. }), "{s}");
            }
        }
    }
}
