use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError, TreeEntry};

use crate::cancel;
use crate::limits::TREE_DEPTH;
use crate::mode::Mode;

/// An entry with the whole path to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathEntry {
    /// From the tree that was listed, without a slash at the end.
    pub path: Vec<u8>,
    /// What it is.
    pub mode: Mode,
    /// The object.
    pub id: ObjectId,
}

/// What is below a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeListing {
    /// In the order of trees, each directory before what is in it.
    pub entries: Vec<PathEntry>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Lists a tree, and what is below it if that is asked for, up to a number of entries. Directories nested
/// deeper than [`TREE_DEPTH`] are not followed.
///
/// # Errors
///
/// A tree is missing or damaged, or nobody waits any more.
pub fn list_tree(
    objects: &Objects,
    tree: &ObjectId,
    recursive: bool,
    limit: usize,
    cancel: &AtomicBool,
) -> Result<TreeListing, ReadError> {
    let mut listing = TreeListing::default();
    let mut open = vec![(Vec::new(), expect_tree(objects, tree)?.into_iter())];
    while let Some((directory, rest)) = open.last_mut() {
        let Some(entry) = rest.next() else {
            open.pop();
            continue;
        };
        if listing.entries.len() == limit {
            listing.more = true;
            break;
        }
        let mut path = directory.clone();
        path.extend_from_slice(&entry.name);
        let mode = Mode::of(entry.mode);
        listing.entries.push(PathEntry {
            path: path.clone(),
            mode,
            id: entry.id,
        });
        if recursive && mode == Mode::Directory && open.len() < TREE_DEPTH {
            cancel::check(cancel)?;
            path.push(b'/');
            open.push((path, expect_tree(objects, &entry.id)?.into_iter()));
        }
    }
    Ok(listing)
}

/// The entries of a tree that something refers to.
pub(crate) fn expect_tree(objects: &Objects, id: &ObjectId) -> Result<Vec<TreeEntry>, ReadError> {
    let missing = || ReadError::Missing {
        id: *id,
        referrer: None,
    };
    objects.tree(id)?.ok_or_else(missing)
}
