//! What a node says of its scrub: the pass over all that it holds, what that
//! found, and what became of it.

use runtime::Timestamp;
use serde::{Deserialize, Serialize};

use crate::GroupId;

/// What is asked of a node's scrub. Every answer is a [`ScrubReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScrubOrder {
    /// Nothing but the report.
    Look,
    /// A pass from the beginning, now. One that is under way begins anew.
    Start {
        /// Without pauses, rather than at the configured rate.
        fast: bool,
    },
}

/// A node's scrub as it is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubReport {
    /// Whether a pass is under way.
    pub running: bool,
    /// Whether it goes without pauses.
    pub fast: bool,
    /// Passes that were ordered or fell due since the node started; the one
    /// under way is the last of them.
    pub pass: u64,
    /// Bytes that the pass under way, or the last one, has read.
    pub read_bytes: u64,
    /// Bytes that it has to read, as far as is known.
    pub total_bytes: u64,
    /// When the last full pass ended.
    pub last_full_pass: Option<Timestamp>,
    /// What was found since the node started.
    pub faults: Faults,
    /// Chunks that are quarantined: known to be corrupt, never served, said to
    /// be absent, and not replaced yet. Without those that nobody has and that
    /// no blob needs, which are left to the collector.
    pub quarantined: u64,
    /// Those of them that every peer has said it lacks too: they are lost unless
    /// a node that was removed still has them.
    pub lost: u64,
    /// Chunks that were fetched again since the node started.
    pub repaired: u64,
    /// Chunks, as of the last full pass, that placement does not name this node
    /// for. Only the collector drops them.
    pub surplus: u64,
    /// Chunks, as of the same, that volumes hold and the index does not know.
    /// What was collected and is not compacted yet is among them.
    pub unindexed: u64,
    /// Replicas that cannot be trusted. Those that are known to be wrong were
    /// stopped.
    pub replicas: Vec<ReplicaFault>,
}

/// Faults by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Records whose bytes are not what their CRC or the chunk's id says.
    pub records: u64,
    /// Stretches of a volume in which no record can be found.
    pub stretches: u64,
    /// Entries of the index whose place does not hold their record.
    pub entries: u64,
    /// First blocks of volumes. They were written again.
    pub first_blocks: u64,
    /// Volumes that could not be read to their end.
    pub unreadable: u64,
    /// Chunks that an ordinary read found corrupt.
    pub reads: u64,
    /// Replicas that cannot be trusted.
    pub replicas: u64,
}

/// A replica that cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaFault {
    /// Of which group.
    pub group: GroupId,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl Faults {
    /// Adds others.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.records, more.records),
            (&mut self.stretches, more.stretches),
            (&mut self.entries, more.entries),
            (&mut self.first_blocks, more.first_blocks),
            (&mut self.unreadable, more.unreadable),
            (&mut self.reads, more.reads),
            (&mut self.replicas, more.replicas),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        let counts = self.by_kind();
        counts
            .iter()
            .fold(0, |sum, (_, more)| sum.saturating_add(*more))
    }

    /// Each kind with its name, for metrics and people.
    pub fn by_kind(&self) -> [(&'static str, u64); 7] {
        [
            ("record", self.records),
            ("stretch", self.stretches),
            ("entry", self.entries),
            ("first_block", self.first_blocks),
            ("unreadable", self.unreadable),
            ("read", self.reads),
            ("replica", self.replicas),
        ]
    }
}
