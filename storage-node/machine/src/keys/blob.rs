use chunking::{BlobId, ChunkRef, Profile};
use serde::{Deserialize, Serialize};
use storage_node_api::{BlobOwner, DedupDomain, Generation, OwnerId, RepositoryId, Slot};

use super::{Family, Key, Parts, write_slot};
use crate::reader::Span;

/// A blob that has owners. Of each domain apart: its chunks were put for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobKey {
    pub(crate) slot: Slot,
    pub(crate) domain: DedupDomain,
    pub(crate) blob: BlobId,
}

/// A blob's manifest without its chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobHeader {
    pub(crate) length: u64,
    pub(crate) profile: Profile,
    pub(crate) chunks: u32,
    /// How many owners it has; 0 for one that was removed and is still listed.
    pub(crate) owners: u64,
}

/// Consecutive chunks of a blob's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobPartKey {
    pub(crate) blob: BlobKey,
    pub(crate) part: u32,
}

/// One owner of a blob; holds the domain in which it owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnerKey {
    pub(crate) slot: Slot,
    pub(crate) blob: BlobId,
    pub(crate) owner: BlobOwner,
}

/// A blob that has lost its last owner and is listed until the group's next
/// barrier; holds the generation of the barrier before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemovedKey(pub(crate) BlobKey);

impl RemovedKey {
    /// All of them.
    pub(crate) fn all() -> Span {
        Span::prefix(vec![Family::Removed as u8])
    }
}

impl Key for RemovedKey {
    const FAMILY: Family = Family::Removed;
    type Value = Generation;

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        BlobKey::read(parts).map(Self)
    }
}

/// Tags of the kinds of owners. Stable: stored, never reused.
const REPOSITORY: u8 = 1;
const NAMED: u8 = 2;

impl BlobPartKey {
    /// All parts of a blob's manifest.
    pub(crate) fn of(blob: BlobKey) -> Span {
        let mut prefix = vec![Family::BlobPart as u8];
        blob.write(&mut prefix);
        Span::prefix(prefix)
    }

    /// All parts of all manifests, or those after a given one.
    pub(crate) fn after(last: Option<&Self>) -> Span {
        let mut all = Span::prefix(vec![Family::BlobPart as u8]);
        if let Some(last) = last {
            all.from = last.encode();
            all.from.push(0);
        }
        all
    }
}

impl Key for BlobKey {
    const FAMILY: Family = Family::Blob;
    type Value = BlobHeader;

    fn write(&self, out: &mut Vec<u8>) {
        write_slot(self.slot, out);
        out.extend(self.domain.0.to_be_bytes());
        out.extend(self.blob.as_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        Some(Self {
            slot: parts.slot()?,
            domain: parts.u64().map(DedupDomain)?,
            blob: parts.array().map(BlobId::from_bytes)?,
        })
    }
}

impl Key for BlobPartKey {
    const FAMILY: Family = Family::BlobPart;
    type Value = Vec<ChunkRef>;

    fn write(&self, out: &mut Vec<u8>) {
        self.blob.write(out);
        out.extend(self.part.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        Some(Self {
            blob: BlobKey::read(parts)?,
            part: parts.u32()?,
        })
    }
}

impl Key for OwnerKey {
    const FAMILY: Family = Family::Owner;
    type Value = DedupDomain;

    fn write(&self, out: &mut Vec<u8>) {
        write_slot(self.slot, out);
        out.extend(self.blob.as_bytes());
        let (tag, id) = match self.owner {
            BlobOwner::Repository(id) => (REPOSITORY, id.0),
            BlobOwner::Named(id) => (NAMED, id.0),
        };
        out.push(tag);
        out.extend(id);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let slot = parts.slot()?;
        let blob = parts.array().map(BlobId::from_bytes)?;
        let [tag] = parts.array()?;
        let id = parts.array()?;
        let owner = match tag {
            REPOSITORY => BlobOwner::Repository(RepositoryId(id)),
            NAMED => BlobOwner::Named(OwnerId(id)),
            _ => return None,
        };
        Some(Self { slot, blob, owner })
    }
}
