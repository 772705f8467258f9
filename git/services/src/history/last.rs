use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};
use git_pack::{
    ChangedPath, ChangedPaths, History, Kind, Objects, RawEntries, ReadError, TreeEntry,
};

use super::ByTime;
use crate::cancel;
use crate::limits::LAST_CHANGE_COMMITS;

/// An entry of a directory, and the commit that changed it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// The entry.
    pub entry: TreeEntry,
    /// The commit that `git log -1` gives for its path; `None` if it is further back than
    /// [`LAST_CHANGE_COMMITS`] steps.
    pub commit: Option<ObjectId>,
}

/// The entries of a directory of a commit, each with the commit that changed it last; `None` if
/// there is no directory at the path.
///
/// From each commit an entry goes on to the first parent that has it too, as in git's simplification
/// of history; the commit of which no parent has it is the one. Entries that are at the same commit
/// go on together. Changed-path filters spare most of the comparisons.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn last_changes(
    objects: &Objects,
    commit: &ObjectId,
    path: &[u8],
    cancel: &AtomicBool,
) -> Result<Option<Vec<LastChange>>, ReadError> {
    let mut history = History::new(objects);
    let links = history.links(commit)?;
    let Some(tree) = directory_at(objects, &links.tree, path)? else {
        return Ok(None);
    };
    let Some(entries) = objects.tree(&tree)? else {
        return Ok(None);
    };
    let mut search = Search::new(objects, path, entries);
    let all = (0..search.entries.len() as u32).collect();
    let mut waiting = Waiting::default();
    waiting.add(&mut history, Group::new(*commit, Some(tree), all))?;
    for _ in 0..LAST_CHANGE_COMMITS {
        cancel::check(cancel)?;
        let Some(group) = waiting.next() else { break };
        for next in search.step(group, &mut history)? {
            waiting.add(&mut history, next)?;
        }
    }
    Ok(Some(search.finish()))
}

/// The id of the tree at a path; `None` if there is something else, or nothing.
pub(crate) fn directory_at(
    objects: &Objects,
    root: &ObjectId,
    path: &[u8],
) -> Result<Option<ObjectId>, ReadError> {
    if path.iter().all(|byte| *byte == b'/') {
        return Ok(Some(*root));
    }
    let entry = objects.entry_at_path(root, path)?;
    Ok(entry
        .filter(|entry| entry.mode == 0o040_000)
        .map(|entry| entry.id))
}

/// Entries that are as they were in the first commit, at a commit.
struct Group {
    commit: ObjectId,
    /// A directory in which they are so, perhaps an earlier commit's.
    tree: Option<ObjectId>,
    /// Places in the listing.
    entries: Vec<u32>,
}

impl Group {
    fn new(commit: ObjectId, tree: Option<ObjectId>, entries: Vec<u32>) -> Self {
        Self {
            commit,
            tree,
            entries,
        }
    }
}

/// Groups that wait, one for each commit, the newest first.
#[derive(Default)]
struct Waiting {
    order: ByTime<ObjectId>,
    groups: HashMap<ObjectId, Group>,
}

impl Waiting {
    fn add(&mut self, history: &mut History<'_>, group: Group) -> Result<(), ReadError> {
        match self.groups.entry(group.commit) {
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                waiting.tree = waiting.tree.filter(|tree| group.tree == Some(*tree));
                waiting.entries.extend(group.entries);
            }
            Entry::Vacant(place) => {
                let time = history.links(&group.commit)?.time;
                self.order.push(time, group.commit);
                place.insert(group);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Group> {
        let commit = self.order.pop()?;
        self.groups.remove(&commit)
    }
}

struct Search<'a> {
    objects: &'a Objects,
    path: &'a [u8],
    directory: Option<ChangedPath>,
    entries: Vec<TreeEntry>,
    keys: Vec<ChangedPath>,
    places: HashMap<Vec<u8>, u32>,
    found: Vec<Option<ObjectId>>,
}

impl<'a> Search<'a> {
    fn new(objects: &'a Objects, path: &'a [u8], entries: Vec<TreeEntry>) -> Self {
        let path = trim_slashes(path);
        let key = |entry: &TreeEntry| match path {
            [] => ChangedPath::new(&entry.name),
            path => ChangedPath::new(&[path, &entry.name].join(&b'/')),
        };
        Self {
            objects,
            path,
            directory: (!path.is_empty()).then(|| ChangedPath::new(path)),
            keys: entries.iter().map(key).collect(),
            places: (0..)
                .zip(&entries)
                .map(|(at, entry)| (entry.name.clone(), at))
                .collect(),
            found: vec![None; entries.len()],
            entries,
        }
    }

