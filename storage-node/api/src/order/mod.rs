//! The replicated state: what must never fork.

mod query;
mod refusal;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chunking::{BlobId, ChunkRef};
use git_id::{HashKind, RefName};
use serde::{Deserialize, Serialize};

use crate::backup::Restore;
use crate::blob::StoredBlob;
use crate::content::Run;
use crate::map::{
    BACKUP_VERSION, COLLECTION_VERSION, ClusterMap, MEMBERS_VERSION, MembersChange, Node,
    POLICIES_VERSION, Policies, REPLACEMENT_VERSION, SLOTS_VERSION, SlotsChange,
};
use crate::refs::RefCommand;
use crate::repository::{Push, Pushed, Replacement};
use crate::slots::Import;
use crate::{
    BlobOwner, DedupDomain, Effect, Generation, GroupId, Incarnation, MapEpoch, NodeId, OwnerId,
    ReadPoint, RepositoryId, RequestId, Retry, Slot, Timestamp, Token, UploadId,
};

pub use query::{Answer, Query};
pub use refusal::Refusal;

/// Writes to and reads from the replicated state.
#[async_trait]
pub trait Order: Debug + Send + Sync {
    /// Commits one command in the slot's group and answers what every replica
    /// computed. Retries with the same [`Request::id`] answer the first result.
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError>;

    /// Answers a query from the slot's group.
    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError>;

    /// The cluster map, as fresh as this process knows it.
    async fn map(&self) -> Result<ClusterMap, ReadError>;
}

/// One command with what makes it safe to retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id, the same in every retry. [`Command::Stage`], [`Command::Unstage`],
    /// [`Command::AdoptMap`], [`Command::TruncateEvents`], [`Command::Barrier`] and
    /// [`Command::RaiseMachineVersion`] are not remembered by it: applying one of them again changes nothing.
    pub id: RequestId,
    /// The proposer's clock. The state takes the greatest it has seen.
    pub time: Timestamp,
    /// What to do.
    pub command: Command,
}

