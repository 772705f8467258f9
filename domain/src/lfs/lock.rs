use storage_node_api::Timestamp;
use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};

use crate::facts::{Columns, FactsError, time};
use crate::lfs::Lfs;
use crate::limits::{LFS_LOCKS, LFS_PATH};
use crate::{AccountId, Failure, LockId, RepositoryKey};

/// That somebody works on a file, and nobody else should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// The file, from the top of the repository.
    pub path: String,
    /// Who works on it.
    pub owner: AccountId,
    /// What they are called.
    pub owner_name: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is to be locked.
#[derive(Clone, Copy, Debug)]
pub struct NewLock<'a> {
    /// In which repository.
    pub repository: RepositoryKey,
    /// The file.
    pub path: &'a str,
    /// For whom.
    pub owner: AccountId,
}

/// Which locks of a repository.
#[derive(Clone, Debug, Default)]
pub struct LockFilter {
    /// The one of this file.
    pub path: Option<String>,
    /// The one of this id.
    pub id: Option<LockId>,
    /// Those after this one, in the order of their ids.
    pub after: Option<LockId>,
}

/// Why a file was not locked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// No path of a file in a repository.
    #[error(
        "a locked path has 1 to {LFS_PATH} bytes, no control characters, and begins with no slash"
    )]
    Path,
    /// It is locked.
    #[error("already created lock")]
    Taken(Box<Lock>),
    /// The repository has as many locks as it may.
    #[error("a repository has at most {LFS_LOCKS} locks; unlock some first")]
    TooMany,
    /// The repository was deleted meanwhile.
    #[error("the repository does not exist")]
    Gone,
    /// The facts could not be read or written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl LockError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Path | Self::TooMany => Failure::Invalid,
            Self::Taken(_) => Failure::Conflict,
            Self::Gone => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

/// Why a file was not unlocked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// There is no such lock.
    #[error("there is no such lock")]
    NotFound,
    /// It is another's.
    #[error(
        "{0} has locked this file: only they may unlock it, or an administrator of the repository with --force"
    )]
    Foreign(String),
    /// The facts could not be read or written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl UnlockError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotFound => Failure::NotFound,
            Self::Foreign(_) => Failure::Forbidden,
            Self::Facts(error) => error.failure(),
        }
    }
}

const LOCK: &str = "SELECT l.id, l.path, l.owner_id, u.name, l.since FROM lfs_locks l \
                    JOIN users u ON u.id = l.owner_id WHERE l.repository_id = $1";

fn read_lock(mut row: Columns) -> Result<Lock, FactsError> {
    Ok(Lock {
        id: LockId(row.integer()?),
        path: row.text()?,
        owner: AccountId(row.integer()?),
        owner_name: row.text()?,
        since: row.time()?,
    })
}

impl Lfs {
    /// Locks a file for somebody. Of several who try at once one succeeds.
    pub async fn lock(&self, new: NewLock<'_>) -> Result<Lock, LockError> {
        let path = new.path;
        let is_plain = !path.starts_with('/') && !path.chars().any(char::is_control);
        if path.is_empty() || path.len() > LFS_PATH || !is_plain {
            return Err(LockError::Path);
        }
        let count = "SELECT COUNT(*) FROM lfs_locks WHERE repository_id = $1";
        let rows = self.facts.query(count, [new.repository.into()]).await?;
        if let Some(mut row) = rows.into_iter().next()
            && row.integer()? >= LFS_LOCKS
        {
            return Err(LockError::TooMany);
        }
        let id = LockId::random(&*self.facts.runtime.random);
        let statements = vec![
            Statement::new(
                "SELECT id FROM repositories WHERE id = $1 AND state = 'active'",
                [new.repository.into()],
            )
            .guarded(Guard::Rows(1)),
            Statement::new(
                "INSERT INTO lfs_locks (id, repository_id, path, owner_id, since) \
                 VALUES ($1, $2, $3, $4, $5)",
                [
                    id.into(),
                    new.repository.into(),
                    path.into(),
                    new.owner.into(),
                    time(self.facts.now()),
                ],
            ),
        ];
        let filter = LockFilter {
            path: Some(path.to_owned()),
            ..LockFilter::default()
        };
        match self.facts.execute(statements).await {
            Ok(_) => {}
            Err(ExecuteError::Guard { .. }) => return Err(LockError::Gone),
            Err(ExecuteError::Constraint { .. }) => {
                let taken = self.locks(new.repository, &filter, 1).await?.pop();
                return Err(taken.map_or(LockError::Gone, |lock| LockError::Taken(Box::new(lock))));
            }
            Err(error) => return Err(FactsError::from(error).into()),
        }
        let made = self.locks(new.repository, &filter, 1).await?.pop();
        made.ok_or(LockError::Gone)
    }

    /// Locks of a repository in the order of their ids.
    pub async fn locks(
        &self,
        repository: RepositoryKey,
        filter: &LockFilter,
        limit: u32,
    ) -> Result<Vec<Lock>, FactsError> {
        let mut sql = LOCK.to_owned();
        let mut params = vec![Value::from(repository)];
        let mut and = |condition: &str, value: Value| {
            params.push(value);
            sql.push_str(&format!(" AND {condition} ${}", params.len()));
        };
        if let Some(path) = &filter.path {
            // No database takes every text; these are no locked path anyway.
            if path.chars().any(char::is_control) {
                return Ok(Vec::new());
            }
            and("l.path =", path.as_str().into());
        }
        if let Some(id) = filter.id {
            and("l.id =", id.into());
        }
        if let Some(after) = filter.after {
            and("l.id >", after.into());
        }
        params.push(limit.into());
        sql.push_str(&format!(" ORDER BY l.id LIMIT ${}", params.len()));
        let rows = self.facts.query(&sql, params).await?;
        rows.into_iter().map(read_lock).collect()
    }

    /// Unlocks a file: one's own, or anybody's with `force`.
    pub async fn unlock(
        &self,
        repository: RepositoryKey,
        id: LockId,
        by: AccountId,
        force: bool,
    ) -> Result<Lock, UnlockError> {
        let filter = LockFilter {
            id: Some(id),
            ..LockFilter::default()
        };
        let found = self.locks(repository, &filter, 1).await?.pop();
        let lock = found.ok_or(UnlockError::NotFound)?;
        if lock.owner != by && !force {
            return Err(UnlockError::Foreign(lock.owner_name));
        }
        let delete = Statement::new(
            "DELETE FROM lfs_locks WHERE repository_id = $1 AND id = $2",
            [repository.into(), id.into()],
        );
        match self
            .facts
            .execute(vec![delete.guarded(Guard::Rows(1))])
            .await
        {
            Ok(_) => Ok(lock),
            Err(ExecuteError::Guard { .. }) => Err(UnlockError::NotFound),
            Err(error) => Err(FactsError::from(error).into()),
        }
    }
}
