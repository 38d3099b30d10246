//! Types: what may stand where (`checkAST` in Prometheus' `promql/parser/parse.go`), in the order in which Prometheus looks.

use crate::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ExprKind, Selector, Span, ValueType};
use crate::error::Failure;
use crate::function::Function;
use crate::parse::METRIC_NAME;
use crate::print::quote;

/// Checks a tree, and settles what depends on types: between anything but two vectors there is no matching, and set operators match many
/// to many. Answers the type of the whole.
pub(crate) fn check(text: &str, expr: &mut Expr) -> Result<ValueType, Failure> {
    let span = expr.span;
    match &mut expr.kind {
        ExprKind::Number(_) => Ok(ValueType::Scalar),
        ExprKind::Text(_) => Ok(ValueType::Text),
        ExprKind::Paren(inner) => check(text, inner),
        ExprKind::Selector(selector) => check_selector(selector, span),
        ExprKind::Aggregate(aggregate) => check_aggregate(text, aggregate),
        ExprKind::Call(call) => check_call(text, call, span),
        ExprKind::Binary(binary) => check_binary(text, binary, span),
        ExprKind::Subquery(subquery) => match check(text, &mut subquery.expr)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            other => {
                let message = format!("subquery is only allowed on instant vector, got {other} instead");
                Err(Failure::new(span, message))
            }
        },
        ExprKind::Unary(_, operand) => match check(text, operand)? {
            kind @ (ValueType::Scalar | ValueType::Vector) => Ok(kind),
            other => Err(Failure::new(
                span,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {}",
                    quote(other.documented())
                ),
            )),
        },
    }
}

fn expect(text: &str, expr: &mut Expr, wanted: ValueType, context: &str) -> Result<(), Failure> {
    let kind = check(text, expr)?;
    expect_type(kind, wanted, context, expr.span)
}

fn expect_type(kind: ValueType, wanted: ValueType, context: &str, span: Span) -> Result<(), Failure> {
    if kind == wanted {
        return Ok(());
    }
    let message = format!("expected type {} in {context}, got {}", wanted.documented(), kind.documented());
    Err(Failure::new(span, message))
}

fn check_selector(selector: &Selector, span: Span) -> Result<ValueType, Failure> {
    let mut matchers = selector.matchers.iter();
    match &selector.name {
        Some(name) => {
            // The last matcher is that of the name itself.
            matchers.next_back();
            if let Some(other) = matchers.find(|matcher| matcher.name == METRIC_NAME) {
                let message = format!("metric name must not be set twice: {} or {}", quote(name), quote(&other.value));
                return Err(Failure::new(span, message));
            }
        }
        None => {
            if !matchers.any(|matcher| !matcher.matches("")) {
                let message = "vector selector must contain at least one non-empty matcher";
                return Err(Failure::new(span, message));
            }
        }
    }
    Ok(if selector.range.is_some() { ValueType::Matrix } else { ValueType::Vector })
}

fn check_aggregate(text: &str, aggregate: &mut Aggregate) -> Result<ValueType, Failure> {
    expect(text, &mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
    if let Some(param) = &mut aggregate.param {
        let wanted = if aggregate.op == AggregateOp::CountValues { ValueType::Text } else { ValueType::Scalar };
        expect(text, param, wanted, "aggregation parameter")?;
    }
    Ok(ValueType::Vector)
}

fn check_call(text: &str, call: &mut Call, span: Span) -> Result<ValueType, Failure> {
    let signature = call.function.signature();
    let (name, given, wanted) = (quote(signature.name), call.args.len(), signature.args.len());
    let failure = |message: String| Err(Failure::new(span, message));
    if signature.variadic == 0 {
        if given != wanted {
            return failure(format!("expected {wanted} argument(s) in call to {name}, got {given}"));
        }
    } else {
        let least = wanted.saturating_sub(1);
        if given < least {
            return failure(format!("expected at least {least} argument(s) in call to {name}, got {given}"));
        }
        if let Ok(more) = usize::try_from(signature.variadic)
            && given > least + more
        {
            let most = least + more;
            return failure(format!("expected at most {most} argument(s) in call to {name}, got {given}"));
        }
    }
    let context = format!("call to function {name}");
    for (index, argument) in call.args.iter_mut().enumerate() {
        let Some(wanted) = signature.args.get(index).or(signature.args.last()) else { break };
        // The second argument of `info` is no series but conditions on labels, so it may be empty.
        if call.function == Function::Info && index == 1 {
            check_info_selector(argument, &context, span)?;
            continue;
        }
        expect(text, argument, *wanted, &context)?;
    }
    Ok(signature.returns)
}

fn check_info_selector(argument: &Expr, context: &str, call: Span) -> Result<(), Failure> {
    expect_type(argument.value_type(), ValueType::Vector, context, call)?;
    let message = match &argument.kind {
        ExprKind::Selector(selector) if selector.name.is_none() => return Ok(()),
        ExprKind::Selector(_) => "expected label selectors only, got vector selector instead",
        _ => "expected label selectors only",
    };
    Err(Failure::new(argument.span, message))
}

/// Where the operator of a binary expression stands, with its modifiers.
fn operator_span(text: &str, binary: &Binary) -> Span {
    let (start, end) = (binary.lhs.span.end, binary.rhs.span.start);
    match text.get(start..end) {
        Some(between) => {
            let trimmed = between.trim_start();
            Span { start: end - trimmed.len(), end: end - trimmed.len() + trimmed.trim_end().len() }
        }
        None => Span { start: end, end },
    }
}

fn check_binary(text: &str, binary: &mut Binary, span: Span) -> Result<ValueType, Failure> {
    use ValueType::{Scalar, Vector};
    let lhs = check(text, &mut binary.lhs)?;
    let rhs = check(text, &mut binary.rhs)?;
    let op = binary.op;
    let at_operator = |message: String| Err(Failure::new(operator_span(text, binary), message));

    if binary.return_bool && !op.is_comparison() {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    if op.is_comparison() && !binary.return_bool && (lhs, rhs) == (Scalar, Scalar) {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    let mut matching = binary.matching.clone().unwrap_or_default();
    if op.is_set() && matching.card == Cardinality::OneToOne {
        matching.card = Cardinality::ManyToMany;
    }
    if matching.on
        && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
    {
        return at_operator(format!("label {} must not occur in ON and GROUP clause at once", quote(label)));
    }
    for (kind, side) in [(lhs, &binary.lhs), (rhs, &binary.rhs)] {
        if !matches!(kind, Scalar | Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Failure::new(side.span, message));
        }
    }

    let failure = |message: String| Err(Failure::new(span, message));
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if (lhs, rhs) != (Vector, Vector) {
        if !matching.labels.is_empty() {
            return failure("vector matching only allowed between instant vectors".to_owned());
        }
        if fills {
            return failure("filling in missing series only allowed between instant vectors".to_owned());
        }
        if op.is_set() {
            return failure(format!("set operator {} not allowed in binary scalar expression", quote(op.as_str())));
        }
        binary.matching = None;
        return Ok(if (lhs, rhs) == (Scalar, Scalar) { Scalar } else { Vector });
    }
    if op.is_set() {
        if matching.card != Cardinality::ManyToMany {
            return failure(format!("no grouping allowed for {} operation", quote(op.as_str())));
        }
        if fills {
            return failure("filling in missing series not allowed for set operators".to_owned());
        }
    }
    binary.matching = Some(matching);
    Ok(Vector)
}
