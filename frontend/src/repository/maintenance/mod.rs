//! Maintenance of repositories of the storage tier: many small packs become few.
//!
//! Whoever opens a repository with many packs asks for it, so nothing has to look for work: what
//! nobody opens costs nobody anything. Any frontend may do it. It works on a copy of the cached
//! packs (hard links), makes what comes durable, and commits one entry that puts it in the place of
//! what goes. Until then nothing is visible, and whatever is left of it goes with the process.
//!
//! A lease keeps two frontends from doing the same; what keeps them from harm is the entry's own
//! guard. Objects are dropped only when somebody asks for it.
//!
//! Not here: which packs to take, how they are made (`git-pack`), and what guards the entry
//! (`storage-node-machine`).

mod chore;
mod error;
mod maintainer;
mod replace;
mod scratch;
mod wanted;

pub(crate) use chore::maintain;
pub(crate) use wanted::{Extent, Wanted, Wish};
