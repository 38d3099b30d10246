//! What a recipe for Kubernetes makes: objects, each of one block.
//!
//! `manifest "apps/v1" "Deployment" "this_db" { spec = { ... } }` is an object in the namespace of the system, called after its resource and `-db`;
//! `cluster_manifest` one that is in no namespace. What all objects are told by (name, labels, annotations) is the block `metadata` of the
//! prelude; a `metadata` of the block's own is laid over it.

use hcl::expr::{Expression, Object, ObjectKey};
use hcl::{Block, Structure};

use crate::evaluate::{BadRecipe, Scope, get, key_text, object, object_name};
use crate::recipe::prelude;

/// One object of Kubernetes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// Whether it is the resource's, not one that several share.
    pub(crate) is_own: bool,
    /// `apps/v1 Deployment shop-prod/web`: no two objects have the same.
    pub(crate) id: String,
    /// All of it, known to the last letter.
    pub(crate) value: Expression,
}

impl Manifest {
    /// Of a block with its values put in.
    pub(crate) fn of(block: Block, scope: &Scope) -> Result<Self, BadRecipe> {
        let [version, kind, label] = block.labels.as_slice() else {
            return Err(BadRecipe("a manifest without API version, kind and label".to_owned()));
        };
        let (version, kind, label) = (version.as_str().to_owned(), kind.as_str().to_owned(), label.as_str().to_owned());
        let is_own = label == scope.label || label.starts_with(&format!("{}_", scope.label));
        let mut identity = scope.with("object", Expression::String(object_name(&label)));
        if !is_own {
            // What several share is told as nobody's.
            for name in ["kind", "name", "address"] {
                identity.values.insert(name.to_owned(), Expression::Null);
            }
        }
        let common = prelude(scope.cloud).and_then(|p| p.blocks().find(|b| b.identifier.as_str() == "metadata"));
        let mut metadata = Object::new();
        if let Some(common) = common {
            lay(&mut metadata, pairs(identity.body(&common.body)?)?);
        }
        if block.identifier.as_str() == "cluster_manifest" {
            metadata.retain(|key, _| key_text(key) != "namespace");
        }
        let mut rest = Vec::new();
        for (key, value) in pairs(block.body)? {
            match (key_text(&key).as_str(), value) {
                ("metadata", Expression::Object(own)) => lay(&mut metadata, own),
                (name, value) => rest.push((name.to_owned(), value)),
            }
        }
        let text = |name| match get(&metadata, name) {
            Some(Expression::String(text)) => text.as_str(),
            _ => "",
        };
        let id = format!("{version} {kind} {}/{}", text("namespace"), text("name"));
        let head = [("apiVersion", Expression::String(version)), ("kind", Expression::String(kind))];
        let head = head.into_iter().chain([("metadata", Expression::Object(metadata))]);
        let value = object(head.chain(rest.iter().map(|(name, value)| (name.as_str(), value.clone()))));
        known(&value, &id)?;
        Ok(Self { is_own, id, value })
    }
}

fn pairs(body: hcl::Body) -> Result<Object<ObjectKey, Expression>, BadRecipe> {
    let pair = |structure| match structure {
        Structure::Attribute(a) => Ok((ObjectKey::Expression(Expression::String(a.key.as_str().to_owned())), a.expr)),
        Structure::Block(b) => Err(BadRecipe(format!("a block {} in a manifest", b.identifier.as_str()))),
    };
    body.into_iter().map(pair).collect()
}

/// Lays one map over another, maps in them as well.
fn lay(under: &mut Object<ObjectKey, Expression>, over: Object<ObjectKey, Expression>) {
    for (key, value) in over {
        let key = ObjectKey::Expression(Expression::String(key_text(&key)));
        match (under.get_mut(&key), value) {
            (Some(Expression::Object(before)), Expression::Object(value)) => lay(before, value),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// Nothing works a manifest out later: what is not known now is a mistake.
fn known(expr: &Expression, at: &str) -> Result<(), BadRecipe> {
    match expr {
        Expression::Null | Expression::Bool(_) | Expression::Number(_) | Expression::String(_) => Ok(()),
        Expression::Array(items) => items.iter().try_for_each(|item| known(item, at)),
        Expression::Object(pairs) => {
            pairs.iter().try_for_each(|(key, value)| known(value, &format!("{at}.{}", key_text(key))))
        }
        code => Err(BadRecipe(format!("{at} is not known before it runs: {}", crate::hcl::expression(code, 0)))),
    }
}
