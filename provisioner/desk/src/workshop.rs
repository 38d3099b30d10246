//! Drivers that keep something of each environment, as a root module of Terraform is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use grid_act::Executor;
use grid_model::TenantId;
use grid_plan::{Address, Fields};
use grid_types::Target;

/// An environment, as such a driver must know it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub environment: String,
    /// Where it is to become real.
    pub target: Target,
    /// What is wanted of each resource, references and all.
    pub wanted: BTreeMap<Address, Fields>,
}

/// Makes the driver of an environment.
#[async_trait]
pub trait Workshop: Send + Sync {
    /// The driver; why there is none for such an environment, if there is none.
    fn driver(&self, site: Site) -> Result<Arc<dyn Executor>, String>;

    /// Copies what is kept of all environments into the folder of a backup.
    async fn copy_to(&self, folder: &Path) -> Result<(), String>;
}
