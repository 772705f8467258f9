use chunking::{BlobId, ChunkRef, Manifest};
use serde::{Deserialize, Serialize};

use crate::backup::{FeedBounds, Hold, OwnedBlob, RepositoryCopy, SlotSpan};
use crate::collect::Cycle;
use crate::event::Events;
use crate::map::ClusterMap;
use crate::refs::RefList;
use crate::repository::{PackList, Repository};
use crate::slots::{Borders, SlotPage};
use crate::{DedupDomain, Generation, MapEpoch, RepositoryId, Slot};

/// A question to a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// One repository's record.
    Repository(RepositoryId),
    /// All refs, unless the version is the known one.
    Refs {
        /// Whose.
        repository: RepositoryId,
        /// The version that the caller has a list of.
        known: Option<u64>,
    },
    /// The pack list, unless the version is the known one.
    Packs {
        /// Whose.
        repository: RepositoryId,
        /// The version that the caller has a list of.
        known: Option<u64>,
    },
    /// A blob's manifest.
    Manifest {
        /// The slot that keeps it.
        slot: Slot,
        /// For which its chunks were put.
        domain: DedupDomain,
        /// Which blob.
        blob: BlobId,
    },
    /// Events after a cursor.
    Events {
        /// The slot whose feed it is.
        slot: Slot,
        /// The last sequence seen; 0 for none.
        after: u64,
        /// At most this many; there may be fewer
        /// ([`EVENT_PAGE`](crate::limits::EVENT_PAGE)), but not none if any are due.
        limit: u32,
    },
    /// The map that the group has adopted.
    Map,
    /// The logical state hash and the index it is of.
    StateHash,
    /// A page of the chunks of all blobs that have owners, for those who check
    /// that they are where they should be.
    LiveChunks {
        /// Where the page before ended; empty for the first.
        after: Vec<u8>,
    },
    /// A page of what the collector must keep, and the moment that it is of.
    Listing {
        /// Where the page before ended; empty for the first.
        after: Vec<u8>,
        /// With the manifests that were removed since the group's last barrier.
        /// Only who drops nothing may do without.
        removed: bool,
    },
    /// How far the collector's cycle is, of the cluster group; of a data group,
    /// its own barrier.
    Cycle,
    /// A page of the repositories of some slots, by id.
    Repositories {
        /// Which slots.
        slots: SlotSpan,
        /// The last of the page before.
        after: Option<RepositoryId>,
    },
    /// All of a repository, at one version.
    RepositoryCopy(RepositoryId),
    /// A page of the owners that the application names, of blobs of some slots.
    Owners {
        /// Which slots.
        slots: SlotSpan,
        /// The last of the page before.
        after: Option<OwnedBlob>,
    },
    /// Which slots have feeds, and their bounds.
    Feeds(SlotSpan),
    /// The hold on the group.
    Hold,
    /// A page of all that a group has of the slots of a move, for the group that receives them.
    SlotPage {
        /// The number of the move.
        number: u64,
        /// Where the page before ended; empty for the first.
        after: Vec<u8>,
    },
    /// Which slots the group answers for and has yet to forget, and what it has received.
    Borders,
}

/// A group's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Query::Repository`].
    Repository(Option<Repository>),
    /// To [`Query::Refs`]; `None` if there is no such repository.
    Refs(Option<RefList>),
    /// To [`Query::Packs`]; `None` if there is no such repository.
    Packs(Option<PackList>),
    /// The caller's version is the current one.
    Unchanged,
    /// To [`Query::Manifest`].
    Manifest(Option<Manifest>),
    /// To [`Query::Events`].
    Events(Events),
    /// To [`Query::Map`].
    Map(Option<ClusterMap>),
    /// To [`Query::StateHash`].
    StateHash {
        /// The last applied index.
        index: u64,
        /// Equal on all replicas at the same index.
        hash: [u8; 32],
    },
    /// To [`Query::LiveChunks`].
    LiveChunks {
        /// Chunks and their domains; some may be there several times.
        chunks: Vec<(DedupDomain, ChunkRef)>,
        /// Where the next page begins; nothing after the last.
        next: Option<Vec<u8>>,
    },
    /// To [`Query::Listing`].
    Listing {
        /// The generation of the group's last barrier.
        generation: Generation,
        /// The epoch of the map that the group has adopted.
        epoch: MapEpoch,
        /// Chunks and their domains; some may be there several times.
        chunks: Vec<(DedupDomain, ChunkRef)>,
        /// Where the next page begins; nothing after the last.
        next: Option<Vec<u8>>,
    },
    /// To [`Query::Cycle`].
    Cycle {
        /// The generation of the cluster group's map, or of a data group's last
        /// barrier.
        generation: Generation,
        /// What the cluster group knows; of a data group empty.
        cycle: Cycle,
        /// Of a data group: whether it still has to forget manifests that were
        /// removed before its last barrier.
        forgets: bool,
    },
    /// To [`Query::Repositories`]: fewer than
    /// [`LISTING_PAGE`](crate::limits::LISTING_PAGE) on the last page.
    Repositories(Vec<RepositoryId>),
    /// To [`Query::RepositoryCopy`]; `None` if there is no such repository.
    RepositoryCopy(Option<Box<RepositoryCopy>>),
    /// To [`Query::Owners`]: fewer than
    /// [`LISTING_PAGE`](crate::limits::LISTING_PAGE) on the last page.
    Owners(Vec<OwnedBlob>),
    /// To [`Query::Feeds`].
    Feeds(Vec<FeedBounds>),
    /// To [`Query::Hold`]; `None` if there is none, or it has ended.
    Hold(Option<Hold>),
    /// To a question about a slot that the group does not answer for (yet, or any more): the
    /// cluster map says who does, or soon will.
    Elsewhere,
    /// To [`Query::SlotPage`]; `None` while the group has not adopted the map of that move.
    SlotPage(Option<Box<SlotPage>>),
    /// To [`Query::Borders`].
    Borders(Borders),
}

impl Query {
    /// The slot that the question is about, if it is about one.
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Self::Repository(id) | Self::RepositoryCopy(id) => Some(id.slot()),
            Self::Refs { repository, .. } | Self::Packs { repository, .. } => {
                Some(repository.slot())
            }
            Self::Manifest { slot, .. } | Self::Events { slot, .. } => Some(*slot),
            Self::Repositories { slots, .. } | Self::Owners { slots, .. } | Self::Feeds(slots) => {
                Some(slots.first)
            }
            Self::Map
            | Self::StateHash
            | Self::LiveChunks { .. }
            | Self::Listing { .. }
            | Self::Cycle
            | Self::Hold
            | Self::SlotPage { .. }
            | Self::Borders => None,
        }
    }
}
