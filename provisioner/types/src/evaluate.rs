//! Recipes with the values of a resource put in. A recipe is HCL in which `field`, `name`, `tags` and the like stand for what a spec
//! says; what can be known now is worked out, and all else (references between blocks, functions of Terraform) stays code.
//!
//! What a recipe may say beyond HCL:
//! - `field.NAME`: the value of a field, null where there is none; a field that refers to a resource holds that resource's outputs.
//! - `users.TYPE`: the outputs of those that refer to the resource, as a list.
//! - `name`, `full`, `address`, `tags`, `system`, `environment`, `region`: the resource's identity.
//! - an attribute that comes out null is left out; `when = CONDITION` leaves a block out; `repeat = LIST` repeats one, with `item`
//!   and, for lists, `index`.
//! - `this` and `this_SUFFIX` in labels, and in references to them, become the resource's own label.
//! - functions: `machine(FAMILY, SIZE)`, `cpus(SIZE)`, `memory_gib(SIZE)`, `short(LETTERS)`, `compact(LETTERS)`, `word(LETTERS)`,
//!   `keyed(LIST, KEYS...)`, and those of Terraform's in [`fold`] where all arguments are known.
//! - for Kubernetes, blocks `manifest API_VERSION KIND LABEL` (and `cluster_manifest`, of what is in no namespace) in place of Terraform's;
//!   `object` in one is the name that its label makes: see [`crate::manifest`].

use std::collections::BTreeMap;

use hcl::expr::{
    BinaryOp, BinaryOperator, Conditional, Expression, ForExpr, FuncCall, Object, ObjectKey, Operation, TemplateExpr,
    Traversal, TraversalOperator, UnaryOp, UnaryOperator,
};
use hcl::template::{Element, Template};
use hcl::{Attribute, Block, BlockLabel, Body, Identifier, Number, Structure};

use crate::hcl as printer;
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::size::{Size, machine};
use crate::target::Cloud;

/// A mistake in a recipe. Tests see every branch of every recipe, so that users should see none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRecipe(pub String);

type Result<T> = std::result::Result<T, BadRecipe>;

fn bad<T>(what: impl Into<String>) -> Result<T> {
    Err(BadRecipe(what.into()))
}

/// What names stand for, and whose block it is.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) cloud: Cloud,
    /// What `this` becomes.
    pub(crate) label: String,
    /// What names in the cloud begin with: system, environment and name.
    pub(crate) full: String,
    pub(crate) values: BTreeMap<String, Expression>,
}

impl Scope {
    pub(crate) fn with(&self, name: &str, value: Expression) -> Self {
        let mut inner = self.clone();
        inner.values.insert(name.to_owned(), value);
        inner
    }

    /// `this_nodes` with the label in place of `this`; `None` for names that belong to no resource.
    pub(crate) fn own(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix("this")?;
        (rest.is_empty() || rest.starts_with('_')).then(|| format!("{}{rest}", self.label))
    }

