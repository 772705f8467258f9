use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use super::Selection;
use crate::edges::{Edges, compute_edges};
use crate::id_map::{IdMap, IdSet};
use crate::objects::{Objects, Pack, ReadError};

/// Whether the wants reach every object of every pack and nothing outside of
/// them; a no may be wrong, a yes is not.
///
/// A pack is all reachable when its roots are ([`crate::edges`]). A root is if it is a tip,
/// or in a pack that is all reachable, or referred to by one. Copies that complete a thin pack must
/// be in some pack as its own.
pub(super) fn reaches_everything(
    objects: &Objects,
    selection: &Selection,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<bool, ReadError> {
    let packs = objects.pack_list();
    let mut edges = Vec::with_capacity(packs.len());
    for pack in packs {
        match edges_of(objects, pack, threads, cancel)? {
            Some(found) => edges.push(found),
            None => return Ok(false),
        }
    }
    let mut search = Search::new(packs, &edges);
    search.reach(selection.wants.iter().copied());
    search.include(&selection.include_tags);
    if !search.everything_is_reached() {
        return Ok(false);
    }
    let loose = !objects.loose_list().is_empty();
    let stored = |id: &ObjectId| objects.find_packed(id.as_bytes()).is_some();
    Ok(!loose || search.reached.iter().all(stored))
}

/// The edges of a pack, computed if need be. They are stored beside packs that stand
/// for themselves, but not in a plain repository, which is not ours.
fn edges_of(
    objects: &Objects,
    pack: &Pack,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Option<Arc<Edges>>, ReadError> {
    if let Some(edges) = pack.edges() {
        return Ok(Some(Arc::clone(edges)));
    }
    let store = objects.loose_list().is_empty();
    let computed = compute_edges(pack, threads, cancel)?;
    Ok(computed.map(|edges| pack.remember_edges(edges, store)))
}

struct Search<'a> {
    packs: &'a [Arc<Pack>],
    edges: &'a [Arc<Edges>],
    /// Objects known to be reachable, besides all in whole packs.
    reached: IdSet,
    /// Roots that are not known to be reachable, and the packs that wait for them.
    waiting: IdMap<Vec<usize>>,
    /// For each pack, how many of its roots are waited for.
    missing: Vec<usize>,
    /// Packs all of whose objects are reachable.
    whole: Vec<bool>,
}

impl<'a> Search<'a> {
    fn new(packs: &'a [Arc<Pack>], edges: &'a [Arc<Edges>]) -> Self {
        let mut waiting: IdMap<Vec<usize>> = IdMap::default();
        for (at, edges) in edges.iter().enumerate() {
            for root in &edges.roots {
                waiting.entry(*root).or_default().push(at);
            }
        }
        let missing = edges.iter().map(|edges| edges.roots.len()).collect();
        let whole = vec![false; packs.len()];
        Self {
            packs,
            edges,
            reached: IdSet::default(),
            waiting,
            missing,
            whole,
        }
    }

    /// Takes objects for reachable, with all that follows.
    fn reach(&mut self, ids: impl IntoIterator<Item = ObjectId>) {
        let mut open: Vec<ObjectId> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            self.reached.insert(id);
            for pack in self.waiting.remove(&id).unwrap_or_default() {
                self.missing[pack] -= 1;
                if self.missing[pack] == 0 {
                    self.whole[pack] = true;
                    let externals = self.edges[pack]
                        .externals
                        .iter()
                        .map(|external| external.id);
                    open.extend(externals.filter(|id| !self.reached.contains(id)));
                    open.extend(self.waiting.keys().filter(|root| self.owns(pack, root)));
                }
            }
        }
    }

    /// Takes tags for reachable where what they name is.
    fn include(&mut self, tags: &[(ObjectId, ObjectId)]) {
        for (tag, peeled) in tags {
            let whole = |at: usize| self.whole[at] && self.owns(at, peeled);
            if self.reached.contains(peeled) || (0..self.packs.len()).any(whole) {
                self.reach([*tag]);
            }
        }
    }

    /// Whether a pack holds the object as its own.
    fn owns(&self, at: usize, id: &ObjectId) -> bool {
        let completed = &self.edges[at].completed;
        self.packs[at].lookup(id.as_bytes()).is_some() && completed.binary_search(id).is_err()
    }

    fn everything_is_reached(&self) -> bool {
        let owned = |id: &ObjectId| (0..self.packs.len()).any(|at| self.owns(at, id));
        let mut completed = self.edges.iter().flat_map(|edges| &edges.completed);
        self.whole.iter().all(|whole| *whole) && completed.all(owned)
    }
}
