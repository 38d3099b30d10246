//! Expressions and bodies to values. `None` is what Terraform would call an error (`try` and `can` see it); at an attribute it
//! becomes unknown.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grid_model::Amount;
use hcl::expr::{BinaryOperator, Expression, ForExpr, ObjectKey, Operation, TemplateExpr, UnaryOperator};
use hcl::template::{Directive, Element, Strip, Template};
use hcl::{Body, Structure};

use super::module::{Module, index_text};
use super::{Folder, Sources, attribute};
use crate::limits;
use crate::quantity::{self, product, quotient, whole};
use crate::resource::{Inventory, Notes, Resource};
use crate::value::{Addresses, Value};

/// The hidden key by which the object of a whole resource says which resource it is, so that what the provider will fill in
/// is unknown rather than missing.
pub(super) const ADDRESS: &str = "\0address";

/// `each`, `count` and the variables of `for` and `dynamic` that an expression sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) each: Option<(Value, Value)>,
    pub(super) count: Option<i64>,
    pub(super) names: Vec<(String, Value)>,
}

/// Where an expression is evaluated, and which resources it has referred to so far.
pub(super) struct Frame {
    pub(super) module: usize,
    pub(super) scope: Scope,
    pub(super) refs: Addresses,
}

impl Frame {
    pub(super) fn new(module: usize, scope: Scope) -> Self {
        Self { module, scope, refs: Addresses::new() }
    }
}

/// The instances of a block.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    Single,
    Count(i64),
    Each(Vec<(String, Value)>),
}

impl Keys {
    /// Each instance's key and what it sees.
    pub(super) fn instances(&self) -> Vec<(Option<Value>, Scope)> {
        match self {
            Self::Single => vec![(None, Scope::default())],
            Self::Count(n) => {
                (0..*n).map(|i| (Some(Value::Number(whole(i))), Scope { count: Some(i), ..Scope::default() })).collect()
            }
            Self::Each(entries) => entries
                .iter()
                .map(|(k, v)| {
                    let key = Value::text(k);
                    (Some(key.clone()), Scope { each: Some((key, v.clone())), ..Scope::default() })
                })
                .collect(),
        }
    }
}

type Known = (Option<Value>, Addresses);

