//! What a replica knows of itself.

use std::collections::BTreeMap;
use std::error::Error;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;

use super::Group;
use crate::types::Types;
use crate::{NodeId, Peer};

/// A replica's state at one instant; other replicas may be ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The newest term of which it has kept that it takes part: never a smaller one, not even
    /// after a power failure.
    pub term: u64,
    /// Who leads the group, if known.
    pub leader: Option<NodeId>,
    /// Index of the last entry applied to the local machine.
    pub applied: Option<u64>,
    /// Index of the last entry known here to be committed.
    pub committed: Option<u64>,
    /// Index of the last entry in the local log.
    pub last_log: Option<u64>,
    /// Index of the last entry removed from the start of the local log.
    pub purged: Option<u64>,
    /// The voters and their addresses.
    pub voters: BTreeMap<NodeId, Peer>,
    /// Members that do not vote (yet).
    pub learners: BTreeMap<NodeId, Peer>,
    /// A change of the members is half done: two sets of voters decide together.
    pub joint: bool,
    /// Why the replica has stopped, if it has. It does not start again by itself.
    pub fault: Option<String>,
}

impl Group {
    /// Who leads the group, as far as this replica knows.
    pub fn leader(&self) -> Option<NodeId> {
        let metrics = self.replica.core.metrics();
        metrics.borrow_watched().current_leader
    }

    /// The replica's state.
    pub fn status(&self) -> Status {
        let metrics = self.replica.core.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let mut voters = BTreeMap::new();
        let mut learners = BTreeMap::new();
        for (node, peer) in membership.nodes() {
            let members = if membership.voter_ids().any(|voter| voter == *node) {
                &mut voters
            } else {
                &mut learners
            };
            members.insert(*node, peer.clone());
        }
        Status {
            // `current_term` may be one whose vote waits to be written.
            term: metrics.vote.leader_id.term,
            leader: metrics.current_leader,
            applied: metrics.last_applied.map(|id| id.index()),
            committed: metrics.local_committed.map(|id| id.index()),
            last_log: metrics.last_log_index,
            purged: metrics.purged.map(|id| id.index()),
            voters,
            learners,
            joint: membership.get_joint_config().len() > 1,
            fault: metrics.running_state.as_ref().err().map(reason),
        }
    }
}

/// An error and what caused it, in one line.
pub(super) fn reason(fatal: &Fatal<Types>) -> String {
    let mut words = fatal.to_string();
    let mut cause = fatal.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    words
}
