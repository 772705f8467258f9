//! openraft's types, bound to ours.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::state_machine::StateMachine;
use crate::{NodeId, Peer};

/// A command as openraft carries it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command(pub(crate) Bytes);

/// A machine's answer as openraft carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(pub(crate) Bytes);

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.0.len())
    }
}

openraft::declare_raft_types!(
    /// Our choice of types.
    pub(crate) Types:
        D = Command,
        R = Reply,
        NodeId = NodeId,
        Node = Peer,
);

pub(crate) type Core = openraft::Raft<Types, StateMachine>;
pub(crate) type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, NodeId>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Payload = openraft::EntryPayload<Command, NodeId, Peer>;
pub(crate) type Entry = openraft::Entry<LeaderId, Payload>;
pub(crate) type Membership = openraft::Membership<NodeId, Peer>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, NodeId, Peer>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<LeaderId, NodeId, Peer>;
pub(crate) type Snapshot<D> = openraft::Snapshot<LeaderId, NodeId, Peer, D>;
pub(crate) type Fatal = openraft::errors::Fatal<Types>;
