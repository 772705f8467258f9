//! Who must still be asked to hold a chunk, and when enough do. Pure: it is fed
//! answers and says whom to ask.
//!
//! For each chunk there are candidates in rendezvous order, from each region
//! that the policy names the first 2 × *copies* (from all nodes together, if it
//! names none). Those that should hold it are asked at once; one that fails, or
//! is late, is replaced by the next of its region. If a region has none left and
//! failure domains are still short, candidates of further domains are asked,
//! wherever they are. A late node is still listened to.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chunking::ChunkId;
use storage_node_api::content::{PutError, Receipt};
use storage_node_api::map::ClusterMap;
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, NodeId};

/// Nodes to ask, and for each the indexes of the chunks that it should hold.
pub(super) type Asks = BTreeMap<NodeId, Vec<usize>>;

/// Why a node will not hold what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Its disk is full.
    Full,
    /// Anything else.
    Failed,
}

/// Where a put stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every chunk is held by a quorum of distinct failure domains.
    Held,
    /// Answers are awaited that can still make a quorum.
    Waiting,
    /// No answers that are awaited can.
    Failed(PutError),
}

/// The state of one batch of distinct chunks.
#[derive(Debug)]
pub(super) struct Quorum {
    rules: Rules,
    refused: BTreeMap<NodeId, Refusal>,
    tracks: Vec<Track>,
}

/// What holds for all chunks of one domain.
#[derive(Debug)]
struct Rules {
    /// How many failure domains must hold a chunk.
    needed: usize,
    /// The failure domain of each node, by number.
    domains: BTreeMap<NodeId, usize>,
    /// The scope of each node that may be asked: its region, or all.
    scopes: BTreeMap<NodeId, usize>,
    /// How many copies each scope should have.
    copies: Vec<usize>,
}

#[derive(Debug)]
struct Track {
    /// Nobody of these was asked yet; the next comes first.
    candidates: VecDeque<NodeId>,
    /// Asked, and no answer yet.
    waiting: BTreeSet<NodeId>,
    /// Those of `waiting` that take long.
    late: BTreeSet<NodeId>,
    receipts: BTreeMap<NodeId, Receipt>,
    refused: BTreeSet<Refusal>,
}

impl Quorum {
    /// Nobody is asked yet.
    pub(super) fn new(
        map: &ClusterMap,
        domain: DedupDomain,
        chunks: impl IntoIterator<Item = ChunkId>,
    ) -> Self {
        let placement = Placement::new(domain, map);
        let rules = Rules::new(map, domain, &placement);
        let tracks = chunks
            .into_iter()
            .map(|chunk| {
                let mut order = placement.order(&chunk);
                order.truncate(placement.takers());
                Track::new(rules.candidates(order))
            })
            .collect();
        Self {
            rules,
            refused: BTreeMap::new(),
            tracks,
        }
    }

    /// Whom to ask now. Call it first, and after each answer.
    pub(super) fn ask(&mut self) -> Asks {
        let mut asks = Asks::new();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            while !track.is_held(&self.rules)
                && let Some(node) = track.next(&self.rules)
            {
                if let Some(refusal) = self.refused.get(&node) {
                    track.refused.insert(*refusal);
                    continue;
                }
                track.waiting.insert(node);
                asks.entry(node).or_default().push(index);
            }
        }
        asks
    }

    /// A node holds these chunks.
    pub(super) fn held(&mut self, receipt: Receipt, chunks: &[usize]) {
        for index in chunks {
            if let Some(track) = self.tracks.get_mut(*index) {
                track.waiting.remove(&receipt.node);
                track.late.remove(&receipt.node);
                track.receipts.insert(receipt.node, receipt);
            }
        }
    }

    /// A node takes long: others are to be asked as well.
    pub(super) fn late(&mut self, node: NodeId) {
        for track in &mut self.tracks {
            if track.waiting.contains(&node) {
                track.late.insert(node);
            }
        }
    }

    /// A node will hold none of the chunks that it was asked to and has not said
    /// that it holds. It is not asked again.
    pub(super) fn failed(&mut self, node: NodeId, refusal: Refusal) {
        self.refused.insert(node, refusal);
        for track in &mut self.tracks {
            track.late.remove(&node);
            if track.waiting.remove(&node) {
                track.refused.insert(refusal);
            }
        }
    }

    /// Where the put stands, provided that all of [`ask`](Self::ask) were asked.
    pub(super) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::Held;
        for track in &self.tracks {
            if track.is_held(&self.rules) {
                continue;
            }
            if !track.can_be_held(&self.rules) {
                return Verdict::Failed(self.error(track));
            }
            verdict = Verdict::Waiting;
        }
        verdict
    }

    /// The receipts of each chunk, by node.
    pub(super) fn into_receipts(self) -> impl Iterator<Item = Vec<Receipt>> {
        self.tracks
            .into_iter()
            .map(|track| track.receipts.into_values().collect())
    }

    /// How far the put has come, as an error.
    pub(super) fn no_quorum(&self) -> PutError {
        let held = |track: &Track| self.rules.count(track.receipts.keys());
        PutError::NoQuorum {
            held: self.tracks.iter().map(held).min().unwrap_or(0),
            needed: self.rules.needed,
        }
    }

    fn error(&self, track: &Track) -> PutError {
        if track.refused.iter().eq([&Refusal::Full]) {
            return PutError::Full;
        }
        self.no_quorum()
    }
}

