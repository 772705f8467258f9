//! The objects of one repository: packs, loose objects, alternates.
//!
//! A set of packs never changes once it is open; who wants a newer state opens
//! anew, and packs that stay are shared between the two. Pack and index files are
//! memory-mapped: they are immutable, and the page cache holds one copy for all
//! readers.
//!
//! Nothing on disk is believed: every length is checked before it is used, every
//! allocation and every delta chain has a limit.

mod cache;
mod combined;
mod error;
mod kinds;
mod loose;
mod open;
mod pack;
mod read;
mod reader;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use git_id::{HashKind, ObjectId};

pub use error::{OpenError, ReadError};
pub(crate) use loose::LooseObjects;
pub(crate) use pack::{PACK_HEADER_BYTES, Pack};
pub(crate) use reader::{Loaded, Reader};

use crate::Kind;
use crate::derived::{Bitmaps, ChangedPath, ChangedPaths, CommitGraph};
use crate::reachability::Reachability;

/// The longest delta chain that is received or followed. Git writes at most 4095.
pub(crate) const MAX_DELTA_CHAIN: usize = 10_000;

/// The longest chain of tags of tags that is followed.
pub(crate) const MAX_TAG_CHAIN: usize = 10_000;

/// The largest object that is read into memory, 2 GiB.
pub(crate) const MAX_READ_BYTES: u64 = 1 << 31;

/// The objects of one repository: a set of packs and, for a plain repository
/// directory, loose objects and alternates.
///
/// Cheap to clone; every method may block on the disk.
#[derive(Clone)]
pub struct Objects {
    inner: Arc<Inner>,
}

struct Inner {
    hash: HashKind,
    /// Largest first: where an object is in several packs, the copy in the first
    /// counts, so that the largest pack keeps its contiguous runs.
    packs: Vec<Arc<Pack>>,
    /// The number of the first object of each pack, and one past the last of all.
    first_numbers: Vec<u32>,
    combined: OnceLock<combined::Combined>,
    loose: Vec<LooseObjects>,
    /// The pack that [`Objects::with_pack`] added.
    added: Option<usize>,
    readers: Mutex<Vec<Reader>>,
    reachability: Arc<Reachability>,
    /// Shared with the sets that are made from this one.
    commit_graph: Arc<CommitGraphFile>,
    bitmaps: OnceLock<Option<Bitmaps>>,
}

/// The commit-graph of a repository directory, read when it first pays.
#[derive(Default)]
struct CommitGraphFile {
    /// The `objects` directory; there is none where packs stand for themselves.
    directory: Option<PathBuf>,
    read: OnceLock<Option<CommitGraph>>,
}

/// What an object is and how long, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
}

/// An object in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its content.
    pub data: Vec<u8>,
}

/// Where an object is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In that pack at that position of its index.
    Packed { pack: usize, position: u32 },
    /// As a file in that loose object directory.
    Loose { directory: usize },
}

impl Objects {
    /// The hash function that names the objects.
    pub fn hash(&self) -> HashKind {
        self.inner.hash
    }

    /// The `.pack` files, the one with most objects first.
    pub fn packs(&self) -> Vec<PathBuf> {
        self.inner
            .packs
            .iter()
            .map(|pack| pack.path().to_owned())
            .collect()
    }

    /// How many objects the packs hold together; one that is in several packs counts
    /// once for each, loose objects do not count.
    pub fn packed_objects(&self) -> u32 {
        self.inner.first_numbers.last().copied().unwrap_or(0)
    }

    /// Bytes of all packs.
    pub fn stored_bytes(&self) -> u64 {
        let packs = self.inner.packs.iter();
        packs.map(|pack| pack.bytes().len() as u64).sum()
    }

