use std::io;
use std::path::PathBuf;

use git_pack::MaintainError;
use storage_node_api::Retry;
use storage_node_api::blob::UploadError;
use storage_node_api::order::Refusal;

use crate::repository::CacheError;
use crate::repository::store::StoreError;

/// Why a repository was not maintained. It is as it was, unless it cannot be told whether the
/// commit was applied, which is as good.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaintenanceError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Commit(#[from] domain::CommitError),
    #[error(transparent)]
    Facts(#[from] domain::FactsError),
    #[error(transparent)]
    Maintain(#[from] MaintainError),
    #[error("copy {path} to be maintained")]
    Copy {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0} is not the name of a pack")]
    Name(PathBuf),
}

impl MaintenanceError {
    /// Whether it may succeed with what is there by now.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Commit(domain::CommitError::Refused(refusal)) => matches!(
                refusal,
                Refusal::PacksChanged(_)
                    | Refusal::VersionChanged { .. }
                    | Refusal::SessionExpired
                    | Refusal::NotDurable { .. }
                    | Refusal::NotStaged { .. }
            ),
            // After a cycle of the collector the first session of a frontend is mostly too old.
            Self::Store(StoreError::Upload(UploadError::Put(error))) => {
                error.retry() != Retry::Never
            }
            _ => false,
        }
    }
}
