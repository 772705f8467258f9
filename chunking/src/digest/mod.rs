//! Hashes of a whole stream, as many as a caller needs, in one pass.
//!
//! Every package format checks another one of them; the bytes are read once
//! and go through all. Each is the crate's own implementation, which picks the
//! processor's instructions for it at run time.

mod hasher;
mod hashes;
mod set;
#[cfg(test)]
mod tests;

pub use hashes::Hashes;
pub use set::{DigestKind, DigestSet};

pub(crate) use hasher::Hasher;

/// Computes several hashes of one stream on the calling thread.
#[derive(Clone, Debug)]
pub struct Digests {
    hashers: Vec<Hasher>,
}

impl Digests {
    /// Hashes at the start of a stream.
    pub fn new(set: DigestSet) -> Self {
        Self {
            hashers: set.kinds().map(Hasher::new).collect(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        for hasher in &mut self.hashers {
            hasher.update(bytes);
        }
    }

    /// The hashes of all bytes taken.
    pub fn finish(self) -> Hashes {
        let mut hashes = Hashes::default();
        for hasher in self.hashers {
            hasher.finish(&mut hashes);
        }
        hashes
    }
}
