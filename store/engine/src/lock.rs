//! The advisory lock on a data directory. The operating system drops it with its holder, however that dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{OpenError, StoreError};

/// What a holder writes into the lock file for others to read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    address: Option<String>,
}

/// A held lock; dropped with the value.
#[derive(Debug)]
pub struct DirLock {
    file: Mutex<File>,
}

impl DirLock {
    /// Takes the lock of a data directory, or says who has it.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("LOCK");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                let holder: Holder = serde_json::from_str(&text).unwrap_or_default();
                return Err(OpenError::Locked { dir: dir.to_owned(), pid: holder.pid, address: holder.address });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", &path)(e).into()),
        }
        let lock = Self { file: Mutex::new(file) };
        // The lock holds without the note; a full disk shall not keep anyone from reading.
        if let Err(error) = lock.write(&Holder { pid: std::process::id(), address: None }) {
            tracing::warn!(%error, path = %path.display(), "cannot note who holds the data directory");
        }
        Ok(lock)
    }

    /// Writes down where the holder serves, for whoever is refused.
    pub fn advertise(&self, address: &str) -> std::io::Result<()> {
        self.write(&Holder { pid: std::process::id(), address: Some(address.to_owned()) })
    }

    fn write(&self, holder: &Holder) -> std::io::Result<()> {
        let mut file = self.file.lock();
        let text = serde_json::to_string(holder).map_err(std::io::Error::other)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_where_the_first_serves() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::take(dir.path()).unwrap();
        first.advertise("http://127.0.0.1:7080").unwrap();
        let refused = DirLock::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("http://127.0.0.1:7080"), "{refused}");
        drop(first);
        assert!(DirLock::take(dir.path()).is_ok());
    }
}
