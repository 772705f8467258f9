use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};

use crate::Failure;
use crate::facts::{FactsError, time};
use crate::keys::delete_of_repository;
use crate::lfs::drop_of_repository;
use crate::limits::RECONCILED;
use crate::repositories::delete::FinishDeleteError;
use crate::repositories::removed::{KIND, REMOVED, read_removed};
use crate::repositories::{Reconciled, RemovedRepository, Repositories};

/// Why a removed repository was not purged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// It was restored, or purged already.
    #[error("the removed repository does not exist")]
    NotFound,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl PurgeError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotFound => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Repositories {
    /// Purges a removed repository at once, whatever is left of its window.
    /// Once this returns `Ok` it cannot be had back; what a crash leaves of it
    /// the reconciler removes.
    pub async fn purge(&self, removed: &RemovedRepository) -> Result<(), PurgeError> {
        self.begin_purge(removed).await?;
        if let Err(error) = self.finish_purge(removed).await {
            tracing::warn!(
                repo.id = %removed.repository.storage,
                error = &error as &dyn std::error::Error,
                "a purged repository is left to the reconciler"
            );
        }
        Ok(())
    }

    /// The write from which there is no return: of a purge and a restore one wins.
    async fn begin_purge(&self, removed: &RemovedRepository) -> Result<(), PurgeError> {
        let mark = Statement::new(
            "UPDATE removals SET state = 'purging' \
             WHERE kind = $1 AND thing = $2 AND state = 'removed'",
            [KIND.into(), removed.repository.key.into()],
        );
        match self.facts.execute(vec![mark.guarded(Guard::Rows(1))]).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Guard { .. }) => Err(PurgeError::NotFound),
            Err(error) => Err(FactsError::from(error).into()),
        }
    }

    /// Purges those whose window is over, and finishes what was begun; at most
    /// [`RECONCILED`] of each in one run.
    pub(super) async fn purge_due(&self, reconciled: &mut Reconciled) -> Result<(), FactsError> {
        let now = time(self.facts.now());
        let sql = format!(
            "{REMOVED} AND m.state = 'removed' AND m.until <= $1 ORDER BY m.until, r.id LIMIT $2"
        );
        let due = self.facts.query(&sql, [now, RECONCILED.into()]).await?;
        for mut row in due {
            let removed = read_removed(&mut row)?;
            // If someone restored or purged it meanwhile, it is no longer due.
            if let Err(PurgeError::Facts(error)) = self.begin_purge(&removed).await {
                return Err(error);
            }
        }
        let sql = format!("{REMOVED} AND m.state = 'purging' ORDER BY m.until, r.id LIMIT $1");
        let begun = self.facts.query(&sql, [Value::from(RECONCILED)]).await?;
        for mut row in begun {
            let removed = read_removed(&mut row)?;
            match self.finish_purge(&removed).await {
                Ok(()) => reconciled.finished += 1,
                Err(error) => {
                    reconciled.failed += 1;
                    tracing::warn!(
                        repo.id = %removed.repository.storage,
                        error = &error as &dyn std::error::Error,
                        "a purged repository has to wait for the next run"
                    );
                }
            }
        }
        Ok(())
    }

    /// Removes the record in the group, then the rows. Each step again: no
    /// effect.
    async fn finish_purge(&self, removed: &RemovedRepository) -> Result<(), FinishDeleteError> {
        self.delete_record(&removed.repository).await?;
        let key = Value::from(removed.repository.key);
        let mut statements = vec![
            // A fork that is being created keeps its origin, as in a deletion.
            Statement::new(
                "UPDATE repositories SET fork_of = NULL WHERE fork_of = $1 AND state = 'active'",
                [key.clone()],
            ),
            Statement::new(
                "UPDATE removed_repositories SET fork_of = NULL WHERE fork_of = $1",
                [key.clone()],
            ),
            delete_of_repository(removed.repository.key),
        ];
        statements.extend(drop_of_repository(&self.facts, &removed.repository));
        statements.extend([
            Statement::new(
                "DELETE FROM removed_repositories WHERE id = $1",
                [key.clone()],
            ),
            Statement::new(
                "DELETE FROM removals WHERE kind = $1 AND thing = $2 AND state = 'purging'",
                [KIND.into(), key],
            ),
        ]);
        let done = self.facts.execute(statements).await;
        done.map_err(FactsError::from)?;
        Ok(())
    }
}
