//! The shapes of answers, after Gitea's published description of its API.

mod branch;
mod commit;
mod key;
mod object;
mod repository;
mod tag;
mod token;
mod user;

pub(super) use branch::{Branch, BranchCommit};
pub(super) use commit::{Addresses, Commit, CommitUser, Comparison, Verification, date};
pub(super) use key::{DeployKey, PublicKey};
pub(super) use object::{
    AnnotatedTag, Blob, ContentLinks, Contents, Reference, Target, Tree, TreeEntry,
};
pub(super) use repository::{Permission, Repository, describe, describe_all};
pub(super) use tag::{Tag, TagCommit};
pub(super) use token::AccessToken;
pub(super) use user::User;
