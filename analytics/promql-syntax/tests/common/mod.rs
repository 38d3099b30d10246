//! Comparing trees.

use grid_promql_syntax::Expr;
use grid_promql_syntax::ast::{ExprKind, Selector};

/// The tree with the matchers of each selector in order, since printing sorts them.
pub(crate) fn sorted(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    sort(&mut expr);
    expr
}

fn sort(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => {}
        ExprKind::Selector(Selector { matchers, .. }) => matchers.sort_by_key(ToString::to_string),
        ExprKind::Subquery(subquery) => sort(&mut subquery.expr),
        ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => sort(inner),
        ExprKind::Binary(binary) => {
            sort(&mut binary.lhs);
            sort(&mut binary.rhs);
        }
        ExprKind::Aggregate(aggregate) => {
            sort(&mut aggregate.expr);
            aggregate.param.iter_mut().for_each(sort);
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(sort),
    }
}
