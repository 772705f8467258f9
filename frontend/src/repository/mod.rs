//! Repositories of the storage tier as git-serve and the pages see them.
//!
//! Packs come from a cache directory in which each repository is laid out as
//! git lays it out, so that any git tool can look into it. Refs are cached by
//! version. A push is indexed in quarantine while its bytes already go to the
//! storage, and becomes visible by one commit in the repository's group.

mod absent;
mod ahead;
mod cache;
mod maintenance;
mod names;
mod push;
mod refs;
mod storage_repository;
mod store;
mod view;

pub(crate) use absent::Absent;
pub(crate) use ahead::RefsAhead;
pub use cache::{CacheError, PackCache};
pub(crate) use maintenance::{Extent, Wish, maintain};
pub(crate) use names::KnownNames;
pub(crate) use push::Authority;
pub use storage_repository::StorageRepository;
pub(crate) use view::{View, ViewError};