    /// The body with everything put in.
    pub(crate) fn body(&self, body: &Body) -> Result<Body> {
        let mut made = Vec::new();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    if ["when", "repeat"].contains(&attribute.key.as_str()) {
                        continue;
                    }
                    let value = self.expression(&attribute.expr, 0)?;
                    if value != Expression::Null {
                        made.push(Structure::Attribute(Attribute { key: attribute.key.clone(), expr: value }));
                    }
                }
                Structure::Block(block) => self.block(block, &mut made)?,
            }
        }
        Ok(made.into_iter().collect())
    }

    fn block(&self, block: &Block, made: &mut Vec<Structure>) -> Result<()> {
        let own = |name: &str| block.body.attributes().find(|a| a.key.as_str() == name).map(|a| &a.expr);
        let scopes = match own("repeat").map(|expr| self.expression(expr, 0)).transpose()? {
            None => vec![self.clone()],
            Some(Expression::Null) => Vec::new(),
            Some(Expression::Array(items)) => {
                let each = items.into_iter().zip(0_i64..);
                each.map(|(item, n)| self.with("item", item).with("index", number(n))).collect()
            }
            Some(Expression::Object(pairs)) => pairs
                .into_iter()
                .map(|(key, value)| {
                    let pair = [("key", Expression::String(key_text(&key))), ("value", value)];
                    self.with("item", object(pair))
                })
                .collect(),
            Some(other) => return bad(format!("`repeat` takes a list or map, not {}", printer::expression(&other, 0))),
        };
        for scope in scopes {
            let here = own("when").map(|expr| scope.expression(expr, 0)).transpose()?;
            if matches!(here, Some(Expression::Null | Expression::Bool(false))) {
                continue;
            }
            let labels = block.labels.iter().map(|label| {
                let text = match label {
                    BlockLabel::Identifier(name) => name.as_str(),
                    BlockLabel::String(text) => text,
                };
                BlockLabel::String(self.own(text).unwrap_or_else(|| text.to_owned()))
            });
            let labels: Vec<BlockLabel> = labels.collect();
            let object = labels.last().map(|label| Expression::String(object_name(label.as_str())));
            let scope = match object.filter(|_| block.identifier.as_str().ends_with("manifest")) {
                Some(name) => scope.with("object", name),
                None => scope,
            };
            made.push(Structure::Block(Block {
                identifier: block.identifier.clone(),
                labels,
                body: scope.body(&block.body)?,
            }));
        }
        Ok(())
    }

    /// One expression, as far as it can be known.
    pub(crate) fn expression(&self, expr: &Expression, depth: usize) -> Result<Expression> {
        if depth > EXPRESSION_DEPTH_MAX {
            return bad("an expression nests too deep");
        }
        let of = |expr: &Expression| self.expression(expr, depth + 1);
        Ok(match expr {
            Expression::Array(items) => {
                let items = items.iter().map(of).collect::<Result<Vec<_>>>()?;
                Expression::Array(items.into_iter().filter(|i| *i != Expression::Null).collect())
            }
            Expression::Object(pairs) => {
                let mut made = Object::new();
                for (key, value) in pairs {
                    let key = match key {
                        ObjectKey::Expression(expr) => match of(expr)? {
                            Expression::Parenthesis(inner) if is_plain(&inner) => ObjectKey::Expression(*inner),
                            expr => ObjectKey::Expression(expr),
                        },
                        key => key.clone(),
                    };
                    let value = of(value)?;
                    if value != Expression::Null {
                        made.insert(key, value);
                    }
                }
                Expression::Object(made)
            }
            Expression::TemplateExpr(template) => match &**template {
                TemplateExpr::QuotedString(source) => self.template(source, depth)?,
                TemplateExpr::Heredoc(doc) => self.template(&doc.template, depth)?,
            },
            Expression::Variable(name) => match self.values.get(name.as_str()) {
                Some(value) => value.clone(),
                None => expr.clone(),
            },
            Expression::Traversal(traversal) => self.traversal(traversal, depth)?,
            Expression::FuncCall(call) => self.call(call, depth)?,
            Expression::Parenthesis(inner) => match of(inner)? {
                made @ (Expression::Operation(_) | Expression::Conditional(_) | Expression::ForExpr(_)) => {
                    Expression::Parenthesis(Box::new(made))
                }
                // Keys of maps keep theirs, see above.
                made if is_plain(&made) => made,
                made => Expression::Parenthesis(Box::new(made)),
            },
            Expression::Conditional(c) => match of(&c.cond_expr)? {
                Expression::Bool(true) => of(&c.true_expr)?,
                Expression::Bool(false) | Expression::Null => of(&c.false_expr)?,
                cond => Conditional::new(cond, of(&c.true_expr)?, of(&c.false_expr)?).into(),
            },
            Expression::Operation(operation) => match &**operation {
                Operation::Unary(op) => unary(op.operator, of(&op.expr)?),
                Operation::Binary(op) => binary(op.operator, of(&op.lhs_expr)?, of(&op.rhs_expr)?),
            },
            Expression::ForExpr(of) => self.loops(of, depth)?,
            plain => plain.clone(),
        })
    }

    fn template(&self, source: &str, depth: usize) -> Result<Expression> {
        let template: Template = source.parse().map_err(|e| BadRecipe(format!("{source:?} is no template: {e}")))?;
        let mut parts: Vec<Expression> = Vec::new();
        let mut push = |part: Expression| match (parts.last_mut(), part) {
            (Some(Expression::String(before)), Expression::String(text)) => before.push_str(&text),
            (_, part) => parts.push(part),
        };
        for element in template.elements() {
            match element {
                Element::Literal(text) => push(Expression::String(text.clone())),
                Element::Interpolation(inner) => match self.expression(&inner.expr, depth + 1)? {
                    Expression::Bool(b) => push(Expression::String(b.to_string())),
                    Expression::Number(n) => push(Expression::String(n.to_string())),
                    Expression::Null => return bad(format!("{source:?} holds null")),
                    Expression::TemplateExpr(inner) => {
                        let TemplateExpr::QuotedString(source) = *inner else { return bad("a heredoc in a template") };
                        let inner: Template = source.parse().map_err(|e| BadRecipe(format!("{source:?}: {e}")))?;
                        for element in inner.elements() {
                            match element {
                                Element::Literal(text) => push(Expression::String(text.clone())),
                                Element::Interpolation(i) => push(i.expr.clone()),
                                Element::Directive(_) => return bad("a directive in a template"),
                            }
                        }
                    }
                    other => push(other),
                },
                Element::Directive(_) => return bad("a directive in a template"),
            }
        }
        Ok(joined(parts))
    }

    fn traversal(&self, traversal: &Traversal, depth: usize) -> Result<Expression> {
        let unknown = match &traversal.expr {
            Expression::Variable(name) => !self.values.contains_key(name.as_str()),
            _ => false,
        };
        let root = self.expression(&traversal.expr, depth + 1)?;
        let mut operators = Vec::with_capacity(traversal.operators.len());
        for (n, operator) in traversal.operators.iter().enumerate() {
            operators.push(match operator {
                TraversalOperator::Index(at) => TraversalOperator::Index(self.expression(at, depth + 1)?),
                // `aws_vpc.this`, `var.this_password`, and `data.aws_ami.this`.
                TraversalOperator::GetAttr(name) if unknown && n < 2 => match self.own(name.as_str()) {
                    Some(own) => TraversalOperator::GetAttr(identifier(&own)?),
                    None => operator.clone(),
                },
                other => other.clone(),
            });
        }
        walk(root, &operators)
    }

    fn loops(&self, of: &ForExpr, depth: usize) -> Result<Expression> {
        let collection = self.expression(&of.collection_expr, depth + 1)?;
        let pairs: Vec<(Expression, Expression)> = match collection {
            Expression::Array(items) => {
                items.into_iter().enumerate().map(|(n, item)| (Expression::from(n as u64), item)).collect()
            }
            Expression::Object(pairs) => {
                pairs.into_iter().map(|(key, value)| (Expression::String(key_text(&key)), value)).collect()
            }
            Expression::Null => Vec::new(),
            collection => {
                let mut of = of.clone();
                of.collection_expr = collection;
                of.value_expr = self.expression(&of.value_expr, depth + 1)?;
                of.key_expr = of.key_expr.map(|key| self.expression(&key, depth + 1)).transpose()?;
                of.cond_expr = of.cond_expr.map(|cond| self.expression(&cond, depth + 1)).transpose()?;
                return Ok(of.into());
            }
        };
        let (mut list, mut map) = (Vec::new(), Object::new());
        for (key, value) in pairs {
            let mut inner = self.with(of.value_var.as_str(), value);
            if let Some(name) = &of.key_var {
                inner.values.insert(name.as_str().to_owned(), key);
            }
            let cond = of.cond_expr.as_ref().map(|cond| inner.expression(cond, depth + 1)).transpose()?;
            if matches!(cond, Some(Expression::Bool(false) | Expression::Null)) {
                continue;
            }
            let value = inner.expression(&of.value_expr, depth + 1)?;
            match &of.key_expr {
                Some(key) => drop(map.insert(ObjectKey::Expression(inner.expression(key, depth + 1)?), value)),
                None => list.push(value),
            }
        }
        Ok(if of.key_expr.is_some() { Expression::Object(map) } else { Expression::Array(list) })
    }

    fn call(&self, call: &FuncCall, depth: usize) -> Result<Expression> {
        let args = call.args.iter().map(|arg| self.expression(arg, depth + 1)).collect::<Result<Vec<_>>>()?;
        match (call.name.name.as_str(), args.as_slice()) {
            ("machine", [Expression::String(family), rest @ ..]) => self.machine(family, rest.first()),
            ("short", [letters]) => Ok(Expression::String(cut(&self.full, count(letters)?, "-"))),
            ("compact", [letters]) => {
                let plain: String = self.full.chars().filter(char::is_ascii_alphanumeric).collect();
                Ok(Expression::String(cut(&plain, count(letters)?, "")))
            }
            ("word", [letters]) => {
                let plain: String = self.own_name().chars().filter(char::is_ascii_alphanumeric).collect();
                Ok(Expression::String(cut(&plain, count(letters)?, "")))
            }
            ("cpus", size) => Ok(number(self.size(size.first())?.cpus.into())),
            ("memory_gib", size) => Ok(number(self.size(size.first())?.memory_gib.into())),
            ("keyed", [Expression::Array(items), keys @ ..]) => keyed(items, keys),
            (name, args) => Ok(match fold(name, args)? {
                Some(folded) => folded,
                None => FuncCall { args: args.to_vec(), ..call.clone() }.into(),
            }),
        }
    }

    fn own_name(&self) -> String {
        self.values
            .get("name")
            .map(|n| if let Expression::String(name) = n { name.clone() } else { String::new() })
            .unwrap_or_default()
    }

    /// The machine that a spec names for this cloud, or the one of its size.
    fn machine(&self, family: &str, size: Option<&Expression>) -> Result<Expression> {
        if let Some(Expression::Object(named)) = self.field("machine_type")
            && let Some(own) = get(named, self.cloud.name())
        {
            return Ok(own.clone());
        }
        let size = self.size(size)?;
        match machine(self.cloud, family, size) {
            Some(name) => Ok(Expression::String(name.to_owned())),
            None => bad(format!("no machine for {size} in {family}")),
        }
    }

    /// A size that is given, or that of the resource.
    fn size(&self, given: Option<&Expression>) -> Result<Size> {
        let Some(Expression::String(text)) = given.or_else(|| self.field("size")) else {
            return bad("a machine without a size");
        };
        text.parse().map_err(|e| BadRecipe(format!("{text}: {e}")))
    }

    fn field(&self, name: &str) -> Option<&Expression> {
        match self.values.get("field") {
            Some(Expression::Object(fields)) => get(fields, name),
            _ => None,
        }
    }
}

