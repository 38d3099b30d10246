//! What an attribute is: known, or known only after apply, with the resources it will come from.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Amount;

/// Addresses of resources, such as `module.web[0].aws_instance.a["x"]`.
pub type Addresses = BTreeSet<String>;

/// A value of a configuration or plan. Numbers are exact decimals; maps and sets are in order, as Terraform keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`, the same as not written.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Amount),
    /// A string.
    Text(String),
    /// A list, a set (sorted) or the blocks of one name.
    List(Vec<Value>),
    /// A map, an object or a block.
    Map(BTreeMap<String, Value>),
    /// Known after apply, and which resources it will come from as far as can be seen.
    Unknown(Addresses),
}

impl Value {
    /// Not known, and nothing is known of where it will come from.
    pub fn unknown() -> Self {
        Self::Unknown(Addresses::new())
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// How many values it holds, itself included: what copying it costs.
    pub fn weight(&self) -> u64 {
        match self {
            Self::List(items) => items.iter().map(Self::weight).sum::<u64>() + 1,
            Self::Map(entries) => entries.values().map(Self::weight).sum::<u64>() + 1,
            _ => 1,
        }
    }

    /// How deep values lie in it.
    pub fn depth(&self) -> usize {
        match self {
            Self::List(items) => items.iter().map(Self::depth).max().unwrap_or(0) + 1,
            Self::Map(entries) => entries.values().map(Self::depth).max().unwrap_or(0) + 1,
            _ => 1,
        }
    }

    /// Whether it, or anything in it, is known only after apply.
    pub fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::List(items) => items.iter().any(Self::has_unknown),
            Self::Map(entries) => entries.values().any(Self::has_unknown),
            _ => false,
        }
    }

    /// The resources that unknown parts of it come from.
    pub fn addresses(&self, into: &mut Addresses) {
        match self {
            Self::Unknown(from) => into.extend(from.iter().cloned()),
            Self::List(items) => items.iter().for_each(|v| v.addresses(into)),
            Self::Map(entries) => entries.values().for_each(|v| v.addresses(into)),
            _ => {}
        }
    }

    /// The member at a path such as `scaling_config.desired_size`: steps through maps, and through the first block of a list
    /// unless the step is a number. `None` where there is nothing or `null`.
    pub fn at(&self, path: &str) -> Option<&Value> {
        let mut here = self;
        for step in path.split('.') {
            if let Self::Unknown(_) = here {
                return Some(here);
            }
            if let (Self::List(items), Err(_)) = (here, step.parse::<usize>()) {
                here = items.first()?;
            }
            here = match here {
                Self::Map(entries) => entries.get(step)?,
                Self::List(items) => items.get(step.parse::<usize>().ok()?)?,
                Self::Unknown(_) => return Some(here),
                _ => return None,
            };
        }
        (*here != Self::Null).then_some(here)
    }

    /// As text where a text, number or boolean stands.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(n) => Some(n.to_string()),
            Self::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }

    /// As a number where a number, or a text that is one, stands. Digits may be grouped by `_`, as in usage files.
    pub fn as_number(&self) -> Option<Amount> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Text(text) if !text.is_empty() => {
                Amount::parse(text).or_else(|_| Amount::parse(&text.replace('_', ""))).ok().map(|(a, _)| a)
            }
            _ => None,
        }
    }

    /// As a boolean where one, or the text of one, stands.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value that a JSON document says. Numbers are read by their text, so that `0.1` is a tenth.
    pub fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => match Amount::parse(&n.to_string()) {
                Ok((amount, _)) => Self::Number(amount),
                Err(_) => Self::Text(n.to_string()),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            serde_json::Value::Object(entries) => {
                Self::Map(entries.iter().map(|(k, v)| (k.clone(), Self::of_json(v))).collect())
            }
        }
    }
}
