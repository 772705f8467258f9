use std::io;
use std::path::PathBuf;

use git_id::ObjectId;

use crate::Kind;
use crate::defect::Defect;
use crate::fsck::FsckProblem;
use crate::objects::{OpenError, ReadError};
use crate::resolve::ResolveError;

/// Why a pack was not received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The input failed.
    #[error("cannot read the pack from the client")]
    Input(#[source] io::Error),
    /// The input ended before the pack did.
    #[error("the pack is cut off: the stream ended after {bytes} bytes, in the middle of it")]
    Truncated {
        /// Bytes that came.
        bytes: u64,
    },
    /// The input does not begin like a pack.
    #[error("what was sent is not a pack")]
    NotAPack,
    /// A pack format nobody knows.
    #[error("packs of version {version} are not supported; versions 2 and 3 are")]
    UnsupportedVersion {
        /// The version in its header.
        version: u32,
    },
    /// The pack is over the limit.
    #[error(
        "the pack has more than {limit} bytes, the most this server accepts in one push; push in smaller steps"
    )]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// The pack announces too many objects.
    #[error(
        "the pack has {objects} objects; this server accepts at most {limit} in one push; push in smaller steps"
    )]
    TooManyObjects {
        /// How many it announces.
        objects: u32,
        /// The most allowed.
        limit: u32,
    },
    /// An object is over the limit.
    #[error(
        "an object of {size} bytes at offset {offset} of the pack is over this server's limit of {limit} bytes"
    )]
    ObjectTooLarge {
        /// Where in the pack.
        offset: u64,
        /// Its size in bytes.
        size: u64,
        /// The most allowed.
        limit: u64,
    },
    /// An object is damaged.
    #[error("the pack is corrupt: the object at offset {offset} is unreadable: {defect}")]
    Corrupt {
        /// Where in the pack.
        offset: u64,
        /// What is wrong with it.
        defect: Defect,
    },
    /// The bytes are not those that were sent.
    #[error("the pack is corrupt: its checksum is {computed}, not {stated} as it says")]
    ChecksumMismatch {
        /// Over the bytes that came.
        computed: ObjectId,
        /// At the pack's end.
        stated: ObjectId,
    },
    /// Deltas build on an object that is neither sent nor stored.
    #[error(
        "the pack is incomplete: {deltas} deltas are unresolved; object {base} that they build on is missing here; \
         fetch and push again"
    )]
    MissingBase {
        /// The object.
        base: ObjectId,
        /// How many deltas wait.
        deltas: u32,
    },
    /// An object that was built to have the name of another.
    #[error("object number {entry} of the pack is a SHA-1 collision attack")]
    Collision {
        /// Which object, in the order of the pack, from 0.
        entry: u32,
    },
    /// An object fails git's strict checks.
    #[error("object {id}: {problem}")]
    Fsck {
        /// The object.
        id: ObjectId,
        /// What it is.
        kind: Kind,
        /// What is wrong with it.
        problem: FsckProblem,
    },
    /// An object is in the pack more than once.
    #[error("object {id} appears twice in the pack")]
    Duplicate {
        /// The object.
        id: ObjectId,
    },
    /// An object is not what one that refers to it says.
    #[error("object {id} is a {actual}, but {referrer} takes it for a {expected}")]
    WrongKind {
        /// The object.
        id: ObjectId,
        /// What it is.
        actual: Kind,
        /// What it is taken for.
        expected: Kind,
        /// By which object.
        referrer: ObjectId,
    },
    /// A stored object that is needed is unreadable.
    #[error("cannot read a stored object that the pack builds on")]
    Base(#[source] ReadError),
    /// The quarantined pack could not be opened again.
    #[error("cannot open the received pack")]
    Reopen(#[source] OpenError),
    /// The disk failed.
    #[error("cannot {action} {path}", path = path.display())]
    Store {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller no longer wants the pack.
    #[error("cancelled")]
    Cancelled,
}

impl ReceiveError {
    /// A defect at an offset; what is too large has its own error.
    pub(super) fn at(offset: u64, defect: Defect) -> Self {
        match defect {
            Defect::TooLarge { size, limit } => Self::ObjectTooLarge {
                offset,
                size,
                limit,
            },
            defect => Self::Corrupt { offset, defect },
        }
    }
}

impl From<ResolveError<Self>> for ReceiveError {
    fn from(error: ResolveError<Self>) -> Self {
        match error {
            ResolveError::Corrupt { offset, defect } => Self::at(offset, defect),
            ResolveError::Examine(error) => error,
            ResolveError::Cancelled => Self::Cancelled,
        }
    }
}
