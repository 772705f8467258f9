//! What can go wrong, and whether it happened nevertheless.

use std::time::Duration;

use kv::KvError;

use crate::format::FormatError;
use crate::{GroupId, NodeId, Peer};

/// Whether a failed write may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not happen and never will.
    None,
    /// It may have happened, or may still happen. A retry must carry the same identity.
    Unknown,
}

/// Who leads a group, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The leader.
    pub node: NodeId,
    /// How to reach it.
    pub peer: Peer,
}

fn hint(leader: &Option<Leader>) -> String {
    match leader {
        Some(leader) => format!("ask {} at {}", leader.node, leader.peer.address),
        None => "no leader is known: try again soon".to_owned(),
    }
}

fn entries(behind: &Option<u64>) -> String {
    match behind {
        Some(behind) => format!("{behind} entries"),
        None => "an unknown number of entries".to_owned(),
    }
}

/// A node's Raft that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log could not be read or written.
    #[error("read the identity in the raft log")]
    Log(#[from] KvError),
    /// The log is of another node.
    #[error(
        "the raft log belongs to {found}, not to {wanted}: check the data directory and the configured node id"
    )]
    OtherNode {
        /// Whose the log is.
        found: NodeId,
        /// Who asked.
        wanted: NodeId,
    },
    /// The log is damaged or of a newer version.
    #[error("read the identity in the raft log")]
    Format(#[from] FormatError),
    /// openraft refused the configuration.
    #[error("check the raft configuration: {reason}")]
    Config {
        /// Why.
        reason: String,
    },
}

