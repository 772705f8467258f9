//! Git LFS over HTTP: the batch API with the basic transfer, and locks
//! (git-lfs, `docs/api`). Over SSH it is `ssh/lfs`.
//!
//! Whether somebody may have an object is decided by the repository in the route and by what that
//! repository has, never by what is stored: who knows an object's name alone gets nothing, and
//! who wants it in another repository sends its bytes.

mod batch;
mod content;
mod enter;
mod error;
mod json;
mod locks;
mod routes;
mod store;
mod token;

pub(crate) use batch::parse_id;
pub(crate) use content::no_object;
pub(crate) use error::LfsError;
pub(crate) use locks::LockPage;
pub(crate) use routes::routes;
pub(crate) use store::{Receiving, open};
pub(crate) use token::{Grant, LfsSecret};
