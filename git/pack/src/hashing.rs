//! Object names and pack checksums.
//!
//! Names are computed with collision detection, as git does: an attacker can
//! choose objects. The checksum at a pack's end guards against accidents only and
//! uses the plain, faster function.

use git_id::{HashKind, ObjectId};
use sha1::Digest as _;

use crate::Kind;

/// An object made to collide with another under SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collision;

/// Computes the name of an object whose content comes in pieces.
pub(crate) struct ObjectHasher {
    hasher: gix_hash::Hasher,
}

impl ObjectHasher {
    pub(crate) fn new(hash: HashKind, kind: Kind, size: u64) -> Self {
        let mut hasher = gix_hash::hasher(gix_kind(hash));
        let mut header = [0; 28];
        let length = {
            let mut rest = &mut header[..];
            std::io::Write::write_fmt(&mut rest, format_args!("{} {size}\0", kind.name()))
                .expect("the longest kind and size fit");
            28 - rest.len()
        };
        hasher.update(&header[..length]);
        Self { hasher }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(crate) fn finish(self) -> Result<ObjectId, Collision> {
        self.hasher
            .try_finalize()
            .map(|id| from_gix(&id))
            .map_err(|_| Collision)
    }
}

/// The name of an object.
pub(crate) fn object_id(hash: HashKind, kind: Kind, data: &[u8]) -> Result<ObjectId, Collision> {
    let mut hasher = ObjectHasher::new(hash, kind, data.len() as u64);
    hasher.update(data);
    hasher.finish()
}

/// The checksum over a pack or index, without collision detection.
#[derive(Clone)]
pub(crate) enum Checksum {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Checksum {
    pub(crate) fn new(hash: HashKind) -> Self {
        match hash {
            HashKind::Sha1 => Self::Sha1(sha1::Sha1::new()),
            HashKind::Sha256 => Self::Sha256(sha2::Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> ObjectId {
        match self {
            Self::Sha1(hasher) => ObjectId::from_bytes(&hasher.finalize()),
            Self::Sha256(hasher) => ObjectId::from_bytes(&hasher.finalize()),
        }
        .expect("a digest has the length of an id")
    }
}

pub(crate) const fn gix_kind(hash: HashKind) -> gix_hash::Kind {
    match hash {
        HashKind::Sha1 => gix_hash::Kind::Sha1,
        HashKind::Sha256 => gix_hash::Kind::Sha256,
    }
}

pub(crate) fn from_gix(id: &gix_hash::oid) -> ObjectId {
    ObjectId::from_bytes(id.as_bytes()).expect("the library knows the same hashes")
}

#[cfg(test)]
mod tests {
    use git_id::HashKind;

    use super::{Checksum, object_id};
    use crate::Kind;

    #[test]
    fn the_names_are_those_of_git() {
        let empty_tree = object_id(HashKind::Sha1, Kind::Tree, b"").unwrap();
        assert_eq!(
            empty_tree.to_string(),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
        let empty_tree = object_id(HashKind::Sha256, Kind::Tree, b"").unwrap();
        assert_eq!(
            empty_tree.to_string(),
            "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        );
    }

    #[test]
    fn checksums_are_the_plain_functions() {
        let mut sum = Checksum::new(HashKind::Sha1);
        sum.update(b"abc");
        assert_eq!(
            sum.finish().to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }
}
