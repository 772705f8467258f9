use serde::Serialize;

/// A tag.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Tag {
    pub(in crate::api) name: String,
    pub(in crate::api) message: String,
    /// The tag object, or the commit of a tag that is none.
    pub(in crate::api) id: String,
    pub(in crate::api) commit: TagCommit,
    pub(in crate::api) zipball_url: String,
    pub(in crate::api) tarball_url: String,
}

/// The commit that a tag names in the end.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct TagCommit {
    pub(in crate::api) sha: String,
    pub(in crate::api) url: String,
    pub(in crate::api) created: String,
}
