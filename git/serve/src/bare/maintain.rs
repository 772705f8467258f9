use std::io;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{MaintainError, MaintainOptions, Maintained, Maintenance, Progress};

use super::lock::LockFile;
use super::{BareRepository, ReadRefsError};

/// Why a directory was not maintained.
#[derive(Debug, thiserror::Error)]
pub enum MaintainDirectoryError {
    /// Somebody else is at it, or was and died.
    #[error(
        "objects/maintenance.lock exists: another maintenance is running; if none is, delete that file"
    )]
    Busy,
    /// The lock could not be taken.
    #[error("take objects/maintenance.lock")]
    Lock(#[source] io::Error),
    /// The refs are not readable.
    #[error("cannot tell what the refs name")]
    Refs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The objects are not readable, or the disk fails.
    #[error(transparent)]
    Maintain(#[from] MaintainError),
}

impl BareRepository {
    /// Consolidates packs and writes what makes answers cheaper, for git as for this program. Nobody is
    /// in the way meanwhile but another maintenance, `git maintenance run` too, whose lock it takes. Blocks.
    ///
    /// # Errors
    ///
    /// Another maintenance is running, the repository is damaged, or the disk fails. What is there
    /// is complete in any case.
    pub fn maintain(
        &self,
        options: &MaintainOptions,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Maintained, MaintainDirectoryError> {
        let objects = self.directory.join("objects");
        let lock = LockFile::acquire(objects.join("maintenance"));
        let lock = lock.map_err(MaintainDirectoryError::Lock)?;
        let _lock = lock.ok_or(MaintainDirectoryError::Busy)?;
        let hash = self.settings.hash;
        let read = Self::read_refs(&self.directory, hash, None);
        let (refs, _) =
            read.map_err(|error: ReadRefsError| MaintainDirectoryError::Refs(Box::new(error)))?;
        let mut tips: Vec<ObjectId> = refs.head_id().into_iter().collect();
        tips.extend(refs.refs().iter().map(|reference| reference.id));
        let maintenance = Maintenance {
            hash,
            directory: &objects,
            tips: &tips,
            progress,
            cancel,
        };
        Ok(maintenance.run(options)?)
    }
}
