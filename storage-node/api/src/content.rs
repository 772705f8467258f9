//! Chunks: immutable bytes named by their BLAKE3, durable before anything
//! refers to them.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use serde::{Deserialize, Serialize};

use crate::{DedupDomain, Effect, Generation, Incarnation, MapEpoch, NodeId, Retry};

/// Where chunks are put and got.
#[async_trait]
pub trait Content: Debug + Send + Sync {
    /// Starts an upload session at the current generation and map epoch.
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError>;

    /// Makes chunks durable on a quorum of their placement and returns, in the
    /// same order, who holds each. Chunks that a node already has are pinned at
    /// the session's generation instead of being sent. On return, a crash of
    /// any failure domain within the policy loses none of them. Chunks of a
    /// failed put are garbage that collection takes.
    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError>;

    /// The bytes of chunks, in the order asked for, each verified against its
    /// id and length: one of another length than asked for is missing. At most [`limits::CHUNK_BATCH`](crate::limits::CHUNK_BATCH) at a time.
    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError>;
}

/// What an upload carries from its begin to its commit. A commit is refused
/// once its group has passed on to a later generation or epoch: touch again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The collector's clock when the session began.
    pub generation: Generation,
    /// The map that the session places by.
    pub epoch: MapEpoch,
    /// The boundary within which its chunks may be shared.
    pub domain: DedupDomain,
}

/// A node's answer that it holds chunks, synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// Who holds.
    pub node: NodeId,
    /// Since which start.
    pub incarnation: Incarnation,
    /// By which map.
    pub epoch: MapEpoch,
    /// Touched at least at this generation.
    pub generation: Generation,
    /// For which domain.
    pub domain: DedupDomain,
}

/// Who holds one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The chunk.
    pub chunk: ChunkId,
    /// One receipt per node, of a quorum of distinct failure domains.
    pub receipts: Vec<Receipt>,
}

/// The receipts that a commit needs, for the chunks of one manifest in order.
/// A manifest without chunks needs none.
///
/// Equal receipts are written once, and neighbouring chunks with the same
/// holders share a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The distinct receipts.
    pub receipts: Vec<Receipt>,
    /// Consecutive chunks and the indexes of their holders' receipts.
    pub runs: Vec<Run>,
}

/// Consecutive chunks with the same holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How many chunks, at least one.
    pub chunks: u32,
    /// Indexes into [`Certificate::receipts`].
    pub holders: Vec<u16>,
}

impl Certificate {
    /// Adds the next chunk of the manifest.
    pub fn push(&mut self, held: &Held) {
        let mut holders: Vec<u16> = held.receipts.iter().map(|r| self.index_of(r)).collect();
        holders.sort_unstable();
        match self.runs.last_mut() {
            Some(run) if run.holders == holders => run.chunks += 1,
            _ => self.runs.push(Run { chunks: 1, holders }),
        }
    }

    fn index_of(&mut self, receipt: &Receipt) -> u16 {
        let index = self
            .receipts
            .iter()
            .position(|r| r == receipt)
            .unwrap_or_else(|| {
                self.receipts.push(*receipt);
                self.receipts.len() - 1
            });
        // A cluster has far fewer nodes than that, and each has few receipts.
        u16::try_from(index).expect("fewer than 65,536 distinct receipts in one session")
    }
}

/// Why an upload session did not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum BeginError {
    /// No node answered with a map.
    #[error("begin an upload: no storage node answered; try again")]
    Unavailable,
}

/// Why a put failed. A failed put makes nothing visible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PutError {
    /// Too few nodes of the placement answered.
    #[error("put chunks: {held} of the {needed} failure domains needed hold them; try again")]
    NoQuorum {
        /// How many distinct failure domains hold the chunk held least.
        held: usize,
        /// How many the policy needs.
        needed: usize,
    },
    /// The disks of the placement are full.
    #[error("put chunks: the storage is full; free space or add nodes")]
    Full,
    /// The session began before a map or generation that is no longer accepted.
    #[error("put chunks: the upload session is too old; begin again")]
    SessionExpired,
    /// Bytes that are not what their id says.
    #[error("put chunk {chunk}: its bytes have another hash")]
    Mismatch {
        /// The id that was claimed.
        chunk: ChunkId,
    },
}

impl PutError {
    /// Chunks are invisible until a commit names them.
    pub fn effect(&self) -> Effect {
        Effect::None
    }

    /// How to go on.
    pub fn retry(&self) -> Retry {
        match self {
            Self::NoQuorum { .. } | Self::SessionExpired => {
                Retry::After(std::time::Duration::from_millis(200))
            }
            Self::Full | Self::Mismatch { .. } => Retry::Never,
        }
    }
}

/// Why chunks could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum GetError {
    /// No node that was reached has an intact copy.
    #[error("read chunk {chunk}: no reachable node has an intact copy")]
    Missing {
        /// The chunk.
        chunk: ChunkId,
    },
    /// More than a batch.
    #[error("read chunks: at most {} at a time", crate::limits::CHUNK_BATCH)]
    TooMany,
    /// No storage node answered.
    #[error("read chunks: no storage node answered; try again")]
    Unavailable,
    /// Some are in the cold store of a node, which cannot use it at the moment,
    /// and on no other node that was reached.
    #[error("read chunks: node {node} cannot use its cold store, and no other has them; try again")]
    ColdAway {
        /// Which node.
        node: NodeId,
    },
}
