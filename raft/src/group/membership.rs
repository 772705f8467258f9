//! Members that come, change their part, and go.
//!
//! Every change goes through joint consensus and is one of few small steps: a node becomes a
//! learner, a learner a voter, a voter a learner, a member nothing. A step that was interrupted
//! between its two entries is finished by [`Group::settle`], by whoever leads then. All waits are
//! bounded by `propose_timeout`, except for [`Group::add_voter`], which waits for a newcomer.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use super::{Group, Replica};
use crate::error::MembershipError;
use crate::hibernate::Wake;
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
    /// id before, unless it has kept its log since.
    pub async fn add_voter(&self, node: NodeId, peer: Peer) -> Result<(), MembershipError> {
        let status = self.status();
        if status.leader == Some(self.replica.node) && status.voters.contains_key(&node) {
            return Ok(());
        }
        if !status.learners.contains_key(&node) {
            self.add_learner(node, peer).await?;
        }
        self.replica.caught_up(node).await?;
        self.promote(node).await
    }

    /// Makes a node a learner: it receives the log or a snapshot and does not vote. Returns when
    /// the members are changed, not when the node has caught up. A member stays what it is.
    pub async fn add_learner(&self, node: NodeId, peer: Peer) -> Result<(), MembershipError> {
        if peer.address.len() > MAX_ADDRESS_BYTES {
            return Err(MembershipError::BadAddress {
                group: self.replica.id,
                node,
                limit: MAX_ADDRESS_BYTES,
            });
        }
        if self.leads_with(|members| members.contains(node)) {
            return Ok(());
        }
        self.change(
            ChangeMembers::AddNodes(BTreeMap::from([(node, peer)])),
            true,
        )
        .await
    }

    /// Makes a learner a voter. Refused unless it has nearly all that the leader has: see
    /// [`MembershipError::Behind`]. Only the leader can; a voter stays one.
    pub async fn promote(&self, node: NodeId) -> Result<(), MembershipError> {
        let group = self.replica.id;
        if self.leads_with(|members| members.votes(node)) {
            return Ok(());
        }
        if !self.leads_with(|members| members.contains(node)) {
            return Err(self.no_member(node));
        }
        match self
            .progress()
            .get(&node)
            .and_then(|progress| progress.behind)
        {
            Some(behind) if behind <= CAUGHT_UP_ENTRIES => {}
            behind => {
                return Err(MembershipError::Behind {
                    group,
                    node,
                    behind,
                });
            }
        }
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([node])), true)
            .await
    }

    /// Makes a voter a learner. The leader itself hands on its leadership first
    /// ([`transfer`](Self::transfer)), and the last voter stays one.
    pub async fn demote(&self, node: NodeId) -> Result<(), MembershipError> {
        self.retire(node, true).await
    }

    /// Ends a node's membership, voter or learner. The leader itself hands on its leadership
    /// first, and the last voter stays. A node that is no member stays none.
    pub async fn remove(&self, node: NodeId) -> Result<(), MembershipError> {
        if self.leads_with(|members| members.contains(node) && !members.votes(node)) {
            return self
                .change(ChangeMembers::RemoveNodes(BTreeSet::from([node])), true)
                .await;
        }
        self.retire(node, false).await
    }

    /// Finishes a change that an earlier leader, or an earlier call, has left half done. Without
    /// one it does nothing.
    pub async fn settle(&self) -> Result<(), MembershipError> {
        if !self.status().joint {
            return Ok(());
        }
        self.change(ChangeMembers::AddVoterIds(BTreeSet::new()), true)
            .await
    }

    async fn retire(&self, node: NodeId, retain: bool) -> Result<(), MembershipError> {
        let group = self.replica.id;
        if self.leads_with(|members| !members.votes(node)) {
            return Ok(());
        }
        if node == self.replica.node && self.leads_with(|_| true) {
            return Err(MembershipError::Leads { group, node });
        }
        if self.leads_with(|members| members.voters.len() == 1) {
            return Err(MembershipError::LastVoter { group, node });
        }
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([node])), retain)
            .await
    }

    async fn change(
        &self,
        change: ChangeMembers<NodeId, Peer>,
        retain: bool,
    ) -> Result<(), MembershipError> {
        let replica = &*self.replica;
        if !replica.within(replica.is_member()).await?? {
            let (group, leader) = (replica.id, None);
            return Err(MembershipError::NotLeader { group, leader });
        }
        let changing = async {
            replica.rouse(Wake::Change).await;
            replica.core.change_membership(change, retain).await
        };
        let changed = replica.within(changing).await?;
        changed
            .map(drop)
            .map_err(|error| replica.membership_error(error))
    }

    /// Whether this node leads and its members are so. Another node's call goes on and is told
    /// who leads.
    fn leads_with(&self, are: impl FnOnce(&Members) -> bool) -> bool {
        let status = self.status();
        status.leader == Some(self.replica.node)
            && are(&Members {
                voters: status.voters.into_keys().collect(),
                learners: status.learners.into_keys().collect(),
            })
    }

    fn no_member(&self, node: NodeId) -> MembershipError {
        let group = self.replica.id;
        let status = self.status();
        match status.leader {
            Some(leader) if leader == self.replica.node => {
                MembershipError::NoMember { group, node }
            }
            leader => MembershipError::NotLeader {
                group,
                leader: leader.and_then(|node| {
                    let peer = status.voters.get(&node)?.clone();
                    Some(crate::Leader { node, peer })
                }),
            },
        }
    }
}

struct Members {
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
}

impl Members {
    fn votes(&self, node: NodeId) -> bool {
        self.voters.contains(&node)
    }

    fn contains(&self, node: NodeId) -> bool {
        self.votes(node) || self.learners.contains(&node)
    }
}

impl Replica {
    /// Whether this node is a member, by what its replica knows last. A leader that is none any more is
    /// about to go, and may change nothing: openraft ends with an assertion if it is asked to.
    async fn is_member(&self) -> Result<bool, MembershipError> {
        let node = self.node;
        let known = self.core.with_raft_state(move |state| {
            let members = &state.membership_state;
            let effective = members.effective().membership();
            let committed = members.committed().membership();
            effective.get_node(&node).is_some() || committed.voter_ids().any(|voter| voter == node)
        });
        known.await.map_err(|fatal| MembershipError::Stopped {
            group: self.id,
            reason: self.reason(&fatal),
        })
    }

    /// What comes of a change, unless it takes too long.
    async fn within<T>(&self, changing: impl Future<Output = T>) -> Result<T, MembershipError> {
        let after = self.config.propose_timeout;
        match select(pin!(changing), self.runtime.clock.sleep(after)).await {
            Either::Left((changed, _)) => Ok(changed),
            Either::Right(((), _)) => Err(MembershipError::Timeout {
                group: self.id,
                after,
            }),
        }
    }

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
