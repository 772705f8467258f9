use git_id::RefName;
use storage_node_api::RepositoryId;
use storage_node_api::refs::Target;

use super::{Family, Key, Parts, write_repository};
use crate::reader::Span;

/// One reference. Its name is the end of the key, so that references order as
/// git orders them and those below a directory are neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefKey {
    pub(crate) repository: RepositoryId,
    pub(crate) name: RefName,
}

impl RefKey {
    /// All references of a repository.
    pub(crate) fn of(repository: RepositoryId) -> Span {
        Span::prefix(Self::prefix(repository, ""))
    }

    /// Those below the directory of this name.
    pub(crate) fn below(repository: RepositoryId, directory: &str) -> Span {
        let mut prefix = Self::prefix(repository, directory);
        prefix.push(b'/');
        Span::prefix(prefix)
    }

    /// The key of a name that need not be a valid one.
    pub(crate) fn prefix(repository: RepositoryId, name: &str) -> Vec<u8> {
        let mut key = vec![Family::Ref as u8];
        write_repository(repository, &mut key);
        key.extend(name.as_bytes());
        key
    }
}

impl Key for RefKey {
    const FAMILY: Family = Family::Ref;
    type Value = Target;

    fn write(&self, out: &mut Vec<u8>) {
        write_repository(self.repository, out);
        out.extend(self.name.as_str().as_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let repository = parts.repository()?;
        let name = RefName::from_bytes(parts.rest()).ok()?;
        Some(Self { repository, name })
    }
}
