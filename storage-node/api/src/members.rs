//! What a node tells of its part in the cluster, and leadership that is moved by hand.

use serde::{Deserialize, Serialize};

use crate::{GroupId, MapEpoch, NodeId};

/// A node's account of its replicas and of what it still has to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersReport {
    /// The epoch of the map that the node knows.
    pub epoch: MapEpoch,
    /// The node has every chunk that a map of this epoch places on it, counted after its replicas
    /// had all adopted that map; nothing if it has not found so since it started.
    pub whole_at: Option<MapEpoch>,
    /// Chunks that it lacks, as of its last look; nothing before the first.
    pub missing_chunks: Option<u64>,
    /// Their bytes.
    pub missing_bytes: u64,
    /// Its replicas, members or not.
    pub groups: Vec<GroupMembers>,
}

/// The members of one group as a replica knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMembers {
    /// Which group.
    pub group: GroupId,
    /// Who leads, if known.
    pub leader: Option<NodeId>,
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// Who follows.
    pub learners: Vec<NodeId>,
    /// A change is half done.
    pub joint: bool,
}

/// Why leadership was not handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TransferError {
    /// There is no such replica.
    #[error("group {0} has no replica here")]
    NoGroup(GroupId),
    /// Only a voter can lead.
    #[error("node {to} does not vote in group {group}")]
    NotAVoter {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
    },
    /// The group would have to wait for it.
    #[error("node {to} is behind in group {group}, or does not answer; try again when it is not")]
    Behind {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
    },
    /// It did not take over in time; another leader may have been elected.
    #[error("node {to} did not take over group {group}; look who leads and try again")]
    NotTaken {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
    },
}
