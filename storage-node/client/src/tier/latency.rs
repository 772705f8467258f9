//! Which node has answered fast lately.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_node_api::NodeId;
use storage_node_api::limits::MAX_NODES;

/// An observation older than this says nothing any more: the node is tried
/// again, so that one that has recovered or come closer is found.
const REMEMBERED: Duration = Duration::from_secs(30);
/// A new observation counts one part in this many.
const SMOOTHING: u32 = 8;

/// How nodes compare; the least is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Whether the last thing heard of it was a failure.
    pub(super) failed: bool,
    /// How near it is known to be.
    pub(super) distance: Distance,
    /// How long it takes; nothing if that is not known, so that it is tried.
    pub(super) cost: Duration,
}

/// Where a node is, as far as configuration and map say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    /// It is the preferred node.
    Near,
    /// It is in the same region.
    SameRegion,
    /// It is in another region, or nobody knows.
    #[default]
    Elsewhere,
}

/// An exponentially weighted mean per node.
#[derive(Debug, Default)]
pub(super) struct Latencies(Mutex<BTreeMap<NodeId, Observed>>);

#[derive(Debug)]
struct Observed {
    cost: Duration,
    failed: bool,
    at: Duration,
}

impl Latencies {
    /// A node took this long.
    pub(super) fn answered(&self, node: NodeId, cost: Duration, now: Duration) {
        let mut nodes = self.nodes();
        let cost = match nodes.get(&node) {
            Some(known) if !known.failed && is_fresh(known, now) => {
                (known.cost * (SMOOTHING - 1) + cost) / SMOOTHING
            }
            _ => cost,
        };
        let failed = false;
        insert(
            &mut nodes,
            node,
            Observed {
                cost,
                failed,
                at: now,
            },
        );
    }

    /// A node failed.
    pub(super) fn failed(&self, node: NodeId, now: Duration) {
        let observed = Observed {
            cost: Duration::ZERO,
            failed: true,
            at: now,
        };
        insert(&mut self.nodes(), node, observed);
    }

    /// How a node compares with others.
    pub(super) fn rank(&self, node: NodeId, distance: Distance, now: Duration) -> Rank {
        let nodes = self.nodes();
        let known = nodes
            .get(&node)
            .filter(|observed| is_fresh(observed, now))
            .map_or((false, Duration::ZERO), |o| (o.failed, o.cost));
        Rank {
            failed: known.0,
            distance,
            cost: known.1,
        }
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Observed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(observed: &Observed, now: Duration) -> bool {
    now.saturating_sub(observed.at) <= REMEMBERED
}

fn insert(nodes: &mut BTreeMap<NodeId, Observed>, node: NodeId, observed: Observed) {
    if nodes.len() >= MAX_NODES {
        // Nodes come and go over the years; those that still matter are fresh.
        nodes.retain(|_, known| is_fresh(known, observed.at));
    }
    nodes.insert(node, observed);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage_node_api::NodeId;

    use super::{Distance, Latencies};

    #[test]
    fn fast_nodes_come_first_failed_ones_last_and_old_news_is_forgotten() {
        let latencies = Latencies::default();
        let [fast, slow, broken, near] = [1, 2, 3, 4].map(NodeId);
        let millis = Duration::from_millis;
        for second in 0..20 {
            let now = Duration::from_secs(second);
            latencies.answered(fast, millis(1), now);
            latencies.answered(slow, millis(if second == 0 { 1 } else { 50 }), now);
            latencies.answered(near, millis(500), now);
        }
        latencies.failed(broken, Duration::from_secs(19));
        let distance = |node| match node == near {
            true => Distance::Near,
            false => Distance::Elsewhere,
        };
        let ordered = |now| {
            let mut nodes = [broken, slow, fast, near];
            nodes.sort_by_key(|node| latencies.rank(*node, distance(*node), now));
            nodes
        };
        let now = Duration::from_secs(20);
        assert_eq!(ordered(now), [near, fast, slow, broken]);
        let later = Duration::from_secs(60);
        assert_eq!(ordered(later), [near, broken, slow, fast]);
        latencies.failed(near, later);
        assert_eq!(ordered(later), [broken, slow, fast, near]);
        latencies.answered(near, millis(9), later);
        assert_eq!(
            latencies.rank(near, Distance::Elsewhere, later).cost,
            millis(9)
        );
        // A slow node of the region before a fast one elsewhere.
        let slow = latencies.rank(near, Distance::SameRegion, later);
        assert!(slow < latencies.rank(fast, Distance::Elsewhere, later));
    }
}
