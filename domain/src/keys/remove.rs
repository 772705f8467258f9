use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::facts::FactsError;
use crate::keys::{KeyOwner, Keys};
use crate::{Failure, KeyId, RepositoryKey};

/// Why a key was not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveKeyError {
    /// The owner has none of that id.
    #[error("there is no such key")]
    NotFound,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl RemoveKeyError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotFound => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Keys {
    /// Removes the owner's key of that id. Nothing begins with it any more, and
    /// what was begun with it changes nothing any more.
    pub async fn remove(&self, owner: KeyOwner, id: KeyId) -> Result<(), RemoveKeyError> {
        let (column, parameter) = match owner {
            KeyOwner::Account(account) => ("repository_id IS NULL AND user_id", account.into()),
            KeyOwner::Repository { repository, .. } => ("repository_id", repository.into()),
        };
        let sql = format!("DELETE FROM keys WHERE {column} = $1 AND id = $2");
        let delete = Statement::new(sql, [parameter, id.into()]);
        match self
            .facts
            .execute(vec![delete.guarded(Guard::Rows(1))])
            .await
        {
            Ok(_) => Ok(()),
            Err(ExecuteError::Guard { .. }) => Err(RemoveKeyError::NotFound),
            Err(error) => Err(FactsError::from(error).into()),
        }
    }
}

/// Forgets the keys of a repository that is gone for good.
pub(crate) fn delete_of_repository(repository: RepositoryKey) -> Statement {
    Statement::new(
        "DELETE FROM keys WHERE repository_id = $1",
        [repository.into()],
    )
}
