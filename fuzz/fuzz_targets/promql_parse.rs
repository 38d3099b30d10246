//! Fuzzes PromQL: what parses is printed, on one line and formatted, and is the same when parsed again.
#![no_main]

use grid_promql_syntax::ast::{ExprKind, Selector};
use grid_promql_syntax::{Expr, Features, parse, parse_selector, prettify, to_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse_selector(text);
    let _ = parse(text, &Features::default());
    let mut expr = match parse(text, &Features::ALL) {
        Ok(expr) => expr,
        Err(e) => {
            assert!(!e.message.is_empty(), "an error without a message");
            assert!(e.caret(text).ends_with('^'), "no mark");
            return;
        }
    };
    let line = expr.to_string();
    let _ = to_json(&expr);
    let pretty = prettify(&expr);
    sort_matchers(&mut expr);
    for printed in [&line, &pretty] {
        let mut again = parse(printed, &Features::ALL).unwrap_or_else(|e| panic!("{printed}: {e}"));
        assert_eq!(again.to_string(), line, "printed differently");
        sort_matchers(&mut again);
        assert_eq!(again, expr, "{printed} is another tree");
    }
});

/// Printing sorts matchers, so their order does not count.
fn sort_matchers(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => {}
        ExprKind::Selector(Selector { matchers, .. }) => matchers.sort_by_key(ToString::to_string),
        ExprKind::Subquery(subquery) => sort_matchers(&mut subquery.expr),
        ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => sort_matchers(inner),
        ExprKind::Binary(binary) => {
            sort_matchers(&mut binary.lhs);
            sort_matchers(&mut binary.rhs);
        }
        ExprKind::Aggregate(aggregate) => {
            sort_matchers(&mut aggregate.expr);
            aggregate.param.iter_mut().for_each(sort_matchers);
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(sort_matchers),
    }
}
