use serde::{Deserialize, Serialize};
use storage_node_api::RepositoryId;

use super::{Family, Key, Parts, write_repository};

/// When packs of a repository were replaced. There is none before the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplacedKey(pub(crate) RepositoryId);

/// The versions that replacements led to; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replaced {
    /// The last one did.
    pub(crate) last: u64,
    /// The last one that dropped objects did.
    pub(crate) dropped: u64,
}

impl Key for ReplacedKey {
    const FAMILY: Family = Family::Replaced;
    type Value = Replaced;

    fn write(&self, out: &mut Vec<u8>) {
        write_repository(self.0, out);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.repository().map(Self)
    }
}
