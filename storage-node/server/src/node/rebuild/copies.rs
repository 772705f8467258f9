//! Copies of this node's replicas that other nodes are reading.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raft::SnapshotRead;
use runtime::run_blocking;
use storage_node_api::GroupId;
use storage_node_api::limits::{MAX_REPLICA_COPIES, REPLICA_PART_BYTES};
use storage_node_api::rebuild::{ReplicaError, ReplicaOrder, ReplicaPart};

use crate::node::StorageNode;

/// By number; more than [`MAX_REPLICA_COPIES`] are not kept.
#[derive(Default)]
pub(crate) struct Copies {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last: u64,
    copies: BTreeMap<u64, Copy>,
}

type Copy = Arc<Mutex<Box<dyn SnapshotRead>>>;

impl Copies {
    /// Keeps one more, and gives up the oldest if there are too many.
    fn keep(&self, parts: Box<dyn SnapshotRead>) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.copies.insert(number, Arc::new(Mutex::new(parts)));
        while open.copies.len() > MAX_REPLICA_COPIES {
            open.copies.pop_first();
        }
        number
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copies({})", self.lock().copies.len())
    }
}

impl StorageNode {
    /// Gives another node the state of a replica, a part at a time.
    pub(in crate::node) async fn give_replica(
        &self,
        order: ReplicaOrder,
    ) -> Result<ReplicaPart, ReplicaError> {
        match order {
            ReplicaOrder::Open(group) => self.open_copy(group).await,
            ReplicaOrder::Next(number) => self.next_part(number).await,
            ReplicaOrder::Close(number) => {
                self.parts.copies.lock().copies.remove(&number);
                Ok(ReplicaPart::End)
            }
        }
    }

    async fn open_copy(&self, id: GroupId) -> Result<ReplicaPart, ReplicaError> {
        let trusted = !self.parts.scrubbing.distrusts(id);
        let group = self.group(id).filter(|_| trusted);
        let group = group.ok_or(ReplicaError::NoReplica(id))?;
        match group.copy().await {
            Ok(raft::Copied { marker, parts }) => {
                let copy = self.parts.copies.keep(parts);
                Ok(ReplicaPart::Opened { copy, marker })
            }
            Err(raft::CopyError::Empty { .. }) => Err(ReplicaError::NoReplica(id)),
            Err(error) => {
                tracing::error!(group.id = id.0, %error, "a replica cannot be copied");
                Err(ReplicaError::Failing)
            }
        }
    }

    async fn next_part(&self, number: u64) -> Result<ReplicaPart, ReplicaError> {
        let copy = self.parts.copies.lock().copies.get(&number).cloned();
        let copy = copy.ok_or(ReplicaError::Closed)?;
        let read = move || {
            let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
            copy.next(REPLICA_PART_BYTES)
        };
        let read = run_blocking(&*self.parts.runtime.tasks, "copy a replica", read).await;
        match read.map_err(|_| ReplicaError::Closed)? {
            Ok(Some(bytes)) => Ok(ReplicaPart::Bytes(bytes)),
            Ok(None) => {
                self.parts.copies.lock().copies.remove(&number);
                Ok(ReplicaPart::End)
            }
            Err(error) => {
                tracing::error!(%error, "a replica cannot be copied");
                Err(ReplicaError::Failing)
            }
        }
    }
}
