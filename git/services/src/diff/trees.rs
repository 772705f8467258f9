//! Which paths differ between two trees.

use std::cmp::Ordering;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError, TreeEntry};

use super::{FileChange, Side};
use crate::cancel;
use crate::limits::DIFF_DEPTH;
use crate::mode::Mode;
use crate::tree::expect_tree;

/// Paths that differ, in the order of trees. A directory in the place of a file gives one that is gone and
/// others that are new. Directories nested deeper than [`DIFF_DEPTH`] are not compared.
pub(super) fn compare_trees(
    objects: &Objects,
    before: Option<&ObjectId>,
    after: Option<&ObjectId>,
    cancel: &AtomicBool,
) -> Result<Vec<FileChange>, ReadError> {
    let mut comparison = Comparison {
        objects,
        cancel,
        changes: Vec::new(),
    };
    comparison.trees(before, after, &[], 0)?;
    Ok(comparison.changes)
}

struct Comparison<'a> {
    objects: &'a Objects,
    cancel: &'a AtomicBool,
    changes: Vec<FileChange>,
}

impl Comparison<'_> {
    fn trees(
        &mut self,
        before: Option<&ObjectId>,
        after: Option<&ObjectId>,
        directory: &[u8],
        depth: usize,
    ) -> Result<(), ReadError> {
        cancel::check(self.cancel)?;
        if before == after || depth == DIFF_DEPTH {
            return Ok(());
        }
        let read = |id: Option<&ObjectId>| match id {
            Some(id) => expect_tree(self.objects, id),
            None => Ok(Vec::new()),
        };
        let (before, after) = (read(before)?, read(after)?);
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => tree_order(old, new),
            };
            let old = if order.is_le() { old.next() } else { None };
            let new = if order.is_ge() { new.next() } else { None };
            self.entries(old, new, directory, depth)?;
        }
    }

    fn entries(
        &mut self,
        old: Option<&TreeEntry>,
        new: Option<&TreeEntry>,
        directory: &[u8],
        depth: usize,
    ) -> Result<(), ReadError> {
        let Some(name) = old.or(new).map(|entry| &entry.name) else {
            return Ok(());
        };
        let path = [directory, name].concat();
        let is_tree = |entry: &&TreeEntry| Mode::of(entry.mode) == Mode::Directory;
        let side = |entry: Option<&TreeEntry>| {
            entry.filter(|entry| !is_tree(entry)).map(|entry| Side {
                path: path.clone(),
                mode: Mode::of(entry.mode),
                id: entry.id,
            })
        };
        let (before, after) = (side(old), side(new));
        if before != after {
            self.changes.push(FileChange {
                before,
                after,
                similarity: None,
            });
        }
        let tree = |entry: Option<&TreeEntry>| entry.filter(is_tree).map(|entry| entry.id);
        let (before, after) = (tree(old), tree(new));
        if before == after {
            return Ok(());
        }
        let below = [&path[..], b"/"].concat();
        self.trees(before.as_ref(), after.as_ref(), &below, depth + 1)
    }
}

/// The order of entries in a tree, in which the name of a directory ends with a slash.
fn tree_order(one: &TreeEntry, other: &TreeEntry) -> Ordering {
    let end = |entry: &TreeEntry| {
        let is_tree = Mode::of(entry.mode) == Mode::Directory;
        is_tree.then_some(b'/')
    };
    let bytes = |entry: &TreeEntry| entry.name.clone().into_iter().chain(end(entry));
    bytes(one).cmp(bytes(other))
}
