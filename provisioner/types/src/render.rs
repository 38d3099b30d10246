//! A spec on a cloud as a folder of files: `.tf` for Terraform, `.yaml` for Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use hcl::expr::Expression;
use hcl::{Attribute, Block, BlockLabel, Body, Structure};

use crate::catalog::types;
use crate::evaluate::{BadRecipe, Scope, cut, get as named, joined, number, object, object_name};
use crate::hcl as printer;
use crate::manifest::Manifest;
use crate::recipe::{Made, blocks, make, outputs, prelude, recipe};
use crate::reference::{Address, Part};
use crate::spec::{Resource, Spec, Value};
use crate::target::{Cloud, Target};
use crate::yaml;

/// Names of files that the renderer itself fills, so that no group may have them.
pub const RESERVED: [&str; 5] = ["main", "versions", "variables", "shared", "outputs"];

/// Files by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// `versions.tf`, `variables.tf`, `shared.tf` (what several resources use), `main.tf`, one for each group, `outputs.tf`; for Kubernetes
    /// `shared.yaml`, `main.yaml` and one for each group.
    pub files: BTreeMap<String, String>,
}

impl Rendered {
    /// All files one after the other, each below its name.
    pub fn text(&self) -> String {
        let each = self.files.iter().map(|(name, text)| format!("#### {name}\n{text}"));
        each.collect::<Vec<_>>().join("\n")
    }
}

/// Why there are no files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The table of types says `-` here, or nobody has written it yet.
    #[error("there is no recipe for {address} on {}", cloud.name())]
    NoRecipe {
        /// Of what.
        address: Address,
        /// Where.
        cloud: Cloud,
    },
    /// The recipe cannot be filled with these values.
    #[error("the recipe of {address} on {} fails", cloud.name())]
    Recipe {
        /// Of what.
        address: Address,
        /// Where.
        cloud: Cloud,
        /// Why.
        #[source]
        source: BadRecipe,
    },
    /// Two resources write the same block differently.
    #[error("{address} writes the shared block {block} in another way than those before it")]
    Shared {
        /// The later one.
        address: Address,
        /// `data.aws_ami.ubuntu`.
        block: String,
    },
    /// Two resources make an object of the same name.
    #[error("{address} makes {object}, which one before it makes already: give it another name")]
    Twice {
        /// The later one.
        address: Address,
        /// `v1 Service shop-prod/web`.
        object: String,
    },
    /// No part of a name is left for the cloud: names of systems and environments are lower-case words.
    #[error(
        "{0:?} is no name of a system or environment: lower-case letters, digits and `-`, first a letter, at most 16"
    )]
    Name(String),
}

/// Renders a spec: files for Terraform, or manifests of Kubernetes.
pub fn render(spec: &Spec, target: &Target) -> Result<Rendered, RenderError> {
    for name in [&target.system, &target.environment] {
        let right = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.len() > 16 || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(right) {
            return Err(RenderError::Name(name.clone()));
        }
    }
    let cloud = target.cloud;
    // A checked spec has no cycle, so everything that a resource refers to comes before it.
    let order = spec.graph().order().unwrap_or_default();
    let by_address: BTreeMap<&Address, &Resource> = spec.resources.iter().map(|r| (&r.address, r)).collect();
    let fails = |address: &Address, source| RenderError::Recipe { address: address.clone(), cloud, source };
    let mut out: BTreeMap<Address, Expression> = BTreeMap::new();
    let mut found = Vec::new();
    for resource in order.iter().filter_map(|address| by_address.get(address)) {
        let address = &resource.address;
        let recipe = recipe(&resource.kind.name, cloud)
            .ok_or_else(|| RenderError::NoRecipe { address: address.clone(), cloud })?;
        let scope = scope(resource, target, &out).map_err(|e| fails(address, e))?;
        let own = outputs(recipe, &scope).map_err(|e| fails(address, e))?;
        out.insert(address.clone(), object(own.iter().map(|(name, value)| (name.as_str(), value.clone()))));
        found.push((address, recipe, scope));
    }
    // Some clouds want a reference at the other end: a load balancer that names its machines, not machines that name it.
    let mut users: BTreeMap<&Address, BTreeMap<&str, Vec<Expression>>> = BTreeMap::new();
    for resource in &spec.resources {
        let mut named = Vec::new();
        resource.fields.iter().for_each(|(_, value)| value.references(&mut named));
        named.sort();
        named.dedup();
        let Some(own) = out.get(&resource.address) else { continue };
        for other in named {
            users.entry(other).or_default().entry(&resource.kind.name).or_default().push(own.clone());
        }
    }
    let mut made: BTreeMap<Address, Made> = BTreeMap::new();
    for (address, recipe, mut scope) in found {
        let mut of = users.remove(address).unwrap_or_default();
        let all = types()
            .iter()
            .map(|t| (t.name.as_str(), Expression::Array(of.remove(t.name.as_str()).unwrap_or_default())));
        scope.values.insert("users".to_owned(), object(all));
        made.insert(address.clone(), make(recipe, &scope).map_err(|e| fails(address, e))?);
    }
    match cloud {
        Cloud::Kubernetes => manifests(spec, target, made),
        _ => files(spec, target, &out, made),
    }
}

