use serde::Serialize;

use super::{CommitUser, Verification};

/// A tree, or a page of all that is below it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Tree {
    pub(in crate::api) sha: String,
    pub(in crate::api) url: String,
    pub(in crate::api) tree: Vec<TreeEntry>,
    pub(in crate::api) truncated: bool,
    pub(in crate::api) page: usize,
    pub(in crate::api) total_count: usize,
}

/// An entry of a tree.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct TreeEntry {
    pub(in crate::api) path: String,
    /// Six octal digits.
    pub(in crate::api) mode: String,
    #[serde(rename = "type")]
    pub(in crate::api) kind: &'static str,
    pub(in crate::api) size: u64,
    pub(in crate::api) sha: String,
    pub(in crate::api) url: String,
}

/// A blob.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Blob {
    /// In base64; nothing if it is over the limit.
    pub(in crate::api) content: Option<String>,
    pub(in crate::api) encoding: Option<&'static str>,
    pub(in crate::api) url: String,
    pub(in crate::api) sha: String,
    pub(in crate::api) size: u64,
}

/// A ref.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Reference {
    #[serde(rename = "ref")]
    pub(in crate::api) name: String,
    pub(in crate::api) url: String,
    pub(in crate::api) object: Target,
}

/// An object that a ref or a tag names.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Target {
    #[serde(rename = "type")]
    pub(in crate::api) kind: &'static str,
    pub(in crate::api) sha: String,
    pub(in crate::api) url: String,
}

/// A tag object.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct AnnotatedTag {
    pub(in crate::api) tag: String,
    pub(in crate::api) sha: String,
    pub(in crate::api) url: String,
    pub(in crate::api) message: String,
    pub(in crate::api) tagger: CommitUser,
    pub(in crate::api) object: Target,
    pub(in crate::api) verification: Verification,
}

/// What is at a path.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Contents {
    pub(in crate::api) name: String,
    pub(in crate::api) path: String,
    pub(in crate::api) sha: String,
    pub(in crate::api) last_commit_sha: Option<String>,
    pub(in crate::api) last_committer_date: Option<String>,
    pub(in crate::api) last_author_date: Option<String>,
    #[serde(rename = "type")]
    pub(in crate::api) kind: &'static str,
    pub(in crate::api) size: u64,
    pub(in crate::api) encoding: Option<&'static str>,
    pub(in crate::api) content: Option<String>,
    pub(in crate::api) target: Option<String>,
    pub(in crate::api) url: Option<String>,
    pub(in crate::api) html_url: Option<String>,
    pub(in crate::api) git_url: Option<String>,
    pub(in crate::api) download_url: Option<String>,
    pub(in crate::api) submodule_git_url: Option<String>,
    #[serde(rename = "_links")]
    pub(in crate::api) links: ContentLinks,
}

/// The same addresses once more.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct ContentLinks {
    #[serde(rename = "self")]
    pub(in crate::api) own: Option<String>,
    pub(in crate::api) git: Option<String>,
    pub(in crate::api) html: Option<String>,
}