/// Evaluates one configuration. Everything is evaluated when asked for, once, and a circle is unknown.
pub(super) struct Evaluator<'a> {
    pub(super) sources: &'a dyn Sources,
    given: BTreeMap<String, Value>,
    pub(super) folders: RefCell<BTreeMap<String, Option<Rc<Folder>>>>,
    pub(super) files: Cell<usize>,
    pub(super) modules: RefCell<Vec<Rc<Module>>>,
    pub(super) calls: RefCell<BTreeMap<(usize, String), Option<Rc<Vec<(Option<Value>, usize)>>>>>,
    pub(super) keys: RefCell<BTreeMap<(usize, String), Rc<Keys>>>,
    known: RefCell<BTreeMap<(usize, String), Known>>,
    busy: RefCell<BTreeSet<(usize, String)>>,
    steps: Cell<u64>,
    depth: Cell<u32>,
    pub(super) notes: RefCell<Notes>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(sources: &'a dyn Sources, given: BTreeMap<String, Value>) -> Self {
        let evaluator = Self {
            sources,
            given,
            folders: RefCell::default(),
            files: Cell::new(0),
            modules: RefCell::default(),
            calls: RefCell::default(),
            keys: RefCell::default(),
            known: RefCell::default(),
            busy: RefCell::default(),
            steps: Cell::new(0),
            depth: Cell::new(0),
            notes: RefCell::default(),
        };
        evaluator.add_root();
        evaluator
    }

    pub(super) fn note(&self, note: impl Into<String>) {
        self.notes.borrow_mut().add(note);
    }

    pub(super) fn module(&self, index: usize) -> Option<Rc<Module>> {
        self.modules.borrow().get(index).cloned()
    }

    /// A value that needs no configuration.
    pub(super) fn constant(&self, expression: &Expression) -> Value {
        self.eval(expression, &mut Frame::new(usize::MAX, Scope::default())).unwrap_or_else(Value::unknown)
    }

    /// All resources of the root and of every module that it calls.
    pub(super) fn inventory(&self) -> Inventory {
        let mut resources = Vec::new();
        let mut open = vec![0];
        while let Some(index) = open.pop() {
            let Some(module) = self.module(index) else { continue };
            for name in module.folder.modules.keys() {
                open.extend(self.called(index, name).iter().flat_map(|c| c.iter().map(|(_, i)| *i)));
            }
            for ((kind, name), body) in &module.folder.resources {
                self.resources_of(index, &module, (kind, name), body, &mut resources);
            }
        }
        resources.sort_by(|a: &Resource, b| a.address.cmp(&b.address));
        if self.steps.get() > limits::STEPS_MAX {
            self.note(format!("more than {} steps of evaluation: what was left is unknown", limits::STEPS_MAX));
        }
        Inventory { resources, notes: self.notes.take() }
    }

    fn resources_of(
        &self,
        index: usize,
        module: &Module,
        (kind, name): (&str, &str),
        body: &Body,
        into: &mut Vec<Resource>,
    ) {
        let base = format!("{}{kind}.{name}", module.prefix);
        let keys = self.resource_keys(index, kind, name, body);
        let region = self.provider_region(index, kind, attribute(body, "provider"));
        for (key, scope) in keys.instances() {
            if into.len() >= limits::RESOURCES_MAX {
                self.note(format!("more than {} resources: the rest is left out", limits::RESOURCES_MAX));
                return;
            }
            let mut references = BTreeMap::new();
            let mut frame = Frame::new(index, scope);
            let values = self.body(body, &mut frame, "", &mut references);
            into.push(Resource {
                address: format!("{base}{}", index_text(key.as_ref())),
                kind: kind.to_owned(),
                name: name.to_owned(),
                provider_region: region.clone(),
                values: Value::Map(values),
                references,
            });
        }
    }

    pub(super) fn resource_keys(&self, module: usize, kind: &str, name: &str, body: &Body) -> Rc<Keys> {
        let place = (module, format!("{kind}.{name}"));
        if let Some(known) = self.keys.borrow().get(&place) {
            return known.clone();
        }
        self.keys.borrow_mut().insert(place.clone(), Rc::new(Keys::Each(Vec::new())));
        let keys = Rc::new(self.keys(module, &Scope::default(), body, &place.1));
        self.keys.borrow_mut().insert(place, keys.clone());
        keys
    }

    /// A body's attributes and blocks. References are noted by path without indexes.
    pub(super) fn body(
        &self,
        body: &Body,
        frame: &mut Frame,
        path: &str,
        references: &mut BTreeMap<String, Addresses>,
    ) -> BTreeMap<String, Value> {
        let top = path.is_empty();
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        let at = |name: &str| if top { name.to_owned() } else { format!("{path}.{name}") };
        for structure in body.iter() {
            match structure {
                Structure::Attribute(a) => {
                    let name = a.key.as_str();
                    if top && ["count", "for_each", "depends_on", "provider"].contains(&name) {
                        continue;
                    }
                    frame.refs.clear();
                    let value = self.eval(&a.expr, frame).unwrap_or_else(Value::unknown);
                    let mut found = std::mem::take(&mut frame.refs);
                    value.addresses(&mut found);
                    if !found.is_empty() {
                        references.entry(at(name)).or_default().extend(found);
                    }
                    values.insert(name.to_owned(), value);
                }
                Structure::Block(block) => {
                    let name = block.identifier.as_str();
                    if top && ["lifecycle", "provisioner", "connection"].contains(&name) {
                        continue;
                    }
                    let (name, made) = match (name, block.labels.first()) {
                        ("dynamic", Some(label)) => {
                            let name = label.as_str().to_owned();
                            let made = self.dynamic(&name, &block.body, frame, &at(&name), references);
                            (name, made)
                        }
                        _ => {
                            let values = self.body(&block.body, frame, &at(name), references);
                            (name.to_owned(), Some(vec![Value::Map(values)]))
                        }
                    };
                    match (values.entry(name).or_insert_with(|| Value::List(Vec::new())), made) {
                        (Value::List(items), Some(made)) => items.extend(made),
                        (slot, _) => *slot = Value::unknown(),
                    }
                }
            }
        }
        values
    }

    /// The blocks of a `dynamic` block; `None` if what it iterates over is not known.
    fn dynamic(
        &self,
        name: &str,
        body: &Body,
        frame: &mut Frame,
        path: &str,
        references: &mut BTreeMap<String, Addresses>,
    ) -> Option<Vec<Value>> {
        let entries = entries(self.eval(attribute(body, "for_each")?, frame)?)?;
        let iterator = attribute(body, "iterator").map_or_else(|| name.to_owned(), ToString::to_string);
        let content = body.blocks().find(|b| b.identifier.as_str() == "content")?;
        let mut made = Vec::new();
        for (key, value) in entries {
            let item = BTreeMap::from([("key".to_owned(), key), ("value".to_owned(), value)]);
            frame.scope.names.push((iterator.clone(), Value::Map(item)));
            made.push(Value::Map(self.body(&content.body, frame, path, references)));
            frame.scope.names.pop();
            if !self.charge(1) {
                return None;
            }
        }
        Some(made)
    }

    /// Counts work; false when there was too much of it.
    pub(super) fn charge(&self, steps: u64) -> bool {
        self.steps.set(self.steps.get().saturating_add(steps));
        self.steps.get() <= limits::STEPS_MAX
    }

    /// Something that is evaluated once and kept: a local, a variable, an output, an attribute.
    pub(super) fn once(
        &self,
        place: (usize, String),
        refs: &mut Addresses,
        make: impl FnOnce() -> Known,
    ) -> Option<Value> {
        if let Some((value, found)) = self.known.borrow().get(&place) {
            refs.extend(found.iter().cloned());
            return self.charge(value.as_ref().map_or(1, Value::weight)).then(|| value.clone())?;
        }
        if !self.busy.borrow_mut().insert(place.clone()) {
            self.note(format!("{} refers to itself", place.1));
            return Some(Value::unknown());
        }
        let (value, found) = make();
        let made = match value {
            Some(value) if value.depth() > limits::VALUE_DEPTH_MAX => {
                self.note(format!("{} is deeper than {} levels", place.1, limits::VALUE_DEPTH_MAX));
                (Some(Value::unknown()), found)
            }
            value => (value, found),
        };
        self.busy.borrow_mut().remove(&place);
        refs.extend(made.1.iter().cloned());
        let value = made.0.clone();
        self.known.borrow_mut().insert(place, made);
        value
    }

    /// The value of an expression; `None` where Terraform would stop with an error.
    pub(super) fn eval(&self, expression: &Expression, frame: &mut Frame) -> Option<Value> {
        if !self.charge(1) || self.depth.get() >= limits::DEPTH_MAX {
            return Some(Value::unknown());
        }
        self.depth.set(self.depth.get() + 1);
        let value = self.eval_inner(expression, frame);
        self.depth.set(self.depth.get() - 1);
        value
    }

    fn eval_inner(&self, expression: &Expression, frame: &mut Frame) -> Option<Value> {
        Some(match expression {
            Expression::Null => Value::Null,
            Expression::Bool(b) => Value::Bool(*b),
            Expression::Number(n) => Value::Number(Amount::parse(&n.to_string()).ok()?.0),
            Expression::String(text) => Value::Text(text.clone()),
            Expression::Array(items) => Value::List(items.iter().map(|e| self.eval(e, frame)).collect::<Option<_>>()?),
            Expression::Object(entries) => {
                let mut map = BTreeMap::new();
                for (key, value) in entries {
                    let key = match key {
                        ObjectKey::Identifier(name) => Some(name.to_string()),
                        ObjectKey::Expression(e) => match self.eval(e, frame)? {
                            Value::Unknown(from) => return Some(Value::Unknown(from)),
                            key => key.as_text(),
                        },
                        _ => None,
                    };
                    map.insert(key?, self.eval(value, frame)?);
                }
                Value::Map(map)
            }
            Expression::TemplateExpr(template) => {
                let Ok(parsed) = Template::from_expr(template) else { return None };
                let indent =
                    matches!(&**template, TemplateExpr::Heredoc(h) if h.strip == hcl::expr::HeredocStripMode::Indent);
                let text = self.template(&parsed, frame)?;
                match text {
                    Value::Text(text) if indent => Value::Text(unindented(&text)),
                    other => other,
                }
            }
            Expression::Variable(name) => self.variable_or_name(name.as_str(), &[], frame)?,
            Expression::Traversal(traversal) => self.traversal(traversal, frame)?,
            Expression::FuncCall(call) => self.call(call, frame)?,
            Expression::Parenthesis(inner) => self.eval(inner, frame)?,
            Expression::Conditional(c) => match self.eval(&c.cond_expr, frame)? {
                Value::Unknown(mut from) => {
                    let branches = [self.eval(&c.true_expr, frame), self.eval(&c.false_expr, frame)];
                    if let [Some(a), Some(b)] = &branches
                        && a == b
                    {
                        return Some(a.clone());
                    }
                    branches.iter().flatten().for_each(|v| v.addresses(&mut from));
                    Value::Unknown(from)
                }
                condition if condition.as_bool()? => self.eval(&c.true_expr, frame)?,
                _ => self.eval(&c.false_expr, frame)?,
            },
            Expression::Operation(operation) => match &**operation {
                Operation::Unary(op) => match (op.operator, self.eval(&op.expr, frame)?) {
                    (_, Value::Unknown(from)) => Value::Unknown(from),
                    (UnaryOperator::Not, v) => Value::Bool(!v.as_bool()?),
                    (UnaryOperator::Neg, v) => Value::Number(Amount(v.as_number()?.0.checked_neg()?)),
                },
                Operation::Binary(op) => {
                    let left = self.eval(&op.lhs_expr, frame)?;
                    let short = match op.operator {
                        BinaryOperator::And => left.as_bool() == Some(false),
                        BinaryOperator::Or => left.as_bool() == Some(true),
                        _ => false,
                    };
                    if short {
                        return Some(left);
                    }
                    binary(op.operator, left, self.eval(&op.rhs_expr, frame)?)?
                }
            },
            Expression::ForExpr(f) => self.for_expression(f, frame)?,
            _ => return None,
        })
    }

    fn for_expression(&self, f: &ForExpr, frame: &mut Frame) -> Option<Value> {
        let collection = match self.eval(&f.collection_expr, frame)? {
            Value::Unknown(from) => return Some(Value::Unknown(from)),
            known => entries(known)?,
        };
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in collection {
            let depth = frame.scope.names.len();
            frame.scope.names.push((f.value_var.to_string(), value));
            if let Some(name) = &f.key_var {
                frame.scope.names.push((name.to_string(), key));
            }
            let item = self.for_item(f, frame);
            frame.scope.names.truncate(depth);
            match item? {
                Item::Skipped => {}
                Item::Unknown(from) => return Some(Value::Unknown(from)),
                Item::Made(None, value) => list.push(value),
                Item::Made(Some(key), value) if f.grouping => match map.entry(key).or_insert(Value::List(Vec::new())) {
                    Value::List(items) => items.push(value),
                    _ => return None,
                },
                Item::Made(Some(key), value) => drop(map.insert(key, value)),
            }
        }
        Some(if f.key_expr.is_some() { Value::Map(map) } else { Value::List(list) })
    }

    fn for_item(&self, f: &ForExpr, frame: &mut Frame) -> Option<Item> {
        if let Some(condition) = &f.cond_expr {
            match self.eval(condition, frame)? {
                Value::Unknown(from) => return Some(Item::Unknown(from)),
                known if known.as_bool()? => {}
                _ => return Some(Item::Skipped),
            }
        }
        let key = match &f.key_expr {
            None => None,
            Some(e) => match self.eval(e, frame)? {
                Value::Unknown(from) => return Some(Item::Unknown(from)),
                key => Some(key.as_text()?),
            },
        };
        Some(Item::Made(key, self.eval(&f.value_expr, frame)?))
    }

    pub(super) fn template(&self, template: &Template, frame: &mut Frame) -> Option<Value> {
        // A template that is one interpolation is that value, whatever its type.
        if let [Element::Interpolation(only)] = template.elements() {
            return self.eval(&only.expr, frame);
        }
        let mut text = String::new();
        let mut unknown: Option<Addresses> = None;
        let mut strip_next = false;
        for element in template.elements() {
            let (piece, strip) = match element {
                Element::Literal(literal) => {
                    let literal = if strip_next { literal.trim_start() } else { literal.as_str() };
                    strip_next = false;
                    text.push_str(literal);
                    continue;
                }
                Element::Interpolation(i) => (self.eval(&i.expr, frame)?, i.strip),
                Element::Directive(directive) => (self.directive(directive, frame)?, Strip::None),
            };
            if strip.strip_start() {
                text.truncate(text.trim_end().len());
            }
            strip_next = strip.strip_end();
            match piece {
                Value::Unknown(from) => unknown.get_or_insert_default().extend(from),
                piece => text.push_str(&piece.as_text()?),
            }
            if text.len() > limits::TEXT_BYTES_MAX {
                return Some(Value::unknown());
            }
        }
        Some(unknown.map_or(Value::Text(text), Value::Unknown))
    }

    fn directive(&self, directive: &Directive, frame: &mut Frame) -> Option<Value> {
        match directive {
            Directive::If(branch) => match self.eval(&branch.cond_expr, frame)? {
                Value::Unknown(from) => Some(Value::Unknown(from)),
                known if known.as_bool()? => self.template(&branch.true_template, frame),
                _ => match &branch.false_template {
                    Some(template) => self.template(template, frame),
                    None => Some(Value::text("")),
                },
            },
            Directive::For(f) => {
                let collection = match self.eval(&f.collection_expr, frame)? {
                    Value::Unknown(from) => return Some(Value::Unknown(from)),
                    known => entries(known)?,
                };
                let mut text = String::new();
                for (key, value) in collection {
                    let depth = frame.scope.names.len();
                    frame.scope.names.push((f.value_var.to_string(), value));
                    if let Some(name) = &f.key_var {
                        frame.scope.names.push((name.to_string(), key));
                    }
                    let piece = self.template(&f.template, frame);
                    frame.scope.names.truncate(depth);
                    match piece? {
                        Value::Unknown(from) => return Some(Value::Unknown(from)),
                        piece => text.push_str(&piece.as_text()?),
                    }
                    if text.len() > limits::TEXT_BYTES_MAX {
                        return Some(Value::unknown());
                    }
                }
                Some(Value::Text(text))
            }
        }
    }

    /// The value of a variable of a module: what the call or `.tfvars` gives, else its default, else unknown.
    pub(super) fn variable(&self, module: usize, name: &str, refs: &mut Addresses) -> Option<Value> {
        let here = self.module(module)?;
        let body = here.folder.variables.get(name);
        self.once((module, format!("{}var.{name}", here.prefix)), refs, || {
            let mut frame = Frame::new(module, Scope::default());
            let given = match (&here.caller, here.inputs.get(name)) {
                (Some((caller, scope)), Some(input)) => {
                    frame = Frame::new(*caller, scope.clone());
                    self.eval(input, &mut frame)
                }
                (None, _) => self.given.get(name).cloned(),
                _ => None,
            };
            let default = || {
                let default = attribute(body?, "default")?;
                self.eval(default, &mut Frame::new(module, Scope::default()))
            };
            let nullable = body.and_then(|b| attribute(b, "nullable")) != Some(&Expression::Bool(false));
            let value = given.filter(|v| nullable || *v != Value::Null).or_else(default);
            let kind = body.and_then(|b| attribute(b, "type"));
            let value = match (value, kind) {
                (Some(value), Some(kind)) => Some(self.with_optional(kind, value, 0)),
                (None, _) => {
                    self.note(format!("{}var.{name} has no value: what depends on it is unknown", here.prefix));
                    Some(Value::unknown())
                }
                (value, None) => value,
            };
            (value, frame.refs)
        })
    }

    /// Fills in the defaults of `optional(type, default)` in an object's type.
    fn with_optional(&self, kind: &Expression, value: Value, depth: usize) -> Value {
        let Expression::FuncCall(call) = kind else { return value };
        if depth > 16 {
            return value;
        }
        match (call.name.name.as_str(), call.args.first(), value) {
            ("list" | "set" | "tuple", Some(inner), Value::List(items)) => {
                Value::List(items.into_iter().map(|v| self.with_optional(inner, v, depth + 1)).collect())
            }
            ("map", Some(inner), Value::Map(entries)) => {
                Value::Map(entries.into_iter().map(|(k, v)| (k, self.with_optional(inner, v, depth + 1))).collect())
            }
            ("object", Some(Expression::Object(fields)), Value::Map(mut entries)) => {
                for (key, field) in fields {
                    let name = key.to_string().trim_matches('"').to_owned();
                    let (inner, default) = match field {
                        Expression::FuncCall(o) if o.name.name.as_str() == "optional" => {
                            (o.args.first(), o.args.get(1))
                        }
                        other => (Some(other), None),
                    };
                    let own = entries.remove(&name).filter(|v| *v != Value::Null);
                    let own = own.or_else(|| default.map(|e| self.constant(e))).unwrap_or(Value::Null);
                    entries.insert(name, inner.map_or(own.clone(), |i| self.with_optional(i, own, depth + 1)));
                }
                Value::Map(entries)
            }
            (_, _, value) => value,
        }
    }
}

