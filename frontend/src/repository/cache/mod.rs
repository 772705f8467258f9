//! Packs on this machine's disk, refs in its memory.
//!
//! A repository's packs lie in `repositories/<id>/objects/pack`, beside a `HEAD`
//! and an empty `refs`, so that git tools take the directory for a repository.
//! A file has its final name only once its bytes are known to be those that
//! the pack list names: it is written aside and checked before it is renamed,
//! and what an earlier process left is checked before its first use.
//!
//! All of it can be deleted while no frontend runs. While one runs, files go
//! only when nobody works with their repository.

mod download;
mod entry;
mod error;
mod evict;
mod fill;
mod keep;
mod layout;
mod pack_cache;
mod verify;

pub(crate) use entry::Entry;
pub use error::CacheError;
pub(crate) use keep::PACK_FILES;
pub(crate) use layout::Quarantine;
pub use pack_cache::PackCache;
