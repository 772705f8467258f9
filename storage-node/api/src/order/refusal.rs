use chunking::BlobId;
use git_id::RefName;
use serde::{Deserialize, Serialize};

use crate::map::{MembersError, PolicyError, SlotsError};
use crate::{
    Generation, GroupId, Incarnation, MapEpoch, NodeId, RepositoryId, Slot, Timestamp, UploadId,
};

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// No such repository.
    #[error("repository {0} does not exist")]
    NoRepository(RepositoryId),
    /// The id is taken by a repository of other settings.
    #[error("repository {0} exists")]
    RepositoryExists(RepositoryId),
    /// The repository is being deleted.
    #[error("repository {0} is being deleted")]
    RepositorySealed(RepositoryId),
    /// Only a sealed repository can be deleted.
    #[error("repository {0} is not sealed")]
    NotSealed(RepositoryId),
    /// A fork and its original live in one slot.
    #[error("repository {0} is of another slot")]
    OtherSlot(RepositoryId),
    /// A pack or ref of another hash function than the repository's.
    #[error("an object id is not of the repository's hash function")]
    OtherHash,
    /// The pack list is full: maintenance must consolidate it.
    #[error("the repository has {0} packs, which is the limit; wait for maintenance")]
    TooManyPacks(u32),
    /// Staged parts are absent or of another kind.
    #[error("part {part} of upload {upload} was not staged")]
    NotStaged {
        /// The upload.
        upload: UploadId,
        /// The part that is missing.
        part: u32,
    },
    /// More staged parts than an upload may have.
    #[error("an upload has at most {} parts", crate::limits::MAX_STAGED_PARTS)]
    TooManyParts,
    /// A manifest that contradicts itself.
    #[error("the manifest of blob {0} is not valid")]
    BadManifest(BlobId),
    /// The certificate does not show every chunk on enough failure domains.
    #[error("chunk {chunk} of the manifest is certified by {domains} failure domains of {needed}")]
    NotDurable {
        /// The index of the first such chunk.
        chunk: u32,
        /// How many domains hold it by valid receipts.
        domains: u32,
        /// How many the policy needs.
        needed: u32,
    },
    /// Chunks are short of holders because receipts are of an earlier
    /// generation, epoch or incarnation than is accepted, of another domain, or
    /// of a node that the group's map does not have (yet): begin a new session,
    /// touch again, and go on under a new request id.
    #[error("the upload session is too old; touch its chunks again")]
    SessionExpired,
    /// The group has no map yet, or the command belongs to another group.
    #[error("the group does not take this command")]
    WrongGroup,
    /// A map that is not newer than the one in force.
    #[error("the map is not newer than the one in force")]
    StaleMap,
    /// `HEAD` where a reference below `refs/` is needed.
    #[error("{0} is not a reference that can be set here")]
    NotAReference(RefName),
    /// More ref commands than a push may have.
    #[error("a push has at most {} ref updates", crate::limits::MAX_PUSH_COMMANDS)]
    TooManyCommands,
    /// An owner that only pushes and deletions of repositories make and end.
    #[error("the blobs of repository {0} are owned through its pack list")]
    ReservedOwner(RepositoryId),
    /// A node that is not in the map.
    #[error("node {0} is not in the cluster")]
    NoNode(NodeId),
    /// A node that claims an earlier start than it is known by: its disk was
    /// rolled back. It must join under a new id.
    #[error("node {node} has started {known} times; its disk says {claimed}")]
    RolledBack {
        /// Which node.
        node: NodeId,
        /// The start that the cluster knows.
        known: Incarnation,
        /// The start that the node claims.
        claimed: Incarnation,
    },
    /// The cluster has as many nodes as a map may have.
    #[error("a cluster has at most {} nodes", crate::limits::MAX_NODES)]
    TooManyNodes,
    /// The map is not the one that a change was made for: somebody else has
    /// changed it since. Look again.
    #[error("the map has changed from epoch {seen} to {actual} in between; look at it again")]
    MapChanged {
        /// The map that was seen.
        seen: MapEpoch,
        /// The map in force.
        actual: MapEpoch,
    },
    /// Some node does not know this kind of entry yet.
    #[error(
        "this takes machine version {needed}, the cluster is at {actual}; upgrade all nodes first"
    )]
    TooEarly {
        /// What it takes.
        needed: u32,
        /// What every replica is known to understand.
        actual: u32,
    },
    /// Policies that cannot be kept.
    #[error(transparent)]
    Policy(PolicyError),
    /// The map would be larger than an entry may be.
    #[error(
        "the cluster map would have {0} bytes, which no entry carries; use fewer or shorter names"
    )]
    MapTooLarge(u32),
    /// The collector's clock is not where whoever asked has seen it.
    #[error("the collector is at generation {actual}, not {seen}: look again")]
    GenerationMoved {
        /// Where it was seen.
        seen: Generation,
        /// Where it is.
        actual: Generation,
    },
    /// The clock does not go on before every group has passed the last barrier.
    #[error(
        "group {group} has not passed the barrier of generation {generation} yet: it follows by itself once it has a leader"
    )]
    BarrierOutstanding {
        /// The first of those groups.
        group: GroupId,
        /// Which barrier.
        generation: Generation,
    },
    /// A change of the members that cannot be made.
    #[error(transparent)]
    Members(MembersError),
    /// A backup is reading the group: until it is done, or this time has passed,
    /// no blob loses an owner.
    #[error("a backup is reading the group; try again when it is done")]
    Held {
        /// When the hold ends by itself.
        until: Timestamp,
    },
    /// A part of a restore for a repository that is not being restored.
    #[error("repository {0} is not being restored")]
    NotRestoring(RepositoryId),
    /// A repository that lacks something of what it had.
    #[error("repository {repository} has {refs} references and {packs} packs so far, not all")]
    NotRestored {
        /// Which.
        repository: RepositoryId,
        /// How many references it has.
        refs: u64,
        /// How many packs it has.
        packs: u32,
    },
    /// Events for a feed that has events of its own.
    #[error("the feed of slot {} has begun", .0.0)]
    FeedBegun(Slot),
    /// A pack whose blobs are not there.
    #[error("blob {0} is not there")]
    NoBlob(BlobId),
    /// The slot is on its way to another group; it will be there soon.
    #[error("the slot is being moved to another group; try again")]
    Moving,
    /// A change of the slots that cannot be made.
    #[error(transparent)]
    Slots(SlotsError),
    /// A part of a move that is not the next one, or of another move.
    #[error("the part does not belong to the move that the group takes part in")]
    NotImporting,
    /// Somebody else has replaced packs since the list was read, or it never had those that are to go.
    #[error("packs of repository {0} were replaced in between; look at them again")]
    PacksChanged(RepositoryId),
    /// Objects were to be dropped that nothing reached at a version, which is not the present one.
    #[error(
        "the repository has changed from version {seen} to {actual} in between; look again at what can be dropped"
    )]
    VersionChanged {
        /// The version that was seen.
        seen: u64,
        /// The version that there is.
        actual: u64,
    },
    /// A push was checked against objects some of which may be gone: check it again, against those
    /// that there are, and go on under a new request id.
    #[error(
        "objects were dropped at version {dropped}, after the push was checked at version {checked}; push again"
    )]
    DroppedSince {
        /// The version that the push names; 0 if it names none.
        checked: u64,
        /// The version that the last dropping led to.
        dropped: u64,
    },
}
