//! Collection as it is seen from outside: how far a cycle is in the groups, what
//! is asked of a node's collector, and what it says.

use runtime::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Generation, GroupId};

/// The cycle under way, as the cluster group has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// When the clock last advanced, by the time of the log; nothing if it never has.
    pub began: Option<Timestamp>,
    /// The generation of the last barrier of each group that has told of one, by
    /// group.
    pub passed: Vec<(GroupId, Generation)>,
}

impl Cycle {
    /// The generation of a group's last barrier, as far as it was told.
    pub fn barrier_of(&self, group: GroupId) -> Generation {
        let found = self.passed.iter().find(|(known, _)| *known == group);
        found.map_or(Generation(0), |(_, generation)| *generation)
    }
}

/// What is asked of a node's collector. Every answer is a [`CollectReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollectOrder {
    /// Nothing but the report.
    Look,
    /// The sweep of the generation under way, if it is not done yet, goes without
    /// pauses, and so does the compaction after it.
    Hurry,
    /// Counts what the next cycle could drop, and changes nothing.
    Count,
}

/// What a node's collector does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing: the generation is swept, or this start has to sit it out.
    #[default]
    Idle,
    /// It waits until all groups have the barrier and the map that it has.
    Waits,
    /// It holds what it has against what is listed.
    Sweeps,
    /// It writes again what is live in volumes of which enough is dead.
    Compacts,
    /// It counts, by order.
    Counts,
}

/// Chunks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// One chunk more.
    pub fn add(&mut self, bytes: u64) {
        self.chunks += 1;
        self.bytes += bytes;
    }
}

/// A node's collector as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectReport {
    /// The generation of the map that the node has.
    pub generation: Generation,
    /// The generation in which the node started, once it has asked: nothing is
    /// dropped before a later one.
    pub started_in: Option<Generation>,
    /// The last generation that it swept to the end since it started.
    pub swept: Option<Generation>,
    /// What it does.
    pub phase: Phase,
    /// Chunks that the sweep under way, or the last one, has looked at.
    pub looked_at: u64,
    /// Those of them that are listed, and placed here.
    pub live: Amount,
    /// Those that are in no listing.
    pub dead: Amount,
    /// Those that are listed, placed elsewhere, and confirmed there.
    pub extra: Amount,
    /// Those that are listed and placed elsewhere, and not confirmed by every
    /// node that should have them: they stay.
    pub unconfirmed: Amount,
    /// Those that were dropped. Of the others some were touched meanwhile.
    pub dropped: Amount,
    /// Volumes that were removed since the node started.
    pub volumes: u64,
    /// Bytes of their files, less what was written again.
    pub given_back: u64,
    /// How often a count that was ordered has ended since the node started.
    pub counts: u64,
    /// What the last count found that the next cycle could drop.
    pub droppable: Amount,
}
