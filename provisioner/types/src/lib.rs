//! The thirty resource types that Grid knows by name, the specs that are written with them, and what becomes of a spec on each
//! cloud: HCL or manifests of Kubernetes that people would keep.
//!
//! Entry points: [`types`] lists the types, [`Spec::read`] checks a text, [`render()`] makes `.tf` or `.yaml` files of it. Reading order:
//! [`catalog`] (what a type is), [`node`] (a text as a tree that knows its places), [`problem`] (what is said of mistakes),
//! [`reference`] (`${postgresql.main.out.host}`), [`spec`] and its [`check`]; then [`target`] (which cloud, where), [`size`],
//! [`recipe`], [`mod@evaluate`], [`mod@hcl`] (the printer), [`manifest`] and [`yaml`] (the other one), [`mod@render`]; then [`json_schema`], [`tier`] and [`page`], which tell of the catalog.
//!
//! The types lie in `catalog/`, one file per family; their recipes in `recipes/CLOUD/TYPE.hcl`; what the recipes are checked against
//! in `schema/`, which says how it was made; what the tests found in `tiers.csv`.
//!
//! Architecture invariants:
//! - No IO, no clock, no network: texts in, texts out. The same spec gives the same files.
//! - A type knows no cloud; a recipe knows one. Code knows neither: a new type or field is data.
//! - The label of a block depends on its own resource alone, so that adding one resource never renames another.
//! - No secret is ever rendered: secrets are variables without a default, or made and kept by the cloud.
//! - Any text ends in a spec or in problems with their places: size, depth and count are bounded in [`limits`].
//! - A tier is what a test has found, never what a recipe claims.

pub mod catalog;
pub mod node;
pub mod problem;
pub mod reference;
pub mod spec;
pub mod check;
pub mod target;
pub mod size;
pub mod recipe;
pub mod evaluate;
pub mod hcl;
pub mod manifest;
pub mod yaml;
pub mod render;
pub mod json_schema;
pub mod tier;
pub mod page;
pub mod limits;

pub use catalog::{Field, Kind, Type, find, types};
pub use node::Format;
pub use problem::{Place, Problem, Problems};
pub use render::{Rendered, render};
pub use spec::{Resource, Spec};
pub use target::{Cloud, Target};
pub use tier::Tier;
