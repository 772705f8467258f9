use git_id::{RefName, RefNameError};
use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};
use storage_node_api::order::Command;

use crate::Failure;
use crate::commit::CommitError;
use crate::facts::{FactsError, time};
use crate::limits::DESCRIPTION;
use crate::repositories::content::ContentError;
use crate::repositories::create::check_description;
use crate::repositories::{Repositories, Repository, RepositoryName, RepositoryNameError};

/// Which settings are to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct Edit<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What it is about.
    pub description: Option<&'a str>,
    /// Hidden from strangers.
    pub is_private: Option<bool>,
    /// The branch that HEAD names.
    pub default_branch: Option<&'a str>,
}

/// Why settings were not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditRepositoryError {
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
    /// The repository has branches, but not this one.
    #[error("branch \"{0}\" does not exist")]
    NoBranch(String),
    /// The owner has another one of that name.
    #[error("repository \"{0}\" already exists")]
    NameTaken(String),
    /// It was deleted meanwhile.
    #[error("the repository does not exist")]
    NotFound,
    /// Its branches could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// Its group could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl EditRepositoryError {
    /// What kind of failure this is. A taken name counts as invalid, as Gitea
    /// has it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name(_) | Self::Description | Self::Branch { .. } => Failure::Invalid,
            Self::NoBranch(_) | Self::NameTaken(_) => Failure::Invalid,
            Self::NotFound => Failure::NotFound,
            Self::Content(error) => error.failure(),
            Self::Commit(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Repositories {
    /// Changes settings. Everything is checked before anything changes; HEAD
    /// moves first, all else together afterwards.
    pub async fn edit(
        &self,
        repository: &Repository,
        edit: Edit<'_>,
    ) -> Result<Repository, EditRepositoryError> {
        let mut edited = repository.clone();
        if let Some(name) = edit.name {
            edited.name = RepositoryName::new(name)?.to_string();
        }
        if let Some(description) = edit.description {
            check_description(description).map_err(|_| EditRepositoryError::Description)?;
            edited.description = description.to_owned();
        }
        edited.is_private = edit.is_private.unwrap_or(repository.is_private);
        if let Some(branch) = edit.default_branch {
            self.set_head(repository, branch).await?;
        }
        if edited != *repository {
            edited.updated = self.facts.now();
            self.write_settings(&edited).await?;
        }
        Ok(edited)
    }

    async fn set_head(
        &self,
        repository: &Repository,
        branch: &str,
    ) -> Result<(), EditRepositoryError> {
        let head = RefName::branch(branch).map_err(|source| EditRepositoryError::Branch {
            name: branch.to_owned(),
            source,
        })?;
        let refs = self.refs(repository).await?;
        if refs.head == head {
            return Ok(());
        }
        let branches = || {
            let all = refs.refs.iter();
            all.filter(|entry| entry.name.as_branch().is_some())
        };
        if branches().next().is_some() && !branches().any(|branch| branch.name == head) {
            return Err(EditRepositoryError::NoBranch(branch.to_owned()));
        }
        let command = Command::SetHead {
            repository: repository.storage,
            head,
        };
        self.commits.commit(repository.slot(), command).await?;
        Ok(())
    }

    async fn write_settings(&self, edited: &Repository) -> Result<(), EditRepositoryError> {
        let name_key = Value::from(edited.name.to_ascii_lowercase());
        let is_free = Statement::new(
            "SELECT id FROM repositories WHERE owner_id = $1 AND name_key = $2 AND id <> $3",
            [edited.owner.id.into(), name_key.clone(), edited.key.into()],
        );
        let update = Statement::new(
            "UPDATE repositories SET name = $1, name_key = $2, description = $3, \
             is_private = $4, updated = $5 WHERE id = $6 AND state = 'active'",
            [
                edited.name.clone().into(),
                name_key,
                edited.description.clone().into(),
                edited.is_private.into(),
                time(edited.updated),
                edited.key.into(),
            ],
        );
        let statements = vec![
            is_free.guarded(Guard::Rows(0)),
            update.guarded(Guard::Rows(1)),
        ];
        match self.facts.execute(statements).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Guard { statement: 1, .. }) => Err(EditRepositoryError::NotFound),
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                Err(EditRepositoryError::NameTaken(edited.name.clone()))
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }
}
