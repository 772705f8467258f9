use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use super::closure::reaches_everything;
use super::narrow::narrow;
use super::reach::{known_by_bitmaps, reach_by_bitmaps};
use super::{PackOptions, PlanError, Selection};
use crate::bitmap::Bitmap;
use crate::filter::Filter;
use crate::history::{Graph, NumberMap, NumberSet, OldTree, Paint, Painter, TreeWalk};
use crate::objects::{Objects, Place, ReadError};
use crate::reachability::{Reachability, Reachable};
use crate::{Kind, NoProgress, Progress};

/// Trees of what the client has that a commit without parents is compared with.
const MAX_KNOWN_TREES: usize = 4;

/// Commits of the client's whose trees are read through.
const MAX_KNOWN_COMMITS: usize = 16;

/// From so many commits on, it pays to ask bitmaps what exactly the client has.
const MANY_COMMITS: usize = 500;

/// From so many commits on, a look at bitmaps alone costs less than one at the commits' trees, for
/// which more bytes are sent: nothing is known then of versions to build deltas on.
const MAX_COMPARED_COMMITS: usize = 4_000;

/// The objects that answer a fetch, by number.
pub(super) struct Found {
    pub(super) reachable: Reachable,
    /// Loose objects.
    pub(super) loose: Vec<ObjectId>,
    /// Objects that the client has, as far as they were met.
    pub(super) known: Bitmap,
    /// For objects, an older version at the same path.
    pub(super) versions: NumberMap<u32>,
}