/// What a text becomes that is made of texts and code.
pub(crate) fn joined(parts: Vec<Expression>) -> Expression {
    let plain = |part: Expression| match part {
        Expression::Number(n) => Expression::String(n.to_string()),
        Expression::Bool(b) => Expression::String(b.to_string()),
        other => other,
    };
    let mut parts: Vec<Expression> = parts.into_iter().map(plain).collect();
    if parts.len() < 2 {
        return parts.pop().unwrap_or_else(|| Expression::String(String::new()));
    }
    let escaped = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
    if parts.iter().all(|part| matches!(part, Expression::String(_))) {
        let texts = parts
            .iter()
            .filter_map(|part| if let Expression::String(text) = part { Some(text.as_str()) } else { None });
        return Expression::String(texts.collect());
    }
    let mut source = String::new();
    for part in &parts {
        match part {
            Expression::String(text) => source.push_str(&escaped(text)),
            // A template in a template is one.
            Expression::TemplateExpr(inner) => match &**inner {
                TemplateExpr::QuotedString(inner) => source.push_str(inner),
                TemplateExpr::Heredoc(doc) => source.push_str(&doc.template),
            },
            code => source.push_str(&format!("${{{}}}", printer::expression(code, 0))),
        }
    }
    TemplateExpr::QuotedString(source).into()
}

