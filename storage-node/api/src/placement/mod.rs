//! Which nodes hold a chunk: weighted rendezvous hashing, a pure function of
//! the chunk's id, its dedup domain and the cluster map.
//!
//! Each node draws a number for each chunk, the smaller on average the greater
//! its capacity. Of the nodes of one region (or of all, where the policy does
//! not name regions) those with the smallest numbers hold the chunk, no two in
//! one zone while another zone has none. Writers, readers and repair walk one
//! order: the nodes that should hold the chunk, then their stand-ins, then
//! those that are only read from.
//!
//! What it keeps true: there is no floating point, so every process computes
//! the same; a node's number depends on nothing but the chunk and the node, so
//! that when a node joins, leaves or changes its capacity, copies move to it or
//! away from it and nowhere else. Shares follow capacities as in any drawing
//! without replacement: exactly for one copy per zone, and for several copies
//! the great get a little less than their part, the small a little more. A node
//! that alone outweighs its peers holds one copy of each chunk, no more.
//!
//! Not here: who counts for durability ([`Durability`](crate::map::Durability)).

mod draw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use chunking::ChunkId;

use crate::map::{ClusterMap, Copies, FailureDomain, Node, Policy};
use crate::{DedupDomain, NodeId};

use draw::{Draw, Drawn};

/// The placement of one domain's chunks by one map. Made once, asked per chunk.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Those of a scope next to each other.
    takers: Vec<Taker>,
    scopes: Vec<Scope>,
    /// Nodes that nothing is placed on.
    others: Vec<Draw>,
    copies: usize,
}

/// Nodes that share a number of copies: those of one region, or all.
#[derive(Clone, Debug)]
struct Scope {
    takers: Range<usize>,
    copies: usize,
    /// How many units its nodes are of.
    units: usize,
}

#[derive(Clone, Debug)]
struct Taker {
    draw: Draw,
    /// Which of the scope's units it is of: copies are spread over these.
    unit: usize,
}

/// All nodes in the order in which they are asked for this chunk.
pub fn order(chunk: &ChunkId, domain: DedupDomain, map: &ClusterMap) -> Vec<NodeId> {
    Placement::new(domain, map).order(chunk)
}

/// The nodes that should hold this chunk: the first of [`order`].
pub fn place(chunk: &ChunkId, domain: DedupDomain, map: &ClusterMap) -> Vec<NodeId> {
    Placement::new(domain, map).place(chunk)
}

impl Placement {
    /// Where chunks of this domain are by this map.
    pub fn new(domain: DedupDomain, map: &ClusterMap) -> Self {
        let policy = map.policy_of(domain);
        let mut placement = Self {
            takers: Vec::with_capacity(map.nodes.len()),
            scopes: Vec::new(),
            others: Vec::new(),
            copies: 0,
        };
        for (region, copies) in shares(policy) {
            let nodes = map.nodes.iter().filter(|node| {
                policy.places_on(node) && region.is_none_or(|region| node.region == region)
            });
            placement.add_scope(nodes, copies, policy.survive);
        }
        let others = map.nodes.iter().filter(|node| !policy.places_on(node));
        placement.others = others.map(Draw::of).collect();
        placement
    }

    fn add_scope<'a>(
        &mut self,
        nodes: impl Iterator<Item = &'a Node>,
        copies: u8,
        survive: FailureDomain,
    ) {
        let first = self.takers.len();
        let mut units = BTreeMap::new();
        for node in nodes {
            let next = units.len();
            let zone = match survive {
                FailureDomain::Region => "",
                FailureDomain::Node | FailureDomain::Zone => node.zone.as_str(),
            };
            let unit = *units.entry((node.region.as_str(), zone)).or_insert(next);
            self.takers.push(Taker {
                draw: Draw::of(node),
                unit,
            });
        }
        let takers = first..self.takers.len();
        let copies = usize::from(copies).min(takers.len());
        self.copies += copies;
        self.scopes.push(Scope {
            takers,
            copies,
            units: units.len(),
        });
    }

    /// How many nodes should hold a chunk.
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// How many of the nodes of [`order`](Self::order) may be given a chunk: so
    /// many, from the first on.
    pub fn takers(&self) -> usize {
        self.takers.len()
    }

    /// For each region that the policy names (or for all together, if it names
    /// none), how many copies it has and which nodes may be given them.
    pub fn scopes(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = NodeId>)> {
        self.scopes.iter().map(|scope| {
            let takers = &self.takers[scope.takers.clone()];
            (scope.copies, takers.iter().map(|taker| taker.draw.node()))
        })
    }

    /// Whether this node should hold this chunk.
    pub fn is_placed(&self, chunk: &ChunkId, node: NodeId) -> bool {
        self.place(chunk).contains(&node)
    }

    /// The nodes that should hold this chunk.
    pub fn place(&self, chunk: &ChunkId) -> Vec<NodeId> {
        let mut placed = Vec::with_capacity(self.copies);
        for (scope, ranked) in self.ranked(chunk) {
            placed.extend(ranked.iter().take(scope.copies).map(|drawn| drawn.node));
        }
        placed
    }

    /// All nodes of the map: first those of [`place`](Self::place), then those
    /// that stand in for them, then those that nothing is placed on but that
    /// may have it from before.
    pub fn order(&self, chunk: &ChunkId) -> Vec<NodeId> {
        let mut order = Vec::with_capacity(self.takers.len() + self.others.len());
        let mut stand_ins = Vec::with_capacity(self.takers.len() - self.copies);
        for (scope, ranked) in self.ranked(chunk) {
            let (placed, others) = ranked.split_at(scope.copies);
            order.extend(placed.iter().map(|drawn| drawn.node));
            stand_ins.extend(others.iter().map(|drawn| drawn.node));
        }
        order.append(&mut stand_ins);
        let mut others: Vec<Drawn> = self.others.iter().map(|draw| draw.draw(chunk)).collect();
        others.sort_unstable();
        order.extend(others.into_iter().map(|drawn| drawn.node));
        order
    }

    /// Each scope with its nodes, the best first.
    fn ranked(&self, chunk: &ChunkId) -> impl Iterator<Item = (&Scope, Vec<Drawn>)> {
        let chunk = *chunk;
        self.scopes.iter().map(move |scope| {
            let takers = &self.takers[scope.takers.clone()];
            let mut ranked: Vec<Drawn> = takers
                .iter()
                .map(|taker| taker.draw.draw(&chunk).of_unit(taker.unit))
                .collect();
            ranked.sort_unstable();
            // With one unit, or as many as nodes, they are spread already.
            if (2..takers.len()).contains(&scope.units) {
                spread(&mut ranked, scope.units);
            }
            (scope, ranked)
        })
    }
}

/// The best of each unit first, then the second best of each, and so on.
fn spread(ranked: &mut [Drawn], units: usize) {
    let mut seen = vec![0; units];
    for drawn in ranked.iter_mut() {
        drawn.round = seen[drawn.unit];
        seen[drawn.unit] += 1;
    }
    ranked.sort_unstable_by_key(|drawn| (drawn.round, *drawn));
}

/// The regions that are named with their copies, the home region first.
fn shares(policy: &Policy) -> Vec<(Option<&str>, u8)> {
    match &policy.copies {
        Copies::Anywhere(copies) => vec![(None, *copies)],
        Copies::Regions(shares) => {
            let mut shares: Vec<(Option<&str>, u8)> = shares
                .iter()
                .map(|share| (Some(share.region.as_str()), share.copies))
                .collect();
            shares.sort_by_key(|(region, _)| *region != policy.home.as_deref());
            shares
        }
    }
}
