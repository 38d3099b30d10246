//! Which program, where modules stand, and what is added to them.

use std::path::PathBuf;
use std::sync::Arc;

use grid_types::render::RenderError;
use grid_types::{Rendered, Spec, Target, render};

/// How a spec becomes files.
pub type Render = Arc<dyn Fn(&Spec, &Target) -> Result<Rendered, RenderError> + Send + Sync>;

/// What modules are made with.
#[derive(Clone)]
pub struct Settings {
    /// `terraform`, `tofu`, a path to either, or `auto`: `tofu` if it is on the path, else `terraform`.
    pub program: String,
    /// Where the modules stand: one folder for each tenant, and in it one for each environment.
    pub folder: PathBuf,
    /// A file of HCL that is laid over what is rendered, as `grid_override.tf`: a backend, settings of a provider. `{tenant}` and `{environment}` in it
    /// are filled in.
    pub overrides: Option<PathBuf>,
    /// How a spec becomes files: by the recipes of `grid-types`.
    pub render: Render,
}

impl Settings {
    /// With the usual recipes, nothing laid over them, and whichever program is there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { program: "auto".to_owned(), folder: folder.into(), overrides: None, render: Arc::new(render) }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, folder, overrides, .. } = self;
        f.debug_struct("Settings")
            .field("program", program)
            .field("folder", folder)
            .field("overrides", overrides)
            .finish_non_exhaustive()
    }
}