/// The entries of the log. Persisted: variants are only ever added at the end,
/// and only proposed once the map's machine version covers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Cluster group: a node is in the cluster; answers its new id.
    Join(Join),
    /// Cluster group: a node has started again.
    Started {
        /// Which.
        node: NodeId,
        /// How often by now.
        incarnation: Incarnation,
        /// Where it listens for control and Raft.
        control: String,
        /// Where it listens for bulk.
        bulk: String,
    },
    /// Cluster group: the first map, made by `cluster init`.
    Found(ClusterMap),
    /// Data groups: this map is in force. Older certificates are refused.
    AdoptMap(ClusterMap),
    /// Makes an empty repository. Again with the same id: no effect.
    CreateRepository {
        /// Its id; the slot must be the entry's.
        id: RepositoryId,
        /// The hash that names its objects.
        hash: HashKind,
        /// The branch that HEAD names.
        head: RefName,
        /// Where its chunks are shared.
        domain: DedupDomain,
    },
    /// Makes a repository with the refs and pack list of another of the same
    /// slot. Constant time: bytes are shared, refs are copied.
    ForkRepository {
        /// The new repository's id.
        id: RepositoryId,
        /// The original.
        from: RepositoryId,
    },
    /// Refuses every later write to a repository.
    SealRepository(RepositoryId),
    /// Removes a sealed repository, its refs, and its ownership of packs.
    DeleteRepository(RepositoryId),
    /// HEAD names this branch.
    SetHead {
        /// Whose.
        repository: RepositoryId,
        /// The branch; it need not exist.
        head: RefName,
    },
    /// Refs, packs and event of one push.
    Push(Push),
    /// Keeps one part of what a later entry of the same upload completes.
    Stage {
        /// The upload.
        upload: UploadId,
        /// Which part, from 0.
        part: u32,
        /// Its content.
        content: Staged,
    },
    /// Forgets the staged parts of an upload that will not be completed.
    Unstage(UploadId),
    /// Names a blob and gives it an owner.
    PutBlob {
        /// The slot that keeps it.
        slot: Slot,
        /// Its manifest and certificate.
        blob: StoredBlob,
        /// Who keeps it alive.
        owner: BlobOwner,
        /// For which its chunks were put.
        domain: DedupDomain,
    },
    /// One owner fewer; without owners the blob is no longer listed.
    RemoveOwner {
        /// The slot that keeps it.
        slot: Slot,
        /// Which blob.
        blob: BlobId,
        /// Whose ownership ends.
        owner: BlobOwner,
    },
    /// Drops events that every consumer has seen.
    TruncateEvents {
        /// The slot whose feed it is.
        slot: Slot,
        /// The first sequence to keep.
        keep_from: u64,
    },
    /// The collector's clock has advanced; older sessions are refused.
    Barrier(Generation),
    /// Cluster group, from machine version 2 on: these policies are in force,
    /// all of them in place of those before. Refused if the map is no longer
    /// the one that they were made for, or if they cannot be kept.
    SetPolicies {
        /// The map that whoever made them has seen.
        seen: MapEpoch,
        /// The policies.
        policies: Policies,
    },
    /// Cluster group: every replica understands this machine version. Whoever
    /// proposes it has asked every node of the map; a lower version than the
    /// map's has no effect.
    RaiseMachineVersion(u32),
    /// Cluster group: the collector's clock goes on by one. Refused if it has
    /// since, or while a group has not told of the last barrier.
    Advance {
        /// The generation that whoever asks has seen.
        seen: Generation,
    },
    /// Cluster group: a group has passed the barrier of a generation and has
    /// forgotten what it removed before. Again: no effect.
    BarrierPassed {
        /// Which group.
        group: GroupId,
        /// Of which generation.
        generation: Generation,
    },
    /// Cluster group, from machine version 3 on: nodes come, move and go.
    /// Refused if the map is no longer the one that the change was made for.
    ChangeMembers {
        /// The map that whoever made it has seen.
        seen: MapEpoch,
        /// The change.
        change: MembersChange,
    },
    /// Data groups, from machine version 3 on: until this time no blob loses an
    /// owner. By the same holder again it lasts longer; see
    /// [`backup`](crate::backup).
    Hold {
        /// Who asks: one run of a backup.
        holder: OwnerId,
        /// When it ends by itself, at most [`MAX_HOLD`](crate::limits::MAX_HOLD)
        /// after the entry's time.
        until: Timestamp,
    },
    /// Ends a hold. Of one that is not there: no effect.
    Release(OwnerId),
    /// From machine version 3 on: a part of what a restore brings back.
    Restore(Restore),
    /// Cluster group, from machine version 4 on: slots are divided in another way, or a move of some
    /// is a step further.
    ChangeSlots {
        /// The map that an operator who asks for it has seen; it is refused if that has changed.
        /// The steps of a move have numbers of their own.
        seen: MapEpoch,
        /// The change.
        change: SlotsChange,
    },
    /// Data groups, from machine version 4 on: a page of the slots that the group receives.
    Import(Box<Import>),
    /// Data groups, from machine version 4 on: forgets some of what was left of slots that went to
    /// another group.
    ForgetSlots,
    /// From machine version 6 on: a push whose objects were found connected at a version.
    CheckedPush {
        /// The push.
        push: Push,
        /// The version whose refs and packs its connectivity was checked with. It is refused if
        /// objects were dropped since. A [`Self::Push`] names none, and is refused if objects were
        /// ever dropped.
        checked: u64,
    },
    /// From machine version 6 on: maintenance puts packs in the place of others.
    ReplacePacks(Replacement),
}

impl Command {
    /// The machine version from which on every replica knows this kind of
    /// entry. It is not proposed before.
    pub fn machine_version(&self) -> u32 {
        match self {
            Self::SetPolicies { .. } => POLICIES_VERSION,
            Self::Advance { .. } | Self::BarrierPassed { .. } => COLLECTION_VERSION,
            Self::ChangeMembers { .. } => MEMBERS_VERSION,
            Self::Hold { .. } | Self::Release(_) | Self::Restore(_) => BACKUP_VERSION,
            Self::ChangeSlots { .. } | Self::Import(_) | Self::ForgetSlots => SLOTS_VERSION,
            Self::CheckedPush { .. } | Self::ReplacePacks(_) => REPLACEMENT_VERSION,
            _ => 1,
        }
    }
}

