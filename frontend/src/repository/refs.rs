use git_serve::{Head, RefSnapshot, Reference};
use storage_node_api::refs::RefList;

/// All refs at one version of a repository.
#[derive(Debug)]
pub(crate) struct VersionedRefs {
    /// The version.
    pub(crate) version: u64,
    /// The refs.
    pub(crate) snapshot: std::sync::Arc<RefSnapshot>,
}

impl From<RefList> for VersionedRefs {
    fn from(list: RefList) -> Self {
        let refs = list
            .refs
            .into_iter()
            .map(|entry| Reference::new(entry.name, entry.target.id, entry.target.peeled))
            .collect();
        let snapshot = RefSnapshot::new(Some(Head::Symbolic(list.head)), refs);
        Self {
            version: list.version,
            snapshot: std::sync::Arc::new(snapshot),
        }
    }
}
