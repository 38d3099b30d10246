//! Where a command finds its data: a running server, or a data directory that nobody holds open.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use grid_model::TenantId;
use grid_store::lock::DirLock;
use grid_store::{OpenError, Store};

use crate::args::TargetArgs;
use crate::client::{self, Client};
use crate::config::Config;
use crate::setup;

/// A resolved target.
pub(crate) enum Target {
    /// Through its API.
    Server(Client),
    /// Opened by this process.
    Directory(PathBuf),
}

impl Target {
    /// Resolves flags: `--url`, `--data-dir`, or the configured data directory and whoever holds it.
    pub(crate) fn resolve(args: &TargetArgs, config: &Config) -> anyhow::Result<Self> {
        let client = |url: &str| Client::new(url, &args.tenant, client::token(args.token_file.as_deref())?);
        if let Some(url) = &args.url {
            return Ok(Self::Server(client(url)?));
        }
        if let Some(dir) = &args.data_dir {
            return Ok(Self::Directory(dir.clone()));
        }
        let dir = config.data_dir();
        match serving(&dir) {
            Some(address) => Ok(Self::Server(client(&address)?)),
            None => Ok(Self::Directory(dir)),
        }
    }
}

/// The address of the server that holds a data directory open, if one does.
pub(crate) fn serving(dir: &Path) -> Option<String> {
    if !dir.join("LOCK").exists() {
        return None;
    }
    match DirLock::take(dir) {
        Err(OpenError::Locked { address, .. }) => address,
        _ => None,
    }
}

/// Opens a data directory that must exist already; reading from nowhere is a mistake worth telling.
pub(crate) async fn open_existing(config: &Config, dir: &Path) -> anyhow::Result<Store> {
    if !dir.join("FORMAT").exists() {
        bail!(
            "{} is not a data directory, and no server was named\nhint: start one with `grid serve` or `grid demo`, or say --url URL or --data-dir DIR",
            dir.display()
        );
    }
    setup::store(config, dir).await
}

/// A tenant's name from a flag.
pub(crate) fn tenant(name: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(name).context("read --tenant")
}
