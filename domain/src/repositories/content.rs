use storage_node_api::order::{Answer, Query, ReadError};
use storage_node_api::refs::RefList;
use storage_node_api::{ReadPoint, repository};

use crate::Failure;
use crate::repositories::{Repositories, Repository};

/// Why the record or refs of a repository could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Its group has no such repository: it was deleted meanwhile.
    #[error("the repository does not exist")]
    Gone,
    /// The group could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An answer of another kind than the query's: a storage node of another
    /// version.
    #[error("read a repository's record: the answer is of another kind than the query")]
    UnexpectedAnswer,
}

impl ContentError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Gone => Failure::NotFound,
            Self::Read(ReadError::Unavailable { .. }) => Failure::Unavailable,
            Self::Read(_) | Self::UnexpectedAnswer => Failure::Internal,
        }
    }
}

impl Repositories {
    /// The group's record: HEAD, size, version.
    pub async fn record(
        &self,
        repository: &Repository,
    ) -> Result<repository::Repository, ContentError> {
        let query = Query::Repository(repository.storage);
        match self
            .storage
            .read(repository.slot(), ReadPoint::Linearizable, query)
            .await?
        {
            Answer::Repository(Some(record)) => Ok(record),
            Answer::Repository(None) => Err(ContentError::Gone),
            _ => Err(ContentError::UnexpectedAnswer),
        }
    }

    /// HEAD and all refs.
    pub async fn refs(&self, repository: &Repository) -> Result<RefList, ContentError> {
        let query = Query::Refs {
            repository: repository.storage,
            known: None,
        };
        match self
            .storage
            .read(repository.slot(), ReadPoint::Linearizable, query)
            .await?
        {
            Answer::Refs(Some(refs)) => Ok(refs),
            Answer::Refs(None) => Err(ContentError::Gone),
            _ => Err(ContentError::UnexpectedAnswer),
        }
    }
}
