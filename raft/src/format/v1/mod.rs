//! Version 1 of entries, votes, places and markers.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::vote::RaftLeaderId;
use serde::{Deserialize, Serialize};

use super::{FormatError, damaged};
use crate::types::{self, Command, LeaderId, Payload, StoredMembership};
use crate::{NodeId, Peer};

/// A place in a log and the leadership that filled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogId {
    pub(crate) term: u64,
    pub(crate) leader: u64,
    pub(crate) index: u64,
}

/// A vote, or the acknowledgement of a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    pub(crate) term: u64,
    pub(crate) leader: u64,
    pub(crate) committed: bool,
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: LogId,
    pub(crate) payload: EntryPayload,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EntryPayload {
    Blank,
    Command(Bytes),
    Membership(Membership),
}

/// The voters (two sets during a change) and the addresses of all members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub(crate) voters: Vec<BTreeSet<u64>>,
    pub(crate) members: BTreeMap<u64, String>,
}

/// How far a machine has come, and who the members are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership_at: Option<LogId>,
    pub(crate) membership: Membership,
}

impl Entry {
    /// About how many bytes it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        const FIXED: usize = 32;
        match &self.payload {
            EntryPayload::Blank => FIXED,
            EntryPayload::Command(bytes) => FIXED + bytes.len(),
            EntryPayload::Membership(membership) => FIXED + membership.size_bytes(),
        }
    }
}

impl Membership {
    fn size_bytes(&self) -> usize {
        const NUMBER: usize = 10;
        let voters: usize = self.voters.iter().map(|set| set.len() * NUMBER).sum();
        let members = self.members.values();
        voters + members.map(|address| NUMBER + address.len()).sum::<usize>()
    }
}

impl From<&types::LogId> for LogId {
    fn from(id: &types::LogId) -> Self {
        let leader = id.committed_leader_id();
        Self {
            term: leader.term,
            leader: leader.node_id.0,
            index: id.index(),
        }
    }
}

impl From<LogId> for types::LogId {
    fn from(id: LogId) -> Self {
        Self::new(LeaderId::new(id.term, NodeId(id.leader)), id.index)
    }
}

impl From<&types::Vote> for Vote {
    fn from(vote: &types::Vote) -> Self {
        Self {
            term: vote.leader_id().term,
            leader: vote.leader_id().node_id.0,
            committed: vote.is_committed(),
        }
    }
}

impl From<Vote> for types::Vote {
    fn from(vote: Vote) -> Self {
        if vote.committed {
            Self::new_committed(vote.term, NodeId(vote.leader))
        } else {
            Self::new(vote.term, NodeId(vote.leader))
        }
    }
}

impl From<&types::Membership> for Membership {
    fn from(membership: &types::Membership) -> Self {
        let voters = membership.get_joint_config().iter();
        let members = membership.nodes();
        Self {
            voters: voters
                .map(|set| set.iter().map(|node| node.0).collect())
                .collect(),
            members: members
                .map(|(node, peer)| (node.0, peer.address.clone()))
                .collect(),
        }
    }
}

impl TryFrom<Membership> for types::Membership {
    type Error = FormatError;

    fn try_from(membership: Membership) -> Result<Self, FormatError> {
        if membership.voters.is_empty() && membership.members.is_empty() {
            return Ok(Self::default());
        }
        let voters = membership.voters.into_iter();
        let voters = voters.map(|set| set.into_iter().map(NodeId).collect());
        let members = membership.members.into_iter();
        let members = members.map(|(node, address)| (NodeId(node), Peer { address }));
        Self::new(voters.collect(), members.collect::<BTreeMap<_, _>>()).map_err(damaged)
    }
}

impl From<&types::Entry> for Entry {
    fn from(entry: &types::Entry) -> Self {
        Self {
            id: (&entry.log_id).into(),
            payload: match &entry.payload {
                Payload::Blank => EntryPayload::Blank,
                Payload::Normal(command) => EntryPayload::Command(command.0.clone()),
                Payload::Membership(membership) => EntryPayload::Membership(membership.into()),
            },
        }
    }
}

impl TryFrom<Entry> for types::Entry {
    type Error = FormatError;

    fn try_from(entry: Entry) -> Result<Self, FormatError> {
        Ok(Self {
            log_id: entry.id.into(),
            payload: match entry.payload {
                EntryPayload::Blank => Payload::Blank,
                EntryPayload::Command(bytes) => Payload::Normal(Command(bytes)),
                EntryPayload::Membership(membership) => Payload::Membership(membership.try_into()?),
            },
        })
    }
}

impl Marker {
    pub(crate) fn size_bytes(&self) -> usize {
        const FIXED: usize = 64;
        FIXED + self.membership.size_bytes()
    }

    pub(crate) fn new(applied: Option<&types::LogId>, membership: &StoredMembership) -> Self {
        Self {
            applied: applied.map(LogId::from),
            membership_at: membership.log_id().as_ref().map(LogId::from),
            membership: membership.membership().into(),
        }
    }

    pub(crate) fn open(self) -> Result<(Option<types::LogId>, StoredMembership), FormatError> {
        let at = self.membership_at.map(types::LogId::from);
        let membership = StoredMembership::new(at, self.membership.try_into()?);
        Ok((self.applied.map(types::LogId::from), membership))
    }
}

#[cfg(test)]
mod tests;
