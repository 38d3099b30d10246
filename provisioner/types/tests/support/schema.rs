//! HCL against the schema of a provider: unknown, missing, doubled, of the wrong kind; and references to what is not there.

use std::collections::{BTreeMap, BTreeSet};

use grid_types::{Cloud, Rendered};
use hcl::expr::{Expression, ObjectKey, Operation, TemplateExpr, TraversalOperator};
use hcl::template::{Element, Template};
use hcl::{Block, Body, Structure};
use serde_json::Value;

use super::{file, provider};

/// The extract of one provider; see `schema/extract.mjs`.
pub(crate) struct Schema {
    pub(crate) version: String,
    types: Value,
}

impl Schema {
    pub(crate) fn of(cloud: Cloud) -> Self {
        let text = std::fs::read_to_string(file(&format!("schema/{}.json", provider(cloud)))).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        Self { version: value["version"].as_str().unwrap().to_owned(), types: value["types"].take() }
    }

    /// All that is wrong with a configuration. It is read from its text, as Terraform would.
    pub(crate) fn check(&self, rendered: &Rendered) -> Found {
        let mut wrong =
            Wrong { schema: self, told: Vec::new(), open: Vec::new(), blocks: BTreeMap::new(), names: BTreeSet::new() };
        let mut bodies = Vec::new();
        for (name, text) in &rendered.files {
            match hcl::parse(text) {
                Ok(body) => bodies.push(body),
                Err(e) => wrong.told.push(format!("{name} is no HCL: {e}")),
            }
        }
        bodies.iter().for_each(|body| wrong.names(body));
        bodies.iter().for_each(|body| wrong.blocks(body));
        Found { wrong: wrong.told, open: wrong.open }
    }
}

/// What a check finds.
pub(crate) struct Found {
    /// What the schema refuses.
    pub(crate) wrong: Vec<String>,
    /// What the bindings say nothing about, so that it is not checked.
    pub(crate) open: Vec<String>,
}

struct Wrong<'s> {
    schema: &'s Schema,
    told: Vec<String>,
    open: Vec<String>,
    /// `aws_vpc.main` -> its key in the schema.
    blocks: BTreeMap<String, String>,
    /// `var.region`, `local.tags`.
    names: BTreeSet<String>,
}

/// What any resource may have.
const META: [&str; 4] = ["count", "for_each", "depends_on", "provider"];

