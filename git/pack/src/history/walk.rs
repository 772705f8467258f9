use git_id::ObjectId;

use super::Graph;
use crate::objects::{Objects, ReadError};

/// What a walk needs of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// The root directory.
    pub tree: ObjectId,
    /// The commits this one builds on.
    pub parents: Vec<ObjectId>,
    /// The committer's time, seconds since the epoch.
    pub time: i64,
}

/// Reads commits for walks, from the commit-graph where it covers them, and remembers them.
pub struct History<'a> {
    graph: Graph<'a>,
}

impl<'a> History<'a> {
    /// The history that these objects hold.
    pub fn new(objects: &'a Objects) -> Self {
        Self {
            graph: Graph::new(objects),
        }
    }

    /// A commit's tree, parents and time.
    ///
    /// # Errors
    ///
    /// It, its tree or a parent is missing, damaged or something else.
    pub fn links(&mut self, commit: &ObjectId) -> Result<Links, ReadError> {
        let number = self.graph.expect(commit)?;
        let node = self.graph.commit(number)?;
        let tree = self.graph.tree(number)?;
        let mut parents = Vec::with_capacity(Graph::parent_count(&node));
        for at in 0..Graph::parent_count(&node) {
            let parent = self.graph.expect_parent(number, &node, at)?;
            parents.push(self.graph.id(parent));
        }
        Ok(Links {
            tree: self.graph.id(tree),
            parents,
            time: node.time,
        })
    }
}

impl std::fmt::Debug for History<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}
