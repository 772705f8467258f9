use std::fmt;
use std::str::FromStr;

use chunking::ChunkId;
use serde::{Deserialize, Serialize};

use super::Sealed;

/// The name of a pack: the BLAKE3 of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct PackId(pub(crate) ChunkId);

impl PackId {
    /// The id of a pack of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(ChunkId::of(bytes))
    }
}

impl FromStr for PackId {
    type Err = <ChunkId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is in a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// The pack.
    pub(crate) pack: PackId,
    /// Its length.
    pub(crate) length: u64,
    /// Its chunks, in the order of their bytes.
    pub(crate) entries: Vec<Entry>,
}

/// Where a chunk is in its pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) chunk: ChunkId,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl Sealed for Index {
    const MAGIC: [u8; 4] = *b"DFbi";
}