impl Wrong<'_> {
    fn names(&mut self, body: &Body) {
        for block in body.blocks() {
            let labels: Vec<_> = block.labels.iter().map(|l| l.as_str()).collect();
            let (name, key) = match (block.identifier.as_str(), labels.as_slice()) {
                ("resource", [kind, label]) => (format!("{kind}.{label}"), (*kind).to_owned()),
                ("data", [kind, label]) => (format!("data.{kind}.{label}"), format!("data.{kind}")),
                ("variable", [name]) => (format!("var.{name}"), String::new()),
                ("output", [name]) => (format!("output.{name}"), String::new()),
                ("locals", []) => {
                    self.names.extend(block.body.attributes().map(|a| format!("local.{}", a.key.as_str())));
                    continue;
                }
                ("terraform" | "provider", _) => continue,
                (other, _) => {
                    self.told.push(format!("a block {other} with labels {labels:?}"));
                    continue;
                }
            };
            if key.is_empty() {
                if !self.names.insert(name.clone()) {
                    self.told.push(format!("{name} twice"));
                }
            } else if self.blocks.insert(name.clone(), key).is_some() {
                self.told.push(format!("{name} twice"));
            }
        }
    }

    fn blocks(&mut self, body: &Body) {
        for block in body.blocks() {
            let label = |n: usize| block.labels.get(n).map(|l| l.as_str()).unwrap_or_default();
            let key = match block.identifier.as_str() {
                "resource" => label(0).to_owned(),
                "data" => format!("data.{}", label(0)),
                _ => {
                    self.expressions(&block.body, block.identifier.as_str());
                    continue;
                }
            };
            let at = format!("{key}.{}", label(1));
            let schema = self.schema.types.get(&key);
            match schema {
                Some(schema) => self.block(&block.body, schema, &at, true),
                None => self.told.push(format!("there is no {key} in the schema")),
            }
            self.expressions(&block.body, &at);
        }
    }

    fn block(&mut self, body: &Body, schema: &Value, at: &str, top: bool) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    if top && META.contains(&name) {
                        continue;
                    }
                    *seen.entry(name).or_default() += 1;
                    match schema["a"].get(name).and_then(Value::as_str) {
                        Some(letters) if letters.starts_with('c') => {
                            self.told.push(format!("{at}.{name} cannot be set"));
                        }
                        Some(letters) => self.literal(&attribute.expr, &letters[1..], &format!("{at}.{name}")),
                        None if schema["b"][name]["e"] == 1 => {}
                        None if schema["b"].get(name).is_some() => self.told.push(format!("{at}.{name} is a block")),
                        None => self.told.push(format!("{at} has no argument {name}")),
                    }
                }
                Structure::Block(inner) => {
                    let name = inner.identifier.as_str();
                    if top && name == "lifecycle" {
                        continue;
                    }
                    *seen.entry(name).or_default() += 1;
                    match schema["b"].get(name) {
                        Some(schema) => self.block(&inner.body, schema, &format!("{at}.{name}"), false),
                        None if schema["a"][name].as_str().is_some_and(|letters| letters.ends_with('a')) => {
                            self.open.push(format!("{at}.{name}"));
                        }
                        None if schema["a"].get(name).is_some() => self.told.push(format!("{at}.{name} is no block")),
                        None => self.told.push(format!("{at} has no block {name}")),
                    }
                }
            }
        }
        for (name, letters) in schema["a"].as_object().into_iter().flatten() {
            if letters.as_str().is_some_and(|l| l.starts_with('r')) && !seen.contains_key(name.as_str()) {
                self.told.push(format!("{at} lacks {name}"));
            }
        }
        for (name, inner) in schema["b"].as_object().into_iter().flatten() {
            let count = seen.get(name.as_str()).copied().unwrap_or_default();
            if inner["r"] == 1 && count == 0 {
                self.told.push(format!("{at} lacks a block {name}"));
            }
            if inner["n"] == 1 && count > 1 {
                self.told.push(format!("{at} has {count} blocks {name}"));
            }
        }
    }

    /// A literal must have the very type: Terraform would convert `"1"` to a number, people would not write it.
    fn literal(&mut self, expr: &Expression, letter: &str, at: &str) {
        let wrong = match (expr, letter) {
            (_, "a") => false,
            (Expression::String(_), letter) => letter != "s",
            (Expression::TemplateExpr(_), letter) => letter != "s",
            (Expression::Number(_), letter) => letter != "n",
            (Expression::Bool(_), letter) => letter != "b",
            (Expression::Array(_), letter) => letter != "l",
            (Expression::Object(_), letter) => letter != "m",
            (Expression::Null, _) => true,
            _ => false,
        };
        if wrong {
            self.told.push(format!("{at} takes {letter}, not {expr}"));
        }
    }

    fn expressions(&mut self, body: &Body, at: &str) {
        for structure in body.iter() {
            match structure {
                // `ignore_changes` and types of variables are names of another kind.
                Structure::Attribute(a) if ["ignore_changes", "type"].contains(&a.key.as_str()) => {}
                Structure::Attribute(a) => self.references(&a.expr, &format!("{at}.{}", a.key.as_str())),
                Structure::Block(Block { identifier, body, .. }) => {
                    self.expressions(body, &format!("{at}.{identifier}"))
                }
            }
        }
    }

    fn references(&mut self, expr: &Expression, at: &str) {
        match expr {
            Expression::Array(items) => items.iter().for_each(|i| self.references(i, at)),
            Expression::Object(pairs) => {
                for (key, value) in pairs {
                    if let ObjectKey::Expression(key) = key {
                        self.references(key, at);
                    }
                    self.references(value, at);
                }
            }
            Expression::TemplateExpr(template) => {
                let TemplateExpr::QuotedString(source) = &**template else { return };
                let template: Template = source.parse().unwrap();
                for element in template.elements() {
                    if let Element::Interpolation(i) = element {
                        self.references(&i.expr, at);
                    }
                }
            }
            Expression::Traversal(t) => {
                for operator in &t.operators {
                    if let TraversalOperator::Index(index) = operator {
                        self.references(index, at);
                    }
                }
                match &t.expr {
                    Expression::Variable(root) => self.reference(root.as_str(), &t.operators, at),
                    other => self.references(other, at),
                }
            }
            Expression::FuncCall(call) => call.args.iter().for_each(|a| self.references(a, at)),
            Expression::Parenthesis(inner) => self.references(inner, at),
            Expression::Conditional(c) => {
                [&c.cond_expr, &c.true_expr, &c.false_expr].into_iter().for_each(|e| self.references(e, at));
            }
            Expression::Operation(operation) => match &**operation {
                Operation::Unary(op) => self.references(&op.expr, at),
                Operation::Binary(op) => [&op.lhs_expr, &op.rhs_expr].into_iter().for_each(|e| self.references(e, at)),
            },
            // Names of loops stand for anything; what they loop over does not.
            Expression::ForExpr(f) => self.references(&f.collection_expr, at),
            // A name by itself is what a recipe forgot to fill in.
            Expression::Variable(name) => self.told.push(format!("{at} has the name {} left in it", name.as_str())),
            _ => {}
        }
    }

    fn reference(&mut self, root: &str, operators: &[TraversalOperator], at: &str) {
        let mut names = operators.iter().filter_map(|o| match o {
            TraversalOperator::GetAttr(name) => Some(name.as_str()),
            _ => None,
        });
        match root {
            "each" | "count" | "self" => return,
            "var" | "local" => {
                let name = format!("{root}.{}", names.next().unwrap_or_default());
                if !self.names.contains(&name) {
                    self.told.push(format!("{at} refers to {name}, which is not there"));
                }
                return;
            }
            _ => {}
        }
        let mut address = root.to_owned();
        for _ in 0..if root == "data" { 2 } else { 1 } {
            address.push_str(&format!(".{}", names.next().unwrap_or_default()));
        }
        let Some(key) = self.blocks.get(&address) else {
            self.told.push(format!("{at} refers to {address}, which is not there"));
            return;
        };
        let Some(attribute) = names.next() else { return };
        let schema = &self.schema.types[key];
        if schema["a"].get(attribute).is_none() && schema["b"].get(attribute).is_none() {
            self.told.push(format!("{at} refers to {address}.{attribute}, which the schema lacks"));
        }
    }
}
