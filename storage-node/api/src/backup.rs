//! What backup reads from groups and restore writes to them.
//!
//! A backup reads a group while it has a [`Hold`] on it: until the hold ends,
//! the group refuses every entry that would take an owner from a blob (sealing
//! and deleting repositories, removing owners), so that whatever the backup has
//! listed stays listed, and collection, which drops only what no slot lists,
//! needs no word with it. Whoever adds an entry that drops owners must refuse
//! it while the group is held.
//!
//! A hold ends by itself once the group's time has passed [`Hold::until`]. That
//! is never a danger: the number [`Hold::fence`] grows with every hold, and a
//! backup counts only if at its end each group still has the hold, under the
//! same number, that it began with.
//!
//! [`Restore`] writes a repository in bounded parts. While they come it is
//! [`State::Restoring`](crate::repository::State::Restoring) and nobody else may
//! write to it; [`Restore::Finish`] checks that all are there. Every part may be
//! repeated: a second time it changes nothing.

use chunking::BlobId;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::refs::Ref;
use crate::repository::{Pack, Repository, State};
use crate::{DedupDomain, Generation, OwnerId, RepositoryId, Slot, Timestamp};

/// A promise of a group that its blobs keep their owners for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who has it: an id of one run of one backup.
    pub holder: OwnerId,
    /// How many holds the group has had, this one included.
    pub fence: u64,
    /// It ends when the group's time reaches this.
    pub until: Timestamp,
}

/// Consecutive slots of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotSpan {
    /// The first.
    pub first: Slot,
    /// The last, included.
    pub last: Slot,
}

/// All of a repository, at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryCopy {
    /// Its record.
    pub repository: Repository,
    /// What readers do not see of the record.
    pub hidden: HiddenRecord,
    /// All references, by name.
    pub refs: Vec<Ref>,
    /// All packs, oldest first.
    pub packs: Vec<NumberedPack>,
}

/// What readers do not see of a repository's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenRecord {
    /// The number that its next pack gets.
    pub next_pack: u32,
    /// The repository that it was made as a fork of.
    pub origin: Option<RepositoryId>,
}

/// A pack and its place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedPack {
    /// Its number: they grow and are not reused.
    pub number: u32,
    /// The pack.
    pub pack: Pack,
}

/// A blob that is kept alive by an owner whom the application names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedBlob {
    /// The slot that keeps it.
    pub slot: Slot,
    /// Which blob.
    pub blob: BlobId,
    /// Its owner.
    pub owner: OwnerId,
    /// For which its chunks were put.
    pub domain: DedupDomain,
}

/// Which events a slot has and had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedBounds {
    /// Whose feed.
    pub slot: Slot,
    /// The first sequence still kept; one after `last` if none is.
    pub first_kept: u64,
    /// The last sequence there is.
    pub last: u64,
}

/// One part of what restore writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restore {
    /// Cluster group: the collector's clock is at least this.
    Generation(Generation),
    /// Events of a slot whose feed has not begun, at most as many bytes as fit
    /// into an entry.
    Events(Vec<Event>),
    /// The bounds of a feed that has not begun, after its events.
    Feed(FeedBounds),
    /// Begins a repository.
    Repository {
        /// Its record. The state that it names is set by [`Restore::Finish`].
        repository: Repository,
        /// The rest of the record.
        hidden: HiddenRecord,
    },
    /// References of a repository that was begun.
    Refs {
        /// Whose.
        repository: RepositoryId,
        /// Some of them.
        refs: Vec<Ref>,
    },
    /// Packs of a repository that was begun. Their blobs have owners already.
    Packs {
        /// Whose.
        repository: RepositoryId,
        /// Some of them.
        packs: Vec<NumberedPack>,
    },
    /// Ends a repository, which must have as many references and packs.
    Finish {
        /// Which.
        repository: RepositoryId,
        /// Its state from now on.
        state: State,
        /// How many references it has.
        refs: u64,
        /// How many packs it has.
        packs: u32,
    },
}
