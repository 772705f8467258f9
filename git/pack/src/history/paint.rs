use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::graph::{Graph, NumberMap};
use crate::objects::ReadError;

/// From which side a commit can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint(u8);

impl Paint {
    /// From what is wanted.
    pub(crate) const WANTED: Self = Self(1);
    /// From what is there already.
    pub(crate) const KNOWN: Self = Self(2);
    const QUEUED: Self = Self(4);
    const LISTED: Self = Self(8);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn is_open(self) -> bool {
        self.has(Self::WANTED) && !self.has(Self::KNOWN)
    }
}

/// Walks back from two sides by date, newest first, until all that is reachable
/// from the wanted side and not from the known side was seen.
///
/// Dates decide only how far it walks. If they lie, commits that are known may be
/// listed too, never are any left out.
#[derive(Default)]
pub(crate) struct Painter {
    paint: NumberMap<Paint>,
    queue: BinaryHeap<(i64, u32)>,
    /// Commits in the queue that are wanted and not known.
    open: usize,
    listed: Vec<u32>,
    /// Commits older than this count as known.
    since: Option<i64>,
}

impl Painter {
    /// A walk that takes all commits older than `since` for known.
    pub(crate) fn since(since: Option<i64>) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    /// Starts at a commit.
    pub(crate) fn start(
        &mut self,
        graph: &mut Graph<'_>,
        commit: u32,
        side: Paint,
    ) -> Result<(), ReadError> {
        self.mark(graph, commit, side)
    }

    pub(crate) fn paint(&self, commit: u32) -> Paint {
        self.paint.get(&commit).copied().unwrap_or_default()
    }

    fn mark(&mut self, graph: &mut Graph<'_>, commit: u32, side: Paint) -> Result<(), ReadError> {
        let paint = self.paint.entry(commit).or_default();
        if paint.has(side) || paint.has(Paint::KNOWN) {
            return Ok(());
        }
        let before = *paint;
        paint.0 |= side.0;
        let queued_open = |paint: Paint| usize::from(paint.has(Paint::QUEUED) && paint.is_open());
        if !before.has(Paint::QUEUED) {
            let time = graph.commit(commit)?.time;
            let paint = self.paint.entry(commit).or_default();
            paint.0 |= Paint::QUEUED.0;
            self.queue.push((time, commit));
        }
        self.open = self.open + queued_open(self.paint(commit)) - queued_open(before);
        Ok(())
    }

    /// Walks until nothing wanted is left in the queue; gives the commits
    /// that are reachable from the wanted side only, newest first.
    pub(crate) fn run(
        &mut self,
        graph: &mut Graph<'_>,
        cancel: &AtomicBool,
    ) -> Result<Vec<u32>, ReadError> {
        while self.open > 0 {
            let Some((time, commit)) = self.queue.pop() else {
                break;
            };
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            let paint = self.paint.entry(commit).or_default();
            self.open -= usize::from(paint.is_open());
            paint.0 &= !Paint::QUEUED.0;
            if self.since.is_some_and(|since| time < since) {
                paint.0 |= Paint::KNOWN.0;
            }
            let known = paint.has(Paint::KNOWN);
            if !known && !paint.has(Paint::LISTED) {
                paint.0 |= Paint::LISTED.0;
                self.listed.push(commit);
            }
            let node = graph.commit(commit)?;
            for at in 0..Graph::parent_count(&node) {
                if known {
                    if let Some(parent) = graph.parent(&node, at) {
                        self.mark(graph, parent, Paint::KNOWN)?;
                    }
                } else {
                    let parent = graph.expect_parent(commit, &node, at)?;
                    self.mark(graph, parent, Paint::WANTED)?;
                }
            }
        }
        let mut listed = std::mem::take(&mut self.listed);
        listed.retain(|commit| !self.paint(*commit).has(Paint::KNOWN));
        Ok(listed)
    }
}
