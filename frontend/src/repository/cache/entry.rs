use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use git_id::HashKind;
use git_pack::Objects;
use storage_node_api::{DedupDomain, RepositoryId};

use crate::repository::refs::VersionedRefs;

/// A repository that is kept open. Whoever works with the repository holds the
/// entry: its files stay as long as anyone does.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: RepositoryId,
    pub(crate) hash: HashKind,
    /// The open packs. Locked while they are fetched, so that each is fetched
    /// once however many ask.
    pub(crate) open: tokio::sync::Mutex<Option<OpenPacks>>,
    refs: Mutex<Option<Arc<VersionedRefs>>>,
    /// Where its chunks are shared, once that was read. It never changes.
    pub(crate) domain: OnceLock<DedupDomain>,
}

/// The packs of a repository at a version.
#[derive(Clone, Debug)]
pub(crate) struct OpenPacks {
    pub(crate) version: u64,
    pub(crate) objects: Objects,
}

impl Entry {
    pub(crate) fn new(id: RepositoryId, hash: HashKind) -> Self {
        Self {
            id,
            hash,
            open: tokio::sync::Mutex::new(None),
            refs: Mutex::new(None),
            domain: OnceLock::new(),
        }
    }

    /// The newest refs that were read.
    pub(crate) fn refs(&self) -> Option<Arc<VersionedRefs>> {
        self.refs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps refs, unless newer ones are there.
    pub(crate) fn set_refs(&self, new: Arc<VersionedRefs>) {
        let mut refs = self.refs.lock().unwrap_or_else(PoisonError::into_inner);
        if refs.as_ref().is_none_or(|held| held.version < new.version) {
            *refs = Some(new);
        }
    }

    pub(crate) fn forget_refs(&self) {
        *self.refs.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
