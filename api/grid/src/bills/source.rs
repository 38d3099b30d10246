//! Where a bill's bytes come from: a file, or memory. And the manifest that lists several.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use grid_decode::bill::folder::is_manifest;
use grid_decode::bill::manifest::{MANIFEST_BYTES_MAX, Manifest};
use grid_decode::bill::{BillOptions, BillReader, PARQUET_MAGIC};
use grid_model::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{BillsError, Step};

const CHUNK_BYTES: usize = 256 * 1024;

/// One file of a bill.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// On disk.
    File {
        /// Where.
        path: PathBuf,
        /// As shown.
        name: String,
    },
    /// In memory.
    Bytes {
        /// As shown.
        name: String,
        /// The whole file.
        bytes: Bytes,
    },
}

impl Source {
    /// A file under its own name.
    pub(crate) fn of_path(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::File { path: path.to_owned(), name }
    }

    /// The name as shown.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Bytes { name, .. } => name,
        }
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::File { path, .. } => std::fs::metadata(path).map(|m| m.len()).unwrap_or(0),
            Self::Bytes { bytes, .. } => bytes.len() as u64,
        }
    }

    /// Hash of the bytes as they lie there, compressed or not.
    pub(super) fn sha256(&self) -> Result<String, BillsError> {
        let mut digest = Sha256::new();
        match self {
            Self::Bytes { bytes, .. } => digest.update(bytes),
            Self::File { path, name } => {
                let open = |source| BillsError::Open { file: name.clone(), source };
                let mut file = File::open(path).map_err(open)?;
                let mut chunk = vec![0; CHUNK_BYTES];
                loop {
                    let n = file.read(&mut chunk).map_err(open)?;
                    if n == 0 {
                        break;
                    }
                    digest.update(&chunk[..n]);
                }
            }
        }
        Ok(hex::encode(digest.finalize()))
    }

    /// Starts to read it.
    pub(super) fn open(
        &self,
        options: BillOptions,
        progress: &Arc<dyn Fn(Step) + Send + Sync>,
    ) -> Result<BillReader, BillsError> {
        let file_name = self.name().to_owned();
        let unreadable = |reason| BillsError::Unreadable { file: file_name.clone(), reason };
        match self {
            Self::Bytes { bytes, .. } => {
                progress(Step::Bytes(bytes.len() as u64));
                BillReader::bytes(bytes.clone(), options).map_err(unreadable)
            }
            Self::File { path, name } => {
                let open = |source| BillsError::Open { file: name.clone(), source };
                let mut file = File::open(path).map_err(open)?;
                let mut magic = [0_u8; 4];
                let got = read_up_to(&mut file, &mut magic).map_err(open)?;
                file.rewind().map_err(open)?;
                if &magic[..got] == PARQUET_MAGIC {
                    progress(Step::Bytes(file.metadata().map(|m| m.len()).unwrap_or(0)));
                    BillReader::parquet(file, options).map_err(unreadable)
                } else {
                    let counted = Counted { inner: file, progress: Arc::clone(progress) };
                    let input = io::BufReader::with_capacity(CHUNK_BYTES, counted);
                    BillReader::text(Box::new(input), options).map_err(unreadable)
                }
            }
        }
    }
}

/// Tells of bytes as they are read.
struct Counted {
    inner: File,
    progress: Arc<dyn Fn(Step) + Send + Sync>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        (self.progress)(Step::Bytes(n as u64));
        Ok(n)
    }
}

fn read_up_to(input: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match input.read(&mut buf[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

/// A manifest with its files found.
pub(crate) struct Listed {
    /// The files that it names.
    pub(crate) files: Vec<Source>,
    /// The export's name, if it says so.
    pub(crate) name: Option<String>,
    /// Its version.
    pub(crate) version: String,
    /// When that version was made.
    pub(crate) made: Option<Timestamp>,
    /// The account and period that it speaks of.
    pub(crate) period: BTreeSet<(String, Timestamp)>,
}

/// Reads a file as a manifest; `None` if it is none.
pub(crate) fn from_manifest(path: &Path) -> anyhow::Result<Option<Listed>> {
    let read = || format!("read {}", path.display());
    let mut file = File::open(path).with_context(read)?;
    let mut head = [0_u8; 64];
    let got = read_up_to(&mut file, &mut head).with_context(read)?;
    let text = head[..got].strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&head[..got]);
    if !text.trim_ascii_start().starts_with(b"{") {
        return Ok(None);
    }
    if file.metadata().with_context(read)?.len() > MANIFEST_BYTES_MAX as u64 {
        return Ok(None);
    }
    let bytes = std::fs::read(path).with_context(read)?;
    // A bill of JSON objects begins like a manifest.
    let manifest = match Manifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(e) if is_manifest(&path.to_string_lossy()) => return Err(e).with_context(read),
        Err(_) => return Ok(None),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for key in &manifest.files {
        let places: Vec<PathBuf> = manifest.places(key).iter().map(|p| folder.join(p)).collect();
        let Some(found) = places.iter().find(|p| p.is_file()) else {
            let tried: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            bail!("{} names {key}, which is not at {}", path.display(), tried.join(", "));
        };
        files.push(Source::File { path: found.clone(), name: key.clone() });
    }
    let period = manifest.account.clone().zip(manifest.period_start).into_iter().collect();
    Ok(Some(Listed {
        files,
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        made: manifest.made,
        period,
    }))
}
