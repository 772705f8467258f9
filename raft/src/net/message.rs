//! Version 1 of the messages.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::format::v1::{Entry, LogId, Marker, Vote};
use crate::hibernate::Boot;

/// What one group's replica asks another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Entries, or a heartbeat without any.
    Append(Append),
    /// A request for a vote.
    Vote(Ballot),
    /// A question whether a vote would be granted.
    PreVote(Ballot),
    /// The first message of a snapshot.
    SnapshotBegin {
        transfer: u128,
        vote: Vote,
        meta: Marker,
    },
    /// The next part of it; parts are numbered from zero.
    SnapshotPart {
        transfer: u128,
        number: u64,
        bytes: Bytes,
    },
    /// All `parts` were sent: install it.
    SnapshotFinish { transfer: u128, parts: u64 },
    /// A question, to the leader, for a place at which a read is linearizable.
    ReadIndex,
    /// The leader hands on its leadership: the node named stands for election if it has the log
    /// up to `last`; others no longer hold to the leader. Not sent while a release that does not
    /// know it may be running.
    Transfer {
        vote: Vote,
        to: u64,
        last: Option<LogId>,
    },
    /// The leader, on this run of its node, lets the group sleep: nothing is after `last`, which all
    /// know to be committed. Not sent, nor is a beat, while a release that does not know it may be
    /// running.
    Sleep { vote: Vote, last: LogId, boot: Boot },
    /// This run of a node is alive, for all groups alike; `hears` is whether the receiver has
    /// answered it lately.
    Beat { boot: Boot, hears: bool },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Append {
    pub(crate) vote: Vote,
    pub(crate) previous: Option<LogId>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) committed: Option<LogId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) vote: Vote,
    pub(crate) last: Option<LogId>,
    /// The leader itself asked the candidate to stand.
    pub(crate) transfer: bool,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// All entries are stored.
    Appended,
    /// Entries are stored up to here.
    AppendedUpTo(Option<LogId>),
    /// The previous entry is not there, or another.
    Conflict,
    /// The sender does not lead any more.
    HigherVote(Vote),
    /// The answer to a ballot.
    Voted {
        vote: Vote,
        granted: bool,
        last: Option<LogId>,
    },
    /// The part, or the beginning, of a snapshot was taken.
    SnapshotTaken,
    /// This transfer is not known, or the part is not the next one: begin again.
    SnapshotUnknown,
    /// The snapshot is installed, or not needed; the receiver's vote.
    SnapshotDone(Vote),
    /// Reads at this place or later are linearizable.
    ReadIndex(u64),
    /// The asked replica does not lead, or cannot reach a quorum.
    NotLeader(Option<(u64, String)>),
    /// The asked node has no replica of the group.
    NoReplica,
    /// The asked replica has stopped.
    Stopped,
    /// The leadership is handed on as far as this replica is concerned.
    TransferTaken,
    /// The asking node has been removed from the cluster: it is not listened to any more.
    Removed,
    /// This replica sleeps too.
    Asleep,
    /// This replica does not sleep: it knows something else, or does not hear the node.
    Awake,
    /// The answer to a beat: which run of its node heard it.
    Beat(Boot),
}

impl Message {
    /// About how many bytes it takes on the wire.
    pub(crate) fn size_bytes(&self) -> usize {
        const FIXED: usize = 64;
        match self {
            Self::Append(append) => {
                let entries = append.entries.iter();
                FIXED + entries.map(Entry::size_bytes).sum::<usize>()
            }
            Self::SnapshotBegin { meta, .. } => FIXED + meta.size_bytes(),
            Self::SnapshotPart { bytes, .. } => FIXED + bytes.len(),
            _ => FIXED,
        }
    }
}
