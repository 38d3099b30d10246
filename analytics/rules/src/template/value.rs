//! What a template computes with, and how Go prints it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use grid_promql::histogram::text::GoFloat;

/// A value. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Value {
    /// The entry of a map that has none: prints as `<no value>`.
    Missing,
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(Rc<str>),
    /// A native histogram, as Prometheus prints it.
    Histogram(Rc<str>),
    /// A time in nanoseconds since 1970.
    Time(i64),
    /// A span of time in nanoseconds.
    Duration(i64),
    /// Values in order.
    List(Rc<Vec<Value>>),
    /// Values by name.
    Map(Rc<BTreeMap<String, Value>>),
    /// Fields by name: one that it does not have is an error.
    Struct(Rc<BTreeMap<String, Value>>),
}

/// What `eq` and its like tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basic {
    Bool,
    Int,
    Float,
    Text,
    Other,
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// Whether it counts as true.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n) | Self::Duration(n) => *n != 0,
            Self::Float(v) => *v != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Histogram(_) | Self::Time(_) | Self::Struct(_) => true,
        }
    }

    pub(super) fn basic(&self) -> Basic {
        match self {
            Self::Bool(_) => Basic::Bool,
            Self::Int(_) | Self::Duration(_) => Basic::Int,
            Self::Float(_) => Basic::Float,
            Self::Text(_) => Basic::Text,
            _ => Basic::Other,
        }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Histogram(_) => "*histogram.FloatHistogram",
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
            Self::List(_) => "template.queryResult",
            Self::Map(map) if map.values().all(|v| matches!(v, Self::Text(_))) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Struct(_) => "*template.sample",
        }
    }

    /// Writes it as Go's `%v` does.
    pub(super) fn print(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Missing => out.write_str("<no value>"),
            Self::Nil => out.write_str("<nil>"),
            Self::Bool(b) => write!(out, "{b}"),
            Self::Int(n) => write!(out, "{n}"),
            Self::Float(v) => write!(out, "{}", GoFloat(*v)),
            Self::Text(text) | Self::Histogram(text) => out.write_str(text),
            Self::Time(ns) => out.write_str(&time_text(*ns)),
            Self::Duration(ns) => out.write_str(&duration_text(*ns)),
            Self::List(items) => {
                out.push('[');
                join(out, items.iter(), |out, item| item.print(out));
                out.write_str("]")
            }
            Self::Map(map) => {
                out.push_str("map[");
                join(out, map.iter(), |out, (name, value)| {
                    out.push_str(name);
                    out.push(':');
                    value.print(out);
                });
                out.write_str("]")
            }
            Self::Struct(fields) => {
                out.push('{');
                join(out, fields.values(), |out, value| value.print(out));
                out.write_str("}")
            }
        };
    }

    /// As [`print`](Self::print).
    pub(super) fn printed(&self) -> String {
        let mut out = String::new();
        self.print(&mut out);
        out
    }
}

fn join<T>(out: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(' ');
        }
        write(out, item);
    }
}

/// A time as Go prints one: `2015-06-23 13:19:44.128 +0000 UTC`.
pub(super) fn time_text(ns: i64) -> String {
    let text = grid_model::Timestamp(ns).to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    let clock = clock.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    // Minutes and seconds keep their zeros: only a fraction is cut.
    let clock = if clock.len() < 8 { &text[date.len() + 1..date.len() + 9] } else { clock };
    format!("{date} {clock} +0000 UTC")
}

/// A span of time as Go prints one: `1h30m0s`, `1.5s`, `300ms`.
pub(crate) fn duration_text(ns: i64) -> String {
    let size = ns.unsigned_abs();
    let sign = if ns < 0 { "-" } else { "" };
    let fraction = |of: u64, unit: u64| {
        let text = format!("{}.{:0width$}", of / unit, of % unit, width = unit.ilog10() as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(size, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(size, 1_000_000)),
        _ => {
            let minutes = size / 60_000_000_000;
            let seconds = fraction(size % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, m) => format!("{sign}{m}m{seconds}s"),
                (h, m) => format!("{sign}{h}h{m}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_in_go() {
        for (ns, text) in [
            (0, "1970-01-01 00:00:00 +0000 UTC"),
            (1_435_065_584_128_000_000, "2015-06-23 13:19:44.128 +0000 UTC"),
            (1_435_065_600_000_000_000, "2015-06-23 13:20:00 +0000 UTC"),
        ] {
            assert_eq!(time_text(ns), text);
        }
        for (ns, text) in [
            (0, "0s"),
            (5_400_000_000_000, "1h30m0s"),
            (1_500_000_000, "1.5s"),
            (-300_000_000, "-300ms"),
            (1_500, "1.5µs"),
            (61_000_000_000, "1m1s"),
        ] {
            assert_eq!(duration_text(ns), text);
        }
        for (value, text) in [(1e6, "1e+06"), (0.1, "0.1"), (123_456.0, "123456"), (f64::INFINITY, "+Inf")] {
            assert_eq!(Value::Float(value).printed(), text);
        }
    }
}
