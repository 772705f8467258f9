//! What the objects of a backup look like.
//!
//! | object | holds |
//! |---|---|
//! | `packs/<id>` | chunks one after the other; the id is the BLAKE3 of all |
//! | `indexes/<id>` | sealed: which chunks are in the pack of that id, and where |
//! | `backups/<id>` | sealed: one backup, written last |
//! | `taking/<id>`, `pruning/<id>` | sealed: the mark of who takes or prunes at the moment |
//!
//! A *sealed* object is four bytes that say what it is, a byte for its version,
//! postcard, and the BLAKE3 of all that. A release reads all versions that
//! earlier ones wrote and refuses later ones by name.

mod id;
mod index;
mod manifest;
mod record;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use id::{BackupId, ParseBackupIdError};
pub(crate) use index::{Entry, Index, PackId};
pub use manifest::Totals;
pub(crate) use manifest::{Manifest, Stream};
pub(crate) use record::{FactsRecord, GroupsRecord};

const HASH: usize = 32;
const VERSION: u8 = 1;

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// There is no such object.
    #[error("it is missing")]
    Missing,
    /// Another length than it should have.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// What it should have.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// More than such an object can have.
    #[error("it is longer than such an object can be")]
    TooLong,
    /// Bytes that its checksum does not cover.
    #[error("its bytes have another hash than they were written with")]
    Hash,
    /// No object of this kind.
    #[error("it is no object of this kind")]
    Kind,
    /// Written by a later release.
    #[error("it has version {0}, this release knows {VERSION}: use a newer one")]
    Version(u8),
    /// Its checksum is right and its content makes no sense.
    #[error("its content cannot be read")]
    Content,
    /// A chunk that the indexes do not have.
    #[error("chunk {0} is in none of its packs")]
    NoChunk(chunking::ChunkId),
    /// A chunk at whose place there is something else.
    #[error("chunk {0} has other bytes")]
    Chunk(chunking::ChunkId),
    /// Records that contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// A kind of sealed object.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    /// The first bytes of such an object. Stable.
    const MAGIC: [u8; 4];
}

pub(crate) fn seal<T: Sealed>(value: &T) -> Vec<u8> {
    let mut bytes = T::MAGIC.to_vec();
    bytes.push(VERSION);
    let mut bytes = postcard::to_extend(value, bytes)
        .expect("a sealed object consists of what postcard encodes, into a vector that grows");
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    bytes
}

pub(crate) fn unseal<T: Sealed>(bytes: &[u8]) -> Result<T, Damage> {
    let content = bytes.len().checked_sub(HASH).ok_or(Damage::Hash)?;
    let (content, hash) = bytes.split_at(content);
    if blake3::hash(content).as_bytes() != hash {
        return Err(Damage::Hash);
    }
    let rest = content.strip_prefix(&T::MAGIC).ok_or(Damage::Kind)?;
    match rest.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((value, [])) => Ok(value),
            _ => Err(Damage::Content),
        },
        Some((version, _)) => Err(Damage::Version(*version)),
        None => Err(Damage::Kind),
    }
}
