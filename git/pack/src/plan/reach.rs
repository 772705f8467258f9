use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::Selection;
use super::collect::Found;
use crate::Kind;
use crate::bitmap::Bitmap;
use crate::derived::{Bitmaps, set_bits};
use crate::history::{Graph, NumberMap, NumberSet};
use crate::objects::{Objects, ReadError};
use crate::parse::{EntryKind, RawEntries};
use crate::reachability::Reachable;

/// What the wants reach and the haves do not, whatever the filter, found with the help of bitmaps:
/// only what is newer than those is walked over. Nothing where there are none, or where the
/// client's history is cut off, which no bitmap knows of.
pub(super) fn reach_by_bitmaps(
    objects: &Objects,
    selection: &Selection,
    cancel: &AtomicBool,
) -> Result<Option<Found>, ReadError> {
    let mut graph = Graph::new(objects);
    let Some(known) = known_by_bitmaps(&mut graph, selection, cancel)? else {
        return Ok(None);
    };
    let Some(bitmaps) = objects.bitmaps() else {
        return Ok(None);
    };
    let mut selected = Reach::new(&mut graph, bitmaps, cancel).run(&selection.wants)?;
    selected.subtract(&known);
    for (tag, peeled) in &selection.include_tags {
        let target = graph.number(peeled);
        if let Some(number) = graph.number(tag)
            && target.is_some_and(|target| selected.contains(target))
        {
            graph.peel(number, &mut |tag| {
                if !known.contains(tag) {
                    selected.insert(tag);
                }
            })?;
        }
    }
    let loose = selected.range(objects.packed_objects()..u32::MAX);
    let loose = loose.map(|number| graph.id(number)).collect();
    Ok(Some(Found {
        reachable: Reachable::Some(Arc::new(selected)),
        loose,
        known,
        versions: NumberMap::default(),
    }))
}

/// What the haves reach, found in the same way, and nothing in the same cases.
pub(super) fn known_by_bitmaps<'a>(
    graph: &mut Graph<'a>,
    selection: &Selection,
    cancel: &'a AtomicBool,
) -> Result<Option<Bitmap>, ReadError> {
    let cut = [
        &selection.shallow,
        &selection.boundary,
        &selection.deepen_unshallow,
    ];
    let objects = graph.objects();
    let bitmaps = objects.bitmaps();
    let Some(bitmaps) = bitmaps.filter(|_| cut.iter().all(|commits| commits.is_empty())) else {
        return Ok(None);
    };
    let is_here = |id: &&ObjectId| objects.contains(id);
    let haves: Vec<ObjectId> = selection.haves.iter().filter(is_here).copied().collect();
    Reach::new(graph, bitmaps, cancel).run(&haves).map(Some)
}

/// Finds all that some objects reach.
struct Reach<'g, 'a> {
    graph: &'g mut Graph<'a>,
    bitmaps: &'a Bitmaps,
    cancel: &'a AtomicBool,
    /// A bit for each object known to be reached.
    words: Vec<u64>,
    /// Commits by time, newest first: what a newer one's bitmap has, an older one's need not add.
    open: BinaryHeap<(i64, u32)>,
    /// Commits that are newer than all bitmaps.
    walked: Vec<u32>,
    seen: NumberSet,
}

impl<'g, 'a> Reach<'g, 'a> {
    fn new(graph: &'g mut Graph<'a>, bitmaps: &'a Bitmaps, cancel: &'a AtomicBool) -> Self {
        Self {
            graph,
            bitmaps,
            cancel,
            words: vec![0; bitmaps.words()],
            open: BinaryHeap::new(),
            walked: Vec::new(),
            seen: NumberSet::default(),
        }
    }

    fn run(mut self, tips: &[ObjectId]) -> Result<Bitmap, ReadError> {
        let (mut single, mut trees) = (Vec::new(), Vec::new());
        for tip in tips {
            let number = self.graph.expect(tip)?;
            let (peeled, kind) = self.graph.peel(number, &mut |tag| single.push(tag))?;
            match kind {
                Kind::Commit => self.push(peeled)?,
                Kind::Tree => trees.push(peeled),
                Kind::Blob | Kind::Tag => single.push(peeled),
            }
        }
        while let Some((_, commit)) = self.open.pop() {
            self.commit(commit)?;
        }
        let mut reached = Bitmap::with_capacity(self.graph.objects().packed_objects());
        for bit in set_bits(&self.words) {
            reached.insert(self.bitmaps.number(bit));
        }
        for number in single {
            reached.insert(number);
        }
        for commit in std::mem::take(&mut self.walked) {
            reached.insert(commit);
            trees.push(self.graph.tree(commit)?);
        }
        self.walk_trees(trees, &mut reached)?;
        Ok(reached)
    }

    fn push(&mut self, commit: u32) -> Result<(), ReadError> {
        if self.seen.insert(commit) {
            self.open.push((self.graph.commit(commit)?.time, commit));
        }
        Ok(())
    }

    fn commit(&mut self, commit: u32) -> Result<(), ReadError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(ReadError::Cancelled);
        }
        if let Some(bit) = self.bitmaps.bit(commit) {
            if self.words[bit as usize / 64] & 1 << (bit % 64) != 0 {
                return Ok(());
            }
            match self.bitmaps.reached_from(bit) {
                Some(Ok(more)) => {
                    self.words
                        .iter_mut()
                        .zip(&more)
                        .for_each(|(word, other)| *word |= other);
                    return Ok(());
                }
                Some(Err(damage)) => tracing::warn!(%damage, "a bitmap is passed over"),
                None => {}
            }
        }
        self.walked.push(commit);
        let node = self.graph.commit(commit)?;
        for at in 0..Graph::parent_count(&node) {
            let parent = self.graph.expect_parent(commit, &node, at)?;
            self.push(parent)?;
        }
        Ok(())
    }

    /// Adds trees and all below; what is reached already is so with all below.
    fn walk_trees(&mut self, trees: Vec<u32>, reached: &mut Bitmap) -> Result<(), ReadError> {
        let hash = self.graph.objects().hash();
        let mut open = trees;
        while let Some(tree) = open.pop() {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            if !reached.insert(tree) {
                continue;
            }
            let data = self.graph.load_kind(tree, Kind::Tree)?.data;
            for entry in RawEntries::new(&data, hash) {
                let entry = entry.map_err(|_| ReadError::Malformed {
                    id: self.graph.id(tree),
                    kind: Kind::Tree,
                })?;
                if entry.kind() == EntryKind::Submodule {
                    continue;
                }
                let number = self.graph.expect_from(&entry.object_id(), tree)?;
                match entry.kind() {
                    EntryKind::Tree => open.push(number),
                    _ => {
                        reached.insert(number);
                    }
                }
            }
        }
        Ok(())
    }
}
