//! Folders and buckets of exports: listed, their manifests read, their files fetched. Which files make a bill is decided by
//! [`grid_decode::bill::folder`]; here are only hands.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use grid_decode::bill::folder::{self, Entry, Folder, Group};
use grid_decode::bill::manifest::{MANIFEST_BYTES_MAX, Manifest};
use grid_model::Timestamp;
use grid_store::objects::Objects;

use super::Source;

/// Most files below one folder or prefix.
const ENTRIES_MAX: usize = 1_000_000;
/// How deep folders lie in one another.
const DEPTH_MAX: usize = 32;

/// Manifests that were read, by their path, with what was listed of them then.
#[derive(Default)]
pub(crate) struct ReadManifests(HashMap<String, (Entry, Manifest)>);

/// Where exports lie.
pub(crate) enum Place {
    /// A folder.
    Local(PathBuf),
    /// A prefix of a bucket.
    Bucket(Objects),
}

impl Place {
    /// The place that an argument names; `None` if it is a file.
    pub(crate) fn of(argument: &Path) -> anyhow::Result<Option<Self>> {
        if let Some(url) = argument.to_str().filter(|a| a.starts_with("s3://")) {
            return Ok(Some(Self::Bucket(Objects::bucket(url).with_context(|| format!("open {url}"))?)));
        }
        Ok(argument.is_dir().then(|| Self::Local(argument.to_owned())))
    }

    /// Lists the place and decides what its files make. Manifests that `read` holds already, unchanged, are not read again.
    pub(crate) async fn look(&self, read: &mut ReadManifests) -> anyhow::Result<Folder> {
        let entries = self.entries().await?;
        if entries.len() > ENTRIES_MAX {
            bail!("there are more than {ENTRIES_MAX} files below {self}; name a part of it");
        }
        let mut manifests = Vec::new();
        for entry in entries.iter().filter(|e| folder::is_manifest(&e.path) && e.bytes <= MANIFEST_BYTES_MAX as u64) {
            if let Some((_, manifest)) = read.0.get(&entry.path).filter(|(known, _)| known == entry) {
                manifests.push((entry.path.clone(), manifest.clone()));
                continue;
            }
            let bytes = match self {
                Self::Local(root) => {
                    let path = root.join(&entry.path);
                    std::fs::read(&path).with_context(|| format!("read {}", path.display()))?
                }
                Self::Bucket(objects) => objects.get(&entry.path).await?.to_vec(),
            };
            // Other tools call their files manifests too.
            if let Ok(manifest) = Manifest::parse(&bytes) {
                read.0.insert(entry.path.clone(), (entry.clone(), manifest.clone()));
                manifests.push((entry.path.clone(), manifest));
            }
        }
        Ok(folder::plan(&entries, &manifests))
    }

    /// The files of a bill, fetched where they are not local. What is fetched goes with the answer.
    pub(crate) async fn fetch(&self, group: &Group) -> anyhow::Result<(Vec<Source>, Option<Fetched>)> {
        match self {
            Self::Local(root) => {
                let source = |path: &String| Source::File { path: root.join(path), name: path.clone() };
                Ok((group.files.iter().map(source).collect(), None))
            }
            Self::Bucket(objects) => {
                let folder = Fetched::make()?;
                let mut sources = Vec::new();
                for (n, key) in group.files.iter().enumerate() {
                    let path = folder.0.join(format!("{n}.part"));
                    objects.fetch(key, &path).await.with_context(|| format!("fetch {}", objects.public_path(key)))?;
                    sources.push(Source::File { path, name: key.clone() });
                }
                Ok((sources, Some(folder)))
            }
        }
    }

    async fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        match self {
            Self::Local(root) => {
                let root = root.clone();
                tokio::task::spawn_blocking(move || walk(&root)).await.context("list the folder")?
            }
            Self::Bucket(objects) => {
                let known = objects.list_known().await.with_context(|| format!("list {}", objects.url()))?;
                let entry =
                    |k: grid_store::objects::Known| Entry { path: k.path, bytes: k.bytes, modified: Some(k.modified) };
                Ok(known.into_iter().map(entry).collect())
            }
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(root) => root.display().fmt(f),
            Self::Bucket(objects) => f.write_str(objects.url()),
        }
    }
}

/// All files below a folder; links to folders are not followed, so that there is an end.
fn walk(root: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let list = std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for item in list {
            let item = item.with_context(|| format!("list {}", folder.display()))?;
            let Ok(name) = item.file_name().into_string() else { continue };
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = item.file_type().with_context(|| format!("look at {}", item.path().display()))?;
            if kind.is_dir() && depth < DEPTH_MAX {
                folders.push((item.path(), path, depth + 1));
            } else if let Ok(meta) = std::fs::metadata(item.path())
                && meta.is_file()
                && entries.len() <= ENTRIES_MAX
            {
                let since = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
                let modified = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).map(Timestamp);
                entries.push(Entry { path, bytes: meta.len(), modified });
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// A folder of fetched files, gone when dropped.
pub(crate) struct Fetched(PathBuf);

impl Fetched {
    fn make() -> anyhow::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("grid-bill-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "fetched bill not removed");
        }
    }
}
