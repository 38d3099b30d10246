//! HCL as people write it, in the form that `terraform fmt` leaves alone: two blanks a level, `=` aligned in a run of attributes that
//! each take one line, a blank line around blocks and around attributes of several lines.

use hcl::expr::{
    BinaryOp, BinaryOperator, Expression, ForExpr, ObjectKey, Operation, TemplateExpr, TraversalOperator, UnaryOperator,
};
use hcl::template::{Element, Template};
use hcl::{Block, BlockLabel, Body, Structure};

/// Letters of a line beyond which a list takes a line for each element.
const LINE_MAX: usize = 100;
/// Arguments that stand first and apart, as people write them.
const META: [&str; 3] = ["count", "for_each", "provider"];

/// A body with its blocks.
pub fn print(body: &Body) -> String {
    let mut text = String::new();
    structures(body, 0, &mut text);
    text
}

/// One expression, as it stands at the depth of `level`.
pub fn expression(expr: &Expression, level: usize) -> String {
    match expr {
        Expression::Null => "null".to_owned(),
        Expression::Bool(b) => b.to_string(),
        Expression::Number(n) => n.to_string(),
        Expression::String(text) => format!("\"{}\"", literal(text)),
        Expression::Array(items) => array(items, level),
        Expression::Object(pairs) => {
            if pairs.is_empty() {
                return "{}".to_owned();
            }
            let mut text = "{\n".to_owned();
            let entries = pairs.iter().map(|(key, value)| (self::key(key), expression(value, level + 1))).collect();
            run(entries, level + 1, &mut text);
            text.push_str(&"  ".repeat(level));
            text + "}"
        }
        Expression::TemplateExpr(template) => match &**template {
            TemplateExpr::QuotedString(source) => quoted(source, level),
            TemplateExpr::Heredoc(doc) => quoted(&doc.template, level),
        },
        Expression::Variable(name) => name.as_str().to_owned(),
        Expression::Traversal(traversal) => {
            let mut text = expression(&traversal.expr, level);
            for operator in &traversal.operators {
                match operator {
                    TraversalOperator::AttrSplat => text.push_str(".*"),
                    TraversalOperator::FullSplat => text.push_str("[*]"),
                    TraversalOperator::GetAttr(name) => text.push_str(&format!(".{}", name.as_str())),
                    TraversalOperator::Index(at) => text.push_str(&format!("[{}]", expression(at, level))),
                    TraversalOperator::LegacyIndex(n) => text.push_str(&format!(".{n}")),
                }
            }
            text
        }
        Expression::FuncCall(call) => {
            let args: Vec<_> = call.args.iter().map(|arg| argument(arg, level)).collect();
            format!("{}({}{})", call.name.name.as_str(), args.join(", "), if call.expand_final { "..." } else { "" })
        }
        Expression::Parenthesis(inner) => format!("({})", expression(inner, level)),
        Expression::Conditional(c) => {
            let [a, b, c] = [&c.cond_expr, &c.true_expr, &c.false_expr].map(|e| expression(e, level));
            format!("{a} ? {b} : {c}")
        }
        Expression::Operation(operation) => match &**operation {
            Operation::Unary(op) => {
                let sign = if op.operator == UnaryOperator::Not { "!" } else { "-" };
                format!("{sign}{}", expression(&op.expr, level))
            }
            Operation::Binary(op) => binary(op, level),
        },
        Expression::ForExpr(of) => loops(of, level),
        other => hcl::format::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

/// In one line, however long: what a loop makes is read as one thing.
fn loops(of: &ForExpr, level: usize) -> String {
    let key = of.key_var.as_ref().map(|key| format!("{}, ", key.as_str())).unwrap_or_default();
    let [collection, value] = [&of.collection_expr, &of.value_expr].map(|e| expression(e, level));
    let cond = of.cond_expr.as_ref().map(|cond| format!(" if {}", expression(cond, level))).unwrap_or_default();
    let head = format!("for {key}{} in {collection} :", of.value_var.as_str());
    match &of.key_expr {
        None => format!("[{head} {value}{cond}]"),
        Some(name) => {
            let dots = if of.grouping { "..." } else { "" };
            format!("{{ {head} {} => {value}{dots}{cond} }}", expression(name, level))
        }
    }
}

fn binary(op: &BinaryOp, level: usize) -> String {
    let sign = match op.operator {
        BinaryOperator::Eq => "==",
        BinaryOperator::NotEq => "!=",
        BinaryOperator::LessEq => "<=",
        BinaryOperator::GreaterEq => ">=",
        BinaryOperator::Less => "<",
        BinaryOperator::Greater => ">",
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Mul => "*",
        BinaryOperator::Div => "/",
        BinaryOperator::Mod => "%",
        BinaryOperator::And => "&&",
        BinaryOperator::Or => "||",
    };
    format!("{} {sign} {}", expression(&op.lhs_expr, level), expression(&op.rhs_expr, level))
}

/// A map with one short entry stays within the line of a call.
fn argument(expr: &Expression, level: usize) -> String {
    if let Expression::Object(pairs) = expr
        && let [(key, value)] = pairs.iter().collect::<Vec<_>>().as_slice()
    {
        let value = expression(value, level);
        if !value.contains('\n') {
            return format!("{{ {} = {value} }}", self::key(key));
        }
    }
    expression(expr, level)
}

fn array(items: &[Expression], level: usize) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    let flat: Vec<_> = items.iter().map(|i| expression(i, level)).collect();
    let line = format!("[{}]", flat.join(", "));
    if !line.contains('\n') && line.len() + 2 * level <= LINE_MAX {
        return line;
    }
    let indent = "  ".repeat(level + 1);
    let lines: Vec<_> = items.iter().map(|i| format!("{indent}{},\n", expression(i, level + 1))).collect();
    format!("[\n{}{}]", lines.concat(), "  ".repeat(level))
}

fn key(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Identifier(name) => name.as_str().to_owned(),
        ObjectKey::Expression(Expression::String(text)) if is_identifier(text) => text.clone(),
        ObjectKey::Expression(expr @ Expression::String(_)) => expression(expr, 0),
        ObjectKey::Expression(expr @ Expression::Parenthesis(_)) => expression(expr, 0),
        ObjectKey::Expression(expr) => format!("({})", expression(expr, 0)),
        _ => String::new(),
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !["null", "true", "false"].contains(&text)
}

/// A plain text between quotation marks.
fn literal(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            c if c.is_control() => made.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => made.push(c),
        }
    }
    made.replace("${", "$${").replace("%{", "%%{")
}

