//! The guard at SQL's door: a text becomes the syntax tree of one query that reads, or an error.
//!
//! Entry point: [`parse`]. It stands apart from the engine, which is large, so that it can be fuzzed alone.
//!
//! Reading order: [`parse`] -> `check` (what is refused) -> `bind` (parameters).
//!
//! Architecture invariants:
//! - Nothing that passes writes, sets or leaves the tenant's tables; the engine checks the plan once more.
//! - No text makes it panic or overflow the stack: length, nesting and links are bounded before a tree is built.
//! - A parameter is never text that is parsed.

mod check;
mod bind;
pub mod limits;

use serde_json::Value;
use sqlparser::ast::{self, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Tokenizer;

use limits::{NESTING_MAX, PARAMETERS_MAX, STATEMENT_BYTES_MAX};

/// Why a statement may not run.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The text is too long.
    #[error("the statement has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The text has too many operators and keywords.
    #[error("the statement has {links} operators and keywords, the limit is {limit}")]
    TooManyLinks {
        /// How many.
        links: usize,
        /// The limit.
        limit: usize,
    },
    /// There is nothing to run.
    #[error("there is no statement")]
    Empty,
    /// The text is no SQL.
    #[error("{0}")]
    Sql(#[source] ParserError),
    /// A statement that would change something or leave the tenant's tables.
    #[error("{statement} is not allowed: only queries are")]
    Refused {
        /// The kind of statement.
        statement: String,
    },
    /// The parameters do not fit the statement.
    #[error("{0}")]
    Parameters(String),
}

/// Reads one statement, puts the parameters in, and refuses all but queries.
pub fn parse(text: &str, params: &[Value]) -> Result<Statement, GuardError> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(GuardError::TooLarge { bytes: text.len(), limit: STATEMENT_BYTES_MAX });
    }
    if params.len() > PARAMETERS_MAX {
        return Err(GuardError::Parameters(format!("{} parameters, the limit is {PARAMETERS_MAX}", params.len())));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|e| GuardError::Sql(e.into()))?;
    check::links(&tokens)?;
    let (tokens, positional) = bind::number_placeholders(tokens);
    let mut parser = Parser::new(&dialect).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(GuardError::Sql)?;
    if statements.len() > 1 {
        return Err(GuardError::Refused { statement: "more than one statement".into() });
    }
    let Some(mut statement) = statements.pop() else { return Err(GuardError::Empty) };
    check::check(&statement, 0)?;
    bind::bind(&mut statement, params, positional)?;
    Ok(statement)
}

/// Names the columns of an answer as they were asked for: `count(*)`, `value * 1.5`.
pub fn name_columns(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use limits::LINKS_MAX;
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
    fn long_chains_are_refused_before_they_are_trees() {
        let chain = |link: &str, n: usize| format!("SELECT 1{}", link.repeat(n));
        for link in
            [" + 1", "::int", " UNION SELECT 1", " OR a", ".a", "[1]", " IS NULL", " AND b = 1", " -> 1", " NOT IN (1)"]
        {
            assert!(matches!(parse(&chain(link, LINKS_MAX + 1), &[]), Err(GuardError::TooManyLinks { .. })), "{link}");
            // What is taken is also taken apart again.
            let _ = parse(&chain(link, LINKS_MAX / 3), &[]);
        }
        let list = format!("SELECT a IN (1{})", ", 'x'".repeat(100_000));
        assert!(parse(&list, &[]).is_ok());
    }

    #[test]
    fn parameters_become_literals() {
        let bound = |sql: &str, params: &[Value]| parse(sql, params).map(|s| s.to_string());
        let text = |s: &str| Value::String(s.into());
        assert_eq!(bound("SELECT $2, $1", &[1.into(), text("it's")]).unwrap(), "SELECT 'it''s', 1");
        assert_eq!(bound("SELECT ? + ? LIMIT ?", &[1.into(), 2.5.into(), 3.into()]).unwrap(), "SELECT 1 + 2.5 LIMIT 3");
        assert_eq!(bound("SELECT '?', '$1'", &[]).unwrap(), "SELECT '?', '$1'");
        for (sql, params) in [("SELECT $1", vec![]), ("SELECT 1", vec![1.into()]), ("SELECT $0", vec![1.into()])] {
            assert!(matches!(bound(sql, &params), Err(GuardError::Parameters(_))), "{sql}");
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
            if let Ok(s) = parse(&format!("{head} {tail}"), &[]) {
                prop_assert!(matches!(s, Statement::Query(_) | Statement::ExplainTable { .. }), "{s}");
            }
        }
    }
}
