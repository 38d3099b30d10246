//! Fuzzes the guard of SQL: what passes is one query that reads.
#![no_main]

use grid_sql_guard::{GuardError, name_columns, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for params in [&[][..], &[json!(1), json!("it's"), json!(null)]] {
        match parse(text, params) {
            Ok(mut statement) => {
                name_columns(&mut statement);
                let printed = statement.to_string();
                let head = printed.trim_start_matches(['(', ' ']).split(' ').next().unwrap_or_default().to_uppercase();
                let reads = ["SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "TABLE", "FROM"];
                assert!(reads.contains(&head.as_str()), "{printed}");
                // No printed form of a query is a statement that does something else.
                assert!(!matches!(parse(&printed, &[]), Err(GuardError::Refused { .. })), "{printed}");
            }
            Err(e) => assert!(!e.to_string().is_empty(), "an error without a reason"),
        }
    }
});
