//! One running hash of any function.

use std::fmt;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{DigestKind, Hashes};

/// The state of one hash function over one stream.
#[derive(Clone)]
pub(crate) enum Hasher {
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
    Sha1(Sha1),
    Sha512(Sha512),
    Md5(Md5),
}

impl Hasher {
    pub(crate) fn new(kind: DigestKind) -> Self {
        match kind {
            DigestKind::Blake3 => Self::Blake3(Box::default()),
            DigestKind::Sha256 => Self::Sha256(Sha256::new()),
            DigestKind::Sha1 => Self::Sha1(Sha1::new()),
            DigestKind::Sha512 => Self::Sha512(Sha512::new()),
            DigestKind::Md5 => Self::Md5(Md5::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    /// Ends the stream and writes the hash to its field.
    pub(crate) fn finish(self, hashes: &mut Hashes) {
        match self {
            Self::Blake3(hasher) => hashes.blake3 = Some(hasher.finalize().into()),
            Self::Sha256(hasher) => hashes.sha256 = Some(hasher.finalize().into()),
            Self::Sha1(hasher) => hashes.sha1 = Some(hasher.finalize().into()),
            Self::Sha512(hasher) => hashes.sha512 = Some(hasher.finalize().into()),
            Self::Md5(hasher) => hashes.md5 = Some(hasher.finalize().into()),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blake3(_) => "Blake3",
            Self::Sha256(_) => "Sha256",
            Self::Sha1(_) => "Sha1",
            Self::Sha512(_) => "Sha512",
            Self::Md5(_) => "Md5",
        })
    }
}
