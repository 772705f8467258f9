use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Failure, Repository as Row};
use git_pack::{Objects, ReadError};
use git_serve::RefSnapshot;
use git_services::{ArchiveError, CachedServices};

use crate::failing::chain;
use crate::repository::cache::{CacheError, Entry};
use crate::site::Site;

/// A repository at one moment, to look into.
#[derive(Debug)]
pub(crate) struct View {
    refs: Arc<RefSnapshot>,
    version: u64,
    entry: Arc<Entry>,
}

/// Why a repository could not be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    /// Its refs or packs are not at hand.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An object could not be read.
    #[error("read objects")]
    Read(#[from] ReadError),
    /// What was asked for cannot be archived.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl ViewError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Cache(error) => error.failure(),
            Self::Read(_) => Failure::Internal,
            Self::Archive(error) => match error {
                ArchiveError::NotATree { .. } | ArchiveError::NoSuchPath { .. } => {
                    Failure::NotFound
                }
                ArchiveError::TooManyEntries { .. } | ArchiveError::TooDeep { .. } => {
                    Failure::Invalid
                }
                ArchiveError::Read(_) | ArchiveError::Write(_) => Failure::Internal,
            },
        }
    }
}

impl View {
    /// The repository with its present refs. Packs are fetched only by
    /// [`View::read`].
    pub(crate) async fn open(site: &Site, row: &Row) -> Result<Self, ViewError> {
        let entry = site.cache.entry(row.storage, row.hash);
        let refs = site.cache.refs(&entry).await?;
        Ok(Self {
            refs: Arc::clone(&refs.snapshot),
            version: refs.version,
            entry,
        })
    }

    pub(crate) fn refs(&self) -> &RefSnapshot {
        &self.refs
    }

    /// The objects, with all packs at hand.
    pub(crate) async fn objects(&self, site: &Site) -> Result<Objects, ViewError> {
        Ok(site.cache.objects(&self.entry, self.version).await?)
    }

    /// Reads objects, away from the asynchronous threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        site: &Site,
        work: impl FnOnce(&Objects) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ViewError> {
        self.work(site, move |services| work(services.objects))
            .await
    }

    /// As [`View::read`], with the services: they end when nobody waits any more.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        site: &Site,
        work: impl FnOnce(&CachedServices<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let objects = self.objects(site).await?;
        let waiting = Waiting::default();
        let cancel = Arc::clone(&waiting.cancel);
        let cache = site.results.clone();
        let look = move || {
            work(&CachedServices {
                objects: &objects,
                cache: &cache,
                cancel: &cancel,
            })
        };
        let read = site.cache.blocking("read objects", look).await?;
        read.map_err(|error| {
            tracing::debug!(repo.id = %self.entry.id, error = %chain(&error), "cannot read objects");
            error.into()
        })
    }
}

/// Somebody who waits for work; when dropped, the work is told to end.
#[derive(Debug, Default)]
struct Waiting {
    cancel: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}
