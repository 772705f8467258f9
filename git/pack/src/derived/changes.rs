use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use git_id::ObjectId;

use super::Commits;
use super::commit_graph::{FilterBuilder, Filters};
pub(crate) use super::murmur::FilterVersion;
use crate::Kind;
use crate::objects::{Objects, ReadError, Reader};
use crate::parse::{EntryKind, RawEntries, RawEntry, entry_order};

/// Commits whose changes one thread finds in one go; neighbours share most trees.
const BLOCK_COMMITS: usize = 256;

/// The deepest directory that is descended into.
const MAX_DEPTH: usize = 4096;

/// What each commit changes, compared with its first parent.
///
/// Whatever is in the tree of a commit is listed for it or is in the tree of its first parent. So
/// what a commit reaches is what is listed for it and all its ancestors.
pub(crate) struct Changes {
    /// Where the objects of each commit end.
    ends: Vec<usize>,
    objects: Vec<Introduced>,
    /// Which paths each commit changes.
    pub(crate) filters: Filters,
    /// Some object is neither in a pack nor in the list of loose ones, so that what is listed is not
    /// all.
    pub(crate) is_partial: bool,
}

/// A tree or blob that a commit brings, by number; loose ones follow on the packed ones, in the order
/// of the list that was handed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduced {
    pub(crate) number: u32,
    /// Of the path where it is met ([`name_hash`]).
    pub(crate) name_hash: u32,
}

impl Changes {
    /// Compares the trees of all commits with those of their first parents, in parallel. `loose` are
    /// loose objects, sorted.
    pub(crate) fn of(
        objects: &Objects,
        loose: &[ObjectId],
        commits: &Commits,
        version: FilterVersion,
        threads: usize,
        cancel: &AtomicBool,
    ) -> Result<Self, ReadError> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Block>> = Mutex::default();
        let work = || -> Result<(), ReadError> {
            let mut differ = Differ::new(objects, loose, version);
            loop {
                let first = next.fetch_add(BLOCK_COMMITS, Ordering::Relaxed);
                if first >= commits.len() {
                    return Ok(());
                }
                let last = commits.len().min(first + BLOCK_COMMITS);
                let block = differ.block(commits, first..last, cancel)?;
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(block);
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        let mut blocks = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        blocks.sort_unstable_by_key(|block| block.first);
        let mut changes = Self {
            ends: Vec::with_capacity(commits.len()),
            objects: Vec::new(),
            filters: Filters::new(version),
            is_partial: false,
        };
        for block in blocks {
            let start = changes.objects.len();
            changes
                .ends
                .extend(block.ends.iter().map(|end| start + end));
            changes.objects.extend(block.objects);
            changes.filters.append(&block.filters);
            changes.is_partial |= block.is_partial;
        }
        Ok(changes)
    }

    /// Numbers all objects anew, as they are found in other packs.
    pub(crate) fn renumber(&mut self, from: &Objects, loose: &[ObjectId], to: &Objects) {
        let mut moved: Vec<Option<u32>> = vec![None; from.packed_objects() as usize + loose.len()];
        for introduced in &mut self.objects {
            let slot = &mut moved[introduced.number as usize];
            let number =
                slot.or_else(|| to.number_among(&[], &from.id_among(loose, introduced.number)));
            *slot = number;
            match number {
                Some(number) => introduced.number = number,
                // It stays what no bitmap has a bit for.
                None => self.is_partial = true,
            }
        }
    }

    /// What a commit brings, by its place in the list.
    pub(crate) fn introduced(&self, commit: usize) -> &[Introduced] {
        let start = commit.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.objects[start..self.ends[commit]]
    }
}

/// Git's hash of a path for sorting objects and for the cache in bitmaps: the last 16 characters that
/// are not white space, the last ones weighing most.
pub(crate) fn name_hash(path: &[u8]) -> u32 {
    let visible = path
        .iter()
        .filter(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    visible.fold(0u32, |hash, byte| {
        (hash >> 2).wrapping_add(u32::from(*byte) << 24)
    })
}

/// The changes of commits that follow each other.
struct Block {
    first: usize,
    ends: Vec<usize>,
    objects: Vec<Introduced>,
    filters: Filters,
    is_partial: bool,
}

struct Differ<'a> {
    objects: &'a Objects,
    loose: &'a [ObjectId],
    reader: Reader,
    path: Vec<u8>,
    depth: usize,
    introduced: Vec<Introduced>,
    paths: FilterBuilder,
    is_partial: bool,
}

type Tree = Option<Arc<Vec<u8>>>;

fn bytes_of(tree: &Tree) -> &[u8] {
    tree.as_ref().map_or(&[], |data| data)
}

impl<'a> Differ<'a> {
    fn new(objects: &'a Objects, loose: &'a [ObjectId], version: FilterVersion) -> Self {
        Self {
            objects,
            loose,
            reader: Reader::new(),
            path: Vec::new(),
            depth: 0,
            introduced: Vec::new(),
            paths: FilterBuilder::new(version),
            is_partial: false,
        }
    }