fn quoted(source: &str, level: usize) -> String {
    let Ok(template) = source.parse::<Template>() else { return format!("\"{}\"", literal(source)) };
    let mut text = "\"".to_owned();
    for element in template.elements() {
        match element {
            Element::Literal(part) => text.push_str(&literal(part)),
            Element::Interpolation(i) => text.push_str(&format!("${{{}}}", expression(&i.expr, level))),
            Element::Directive(_) => {}
        }
    }
    text + "\""
}

/// Attributes or entries: those of one line that follow each other have their `=` in one column.
fn run(entries: Vec<(String, String)>, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    let mut rest = entries.as_slice();
    while let Some((key, value)) = rest.first() {
        let flat = rest.iter().take_while(|(_, value)| !value.contains('\n')).count();
        if flat == 0 {
            text.push_str(&format!("{indent}{key} = {value}\n"));
            rest = &rest[1..];
            continue;
        }
        let width = rest[..flat].iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
        for (key, value) in &rest[..flat] {
            text.push_str(&format!("{indent}{key:width$} = {value}\n"));
        }
        rest = &rest[flat..];
    }
}

/// The value of an attribute. A text of lines is written as lines.
fn written(expr: &Expression, level: usize) -> String {
    let lines = match expr {
        Expression::String(text) => Some(text.replace("${", "$${").replace("%{", "%%{")),
        Expression::TemplateExpr(template) => match &**template {
            TemplateExpr::QuotedString(source) => Some(source.clone()),
            TemplateExpr::Heredoc(_) => None,
        },
        _ => None,
    };
    match lines.filter(|t| {
        t.ends_with('\n')
            && !t.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
            && !t.lines().any(|l| l.trim() == "EOT")
    }) {
        Some(text) => format!("<<EOT\n{text}EOT"),
        None => expression(expr, level),
    }
}

fn structures(body: &Body, level: usize, text: &mut String) {
    let mut attributes = Vec::new();
    let start = text.len();
    let gap = |text: &mut String| {
        if text.len() > start {
            text.push('\n');
        }
    };
    let all: Vec<&Structure> = body.iter().collect();
    for (n, structure) in all.iter().enumerate() {
        match structure {
            Structure::Attribute(attribute) => {
                let (key, value) = (attribute.key.as_str(), written(&attribute.expr, level));
                let flat = !value.contains('\n');
                if !flat && !attributes.is_empty() {
                    gap(text);
                    run(std::mem::take(&mut attributes), level, text);
                }
                attributes.push((key.to_owned(), value));
                let last = !matches!(all.get(n + 1), Some(Structure::Attribute(_)));
                if !flat || last || META.contains(&key) {
                    gap(text);
                    run(std::mem::take(&mut attributes), level, text);
                }
            }
            Structure::Block(inner) => {
                gap(text);
                block(inner, level, text);
            }
        }
    }
}

fn block(block: &Block, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    text.push_str(&format!("{indent}{}", block.identifier.as_str()));
    for label in &block.labels {
        let label = match label {
            BlockLabel::Identifier(name) => name.as_str(),
            BlockLabel::String(text) => text,
        };
        text.push_str(&format!(" \"{}\"", literal(label)));
    }
    if block.body.iter().next().is_none() {
        text.push_str(" {}\n");
        return;
    }
    text.push_str(" {\n");
    structures(&block.body, level + 1, text);
    text.push_str(&format!("{indent}}}\n"));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    #[test]
    fn runs_are_aligned_and_the_rest_stands_apart() {
        let source = r#"
            resource "a" "b" {
              count = 2
              name = "x${var.a}$${y}" 
              longer_name = [1, "q\"\\", aws_x.y[*].id]
              tags = merge(local.tags, {"a:b" = 1})
              policy = jsonencode({Version = "1", Statement = [{Effect = "Allow", Action = ["x"]}]})
              n = a.b == 2 && !c.d ? -1 : (3 + 4) * 2
              loop = {for k, v in x : k => v... if v != null}
              empty {}
              inner {
                x = {} 
                y = { a = 1, long = 2 }
              }
            }"#;
        let body = hcl::parse(source).expect("it is HCL");
        expect![[r#"
            resource "a" "b" {
              count = 2

              name        = "x${var.a}$${y}"
              longer_name = [1, "q\"\\", aws_x.y[*].id]
              tags        = merge(local.tags, { "a:b" = 1 })

              policy = jsonencode({
                Version = "1"
                Statement = [
                  {
                    Effect = "Allow"
                    Action = ["x"]
                  },
                ]
              })

              n    = a.b == 2 && !c.d ? -1 : (3 + 4) * 2
              loop = { for k, v in x : k => v... if v != null }

              empty {}

              inner {
                x = {}

                y = {
                  a    = 1
                  long = 2
                }
              }
            }
        "#]]
        .assert_eq(&super::print(&body));
    }
}
