//! Maintenance of a repository directory: consolidates packs, and makes the artefacts that answers are
//! cheaper with.
//!
//! Everything is made from objects and tips that are handed in, beside what is there; what is
//! replaced is deleted last, when nothing needs it any more. It may be stopped at any
//! point. When it is done, and who may do it, is decided above. A store that keeps packs elsewhere
//! takes the new pack, and drops those that [`Maintained::replaced`] lists, by its own rules.

mod artefacts;
mod cruft;
mod error;
mod run;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};

pub use error::MaintainError;

use crate::Progress;
use crate::repack::{DeltaOptions, Islands, Repacked};

/// What to do, and with what means.
#[derive(Clone, Debug)]
pub struct MaintainOptions {
    /// Which packs to make one of.
    pub consolidate: Consolidate,
    /// Whether to write the commit-graph, with changed-path filters.
    pub commit_graph: bool,
    /// Whether to write reachability bitmaps: beside the pack if there is one, or else beside a
    /// multi-pack-index.
    pub bitmaps: bool,
    /// How deltas are searched.
    pub deltas: DeltaOptions,
    /// Whose objects may build on whose.
    pub islands: Islands,
    /// Threads for everything.
    pub threads: usize,
}

/// Which packs to make one of. In a repository that borrows from others, nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consolidate {
    /// None.
    Nothing,
    /// As many of the smallest, with all loose objects, as it takes for every pack to have at least
    /// `factor` times as many objects as all smaller ones ([`crate::geometric_split`]).
    Geometric {
        /// At least 2.
        factor: u32,
    },
    /// All, if there are several or there are loose objects. What no ref reaches goes into a
    /// cruft pack of its own.
    All {
        /// What nothing reaches and was last of use before that time, in seconds since the epoch, is
        /// dropped, unless something younger needs it; `None` keeps all. Nobody may be about to
        /// refer to what is dropped: the caller sees to that.
        expire_before: Option<u32>,
    },
}

/// A repository directory to maintain.
#[derive(Clone, Copy)]
pub struct Maintenance<'a> {
    /// Its hash function.
    pub hash: HashKind,
    /// Its `objects` directory.
    pub directory: &'a Path,
    /// What its refs name; the first counts as the main line of history.
    pub tips: &'a [ObjectId],
    /// Told how far it is.
    pub progress: &'a dyn Progress,
    /// Stops it.
    pub cancel: &'a AtomicBool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// The pack that was made.
    pub repacked: Option<Repacked>,
    /// The pack of what nothing reaches.
    pub cruft: Option<Repacked>,
    /// Objects that are dropped.
    pub dropped: u32,
    /// The packs that it replaces, and that are deleted.
    pub replaced: Vec<PathBuf>,
    /// Loose objects that are deleted because they are in a pack.
    pub pruned: usize,
    /// Commits in the commit-graph, if it was written.
    pub commit_graph: Option<usize>,
    /// The bitmap file, if one was written.
    pub bitmaps: Option<PathBuf>,
    /// Why bitmaps were asked for and not written.
    pub no_bitmaps: Option<NoBitmaps>,
}

impl Maintained {
    /// The packs that were made.
    fn made(&self) -> Vec<&Path> {
        let made = self.repacked.iter().chain(&self.cruft);
        made.map(|repacked| repacked.pack.as_path()).collect()
    }
}

/// Why a repository can have no bitmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBitmaps {
    /// Something is loose or borrowed from another repository.
    #[error("commit {commit} reaches objects that are in none of the repository's own packs")]
    NotCovered {
        /// A commit.
        commit: ObjectId,
    },
}