/// An object of names and values.
pub(crate) fn object<'k>(pairs: impl IntoIterator<Item = (&'k str, Expression)>) -> Expression {
    let key = |name: &str| ObjectKey::Expression(Expression::String(name.to_owned()));
    Expression::Object(pairs.into_iter().map(|(name, value)| (key(name), value)).collect())
}

fn identifier(text: &str) -> Result<Identifier> {
    Identifier::new(text).map_err(|e| BadRecipe(format!("{text:?} is no identifier: {e}")))
}

pub(crate) fn key_text(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Identifier(name) => name.as_str().to_owned(),
        ObjectKey::Expression(Expression::String(text)) => text.clone(),
        ObjectKey::Expression(other) => printer::expression(other, 0),
        _ => String::new(),
    }
}

/// The value of a name.
pub(crate) fn get<'o>(pairs: &'o Object<ObjectKey, Expression>, name: &str) -> Option<&'o Expression> {
    pairs.iter().find(|(key, _)| key_text(key) == name).map(|(_, value)| value)
}

/// Known, and no code.
fn is_plain(expr: &Expression) -> bool {
    matches!(expr, Expression::Null | Expression::Bool(_) | Expression::Number(_) | Expression::String(_))
}

fn walk(at: Expression, operators: &[TraversalOperator]) -> Result<Expression> {
    let Some((operator, rest)) = operators.split_first() else { return Ok(at) };
    match (at, operator) {
        (Expression::Null, _) => Ok(Expression::Null),
        (Expression::Object(pairs), TraversalOperator::GetAttr(name)) => match get(&pairs, name.as_str()) {
            Some(value) => walk(value.clone(), rest),
            None => {
                let known: Vec<_> = pairs.iter().map(|(key, _)| key_text(key)).collect();
                bad(format!("there is no {} among {}", name.as_str(), known.join(", ")))
            }
        },
        (Expression::Object(pairs), TraversalOperator::Index(Expression::String(name))) => {
            walk(get(&pairs, name).cloned().unwrap_or(Expression::Null), rest)
        }
        (Expression::Array(items), TraversalOperator::Index(at @ Expression::Number(_))) => {
            walk(items.into_iter().nth(count(at)?).unwrap_or(Expression::Null), rest)
        }
        (Expression::Array(items), TraversalOperator::FullSplat | TraversalOperator::AttrSplat) => {
            let items = items.into_iter().map(|item| walk(item, rest)).collect::<Result<Vec<_>>>()?;
            Ok(Expression::Array(items.into_iter().filter(|i| *i != Expression::Null).collect()))
        }
        (Expression::Traversal(mut traversal), _) => {
            traversal.operators.extend(operators.iter().cloned());
            Ok(Expression::Traversal(traversal))
        }
        (other, _) => Ok(Traversal::new(other, operators.iter().cloned()).into()),
    }
}

