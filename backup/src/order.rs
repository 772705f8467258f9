//! Commands and queries to groups, with patience.

use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{
    Answer, Command, ProposeError, Query, ReadError, Refusal, Reply, Request,
};
use storage_node_api::{ReadPoint, RequestId, Retry, Slot, Storage};

use crate::limits::PATIENCE;

/// The storage tier as backup and restore use it.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) runtime: Runtime,
}

/// Why a group did not do or answer what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// It could not be written.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// It refused.
    #[error("the storage refused: {0}")]
    Refused(Refusal),
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A storage node of another release.
    #[error("the storage answered another question than was asked; upgrade all nodes first")]
    Unexpected,
}

impl Tier {
    /// Commits a command. What may succeed later is tried again under the same
    /// id for [`PATIENCE`].
    pub(crate) async fn commit(&self, slot: Slot, command: Command) -> Result<(), GroupError> {
        let clock = &self.runtime.clock;
        let deadline = clock.monotonic() + PATIENCE;
        let mut request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: clock.now(),
            command,
        };
        loop {
            let error = match self.storage.propose(slot, request.clone()).await {
                Ok(committed) => match committed.reply {
                    Reply::Refused(refusal) => return Err(GroupError::Refused(refusal)),
                    Reply::Done => return Ok(()),
                    Reply::Joined(_) | Reply::Pushed(_) => return Err(GroupError::Unexpected),
                },
                Err(error) => error,
            };
            match error.retry() {
                Retry::After(delay) if clock.monotonic() + delay <= deadline => {
                    clock.sleep(delay).await;
                }
                _ => return Err(error.into()),
            }
            request.time = clock.now();
        }
    }

    /// Asks as of now.
    pub(crate) async fn ask(&self, slot: Slot, query: Query) -> Result<Answer, GroupError> {
        Ok(self
            .storage
            .read(slot, ReadPoint::Linearizable, query)
            .await?)
    }

    pub(crate) async fn map(&self) -> Result<ClusterMap, GroupError> {
        Ok(self.storage.map().await?)
    }
}
