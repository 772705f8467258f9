use git_id::{HashKind, RefName, RefNameError};
use storage_node_api::metadata::{ExecuteError, Guard, Statement};
use storage_node_api::order::Command;
use storage_node_api::{DedupDomain, RepositoryId, Slot};

use crate::accounts::Owner;
use crate::commit::CommitError;
use crate::facts::{FactsError, time};
use crate::limits::DESCRIPTION;
use crate::repositories::repository::{Row, State};
use crate::repositories::service::insert;
use crate::repositories::{Repositories, Repository, RepositoryName, RepositoryNameError};
use crate::{Failure, RepositoryKey};

/// The branch that HEAD of a new repository names unless told otherwise.
pub(crate) const DEFAULT_BRANCH: &str = "main";

/// What a new repository is to be.
#[derive(Clone, Debug)]
pub struct NewRepository<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is about; may be empty.
    pub description: &'a str,
    /// Hidden from strangers.
    pub is_private: bool,
    /// The branch that HEAD names; `main` if `None`.
    pub default_branch: Option<&'a str>,
    /// The hash that names its objects.
    pub hash: HashKind,
}

/// Why a repository was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateRepositoryError {
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] RepositoryNameError),
    /// Over [`DESCRIPTION`].
    #[error(
        "a description has at most {DESCRIPTION} bytes and no control characters but line ends"
    )]
    Description,
    /// The default branch is no branch name.
    #[error("\"{name}\" is no branch name: {source}")]
    Branch {
        /// What was given.
        name: String,
        /// Which rule it breaks.
        source: RefNameError,
    },
    /// The owner has one of that name, in whatever case.
    #[error("repository \"{0}\" already exists")]
    NameTaken(String),
    /// Its group could not be written. A try again finishes what was begun.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl CreateRepositoryError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name(_) | Self::Description | Self::Branch { .. } => Failure::Invalid,
            Self::NameTaken(_) => Failure::Conflict,
            Self::Commit(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Repositories {
    /// Makes an empty repository. A crash leaves nothing that anyone sees, and
    /// what it leaves [`reconcile`](Self::reconcile) or a second try finishes.
    pub async fn create(
        &self,
        owner: Owner,
        new: NewRepository<'_>,
    ) -> Result<Repository, CreateRepositoryError> {
        let name = RepositoryName::new(new.name)?;
        check_description(new.description)?;
        let branch = new.default_branch.unwrap_or(DEFAULT_BRANCH);
        let initial_head =
            RefName::branch(branch).map_err(|source| CreateRepositoryError::Branch {
                name: branch.to_owned(),
                source,
            })?;
        let random = &*self.facts.runtime.random;
        let now = self.facts.now();
        let repository = Repository {
            key: RepositoryKey::random(random),
            owner,
            name: name.to_string(),
            storage: RepositoryId::in_slot(Slot::random(random), random),
            hash: new.hash,
            is_private: new.is_private,
            description: new.description.to_owned(),
            fork_of: None,
            created: now,
            updated: now,
        };
        let row = Row {
            repository,
            state: State::Creating,
            initial_head,
        };
        let row = match self.facts.execute(insert(&row)).await {
            Ok(_) => row,
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                self.take_up(row).await?
            }
            Err(error) => return Err(FactsError::from(error).into()),
        };
        self.finish_create(&row).await?;
        self.activate_as(&row.repository).await?;
        Ok(row.repository)
    }

    /// Makes a row visible if it has the settings that were asked for: of two
    /// requests for one name at one time, only the one whose settings it has
    /// is told that it made the repository.
    pub(super) async fn activate_as(
        &self,
        asked: &Repository,
    ) -> Result<(), CreateRepositoryError> {
        let sql = "UPDATE repositories SET state = 'active', updated = $1 \
                   WHERE id = $2 AND state <> 'deleting' AND is_private = $3 AND description = $4";
        let params = [
            time(self.facts.now()),
            asked.key.into(),
            asked.is_private.into(),
            asked.description.clone().into(),
        ];
        let update = Statement::new(sql, params).guarded(Guard::Rows(1));
        match self.facts.execute(vec![update]).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Guard { .. }) => {
                Err(CreateRepositoryError::NameTaken(asked.name.clone()))
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }

    /// The row that an earlier try of the same owner left unfinished, with the
    /// settings of this one.
    async fn take_up(&self, new: Row) -> Result<Row, CreateRepositoryError> {
        let found = self
            .row(&new.repository.owner.name, &new.repository.name)
            .await?;
        let unfinished = found.filter(|row| {
            row.state == State::Creating
                && row.repository.fork_of.is_none()
                && row.repository.hash == new.repository.hash
        });
        let Some(mut row) = unfinished else {
            return Err(CreateRepositoryError::NameTaken(new.repository.name));
        };
        row.repository.is_private = new.repository.is_private;
        row.repository.description = new.repository.description;
        let update = Statement::new(
            "UPDATE repositories SET is_private = $1, description = $2, updated = $3 \
             WHERE id = $4 AND state = 'creating'",
            [
                row.repository.is_private.into(),
                row.repository.description.clone().into(),
                time(self.facts.now()),
                row.repository.key.into(),
            ],
        )
        .guarded(Guard::Rows(1));
        match self.facts.execute(vec![update]).await {
            Ok(_) => Ok(row),
            // Whose it is has finished it meanwhile.
            Err(ExecuteError::Guard { .. }) => {
                Err(CreateRepositoryError::NameTaken(row.repository.name))
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }

    /// Makes the record in the group. No effect if it is there.
    pub(crate) async fn finish_create(&self, row: &Row) -> Result<(), CommitError> {
        let command = Command::CreateRepository {
            id: row.repository.storage,
            hash: row.repository.hash,
            head: row.initial_head.clone(),
            domain: DedupDomain::default(),
        };
        self.commits.commit(row.repository.slot(), command).await?;
        Ok(())
    }
}

pub(crate) fn check_description(description: &str) -> Result<(), CreateRepositoryError> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if description.len() > DESCRIPTION || description.chars().any(forbidden) {
        return Err(CreateRepositoryError::Description);
    }
    Ok(())
}
