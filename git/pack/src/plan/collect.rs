use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use super::closure::reaches_everything;
use super::{PackOptions, PlanError, Selection};
use crate::bitmap::Bitmap;
use crate::history::{Graph, NumberMap, OldTree, Paint, Painter, TreeWalk};
use crate::objects::{Objects, ReadError};
use crate::reachability::{Reachability, Reachable};
use crate::{Kind, NoProgress, Progress};

/// Trees of what the client has that a commit without parents is compared with.
const MAX_KNOWN_TREES: usize = 4;

/// Commits of the client's whose trees are read through.
const MAX_KNOWN_COMMITS: usize = 16;

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
    let found = if is_clone(selection) {
        collect_clone(objects, selection, options, progress, cancel)?
    } else {
        walk(objects, selection, progress, cancel)?
    };
    progress.done();
    Ok(found)
}

/// Whether everything that the wants reach is to be sent.
fn is_clone(selection: &Selection) -> bool {
    let Selection {
        wants: _,
        haves,
        shallow,
        boundary,
        deepen_unshallow,
        include_tags: _,
    } = selection;
    haves.is_empty() && shallow.is_empty() && boundary.is_empty() && deepen_unshallow.is_empty()
}

fn collect_clone(
    objects: &Objects,
    selection: &Selection,
    options: &PackOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Found, ReadError> {
    let found = |reachable| Found {
        reachable,
        loose: Vec::new(),
        known: Bitmap::default(),
        versions: NumberMap::default(),
    };
    let key = Reachability::key(objects, &selection.wants, &selection.include_tags);
    if let Some(answer) = key.and_then(|key| objects.reachability().get(&key)) {
        return Ok(found(answer));
    }
    let result = if reaches_everything(objects, selection, options.threads, cancel)? {
        progress.advance(u64::from(objects.packed_objects()));
        found(Reachable::Everything)
    } else {
        walk(objects, selection, progress, cancel)?
    };
    if let Some(key) = key {
        objects.reachability().put(key, result.reachable.clone());
    }
    Ok(result)
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
    /// Trees that are wanted directly.
    wanted_trees: Vec<u32>,
    /// Commits that the client named.
    known_commits: Vec<u32>,
    progress: &'a dyn Progress,
    cancel: &'a AtomicBool,
}

impl Walk<'_> {
    fn run(mut self, selection: &Selection) -> Result<Found, ReadError> {
        self.trees.keep_versions = !selection.haves.is_empty();
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
        let known_trees = self.known_trees()?;
        self.know_boundary(&commits)?;
        for commit in &commits {
            self.collect_commit(*commit, &known_trees)?;
        }
        for tree in std::mem::take(&mut self.wanted_trees) {
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
            Kind::Commit => self.painter.start(&mut self.graph, peeled, Paint::WANTED)?,
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
        self.trees.select(commit);
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

    fn finish(self) -> Found {
        let packed = self.graph.objects().packed_objects();
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
