use storage_node_api::RepositoryId;
use storage_node_api::metadata::{ExecuteError, Guard, Statement};
use storage_node_api::order::{Command, Refusal};

use crate::accounts::Owner;
use crate::commit::CommitError;
use crate::facts::FactsError;
use crate::repositories::content::ContentError;
use crate::repositories::repository::{Row, State};
use crate::repositories::service::{NAME_IS_FREE, insert};
use crate::repositories::{Repositories, Repository, RepositoryName, RepositoryNameError};
use crate::{Failure, RepositoryKey};

/// Why a repository was not forked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkRepositoryError {
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] RepositoryNameError),
    /// The owner has one of that name, in whatever case.
    #[error("repository \"{0}\" already exists")]
    NameTaken(String),
    /// The original is gone.
    #[error("the repository to fork does not exist")]
    NotFound,
    /// The original could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// Its group could not be written.
    #[error(transparent)]
    Commit(CommitError),
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl ForkRepositoryError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name(_) => Failure::Invalid,
            Self::NameTaken(_) => Failure::Conflict,
            Self::NotFound => Failure::NotFound,
            Self::Content(error) => error.failure(),
            Self::Commit(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Repositories {
    /// Makes a repository of another's refs and packs, in constant time: all
    /// bytes are shared. A fork of a private repository is private.
    pub async fn fork(
        &self,
        from: &Repository,
        owner: Owner,
        name: Option<&str>,
    ) -> Result<Repository, ForkRepositoryError> {
        let name = RepositoryName::new(name.unwrap_or(&from.name))?;
        let random = &*self.facts.runtime.random;
        let now = self.facts.now();
        let fork = Repository {
            key: RepositoryKey::random(random),
            owner,
            name: name.to_string(),
            // A whole network of forks lives in one slot.
            storage: RepositoryId::in_slot(from.slot(), random),
            hash: from.hash,
            is_private: from.is_private,
            description: from.description.clone(),
            fork_of: Some(from.key),
            created: now,
            updated: now,
        };
        let record = self.record(from).await?;
        let row = Row {
            repository: fork,
            state: State::Creating,
            initial_head: record.head,
        };
        let mut statements = insert(&row);
        statements.push(
            Statement::new(
                "SELECT id FROM repositories WHERE id = $1 AND state = 'active'",
                [from.key.into()],
            )
            .guarded(Guard::Rows(1)),
        );
        match self.facts.execute(statements).await {
            Ok(_) => {}
            Err(ExecuteError::Guard { statement, .. }) if statement != NAME_IS_FREE => {
                return Err(ForkRepositoryError::NotFound);
            }
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                return Err(ForkRepositoryError::NameTaken(row.repository.name));
            }
            Err(error) => return Err(FactsError::from(error).into()),
        }
        if !self
            .finish_fork(&row, from.storage)
            .await
            .map_err(ForkRepositoryError::Commit)?
        {
            self.undo_create(row.repository.key).await?;
            return Err(ForkRepositoryError::NotFound);
        }
        self.activate(row.repository.key).await?;
        Ok(row.repository)
    }

    /// Makes the record in the group; false if the original is gone for good.
    /// No effect if the record is there.
    pub(crate) async fn finish_fork(
        &self,
        row: &Row,
        from: RepositoryId,
    ) -> Result<bool, CommitError> {
        let id = row.repository.storage;
        let command = Command::ForkRepository { id, from };
        match self.commits.commit(id.slot(), command).await {
            Ok(_) => Ok(true),
            Err(CommitError::Refused(Refusal::RepositoryExists(taken))) if taken == id => Ok(true),
            Err(CommitError::Refused(Refusal::NoRepository(_) | Refusal::RepositorySealed(_))) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
