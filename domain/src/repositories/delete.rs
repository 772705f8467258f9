use storage_node_api::metadata::{ExecuteError, Guard, Statement};
use storage_node_api::order::{Command, Refusal};

use crate::Failure;
use crate::commit::CommitError;
use crate::facts::{FactsError, time};
use crate::keys::delete_of_repository;
use crate::lfs::drop_of_repository;
use crate::repositories::{Repositories, Repository};

/// Why a repository was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRepositoryError {
    /// It is gone, or someone else is deleting it.
    #[error("the repository does not exist")]
    NotFound,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl DeleteRepositoryError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotFound => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

/// Why a deletion is not finished yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FinishDeleteError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl Repositories {
    /// Deletes a repository. Once this returns `Ok` nobody sees it any more;
    /// what a crash leaves of it the reconciler removes.
    pub async fn delete(&self, repository: &Repository) -> Result<(), DeleteRepositoryError> {
        let sql = "UPDATE repositories SET state = 'deleting', updated = $1 \
                   WHERE id = $2 AND state = 'active'";
        let params = [time(self.facts.now()), repository.key.into()];
        let mark = Statement::new(sql, params).guarded(Guard::Rows(1));
        match self.facts.execute(vec![mark]).await {
            Ok(_) => {}
            Err(ExecuteError::Guard { .. }) => return Err(DeleteRepositoryError::NotFound),
            Err(error) => return Err(FactsError::from(error).into()),
        }
        if let Err(error) = self.finish_delete(repository).await {
            tracing::warn!(
                repo.id = %repository.storage,
                error = &error as &dyn std::error::Error,
                "a deleted repository is left to the reconciler"
            );
        }
        Ok(())
    }

    /// Removes the record in the group, then the row.
    pub(crate) async fn finish_delete(
        &self,
        repository: &Repository,
    ) -> Result<(), FinishDeleteError> {
        self.delete_record(repository).await?;
        let key = repository.key;
        // A fork that is being created keeps its origin: by that its creation
        // is known to have failed.
        let mut statements = vec![
            Statement::new(
                "UPDATE repositories SET fork_of = NULL WHERE fork_of = $1 AND state = 'active'",
                [key.into()],
            ),
            Statement::new(
                "UPDATE removed_repositories SET fork_of = NULL WHERE fork_of = $1",
                [key.into()],
            ),
            delete_of_repository(key),
        ];
        statements.extend(drop_of_repository(&self.facts, repository));
        statements.push(Statement::new(
            "DELETE FROM repositories WHERE id = $1 AND state = 'deleting'",
            [key.into()],
        ));
        self.facts
            .execute(statements)
            .await
            .map_err(FactsError::from)?;
        Ok(())
    }

    /// Seals and removes the record in the group. No effect if it is gone.
    pub(super) async fn delete_record(&self, repository: &Repository) -> Result<(), CommitError> {
        for command in [
            Command::SealRepository(repository.storage),
            Command::DeleteRepository(repository.storage),
        ] {
            match self.commits.commit(repository.slot(), command).await {
                // Gone already: an earlier run came this far.
                Ok(_) | Err(CommitError::Refused(Refusal::NoRepository(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
