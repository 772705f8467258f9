//! What the forge does, whoever asks and over whatever protocol: accounts,
//! tokens, keys, repositories and who may do what with them.
//!
//! Facts live in SQL behind [`storage_node_api::Metadata`]; refs and packs live in the
//! repository's group behind [`storage_node_api::Order`]. A fact has one home: SQL names
//! a repository and says who may see it, its group holds HEAD and all refs. What
//! spans both is written as a small state that [`Repositories::reconcile`]
//! finishes after a crash.
//!
//! [`authorize`] is the one function that decides about access, and every
//! protocol calls it.
//!
//! Not here: HTTP, git's protocol, pages, and anything that knows how storage
//! is done.

pub mod accounts;
mod commit;
mod facts;
mod failure;
mod forge;
mod id;
pub mod keys;
mod last_used;
mod leases;
pub mod lfs;
pub mod limits;
mod page;
pub mod permissions;
pub mod repositories;
mod schema;
#[cfg(test)]
mod testing;
pub mod tokens;

pub use accounts::{Accounts, PasswordCost, User};
pub use commit::{CommitError, Commits};
pub use facts::FactsError;
pub use failure::Failure;
pub use forge::Forge;
pub use id::{AccountId, KeyId, LockId, RepositoryKey, TokenId};
pub use keys::Keys;
pub use leases::Leases;
pub use lfs::Lfs;
pub use page::{Page, Slice};
pub use permissions::{Access, Action, Viewer, authorize};
pub use repositories::{Repositories, Repository};
pub use schema::migrations;
pub use tokens::{Scopes, Tokens};
