use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::graph::{Graph, NumberSet};
use super::paint::{Paint, Painter};
use crate::Kind;
use crate::objects::{Objects, ReadError};

/// The depth by which clients ask for all of history.
const INFINITE_DEPTH: u32 = 0x7fff_ffff;

/// How deep a client wants its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Depth {
    /// `deepen`: that many commits counted from what it wants, at least 1; 2147483647 means all.
    Commits(u32),
    /// `deepen` with `deepen-relative`: that many commits more than there are from what it wants
    /// to the nearest commit of its boundary.
    Relative(u32),
    /// `deepen-since` and `deepen-not`, of which it may ask both: no commit older than
    /// `since` (seconds since the epoch), none that is reachable from `not`.
    Excluding {
        /// The oldest date wanted.
        since: Option<i64>,
        /// What the refs name that are not wanted.
        not: Vec<ObjectId>,
    },
}

/// What a request for a depth comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShallowChange {
    /// Commits that the client is to treat as having no parents, and did not before.
    pub shallow: Vec<ObjectId>,
    /// Commits of the client's shallow boundary whose parents it is to get.
    pub unshallow: Vec<ObjectId>,
    /// All commits at the requested depth, the boundary of what is sent.
    pub boundary: Vec<ObjectId>,
}

/// Why no boundary was found.
#[derive(Debug, thiserror::Error)]
pub enum ShallowError {
    /// A commit is missing or unreadable.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// All commits are older than asked for, or excluded.
    #[error("no commits selected for shallow requests")]
    NothingSelected,
}

/// Finds where history is to be cut for a client that asks for `depth`, given its present
/// boundary `client_shallow`. Commits of that boundary that are not here are passed over.
///
/// # Errors
///
/// A commit is missing or unreadable; nothing is left within the depth.
pub fn shallow_boundary(
    objects: &Objects,
    wants: &[ObjectId],
    client_shallow: &[ObjectId],
    depth: &Depth,
    cancel: &AtomicBool,
) -> Result<ShallowChange, ShallowError> {
    let mut graph = Graph::new(objects);
    let mut client = Vec::new();
    for id in client_shallow {
        if let Some(number) = graph.number(id)
            && graph.kind(number)? == Kind::Commit
        {
            client.push(number);
        }
    }
    let mut heads = Vec::new();
    for want in wants {
        let number = graph.expect(want)?;
        let (commit, kind) = graph.peel(number, &mut |_| {})?;
        if kind == Kind::Commit {
            heads.push(commit);
        }
    }
    let (boundary, inside) = match depth {
        Depth::Commits(depth) if *depth >= INFINITE_DEPTH => {
            (Vec::new(), client.iter().copied().collect())
        }
        Depth::Commits(depth) => by_distance(&mut graph, &heads, (*depth).max(1), cancel)?,
        Depth::Relative(more) => match nearest(&mut graph, &heads, &client, cancel)? {
            Some(now) => by_distance(&mut graph, &heads, now.saturating_add(*more), cancel)?,
            None => Cut::default(),
        },
        Depth::Excluding { since, not } => by_exclusion(&mut graph, &heads, *since, not, cancel)?,
    };
    let known: NumberSet = client.iter().copied().collect();
    let ids =
        |numbers: &mut dyn Iterator<Item = u32>| numbers.map(|number| graph.id(number)).collect();
    Ok(ShallowChange {
        shallow: ids(&mut boundary
            .iter()
            .copied()
            .filter(|commit| !known.contains(commit))),
        unshallow: ids(&mut client
            .iter()
            .copied()
            .filter(|commit| inside.contains(commit))),
        boundary: ids(&mut boundary.iter().copied()),
    })
}

/// Boundary and inside.
type Cut = (Vec<u32>, NumberSet);

/// Cuts at the commits whose shortest distance to a head is `depth`, heads being at 1.
fn by_distance(
    graph: &mut Graph<'_>,
    heads: &[u32],
    depth: u32,
    cancel: &AtomicBool,
) -> Result<Cut, ReadError> {
    let mut seen: NumberSet = heads.iter().copied().collect();
    let mut level: Vec<u32> = seen.iter().copied().collect();
    let mut inside = NumberSet::default();
    for _ in 1..depth {
        let mut next = Vec::new();
        for commit in level {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            inside.insert(commit);
            let node = graph.commit(commit)?;
            for at in 0..Graph::parent_count(&node) {
                let parent = graph.expect_parent(commit, &node, at)?;
                if seen.insert(parent) {
                    next.push(parent);
                }
            }
        }
        level = next;
        if level.is_empty() {
            break;
        }
    }
    Ok((level, inside))
}

/// The shortest distance from a head to one of the commits, heads being at 1; `None` if
/// no head reaches any.
fn nearest(
    graph: &mut Graph<'_>,
    heads: &[u32],
    commits: &[u32],
    cancel: &AtomicBool,
) -> Result<Option<u32>, ReadError> {
    let sought: NumberSet = commits.iter().copied().collect();
    let mut seen: NumberSet = heads.iter().copied().collect();
    let mut level: Vec<u32> = heads.to_vec();
    let mut distance = 1;
    while !level.is_empty() {
        if level.iter().any(|commit| sought.contains(commit)) {
            return Ok(Some(distance));
        }
        let mut next = Vec::new();
        for commit in level {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            let node = graph.commit(commit)?;
            for at in 0..Graph::parent_count(&node) {
                let parent = graph.expect_parent(commit, &node, at)?;
                if seen.insert(parent) {
                    next.push(parent);
                }
            }
        }
        level = next;
        distance += 1;
    }
    Ok(None)
}

/// Cuts at the commits that have an excluded parent.
fn by_exclusion(
    graph: &mut Graph<'_>,
    heads: &[u32],
    since: Option<i64>,
    not: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<Cut, ShallowError> {
    let mut painter = Painter::since(since);
    for excluded in not {
        let number = graph.expect(excluded)?;
        let (commit, kind) = graph.peel(number, &mut |_| {})?;
        if kind == Kind::Commit {
            painter.start(graph, commit, Paint::KNOWN)?;
        }
    }
    for head in heads {
        painter.start(graph, *head, Paint::WANTED)?;
    }
    let listed = painter.run(graph, cancel)?;
    if listed.is_empty() {
        return Err(ShallowError::NothingSelected);
    }
    let mut inside: NumberSet = listed.iter().copied().collect();
    let mut boundary = Vec::new();
    for commit in listed {
        let node = graph.commit(commit)?;
        let parents = (0..Graph::parent_count(&node)).map(|at| graph.parent(&node, at));
        if parents
            .into_iter()
            .any(|parent| parent.is_none_or(|parent| !inside.contains(&parent)))
        {
            boundary.push(commit);
        }
    }
    for commit in &boundary {
        inside.remove(commit);
    }
    Ok((boundary, inside))
}
