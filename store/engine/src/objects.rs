//! Where files rest: `object_store`, on local disk by default, S3 by URL. Local writes are synced here, because
//! object_store 0.13's local file system never does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use grid_model::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::error::StoreError;
use crate::wal::segment::sync_dir;

/// A file as the object store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its path under the root.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// The files of one store.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Prefix of every path within the bucket; empty on local disk.
    prefix: ObjectPath,
    /// The folder that is the root, if files rest on local disk.
    local: Option<PathBuf>,
    url: String,
}

impl Objects {
    /// Files under a local folder.
    pub fn local(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        let dir = dir.canonicalize().map_err(StoreError::io("resolve", dir))?;
        let store = Arc::new(LocalFileSystem::new_with_prefix(&dir)?);
        Ok(Self { store, prefix: ObjectPath::default(), url: format!("file://{}", dir.display()), local: Some(dir) })
    }

    /// Files in a bucket: `s3://BUCKET/PREFIX`. Credentials and endpoint come from the environment, as the AWS tools read it
    /// (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `AWS_REGION`, ...).
    pub fn bucket(url: &str) -> Result<Self, StoreError> {
        let bad = |reason: &str| StoreError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let rest = url.strip_prefix("s3://").ok_or_else(|| bad("only s3://BUCKET/PREFIX is understood"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(bad("the bucket is missing"));
        }
        let mut builder = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket);
        if let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        Ok(Self {
            store: Arc::new(builder.build()?),
            prefix: ObjectPath::from(prefix),
            local: None,
            url: url.to_owned(),
        })
    }

    /// The object store itself, and the prefix under which all paths lie.
    pub fn parts(&self) -> (Arc<dyn ObjectStore>, ObjectPath) {
        (Arc::clone(&self.store), self.prefix.clone())
    }

    /// Where the root is: `file:///...` or `s3://...`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A file as others open it: an absolute local path, or a URL.
    pub fn public_path(&self, path: &str) -> String {
        match &self.local {
            Some(dir) => dir.join(path).display().to_string(),
            None => format!("{}/{path}", self.url.trim_end_matches('/')),
        }
    }

    /// The root folder, if files rest on local disk.
    pub fn local_dir(&self) -> Option<&Path> {
        self.local.as_deref()
    }

    /// The full path of a file within the object store.
    pub fn object_path(&self, path: &str) -> ObjectPath {
        ObjectPath::from_iter(self.prefix.parts().chain(ObjectPath::from(path).parts()))
    }

    /// Writes a file; durable when it returns.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.store.put(&self.object_path(path), PutPayload::from(bytes)).await?;
        let Some(dir) = self.local.clone() else { return Ok(()) };
        let file = dir.join(path);
        tokio::task::spawn_blocking(move || {
            std::fs::File::open(&file).and_then(|f| f.sync_all()).map_err(StoreError::io("sync", &file))?;
            // The folders may be new: each entry up to the root must be durable too.
            for folder in file.ancestors().skip(1).take_while(|a| a.starts_with(&dir)) {
                sync_dir(folder)?;
            }
            Ok(())
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Reads a whole file.
    pub async fn get(&self, path: &str) -> Result<bytes::Bytes, StoreError> {
        Ok(self.store.get(&self.object_path(path)).await?.bytes().await?)
    }

    /// Deletes a file; one that is gone already is no error.
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.object_path(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// All files with what is known of them, as paths under the root.
    pub async fn list_known(&self) -> Result<Vec<Known>, StoreError> {
        let metas: Vec<_> = self.store.list(Some(&self.prefix)).try_collect().await?;
        let known = metas.into_iter().filter_map(|meta| {
            let parts: Vec<_> = meta.location.prefix_match(&self.prefix)?.map(|p| p.as_ref().to_owned()).collect();
            let modified = Timestamp(meta.last_modified.timestamp_nanos_opt()?);
            Some(Known { path: parts.join("/"), bytes: meta.size, modified })
        });
        Ok(known.collect())
    }

    /// Reads a file into a local one, piece by piece; answers its size.
    pub async fn fetch(&self, path: &str, into: &Path) -> Result<u64, StoreError> {
        use tokio::io::AsyncWriteExt as _;
        let mut pieces = self.store.get(&self.object_path(path)).await?.into_stream();
        let mut file = tokio::fs::File::create(into).await.map_err(StoreError::io("create", into))?;
        let mut bytes = 0;
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece).await.map_err(StoreError::io("write", into))?;
            bytes += piece.len() as u64;
        }
        file.flush().await.map_err(StoreError::io("write", into))?;
        Ok(bytes)
    }

    /// All files, with their sizes, as paths under the root.
    pub async fn list(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let metas: Vec<_> = self.store.list(Some(&self.prefix)).try_collect().await?;
        let relative = |location: &ObjectPath| {
            let parts: Vec<_> = location.prefix_match(&self.prefix)?.map(|p| p.as_ref().to_owned()).collect();
            Some(parts.join("/"))
        };
        Ok(metas.into_iter().filter_map(|m| Some((relative(&m.location)?, m.size))).collect())
    }
}
