use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use crate::Kind;
use crate::bitmap::Bitmap;
use crate::edges::{Edges, Expected, compute_edges};
use crate::history::{Graph, NumberSet, Paint, Painter, TreeWalk};
use crate::objects::{Objects, Pack, ReadError};
use crate::parse::{EntryKind, RawEntries};

/// Whether the references out of the added pack, and the tips outside of it, are
/// all complete. A no, or a missing object, may be wrong; a yes is not.
pub(super) fn are_connected(
    objects: &Objects,
    tips: &[ObjectId],
    known: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<bool, ReadError> {
    let mut search = Search {
        graph: Graph::new(objects),
        commits: Vec::new(),
        trees: NumberSet::default(),
        cancel,
    };
    let added = objects.added_pack().map(|at| &*objects.pack_list()[at]);
    let computed;
    let edges = match added {
        None => None,
        Some(pack) => match pack.edges() {
            Some(edges) => Some(&**edges),
            None => {
                computed = compute_edges(pack, 1, cancel)?;
                match &computed {
                    Some(edges) => Some(edges),
                    None => return Ok(false),
                }
            }
        },
    };
    for external in edges
        .map(|edges| edges.externals.as_slice())
        .unwrap_or_default()
    {
        if cancel.load(Ordering::Relaxed) {
            return Err(ReadError::Cancelled);
        }
        if !search.add(&external.id, Some(external.expected))? {
            return Ok(false);
        }
    }
    for tip in tips {
        let own = added
            .zip(edges)
            .is_some_and(|(pack, edges)| is_own(pack, edges, tip));
        if !own && !search.add(tip, None)? {
            return Ok(false);
        }
    }
    search.prove(known)
}

/// Whether a pack holds the object as more than a copy that completes it.
fn is_own(pack: &Pack, edges: &Edges, id: &ObjectId) -> bool {
    pack.lookup(id.as_bytes()).is_some() && edges.completed.binary_search(id).is_err()
}

struct Search<'a> {
    graph: Graph<'a>,
    commits: Vec<u32>,
    trees: NumberSet,
    cancel: &'a AtomicBool,
}

impl Search<'_> {
    /// Adds an object that must be complete; whether that is possible at all.
    fn add(&mut self, id: &ObjectId, expected: Option<Expected>) -> Result<bool, ReadError> {
        let number = self.graph.expect(id)?;
        let kind = self.graph.kind(number)?;
        if expected.is_some_and(|expected| expected != Expected::of(kind)) {
            return Ok(false);
        }
        match kind {
            Kind::Blob => Ok(true),
            Kind::Tree => {
                self.trees.insert(number);
                Ok(true)
            }
            Kind::Commit => {
                self.commits.push(number);
                Ok(true)
            }
            Kind::Tag => {
                let (target, kind) = self.graph.peel(number, &mut |_| {})?;
                match kind {
                    Kind::Commit => self.commits.push(target),
                    Kind::Tree => drop(self.trees.insert(target)),
                    Kind::Blob | Kind::Tag => {}
                }
                Ok(true)
            }
        }
    }

    fn prove(mut self, known: &[ObjectId]) -> Result<bool, ReadError> {
        let mut known_commits = Vec::new();
        for id in known {
            let Some(number) = self.graph.number(id) else {
                continue;
            };
            let (target, kind) = self.graph.peel(number, &mut |_| {})?;
            match kind {
                Kind::Commit => known_commits.push(target),
                Kind::Tree => drop(self.trees.remove(&target)),
                Kind::Blob | Kind::Tag => {}
            }
        }
        if !self.commits_are_known(&known_commits)? {
            return Ok(false);
        }
        self.strike_known_trees(&known_commits)?;
        let mut walk = TreeWalk::new(self.graph.objects().packed_objects(), self.cancel);
        for tree in std::mem::take(&mut self.trees) {
            walk.visit(&mut self.graph, tree, Vec::new())?;
        }
        Ok(true)
    }

    fn commits_are_known(&mut self, known: &[u32]) -> Result<bool, ReadError> {
        let tips: NumberSet = known.iter().copied().collect();
        if self.commits.iter().all(|commit| tips.contains(commit)) {
            return Ok(true);
        }
        let mut painter = Painter::default();
        for commit in known {
            painter.start(&mut self.graph, *commit, Paint::KNOWN)?;
        }
        for commit in &self.commits {
            painter.start(&mut self.graph, *commit, Paint::WANTED)?;
        }
        Ok(painter.run(&mut self.graph, self.cancel)?.is_empty())
    }

    /// Strikes out the trees that occur in the trees of known commits: those
    /// that the new ones build on, or else all.
    ///
    /// A tree that is struck out is not descended into. New commits refer to what
    /// they did not change, so what is left to descend into is what they did change.
    fn strike_known_trees(&mut self, known: &[u32]) -> Result<(), ReadError> {
        let hash = self.graph.objects().hash();
        let start = if self.commits.is_empty() {
            known.to_vec()
        } else {
            std::mem::take(&mut self.commits)
        };
        let mut stack = Vec::new();
        let mut seen = Bitmap::with_capacity(self.graph.objects().packed_objects());
        for commit in start {
            stack.push(self.graph.tree(commit)?);
            while let Some(tree) = stack.pop() {
                if self.trees.is_empty() {
                    return Ok(());
                }
                if self.cancel.load(Ordering::Relaxed) {
                    return Err(ReadError::Cancelled);
                }
                if self.trees.remove(&tree) || !seen.insert(tree) {
                    continue;
                }
                let data = self.graph.load_kind(tree, Kind::Tree)?.data;
                for entry in RawEntries::new(&data, hash).map_while(Result::ok) {
                    if entry.kind() == EntryKind::Tree
                        && let Some(below) = self.graph.number(&entry.object_id())
                    {
                        stack.push(below);
                    }
                }
            }
        }
        Ok(())
    }
}