impl Rules {
    fn new(map: &ClusterMap, domain: DedupDomain, placement: &Placement) -> Self {
        let mut rules = Self {
            needed: map.quorum(domain),
            domains: number_domains(map, domain),
            scopes: BTreeMap::new(),
            copies: Vec::new(),
        };
        for (scope, (copies, takers)) in placement.scopes().enumerate() {
            rules.copies.push(copies);
            rules.scopes.extend(takers.map(|node| (node, scope)));
        }
        rules
    }

    /// How many distinct failure domains these nodes are in.
    fn count<'a>(&self, nodes: impl Iterator<Item = &'a NodeId>) -> usize {
        nodes
            .filter_map(|node| self.domains.get(node))
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// The first 2 × copies nodes of each scope. If those are of too few failure
    /// domains for a quorum, also the first node of each further domain until
    /// there are enough.
    fn candidates(&self, order: Vec<NodeId>) -> VecDeque<NodeId> {
        let mut room: Vec<usize> = self.copies.iter().map(|copies| 2 * copies).collect();
        let mut further = Vec::new();
        let mut candidates = VecDeque::with_capacity(order.len());
        for node in order {
            match self
                .scopes
                .get(&node)
                .and_then(|scope| room.get_mut(*scope))
            {
                Some(room) if *room > 0 => {
                    *room -= 1;
                    candidates.push_back(node);
                }
                _ => further.push(node),
            }
        }
        for node in further {
            let reached = self.count(candidates.iter());
            if reached >= self.needed {
                break;
            }
            if self.count(candidates.iter().chain([&node])) > reached {
                candidates.push_back(node);
            }
        }
        candidates
    }
}

impl Track {
    fn new(candidates: VecDeque<NodeId>) -> Self {
        Self {
            candidates,
            waiting: BTreeSet::new(),
            late: BTreeSet::new(),
            receipts: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    fn is_held(&self, rules: &Rules) -> bool {
        rules.count(self.receipts.keys()) >= rules.needed
    }

    fn can_be_held(&self, rules: &Rules) -> bool {
        rules.count(self.receipts.keys().chain(&self.waiting)) >= rules.needed
    }

    /// Takes the next candidate to ask, unless those that hold the chunk, or are
    /// expected to soon, are as many in each scope as there should be copies, or
    /// can be, and make a quorum, or could not be helped to one.
    fn next(&mut self, rules: &Rules) -> Option<NodeId> {
        let soon = self.waiting.difference(&self.late);
        let holders: Vec<&NodeId> = self.receipts.keys().chain(soon).collect();
        let scope_of = |node: &NodeId| rules.scopes.get(node).copied();
        let is_short = |scope: usize| {
            let here = holders.iter().filter(|node| scope_of(node) == Some(scope));
            rules
                .copies
                .get(scope)
                .is_some_and(|copies| here.count() < *copies)
        };
        let of_short_scope = |node: &NodeId| scope_of(node).is_some_and(is_short);
        let of_new_domain = |node: &NodeId| {
            let domain = rules.domains.get(node);
            domain.is_some() && holders.iter().all(|held| rules.domains.get(held) != domain)
        };
        let index = self
            .candidates
            .iter()
            .position(of_short_scope)
            .or_else(|| {
                let reached = rules.count(holders.iter().copied());
                let new_domain = || self.candidates.iter().position(of_new_domain);
                (reached < rules.needed).then(new_domain).flatten()
            })?;
        self.candidates.remove(index)
    }
}

fn number_domains(map: &ClusterMap, domain: DedupDomain) -> BTreeMap<NodeId, usize> {
    let mut numbers = BTreeMap::new();
    map.nodes
        .iter()
        .filter_map(|node| {
            let next = numbers.len();
            let number = *numbers.entry(map.unit_of(domain, node)?).or_insert(next);
            Some((node.id, number))
        })
        .collect()
}
