//! Types as JSON Schema, draft 2020-12: for editors, and for whoever writes specs by program.

use serde_json::{Map, Value, json};

use crate::catalog::{Field, Kind, Type, types};
use crate::limits::{ELEMENTS_MAX, NAME_MAX, RESOURCES_MAX};
use crate::target::Cloud;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The fields of one type.
pub fn of(kind: &Type) -> Value {
    let mut schema = object(&kind.fields);
    let head = json!({
        "$schema": DIALECT,
        "$id": format!("urn:grid:type:{}:{}", kind.name, kind.version),
        "title": kind.name,
        "description": kind.doc,
    });
    if let (Some(schema), Value::Object(head)) = (schema.as_object_mut(), head) {
        let outputs =
            kind.outputs.iter().map(|o| (o.name.clone(), json!({"description": o.doc}))).collect::<Map<_, _>>();
        schema.extend(head);
        schema.insert("x-grid-outputs".to_owned(), Value::Object(outputs));
    }
    schema
}

/// A whole spec, of any types.
pub fn spec() -> Value {
    let resource = |kind: &Type| {
        let name = json!({"type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$", "maxLength": NAME_MAX});
        json!({
            "type": "object",
            "properties": {
                "kind": {"const": kind.name}, "name": name, "group": name, "fields": object(&kind.fields),
            },
            "required": if kind.fields.iter().any(|f| f.required) { json!(["kind", "name", "fields"]) } else { json!(["kind", "name"]) },
            "additionalProperties": false,
        })
    };
    json!({
        "$schema": DIALECT,
        "$id": "urn:grid:spec:1",
        "title": "A spec of resources",
        "type": "object",
        "properties": {
            "version": {"const": 1},
            "resources": {
                "type": "array",
                "maxItems": RESOURCES_MAX,
                "items": {"oneOf": types().iter().map(resource).collect::<Vec<_>>()},
            },
        },
        "required": ["resources"],
        "additionalProperties": false,
    })
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<_, _> = fields.iter().map(|f| (f.name.clone(), field(f))).collect();
    let required: Vec<_> = fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn field(field: &Field) -> Value {
    let reference = || {
        let to = field.to.join("|");
        json!({"type": "string", "pattern": format!(r"^\$\{{({to})\.[a-z][a-z0-9-]*\}}$")})
    };
    let list = |items: Value| json!({"type": "array", "items": items, "minItems": field.min.unwrap_or(0), "maxItems": field.max.unwrap_or(ELEMENTS_MAX as i64)});
    let mut schema = match field.kind {
        Kind::Text => match field.form {
            // A reference may stand where a form is asked for.
            Some(form) => json!({"type": "string", "anyOf": [{"pattern": form.pattern()}, {"pattern": r"\$\{"}]}),
            None => json!({"type": "string"}),
        },
        Kind::Integer => json!({"type": "integer", "minimum": field.min, "maximum": field.max}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Enum => json!({"enum": field.values}),
        Kind::Size => json!({"type": "string", "pattern": "^[1-9][0-9]*x[1-9][0-9]*$"}),
        Kind::Reference => reference(),
        Kind::References => list(reference()),
        Kind::Texts => list(json!({"type": "string"})),
        Kind::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Machines => {
            let clouds: Map<_, _> =
                Cloud::ALL.iter().map(|c| (c.name().to_owned(), json!({"type": "string"}))).collect();
            json!({"type": "object", "properties": clouds, "additionalProperties": false})
        }
        Kind::Objects => list(object(&field.fields)),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(field.doc));
        if let Some(default) = &field.default {
            schema.insert("default".to_owned(), json!(default));
        }
        if let Some(example) = &field.example {
            schema.insert("examples".to_owned(), json!([example]));
        }
        if let Some(unit) = &field.unit {
            schema.insert("x-grid-unit".to_owned(), json!(unit));
        }
    }
    schema
}
