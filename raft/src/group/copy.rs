//! A replica's state as a whole, for a node whose own was lost or found wrong.
//!
//! It differs from the snapshots that the group sends by itself: those go to members whose *log*
//! lacks entries, this one to a member that has its log and its vote, and has lost what the log led
//! to. The receiver opens its replica on the copied state with the log and the vote that it always
//! had, so that it votes knowing what it has promised; [`Raft::open`](crate::Raft::open) refuses a
//! copy that ends before its log begins.

use std::fmt;

use bytes::Bytes;

use super::Group;
use crate::{GroupId, SnapshotRead};

/// A state at one moment. Everything in it is committed.
pub struct Copied {
    /// What [`SnapshotWrite::finish`](crate::SnapshotWrite::finish) is to be given.
    pub marker: Bytes,
    /// The state.
    pub parts: Box<dyn SnapshotRead>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Nothing was ever applied.
    #[error("the replica of {group} is empty")]
    Empty {
        /// Of which group.
        group: GroupId,
    },
    /// The machine failed, or was closed.
    #[error("copy the state of {group}: {reason}")]
    Machine {
        /// Of which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}

impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copied({} bytes of marker)", self.marker.len())
    }
}

impl Group {
    /// The local replica's state as it is now. Cheap; what costs time is reading it.
    pub async fn copy(&self) -> Result<Copied, CopyError> {
        let group = self.replica.id;
        let copied = self.replica.machine.call(|machine| {
            let Some(marker) = machine.applied()? else {
                return Ok(None);
            };
            let parts = machine.snapshot()?;
            Ok(Some(Copied { marker, parts }))
        });
        let copied = copied.await.map_err(|error| CopyError::Machine {
            group,
            reason: error.chain(),
        })?;
        copied.ok_or(CopyError::Empty { group })
    }
}
