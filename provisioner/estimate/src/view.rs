//! A resource as a rule sees it: attributes, blocks, stated usage, its region, and the resources around it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::component::Query;
use crate::quantity::{Quantity, integer};
use crate::read::usage::Usage;
use crate::resource::{Estate, Resource};
use crate::value::Value;

/// Why a resource has no components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpriced {
    /// It costs nothing by itself.
    Free,
    /// There is no rule for it, or for what it is configured as; with the reason.
    Unsupported(String),
    /// An attribute that its price hangs on is known only after apply.
    Unknown(String),
}

/// What a rule answers.
pub type Ruled = Result<(), Unpriced>;

/// A resource, or a block of one, with what a rule may ask about it.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// The attributes that are looked at: the resource's, or a block's.
    pub values: &'a Value,
    estate: &'a Estate<'a>,
    usages: &'a Usage,
    usage: Rc<Value>,
    assumed: Rc<RefCell<BTreeSet<String>>>,
}

impl<'a> View<'a> {
    /// A resource among others, with the usage stated for it.
    pub fn new(resource: &'a Resource, estate: &'a Estate<'a>, usages: &'a Usage) -> Self {
        let usage = Rc::new(usages.of(&resource.address, &resource.kind));
        Self { resource, values: &resource.values, estate, usages, usage, assumed: Rc::default() }
    }

    /// Attributes that a rule asked for, that are known only after apply, and for which it took a default.
    pub fn assumed(&self) -> Vec<String> {
        self.assumed.borrow().iter().cloned().collect()
    }

