use std::io;
use std::path::PathBuf;

use chunking::BlobId;
use domain::Failure;
use storage_node_api::RepositoryId;
use storage_node_api::blob::DownloadError;
use storage_node_api::order::ReadError;

/// Why the refs or packs of a repository are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Its group has no such repository: it was deleted meanwhile.
    #[error("repository {0} does not exist")]
    Gone(RepositoryId),
    /// Its group could not be read.
    #[error("read the repository's refs or packs: the storage is unavailable; try again")]
    Read(#[from] ReadError),
    /// An answer of another kind than the query's.
    #[error("read a repository: the storage's answer is of another kind than the query")]
    UnexpectedAnswer,
    /// The pack list names a blob that the group does not have.
    #[error("fetch blob {0}: the storage does not know it")]
    NoManifest(BlobId),
    /// A pack could not be fetched.
    #[error("fetch a pack: the storage is unavailable; try again")]
    Download(#[from] DownloadError),
    /// A pack that was fetched has other bytes than its name says.
    #[error("fetch blob {0}: its bytes have another hash")]
    Mismatch(BlobId),
    /// The cache directory could not be read or written.
    #[error("use the cache at {path}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another frontend uses the directory.
    #[error("the cache directory {0} is used by another process: give each frontend its own")]
    InUse(PathBuf),
    /// The packs could not be opened.
    #[error("open the packs of repository {id}")]
    Open {
        /// Whose.
        id: RepositoryId,
        /// Why.
        #[source]
        source: git_pack::OpenError,
    },
    /// The process is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
}

impl CacheError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Gone(_) => Failure::NotFound,
            Self::Read(_) | Self::Download(_) | Self::ShuttingDown => Failure::Unavailable,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Failure::Full,
            Self::UnexpectedAnswer
            | Self::NoManifest(_)
            | Self::Mismatch(_)
            | Self::Io { .. }
            | Self::InUse(_)
            | Self::Open { .. } => Failure::Internal,
        }
    }

    /// For `map_err` of an operation on a file or directory.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
