//! Running a tree (Go, `text/template/exec.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::tree::{Arg, BlockKind, Node, Pipe, Tree};
use super::value::Value;
use super::{Context, TemplateError, builtin, function};
use crate::limits::{TEMPLATE_DEPTH_MAX, TEMPLATE_OUTPUT_BYTES_MAX, TEMPLATE_STEPS_MAX};

/// How many times the output all values that an expansion makes may be.
const MADE_FACTOR: usize = 16;

/// The text that a tree makes of its data.
pub(super) fn run(tree: &Tree, data: Value, context: &mut Context<'_>) -> Result<String, TemplateError> {
    let mut state = State { tree, context, out: String::new(), steps: 0, made: 0, queries: 0, depth: 0, line: 1 };
    let mut scope = vec![("$".to_owned(), data.clone())];
    state.nodes(&tree.root, &data, &mut scope).map_err(|message| TemplateError::new(state.line, message))?;
    Ok(state.out)
}

/// Whether to go on with the nodes of a loop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// An expansion under way.
pub(super) struct State<'t, 'c, 'q> {
    tree: &'t Tree,
    pub(super) context: &'c mut Context<'q>,
    out: String,
    steps: usize,
    made: usize,
    pub(super) queries: usize,
    depth: usize,
    line: usize,
}

type Scope = Vec<(String, Value)>;

impl State<'_, '_, '_> {
    /// Counts a step.
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > TEMPLATE_STEPS_MAX {
            return Err(format!("the template takes more than {TEMPLATE_STEPS_MAX} steps"));
        }
        Ok(())
    }

    /// Counts bytes of values made.
    fn made(&mut self, value: &Value) -> Result<(), String> {
        let bytes = match value {
            Value::Text(text) | Value::Histogram(text) => text.len(),
            Value::List(items) => items.len() * 64,
            Value::Map(map) | Value::Struct(map) => map.len() * 64,
            _ => 0,
        };
        self.made += bytes;
        if bytes > TEMPLATE_OUTPUT_BYTES_MAX || self.made > MADE_FACTOR * TEMPLATE_OUTPUT_BYTES_MAX {
            return Err(format!("the template makes texts of more than {TEMPLATE_OUTPUT_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    fn print(&mut self, value: &Value) -> Result<(), String> {
        value.print(&mut self.out);
        self.check_output()
    }

    fn check_output(&self) -> Result<(), String> {
        match self.out.len() > TEMPLATE_OUTPUT_BYTES_MAX {
            true => Err(format!("the template writes more than {TEMPLATE_OUTPUT_BYTES_MAX} bytes")),
            false => Ok(()),
        }
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value, scope: &mut Scope) -> Result<Flow, String> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    self.check_output()?;
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot, scope)?;
                    if pipe.variables.is_empty() {
                        self.print(&value)?;
                    }
                }
                Node::Block { kind, pipe, body, otherwise } => {
                    let visible = scope.len();
                    let flow = self.block(*kind, pipe, body, otherwise, dot, scope);
                    scope.truncate(visible);
                    match flow? {
                        Flow::On => {}
                        flow => return Ok(flow),
                    }
                }
                Node::Template { name, pipe, line } => {
                    self.line = *line;
                    let data = match pipe {
                        Some(pipe) => self.pipe(pipe, dot, scope)?,
                        None => Value::Missing,
                    };
                    let Some(body) = self.tree.defined.get(name) else {
                        return Err(format!("template {name:?} not defined"));
                    };
                    self.depth += 1;
                    if self.depth > TEMPLATE_DEPTH_MAX {
                        return Err("exceeded maximum template depth".to_owned());
                    }
                    self.nodes(body, &data, &mut vec![("$".to_owned(), data.clone())])?;
                    self.depth -= 1;
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn block(
        &mut self,
        kind: BlockKind,
        pipe: &Pipe,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
        scope: &mut Scope,
    ) -> Result<Flow, String> {
        if kind == BlockKind::Range {
            return self.range(pipe, body, otherwise, dot, scope);
        }
        let value = self.pipe(pipe, dot, scope)?;
        match (value.is_true(), kind) {
            (true, BlockKind::With) => self.nodes(body, &value, scope),
            (true, _) => self.nodes(body, dot, scope),
            (false, _) => self.nodes(otherwise, dot, scope),
        }
    }

    fn range(
        &mut self,
        pipe: &Pipe,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
        scope: &mut Scope,
    ) -> Result<Flow, String> {
        // Its variables are set anew for every item.
        let over = self.commands(pipe, dot, scope)?;
        let items: Vec<(Value, Value)> = match &over {
            Value::List(items) => (0..).map(Value::Int).zip(items.iter().cloned()).collect(),
            Value::Map(map) => map.iter().map(|(k, v)| (Value::text(k), v.clone())).collect(),
            Value::Int(n) if *n <= TEMPLATE_STEPS_MAX as i64 => {
                (0..*n).map(|i| (Value::Int(i), Value::Int(i))).collect()
            }
            Value::Missing | Value::Nil => Vec::new(),
            other => return Err(format!("range can't iterate over {}", other.printed())),
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot, scope);
        }
        let visible = scope.len();
        for (key, item) in items {
            self.step()?;
            match pipe.variables.as_slice() {
                [] => {}
                [one] if pipe.assigns => assign(scope, one, item.clone()),
                [one] => scope.push((one.clone(), item.clone())),
                [first, second, ..] if pipe.assigns => {
                    assign(scope, first, key);
                    assign(scope, second, item.clone());
                }
                [first, second, ..] => {
                    scope.push((first.clone(), key));
                    scope.push((second.clone(), item.clone()));
                }
            }
            let flow = self.nodes(body, &item, scope)?;
            scope.truncate(visible);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value, scope: &mut Scope) -> Result<Value, String> {
        let value = self.commands(pipe, dot, scope)?;
        for name in &pipe.variables {
            if pipe.assigns { assign(scope, name, value.clone()) } else { scope.push((name.clone(), value.clone())) }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value, scope: &mut Scope) -> Result<Value, String> {
        self.line = pipe.line;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, last, dot, scope)?);
        }
        Ok(last.unwrap_or(Value::Missing))
    }

    fn command(
        &mut self,
        command: &[Arg],
        last: Option<Value>,
        dot: &Value,
        scope: &mut Scope,
    ) -> Result<Value, String> {
        self.step()?;
        let Some((first, args)) = command.split_first() else { return Ok(Value::Missing) };
        if let Arg::Function(name) = first {
            let value = match name.as_str() {
                // These look at their arguments one by one, as far as they need to.
                "and" | "or" => return self.short_circuit(name == "or", args, last, dot, scope),
                name => {
                    let mut values = Vec::with_capacity(args.len() + 1);
                    for arg in args {
                        values.push(self.arg(arg, dot, scope)?);
                    }
                    values.extend(last);
                    self.call(name, values)?
                }
            };
            self.made(&value)?;
            return Ok(value);
        }
        if !args.is_empty() || last.is_some() {
            return Err(format!("can't give argument to non-function {}", say(first)));
        }
        if matches!(first, Arg::Nil) {
            return Err("nil is not a command".to_owned());
        }
        self.arg(first, dot, scope)
    }

    fn call(&mut self, name: &str, values: Vec<Value>) -> Result<Value, String> {
        let called = match function::call(self, name, &values) {
            Some(value) => value,
            None => builtin::call(name, &values),
        };
        called.map_err(|e| format!("error calling {name}: {e}"))
    }

    fn short_circuit(
        &mut self,
        until: bool,
        args: &[Arg],
        last: Option<Value>,
        dot: &Value,
        scope: &mut Scope,
    ) -> Result<Value, String> {
        let mut value = None;
        for arg in args {
            let found = self.arg(arg, dot, scope)?;
            if found.is_true() == until {
                return Ok(found);
            }
            value = Some(found);
        }
        let name = if until { "or" } else { "and" };
        last.or(value).ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"))
    }

    fn arg(&mut self, arg: &Arg, dot: &Value, scope: &mut Scope) -> Result<Value, String> {
        match arg {
            Arg::Dot => Ok(dot.clone()),
            Arg::Nil => Ok(Value::Nil),
            Arg::Constant(value) => Ok(value.clone()),
            Arg::Fields(names) => fields(dot.clone(), names),
            Arg::Variable(name, names) => {
                let found = scope.iter().rev().find(|(n, _)| n == name);
                let value = found.map(|(_, v)| v.clone()).ok_or_else(|| format!("undefined variable: {name}"))?;
                fields(value, names)
            }
            Arg::Function(name) => self.command(&[Arg::Function(name.clone())], None, dot, scope),
            Arg::Pipe(pipe, names) => {
                self.step()?;
                let value = self.pipe(pipe, dot, scope)?;
                fields(value, names)
            }
        }
    }
}