    /// Where the entries of a group go on; those that go nowhere are found.
    fn step(
        &mut self,
        mut group: Group,
        history: &mut History<'_>,
    ) -> Result<Vec<Group>, ReadError> {
        let mut next = Vec::new();
        let filter = self.objects.changed_paths(&group.commit);
        let parents = history.links(&group.commit)?.parents;
        for (at, parent) in parents.into_iter().enumerate() {
            let mut same = Group::new(parent, group.tree, Vec::new());
            if let (0, Some(filter)) = (at, filter) {
                self.take_unchanged(&filter, &mut group, &mut same);
            }
            if !group.entries.is_empty() {
                let root = history.links(&parent)?.tree;
                if let Some(tree) = directory_at(self.objects, &root, self.path)? {
                    self.take_same(tree, &mut group, &mut same)?;
                    same.tree = Some(tree);
                }
            }
            if !same.entries.is_empty() {
                next.push(same);
            }
        }
        for entry in group.entries {
            self.found[entry as usize] = Some(group.commit);
        }
        Ok(next)
    }

    /// Moves what a filter says is unchanged since the first parent.
    fn take_unchanged(&self, filter: &ChangedPaths<'_>, group: &mut Group, same: &mut Group) {
        let all_unchanged = self
            .directory
            .is_some_and(|directory| !filter.may_contain(&directory));
        if all_unchanged {
            same.entries = std::mem::take(&mut group.entries);
            return;
        }
        group.entries.retain(|entry| {
            let may_have_changed = filter.may_contain(&self.keys[*entry as usize]);
            if !may_have_changed {
                same.entries.push(*entry);
            }
            may_have_changed
        });
    }

    /// Moves what is the same in another directory.
    fn take_same(
        &self,
        tree: ObjectId,
        group: &mut Group,
        same: &mut Group,
    ) -> Result<(), ReadError> {
        if group.tree == Some(tree) {
            same.entries.append(&mut group.entries);
            return Ok(());
        }
        let object = self.objects.read(&tree)?;
        let object = object.filter(|object| object.kind == Kind::Tree);
        let object = object.ok_or(ReadError::Missing {
            id: tree,
            referrer: None,
        })?;
        let is_same = self.compare(tree, &object.data, self.objects.hash())?;
        group.entries.retain(|entry| {
            if is_same[*entry as usize] {
                same.entries.push(*entry);
            }
            !is_same[*entry as usize]
        });
        Ok(())
    }

    /// Which entries of the listing are the same in another directory.
    fn compare(&self, tree: ObjectId, data: &[u8], hash: HashKind) -> Result<Vec<bool>, ReadError> {
        let mut is_same = vec![false; self.entries.len()];
        // Both are in the same order, mostly with the same names.
        let mut guess = 0;
        for entry in RawEntries::new(data, hash) {
            let entry = entry.map_err(|_| ReadError::Malformed {
                id: tree,
                kind: Kind::Tree,
            })?;
            let at = match self.entries.get(guess) {
                Some(listed) if listed.name == entry.name => guess,
                _ => match self.places.get(entry.name) {
                    Some(at) => *at as usize,
                    None => continue,
                },
            };
            let listed = &self.entries[at];
            is_same[at] = listed.mode == entry.mode && listed.id.as_bytes() == entry.id;
            guess = at + 1;
        }
        Ok(is_same)
    }

    fn finish(self) -> Vec<LastChange> {
        let found = self.entries.into_iter().zip(self.found);
        found
            .map(|(entry, commit)| LastChange { entry, commit })
            .collect()
    }
}

fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path.strip_prefix(b"/").unwrap_or(path)
}
