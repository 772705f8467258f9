use git_id::{HashKind, RefName};
use serde::{Deserialize, Serialize};
use storage_node_api::repository::{Repository, State};
use storage_node_api::{DedupDomain, RepositoryId, Timestamp};

use super::{Family, Key, Parts, write_repository};

/// One repository's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryKey(pub(crate) RepositoryId);

/// What is kept of a repository besides its refs and packs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) hash: HashKind,
    pub(crate) head: RefName,
    pub(crate) domain: DedupDomain,
    pub(crate) state: State,
    pub(crate) version: u64,
    pub(crate) packs: u32,
    /// The number that the next pack of the list gets.
    pub(crate) next_pack: u32,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) changed: Timestamp,
    /// The repository that it was made as a fork of.
    pub(crate) origin: Option<RepositoryId>,
}

impl Record {
    /// As readers see it.
    pub(crate) fn into_repository(self, id: RepositoryId) -> Repository {
        Repository {
            id,
            hash: self.hash,
            head: self.head,
            domain: self.domain,
            state: self.state,
            version: self.version,
            packs: self.packs,
            bytes: self.bytes,
            events: self.events,
            changed: self.changed,
        }
    }
}

impl Key for RepositoryKey {
    const FAMILY: Family = Family::Repository;
    type Value = Record;

    fn write(&self, out: &mut Vec<u8>) {
        write_repository(self.0, out);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.repository().map(Self)
    }
}
