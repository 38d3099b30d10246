//! A file in the data directory that says: this is the demo's, and seeding was finished or not.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

const NAME: &str = "demo.json";
/// What a store makes in its directory, and what an interrupted seeding leaves.
const OURS: [&str; 11] = [
    "LOCK",
    "FORMAT",
    "wal",
    "files",
    "catalog.db",
    "catalog.db-wal",
    "catalog.db-shm",
    "desk.db",
    "desk.db-wal",
    "desk.db-shm",
    NAME,
];

/// What was seeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) seed: u64,
    pub(super) days: u32,
    /// End of the history, nanoseconds since the epoch.
    pub(super) until: i64,
    /// Whether the seeding came to its end.
    pub(super) complete: bool,
}

/// What a directory holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or nothing any more.
    Nothing,
    /// The whole demo.
    Complete(Marker),
}

impl Marker {
    /// Writes it down; the directory is made if need be.
    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = dir.join(NAME);
        let text = serde_json::to_string(self)?;
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }
}

/// Looks at a directory. A seeding that was cut short is removed: logs and spans have no identity by which a second
/// seeding could replace them. A directory with other data is refused.
pub(super) fn look(dir: &Path) -> anyhow::Result<Found> {
    let text = match std::fs::read_to_string(dir.join(NAME)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if dir.join("FORMAT").exists() {
                bail!(
                    "{} holds data that is not the demo's\nhint: name another directory with --data-dir, or serve this one with `grid serve`",
                    dir.display()
                );
            }
            return Ok(Found::Nothing);
        }
        Err(e) => return Err(anyhow::Error::from(e).context(format!("read {}", dir.join(NAME).display()))),
    };
    let marker: Marker = serde_json::from_str(&text).with_context(|| format!("read {}", dir.join(NAME).display()))?;
    if marker.complete {
        return Ok(Found::Complete(marker));
    }
    if let Some(address) = crate::target::serving(dir) {
        bail!("{} is held open by a server at {address}", dir.display());
    }
    for name in OURS {
        let path = dir.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(anyhow::Error::from(e).context(format!("remove {}", path.display())));
            }
            _ => {}
        }
    }
    Ok(Found::Nothing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_is_seeded_once_and_foreign_data_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(look(dir.path()).unwrap(), Found::Nothing);
        let marker = Marker { seed: 1, days: 2, until: 3, complete: false };
        marker.write(dir.path()).unwrap();
        std::fs::write(dir.path().join("FORMAT"), "grid 1\n").unwrap();
        assert_eq!(look(dir.path()).unwrap(), Found::Nothing, "cut short: begins again");
        assert!(!dir.path().join("FORMAT").exists());
        let complete = Marker { complete: true, ..marker };
        complete.write(dir.path()).unwrap();
        assert_eq!(look(dir.path()).unwrap(), Found::Complete(complete));
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        std::fs::write(dir.path().join("FORMAT"), "grid 1\n").unwrap();
        assert!(look(dir.path()).is_err());
    }
}