    fn value(&self, path: &str) -> Option<&'a Value> {
        let value = self.values.at(path)?;
        if let Value::Unknown(_) = value {
            self.assumed.borrow_mut().insert(path.to_owned());
            return None;
        }
        Some(value)
    }

    /// An attribute as text; `None` where it is not written or not known.
    pub fn text(&self, path: &str) -> Option<String> {
        self.value(path)?.as_text()
    }

    /// An attribute as text, or a default.
    pub fn text_or(&self, path: &str, default: &str) -> String {
        self.text(path).unwrap_or_else(|| default.to_owned())
    }

    /// An attribute that the price hangs on.
    pub fn need(&self, path: &str) -> Result<String, Unpriced> {
        self.text(path).ok_or_else(|| Unpriced::Unknown(path.to_owned()))
    }

    /// An attribute as a number.
    pub fn number(&self, path: &str) -> Quantity {
        Quantity(self.value(path).and_then(Value::as_number))
    }

    /// An attribute as a whole number, or a default.
    pub fn int(&self, path: &str, default: i64) -> i64 {
        self.number(path).0.and_then(integer).unwrap_or(default)
    }

    /// Whether an attribute is `true`; not written is `false`.
    pub fn flag(&self, path: &str) -> bool {
        self.value(path).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Likewise with another default.
    pub fn flag_or(&self, path: &str, default: bool) -> bool {
        self.value(path).and_then(Value::as_bool).unwrap_or(default)
    }

    /// Whether something is written there, known or not.
    pub fn has(&self, path: &str) -> bool {
        self.values.at(path).is_some_and(|v| !matches!(v, Value::List(items) if items.is_empty()))
    }

    /// The texts of a list.
    pub fn texts(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
            Some(other) => other.as_text().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// How many elements a list, set or map has, or how many blocks of a name there are.
    pub fn count(&self, path: &str) -> i64 {
        match self.value(path) {
            Some(Value::List(items)) => items.len() as i64,
            Some(Value::Map(_)) => 1,
            _ => 0,
        }
    }

    /// The blocks of a name.
    pub fn blocks(&self, path: &str) -> Vec<View<'a>> {
        let values: Vec<&'a Value> = match self.value(path) {
            Some(Value::List(items)) => items.iter().filter(|v| matches!(v, Value::Map(_))).collect(),
            Some(map @ Value::Map(_)) => vec![map],
            _ => Vec::new(),
        };
        values.into_iter().map(|values| Self { values, ..self.clone() }).collect()
    }

    /// A stated amount of usage.
    pub fn used(&self, path: &str) -> Quantity {
        Quantity(self.usage.at(path).and_then(Value::as_number))
    }

    /// A stated amount below a key that holds points itself, such as another resource's address.
    pub fn used_nested(&self, outer: &str, key: &str) -> Quantity {
        let Value::Map(entries) = &*self.usage else { return Quantity::UNSET };
        Quantity(entries.get(outer).and_then(|v| v.at(key)).and_then(Value::as_number))
    }

    /// A stated word of usage.
    pub fn used_text(&self, path: &str) -> Option<String> {
        self.usage.at(path).and_then(Value::as_text)
    }

    /// Whether any usage is stated below a path.
    pub fn has_usage(&self, path: &str) -> bool {
        self.usage.at(path).is_some()
    }

    /// The numbers of a map of usage, by key.
    pub fn used_map(&self, path: &str) -> Vec<(String, Quantity)> {
        match self.usage.at(path) {
            Some(Value::Map(entries)) => entries.iter().map(|(k, v)| (k.clone(), Quantity(v.as_number()))).collect(),
            _ => Vec::new(),
        }
    }

    /// Another resource, with its own usage; what it assumes is assumed here too.
    pub fn other(&self, resource: &'a Resource) -> View<'a> {
        let mut view = View::new(resource, self.estate, self.usages);
        view.assumed = self.assumed.clone();
        view
    }

    /// The same attributes with another resource's usage: a group pays for its template's machines.
    pub fn with_usage_of(&self, other: &View<'_>) -> View<'a> {
        View { usage: other.usage.clone(), ..self.clone() }
    }

    /// The resource of one of some types that an attribute refers to.
    pub fn refers_to(&self, path: &str, kinds: &[&str]) -> Option<View<'a>> {
        self.estate.referred(self.resource, path, kinds).map(|r| self.other(r))
    }

    /// The resources of a type that refer to this one.
    pub fn users(&self, kind: &str) -> Vec<View<'a>> {
        self.estate.users(&self.resource.address, kind).into_iter().map(|r| self.other(r)).collect()
    }

    /// All resources of a type.
    pub fn all(&self, kind: &str) -> Vec<View<'a>> {
        self.estate.of_kind(kind).iter().map(|r| self.other(r)).collect()
    }

    /// The cloud, by the type's prefix, as price books name it.
    pub fn provider(&self) -> &'static str {
        match self.resource.kind.split('_').next() {
            Some("aws") => "aws",
            Some("azurerm") => "azure",
            Some("google") => "gcp",
            _ => "",
        }
    }

    /// Where it is: by its own attributes, by what it belongs to, by its provider.
    pub fn region(&self) -> String {
        self.region_within(0)
    }

    fn region_within(&self, depth: u8) -> String {
        let own = |path: &str| self.resource.values.at(path).and_then(Value::as_text).filter(|t| !t.is_empty());
        match self.provider() {
            "aws" => own("region")
                .or_else(|| self.resource.provider_region.clone())
                .unwrap_or_else(|| "us-east-1".to_owned()),
            "azure" => {
                let parents = || {
                    let mut found =
                        self.resource.references.iter().flat_map(|(path, to)| to.iter().map(move |a| (path, a)));
                    let group = found.clone().find(|(path, _)| *path == "resource_group_name");
                    let parent = group.or_else(|| found.next()).and_then(|(_, address)| self.estate.get(address))?;
                    (depth < 4).then(|| self.other(parent).region_within(depth + 1))
                };
                own("location").or_else(parents).map(|l| azure_region(&l)).unwrap_or_default()
            }
            "gcp" => {
                let place = own("region").or_else(|| own("location")).or_else(|| own("zone"));
                let place = place.or_else(|| self.resource.provider_region.clone());
                google_region(&place.unwrap_or_else(|| "us-central1".to_owned()))
            }
            _ => String::new(),
        }
    }

    /// What a question for a price of this resource starts from.
    pub fn query(&self, service: &'static str) -> Query {
        Query {
            provider: self.provider(),
            service,
            region: self.region(),
            kind: self.resource.kind.clone(),
            ..Query::default()
        }
    }
}

/// `West Europe` and `westeurope` are one region.
pub fn azure_region(location: &str) -> String {
    location.to_lowercase().replace([' ', '-'], "")
}

/// A zone such as `us-central1-a` lies in its region.
pub fn google_region(place: &str) -> String {
    let place = place.rsplit('/').next().unwrap_or(place).to_lowercase();
    match place.rsplit_once('-') {
        Some((region, zone)) if zone.len() == 1 && region.contains('-') => region.to_owned(),
        _ => place,
    }
}