fn unary(operator: UnaryOperator, value: Expression) -> Expression {
    match (operator, value) {
        (UnaryOperator::Not, Expression::Bool(b)) => Expression::Bool(!b),
        (UnaryOperator::Not, Expression::Null) => Expression::Bool(true),
        (UnaryOperator::Neg, Expression::Number(n)) if n.as_i64().is_some() => {
            Expression::from(n.as_i64().unwrap_or_default().wrapping_neg())
        }
        (operator, value) => Operation::Unary(UnaryOp::new(operator, value)).into(),
    }
}

fn binary(operator: BinaryOperator, a: Expression, b: Expression) -> Expression {
    use BinaryOperator::{And, Div, Eq, Greater, GreaterEq, Less, LessEq, Minus, Mod, Mul, NotEq, Or, Plus};
    let number = |e: &Expression| match e {
        Expression::Number(n) => n.as_i64(),
        _ => None,
    };
    let known = match (operator, number(&a), number(&b)) {
        (Plus, Some(a), Some(b)) => a.checked_add(b).map(Expression::from),
        (Minus, Some(a), Some(b)) => a.checked_sub(b).map(Expression::from),
        (Mul, Some(a), Some(b)) => a.checked_mul(b).map(Expression::from),
        // In whole numbers, rounded up: shares of capacity are asked for, never more than there is need.
        (Div, Some(a), Some(b)) if b > 0 => Some(Expression::from(a.div_euclid(b) + i64::from(a.rem_euclid(b) > 0))),
        (Mod, Some(a), Some(b)) => a.checked_rem(b).map(Expression::from),
        (Less, Some(a), Some(b)) => Some(Expression::Bool(a < b)),
        (LessEq, Some(a), Some(b)) => Some(Expression::Bool(a <= b)),
        (Greater, Some(a), Some(b)) => Some(Expression::Bool(a > b)),
        (GreaterEq, Some(a), Some(b)) => Some(Expression::Bool(a >= b)),
        (Mul, ..) if number(&a).is_none() || number(&b).is_none() => product(&a, &b),
        _ => match (operator, &a, &b) {
            // Code is never null: what it stands for is there, or its resource is not.
            (Eq, x, y) if is_plain(x) && is_plain(y) => Some(Expression::Bool(x == y)),
            (NotEq, x, y) if is_plain(x) && is_plain(y) => Some(Expression::Bool(x != y)),
            (Eq, Expression::Null, _) | (Eq, _, Expression::Null) => Some(Expression::Bool(false)),
            (NotEq, Expression::Null, _) | (NotEq, _, Expression::Null) => Some(Expression::Bool(true)),
            (And, Expression::Bool(false) | Expression::Null, _) | (And, _, Expression::Bool(false)) => {
                Some(Expression::Bool(false))
            }
            (And, Expression::Bool(true), other) | (And, other, Expression::Bool(true)) => Some(other.clone()),
            (Or, Expression::Bool(true), _) | (Or, _, Expression::Bool(true)) => Some(Expression::Bool(true)),
            (Or, Expression::Bool(false) | Expression::Null, other) | (Or, other, Expression::Bool(false)) => {
                Some(other.clone())
            }
            _ => None,
        },
    };
    known.unwrap_or_else(|| Operation::Binary(BinaryOp::new(a, operator, b)).into())
}

