//! Warnings and hints beside an answer (Prometheus, `util/annotations`).

use std::collections::BTreeMap;

use grid_promql_syntax::ast::Span;
use parking_lot::Mutex;

/// Different texts that are kept of each kind.
const KEPT_MAX: usize = 1000;

/// What an evaluation found strange.
#[derive(Debug, Default)]
pub struct Annotations {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    warnings: BTreeMap<(usize, String), ()>,
    infos: BTreeMap<(usize, String), ()>,
}

/// What was found strange, in words, ordered by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// `PromQL warning: ... (1:5)`
    pub warnings: Vec<String>,
    /// `PromQL info: ... (1:5)`
    pub infos: Vec<String>,
}

impl Annotations {
    /// Something is probably wrong.
    pub fn warn(&self, span: Span, text: impl Into<String>) {
        add(&mut self.inner.lock().warnings, span, text.into());
    }

    /// Something may be wrong.
    pub fn info(&self, span: Span, text: impl Into<String>) {
        add(&mut self.inner.lock().infos, span, text.into());
    }

    /// In words, with the places in the query's text.
    pub fn notes(&self, query: &str) -> Notes {
        let inner = self.inner.lock();
        let say = |kind: &str, all: &BTreeMap<(usize, String), ()>| {
            all.keys()
                .map(|(at, text)| {
                    let (line, column) = grid_promql_syntax::position(query, *at);
                    format!("PromQL {kind}: {text} ({line}:{column})")
                })
                .collect()
        };
        Notes { warnings: say("warning", &inner.warnings), infos: say("info", &inner.infos) }
    }
}

fn add(to: &mut BTreeMap<(usize, String), ()>, span: Span, text: String) {
    if to.len() < KEPT_MAX {
        to.insert((span.start, text), ());
    }
}

/// ` for metric name "x"`, as Prometheus ends some texts if it knows the name.
pub(crate) fn for_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}