/// Who joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Where it listens for control and Raft.
    pub control: String,
    /// Where it listens for bulk.
    pub bulk: String,
    /// Its failure domain smaller than a region.
    pub zone: String,
    /// Its region.
    pub region: String,
    /// Its share of the content, relative to the others'.
    pub capacity: u64,
}

/// The content of a staged part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Staged {
    /// Chunks of a manifest, in order, with who holds them.
    Chunks {
        /// At most [`MANIFEST_PART_CHUNKS`](crate::limits::MANIFEST_PART_CHUNKS).
        chunks: Vec<ChunkRef>,
        /// As many chunks as there are, with indexes into the receipts of the
        /// certificate in the entry that completes the upload.
        runs: Vec<Run>,
    },
    /// Ref commands of a push, in order; at most
    /// [`PUSH_PART_COMMANDS`](crate::limits::PUSH_PART_COMMANDS).
    Commands(Vec<RefCommand>),
}

/// A command's result and where to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Shows the write to whoever reads at it.
    pub token: Token,
    /// The result.
    pub reply: Reply,
}

/// What a command that took effect answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// The id of the node that joined.
    Joined(NodeId),
    /// What became of a push.
    Pushed(Pushed),
    /// The command was refused, alike on every replica, and changed nothing. A
    /// refusal is remembered like a success: trying again after the cause is
    /// gone takes a new request id. Not that another group owns the slot: that one may yet do it.
    Refused(Refusal),
}

/// Why a proposal failed without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ProposeError {
    /// No leader was reached before anything was sent.
    #[error("commit in group {group}: no leader was found; try again")]
    NoLeader {
        /// The group.
        group: GroupId,
    },
    /// The leader was lost while it worked.
    #[error(
        "commit in group {group}: the leader was lost, the write may have happened; retry with the same id"
    )]
    Interrupted {
        /// The group.
        group: GroupId,
    },
    /// Larger than an entry may be.
    #[error(
        "commit: the command has {bytes} bytes, the limit is {}",
        crate::limits::MAX_COMMAND_BYTES
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Too many proposals are waiting.
    #[error("commit in group {group}: too many writes are waiting; try again later")]
    Overloaded {
        /// The group.
        group: GroupId,
    },
    /// The disk is nearly full: only reads are served.
    #[error("commit: the storage is full; free space or add nodes")]
    Full,
    /// Some node may run a release that does not know this kind of entry.
    #[error(
        "commit: this takes machine version {needed}, the cluster is at {actual}; upgrade all nodes first"
    )]
    TooEarly {
        /// What it takes.
        needed: u32,
        /// What every replica is known to understand.
        actual: u32,
    },
}

impl ProposeError {
    /// Whether the command may have been applied.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Interrupted { .. } => Effect::Unknown,
            _ => Effect::None,
        }
    }

    /// How to go on.
    pub fn retry(&self) -> Retry {
        match self {
            Self::TooLarge { .. } | Self::Full | Self::TooEarly { .. } => Retry::Never,
            _ => Retry::After(Duration::from_millis(100)),
        }
    }
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ReadError {
    /// No replica could prove that it is fresh enough.
    #[error("read from group {group}: no replica is fresh enough; try again")]
    Unavailable {
        /// The group.
        group: GroupId,
    },
    /// The replica's own state could not be read; it has stopped.
    #[error("read from group {group}: the replica has failed")]
    ReplicaFailed {
        /// The group.
        group: GroupId,
    },
    /// An answer of another kind than the query's: a peer of another version.
    #[error("read from group {group}: the answer is of another kind than the query")]
    UnexpectedAnswer {
        /// The group.
        group: GroupId,
    },
}

/// A node that has joined, as [`Command::Join`] makes it.
impl Join {
    /// The map entry of this node under its new id.
    pub fn into_node(self, id: NodeId) -> Node {
        Node {
            id,
            control: self.control,
            bulk: self.bulk,
            zone: self.zone,
            region: self.region,
            capacity: self.capacity,
            incarnation: Incarnation(0),
            draining: false,
        }
    }
}
