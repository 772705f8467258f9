use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as MemoryOrdering};

use git_id::HashKind;

use super::graph::{Graph, NumberMap};
use crate::Kind;
use crate::bitmap::Bitmap;
use crate::filter::Filter;
use crate::objects::ReadError;
use crate::parse::{EntryKind, RawEntries, RawEntry, entry_order};

/// The most trees that one is compared with.
const MAX_OLD_TREES: usize = 8;

/// The most objects for which an older version is remembered.
const MAX_VERSIONS: usize = 1 << 17;

/// The most trees that are read to learn what the client has.
const MAX_KNOWN_TREES: u32 = 1 << 15;

/// A tree at the same path in a commit that is sent too or that the client has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OldTree {
    pub(crate) tree: u32,
    /// The client has it, with all below.
    pub(crate) known: bool,
}

/// Collects what is new below trees, by comparing each with older versions, so that
/// what did not change is not looked at.
///
/// Keeps true, for every commit whose tree was visited against the trees of all its
/// parents: each object below its tree is selected, known to the client, or below the
/// tree of a parent. A tree that was visited *against others* is therefore visited again
/// when it is met elsewhere; only one that was visited against nothing is complete
/// and passed over. (Otherwise two directories that swap places could each be left out for the
/// other's sake.)
pub(crate) struct TreeWalk<'c> {
    /// The objects to send.
    pub(crate) selected: Bitmap,
    /// Objects met that the client has, trees with all below.
    pub(crate) known: Bitmap,
    /// For objects selected, an older version at the same path, preferably one that
    /// the client has.
    pub(crate) versions: NumberMap<u32>,
    /// Whether versions are noted at all.
    pub(crate) keep_versions: bool,
    /// What may be selected.
    pub(crate) filter: Filter,
    known_trees: u32,
    complete: Bitmap,
    /// Where the filter depends on places: the least depth at which a complete tree was met.
    depths: NumberMap<u64>,
    stack: Vec<Visit>,
    cancel: &'c AtomicBool,
}

/// A tree to look at.
struct Visit {
    tree: u32,
    /// Steps below a commit.
    depth: u64,
    olds: Vec<OldTree>,
}

impl<'c> TreeWalk<'c> {
    pub(crate) fn new(objects: u32, cancel: &'c AtomicBool) -> Self {
        Self {
            selected: Bitmap::with_capacity(objects),
            known: Bitmap::default(),
            versions: NumberMap::default(),
            keep_versions: false,
            filter: Filter::default(),
            known_trees: 0,
            complete: Bitmap::with_capacity(objects),
            depths: NumberMap::default(),
            stack: Vec::new(),
            cancel,
        }
    }

    /// Selects an object unless the client has it.
    pub(crate) fn select(&mut self, number: u32) {
        if !self.known.contains(number) {
            self.selected.insert(number);
        }
    }

