//! Names and what follows them: `var.a.b`, `local.x[0]`, `module.m["k"].out`, `aws_instance.a[*].id`.

use std::collections::BTreeMap;

use hcl::Body;
use hcl::expr::{Expression, Traversal, TraversalOperator as Op};

use super::attribute;
use super::evaluate::{ADDRESS, Evaluator, Frame, Keys, Scope, index};
use super::module::index_text;
use crate::quantity::whole;
use crate::value::{Addresses, Value};

impl Evaluator<'_> {
    pub(super) fn traversal(&self, traversal: &Traversal, frame: &mut Frame) -> Option<Value> {
        match &traversal.expr {
            Expression::Variable(name) => self.variable_or_name(name.as_str(), &traversal.operators, frame),
            other => {
                let value = self.eval(other, frame)?;
                self.follow(value, &traversal.operators, frame)
            }
        }
    }

    /// The value of a root name with what follows it.
    pub(super) fn variable_or_name(&self, name: &str, ops: &[Op], frame: &mut Frame) -> Option<Value> {
        if let Some((_, value)) = frame.scope.names.iter().rev().find(|(n, _)| n == name) {
            self.charge(value.weight());
            let value = value.clone();
            return self.follow(value, ops, frame);
        }
        let second = match ops.first() {
            Some(Op::GetAttr(second)) => Some(second.as_str()),
            _ => None,
        };
        let rest = ops.get(1..).unwrap_or_default();
        let value = match (name, second) {
            ("var", Some(second)) => self.variable(frame.module, second, &mut frame.refs)?,
            ("local", Some(second)) => self.local(frame.module, second, &mut frame.refs)?,
            ("each", Some("key")) => frame.scope.each.as_ref()?.0.clone(),
            ("each", Some("value")) => {
                let value = frame.scope.each.as_ref()?.1.clone();
                self.charge(value.weight());
                value
            }
            ("count", Some("index")) => Value::Number(whole(frame.scope.count?)),
            ("path", Some("module")) => Value::text(path_text(&self.module(frame.module)?.path)),
            ("path", Some(_)) => Value::text("."),
            ("terraform", Some("workspace")) => Value::text("default"),
            ("self" | "terraform", _) => Value::unknown(),
            ("module", Some(second)) => return self.module_value(second, rest, frame),
            ("data", Some(kind)) => {
                let Some(Op::GetAttr(name)) = rest.first() else { return None };
                return self.data(kind, name.as_str(), rest.get(1..).unwrap_or_default(), frame);
            }
            (kind, Some(name)) => return self.resource(kind, name, rest, frame),
            // Types in a `variable` block and provider names stand bare.
            _ => return None,
        };
        self.follow(value, rest, frame)
    }

    fn local(&self, module: usize, name: &str, refs: &mut Addresses) -> Option<Value> {
        let here = self.module(module)?;
        let expression = here.folder.locals.get(name)?;
        self.once((module, format!("{}local.{name}", here.prefix)), refs, || {
            let mut frame = Frame::new(module, Scope::default());
            (self.eval(expression, &mut frame), frame.refs)
        })
    }

    /// Applies what follows to a value.
    pub(super) fn follow(&self, mut value: Value, ops: &[Op], frame: &mut Frame) -> Option<Value> {
        for (i, op) in ops.iter().enumerate() {
            if !self.charge(1) {
                return Some(Value::unknown());
            }
            value = match (op, value) {
                (_, Value::Unknown(from)) => return Some(Value::Unknown(from)),
                (Op::GetAttr(name), value) => member(value, name.as_str())?,
                (Op::LegacyIndex(n), value) => element(value, &Value::Number(whole(i64::try_from(*n).ok()?)))?,
                (Op::Index(e), value) => match self.eval(e, frame)? {
                    Value::Unknown(mut from) => {
                        value.addresses(&mut from);
                        return Some(Value::Unknown(from));
                    }
                    key => element(value, &key)?,
                },
                (Op::AttrSplat | Op::FullSplat, value) => {
                    let items = match value {
                        Value::Null => Vec::new(),
                        Value::List(items) => items,
                        single => vec![single],
                    };
                    let rest = &ops[i + 1..];
                    let items = items.into_iter().map(|v| self.follow(v, rest, frame));
                    return items.collect::<Option<_>>().map(Value::List);
                }
            };
        }
        Some(value)
    }

    fn module_value(&self, name: &str, ops: &[Op], frame: &mut Frame) -> Option<Value> {
        let Some(instances) = self.called(frame.module, name) else { return Some(Value::unknown()) };
        let single = |index: usize, ops: &[Op], frame: &mut Frame| match ops.first() {
            Some(Op::GetAttr(output)) => {
                let value = self.output(index, output.as_str(), &mut frame.refs)?;
                self.follow(value, &ops[1..], frame)
            }
            _ => self.outputs(index, &mut frame.refs),
        };
        if let [(None, index)] = instances.as_slice() {
            return single(*index, ops, frame);
        }
        if let Some(Op::Index(_) | Op::LegacyIndex(_)) = ops.first() {
            let key = self.key_of(&ops[0], frame)?;
            let found = instances.iter().find(|(k, _)| k.as_ref().is_some_and(|k| k.as_text() == key.as_text()));
            return single(found?.1, &ops[1..], frame);
        }
        let mut map = BTreeMap::new();
        let mut list = Vec::new();
        for (key, index) in instances.iter() {
            let value = self.outputs(*index, &mut frame.refs)?;
            match key {
                Some(Value::Text(key)) => drop(map.insert(key.clone(), value)),
                _ => list.push(value),
            }
        }
        let all = if map.is_empty() { Value::List(list) } else { Value::Map(map) };
        self.follow(all, ops, frame)
    }

    fn outputs(&self, module: usize, refs: &mut Addresses) -> Option<Value> {
        let here = self.module(module)?;
        let values = here.folder.outputs.keys().map(|name| {
            let value = self.output(module, name, refs).unwrap_or_else(Value::unknown);
            (name.clone(), value)
        });
        Some(Value::Map(values.collect()))
    }

    fn output(&self, module: usize, name: &str, refs: &mut Addresses) -> Option<Value> {
        let here = self.module(module)?;
        let Some(expression) = here.folder.outputs.get(name) else { return Some(Value::unknown()) };
        self.once((module, format!("{}output.{name}", here.prefix)), refs, || {
            let mut frame = Frame::new(module, Scope::default());
            (self.eval(expression, &mut frame), frame.refs)
        })
    }

    fn key_of(&self, op: &Op, frame: &mut Frame) -> Option<Value> {
        match op {
            Op::Index(e) => self.eval(e, frame),
            Op::LegacyIndex(n) => Some(Value::Number(whole(i64::try_from(*n).ok()?))),
            _ => None,
        }
    }

    fn resource(&self, kind: &str, name: &str, ops: &[Op], frame: &mut Frame) -> Option<Value> {
        let here = self.module(frame.module)?;
        let Some(body) = here.folder.resources.get(&(kind.to_owned(), name.to_owned())) else {
            if kind.contains('_') {
                self.note(format!("{}{kind}.{name} is referred to, but nowhere declared", here.prefix));
            }
            return None;
        };
        let base = format!("{}{kind}.{name}", here.prefix);
        self.instances_value(&base, body, kind, name, ops, frame)
    }

    fn data(&self, kind: &str, name: &str, ops: &[Op], frame: &mut Frame) -> Option<Value> {
        let here = self.module(frame.module)?;
        let place = (kind.to_owned(), name.to_owned());
        let address = format!("{}data.{kind}.{name}", here.prefix);
        // What a data source finds is known to its provider alone, but for the arguments that were written.
        let Some(body) = here.folder.data.get(&place) else { return Some(Value::Unknown(Addresses::from([address]))) };
        if kind == "aws_region"
            && matches!(ops.first(), Some(Op::GetAttr(a)) if ["name", "id", "region"].contains(&a.as_str()))
        {
            let region = self.provider_region(frame.module, kind, attribute(body, "provider"));
            return Some(region.map_or_else(Value::unknown, Value::Text));
        }
        match ops.first() {
            Some(Op::GetAttr(name)) if attribute(body, name.as_str()).is_some() => {
                let value = self.member_of(&address, body, frame.module, &Scope::default(), name.as_str())?;
                self.follow(value, &ops[1..], frame)
            }
            _ => Some(Value::Unknown(Addresses::from([address]))),
        }
    }

    fn instances_value(
        &self,
        base: &str,
        body: &Body,
        kind: &str,
        name: &str,
        ops: &[Op],
        frame: &mut Frame,
    ) -> Option<Value> {
        let module = frame.module;
        let keys = self.resource_keys(module, kind, name, body);
        if matches!(*keys, Keys::Single) {
            frame.refs.insert(base.to_owned());
            return self.instance(base, body, module, &Scope::default(), ops, frame);
        }
        if let Some(Op::Index(_) | Op::LegacyIndex(_)) = ops.first() {
            let key = self.key_of(&ops[0], frame)?;
            if let Value::Unknown(_) = key {
                frame.refs.insert(base.to_owned());
                return Some(Value::Unknown(Addresses::from([base.to_owned()])));
            }
            let found =
                keys.instances().into_iter().find(|(k, _)| k.as_ref().is_some_and(|k| k.as_text() == key.as_text()));
            let (key, scope) = found?;
            let address = format!("{base}{}", index_text(key.as_ref()));
            frame.refs.insert(address.clone());
            return self.instance(&address, body, module, &scope, &ops[1..], frame);
        }
        let mut map = BTreeMap::new();
        let mut list = Vec::new();
        for (key, scope) in keys.instances() {
            let address = format!("{base}{}", index_text(key.as_ref()));
            frame.refs.insert(address.clone());
            let value = self.instance(&address, body, module, &scope, &[], frame)?;
            match key {
                Some(Value::Text(key)) => drop(map.insert(key, value)),
                _ => list.push(value),
            }
            if !self.charge(1) {
                return Some(Value::unknown());
            }
        }
        let all = if matches!(*keys, Keys::Each(_)) { Value::Map(map) } else { Value::List(list) };
        self.follow(all, ops, frame)
    }

    /// One instance of a resource: an attribute of it, or the whole as an object that knows its address.
    fn instance(
        &self,
        address: &str,
        body: &Body,
        module: usize,
        scope: &Scope,
        ops: &[Op],
        frame: &mut Frame,
    ) -> Option<Value> {
        if let Some(Op::GetAttr(name)) = ops.first() {
            let value = self.member_of(address, body, module, scope, name.as_str())?;
            return self.follow(value, &ops[1..], frame);
        }
        let whole = self.once((module, format!("{address}.*")), &mut Addresses::new(), || {
            let mut frame = Frame::new(module, scope.clone());
            let mut values = self.body(body, &mut frame, "", &mut BTreeMap::new());
            values.insert(ADDRESS.to_owned(), Value::text(address));
            (Some(Value::Map(values)), Addresses::new())
        })?;
        self.follow(whole, ops, frame)
    }

    fn member_of(&self, address: &str, body: &Body, module: usize, scope: &Scope, name: &str) -> Option<Value> {
        let computed = || Value::Unknown(Addresses::from([address.to_owned()]));
        self.once((module, format!("{address}.{name}")), &mut Addresses::new(), || {
            let mut frame = Frame::new(module, scope.clone());
            let value = if let Some(expression) = attribute(body, name) {
                self.eval(expression, &mut frame)
            } else if body.blocks().any(|b| b.identifier.as_str() == name || is_dynamic(b, name)) {
                let values = self.body(body, &mut frame, "", &mut BTreeMap::new());
                values.get(name).cloned()
            } else {
                Some(computed())
            };
            (value, Addresses::new())
        })
    }
}

fn is_dynamic(block: &hcl::Block, name: &str) -> bool {
    block.identifier.as_str() == "dynamic" && block.labels.first().is_some_and(|l| l.as_str() == name)
}

fn member(value: Value, name: &str) -> Option<Value> {
    match value {
        Value::Map(mut entries) => match entries.remove(name) {
            Some(value) => Some(value),
            // What the provider fills in.
            None => match entries.get(ADDRESS) {
                Some(Value::Text(address)) => Some(Value::Unknown(Addresses::from([address.clone()]))),
                _ => None,
            },
        },
        // The legacy `a.0.b`, and blocks written once that are lists.
        Value::List(mut items) => match name.parse::<usize>() {
            Ok(n) if n < items.len() => Some(items.swap_remove(n)),
            _ => None,
        },
        _ => None,
    }
}

fn element(value: Value, key: &Value) -> Option<Value> {
    match value {
        Value::List(mut items) => {
            let n = index(key)?;
            (n < items.len()).then(|| items.swap_remove(n))
        }
        Value::Map(_) => member(value, &key.as_text()?),
        _ => None,
    }
}

fn path_text(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}
