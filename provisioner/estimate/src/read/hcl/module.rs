//! Modules: the root, and each instance of a call with its own variables, in one arena.

use std::collections::BTreeMap;
use std::rc::Rc;

use hcl::Expression;

use super::evaluate::{Evaluator, Frame, Keys, Scope};
use super::{Folder, attribute};
use crate::limits;
use crate::value::Value;

/// One instance of a module.
pub(super) struct Module {
    /// `""` for the root, else `module.a[0].module.b.`, ready to stand before an address.
    pub(super) prefix: String,
    /// Its folder, relative to the root's.
    pub(super) path: String,
    pub(super) folder: Rc<Folder>,
    /// Who called it: the calling module, and its `each` and `count`.
    pub(super) caller: Option<(usize, Scope)>,
    /// The call's arguments, evaluated in the caller.
    pub(super) inputs: BTreeMap<String, Expression>,
    /// Providers passed by the call: name here -> name there.
    providers: BTreeMap<String, String>,
    depth: usize,
}

impl Evaluator<'_> {
    /// The folder at a path, parsed once.
    fn folder(&self, path: &str) -> Option<Rc<Folder>> {
        if let Some(known) = self.folders.borrow().get(path) {
            return known.clone();
        }
        let read = self.sources.folder(path).map(|mut files| {
            let mut count = self.files.get();
            files.truncate(limits::FILES_MAX.saturating_sub(count));
            count += files.len();
            self.files.set(count);
            Rc::new(Folder::read(files, path, &mut self.notes.borrow_mut()))
        });
        self.folders.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    pub(super) fn add_root(&self) {
        let Some(folder) = self.folder("") else { return };
        self.modules.borrow_mut().push(Rc::new(Module {
            prefix: String::new(),
            path: String::new(),
            folder,
            caller: None,
            inputs: BTreeMap::new(),
            providers: BTreeMap::new(),
            depth: 0,
        }));
    }

    /// The instances of a module call: key -> place in the arena. `None` if the call cannot be followed.
    pub(super) fn called(&self, module: usize, name: &str) -> Option<Rc<Vec<(Option<Value>, usize)>>> {
        let place = (module, name.to_owned());
        if let Some(known) = self.calls.borrow().get(&place) {
            return known.clone();
        }
        // A call that is asked for while it is being expanded refers to itself.
        self.calls.borrow_mut().insert(place.clone(), None);
        let expanded = self.expand(module, name).map(Rc::new);
        self.calls.borrow_mut().insert(place, expanded.clone());
        expanded
    }

    fn expand(&self, caller: usize, name: &str) -> Option<Vec<(Option<Value>, usize)>> {
        let module = self.module(caller)?;
        let body = module.folder.modules.get(name)?;
        let call = format!("{}module.{name}", module.prefix);
        let Some(Expression::String(source)) = attribute(body, "source") else {
            self.note(format!("{call} has no constant source: its resources are not estimated"));
            return None;
        };
        let path = if source.starts_with("./") || source.starts_with("../") || source == "." || source == ".." {
            joined(&module.path, source)
        } else {
            self.note(format!("{call} comes from {source}, which is not read: its resources are not estimated"));
            return None;
        };
        let Some(folder) = self.folder(&path) else {
            self.note(format!("{call}: there is no folder {path}: its resources are not estimated"));
            return None;
        };
        if module.depth + 1 > limits::MODULE_DEPTH_MAX {
            self.note(format!("{call} lies deeper than {} modules: it is left out", limits::MODULE_DEPTH_MAX));
            return None;
        }
        let meta = ["source", "version", "count", "for_each", "depends_on", "providers"];
        let inputs: BTreeMap<_, _> = body
            .attributes()
            .filter(|a| !meta.contains(&a.key.as_str()))
            .map(|a| (a.key.to_string(), a.expr.clone()))
            .collect();
        let providers = match attribute(body, "providers") {
            Some(Expression::Object(entries)) => {
                let text = |e: &Expression| e.to_string().trim_matches('"').to_owned();
                entries.iter().map(|(k, v)| (k.to_string().trim_matches('"').to_owned(), text(v))).collect()
            }
            _ => BTreeMap::new(),
        };
        let mut made = Vec::new();
        for (key, scope) in self.keys(caller, &Scope::default(), body, &call).instances() {
            let mut modules = self.modules.borrow_mut();
            if modules.len() >= limits::MODULES_MAX {
                drop(modules);
                self.note(format!("more than {} modules: the rest is left out", limits::MODULES_MAX));
                break;
            }
            made.push((key.clone(), modules.len()));
            modules.push(Rc::new(Module {
                prefix: format!("{call}{}.", index_text(key.as_ref())),
                path: path.clone(),
                folder: folder.clone(),
                caller: Some((caller, scope)),
                inputs: inputs.clone(),
                providers: providers.clone(),
                depth: module.depth + 1,
            }));
        }
        Some(made)
    }

    /// The region of the provider that a resource uses, by its `provider` argument or its type's prefix.
    pub(super) fn provider_region(&self, module: usize, kind: &str, chosen: Option<&Expression>) -> Option<String> {
        let default = kind.split('_').next().unwrap_or_default();
        let chosen = chosen.map(|e| e.to_string().trim_matches('"').to_owned()).unwrap_or_else(|| default.to_owned());
        let mut at = (module, chosen);
        for _ in 0..=limits::MODULE_DEPTH_MAX {
            let (index, chosen) = &at;
            let here = self.module(*index)?;
            let (name, alias) = match chosen.split_once('.') {
                Some((name, alias)) => (name.to_owned(), Some(alias.to_owned())),
                None => (chosen.clone(), None),
            };
            if let Some(body) = here.folder.providers.get(&(name.clone(), alias)) {
                let mut frame = Frame::new(*index, Scope::default());
                let of = |key: &str, frame: &mut Frame| {
                    attribute(body, key).and_then(|e| self.eval(e, frame)).and_then(|v| v.as_text())
                };
                return of("region", &mut frame).or_else(|| of("zone", &mut frame));
            }
            let (caller, _) = here.caller.as_ref()?;
            at = (*caller, here.providers.get(chosen).cloned().unwrap_or_else(|| chosen.clone()));
        }
        None
    }

    /// The keys of a block by its `count` or `for_each`.
    pub(super) fn keys(&self, module: usize, scope: &Scope, body: &hcl::Body, what: &str) -> Keys {
        let mut frame = Frame::new(module, scope.clone());
        if let Some(count) = attribute(body, "count") {
            return match self.eval(count, &mut frame).as_ref().and_then(Value::as_number) {
                Some(n) => {
                    let n = crate::quantity::integer(n).unwrap_or(0).max(0);
                    if n as u64 > limits::RESOURCES_MAX as u64 {
                        self.note(format!("{what}: count = {n} is more than {}", limits::RESOURCES_MAX));
                    }
                    Keys::Count(n.min(limits::RESOURCES_MAX as i64))
                }
                None => {
                    self.note(format!("{what}: its count is not known before apply: estimated as one"));
                    Keys::Count(1)
                }
            };
        }
        let Some(each) = attribute(body, "for_each") else { return Keys::Single };
        match self.eval(each, &mut frame) {
            Some(Value::Map(entries)) => {
                Keys::Each(entries.into_iter().filter(|(k, _)| !k.starts_with('\0')).collect())
            }
            Some(Value::List(items)) => Keys::Each(items.into_iter().filter_map(|v| Some((v.as_text()?, v))).collect()),
            _ => {
                self.note(format!("{what}: its for_each is not known before apply: left out"));
                Keys::Each(Vec::new())
            }
        }
    }
}

/// How an index is written in an address.
pub(super) fn index_text(key: Option<&Value>) -> String {
    match key {
        None => String::new(),
        Some(Value::Number(n)) => format!("[{n}]"),
        Some(other) => format!("[\"{}\"]", other.as_text().unwrap_or_default()),
    }
}

/// A relative path put onto another, with `.` and `..` resolved.
pub(super) fn joined(base: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').filter(|p| !p.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
