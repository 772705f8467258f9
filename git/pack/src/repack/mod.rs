//! Makes one pack of many: what is stored as a delta stays as it is where its base is in the new
//! pack too, for the rest a base is searched among objects of like path and size.
//!
//! Keeps true:
//! * a delta has its base in the same pack, before itself, and not more than the depth allows above
//!   an object that is stored whole;
//! * no object is stored as a delta against one that is not in all of its islands;
//! * an entry is copied only if its bytes have the checksum that the old index gives for them;
//! * the new pack becomes visible when it is whole, and nothing old is deleted here.
//!
//! The order is that of a clone: commits, newest first, then tags, then the files of the first tip, and
//! then what history brought, newest first.

mod geometric;
mod islands;
mod items;
mod names;
mod search;
mod store;
mod window;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

pub use geometric::geometric_split;
pub use islands::Islands;
pub(crate) use names::Names;

use crate::Progress;
use crate::bitmap::Bitmap;
use crate::objects::{Objects, ReadError};
use crate::plan::WriteError;
use crate::staging::PublishError;

/// How hard to look for deltas, and with what means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaOptions {
    /// How many objects an object is compared with.
    pub window: usize,
    /// How many deltas may build on each other.
    pub depth: u32,
    /// Bytes of objects that each thread holds to compare with.
    pub window_bytes: usize,
    /// Threads that search.
    pub threads: usize,
}

impl Default for DeltaOptions {
    /// Git's own values.
    fn default() -> Self {
        Self {
            window: 10,
            depth: 50,
            window_bytes: 256 << 20,
            threads: 1,
        }
    }
}

/// Which objects go into a new pack.
pub(crate) struct Job<'a> {
    pub(crate) objects: &'a Objects,
    /// For each pack, whether its objects are taken, if no other pack that is not taken has them.
    pub(crate) taken: &'a [bool],
    /// Loose objects that are taken too, sorted; numbered after the packed ones.
    pub(crate) loose: &'a [ObjectId],
    /// Which of them all go into the pack, by number; `None` for all.
    pub(crate) only: Option<&'a Bitmap>,
    pub(crate) names: &'a Names,
    pub(crate) islands: &'a Islands,
    /// For a pack of what nothing reaches, when each object was last of use, in seconds since the epoch,
    /// by number.
    pub(crate) times: Option<&'a [u32]>,
    pub(crate) options: DeltaOptions,
}

/// A pack that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repacked {
    /// The `.pack`, with its `.idx` and `.rev` beside it.
    pub pack: PathBuf,
    /// Objects in it.
    pub objects: u32,
    /// How many of them are deltas.
    pub deltas: u32,
    /// How many entries were copied as they were stored.
    pub reused: u32,
    /// Its length.
    pub bytes: u64,
}

/// Why no pack was made.
#[derive(Debug)]
pub(crate) enum RepackError {
    Read(ReadError),
    Store {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl From<ReadError> for RepackError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<PublishError> for RepackError {
    fn from(PublishError { path, source }: PublishError) -> Self {
        Self::Store { path, source }
    }
}

impl RepackError {
    fn from_write(error: WriteError, path: &Path) -> Self {
        match error {
            WriteError::Read(error) => Self::Read(error),
            WriteError::Cancelled => Self::Read(ReadError::Cancelled),
            WriteError::Output(source) => Self::Store {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Makes the pack in a `pack` directory, with index and reverse index; nothing if there is nothing to
/// put into it.
pub(crate) fn repack(
    job: &Job<'_>,
    directory: &Path,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Option<Repacked>, RepackError> {
    progress.stage("Counting objects", None);
    let mut items = items::gather(job, cancel)?;
    progress.advance(items.len() as u64);
    progress.done();
    if items.is_empty() {
        return Ok(None);
    }
    let made = search::search(job, &mut items, progress, cancel)?;
    store::store(job, &items, &made, directory, progress, cancel).map(Some)
}
