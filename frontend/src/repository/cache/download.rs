use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chunking::{BlobId, Manifest};
use sha2::{Digest, Sha256};
use storage_node_api::blob::Download;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{Content, DedupDomain, ReadPoint, RepositoryId, UploadId};

use super::{CacheError, Entry, PackCache};

/// A file that is being written aside; removed unless it is kept.
#[derive(Debug)]
struct Incoming {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    kept: bool,
}

impl PackCache {
    /// Fetches a blob, checks it, and gives it that name. Returns its length.
    pub(crate) async fn download(
        &self,
        entry: &Entry,
        domain: DedupDomain,
        blob: BlobId,
        target: &Path,
    ) -> Result<u64, CacheError> {
        let manifest = self.manifest(entry.id, domain, blob).await?;
        let content: Arc<dyn Content> = self.storage.clone();
        let range = 0..manifest.length;
        let runtime = self.runtime.clone();
        let mut download = Download::new(content, runtime, domain, &manifest, range);
        let name = UploadId::random(&*self.runtime.random).to_string();
        let path = self.layout.incoming().join(name);
        let mut incoming = {
            let aside = path.clone();
            self.blocking("make a file", move || Incoming::create(aside))
                .await?
                .map_err(CacheError::io(&path))?
        };
        while let Some(bytes) = download.next().await? {
            let written = self
                .blocking("write a pack", move || incoming.write(&bytes))
                .await?;
            incoming = written.map_err(CacheError::io(&path))?;
        }
        let target = target.to_owned();
        let kept = self
            .blocking("keep a pack", move || incoming.keep(blob, &target))
            .await?;
        if !kept.map_err(CacheError::io(&path))? {
            self.metrics.corrupt.inc();
            return Err(CacheError::Mismatch(blob));
        }
        self.metrics.fetched_bytes.inc_by(manifest.length);
        Ok(manifest.length)
    }

    async fn manifest(
        &self,
        id: RepositoryId,
        domain: DedupDomain,
        blob: BlobId,
    ) -> Result<Manifest, CacheError> {
        let query = Query::Manifest {
            slot: id.slot(),
            domain,
            blob,
        };
        // Manifests never change: any replica's will do, if it has it.
        for point in [ReadPoint::Stale, ReadPoint::Linearizable] {
            match self.storage.read(id.slot(), point, query.clone()).await? {
                Answer::Manifest(Some(manifest)) => return Ok(manifest),
                Answer::Manifest(None) => {}
                _ => return Err(CacheError::UnexpectedAnswer),
            }
        }
        Err(CacheError::NoManifest(blob))
    }
}

impl Incoming {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self {
            path,
            file,
            hasher: Sha256::new(),
            kept: false,
        })
    }

    fn write(mut self, bytes: &Bytes) -> io::Result<Self> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)?;
        Ok(self)
    }

    /// Renames the file if its bytes are the blob's. No sync: what a crash
    /// leaves is checked again before its next use.
    fn keep(mut self, blob: BlobId, target: &Path) -> io::Result<bool> {
        let found: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        if found != *blob.as_bytes() {
            return Ok(false);
        }
        fs::rename(&self.path, target)?;
        self.kept = true;
        Ok(true)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // What stays is removed at the next start.
            let _gone = fs::remove_file(&self.path);
        }
    }
}