enum Item {
    Skipped,
    Unknown(Addresses),
    Made(Option<String>, Value),
}

/// What `for` goes over: key and value of a map, index and value of a list.
fn entries(value: Value) -> Option<Vec<(Value, Value)>> {
    match value {
        Value::List(items) => {
            Some(items.into_iter().enumerate().map(|(i, v)| (Value::Number(whole(i as i64)), v)).collect())
        }
        Value::Map(map) => {
            Some(map.into_iter().filter(|(k, _)| !k.starts_with('\0')).map(|(k, v)| (Value::Text(k), v)).collect())
        }
        _ => None,
    }
}

fn binary(operator: BinaryOperator, left: Value, right: Value) -> Option<Value> {
    use BinaryOperator as Op;
    if matches!(left, Value::Unknown(_)) || matches!(right, Value::Unknown(_)) {
        // One side may decide alone.
        let decided = match operator {
            Op::And => [&left, &right].iter().any(|v| v.as_bool() == Some(false)).then_some(false),
            Op::Or => [&left, &right].iter().any(|v| v.as_bool() == Some(true)).then_some(true),
            _ => None,
        };
        let mut from = Addresses::new();
        left.addresses(&mut from);
        right.addresses(&mut from);
        return Some(decided.map_or(Value::Unknown(from), Value::Bool));
    }
    let numbers = || Some((left.as_number()?, right.as_number()?));
    Some(match operator {
        Op::Eq => Value::Bool(equal(&left, &right)),
        Op::NotEq => Value::Bool(!equal(&left, &right)),
        Op::And => Value::Bool(left.as_bool()? && right.as_bool()?),
        Op::Or => Value::Bool(left.as_bool()? || right.as_bool()?),
        Op::Less => numbers().map(|(a, b)| Value::Bool(a < b))?,
        Op::LessEq => numbers().map(|(a, b)| Value::Bool(a <= b))?,
        Op::Greater => numbers().map(|(a, b)| Value::Bool(a > b))?,
        Op::GreaterEq => numbers().map(|(a, b)| Value::Bool(a >= b))?,
        Op::Plus => Value::Number(numbers().and_then(|(a, b)| a.checked_add(b))?),
        Op::Minus => Value::Number(numbers().and_then(|(a, b)| a.checked_add(Amount(b.0.checked_neg()?)))?),
        Op::Mul => Value::Number(numbers().and_then(|(a, b)| product(a, b))?),
        Op::Div => Value::Number(numbers().and_then(|(a, b)| quotient(a, b))?),
        Op::Mod => {
            let (a, b) = numbers()?;
            Value::Number(Amount(a.0.checked_rem(b.0)?))
        }
    })
}

/// Equality as Terraform's after unification: `1 == "1"`.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(_), Value::Number(_) | Value::Bool(_)) | (Value::Number(_) | Value::Bool(_), Value::Text(_)) => {
            a.as_text() == b.as_text()
        }
        _ => a == b,
    }
}

fn unindented(text: &str) -> String {
    let indent = text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.len() - l.trim_start().len()).min();
    let indent = indent.unwrap_or(0);
    text.split('\n').map(|l| l.get(indent..).unwrap_or(l.trim_start())).collect::<Vec<_>>().join("\n")
}

/// A whole number in a value, for indexes.
pub(super) fn index(value: &Value) -> Option<usize> {
    usize::try_from(quantity::integer(value.as_number()?)?).ok()
}
