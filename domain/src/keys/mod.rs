//! Public keys that stand for an account or for one repository, and the keys by
//! which the forge itself is known.
//!
//! A key stands for one thing in the whole forge: its fingerprint is unique over
//! accounts and repositories. Last-used times are summed in memory and written
//! in batches.
//!
//! Not here: SSH, signatures, and what a key may do (`permissions`).

mod add;
mod holder;
mod host;
mod key;
mod list;
mod public_key;
mod remove;
mod service;
#[cfg(test)]
mod tests;

pub use add::{AddKeyError, NewKey};
pub use holder::{DeployKey, Holder};
pub use key::{Key, KeyOwner};
pub use public_key::{PublicKey, PublicKeyError};
pub use remove::RemoveKeyError;
pub use service::Keys;

pub(crate) use holder::{DEPLOY_COLUMNS, read_deploy_key};
pub(crate) use remove::delete_of_repository;
