use chunking::BlobId;
use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};
use storage_node_api::order::Command;
use storage_node_api::{BlobOwner, OwnerId, Slot, Timestamp};

use crate::facts::{FactsError, time};
use crate::lfs::Lfs;
use crate::limits::{LFS_GIVEN_UP_AFTER, RECONCILED};

/// An owner record that may be in its group, and that no object has.
#[derive(Clone, Copy, Debug)]
struct Stray {
    owner: OwnerId,
    id: BlobId,
    slot: Slot,
}

impl Lfs {
    /// Removes the owner records that no object has any more, or that a crash left without one.
    /// Returns how many. Run it every minute or so; several processes may at once. One that is
    /// still on its way to an object is given up by that: its sender is told to send again.
    pub async fn reconcile(&self) -> Result<u32, FactsError> {
        let patience = u64::try_from(LFS_GIVEN_UP_AFTER.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(self.facts.now().millis().saturating_sub(patience));
        let give_up = Statement::new(
            "UPDATE lfs_owners SET state = 'dropping' WHERE state = 'storing' AND updated <= $1",
            [time(before)],
        );
        let sql = "SELECT owner, oid, slot FROM lfs_owners WHERE state = 'dropping' \
                   ORDER BY updated, owner LIMIT $1";
        if self.has_stale(before).await? {
            self.facts.execute(vec![give_up]).await?;
        }
        let rows = self.facts.query(sql, [RECONCILED.into()]).await?;
        let mut removed = 0;
        for mut row in rows {
            let stray = Stray {
                owner: row.parsed(|hex| hex.parse().ok())?,
                id: row.parsed(|hex| hex.parse().ok())?,
                slot: Slot(row.parsed_integer(|slot| u16::try_from(slot).ok())?),
            };
            removed += u32::from(self.remove_stray(stray).await?);
        }
        Ok(removed)
    }

    /// Whoever brought it has no use for it.
    pub(super) async fn give_up_owner(&self, owner: OwnerId) -> Result<(), FactsError> {
        let give_up = Statement::new(
            "UPDATE lfs_owners SET state = 'dropping' WHERE owner = $1 AND state = 'storing'",
            [owner.to_string().into()],
        );
        self.facts.execute(vec![give_up]).await?;
        Ok(())
    }

    /// Whether there is something to write, so that a run that finds nothing writes nothing.
    async fn has_stale(&self, before: Timestamp) -> Result<bool, FactsError> {
        let sql = "SELECT owner FROM lfs_owners WHERE state = 'storing' AND updated <= $1 LIMIT 1";
        Ok(!self.facts.query(sql, [time(before)]).await?.is_empty())
    }

    /// First the record, then the row that tells of it. False if it has to wait, for instance
    /// for a backup.
    async fn remove_stray(&self, stray: Stray) -> Result<bool, FactsError> {
        let Stray { owner, id, slot } = stray;
        let command = Command::RemoveOwner {
            slot,
            blob: id,
            owner: BlobOwner::Named(owner),
        };
        if let Err(error) = self.commits.commit(slot, command).await {
            tracing::debug!(%owner, %error, "the owner of a large file has to wait for the next run");
            return Ok(false);
        }
        let delete = Statement::new(
            "DELETE FROM lfs_owners WHERE owner = $1 AND state = 'dropping'",
            [Value::from(owner.to_string())],
        );
        match self
            .facts
            .execute(vec![delete.guarded(Guard::Rows(1))])
            .await
        {
            Ok(_) => Ok(true),
            // Another process was faster.
            Err(ExecuteError::Guard { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