/// Of numbers of which one has a fraction.
fn product(a: &Expression, b: &Expression) -> Option<Expression> {
    let (Expression::Number(a), Expression::Number(b)) = (a, b) else { return None };
    let product = a.as_f64()? * b.as_f64()?;
    // Shares are hundredths; what is beyond comes of the binary form.
    let rounded = (product * 1e6).round() / 1e6;
    if rounded.fract() == 0.0 {
        Some(Expression::from(rounded as i64))
    } else {
        Number::from_f64(rounded).map(Expression::Number)
    }
}

/// Terraform's functions, where all that they need is known; `None` leaves the call as it is.
pub fn fold(name: &str, args: &[Expression]) -> Result<Option<Expression>> {
    let text = |n: usize| match args.get(n) {
        Some(Expression::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let integers = || args.iter().map(|a| if let Expression::Number(n) = a { n.as_i64() } else { None });
    Ok(match (name, args) {
        ("upper", [_]) => text(0).map(|t| Expression::String(t.to_uppercase())),
        ("lower", [_]) => text(0).map(|t| Expression::String(t.to_lowercase())),
        ("replace", [_, _, _]) => match (text(0), text(1), text(2)) {
            (Some(t), Some(from), Some(to)) => Some(Expression::String(t.replace(from, to))),
            _ => None,
        },
        ("trimprefix", [_, _]) => match (text(0), text(1)) {
            (Some(t), Some(prefix)) => Some(Expression::String(t.strip_prefix(prefix).unwrap_or(t).to_owned())),
            _ => None,
        },
        ("trimsuffix", [_, _]) => match (text(0), text(1)) {
            (Some(t), Some(suffix)) => Some(Expression::String(t.strip_suffix(suffix).unwrap_or(t).to_owned())),
            _ => None,
        },
        ("split", [_, _]) => match (text(0), text(1)) {
            (Some(by), Some(t)) if !by.is_empty() => {
                Some(Expression::Array(t.split(by).map(|p| Expression::String(p.to_owned())).collect()))
            }
            _ => None,
        },
        ("join", [Expression::String(by), Expression::Array(items)]) if items.iter().all(is_plain) => {
            let each =
                items.iter().map(|i| if let Expression::String(t) = i { t.clone() } else { printer::expression(i, 0) });
            Some(Expression::String(each.collect::<Vec<_>>().join(by)))
        }
        ("length", [Expression::Array(items)]) => Some(Expression::from(items.len() as u64)),
        ("length", [Expression::Object(pairs)]) => Some(Expression::from(pairs.len() as u64)),
        ("length", [Expression::Null]) => Some(Expression::from(0u64)),
        ("max", _) => {
            integers().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()).map(Expression::from)
        }
        ("min", _) => {
            integers().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min()).map(Expression::from)
        }
        ("concat", _) if args.iter().all(|a| matches!(a, Expression::Array(_) | Expression::Null)) => {
            let items = args.iter().filter_map(|a| if let Expression::Array(items) = a { Some(items) } else { None });
            Some(Expression::Array(items.flatten().cloned().collect()))
        }
        ("merge", _) if args.iter().all(|a| matches!(a, Expression::Object(_) | Expression::Null)) => {
            let mut made = Object::new();
            for pairs in args.iter().filter_map(|a| if let Expression::Object(pairs) = a { Some(pairs) } else { None })
            {
                for (key, value) in pairs {
                    made.insert(ObjectKey::Expression(Expression::String(key_text(key))), value.clone());
                }
            }
            Some(Expression::Object(made))
        }
        ("contains", [Expression::Array(items), value]) if is_plain(value) && items.iter().all(is_plain) => {
            Some(Expression::Bool(items.contains(value)))
        }
        ("tostring", [Expression::Number(n)]) => Some(Expression::String(n.to_string())),
        ("tonumber", [_]) => text(0).and_then(|t| t.parse::<i64>().ok()).map(Expression::from),
        ("coalesce", _) => match args.iter().find(|a| **a != Expression::Null) {
            Some(first) => Some(first.clone()),
            None => Some(Expression::Null),
        },
        _ => None,
    })
}

