//! Marks by which takers and pruners of one destination see each other.
//!
//! A backup relies on packs that are there, and on packs that it has just written and that no
//! manifest names yet; a prune removes packs that no manifest names. So each leaves a mark before
//! it looks for the other's: whatever the order, at least one of them sees the other and gives way.
//! No clock is asked. The mark of one that was killed stays; who removes it is told in
//! [`take`](crate::take) and [`prune`](crate::prune).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_node_api::ClusterId;

use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Damage, Sealed, seal, unseal};
use crate::limits::MAX_OBJECT_BYTES;

/// What a mark is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A backup is being taken.
    Taking,
    /// Backups are being removed.
    Pruning,
}

/// What is in a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The backup, or the run of a prune.
    pub(crate) id: BackupId,
    /// Of which cluster the backup is.
    pub(crate) cluster: Option<ClusterId>,
}

impl Sealed for Mark {
    const MAGIC: [u8; 4] = *b"DFbk";
}

impl Work {
    fn directory(self) -> &'static str {
        match self {
            Self::Taking => "taking",
            Self::Pruning => "pruning",
        }
    }

    fn name(self, id: BackupId) -> String {
        format!("{}/{id}", self.directory())
    }
}

impl Destination {
    pub(crate) async fn mark(&self, work: Work, mark: Mark) -> Result<(), ObjectError> {
        let bytes = Bytes::from(seal(&mark));
        self.put(&work.name(mark.id), bytes).await
    }

    pub(crate) async fn unmark(&self, work: Work, id: BackupId) -> Result<(), ObjectError> {
        self.remove(&work.name(id)).await
    }

    /// Who works, without one.
    pub(crate) async fn marks(
        &self,
        work: Work,
        without: BackupId,
    ) -> Result<Vec<BackupId>, ObjectError> {
        let names = self.list(work.directory()).await?;
        let ids = names.into_iter().filter_map(|(name, _)| name.parse().ok());
        Ok(ids.filter(|id| *id != without).collect())
    }

    /// Whether the mark is still there.
    pub(crate) async fn is_marked(&self, work: Work, id: BackupId) -> Result<bool, ObjectError> {
        let names = self.list(work.directory()).await?;
        Ok(names.iter().any(|(name, _)| name.parse() == Ok(id)))
    }

    /// The cluster whose backup it is; nothing if the mark is gone.
    pub(crate) async fn marked_cluster(
        &self,
        id: BackupId,
    ) -> Result<Option<ClusterId>, ObjectError> {
        let name = Work::Taking.name(id);
        match self.get(&name, MAX_OBJECT_BYTES).await {
            Ok(bytes) => {
                let mark: Mark =
                    unseal(&bytes).map_err(|damage| ObjectError::damaged(&name, damage))?;
                Ok(mark.cluster)
            }
            Err(ObjectError::Damaged {
                damage: Damage::Missing,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
