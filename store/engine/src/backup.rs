//! Copies of a data directory that can be opened like the original.

use std::path::Path;

use object_store::ObjectStoreExt as _;

use crate::error::StoreError;
use crate::store::{FORMAT_VERSION, Store};
use crate::wal::segment::sync_dir;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupReport {
    /// Generation of the catalog.
    pub generation: u64,
    /// Files copied.
    pub files: usize,
    /// Bytes copied.
    pub bytes: u64,
}

/// What a restore brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreReport {
    /// Files copied.
    pub files: usize,
    /// Bytes copied.
    pub bytes: u64,
}

impl Store {
    /// Writes everything acknowledged so far into an empty folder: flushes, then copies the catalog and the files that it names. Appends go
    /// on meanwhile; flushes wait.
    pub async fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.flush().await?;
        let _one_at_a_time = self.shared.maintenance.lock().await;
        std::fs::create_dir_all(to).map_err(StoreError::io("create", to))?;
        if std::fs::read_dir(to).map_err(StoreError::io("list", to))?.next().is_some() {
            let not_empty = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty");
            return Err(StoreError::io("back up into", to)(not_empty));
        }
        let (entries, generation, _) = self.shared.catalog.load().await?;
        let mut report = BackupReport { generation, ..BackupReport::default() };
        let paths: Vec<&String> = entries.iter().flat_map(|e| std::iter::once(&e.path).chain(&e.text_index)).collect();
        for path in paths {
            let (store, _) = self.shared.objects.parts();
            let bytes = store.get(&self.shared.objects.object_path(path)).await?.bytes().await?;
            write_synced(&to.join("files").join(path), &bytes)?;
            report.files += 1;
            report.bytes += bytes.len() as u64;
        }
        self.shared.catalog.copy_to(&to.join("catalog.db")).await?;
        // Last: a folder with this file is a whole backup.
        write_synced(&to.join("FORMAT"), format!("grid {FORMAT_VERSION}\n").as_bytes())?;
        sync_dir(to)?;
        Ok(report)
    }

    /// Copies a backup into a new data directory, which [`Store::open`] then opens.
    pub fn restore(from: &Path, data_dir: &Path) -> Result<RestoreReport, StoreError> {
        for needed in ["FORMAT", "catalog.db"] {
            let path = from.join(needed);
            std::fs::metadata(&path).map_err(StoreError::io("read the backup's", &path))?;
        }
        std::fs::create_dir_all(data_dir).map_err(StoreError::io("create", data_dir))?;
        if std::fs::read_dir(data_dir).map_err(StoreError::io("list", data_dir))?.next().is_some() {
            let not_empty = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty");
            return Err(StoreError::io("restore into", data_dir)(not_empty));
        }
        let mut report = RestoreReport::default();
        copy_tree(from, data_dir, &mut report)?;
        sync_dir(data_dir)?;
        Ok(report)
    }
}

fn copy_tree(from: &Path, to: &Path, report: &mut RestoreReport) -> Result<(), StoreError> {
    std::fs::create_dir_all(to).map_err(StoreError::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(StoreError::io("list", from))? {
        let entry = entry.map_err(StoreError::io("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target, report)?;
        } else {
            let bytes = std::fs::read(&source).map_err(StoreError::io("read", &source))?;
            write_synced(&target, &bytes)?;
            report.files += 1;
            report.bytes += bytes.len() as u64;
        }
    }
    sync_dir(to)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    }
    let mut file = std::fs::File::create(path).map_err(StoreError::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::io("write", path))
}
