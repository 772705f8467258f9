//! Commands to the repositories' groups, with retries that cannot apply twice.

use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::order::{Command, Committed, ProposeError, Refusal, Reply, Request};
use storage_node_api::{Effect, RequestId, Retry, Slot, Storage};

use crate::Failure;
use crate::limits::WRITE_PATIENCE;

/// Why a command did not take effect, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// No result came.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The group refused it; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl CommitError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Propose(error) if error.effect() == Effect::Unknown => Failure::Uncertain,
            Self::Propose(ProposeError::Full) => Failure::Full,
            Self::Propose(ProposeError::TooLarge { .. }) => Failure::Internal,
            Self::Propose(ProposeError::Overloaded { .. }) => Failure::Overloaded,
            Self::Propose(_) | Self::Refused(Refusal::SessionExpired) => Failure::Unavailable,
            Self::Refused(Refusal::NoRepository(_)) => Failure::NotFound,
            Self::Refused(Refusal::OtherHash) => Failure::Invalid,
            Self::Refused(
                Refusal::RepositorySealed(_)
                | Refusal::RepositoryExists(_)
                | Refusal::TooManyPacks(_),
            ) => Failure::Conflict,
            Self::Refused(_) => Failure::Internal,
        }
    }
}

/// Proposes commands.
#[derive(Clone, Debug)]
pub struct Commits {
    storage: Arc<dyn Storage>,
    runtime: Runtime,
}

impl Commits {
    /// Proposals to this storage.
    pub fn new(storage: Arc<dyn Storage>, runtime: Runtime) -> Self {
        Self { storage, runtime }
    }

    /// Commits a command under a new id. What may succeed later, and what may
    /// have happened, is proposed again under the same id for
    /// [`WRITE_PATIENCE`].
    pub async fn commit(&self, slot: Slot, command: Command) -> Result<Committed, CommitError> {
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        };
        let clock = &self.runtime.clock;
        let deadline = clock.monotonic() + WRITE_PATIENCE;
        loop {
            let error = match self.storage.propose(slot, request.clone()).await {
                Ok(Committed {
                    reply: Reply::Refused(refusal),
                    ..
                }) => {
                    return Err(refusal.into());
                }
                Ok(committed) => return Ok(committed),
                Err(error) => error,
            };
            let Retry::After(delay) = error.retry() else {
                return Err(error.into());
            };
            if clock.monotonic() + delay > deadline {
                return Err(error.into());
            }
            clock.sleep(delay).await;
        }
    }
}
