use git_id::ObjectId;
use storage_node_api::RepositoryId;
use storage_node_api::repository::Pack;

use super::{Family, Key, Parts, write_repository};
use crate::reader::Span;

/// One pack of a repository's list. Numbers grow and are not reused, so that
/// the list is in the order in which packs came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackKey {
    pub(crate) repository: RepositoryId,
    pub(crate) number: u32,
}

/// The number of the pack with this checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackNumberKey {
    pub(crate) repository: RepositoryId,
    pub(crate) checksum: ObjectId,
}

impl PackKey {
    /// All packs of a repository.
    pub(crate) fn of(repository: RepositoryId) -> Span {
        let mut prefix = vec![Family::Pack as u8];
        write_repository(repository, &mut prefix);
        Span::prefix(prefix)
    }
}

impl Key for PackKey {
    const FAMILY: Family = Family::Pack;
    type Value = Pack;

    fn write(&self, out: &mut Vec<u8>) {
        write_repository(self.repository, out);
        out.extend(self.number.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let repository = parts.repository()?;
        Some(Self {
            repository,
            number: parts.u32()?,
        })
    }
}

impl Key for PackNumberKey {
    const FAMILY: Family = Family::PackNumber;
    type Value = u32;

    fn write(&self, out: &mut Vec<u8>) {
        write_repository(self.repository, out);
        out.extend(self.checksum.as_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let repository = parts.repository()?;
        let checksum = ObjectId::from_bytes(parts.rest())?;
        Some(Self {
            repository,
            checksum,
        })
    }
}
