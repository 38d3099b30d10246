//! The files of the log: names, header, appending, syncing.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// First bytes of a segment, version included.
pub const MAGIC: &[u8; 16] = b"grid-wal v1\n\0\0\0\0";

/// Number of a segment, ascending over the life of a data directory.
pub type SegmentNumber = u64;

/// The path of a segment.
pub fn path(dir: &Path, number: SegmentNumber) -> PathBuf {
    dir.join(format!("{number:016}.wal"))
}

/// All segments of a folder in ascending order.
pub fn list(dir: &Path) -> Result<Vec<SegmentNumber>, StoreError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
        let name = entry.map_err(StoreError::io("list", dir))?.file_name();
        if let Some(number) = name.to_str().and_then(|n| n.strip_suffix(".wal")).and_then(|n| n.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a folder's entries durable.
pub fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io("sync", dir))
}

/// The segment being written.
#[derive(Debug)]
pub struct Segment {
    file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes that are written and synced.
    pub bytes: u64,
}

impl Segment {
    /// Creates a segment, durable as an empty one.
    pub fn create(dir: &Path, number: SegmentNumber) -> Result<Self, StoreError> {
        let path = path(dir, number);
        // What an attempt that failed left holds no more than the header.
        if std::fs::metadata(&path).is_ok_and(|m| m.len() <= MAGIC.len() as u64) {
            std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(StoreError::io("create", &path))?;
        file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(StoreError::io("write", &path))?;
        sync_dir(dir)?;
        Ok(Self { file, path, bytes: MAGIC.len() as u64 })
    }

    /// Appends bytes and syncs them. On an error nothing of them counts as written: the segment is cut back to its last synced
    /// length; if even that fails, `Err` of the second element says so and the segment must not be used again.
    #[allow(clippy::result_large_err, reason = "an error here ends all writing; its size does not matter")]
    pub fn append_synced(&mut self, bytes: &[u8]) -> Result<(), (StoreError, Result<(), StoreError>)> {
        match self.file.write_all(bytes).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.bytes += bytes.len() as u64;
                Ok(())
            }
            Err(e) => {
                let cut = self
                    .file
                    .set_len(self.bytes)
                    .and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)).map(|_| ()))
                    .and_then(|()| self.file.sync_all())
                    .map_err(StoreError::io("cut back", &self.path));
                Err((StoreError::io("append to", &self.path)(e), cut))
            }
        }
    }
}

/// The whole of a segment behind its header; `None` if the header itself is torn or foreign.
pub fn read_body(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut f| f.read_to_end(&mut bytes)).map_err(StoreError::io("read", path))?;
    if !bytes.starts_with(MAGIC) {
        return Ok(None);
    }
    bytes.drain(..MAGIC.len());
    Ok(Some(bytes))
}

/// Cuts a segment behind its last good record, durably.
pub fn truncate(path: &Path, body_bytes: u64) -> Result<(), StoreError> {
    let file = OpenOptions::new().write(true).open(path).map_err(StoreError::io("open", path))?;
    file.set_len(MAGIC.len() as u64 + body_bytes).and_then(|()| file.sync_all()).map_err(StoreError::io("cut", path))
}