    /// Whether the object is stored here.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn find(&self, id: &ObjectId) -> Option<Place> {
        if id.kind() != self.inner.hash {
            return None;
        }
        let packed = self
            .find_packed(id.as_bytes())
            .map(|(pack, position)| Place::Packed { pack, position });
        packed.or_else(|| {
            let holds = |loose: &LooseObjects| loose.contains(id);
            self.inner
                .loose
                .iter()
                .position(holds)
                .map(|directory| Place::Loose { directory })
        })
    }

    /// The first pack that holds the object, and its position in that pack's index.
    pub(crate) fn find_packed(&self, id: &[u8]) -> Option<(usize, u32)> {
        let packs = &self.inner.packs;
        self.inner
            .combined
            .get_or_init(|| combined::Combined::new(packs))
            .find(packs, id)
    }

    /// The number that stands for a packed object in bitmaps.
    pub(crate) fn number(&self, pack: usize, position: u32) -> u32 {
        self.inner.first_numbers[pack] + position
    }

    /// The pack and index position that a number stands for.
    pub(crate) fn place_of_number(&self, number: u32) -> Option<(usize, u32)> {
        let pack = self
            .inner
            .first_numbers
            .partition_point(|first| *first <= number)
            .checked_sub(1)?;
        let first = self.inner.first_numbers[pack];
        (pack < self.inner.packs.len()).then(|| (pack, number - first))
    }

    /// The number of a packed object, or of one of a sorted list of loose objects that are numbered
    /// after those.
    pub(crate) fn number_among(&self, loose: &[ObjectId], id: &ObjectId) -> Option<u32> {
        if let Some((pack, position)) = self.find_packed(id.as_bytes()) {
            return Some(self.number(pack, position));
        }
        let at = loose.binary_search(id).ok()?;
        self.packed_objects().checked_add(u32::try_from(at).ok()?)
    }

    /// The object with a number that [`Objects::number_among`] gave.
    pub(crate) fn id_among(&self, loose: &[ObjectId], number: u32) -> ObjectId {
        match self.place_of_number(number) {
            Some((pack, position)) => self.pack_list()[pack].id(position),
            None => loose[(number - self.packed_objects()) as usize],
        }
    }

    pub(crate) fn pack_list(&self) -> &[Arc<Pack>] {
        &self.inner.packs
    }

    pub(crate) fn loose_list(&self) -> &[LooseObjects] {
        &self.inner.loose
    }

    /// The pack that [`Objects::with_pack`] added, by its place in the list.
    pub(crate) fn added_pack(&self) -> Option<usize> {
        self.inner.added
    }

    pub(crate) fn reachability(&self) -> &Arc<Reachability> {
        &self.inner.reachability
    }

    /// The commit-graph, if there is one and it was read before or is `worth` reading.
    pub(crate) fn commit_graph(&self, worth: bool) -> Option<&CommitGraph> {
        let file = &self.inner.commit_graph;
        let directory = file.directory.as_ref()?;
        let read = match worth {
            true => file
                .read
                .get_or_init(|| CommitGraph::load(directory, self.hash())),
            false => file.read.get()?,
        };
        read.as_ref()
    }

    /// The reachability bitmaps, if there are any.
    pub(crate) fn bitmaps(&self) -> Option<&Bitmaps> {
        let directory = self.inner.commit_graph.directory.as_ref();
        let directory = directory.map(|objects| objects.join("pack"));
        let load = || Bitmaps::load(self, directory.as_deref());
        self.inner.bitmaps.get_or_init(load).as_ref()
    }

    /// What the changed-path filter of a commit knows; `None` where there is none.
    pub fn changed_paths(&self, commit: &ObjectId) -> Option<ChangedPaths<'_>> {
        self.commit_graph(true)?.changed_paths(commit.as_bytes())
    }

    /// Whether a commit may have changed what is at a path (whose parts slashes divide),
    /// compared with its first parent. A no is certain; `None` where no changed-path filter tells.
    pub fn may_have_changed(&self, commit: &ObjectId, path: &[u8]) -> Option<bool> {
        let filter = self.changed_paths(commit)?;
        Some(filter.may_contain(&ChangedPath::new(path)))
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("hash", &self.inner.hash)
            .field("packs", &self.packs())
            .field("loose", &self.inner.loose)
            .finish_non_exhaustive()
    }
}
