use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use git_serve::{CommitError, Push, PushSession, RefOutcome, RepositoryError};
use storage_node_api::blob::UploadError;
use storage_node_api::content::PutError;

use crate::repository::cache::{Entry, PackCache, Quarantine};
use crate::repository::storage_repository::Pusher;
use crate::repository::store::{PackStore, Streamed};

/// One push into the storage tier.
#[derive(Debug)]
pub(crate) struct StoragePush {
    pub(super) target: Target,
    pub(super) streamed: Streaming,
    quarantine: Quarantine,
}

/// What is pushed to, and how.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) cache: Arc<PackCache>,
    pub(super) entry: Arc<Entry>,
    pub(super) pusher: Pusher,
    /// The version of the refs that the push was judged by.
    pub(super) seen: u64,
}

/// What has been sent of the pack while it arrived.
#[derive(Debug)]
pub(super) enum Streaming {
    /// No byte has come.
    NotBegun,
    /// All bytes so far.
    Going(Box<Streamed>),
    /// Something failed: the pack is stored from quarantine later.
    GivenUp,
}

impl Target {
    /// What makes packs of the repository durable.
    pub(super) fn packs(&self) -> PackStore {
        PackStore {
            cache: Arc::clone(&self.cache),
            entry: Arc::clone(&self.entry),
            threads: self.pusher.threads,
        }
    }
}

impl StoragePush {
    pub(crate) fn new(
        cache: Arc<PackCache>,
        entry: Arc<Entry>,
        pusher: Pusher,
        quarantine: Quarantine,
        seen: u64,
    ) -> Self {
        let target = Target {
            cache,
            entry,
            pusher,
            seen,
        };
        Self {
            target,
            streamed: Streaming::NotBegun,
            quarantine,
        }
    }

    /// Sends bytes on. What fails is mended at the commit, except for a full
    /// storage, which should end the push now.
    async fn send_on(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        if matches!(self.streamed, Streaming::NotBegun) {
            self.streamed = match self.target.packs().begin().await {
                Ok(streamed) => Streaming::Going(Box::new(streamed)),
                Err(error) => {
                    tracing::debug!(%error, "cannot store a pack while it arrives");
                    Streaming::GivenUp
                }
            };
        }
        let Streaming::Going(streamed) = &mut self.streamed else {
            return Ok(());
        };
        match streamed.upload.push(bytes).await {
            Err(UploadError::Put(PutError::Full)) => Err(PutError::Full.into()),
            Err(error) => {
                tracing::debug!(%error, "cannot store a pack while it arrives");
                self.streamed = Streaming::GivenUp;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

#[async_trait]
impl PushSession for StoragePush {
    fn quarantine(&self) -> &Path {
        self.quarantine.path()
    }

    async fn received(&mut self, bytes: Bytes) -> Result<(), RepositoryError> {
        self.send_on(bytes)
            .await
            .map_err(|error| RepositoryError::Unavailable {
                action: "store a pack",
                source: error.into(),
            })
    }

    async fn commit(self: Box<Self>, push: Push) -> Result<Vec<RefOutcome>, CommitError> {
        // The quarantine stays until all is done.
        let Self {
            target,
            streamed,
            quarantine: _quarantine,
        } = *self;
        target.commit(push, streamed).await
    }
}

/// An error after which nothing was changed.
pub(super) fn not_stored(error: impl Error + Send + Sync + 'static) -> CommitError {
    CommitError::NotStored {
        source: Box::new(error),
    }
}
