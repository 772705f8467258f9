use storage_node_api::order::{Answer, Query};
use storage_node_api::{ReadPoint, Timestamp};

use crate::commit::CommitError;
use crate::facts::{FactsError, time};
use crate::limits::{RECONCILE_AFTER, RECONCILED};
use crate::repositories::Repositories;
use crate::repositories::content::ContentError;
use crate::repositories::delete::FinishDeleteError;
use crate::repositories::repository::{ROW, Row, State, read_row};

/// What one run of the reconciler did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Repositories that are now created, deleted or purged, as was begun or due.
    pub finished: u32,
    /// Creations that cannot be finished, and of which nothing is left.
    pub undone: u32,
    /// Those that have to wait for the next run.
    pub failed: u32,
}

/// Why one repository has to wait.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Delete(#[from] FinishDeleteError),
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl Repositories {
    /// Finishes or undoes the creations, deletions and purges that a crash left
    /// half done, and purges what was removed long enough ago. Run it at start
    /// and every minute or so; several processes may at once. Elapsed time only
    /// paces it: taking up what someone is still working on does no harm.
    pub async fn reconcile(&self) -> Result<Reconciled, FactsError> {
        let before = self.facts.now().millis();
        let patience = u64::try_from(RECONCILE_AFTER.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(before.saturating_sub(patience));
        let sql =
            format!("{ROW} WHERE r.state <> 'active' AND r.updated <= $1 ORDER BY r.id LIMIT $2");
        let rows = self
            .facts
            .query(&sql, [time(before), RECONCILED.into()])
            .await?;
        let mut reconciled = Reconciled::default();
        for mut row in rows {
            let row = read_row(&mut row)?;
            match self.reconcile_one(&row).await {
                Ok(true) => reconciled.finished += 1,
                Ok(false) => reconciled.undone += 1,
                Err(error) => {
                    reconciled.failed += 1;
                    tracing::warn!(
                        repo.id = %row.repository.storage,
                        error = &error as &dyn std::error::Error,
                        "an unfinished repository has to wait for the next run"
                    );
                }
            }
        }
        self.purge_due(&mut reconciled).await?;
        Ok(reconciled)
    }

    async fn reconcile_one(&self, row: &Row) -> Result<bool, ReconcileError> {
        let repository = &row.repository;
        match (row.state, repository.fork_of) {
            (State::Active, _) => return Ok(true),
            (State::Deleting, _) => {
                self.finish_delete(repository).await?;
                return Ok(true);
            }
            (State::Creating, None) => self.finish_create(row).await?,
            (State::Creating, Some(origin)) => {
                // An origin that is being deleted refuses the fork for good once
                // it is sealed; one whose row is gone is gone from its group.
                // A removed one that is not sealed yet can still be forked.
                let made = match self.storage_of(origin).await? {
                    _ if self.has_record(row).await? => true,
                    Some(from) => self.finish_fork(row, from).await?,
                    None => false,
                };
                if !made {
                    self.undo_create(repository.key).await?;
                    return Ok(false);
                }
            }
        }
        self.activate(repository.key).await?;
        Ok(true)
    }

    async fn has_record(&self, row: &Row) -> Result<bool, ContentError> {
        let query = Query::Repository(row.repository.storage);
        let slot = row.repository.slot();
        match self
            .storage
            .read(slot, ReadPoint::Linearizable, query)
            .await?
        {
            Answer::Repository(record) => Ok(record.is_some()),
            _ => Err(ContentError::UnexpectedAnswer),
        }
    }
}
