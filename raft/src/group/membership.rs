//! Joining of voters.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use super::{Group, Replica};
use crate::error::MembershipError;
use crate::limits::{CAUGHT_UP_ENTRIES, MAX_ADDRESS_BYTES};
use crate::types::Types;
use crate::{NodeId, Peer};

type WriteError = RaftError<Types, ClientWriteError<Types>>;

impl Group {
    /// Makes a node a voter: first a learner that receives the log or a snapshot, and when it
    /// has caught up a voter, so that a node that is not there cannot cost the group its quorum.
    /// Only the leader can. Adding a voter that is one already does nothing; after an error the
    /// call can be repeated.
    ///
    /// The node must have opened the group, empty, and must never have been a member under this
    /// id before.
    pub async fn add_voter(&self, node: NodeId, peer: Peer) -> Result<(), MembershipError> {
        let replica = &*self.replica;
        if peer.address.len() > MAX_ADDRESS_BYTES {
            return Err(MembershipError::BadAddress {
                group: replica.id,
                node,
                limit: MAX_ADDRESS_BYTES,
            });
        }
        let status = self.status();
        if status.leader == Some(replica.node) && status.voters.contains_key(&node) {
            return Ok(());
        }
        if !status.learners.contains_key(&node) {
            replica
                .core
                .add_learner(node, peer, false)
                .await
                .map_err(|error| replica.membership_error(error))?;
        }
        replica.caught_up(node).await?;
        replica
            .core
            .change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([node])), true)
            .await
            .map_err(|error| replica.membership_error(error))?;
        Ok(())
    }
}

impl Replica {
    /// Waits until the node has nearly all that the leader has.
    async fn caught_up(&self, node: NodeId) -> Result<(), MembershipError> {
        let after = self.config.catch_up_timeout;
        let leads = self.node;
        let waited = self
            .core
            .wait(Some(after))
            .metrics(
                |metrics| {
                    let Some(replication) = &metrics.replication else {
                        return metrics.current_leader != Some(leads);
                    };
                    let matched = replication.get(&node).copied().flatten();
                    let matched = matched.map_or(0, |id| id.index() + 1);
                    let last = metrics.last_log_index.map_or(0, |last| last + 1);
                    matched > 0 && matched + CAUGHT_UP_ENTRIES >= last
                },
                "a new member catches up",
            )
            .await;
        match waited {
            Ok(_) => Ok(()),
            Err(openraft::metrics::WaitError::Timeout(..)) => Err(MembershipError::NotCaughtUp {
                group: self.id,
                node,
                after,
            }),
            Err(openraft::metrics::WaitError::ShuttingDown) => {
                let metrics = self.core.metrics();
                let state = metrics.borrow_watched().running_state.clone();
                Err(MembershipError::Stopped {
                    group: self.id,
                    reason: state.err().map_or_else(String::new, |f| self.reason(&f)),
                })
            }
        }
    }

    fn membership_error(&self, error: WriteError) -> MembershipError {
        let group = self.id;
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
                MembershipError::NotLeader {
                    group,
                    leader: self.leader(forward),
                }
            }
            RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            )) => MembershipError::InProgress { group },
            RaftError::APIError(error) => MembershipError::Interrupted {
                group,
                reason: error.to_string(),
            },
            RaftError::Fatal(fatal) => MembershipError::Stopped {
                group,
                reason: self.reason(&fatal),
            },
        }
    }
}