/// A group that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is open in this process already.
    #[error("{group} is open already")]
    AlreadyOpen {
        /// Which.
        group: GroupId,
    },
    /// The log could not be read.
    #[error("read the log of {group}")]
    Log {
        /// Which.
        group: GroupId,
        /// Why.
        source: KvError,
    },
    /// The log is damaged or of a newer version.
    #[error("read the log of {group}")]
    Format {
        /// Which.
        group: GroupId,
        /// Why.
        source: FormatError,
    },
    /// The machine has lost entries that the log no longer holds.
    #[error(
        "the state of {group} ends at entry {applied:?} but its log begins after {purged}: the state was lost or replaced; give this node a new id and join it again"
    )]
    StateBehindLog {
        /// Which.
        group: GroupId,
        /// Last applied entry.
        applied: Option<u64>,
        /// Last entry that is no longer in the log.
        purged: u64,
    },
    /// The machine failed.
    #[error("read the state of {group}: {reason}")]
    Machine {
        /// Which.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// openraft could not recover the group.
    #[error("recover {group}: {reason}")]
    Recover {
        /// Which.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// This node's Raft is shut down.
    #[error("open {group}: this node is shutting down")]
    ShutDown {
        /// Which.
        group: GroupId,
    },
}

/// A group that could not be given its first members.
#[derive(Debug, thiserror::Error)]
pub enum InitializeError {
    /// This node is not among the voters.
    #[error("initialise {group}: {node} is not among the voters")]
    NotAMember {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
    },
    /// An address is too long, or there is no voter.
    #[error("initialise {group}: the list of voters is empty or has an overlong address")]
    BadMembers {
        /// Which group.
        group: GroupId,
    },
    /// The replica has stopped.
    #[error("initialise {group}: its replica has stopped: {reason}")]
    Stopped {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}

/// A command that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The command is larger than an entry may be. No effect.
    #[error("propose {bytes} bytes: an entry holds at most {limit}, stage larger ones in parts")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many proposals wait for their answers. No effect.
    #[error("propose to {group}: too many proposals are waiting, try again later")]
    Busy {
        /// Which group.
        group: GroupId,
    },
    /// This node does not lead the group, or cannot reach a quorum. No effect.
    #[error("propose to {group}: this node does not lead it; {}", hint(leader))]
    NotLeader {
        /// Which group.
        group: GroupId,
        /// Who does, if known.
        leader: Option<Leader>,
    },
    /// Leadership was lost before the entry was known to be committed. Effect unknown.
    #[error("propose to {group}: leadership was lost on the way; {}", hint(leader))]
    LeadershipLost {
        /// Which group.
        group: GroupId,
        /// Who leads now, if known.
        leader: Option<Leader>,
    },
    /// No answer in time. Effect unknown.
    #[error("propose to {group}: no quorum answered within {after:?}")]
    Timeout {
        /// Which group.
        group: GroupId,
        /// How long was waited.
        after: Duration,
    },
    /// The replica has stopped. Effect unknown.
    #[error("propose to {group}: its replica has stopped: {reason}")]
    Stopped {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}

impl ProposeError {
    /// Whether the command may have been applied.
    pub fn effect(&self) -> Effect {
        match self {
            Self::TooLarge { .. } | Self::Busy { .. } | Self::NotLeader { .. } => Effect::None,
            Self::LeadershipLost { .. } | Self::Timeout { .. } | Self::Stopped { .. } => {
                Effect::Unknown
            }
        }
    }

    /// Who leads the group, if the failure told.
    pub fn leader(&self) -> Option<&Leader> {
        match self {
            Self::NotLeader { leader, .. } | Self::LeadershipLost { leader, .. } => leader.as_ref(),
            _ => None,
        }
    }
}

/// A read that could not be made linearizable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed the read, or this replica did not catch up with it, in time.
    #[error("read from {group}: no leader confirmed it within {after:?}")]
    Timeout {
        /// Which group.
        group: GroupId,
        /// How long was waited.
        after: Duration,
    },
    /// The replica has stopped.
    #[error("read from {group}: its replica has stopped: {reason}")]
    Stopped {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}

/// A change of the members that was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// This node does not lead the group. No effect.
    #[error(
        "change the members of {group}: this node does not lead it; {}",
        hint(leader)
    )]
    NotLeader {
        /// Which group.
        group: GroupId,
        /// Who does, if known.
        leader: Option<Leader>,
    },
    /// Another change is not finished yet.
    #[error("change the members of {group}: another change is in progress, try again later")]
    InProgress {
        /// Which group.
        group: GroupId,
    },
    /// The new member did not catch up. It stays a learner; the call can be repeated.
    #[error("add {node} to {group}: it did not catch up within {after:?}; check that it runs")]
    NotCaughtUp {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
        /// How long was waited.
        after: Duration,
    },
    /// A learner that has yet to receive most of the log. No effect; it goes on receiving.
    #[error(
        "make {node} a voter of {group}: it is {} behind; wait until it has caught up",
        entries(behind)
    )]
    Behind {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
        /// Entries that it lacks; nothing if it has never answered this leader.
        behind: Option<u64>,
    },
    /// The node is no member. No effect.
    #[error("change the part of {node} in {group}: it is no member; add it first")]
    NoMember {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
    },
    /// The leader cannot stop voting while it leads. No effect.
    #[error("remove {node} from the voters of {group}: it leads; transfer its leadership first")]
    Leads {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
    },
    /// A group without a voter is lost. No effect.
    #[error("remove {node} from the voters of {group}: it is the only one; add another first")]
    LastVoter {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
    },
    /// No quorum in time. Effect unknown; the call can be repeated.
    #[error("change the members of {group}: no quorum answered within {after:?}")]
    Timeout {
        /// Which group.
        group: GroupId,
        /// How long was waited.
        after: Duration,
    },
    /// The address is too long. No effect.
    #[error("add {node} to {group}: its address is longer than {limit} bytes")]
    BadAddress {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
        /// The limit.
        limit: usize,
    },
    /// Refused, or interrupted with unknown effect; the call can be repeated.
    #[error("change the members of {group}: {reason}")]
    Interrupted {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// The replica has stopped.
    #[error("change the members of {group}: its replica has stopped: {reason}")]
    Stopped {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}

/// A leadership that was not handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// This node does not lead the group. No effect.
    #[error(
        "transfer the leadership of {group}: this node does not lead it; {}",
        hint(leader)
    )]
    NotLeader {
        /// Which group.
        group: GroupId,
        /// Who does, if known.
        leader: Option<Leader>,
    },
    /// Only a voter can lead. No effect.
    #[error("transfer the leadership of {group} to {to}: it is no voter of it")]
    NotAVoter {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
    },
    /// A node that would keep the group waiting. No effect.
    #[error(
        "transfer the leadership of {group} to {to}: it is {} behind, or does not answer",
        entries(behind)
    )]
    Behind {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
        /// Entries that it lacks; nothing if it has never answered this leader.
        behind: Option<u64>,
    },
    /// It did not take over in time; it may still, or another node is elected.
    #[error("transfer the leadership of {group} to {to}: it did not take over within {after:?}")]
    Timeout {
        /// Which group.
        group: GroupId,
        /// To whom.
        to: NodeId,
        /// How long was waited.
        after: Duration,
    },
    /// The replica has stopped.
    #[error("transfer the leadership of {group}: its replica has stopped: {reason}")]
    Stopped {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
}
