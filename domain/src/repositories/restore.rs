use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};

use crate::Failure;
use crate::facts::{FactsError, time};
use crate::repositories::removed::KIND;
use crate::repositories::{
    RemovedRepository, Repositories, Repository, RepositoryName, RepositoryNameError,
};

/// Why a removed repository was not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The new name breaks a rule.
    #[error(transparent)]
    Name(#[from] RepositoryNameError),
    /// The owner has another one of that name by now.
    #[error("restore the repository: its owner has a repository \"{0}\" by now; give a new name")]
    NameTaken(String),
    /// It was restored or is being purged.
    #[error("the removed repository does not exist")]
    NotFound,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl RestoreError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name(_) => Failure::Invalid,
            Self::NameTaken(_) => Failure::Conflict,
            Self::NotFound => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

const MOVE_BACK: &str = "INSERT INTO repositories (id, owner_id, name, name_key, storage, \
     object_format, initial_head, is_private, description, state, fork_of, created, updated) \
     SELECT id, owner_id, $2, $3, storage, object_format, initial_head, is_private, description, \
     'active', fork_of, created, $4 FROM removed_repositories WHERE id = $1";

impl Repositories {
    /// Makes a removed repository visible again, under its old name or a new
    /// one. One batch: of a restore and a purge at one time one wins.
    pub async fn restore(
        &self,
        removed: &RemovedRepository,
        name: Option<&str>,
    ) -> Result<Repository, RestoreError> {
        let mut restored = removed.repository.clone();
        if let Some(name) = name {
            restored.name = RepositoryName::new(name)?.to_string();
        }
        restored.updated = self.facts.now();
        let key = Value::from(restored.key);
        let name_key = Value::from(restored.name.to_ascii_lowercase());
        let statements = vec![
            Statement::new(
                "DELETE FROM removals WHERE kind = $1 AND thing = $2 AND state = 'removed'",
                [KIND.into(), key.clone()],
            )
            .guarded(Guard::Rows(1)),
            Statement::new(
                "SELECT id FROM repositories WHERE owner_id = $1 AND name_key = $2",
                [restored.owner.id.into(), name_key.clone()],
            )
            .guarded(Guard::Rows(0)),
            Statement::new(
                MOVE_BACK,
                [
                    key.clone(),
                    restored.name.clone().into(),
                    name_key,
                    time(restored.updated),
                ],
            )
            .guarded(Guard::Rows(1)),
            Statement::new("DELETE FROM removed_repositories WHERE id = $1", [key]),
        ];
        match self.facts.execute(statements).await {
            Ok(_) => Ok(restored),
            Err(ExecuteError::Guard { statement: 0, .. }) => Err(RestoreError::NotFound),
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                Err(RestoreError::NameTaken(restored.name))
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }
}
