//! Who must still be asked to hold a chunk, and when enough do. Pure: it is fed
//! answers and says whom to ask.
//!
//! For each chunk there are candidates in rendezvous order, the first
//! 2 × *copies* of them. The first *copies* are asked at once; one that fails,
//! or is late, is replaced by the next. A late node is still listened to.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chunking::ChunkId;
use storage_node_api::content::{PutError, Receipt};
use storage_node_api::map::ClusterMap;
use storage_node_api::{NodeId, placement};

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
    copies: usize,
    needed: usize,
    /// The failure domain of each node, by number.
    domains: BTreeMap<NodeId, usize>,
    refused: BTreeMap<NodeId, Refusal>,
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    candidates: Vec<NodeId>,
    /// How many of the candidates were asked, or passed over because they had
    /// failed.
    asked: usize,
    /// Asked, and no answer yet.
    waiting: BTreeSet<NodeId>,
    /// Those of `waiting` that take long.
    late: BTreeSet<NodeId>,
    receipts: BTreeMap<NodeId, Receipt>,
    refused: BTreeSet<Refusal>,
}

impl Quorum {
    /// Nobody is asked yet.
    pub(super) fn new(map: &ClusterMap, chunks: impl IntoIterator<Item = ChunkId>) -> Self {
        let domains = number_domains(map);
        let (copies, needed) = (map.copies(), map.quorum());
        let tracks = chunks
            .into_iter()
            .map(|chunk| {
                let order = placement::order(&chunk, map);
                Track::new(candidates(order, copies, needed, &domains))
            })
            .collect();
        Self {
            copies,
            needed,
            domains,
            refused: BTreeMap::new(),
            tracks,
        }
    }

    /// Whom to ask now. Call it first, and after each answer.
    pub(super) fn ask(&mut self) -> Asks {
        let mut asks = Asks::new();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            while !track.is_held(self.needed, &self.domains)
                && !track.has_asked_enough(self.copies, self.needed, &self.domains)
                && let Some(node) = track.candidates.get(track.asked).copied()
            {
                track.asked += 1;
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
            if track.is_held(self.needed, &self.domains) {
                continue;
            }
            if !track.can_be_held(self.needed, &self.domains) {
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
        let held = |track: &Track| count(track.receipts.keys(), &self.domains);
        PutError::NoQuorum {
            held: self.tracks.iter().map(held).min().unwrap_or(0),
            needed: self.needed,
        }
    }

    fn error(&self, track: &Track) -> PutError {
        if track.refused.iter().eq([&Refusal::Full]) {
            return PutError::Full;
        }
        self.no_quorum()
    }
}

impl Track {
    fn new(candidates: Vec<NodeId>) -> Self {
        Self {
            candidates,
            asked: 0,
            waiting: BTreeSet::new(),
            late: BTreeSet::new(),
            receipts: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    fn is_held(&self, needed: usize, domains: &BTreeMap<NodeId, usize>) -> bool {
        count(self.receipts.keys(), domains) >= needed
    }

    fn can_be_held(&self, needed: usize, domains: &BTreeMap<NodeId, usize>) -> bool {
        count(self.receipts.keys().chain(&self.waiting), domains) >= needed
    }

    /// Whether those that hold it, or are expected to soon, are as many as there
    /// should be copies and make a quorum.
    fn has_asked_enough(
        &self,
        copies: usize,
        needed: usize,
        domains: &BTreeMap<NodeId, usize>,
    ) -> bool {
        let soon = self.waiting.difference(&self.late);
        self.receipts.len() + soon.clone().count() >= copies
            && count(self.receipts.keys().chain(soon), domains) >= needed
    }
}

/// How many distinct failure domains these nodes are in.
fn count<'a>(nodes: impl Iterator<Item = &'a NodeId>, domains: &BTreeMap<NodeId, usize>) -> usize {
    nodes
        .filter_map(|node| domains.get(node))
        .collect::<BTreeSet<_>>()
        .len()
}

fn number_domains(map: &ClusterMap) -> BTreeMap<NodeId, usize> {
    let mut numbers = BTreeMap::new();
    map.nodes
        .iter()
        .map(|node| {
            let next = numbers.len();
            let number = *numbers.entry(map.domain_of(node)).or_insert(next);
            (node.id, number)
        })
        .collect()
}

/// The first 2 × copies nodes of the order. If those are of too few failure
/// domains for a quorum, as placement does not look at domains, also the first
/// node of each further domain until there are enough.
fn candidates(
    mut order: Vec<NodeId>,
    copies: usize,
    needed: usize,
    domains: &BTreeMap<NodeId, usize>,
) -> Vec<NodeId> {
    let further = order.split_off(order.len().min(2 * copies));
    for node in further {
        let reached = count(order.iter(), domains);
        if reached >= needed {
            break;
        }
        if count(order.iter().chain([&node]), domains) > reached {
            order.push(node);
        }
    }
    order
}