/// Finds what the wants reach and the haves do not.
pub(super) fn collect(
    objects: &Objects,
    selection: &Selection,
    options: &PackOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Found, PlanError> {
    for want in &selection.wants {
        if !objects.contains(want) {
            return Err(PlanError::UnknownWant { id: *want });
        }
    }
    progress.stage("Enumerating objects", None);
    let found = match is_clone(objects, selection)? {
        true => collect_clone(objects, selection, options, progress, cancel)?,
        false => None,
    };
    let found = match found {
        Some(found) => found,
        None => walk(objects, selection, progress, cancel)?,
    };
    progress.done();
    Ok(found)
}

/// Those of `ids` that the tips do not reach.
///
/// Costs a walk over everything the tips reach that no bitmap has, the first time for these tips
/// and packs, unless the edges of the packs show that they reach all there is; the answer
/// is kept in the cache of `objects`.
///
/// # Errors
///
/// Something that the tips reach is missing or unreadable.
pub fn not_reached(
    objects: &Objects,
    tips: Vec<ObjectId>,
    ids: &[ObjectId],
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Vec<ObjectId>, ReadError> {
    let selection = Selection {
        wants: tips,
        ..Selection::default()
    };
    let found = reach_all(objects, &selection, threads, &NoProgress, cancel)?;
    let reached = |id: &ObjectId| match (&found.reachable, objects.find(id)) {
        (_, None) => false,
        (Reachable::Everything, Some(_)) => true,
        (Reachable::Some(numbers), Some(Place::Packed { pack, position })) => {
            numbers.contains(objects.number(pack, position))
        }
        (Reachable::Some(_), Some(Place::Loose { .. })) => found.loose.contains(id),
    };
    Ok(ids.iter().copied().filter(|id| !reached(id)).collect())
}

/// Whether the client asks for all that some commits or tags reach. Who asks for single files
/// is better served by a walk over just those.
fn is_clone(objects: &Objects, selection: &Selection) -> Result<bool, ReadError> {
    let Selection {
        wants,
        haves,
        shallow,
        boundary,
        deepen_unshallow,
        include_tags: _,
        filter: _,
    } = selection;
    let nothing_known = haves.is_empty()
        && shallow.is_empty()
        && boundary.is_empty()
        && deepen_unshallow.is_empty();
    if nothing_known {
        for want in wants {
            let header = objects.header(want)?;
            if header.is_some_and(|header| matches!(header.kind, Kind::Commit | Kind::Tag)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What answers a clone; nothing if a walk is the better way to find out.
fn collect_clone(
    objects: &Objects,
    selection: &Selection,
    options: &PackOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Option<Found>, ReadError> {
    let filter = &selection.filter;
    if filter.depends_on_place() {
        return Ok(None);
    }
    if filter.is_empty() {
        return reach_all(objects, selection, options.threads, progress, cancel).map(Some);
    }
    // Whom few kinds of objects are enough, a walk over just those serves better than one over all.
    let known = match filter.passes(Kind::Tree, 0) && objects.loose_list().is_empty() {
        true => Some(reach_all(
            objects,
            selection,
            options.threads,
            progress,
            cancel,
        )?),
        false => reach_quickly(objects, selection, options.threads, cancel)?.map(whole),
    };
    match known {
        Some(found) if found.loose.is_empty() => {
            let numbers = narrow(objects, &found.reachable, selection)?;
            Ok(Some(whole(Reachable::Some(Arc::new(numbers)))))
        }
        _ => Ok(None),
    }
}

/// Everything that the wants reach, whatever the filter.
fn reach_all(
    objects: &Objects,
    selection: &Selection,
    threads: usize,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Found, ReadError> {
    if let Some(reachable) = reach_quickly(objects, selection, threads, cancel)? {
        if let Reachable::Everything = reachable {
            progress.advance(u64::from(objects.packed_objects()));
        }
        return Ok(whole(reachable));
    }
    let unfiltered = Selection {
        filter: Filter::default(),
        ..selection.clone()
    };
    let found = match reach_by_bitmaps(objects, &unfiltered, cancel)? {
        Some(found) => found,
        None => walk(objects, &unfiltered, progress, cancel)?,
    };
    if let Some(key) = Reachability::key(objects, &selection.wants, &selection.include_tags) {
        objects.reachability().put(key, found.reachable.clone());
    }
    Ok(found)
}

/// The same, if it is known or follows from bitmaps or the edges of the packs.
fn reach_quickly(
    objects: &Objects,
    selection: &Selection,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Option<Reachable>, ReadError> {
    let key = Reachability::key(objects, &selection.wants, &selection.include_tags);
    if let Some(answer) = key.and_then(|key| objects.reachability().get(&key)) {
        return Ok(Some(answer));
    }
    if let Some(found) = reach_by_bitmaps(objects, selection, cancel)?
        && found.loose.is_empty()
    {
        if let Some(key) = key {
            objects.reachability().put(key, found.reachable.clone());
        }
        return Ok(Some(found.reachable));
    }
    if !reaches_everything(objects, selection, threads, cancel)? {
        return Ok(None);
    }
    if let Some(key) = key {
        objects.reachability().put(key, Reachable::Everything);
    }
    Ok(Some(Reachable::Everything))
}

fn whole(reachable: Reachable) -> Found {
    Found {
        reachable,
        loose: Vec::new(),
        known: Bitmap::default(),
        versions: NumberMap::default(),
    }
}

fn walk(
    objects: &Objects,
    selection: &Selection,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Found, ReadError> {
    let walk = Walk {
        graph: Graph::new(objects),
        trees: TreeWalk::new(objects.packed_objects(), cancel),
        painter: Painter::default(),
        wanted_commits: NumberSet::default(),
        wanted_trees: Vec::new(),
        known_commits: Vec::new(),
        progress,
        cancel,
    };
    walk.run(selection)
}

/// Walks over everything that `tips` reach and `known` do not, and fails if something
/// is missing.
pub(crate) fn walk_new_objects(
    objects: &Objects,
    tips: &[ObjectId],
    known: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<(), ReadError> {
    let selection = Selection {
        wants: tips.to_vec(),
        haves: known.to_vec(),
        ..Selection::default()
    };
    walk(objects, &selection, &NoProgress, cancel).map(drop)
}

struct Walk<'a> {
    graph: Graph<'a>,
    trees: TreeWalk<'a>,
    painter: Painter,
    /// Commits and trees that are wanted directly.
    wanted_commits: NumberSet,
    wanted_trees: Vec<u32>,
    /// Commits that the client named.
    known_commits: Vec<u32>,
    progress: &'a dyn Progress,
    cancel: &'a AtomicBool,
}

impl Walk<'_> {
    fn run(mut self, selection: &Selection) -> Result<Found, ReadError> {
        // Who does without some objects may lack the bases of deltas too.
        self.trees.keep_versions = !selection.haves.is_empty() && selection.filter.is_empty();
        self.trees.filter = selection.filter;
        let unshallowed = self.parents_of(&selection.deepen_unshallow)?;
        for id in selection.shallow.iter().chain(&selection.boundary) {
            if let Some(number) = self.graph.number(id) {
                self.graph.graft(number);
            }
        }
        for have in selection.haves.iter().chain(&selection.deepen_unshallow) {
            self.start_known(have)?;
        }
        for want in &selection.wants {
            self.start_wanted(want)?;
        }
        for parent in unshallowed {
            self.painter.start(&mut self.graph, parent, Paint::WANTED)?;
        }
        let commits = self.painter.run(&mut self.graph, self.cancel)?;
        if commits.len() >= MAX_COMPARED_COMMITS && selection.filter.is_empty() {
            let objects = self.graph.objects();
            if let Some(found) = reach_by_bitmaps(objects, selection, self.cancel)? {
                return Ok(found);
            }
        }
        if commits.len() >= MANY_COMMITS
            && selection.filter.is_empty()
            && let Some(known) = known_by_bitmaps(&mut self.graph, selection, self.cancel)?
        {
            self.trees.selected.subtract(&known);
            self.trees.known = known;
        }
        let known_trees = self.known_trees()?;
        if selection.filter.is_empty() {
            self.know_boundary(&commits)?;
        }
        for commit in &commits {
            self.collect_commit(*commit, &known_trees)?;
        }
        for tree in std::mem::take(&mut self.wanted_trees) {
            self.trees.select(tree);
            self.trees
                .visit(&mut self.graph, tree, known_trees.clone())?;
        }
        self.include_tags(&selection.include_tags)?;
        Ok(self.finish())
    }

    /// The real parents of commits that are about to lose them for this walk.
    fn parents_of(&mut self, commits: &[ObjectId]) -> Result<Vec<u32>, ReadError> {
        let mut parents = Vec::new();
        for id in commits {
            let Some(number) = self.graph.number(id) else {
                continue;
            };
            let node = self.graph.commit(number)?;
            for at in 0..Graph::parent_count(&node) {
                parents.push(self.graph.expect_parent(number, &node, at)?);
            }
        }
        Ok(parents)
    }

    fn start_known(&mut self, have: &ObjectId) -> Result<(), ReadError> {
        let Some(number) = self.graph.number(have) else {
            return Ok(());
        };
        let trees = &mut self.trees;
        let (peeled, kind) = self.graph.peel(number, &mut |tag| {
            trees.known.insert(tag);
        })?;
        if kind == Kind::Commit {
            self.known_commits.push(peeled);
            self.painter.start(&mut self.graph, peeled, Paint::KNOWN)
        } else {
            self.trees.known.insert(peeled);
            Ok(())
        }
    }

    fn start_wanted(&mut self, want: &ObjectId) -> Result<(), ReadError> {
        let number = self.graph.expect(want)?;
        let trees = &mut self.trees;
        let (peeled, kind) = self.graph.peel(number, &mut |tag| trees.select(tag))?;
        match kind {
            Kind::Commit => {
                self.wanted_commits.insert(peeled);
                self.painter.start(&mut self.graph, peeled, Paint::WANTED)?;
            }
            Kind::Tree => self.wanted_trees.push(peeled),
            Kind::Blob | Kind::Tag => self.trees.select(peeled),
        }
        Ok(())
    }

    /// Some trees that the client has, to compare with where there is no parent.
    fn known_trees(&mut self) -> Result<Vec<OldTree>, ReadError> {
        let commits: Vec<u32> = self
            .known_commits
            .iter()
            .copied()
            .take(MAX_KNOWN_TREES)
            .collect();
        let mut trees = Vec::new();
        for commit in commits {
            trees.push(OldTree {
                tree: self.graph.tree(commit)?,
                known: true,
            });
        }
        Ok(trees)
    }

    /// Looks at what the client has in the commits that the new ones build on: deltas may
    /// be against any of that.
    fn know_boundary(&mut self, commits: &[u32]) -> Result<(), ReadError> {
        let mut looked_at = 0;
        for commit in commits {
            let node = self.graph.commit(*commit)?;
            for at in 0..Graph::parent_count(&node) {
                let parent = self.graph.parent(&node, at);
                let known = |parent: &u32| self.painter.paint(*parent).has(Paint::KNOWN);
                let Some(parent) = parent.filter(known) else {
                    continue;
                };
                if looked_at == MAX_KNOWN_COMMITS {
                    return Ok(());
                }
                looked_at += 1;
                let tree = self.graph.tree(parent)?;
                self.trees.know(&mut self.graph, tree)?;
            }
        }
        Ok(())
    }

    fn collect_commit(&mut self, commit: u32, known_trees: &[OldTree]) -> Result<(), ReadError> {
        if self.trees.filter.passes(Kind::Commit, 0) || self.wanted_commits.contains(&commit) {
            self.trees.select(commit);
        }
        if !self.trees.filter.wants_content(0) {
            return Ok(());
        }
        let node = self.graph.commit(commit)?;
        let mut olds = Vec::new();
        for at in 0..Graph::parent_count(&node) {
            let parent = self.graph.expect_parent(commit, &node, at)?;
            let known = self.painter.paint(parent).has(Paint::KNOWN);
            olds.push(OldTree {
                tree: self.graph.tree(parent)?,
                known,
            });
        }
        if olds.is_empty() {
            olds.extend_from_slice(known_trees);
        }
        let tree = self.graph.tree(commit)?;
        let before = self.trees.selected.count();
        self.trees.visit(&mut self.graph, tree, olds)?;
        self.progress
            .advance(u64::from(self.trees.selected.count() - before) + 1);
        Ok(())
    }

    /// Adds the tags of objects that are sent, with the tags on the way.
    fn include_tags(&mut self, tags: &[(ObjectId, ObjectId)]) -> Result<(), ReadError> {
        for (tag, peeled) in tags {
            let Some(target) = self.graph.number(peeled) else {
                continue;
            };
            let Some(number) = self.graph.number(tag) else {
                continue;
            };
            if self.trees.selected.contains(target) {
                let trees = &mut self.trees;
                self.graph.peel(number, &mut |tag| trees.select(tag))?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Found {
        let packed = self.graph.objects().packed_objects();
        self.trees.know_older_versions();
        let selected = self.trees.selected;
        let loose = selected
            .range(packed..u32::MAX)
            .map(|number| self.graph.id(number))
            .collect();
        Found {
            reachable: Reachable::Some(Arc::new(selected)),
            loose,
            known: self.trees.known,
            versions: self.trees.versions,
        }
    }
}
