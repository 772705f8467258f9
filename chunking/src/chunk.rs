//! A piece of a blob, with its bytes and without.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::ChunkId;

/// A chunk in memory.
///
/// Where the cut allowed it, `bytes` is a view into a piece that the caller
/// pushed and keeps that piece's memory alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The BLAKE3 hash of `bytes`.
    pub id: ChunkId,
    /// The content; never empty, at most [`MAX_CHUNK_BYTES`](crate::MAX_CHUNK_BYTES).
    pub bytes: Bytes,
}

/// A chunk as a manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkRef {
    /// The chunk's name.
    pub id: ChunkId,
    /// The chunk's length in bytes.
    pub length: u32,
}
