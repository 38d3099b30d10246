//! A tree as text on as many lines as it needs: Prometheus' `Prettify`, which answers `/api/v1/format_query`
//! (`promql/parser/prettier.go`).

use crate::ast::{Expr, ExprKind};
use crate::print::{AggregateHead, Operator, SubquerySuffix};

/// A part that is longer than this on one line is broken up, in bytes.
const LINE_BYTES_MAX: usize = 100;

/// Formats an expression with lines of up to 100 characters where it can be broken up, indented by two spaces.
pub fn prettify(expr: &Expr) -> String {
    pretty(expr, 0)
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

fn pretty(expr: &Expr, level: usize) -> String {
    let line = expr.to_string();
    let (before, below) = (indent(level), level + 1);
    let fits = line.len() <= LINE_BYTES_MAX;
    match &expr.kind {
        ExprKind::Unary(sign, operand) => format!("{before}{sign}{}", pretty(operand, level).trim()),
        // Prometheus does not indent a subquery that fits.
        ExprKind::Subquery(_) if fits => line,
        _ if fits => before + &line,
        ExprKind::Subquery(subquery) => pretty(&subquery.expr, level) + &SubquerySuffix(subquery).to_string(),
        ExprKind::Paren(inner) => format!("{before}(\n{}\n{before})", pretty(inner, below)),
        ExprKind::Binary(binary) => {
            let (lhs, rhs) = (pretty(&binary.lhs, below), pretty(&binary.rhs, below));
            format!("{lhs}\n{before}{}\n{rhs}", Operator(binary))
        }
        ExprKind::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref().map(|param| pretty(param, below) + ",\n").unwrap_or_default();
            let inner = pretty(&aggregate.expr, below);
            format!("{before}{}(\n{param}{inner}\n{before})", AggregateHead(aggregate))
        }
        ExprKind::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|argument| pretty(argument, below)).collect();
            format!("{before}{}(\n{}\n{before})", call.function.name(), args.join(",\n"))
        }
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Selector(_) => before + &line,
    }
}
