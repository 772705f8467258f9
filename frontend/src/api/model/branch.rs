use git_pack::{Commit, Signature};
use serde::Serialize;

use super::Verification;
use crate::moment::rfc3339_at;

/// A branch.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Branch {
    name: String,
    commit: BranchCommit,
    protected: bool,
    required_approvals: u64,
    enable_status_check: bool,
    status_check_contexts: Vec<String>,
    user_can_push: bool,
    user_can_merge: bool,
    effective_branch_protection_name: &'static str,
}

/// The commit that a branch names.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct BranchCommit {
    id: String,
    message: String,
    url: String,
    author: Person,
    committer: Person,
    verification: Verification,
    timestamp: String,
    added: Option<Vec<String>>,
    removed: Option<Vec<String>>,
    modified: Option<Vec<String>>,
}

#[derive(Clone, Debug, Serialize)]
struct Person {
    name: String,
    email: String,
    username: &'static str,
}

impl Branch {
    pub(in crate::api) fn new(name: &str, commit: BranchCommit, user_can_push: bool) -> Self {
        Self {
            name: name.to_owned(),
            commit,
            protected: false,
            required_approvals: 0,
            enable_status_check: false,
            status_check_contexts: Vec::new(),
            user_can_push,
            user_can_merge: user_can_push,
            effective_branch_protection_name: "",
        }
    }
}

impl BranchCommit {
    /// `url` is the commit's page.
    pub(in crate::api) fn new(id: String, commit: &Commit, url: String) -> Self {
        let committer = &commit.committer;
        Self {
            id,
            message: String::from_utf8_lossy(&commit.message).into_owned(),
            url,
            author: Person::of(&commit.author),
            timestamp: rfc3339_at(committer.time, committer.offset_minutes),
            committer: Person::of(committer),
            verification: Verification::of(None),
            added: None,
            removed: None,
            modified: None,
        }
    }
}

impl Person {
    fn of(signature: &Signature) -> Self {
        Self {
            name: String::from_utf8_lossy(&signature.name).into_owned(),
            email: String::from_utf8_lossy(&signature.email).into_owned(),
            username: "",
        }
    }
}