    fn block(
        &mut self,
        commits: &Commits,
        range: std::ops::Range<usize>,
        cancel: &AtomicBool,
    ) -> Result<Block, ReadError> {
        let mut ends = Vec::with_capacity(range.len());
        let mut filters = Filters::new(self.paths.version());
        let first = range.start;
        for at in range {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            let parent = commits.parents(at).first();
            let old = parent.map(|parent| commits.rows()[*parent as usize].tree);
            let new = commits.rows()[at].tree;
            self.path.clear();
            if old != Some(new) {
                self.introduce(&new);
                self.directory(old.as_ref(), Some(&new))?;
            }
            self.paths.finish(&mut filters);
            ends.push(self.introduced.len());
        }
        Ok(Block {
            first,
            ends,
            objects: std::mem::take(&mut self.introduced),
            filters,
            is_partial: std::mem::take(&mut self.is_partial),
        })
    }

    fn introduce(&mut self, id: &ObjectId) {
        match self.objects.number_among(self.loose, id) {
            Some(number) => self.introduced.push(Introduced {
                number,
                name_hash: name_hash(&self.path),
            }),
            None => self.is_partial = true,
        }
    }

    fn tree(&mut self, id: Option<&ObjectId>) -> Result<Tree, ReadError> {
        let Some(id) = id else { return Ok(None) };
        let missing = || ReadError::Missing {
            id: *id,
            referrer: None,
        };
        let loaded = self.reader.load(self.objects, id)?.ok_or_else(missing)?;
        if loaded.kind == Kind::Tree {
            return Ok(Some(loaded.data));
        }
        Err(ReadError::WrongKind {
            id: *id,
            actual: loaded.kind,
            expected: Kind::Tree,
        })
    }

    /// Compares two directories at the same path, either of which may be absent.
    fn directory(
        &mut self,
        old: Option<&ObjectId>,
        new: Option<&ObjectId>,
    ) -> Result<(), ReadError> {
        let malformed = |id: Option<&ObjectId>| ReadError::Malformed {
            id: *id.expect("only what is there is malformed"),
            kind: Kind::Tree,
        };
        if self.depth == MAX_DEPTH {
            return Err(malformed(new.or(old)));
        }
        self.depth += 1;
        let (old_tree, new_tree) = (self.tree(old)?, self.tree(new)?);
        let hash = self.objects.hash();
        let mut olds = RawEntries::new(bytes_of(&old_tree), hash).peekable();
        let mut news = RawEntries::new(bytes_of(&new_tree), hash).peekable();
        loop {
            let order = match (olds.peek(), news.peek()) {
                (None, None) => break,
                (Some(Err(_)), _) => return Err(malformed(old)),
                (_, Some(Err(_))) => return Err(malformed(new)),
                (Some(_), None) => Order::Less,
                (None, Some(_)) => Order::Greater,
                (Some(Ok(a)), Some(Ok(b))) => entry_order(a, b),
            };
            let before = olds
                .next_if(|_| order != Order::Greater)
                .and_then(Result::ok);
            let after = news.next_if(|_| order != Order::Less).and_then(Result::ok);
            self.entry(before, after)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Compares two entries of the same name, one of which may be absent.
    fn entry(
        &mut self,
        old: Option<RawEntry<'_>>,
        new: Option<RawEntry<'_>>,
    ) -> Result<(), ReadError> {
        let same = |(old, new): (RawEntry<'_>, RawEntry<'_>)| old.raw == new.raw;
        if old.zip(new).is_some_and(same) {
            return Ok(());
        }
        // Nothing new is below what is gone.
        if new.is_none() && self.paths.is_full() {
            return Ok(());
        }
        let length = self.path.len();
        if length > 0 {
            self.path.push(b'/');
        }
        let named = new.or(old).expect("one of the two is there");
        self.path.extend_from_slice(named.name);
        if let Some(new) = new
            && new.kind() != EntryKind::Submodule
        {
            self.introduce(&new.object_id());
        }
        let directory = |entry: Option<RawEntry<'_>>| {
            let tree = entry.filter(|entry| entry.kind() == EntryKind::Tree);
            tree.map(|entry| entry.object_id())
        };
        let files = self.paths.files();
        let (old_tree, new_tree) = (directory(old), directory(new));
        if old_tree.is_some() || new_tree.is_some() {
            if old_tree != new_tree {
                self.directory(old_tree.as_ref(), new_tree.as_ref())?;
            }
            if self.paths.files() > files {
                self.paths.add_directory(&self.path);
            }
        } else {
            self.paths.add_file(&self.path);
        }
        self.path.truncate(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::name_hash;

    #[test]
    fn the_end_of_a_path_weighs_most() {
        assert_eq!(name_hash(b""), 0);
        assert_eq!(name_hash(b"a"), 0x6100_0000);
        assert_eq!(name_hash(b"ab"), 0x6100_0000 / 4 + 0x6200_0000);
        assert_eq!(name_hash(b" a\tb\n"), name_hash(b"ab"));
        let makefiles = name_hash(b"src/Makefile").abs_diff(name_hash(b"doc/Makefile"));
        assert!(makefiles < name_hash(b"src/Makefile").abs_diff(name_hash(b"src/main.c")));
    }
}
