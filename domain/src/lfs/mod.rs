//! Large files of repositories (Git LFS): which of them a repository has, and who has locked
//! which path.
//!
//! The bytes are blobs of the storage tier, kept in the slot of the repository's whole network of
//! forks, so that equal ones are stored once. What a repository has is said here alone: that a
//! blob is stored somewhere gives nobody a right to it, and who wants it in a repository of their
//! own sends its bytes.
//!
//! A blob lives by owner records in its group. A row in `lfs_owners` says that a record may be
//! there which no object has, yet or any more; [`Lfs::reconcile`] removes those. The object's row
//! comes after its record and goes before it, so that nothing is named whose bytes may go.
//!
//! Not here: HTTP, SSH and the protocols of LFS.

mod lock;
mod objects;
mod owners;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use storage_node_api::Storage;

use crate::commit::Commits;
use crate::facts::Facts;

pub use lock::{Lock, LockError, LockFilter, NewLock, UnlockError};
pub use objects::LfsObject;
pub use store::StoreError;

pub(crate) use objects::{copy_to_fork, drop_of_repository};

/// Large files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lfs {
    facts: Facts,
    commits: Commits,
    storage: Arc<dyn Storage>,
}

impl Lfs {
    pub(crate) fn new(facts: Facts, commits: Commits, storage: Arc<dyn Storage>) -> Self {
        Self {
            facts,
            commits,
            storage,
        }
    }
}