    /// Notes that the client has a tree and all below, as far as it is worth the
    /// time to look.
    pub(crate) fn know(&mut self, graph: &mut Graph<'_>, tree: u32) -> Result<(), ReadError> {
        let hash = graph.objects().hash();
        let mut stack = vec![tree];
        while let Some(tree) = stack.pop() {
            if self.cancel.load(MemoryOrdering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            if self.known_trees == MAX_KNOWN_TREES || !self.known.insert(tree) {
                continue;
            }
            self.known_trees += 1;
            let data = graph.load_kind(tree, Kind::Tree)?.data;
            for entry in RawEntries::new(&data, hash).map_while(Result::ok) {
                if entry.kind() == EntryKind::Submodule {
                    continue;
                }
                let Some(number) = graph.number(&entry.object_id()) else {
                    continue;
                };
                if entry.kind() == EntryKind::Tree {
                    stack.push(number);
                } else {
                    self.known.insert(number);
                }
            }
        }
        Ok(())
    }

    /// Notes that the client has the older versions that are not sent, after the last visit.
    ///
    /// Each is below the tree of a commit that is sent or that the client has, so it is known
    /// unless it was selected.
    pub(crate) fn know_older_versions(&mut self) {
        for older in self.versions.values() {
            if !self.selected.contains(*older) {
                self.known.insert(*older);
            }
        }
    }

    /// Selects what is below `tree`, and itself, that is not below any of `olds`.
    pub(crate) fn visit(
        &mut self,
        graph: &mut Graph<'_>,
        tree: u32,
        mut olds: Vec<OldTree>,
    ) -> Result<(), ReadError> {
        if olds.iter().any(|old| old.tree == tree) {
            return Ok(());
        }
        olds.truncate(MAX_OLD_TREES);
        for old in &olds {
            if old.known {
                self.known.insert(old.tree);
            }
            self.note_version(tree, old.tree, old.known);
        }
        let depth = 0;
        self.stack.push(Visit { tree, depth, olds });
        while let Some(visit) = self.stack.pop() {
            if self.cancel.load(MemoryOrdering::Relaxed) {
                self.stack.clear();
                return Err(ReadError::Cancelled);
            }
            let Visit { tree, depth, .. } = visit;
            if self.known.contains(tree) || self.is_complete(tree, depth) {
                continue;
            }
            if self.filter.passes(Kind::Tree, depth) {
                self.selected.insert(tree);
            }
            if visit.olds.is_empty() {
                self.complete.insert(tree);
                if self.filter.depends_on_place() {
                    self.depths.insert(tree, depth);
                }
            }
            if self.filter.wants_content(depth + 1) {
                self.compare(graph, &visit)?;
            }
        }
        Ok(())
    }

    /// Whether everything below a tree was selected that may be where it is met now.
    fn is_complete(&self, tree: u32, depth: u64) -> bool {
        self.complete.contains(tree)
            && (!self.filter.depends_on_place()
                || self.depths.get(&tree).is_some_and(|seen| *seen <= depth))
    }

    fn select_blob(
        &mut self,
        graph: &mut Graph<'_>,
        blob: u32,
        depth: u64,
    ) -> Result<(), ReadError> {
        if self.filter.passes(Kind::Blob, depth)
            && !self.selected.contains(blob)
            && self.filter.passes_size(|| graph.size(blob))?
        {
            self.select(blob);
        }
        Ok(())
    }

    fn note_version(&mut self, number: u32, older: u32, known: bool) {
        if !self.keep_versions || self.versions.len() >= MAX_VERSIONS {
            return;
        }
        let version = self.versions.entry(number).or_insert(older);
        if known {
            *version = older;
        }
    }

    fn compare(&mut self, graph: &mut Graph<'_>, visit: &Visit) -> Result<(), ReadError> {
        let Visit { tree, depth, olds } = visit;
        let (tree, depth) = (*tree, depth + 1);
        let hash = graph.objects().hash();
        let new = graph.load_kind(tree, Kind::Tree)?.data;
        let mut old_data = Vec::with_capacity(olds.len());
        for old in olds {
            old_data.push((graph.load_kind(old.tree, Kind::Tree)?.data, old.known));
        }
        let mut cursors: Vec<Cursor<'_>> = old_data
            .iter()
            .map(|(data, known)| Cursor::new(data, *known, hash))
            .collect();
        for entry in RawEntries::new(&new, hash) {
            let malformed = |_| ReadError::Malformed {
                id: graph.id(tree),
                kind: Kind::Tree,
            };
            let entry = entry.map_err(malformed)?;
            if entry.kind() == EntryKind::Submodule {
                continue;
            }
            let mut unchanged = false;
            for cursor in &mut cursors {
                unchanged |= cursor.seek(&entry);
            }
            if unchanged {
                continue;
            }
            let is_tree = entry.kind() == EntryKind::Tree;
            if !is_tree && !self.filter.passes(Kind::Blob, depth) {
                continue;
            }
            let number = graph.expect_from(&entry.object_id(), tree)?;
            let mut below = Vec::new();
            for cursor in &cursors {
                let Some(old) = cursor.matching(&entry) else {
                    continue;
                };
                let Some(old_number) = graph.number(&old.object_id()) else {
                    continue;
                };
                if cursor.known {
                    self.known.insert(old_number);
                }
                self.note_version(number, old_number, cursor.known);
                if is_tree {
                    below.push(OldTree {
                        tree: old_number,
                        known: cursor.known,
                    });
                }
            }
            if is_tree {
                self.stack.push(Visit {
                    tree: number,
                    depth,
                    olds: below,
                });
            } else {
                self.select_blob(graph, number, depth)?;
            }
        }
        Ok(())
    }
}

/// A place in an old tree that moves along with the new one.
struct Cursor<'a> {
    /// What follows `entry`, or all that is left if there is none.
    rest: RawEntries<'a>,
    /// An entry that was read and not passed yet.
    entry: Option<RawEntry<'a>>,
    known: bool,
}

impl<'a> Cursor<'a> {
    fn new(data: &'a Arc<Vec<u8>>, known: bool, hash: HashKind) -> Self {
        Self {
            rest: RawEntries::new(data, hash),
            entry: None,
            known,
        }
    }

    /// Moves to where `new` would be; whether the very same entry is there.
    fn seek(&mut self, new: &RawEntry<'_>) -> bool {
        if self.entry.is_none() && self.rest.pass_over(new.raw) {
            return true;
        }
        loop {
            let entry = self
                .entry
                .take()
                .or_else(|| self.rest.next().and_then(Result::ok));
            let Some(entry) = entry else { return false };
            match entry_order(&entry, new) {
                Ordering::Less => {}
                Ordering::Equal if entry.raw == new.raw => return true,
                Ordering::Equal | Ordering::Greater => {
                    self.entry = Some(entry);
                    return entry.id == new.id
                        && entry.name == new.name
                        && entry.kind() == new.kind();
                }
            }
        }
    }

    /// The entry with the name of the one that was sought last.
    fn matching(&self, new: &RawEntry<'_>) -> Option<RawEntry<'a>> {
        self.entry
            .filter(|old| old.name == new.name && old.kind() == new.kind())
    }
}
