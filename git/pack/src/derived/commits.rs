use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use crate::Kind;
use crate::history::{Graph, NumberMap};
use crate::objects::ReadError;

/// All commits that some tips reach, every one before its parents, newest first.
pub(crate) struct Commits {
    rows: Vec<CommitRow>,
    /// Of all rows one after the other, as places in `rows`.
    parents: Vec<u32>,
}

/// A commit, and its generation numbers (gitformat-commit-graph(5)).
pub(crate) struct CommitRow {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    first_parent: usize,
    parent_count: u32,
    /// The committer's time, seconds since the epoch.
    pub(crate) time: i64,
    /// 1 without parents, or else one more than the greatest of them.
    pub(crate) level: u32,
    /// The committer's time, or one second after the latest parent's if that is later.
    pub(crate) corrected: u64,
}

impl Commits {
    /// Walks over history. Tips that lead to no commit are passed over.
    pub(crate) fn reached_from(
        graph: &mut Graph<'_>,
        tips: &[ObjectId],
        cancel: &AtomicBool,
    ) -> Result<Self, ReadError> {
        let mut walk = Walk::default();
        for tip in tips {
            let number = graph.expect(tip)?;
            let (commit, kind) = graph.peel(number, &mut |_| {})?;
            if kind == Kind::Commit {
                walk.descend(graph, commit, cancel)?;
            }
        }
        Ok(walk.commits.newest_first())
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn rows(&self) -> &[CommitRow] {
        &self.rows
    }

    /// The places of a commit's parents.
    pub(crate) fn parents(&self, at: usize) -> &[u32] {
        let row = &self.rows[at];
        &self.parents[row.first_parent..row.first_parent + row.parent_count as usize]
    }

    /// From parents first to newest first. A corrected date is later than all parents' are.
    fn newest_first(self) -> Self {
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        order
            .sort_unstable_by_key(|at| std::cmp::Reverse((self.rows[*at as usize].corrected, *at)));
        let mut places = vec![0u32; order.len()];
        for (place, at) in order.iter().enumerate() {
            places[*at as usize] = place as u32;
        }
        let mut sorted = Self {
            rows: Vec::with_capacity(self.rows.len()),
            parents: Vec::with_capacity(self.parents.len()),
        };
        for at in order {
            let first_parent = sorted.parents.len();
            let parents = self.parents(at as usize).iter();
            sorted
                .parents
                .extend(parents.map(|parent| places[*parent as usize]));
            let row = &self.rows[at as usize];
            sorted.rows.push(CommitRow {
                first_parent,
                ..*row
            });
        }
        sorted
    }
}

/// Depth first, so that a commit's parents are done before it.
struct Walk {
    commits: Commits,
    places: NumberMap<u32>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            commits: Commits {
                rows: Vec::new(),
                parents: Vec::new(),
            },
            places: NumberMap::default(),
        }
    }
}

impl Walk {
    fn descend(
        &mut self,
        graph: &mut Graph<'_>,
        tip: u32,
        cancel: &AtomicBool,
    ) -> Result<(), ReadError> {
        let mut path = vec![(tip, 0)];
        while let Some((commit, next)) = path.last_mut() {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            let (commit, at) = (*commit, *next);
            *next += 1;
            let node = graph.commit(commit)?;
            if self.places.contains_key(&commit) {
                path.pop();
            } else if at < Graph::parent_count(&node) {
                let parent = graph.expect_parent(commit, &node, at)?;
                if !self.places.contains_key(&parent) {
                    path.push((parent, 0));
                }
            } else {
                self.finish(graph, commit)?;
                path.pop();
            }
        }
        Ok(())
    }

    fn finish(&mut self, graph: &mut Graph<'_>, commit: u32) -> Result<(), ReadError> {
        let node = graph.commit(commit)?;
        let first_parent = self.commits.parents.len();
        let time = node.time;
        let (mut level, mut corrected) = (1, time.max(1) as u64);
        for at in 0..Graph::parent_count(&node) {
            let parent = graph.expect_parent(commit, &node, at)?;
            let place = self.places[&parent];
            let row = &self.commits.rows[place as usize];
            level = level.max(row.level + 1);
            corrected = corrected.max(row.corrected + 1);
            self.commits.parents.push(place);
        }
        let tree = graph.tree(commit)?;
        self.places.insert(commit, self.commits.rows.len() as u32);
        self.commits.rows.push(CommitRow {
            id: graph.id(commit),
            tree: graph.id(tree),
            first_parent,
            parent_count: Graph::parent_count(&node) as u32,
            time,
            level,
            corrected,
        });
        Ok(())
    }
}
