//! One group's replica on this node.

mod answer;
mod copy;
mod incoming;
mod membership;
mod progress;
mod propose;
mod read;
mod sleep;
mod status;
mod transfer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use openraft::errors::RaftError;
use runtime::Runtime;
use tokio::sync::Semaphore;

use crate::error::{InitializeError, Leader};
use crate::hibernate::{Nodes, Sleep};
use crate::limits::{MAX_ADDRESS_BYTES, MAX_PROPOSED_BYTES};
use crate::log::GroupLog;
use crate::net::Outboxes;
use crate::state_machine::SharedMachine;
use crate::types::{Core, Fatal};
use crate::{Checked, GroupId, Metrics, NodeId, Peer};

pub use copy::{Copied, CopyError};
pub use progress::Progress;
pub use status::Status;

/// A group as this node sees it. Clones share the replica.
#[derive(Clone)]
pub struct Group {
    replica: Arc<Replica>,
}

/// What the parts of a replica share.
struct Replica {
    id: GroupId,
    node: NodeId,
    core: Core,
    log: GroupLog,
    machine: SharedMachine,
    incoming: incoming::Incoming,
    outboxes: Arc<Outboxes>,
    nodes: Arc<Nodes>,
    sleep: Sleep,
    config: Checked,
    runtime: Runtime,
    metrics: Metrics,
    /// Proposals that may still begin to wait, and their bytes.
    room: Arc<Semaphore>,
    room_bytes: Arc<Semaphore>,
}

/// What a [`Group`] is made of.
pub(crate) struct Parts {
    pub(crate) id: GroupId,
    pub(crate) node: NodeId,
    pub(crate) core: Core,
    pub(crate) log: GroupLog,
    pub(crate) machine: SharedMachine,
    pub(crate) outboxes: Arc<Outboxes>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) config: Checked,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Metrics,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} on {})", self.replica.id, self.replica.node)
    }
}

impl Group {
    pub(crate) fn new(parts: Parts) -> Self {
        let room = usize::try_from(parts.config.proposals_in_flight).unwrap_or(usize::MAX);
        Self {
            replica: Arc::new(Replica {
                id: parts.id,
                node: parts.node,
                core: parts.core,
                log: parts.log,
                incoming: incoming::Incoming::new(parts.machine.clone(), parts.runtime.clone()),
                machine: parts.machine,
                outboxes: parts.outboxes,
                nodes: parts.nodes,
                sleep: Sleep::new(parts.metrics.clone()),
                config: parts.config,
                runtime: parts.runtime,
                metrics: parts.metrics,
                room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
                room_bytes: Arc::new(Semaphore::new(MAX_PROPOSED_BYTES)),
            }),
        }
    }

    /// Which group this is.
    pub fn id(&self) -> GroupId {
        self.replica.id
    }

    /// Gives a new group its first voters. It may be called on any number of them, with the same
    /// voters; on a group that has members already it does nothing.
    pub async fn initialize(&self, voters: BTreeMap<NodeId, Peer>) -> Result<(), InitializeError> {
        let (group, node) = (self.replica.id, self.replica.node);
        let fits = |peer: &Peer| peer.address.len() <= MAX_ADDRESS_BYTES;
        if voters.is_empty() || !voters.values().all(fits) {
            return Err(InitializeError::BadMembers { group });
        }
        if !voters.contains_key(&node) {
            return Err(InitializeError::NotAMember { group, node });
        }
        match self.replica.core.initialize(voters).await {
            Ok(()) => Ok(()),
            // It has a log or a vote: it was initialised, here or by another member.
            Err(RaftError::APIError(_)) => Ok(()),
            Err(RaftError::Fatal(fatal)) => Err(InitializeError::Stopped {
                group,
                reason: self.replica.reason(&fatal),
            }),
        }
    }

    /// Ends the replica: what waits is answered with an error, the machine is let go of.
    pub(crate) async fn shutdown(&self) {
        self.replica.sleep.ended();
        // The core's task may have panicked; it has ended in any case.
        let _ = self.replica.core.shutdown().await;
        if let Err(error) = self.replica.log.flush().await {
            tracing::debug!(group.id = self.replica.id.0, %error, "flush at shutdown");
        }
        self.replica.incoming.drop_transfer().await;
        self.replica.machine.stop().await;
    }

    /// A restarted group whose only voter is this node need not wait for anybody.
    pub(crate) async fn elect_if_alone(&self) {
        let mut voters = self.replica.core.voter_ids();
        let alone = voters.next() == Some(self.replica.node) && voters.next().is_none();
        if alone && !self.replica.log.is_new() {
            // Without it the election timeout does the same a little later.
            let _ = self.replica.core.trigger().elect(false).await;
        }
    }
}

impl Replica {
    /// Why the replica has stopped, in words.
    fn reason(&self, fatal: &Fatal) -> String {
        status::reason(fatal)
    }

    fn leader(
        &self,
        forward: openraft::errors::ForwardToLeader<crate::types::Types>,
    ) -> Option<Leader> {
        let node = forward.leader_id.filter(|node| *node != self.node)?;
        let peer = forward.leader_node?;
        Some(Leader { node, peer })
    }
}
