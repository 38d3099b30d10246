//! Copies of modules, for a backup of the data directory: what is rendered, what was applied, and a state that stands beside it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::limits::COPY_WAIT_MAX;
use crate::module::Terraform;

impl Terraform {
    /// Copies all modules into a folder, each between two steps. Providers are left out: they are fetched again.
    pub async fn copy_to(&self, to: &Path) -> Result<(), String> {
        let from = self.folder();
        for tenant in folders(from)? {
            for environment in folders(&tenant)? {
                let lock = self.lock(&environment);
                let held = tokio::time::timeout(COPY_WAIT_MAX, lock.lock()).await;
                let _held = held.map_err(|_| format!("{} is being changed: try again later", environment.display()))?;
                let place = environment.strip_prefix(from).map_err(|e| e.to_string())?;
                copy(&environment, &to.join(place)).map_err(|e| format!("copy {}: {e}", environment.display()))?;
            }
        }
        Ok(())
    }
}

/// The folders in a folder; none if it is not there.
fn folders(of: &Path) -> Result<Vec<PathBuf>, String> {
    let fails = |e: std::io::Error| format!("list {}: {e}", of.display());
    let entries = match fs::read_dir(of) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fails(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(fails)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_kept = name.to_str().is_some_and(|n| {
            n.ends_with(".tf") || n.ends_with(".tfstate") || ["grid.json", ".terraform.lock.hcl"].contains(&n)
        });
        if is_kept && entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(&name))?;
            fs::File::open(to.join(&name))?.sync_all()?;
        }
    }
    fs::File::open(to)?.sync_all()
}
