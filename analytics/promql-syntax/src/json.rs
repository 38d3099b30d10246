//! A tree as JSON, as `/api/v1/parse_query` answers it (Prometheus' `web/api/v1/translate_ast.go`).

use serde_json::{Map, Value, json};

use crate::ast::{At, Cardinality, Duration, Expr, ExprKind, Extended, Matching, Shift, ValueType};
use crate::matcher::Matcher;
use crate::print::format_number;

/// The tree of an expression. Durations and times are milliseconds. What Prometheus 3.5 has no key for (duration expressions, `anchored`,
/// `fill`) adds keys, and only where it is used.
pub fn to_json(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({"type": "numberLiteral", "val": format_number(number.value)}),
        ExprKind::Text(text) => json!({"type": "stringLiteral", "val": text}),
        ExprKind::Paren(inner) => json!({"type": "parenExpr", "expr": to_json(inner)}),
        ExprKind::Unary(sign, operand) => {
            json!({"type": "unaryExpr", "op": sign.to_string(), "expr": to_json(operand)})
        }
        ExprKind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": to_json(&aggregate.expr),
            "param": aggregate.param.as_ref().map(to_json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        ExprKind::Binary(binary) => json!({
            "type": "binaryExpr",
            "op": binary.op.as_str(),
            "lhs": to_json(&binary.lhs),
            "rhs": to_json(&binary.rhs),
            "matching": binary.matching.as_ref().map(matching_json),
            "bool": binary.return_bool,
        }),
        ExprKind::Call(call) => {
            let signature = call.function.signature();
            let arg_types: Vec<&str> = signature.args.iter().copied().map(ValueType::as_str).collect();
            json!({
                "type": "call",
                "func": {
                    "name": signature.name,
                    "argTypes": arg_types,
                    "variadic": signature.variadic,
                    "returnType": signature.returns.as_str(),
                },
                "args": call.args.iter().map(to_json).collect::<Vec<_>>(),
            })
        }
        ExprKind::Subquery(subquery) => {
            let mut object = Map::new();
            object.insert("type".to_owned(), json!("subquery"));
            object.insert("expr".to_owned(), to_json(&subquery.expr));
            insert_duration(&mut object, "range", Some(&subquery.range));
            insert_duration(&mut object, "step", subquery.step.as_ref());
            insert_shift(&mut object, &subquery.shift);
            Value::Object(object)
        }
        ExprKind::Selector(selector) => {
            let mut object = Map::new();
            let kind = if selector.range.is_some() { "matrixSelector" } else { "vectorSelector" };
            object.insert("type".to_owned(), json!(kind));
            object.insert("name".to_owned(), json!(selector.name.as_deref().unwrap_or_default()));
            object.insert("matchers".to_owned(), selector.matchers.iter().map(matcher_json).collect());
            if selector.range.is_some() {
                insert_duration(&mut object, "range", selector.range.as_ref());
            }
            insert_shift(&mut object, &selector.shift);
            match selector.extended {
                Some(Extended::Anchored) => object.insert("anchored".to_owned(), json!(true)),
                Some(Extended::Smoothed) => object.insert("smoothed".to_owned(), json!(true)),
                None => None,
            };
            Value::Object(object)
        }
    }
}

fn matcher_json(matcher: &Matcher) -> Value {
    json!({"name": matcher.name, "type": matcher.op.as_str(), "value": matcher.value})
}

fn matching_json(matching: &Matching) -> Value {
    let card = match matching.card {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    let mut value = json!({"card": card, "labels": matching.labels, "on": matching.on, "include": matching.include});
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        let side = |value: Option<f64>| value.map(format_number);
        value["fillValues"] = json!({"lhs": side(matching.fill_left), "rhs": side(matching.fill_right)});
    }
    value
}

/// Milliseconds, or 0 and beside it the text of an expression under a key such as `rangeExpr`.
fn insert_duration(object: &mut Map<String, Value>, key: &str, duration: Option<&Duration>) {
    let ms = match duration {
        Some(Duration::Millis(ms)) => *ms,
        Some(Duration::Expr(expr)) => {
            object.insert(format!("{key}Expr"), json!(expr.to_string()));
            0
        }
        None => 0,
    };
    object.insert(key.to_owned(), json!(ms));
}

fn insert_shift(object: &mut Map<String, Value>, shift: &Shift) {
    insert_duration(object, "offset", shift.offset.as_ref());
    let (timestamp, start_or_end) = match shift.at {
        None => (Value::Null, Value::Null),
        Some(At::Time(ms)) => (json!(ms), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
    };
    object.insert("timestamp".to_owned(), timestamp);
    object.insert("startOrEnd".to_owned(), start_or_end);
}
