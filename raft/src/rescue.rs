//! Groups that have lost their quorum, made whole by what one survivor has.
//!
//! It works on the log of a node that does not run. To each group's log it appends, under a term
//! that the node has never seen, the entry that makes the node the only voter, and what the caller
//! wants to be applied after it. Entries of which it is not known whether they were committed
//! stay, and are committed by it: they may have been acknowledged. What the survivor never
//! received is lost.
//!
//! All of it is one synced batch: after a crash it was done or it was not. The [`Fence`] keeps the
//! former members from being listened to, so that they cannot take the groups back.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use kv::{Batch, Direction, Durability, KeyValue, KvError};

use crate::format::{FormatError, decode, encode, v1};
use crate::log::{Kind, LOG, STATE, fence_key, log_key, node_key, state_key};
use crate::{Fence, GroupId, NodeId};

/// By how much the term of a rescued group exceeds those that its survivor has seen: the former
/// members may have been ahead of it.
const TERMS: u64 = 1_000;

/// A group to be rescued.
#[derive(Clone, Debug)]
pub struct Rescue {
    /// Which.
    pub group: GroupId,
    /// A command to be applied next, if any.
    pub command: Option<Bytes>,
}

/// What a survivor has of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which group.
    pub group: GroupId,
    /// The index of the last entry of its log; nothing if it never was a member.
    pub last: Option<u64>,
    /// The last entry that it knows to be committed.
    pub committed: Option<u64>,
}

/// Why nothing was rescued. The log is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// The log could not be read or written.
    #[error("rescue groups: access the raft log")]
    Store(#[from] KvError),
    /// The log is damaged or of a newer version.
    #[error("rescue groups: read the raft log")]
    Format(#[from] FormatError),
    /// The log is of another node.
    #[error("rescue groups: the raft log does not belong to {wanted}")]
    OtherNode {
        /// Whose it should be.
        wanted: NodeId,
    },
}

struct Ends {
    vote: Option<v1::Vote>,
    last: Option<v1::LogId>,
    committed: Option<v1::LogId>,
}

/// Whose log this is; nothing if it was never used.
pub fn owner(log: &dyn KeyValue) -> Result<Option<NodeId>, RescueError> {
    let owner = log.get(STATE, node_key())?;
    let owner = owner.map(|bytes| decode::<u64>(&bytes)).transpose()?;
    Ok(owner.map(NodeId))
}

/// What the log of a node that does not run has of a group.
pub fn look(log: &dyn KeyValue, group: GroupId) -> Result<Found, RescueError> {
    let ends = ends(log, group)?;
    Ok(Found {
        group,
        last: ends.last.map(|id| id.index),
        committed: ends.committed.map(|id| id.index),
    })
}

/// Makes `node` the only voter of these groups, from its next start on, and keeps it from
/// listening to whom the fence excludes. Groups of which it has nothing begin empty. Blocks.
pub fn rescue(
    log: &dyn KeyValue,
    node: NodeId,
    address: &str,
    groups: &[Rescue],
    fence: &Fence,
) -> Result<(), RescueError> {
    if owner(log)? != Some(node) {
        return Err(RescueError::OtherNode { wanted: node });
    }
    let mut batch = Batch::new();
    batch.put(STATE, fence_key(), encode(fence));
    for Rescue { group, command } in groups {
        let ends = ends(log, *group)?;
        let seen = ends.vote.map_or(0, |vote| vote.term);
        let term = seen.max(ends.last.map_or(0, |id| id.term)) + TERMS;
        let vote = v1::Vote {
            term,
            leader: node.0,
            committed: false,
        };
        batch.put(STATE, state_key(*group, Kind::Vote), encode(&vote));
        let alone = v1::EntryPayload::Membership(v1::Membership {
            voters: vec![[node.0].into()],
            members: [(node.0, address.to_owned())].into(),
        });
        let payloads = std::iter::once(alone);
        let payloads = payloads.chain(command.clone().map(v1::EntryPayload::Command));
        let first = ends.last.map_or(0, |id| id.index + 1);
        for (index, payload) in (first..).zip(payloads) {
            let id = v1::LogId {
                term,
                leader: node.0,
                index,
            };
            let entry = v1::Entry { id, payload };
            batch.put(LOG, log_key(*group, index), encode(&entry));
        }
    }
    Ok(log.write(batch, Durability::Synced)?)
}

fn ends(log: &dyn KeyValue, group: GroupId) -> Result<Ends, RescueError> {
    let (from, to) = (log_key(group, 0), log_key(group, u64::MAX));
    let range = (
        Bound::Included(from.as_slice()),
        Bound::Included(to.as_slice()),
    );
    let mut last = None;
    log.scan(LOG, range, Direction::Descending, &mut |_, value| {
        last = Some(decode::<v1::Entry>(value));
        ControlFlow::Break(())
    })?;
    let state = |kind| log.get(STATE, &state_key(group, kind));
    let place = |bytes: Option<Bytes>| bytes.map(|b| decode::<v1::LogId>(&b)).transpose();
    let purged = place(state(Kind::Purged)?)?;
    let vote = state(Kind::Vote)?.map(|bytes| decode::<v1::Vote>(&bytes));
    Ok(Ends {
        vote: vote.transpose()?,
        last: last.transpose()?.map(|entry| entry.id).or(purged),
        committed: place(state(Kind::Committed)?)?,
    })
}
