use std::io;
use std::path::PathBuf;

use git_id::ObjectId;

use crate::objects::{OpenError, ReadError};
use crate::repack::RepackError;

/// Why maintenance stopped. The repository is as good as before.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    /// A pack cannot be used.
    #[error("cannot open the packs")]
    Open(#[from] OpenError),
    /// An object is missing or unreadable.
    #[error("cannot read the objects")]
    Read(#[source] ReadError),
    /// The commit-graph has no room for a commit's time.
    #[error(
        "commit {commit} has a time before 1970 or after 2514, so that no commit-graph can hold it"
    )]
    UnstorableTime {
        /// The commit.
        commit: ObjectId,
    },
    /// A file or directory could not be read, written or deleted.
    #[error("cannot {action} {path}", path = path.display())]
    Files {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller no longer wants it.
    #[error("cancelled")]
    Cancelled,
}

impl From<ReadError> for MaintainError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cancelled => Self::Cancelled,
            error => Self::Read(error),
        }
    }
}

impl From<RepackError> for MaintainError {
    fn from(error: RepackError) -> Self {
        match error {
            RepackError::Read(error) => error.into(),
            RepackError::Store { path, source } => Self::Files {
                action: "write to",
                path,
                source,
            },
        }
    }
}
