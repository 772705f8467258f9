//! The list of chunks that a blob is made of.

mod locate;
#[cfg(test)]
mod tests;
mod validate;

pub use locate::Located;
pub use validate::ManifestError;

use serde::{Deserialize, Serialize};

use crate::chunk::ChunkRef;
use crate::id::{BlobId, Root};
use crate::profile::Profile;

/// Separates the hash of a manifest from every other BLAKE3 hash. Fixed for
/// ever, like the encoding that it names.
const ROOT_CONTEXT: &str = "devflow chunking 2025 manifest v1";

/// What a blob is: its name, its length and its chunks in order.
///
/// One that comes from a network or a disk is only a claim until
/// [`validate`](Self::validate) has passed; and that the chunks' bytes have
/// the hash `blob` is known only after they have been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How the blob was cut.
    pub profile: Profile,
    /// The SHA-256 of the whole blob.
    pub blob: BlobId,
    /// The blob's length in bytes.
    pub length: u64,
    /// The chunks in the order of the bytes; none for an empty blob.
    pub chunks: Vec<ChunkRef>,
}

impl Manifest {
    /// The manifest's own name: equal for equal manifests and only for those.
    ///
    /// It is the BLAKE3 hash, in key derivation mode with a fixed context, of
    /// the canonical encoding: the profile's number (1 byte), the blob's id
    /// (32), the blob's length (8, little-endian), the number of chunks (8,
    /// little-endian), and for each chunk its id (32) and length (4,
    /// little-endian).
    pub fn digest(&self) -> Root {
        let mut hasher = blake3::Hasher::new_derive_key(ROOT_CONTEXT);
        hasher.update(&[self.profile.number()]);
        hasher.update(self.blob.as_bytes());
        hasher.update(&self.length.to_le_bytes());
        hasher.update(&(self.chunks.len() as u64).to_le_bytes());
        for chunk in &self.chunks {
            hasher.update(chunk.id.as_bytes());
            hasher.update(&chunk.length.to_le_bytes());
        }
        Root::from_bytes(hasher.finalize().into())
    }
}