fn keyed(items: &[Expression], keys: &[Expression]) -> Result<Expression> {
    let mut made = Object::new();
    for item in items {
        let Expression::Object(pairs) = item else { return bad("`keyed` takes a list of maps") };
        let part = |key: &Expression| match key {
            Expression::String(name) => Ok(match get(pairs, name) {
                Some(Expression::String(text)) => text.clone(),
                Some(other) => printer::expression(other, 0),
                None => String::new(),
            }),
            _ => bad("`keyed` takes names of keys"),
        };
        let name = keys.iter().map(part).collect::<Result<Vec<_>>>()?.join("_");
        let taken = made.insert(ObjectKey::Expression(Expression::String(name.clone())), item.clone());
        if taken.is_some() {
            return bad(format!("two of them are `{name}`"));
        }
    }
    Ok(Expression::Object(made))
}

fn count(expr: &Expression) -> Result<usize> {
    let number = if let Expression::Number(n) = expr { n.as_i64() } else { None };
    match number.and_then(|n| usize::try_from(n).ok()) {
        Some(n) => Ok(n),
        None => bad(format!("{} is no count", printer::expression(expr, 0))),
    }
}

/// A name of at most so many letters. One that is cut ends in a hash of the whole, so that two cut alike stay two.
pub(crate) fn cut(name: &str, letters: usize, separator: &str) -> String {
    if name.len() <= letters {
        return name.to_owned();
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let end = format!("{separator}{hash:08x}");
    let keep: String = name.chars().take(letters.saturating_sub(end.len())).collect();
    format!("{}{end}", keep.trim_end_matches('-'))
}

/// The name of an object of Kubernetes, a label of DNS: `orders_db` is called `orders-db`.
pub(crate) fn object_name(label: &str) -> String {
    label.replace('_', "-").trim_end_matches('-').to_owned()
}

/// A value that is written as a number.
pub(crate) fn number(n: i64) -> Expression {
    Expression::Number(Number::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let vpc: Expression = "aws_vpc.net.id".parse().expect("code");
        let field = object([
            ("n", number(7)),
            ("off", Expression::Bool(false)),
            ("none", Expression::Null),
            ("text", Expression::String("a-b".to_owned())),
            ("network", object([("id", vpc.clone())])),
            ("list", Expression::Array(vec![object([("id", vpc), ("port", number(80))])])),
        ]);
        let values =
            BTreeMap::from([("field".to_owned(), field), ("name".to_owned(), Expression::String("web".to_owned()))]);
        Scope { cloud: Cloud::Aws, label: "web".to_owned(), full: "shop-prod-web".to_owned(), values }
    }

    #[test]
    fn what_can_be_known_is_worked_out() {
        for (code, wanted) in [
            ("field.n + 1", "8"),
            ("field.n / 2", "4"),
            ("field.n > 3 ? \"big\" : \"small\"", "\"big\""),
            ("field.none != null ? field.none : 3", "3"),
            ("field.none.id", "null"),
            ("field.network.id", "aws_vpc.net.id"),
            ("field.network.id[0]", "aws_vpc.net.id[0]"),
            ("field.network != null", "true"),
            ("field.list[*].id", "[aws_vpc.net.id]"),
            ("[for x in field.list : x.port + 1]", "[81]"),
            ("keyed(field.list, \"port\")[\"80\"].id", "aws_vpc.net.id"),
            ("\"${name}-${field.n}\"", "\"web-7\""),
            ("\"${name}-${var.region}\"", "\"web-${var.region}\""),
            ("\"${field.network.id}\"", "aws_vpc.net.id"),
            ("\"arn:${\"${name}:${var.region}\"}\"", "\"arn:web:${var.region}\""),
            ("aws_subnet.this_public[*].id", "aws_subnet.web_public[*].id"),
            ("data.aws_ami.this.id", "data.aws_ami.web.id"),
            ("var.this_password", "var.web_password"),
            ("other.thistle", "other.thistle"),
            ("each.value.this", "each.value.web"),
            ("{ a = 1, b = 2 }[\"b\"]", "2"),
            ("{ \"a-b\" = 9 }[field.text]", "9"),
            ("cidrsubnet(field.text, 4, count.index)", "cidrsubnet(\"a-b\", 4, count.index)"),
            ("join(\",\", concat([field.text], [\"c\"]))", "\"a-b,c\""),
            ("upper(replace(field.text, \"-\", \"_\"))", "\"A_B\""),
            ("trimsuffix(\"a.b.\", \".\")", "\"a.b\""),
            ("short(10)", "\"s-9acf0fda\""),
            ("compact(24)", "\"shopprodweb\""),
            ("machine(\"vm\", \"2x8\")", "\"m7i.large\""),
            ("cpus(\"2x8\") + memory_gib(\"2x8\")", "10"),
            ("!field.off && var.x", "var.x"),
            ("[field.none, 1]", "[1]"),
            ("max(field.n, 9)", "9"),
        ] {
            let expr: Expression = code.parse().expect(code);
            let told = match scope().expression(&expr, 0) {
                Ok(made) => printer::expression(&made, 0),
                Err(e) => e.to_string(),
            };
            assert_eq!(told, wanted, "{code}");
        }
    }

    #[test]
    fn mistakes_in_recipes_are_told() {
        for code in [
            "field.nothing",
            "field.network.arn",
            "keyed(field.list, \"none\")[0].x",
            "machine(\"vm\")",
            "short(\"x\")",
        ] {
            let expr: Expression = code.parse().expect(code);
            let made = scope().expression(&expr, 0);
            assert!(made.is_err() || made == Ok(Expression::Null) || code.contains("none"), "{code}");
        }
    }
}
