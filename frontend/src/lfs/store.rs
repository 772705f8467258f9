use std::sync::Arc;

use axum::body::Bytes;
use chunking::{BlobId, DigestSet, Profile};
use domain::lfs::LfsObject;
use domain::{Access, Action, Repository, Viewer, authorize};
use http::StatusCode;
use storage_node_api::blob::{Download, Upload, UploadError};
use storage_node_api::content::PutError;
use storage_node_api::{Content, ReadPoint};

use super::LfsError;
use crate::site::Site;

/// An object on its way in. Its bytes are checked as they come; dropped before the end, or found
/// to be others than announced, it leaves nothing.
pub(crate) struct Receiving {
    upload: Upload,
    expected: LfsObject,
    received: u64,
}

impl Receiving {
    /// Begins to take an object of that name and size for a repository.
    pub(crate) async fn begin(
        site: &Site,
        repository: &Repository,
        expected: LfsObject,
    ) -> Result<Self, LfsError> {
        let most = site.config.config.lfs_max_object_bytes;
        if expected.size > most {
            return Err(too_large(expected.size, most));
        }
        let domain = site.forge.lfs.domain(repository).await?;
        let session =
            site.storage.begin(domain).await.map_err(|error| {
                LfsError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            })?;
        let content: Arc<dyn Content> = site.storage.clone();
        let upload = Upload::new(
            content,
            session,
            site.runtime.clone(),
            Profile::GenericV1,
            DigestSet::NONE,
            site.config.config.push_threads,
        );
        Ok(Self {
            upload,
            expected,
            received: 0,
        })
    }

    /// Takes the next bytes; waits for the storage.
    pub(crate) async fn push(&mut self, bytes: Bytes) -> Result<(), LfsError> {
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received > self.expected.size {
            return Err(self.wrong_size());
        }
        self.upload.push(bytes).await.map_err(unstored)
    }

    /// The object is the repository's, durably, if it is what it was announced to be and its sender
    /// may still write.
    pub(crate) async fn finish(
        self,
        site: &Site,
        viewer: &Viewer,
        repository: &Repository,
    ) -> Result<(), LfsError> {
        if self.received != self.expected.size {
            return Err(self.wrong_size());
        }
        let content = self.upload.finish().await.map_err(unstored)?;
        let LfsObject { id, .. } = self.expected;
        if content.manifest.blob != id {
            let found = content.manifest.blob;
            let message = format!("the bytes have the SHA-256 {found}, not {id}");
            return Err(LfsError::invalid(message));
        }
        let point = ReadPoint::Linearizable;
        let present = site.forge.refresh(viewer, repository.key, point);
        let (viewer, found) = present.await?;
        if authorize(&viewer, Action::Write, found.as_ref()) != Access::Granted {
            let message = "you may no longer write to this repository";
            return Err(LfsError::new(StatusCode::FORBIDDEN, message));
        }
        site.forge.lfs.store(repository, content).await?;
        Ok(())
    }

    fn wrong_size(&self) -> LfsError {
        let expected = self.expected.size;
        let said = match self.received > expected {
            true => format!("more than the {expected} bytes that were announced"),
            false => format!(
                "{} bytes came, and {expected} were announced",
                self.received
            ),
        };
        LfsError::invalid(said)
    }
}

/// Reads a part of an object that the repository has.
pub(crate) async fn open(
    site: &Site,
    repository: &Repository,
    id: BlobId,
    range: std::ops::Range<u64>,
) -> Result<Download, LfsError> {
    let (domain, manifest) = site.forge.lfs.manifest(repository, id).await?;
    let content: Arc<dyn Content> = site.storage.clone();
    let runtime = site.runtime.clone();
    Ok(Download::new(content, runtime, domain, &manifest, range))
}

pub(super) fn too_large(size: u64, most: u64) -> LfsError {
    LfsError::invalid(format!(
        "the object has {size} bytes, and one may have {most}"
    ))
}

fn unstored(error: UploadError) -> LfsError {
    let status = match error {
        UploadError::Put(PutError::Full) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    LfsError::new(status, error.to_string())
}
