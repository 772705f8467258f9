use std::fs;
use std::io;
use std::path::Path;

use git_id::ObjectId;
use sha2::{Digest as _, Sha256};

use super::{Edges, Expected, External};
use crate::derived::store;

const SIGNATURE: &[u8; 8] = b"DVFEDGE1";

/// Bytes of the SHA-256 that ends the file.
const DIGEST_BYTES: usize = 32;

impl Edges {
    /// The sidecar's content: signature, checksum of the pack, three counts, roots,
    /// externals (name, expected kinds, referrer), completed, SHA-256 of all that.
    pub(crate) fn to_bytes(&self, pack: ObjectId) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend_from_slice(pack.as_bytes());
        for count in [self.roots.len(), self.externals.len(), self.completed.len()] {
            out.extend_from_slice(&(count as u64).to_be_bytes());
        }
        for id in &self.roots {
            out.extend_from_slice(id.as_bytes());
        }
        for external in &self.externals {
            out.extend_from_slice(external.id.as_bytes());
            out.push(external.expected.bits());
            out.extend_from_slice(external.referrer.as_bytes());
        }
        for id in &self.completed {
            out.extend_from_slice(id.as_bytes());
        }
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    /// Writes a sidecar at `path`, all or nothing.
    pub(crate) fn store(&self, path: &Path, pack: ObjectId) -> io::Result<()> {
        store(path, &self.to_bytes(pack))
    }

    /// Reads a sidecar of the pack with that checksum. Absent, damaged or foreign
    /// ones are as good as none.
    pub(crate) fn load(path: &Path, pack: ObjectId) -> Option<Self> {
        Self::from_bytes(&fs::read(path).ok()?, pack)
    }

    fn from_bytes(bytes: &[u8], pack: ObjectId) -> Option<Self> {
        let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
        if Sha256::digest(content).as_slice() != digest {
            return None;
        }
        let id_length = pack.kind().len_bytes();
        let rest = content
            .strip_prefix(SIGNATURE)?
            .strip_prefix(pack.as_bytes())?;
        let (counts, rest) = rest.split_at_checked(24)?;
        let count = |at: usize| {
            usize::try_from(u64::from_be_bytes(counts[at..at + 8].try_into().ok()?)).ok()
        };
        let (roots, rest) = rest.split_at_checked(count(0)?.checked_mul(id_length)?)?;
        let (externals, completed) =
            rest.split_at_checked(count(8)?.checked_mul(2 * id_length + 1)?)?;
        if completed.len() != count(16)?.checked_mul(id_length)? {
            return None;
        }
        let ids = |bytes: &[u8]| {
            bytes
                .chunks_exact(id_length)
                .map(ObjectId::from_bytes)
                .collect::<Option<Vec<_>>>()
        };
        let external = |bytes: &[u8]| {
            Some(External {
                id: ObjectId::from_bytes(&bytes[..id_length])?,
                expected: Expected::from_bits(bytes[id_length])?,
                referrer: ObjectId::from_bytes(&bytes[id_length + 1..])?,
            })
        };
        let externals = externals
            .chunks_exact(2 * id_length + 1)
            .map(external)
            .collect::<Option<_>>()?;
        Some(Self {
            roots: ids(roots)?,
            externals,
            completed: ids(completed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use git_id::ObjectId;

    use super::{Edges, Expected, External};
    use crate::Kind;

    #[test]
    fn a_sidecar_is_believed_only_whole_and_for_its_own_pack() {
        let id = |byte| ObjectId::from_bytes(&[byte; 20]).unwrap();
        let external = External {
            id: id(3),
            expected: Expected::of(Kind::Tree),
            referrer: id(4),
        };
        let edges = Edges {
            roots: vec![id(1), id(2)],
            externals: vec![external],
            completed: vec![id(5)],
        };
        let bytes = edges.to_bytes(id(9));
        assert_eq!(Edges::from_bytes(&bytes, id(9)), Some(edges));
        assert_eq!(Edges::from_bytes(&bytes, id(8)), None);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Edges::from_bytes(&damaged, id(9)), None, "byte {at}");
            assert_eq!(Edges::from_bytes(&bytes[..at], id(9)), None, "length {at}");
        }
    }
}