/// Objects in files, each resource's below its address.
fn manifests(spec: &Spec, target: &Target, mut made: BTreeMap<Address, Made>) -> Result<Rendered, RenderError> {
    let (mut shared, mut files) = (Vec::<Manifest>::new(), BTreeMap::<String, String>::new());
    let mut seen = BTreeSet::new();
    let (address, recipe, scope) = first(target)?;
    let head = make(recipe, &scope).map_err(|source| RenderError::Recipe { address, cloud: target.cloud, source })?;
    shared.extend(head.manifests);
    for resource in &spec.resources {
        let address = &resource.address;
        let mut text = format!("# {address}\n");
        for manifest in made.remove(address).unwrap_or_default().manifests {
            if !manifest.is_own {
                match shared.iter().find(|m| m.id == manifest.id) {
                    Some(before) if *before != manifest => {
                        return Err(RenderError::Shared { address: address.clone(), block: manifest.id });
                    }
                    Some(_) => {}
                    None => shared.push(manifest),
                }
                continue;
            }
            if text.lines().count() > 1 {
                text.push_str("---\n");
            }
            text.push_str(&yaml::print(&manifest.value));
            if !seen.insert(manifest.id.clone()) {
                return Err(RenderError::Twice { address: address.clone(), object: manifest.id });
            }
        }
        document(&mut files, resource.group.as_deref().unwrap_or("main"), &text);
    }
    for manifest in shared {
        document(&mut files, "shared", &yaml::print(&manifest.value));
    }
    Ok(Rendered { files })
}

fn document(files: &mut BTreeMap<String, String>, group: &str, text: &str) {
    let file = files.entry(format!("{group}.yaml")).or_default();
    if !file.is_empty() {
        file.push_str("---\n");
    }
    file.push_str(text);
}

fn files(
    spec: &Spec,
    target: &Target,
    out: &BTreeMap<Address, Expression>,
    mut made: BTreeMap<Address, Made>,
) -> Result<Rendered, RenderError> {
    let mut shared: BTreeMap<String, Block> = BTreeMap::new();
    let mut shared_order = Vec::new();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut variables = Vec::new();
    let mut shown = Vec::new();
    for structure in head(target)? {
        let Structure::Block(block) = structure else { continue };
        match block.identifier.as_str() {
            "variable" => variables.push(Structure::Block(block)),
            "resource" | "data" | "locals" => {
                let name = block_name(&block);
                shared_order.push(name.clone());
                shared.insert(name, block);
            }
            _ => append(&mut files, "versions.tf", &printer::print(&Body::from(vec![Structure::Block(block)]))),
        }
    }
    for resource in &spec.resources {
        let address = &resource.address;
        let Some(blocks) = made.remove(address) else { continue };
        for structure in blocks.shared {
            let Structure::Block(block) = structure else { continue };
            let name = block_name(&block);
            match shared.get(&name) {
                Some(before) if *before != block => {
                    return Err(RenderError::Shared { address: address.clone(), block: name });
                }
                Some(_) => {}
                None => {
                    shared_order.push(name.clone());
                    shared.insert(name, block);
                }
            }
        }
        variables.extend(blocks.variables);
        let file = format!("{}.tf", resource.group.as_deref().unwrap_or("main"));
        let body: Body = blocks.own.into_iter().collect();
        append(&mut files, &file, &format!("# {address}\n{}", printer::print(&body)));
        let Some(Expression::Object(pairs)) = out.get(address) else { continue };
        for output in &resource.kind.outputs {
            let Some(value) = named(pairs, &output.name).filter(|v| **v != Expression::Null) else { continue };
            let name = format!("{}_{}_{}", address.kind, label(address), output.name);
            let body = vec![
                Structure::Attribute(Attribute::new("description", format!("{address}: {}", output.doc))),
                Structure::Attribute(Attribute::new("value", value.clone())),
            ];
            let labels = vec![BlockLabel::String(name)];
            shown.push(Structure::Block(Block { identifier: "output".into(), labels, body: body.into() }));
        }
    }
    let blocks = shared_order.iter().filter_map(|name| shared.remove(name)).map(Structure::Block);
    for (file, blocks) in
        [("shared.tf", blocks.collect::<Vec<_>>()), ("variables.tf", variables), ("outputs.tf", shown)]
    {
        if !blocks.is_empty() {
            append(&mut files, file, &printer::print(&blocks.into_iter().collect()));
        }
    }
    Ok(Rendered { files })
}

fn append(files: &mut BTreeMap<String, String>, name: &str, text: &str) {
    let file = files.entry(name.to_owned()).or_default();
    if !file.is_empty() {
        file.push('\n');
    }
    file.push_str(text);
}

/// `data.aws_ami.ubuntu`.
fn block_name(block: &Block) -> String {
    let mut parts = vec![block.identifier.as_str()];
    parts.extend(block.labels.iter().map(|l| l.as_str()));
    parts.join(".")
}

