use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::graph::{Graph, NumberMap, NumberSet};
use crate::Kind;
use crate::objects::{Objects, ReadError};

/// Whether every wanted commit has an ancestor that the client has, so that an
/// upload-pack server may say `ready` and end the negotiation.
///
/// As git does, commits older than the oldest the client named are not looked at,
/// so the answer may be no where a walk over all of history would say yes; wanted
/// objects that are no commits count as reached. Without haves the answer is no.
///
/// # Errors
///
/// A commit on the way is missing or unreadable.
pub fn all_wants_reach_common(
    objects: &Objects,
    wants: &[ObjectId],
    haves: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<bool, ReadError> {
    let mut graph = Graph::new(objects);
    let mut common = NumberSet::default();
    let mut oldest = i64::MAX;
    for have in haves {
        let Some(number) = graph.number(have) else {
            continue;
        };
        let (commit, kind) = graph.peel(number, &mut |_| {})?;
        if kind == Kind::Commit {
            oldest = oldest.min(graph.commit(commit)?.time);
            common.insert(commit);
        }
    }
    if common.is_empty() {
        return Ok(false);
    }
    let mut search = Search {
        common,
        oldest,
        state: NumberMap::default(),
    };
    for want in wants {
        let number = graph.expect(want)?;
        let (commit, kind) = graph.peel(number, &mut |_| {})?;
        if kind == Kind::Commit && !search.reaches(&mut graph, commit, cancel)? {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Search {
    common: NumberSet,
    oldest: i64,
    /// Commits seen, and whether they reach a common one.
    state: NumberMap<bool>,
}

impl Search {
    fn reaches(
        &mut self,
        graph: &mut Graph<'_>,
        want: u32,
        cancel: &AtomicBool,
    ) -> Result<bool, ReadError> {
        let mut path = vec![(want, 0)];
        while let Some((commit, next)) = path.last_mut() {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            let (commit, at) = (*commit, *next);
            *next += 1;
            if at == 0 {
                let found = match self.state.get(&commit) {
                    Some(known) => Some(*known),
                    None if self.common.contains(&commit) => Some(true),
                    None => (graph.commit(commit)?.time < self.oldest).then_some(false),
                };
                match found {
                    Some(true) => {
                        self.state
                            .extend(path.iter().map(|(commit, _)| (*commit, true)));
                        return Ok(true);
                    }
                    Some(false) => {
                        path.pop();
                        continue;
                    }
                    None => {
                        self.state.insert(commit, false);
                    }
                }
            }
            let node = graph.commit(commit)?;
            if at < Graph::parent_count(&node) {
                path.extend(graph.parent(&node, at).map(|parent| (parent, 0)));
            } else {
                path.pop();
            }
        }
        Ok(false)
    }
}
