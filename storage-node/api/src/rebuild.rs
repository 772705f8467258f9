//! Replicas that are built anew from another node's, and how they come from there.
//!
//! What is rebuilt is what the log has led to, the state; the log itself and the vote stay where
//! they are, so that a replica that comes back votes knowing all that it has promised.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{GroupId, NodeId};

/// What is asked of a node about its replicas that are rebuilt. Every answer is a
/// [`RebuildReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RebuildOrder {
    /// Nothing but the report.
    Look,
    /// The replica of this group is rebuilt, whether anything is wrong with it or not.
    Start(GroupId),
}

/// The replicas of a node that are to be rebuilt, and how far that is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildReport {
    /// Those that are not served at the moment.
    pub pending: Vec<Rebuilding>,
    /// How many were rebuilt since the node started.
    pub rebuilt: u64,
    /// Bytes that came from other nodes for it.
    pub bytes: u64,
}

/// A replica that is rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilding {
    /// Of which group.
    pub group: GroupId,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub stage: Stage,
    /// Why it did not come about so far, if it was tried.
    pub failed: Option<String>,
}

/// How far a replica is that is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It waits for its turn, or for another node that can give its state.
    Waiting,
    /// The state comes from another node.
    Copying {
        /// From which.
        from: NodeId,
        /// Bytes that are here.
        bytes: u64,
    },
    /// The state is here, and is checked and opened.
    Opening,
}

/// Why a replica is not rebuilt. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RebuildError {
    /// The map has no such group.
    #[error("the cluster has no group {0}")]
    NoGroup(GroupId),
    /// Too few of the others vote and answer.
    #[error(
        "without this replica group {group} would have {answering} of {voters} voters, which is no majority: bring the other nodes back first"
    )]
    Quorum {
        /// Which group.
        group: GroupId,
        /// Voters that answer, without this one.
        answering: u32,
        /// All voters.
        voters: u32,
    },
    /// A release from before this order.
    #[error("this node does not rebuild replicas: upgrade it")]
    TooOld,
}

/// What a node asks another for to copy its replica's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaOrder {
    /// The state of this group as it is now.
    Open(GroupId),
    /// The next part of a copy.
    Next(u64),
    /// The copy is not needed any more.
    Close(u64),
}

/// What the other node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaPart {
    /// To [`ReplicaOrder::Open`].
    Opened {
        /// The copy's number, which no other copy of this start had.
        copy: u64,
        /// How far the state has come, as the log keeps it.
        marker: Bytes,
    },
    /// The next bytes, at most [`REPLICA_PART_BYTES`](crate::limits::REPLICA_PART_BYTES).
    Bytes(Bytes),
    /// There are no more, or the copy is closed.
    End,
}

/// Why there is nothing to copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ReplicaError {
    /// It has no replica of the group that can be trusted and has applied anything.
    #[error("it has no replica of group {0} to copy")]
    NoReplica(GroupId),
    /// Others are copied at the moment, or the copy is from before a restart: begin again.
    #[error("the copy was closed")]
    Closed,
    /// Its own replica cannot be read.
    #[error("its replica cannot be read")]
    Failing,
    /// A release from before this question.
    #[error("it does not give its replicas: upgrade it")]
    TooOld,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waits"),
            Self::Copying { from, bytes } => {
                write!(f, "copies from node {from}, {} KiB so far", bytes >> 10)
            }
            Self::Opening => f.write_str("is checked and opened"),
        }
    }
}