/// The label of a resource's blocks. Names hold no `_`, so that two never meet.
fn label(address: &Address) -> String {
    address.name.replace('-', "_")
}

fn base(target: &Target) -> BTreeMap<String, Expression> {
    let text = |t: &str| Expression::String(t.to_owned());
    let provider = target.cloud.provider();
    // Both together are a namespace, whose name ends in no `-`.
    let environment = match target.cloud {
        Cloud::Kubernetes => object_name(&target.environment),
        _ => target.environment.clone(),
    };
    BTreeMap::from([
        ("system".to_owned(), text(&target.system)),
        ("environment".to_owned(), text(&environment)),
        ("region".to_owned(), text(&target.region)),
        ("provider_version".to_owned(), text(&provider.map(|p| p.constraint()).unwrap_or_default())),
    ])
}

/// What every configuration begins with, and what it can name.
fn first(target: &Target) -> Result<(Address, &'static Body, Scope), RenderError> {
    let cloud = target.cloud;
    let address = Address { kind: "_prelude".to_owned(), name: cloud.name().to_owned() };
    let recipe = prelude(cloud).ok_or_else(|| RenderError::NoRecipe { address: address.clone(), cloud })?;
    let full = format!("{}-{}", target.system, target.environment);
    let mut values = base(target);
    values.insert("full".to_owned(), Expression::String(full.clone()));
    Ok((address, recipe, Scope { cloud, label: "main".to_owned(), full, values }))
}

fn head(target: &Target) -> Result<Vec<Structure>, RenderError> {
    let (address, recipe, scope) = first(target)?;
    let failed = |source| RenderError::Recipe { address, cloud: target.cloud, source };
    Ok(scope.body(&blocks(recipe)).map_err(failed)?.into_iter().collect())
}

/// What a recipe can name of a resource.
fn scope(resource: &Resource, target: &Target, out: &BTreeMap<Address, Expression>) -> Result<Scope, BadRecipe> {
    let address = &resource.address;
    let (label, name) = match target.cloud {
        Cloud::Kubernetes => (address.name.clone(), object_name(&address.name)),
        _ => (label(address), address.name.clone()),
    };
    let full = cut(&format!("{}-{}-{name}", target.system, target.environment), 63, "-");
    let mut fields = Vec::new();
    for field in &resource.kind.fields {
        let given = resource.fields.iter().find(|(name, _)| *name == field.name);
        let mut value = given.map(|(_, value)| code(value, out)).transpose()?.unwrap_or(Expression::Null);
        // Recipes may ask for every field of an object, given or not.
        if let Expression::Array(items) = &mut value {
            for item in items {
                let Expression::Object(pairs) = item else { continue };
                let missing = field.fields.iter().filter(|f| named(pairs, &f.name).is_none());
                let missing: Vec<_> = missing.map(|f| (f.name.as_str(), Expression::Null)).collect();
                if let Expression::Object(missing) = object(missing) {
                    pairs.extend(missing);
                }
            }
        }
        fields.push((field.name.as_str(), value));
    }
    let mut values = base(target);
    values.extend([
        ("field".to_owned(), object(fields)),
        ("name".to_owned(), Expression::String(name)),
        ("kind".to_owned(), Expression::String(address.kind.clone())),
        ("address".to_owned(), Expression::String(address.to_string())),
        ("full".to_owned(), Expression::String(full.clone())),
    ]);
    let mut scope = Scope { cloud: target.cloud, label, full, values };
    // How a resource is told as Grid's is the cloud's own way.
    if let Some(prelude) = prelude(target.cloud) {
        let identity = outputs(prelude, &scope)?;
        scope.values.extend(identity);
    }
    Ok(scope)
}

/// A value of a spec as code.
fn code(value: &Value, out: &BTreeMap<Address, Expression>) -> Result<Expression, BadRecipe> {
    let of = |address: &Address| {
        out.get(address).cloned().ok_or_else(|| BadRecipe(format!("{address} comes later than what refers to it")))
    };
    Ok(match value {
        Value::Bool(b) => Expression::Bool(*b),
        Value::Integer(n) => number(*n),
        Value::Resource(address) => of(address)?,
        Value::List(values) => Expression::Array(values.iter().map(|v| code(v, out)).collect::<Result<_, _>>()?),
        Value::Map(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(k, v)| Ok((k.as_str(), code(v, out)?))).collect::<Result<_, BadRecipe>>()?;
            object(pairs)
        }
        Value::Text(parts) => {
            let part = |part: &Part| match part {
                Part::Literal(text) => Ok(Expression::String(text.clone())),
                Part::Resource(address) => of(address),
                Part::Output(address, name) => {
                    let Expression::Object(pairs) = of(address)? else { return Err(BadRecipe(address.to_string())) };
                    let value = named(&pairs, name).filter(|value| **value != Expression::Null).cloned();
                    value.ok_or_else(|| BadRecipe(format!("the recipe of {address} does not give `{name}` here")))
                }
            };
            joined(parts.iter().map(part).collect::<Result<_, _>>()?)
        }
    })
}