fn assign(scope: &mut Scope, name: &str, value: Value) {
    if let Some(slot) = scope.iter_mut().rev().find(|(n, _)| n == name) {
        slot.1 = value;
    }
}

fn fields(mut value: Value, names: &[String]) -> Result<Value, String> {
    for name in names {
        value = match &value {
            Value::Map(map) => map.get(name).cloned().unwrap_or_else(|| absent(map)),
            Value::Struct(map) => field(map, name).ok_or_else(|| {
                let type_name = if map.contains_key("ExternalURL") { "struct" } else { value.type_name() };
                format!("can't evaluate field {name} in type {type_name}")
            })?,
            Value::Missing => Value::Missing,
            Value::Nil => return Err(format!("nil pointer evaluating interface {{}}.{name}")),
            other => return Err(format!("can't evaluate field {name} in type {}", other.type_name())),
        };
    }
    Ok(value)
}

fn field(map: &Rc<BTreeMap<String, Value>>, name: &str) -> Option<Value> {
    map.get(name).cloned()
}

fn say(arg: &Arg) -> String {
    match arg {
        Arg::Dot => ".".to_owned(),
        Arg::Nil => "nil".to_owned(),
        Arg::Constant(Value::Text(text)) => format!("{text:?}"),
        Arg::Constant(value) => value.printed(),
        Arg::Fields(names) => format!(".{}", names.join(".")),
        Arg::Variable(name, names) => names.iter().fold(name.clone(), |mut all, n| {
            all.push('.');
            all.push_str(n);
            all
        }),
        Arg::Function(name) => name.clone(),
        Arg::Pipe(..) => "(...)".to_owned(),
    }
}

/// What a map answers for a name that it does not have. Prometheus expands templates with `missingkey=zero`: an absent label is empty.
fn absent(map: &std::collections::BTreeMap<String, Value>) -> Value {
    if map.values().all(|value| matches!(value, Value::Text(_))) { Value::text("") } else { Value::Missing }
}
