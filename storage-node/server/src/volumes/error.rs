use std::io;
use std::sync::Arc;

use chunking::ChunkId;
use kv::KvError;

use super::cold;
use super::volume::{Damage, VolumeId};

/// Why a chunk store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk has less free space than the reserve. Reads are served.
    #[error("store chunks: the disk is nearly full; free space on it")]
    Full,
    /// An earlier write failed. No more are taken until the store is opened
    /// anew, because only that tells what reached the disk. Reads are served.
    #[error("store chunks: the disk failed, no more writes are taken; check it and restart")]
    Failing,
    /// The bytes of a chunk are not what its id says.
    #[error("store chunk {chunk}: its bytes have another hash")]
    Mismatch {
        /// The id that was claimed.
        chunk: ChunkId,
    },
    /// A chunk without bytes, or with more than a chunk may have.
    #[error("store chunk {chunk}: {bytes} bytes are not the size of a chunk")]
    Size {
        /// The id that was claimed.
        chunk: ChunkId,
        /// How many bytes came.
        bytes: usize,
    },
    /// All that was asked for and is held is in the cold store, which cannot be
    /// used at the moment.
    #[error("read chunks: {cause}; they can be read from peers")]
    Away {
        /// Why.
        cause: Arc<str>,
    },
    /// The index could not be read.
    #[error("look up chunks in the index")]
    Index(#[source] Arc<KvError>),
    /// The process is shutting down. Whether the chunks were stored is unknown.
    #[error("the chunk store is shutting down")]
    ShuttingDown,
}

impl From<KvError> for StoreError {
    fn from(error: KvError) -> Self {
        Self::Index(Arc::new(error))
    }
}

/// Why a chunk store could not be opened. Nothing was changed that a later
/// attempt cannot repeat.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file could not be listed, read or written.
    #[error("open the chunk store: {doing} {name}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        name: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The index could not be read or written.
    #[error("open the chunk store: bring the index up to date")]
    Index(#[from] KvError),
    /// The volume was written by a later release.
    #[error(
        "{volume} has format {format}, which this release does not know: run the release that wrote it"
    )]
    Newer {
        /// Which volume.
        volume: VolumeId,
        /// Its format.
        format: u32,
    },
    /// The volume belongs to another node or cluster.
    #[error("{volume} belongs to another node or cluster: this is not the right data directory")]
    Foreign {
        /// Which volume.
        volume: VolumeId,
    },
    /// The cold store, or what is known of it.
    #[error("open the chunk store: {0}")]
    Cold(cold::OpenError),
    /// The process is shutting down.
    #[error("open the chunk store: the process is shutting down")]
    ShuttingDown,
}

/// Reports damage where it is found.
pub(super) fn report(damage: &Damage) {
    tracing::error!(
        volume = %damage.volume,
        from = damage.from,
        to = damage.to,
        "records are unreadable: their chunks must be fetched from peers"
    );
}
