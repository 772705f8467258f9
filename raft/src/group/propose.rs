//! Proposals.

use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{Either, select};
use openraft::errors::{ClientWriteError, RaftError};
use tokio::sync::TryAcquireError;

use super::{Group, Replica};
use crate::error::ProposeError;
use crate::hibernate::Wake;
use crate::limits::MAX_COMMAND_BYTES;
use crate::types::{Command, Reply, Types};

type WriteError = RaftError<Types, ClientWriteError<Types>>;

impl Group {
    /// Proposes a command and returns the machine's answer to it, once it is committed and
    /// applied here. Only the leader can, once a quorum has acknowledged it: a proposal is not
    /// forwarded, and not held back until there is a leader.
    ///
    /// An error says whether the command may be applied nevertheless
    /// ([`ProposeError::effect`]). So does dropping the future: then the effect is unknown.
    pub async fn propose(&self, command: Bytes) -> Result<Bytes, ProposeError> {
        let replica = &*self.replica;
        let group = replica.id;
        if command.len() > MAX_COMMAND_BYTES {
            return Err(ProposeError::TooLarge {
                bytes: command.len(),
                limit: MAX_COMMAND_BYTES,
            });
        }
        let bytes = u32::try_from(command.len()).unwrap_or(u32::MAX);
        let room = replica.room.try_acquire();
        let room_bytes = replica.room_bytes.try_acquire_many(bytes);
        let (_room, _room_bytes) = match (room, room_bytes) {
            (Ok(room), Ok(bytes)) => (room, bytes),
            (Err(TryAcquireError::NoPermits | TryAcquireError::Closed), _) | (_, Err(_)) => {
                replica.metrics.proposals_refused.inc();
                return Err(ProposeError::Busy { group });
            }
        };
        replica.metrics.proposals.inc();
        let after = replica.config.propose_timeout;
        let writing = pin!(async {
            replica.rouse(Wake::Proposal).await;
            replica.core.client_write(Command(command)).await
        });
        match select(writing, replica.runtime.clock.sleep(after)).await {
            Either::Left((Ok(written), _)) => {
                let Reply(answer) = written.data;
                Ok(answer)
            }
            Either::Left((Err(error), _)) => Err(replica.propose_error(error)),
            Either::Right(((), _)) => Err(ProposeError::Timeout { group, after }),
        }
    }
}

impl Replica {
    fn propose_error(&self, error: WriteError) -> ProposeError {
        let group = self.id;
        match error {
            // openraft refuses before it appends: no effect.
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
                ProposeError::NotLeader {
                    group,
                    leader: self.leader(forward),
                }
            }
            RaftError::APIError(ClientWriteError::LogEntryDiscarded(forward)) => {
                ProposeError::LeadershipLost {
                    group,
                    leader: self.leader(forward),
                }
            }
            RaftError::APIError(
                error @ (ClientWriteError::ChangeMembershipError(_)
                | ClientWriteError::PreconditionFailed(_)),
            ) => ProposeError::Stopped {
                group,
                reason: error.to_string(),
            },
            RaftError::Fatal(fatal) => ProposeError::Stopped {
                group,
                reason: self.reason(&fatal),
            },
        }
    }
}
