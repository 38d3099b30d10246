//! The recipes: one per type and cloud, and one per cloud of what every configuration begins with.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hcl::expr::Expression;
use hcl::{Attribute, Body, Structure};

use crate::evaluate::{BadRecipe, Scope};
use crate::manifest::Manifest;
use crate::target::Cloud;

/// What a recipe makes of one resource.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    /// Blocks of the resource itself.
    pub(crate) own: Vec<Structure>,
    /// Blocks that several resources share, like the lookup of an image: their labels do not begin with `this`.
    pub(crate) shared: Vec<Structure>,
    /// Its variables.
    pub(crate) variables: Vec<Structure>,
    /// Objects of Kubernetes, in place of blocks.
    pub(crate) manifests: Vec<Manifest>,
}

/// The recipe of a type on a cloud; `None` where there is none.
pub fn recipe(kind: &str, cloud: Cloud) -> Option<&'static Body> {
    RECIPES.get(cloud.recipes())?.get(kind)
}

/// What every configuration on a cloud begins with.
pub fn prelude(cloud: Cloud) -> Option<&'static Body> {
    recipe("_prelude", cloud)
}

/// Puts the values of a resource into a recipe.
pub(crate) fn make(recipe: &Body, scope: &Scope) -> Result<Made, BadRecipe> {
    let mut made = Made::default();
    for structure in scope.body(&blocks(recipe))?.into_iter() {
        let Structure::Block(block) = structure else {
            return Err(BadRecipe("an attribute outside of a block".to_owned()));
        };
        let label = block.labels.last().map(|l| l.as_str().to_owned()).unwrap_or_default();
        match block.identifier.as_str() {
            "variable" => made.variables.push(Structure::Block(block)),
            "resource" | "data" if label == scope.label || label.starts_with(&format!("{}_", scope.label)) => {
                made.own.push(Structure::Block(block));
            }
            "resource" | "data" => made.shared.push(Structure::Block(block)),
            "manifest" | "cluster_manifest" => made.manifests.push(Manifest::of(block, scope)?),
            other => return Err(BadRecipe(format!("a block `{other}`"))),
        }
    }
    Ok(made)
}

/// What others may refer to: what the type names, and what only recipes use. Null where a variant has no such thing.
pub(crate) fn outputs(recipe: &Body, scope: &Scope) -> Result<Vec<(String, Expression)>, BadRecipe> {
    let out = recipe.blocks().filter(|b| b.identifier.as_str() == "out");
    let value = |a: &Attribute| Ok((a.key.as_str().to_owned(), scope.expression(&a.expr, 0)?));
    out.flat_map(|block| block.body.attributes()).map(value).collect()
}

/// What a recipe makes, without what it only says.
pub(crate) fn blocks(recipe: &Body) -> Body {
    let says =
        |s: &&Structure| matches!(s, Structure::Block(b) if ["out", "metadata"].contains(&b.identifier.as_str()));
    recipe.iter().filter(|s| !says(s)).cloned().collect()
}

macro_rules! recipes {
    ($($kind:literal)*) => {
        [$(
            (("aws", $kind), include_str!(concat!("../recipes/aws/", $kind, ".hcl"))),
            (("azurerm", $kind), include_str!(concat!("../recipes/azurerm/", $kind, ".hcl"))),
            (("google", $kind), include_str!(concat!("../recipes/google/", $kind, ".hcl"))),
            (("kubernetes", $kind), include_str!(concat!("../recipes/kubernetes/", $kind, ".hcl"))),
        )*]
    };
}

/// Provider -> type -> recipe.
static RECIPES: LazyLock<BTreeMap<&str, BTreeMap<&str, Body>>> = LazyLock::new(|| {
    let all = recipes!(
        "_prelude" "vm" "autoscaling_group" "spot_pool" "block_disk" "network" "nat" "firewall" "l7_load_balancer"
        "l4_load_balancer" "cdn" "dns_zone" "tls_certificate" "waf" "object_store" "file_store" "kubernetes_cluster"
        "node_pool" "postgresql" "mysql" "nosql" "redis" "queue" "topic" "kafka" "function" "container_service"
        "registry" "secret" "workload_identity" "backup_plan"
    );
    let mut recipes: BTreeMap<&str, BTreeMap<&str, Body>> = BTreeMap::new();
    for ((cloud, kind), text) in all {
        let body = hcl::parse(text).unwrap_or_else(|e| panic!("recipes/{cloud}/{kind}.hcl: {e}"));
        // An empty file is a cell without a recipe.
        if body.iter().next().is_some() {
            recipes.entry(cloud).or_default().insert(kind, body);
        }
    }
    recipes
});
