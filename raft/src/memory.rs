//! A network inside one process, for tests: nodes can be cut off from each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use runtime::{Random, SeededRandom};

use crate::{NodeId, PeerError, PeerRequest, PeerResponse, Peers, Raft};

/// The network. Clones share it. Every request and response passes through its bytes on the
/// wire, so that what could not travel does not travel here either.
#[derive(Clone, Debug)]
pub struct Network {
    wires: Arc<Mutex<Wires>>,
    random: Arc<SeededRandom>,
    delivered: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Wires {
    nodes: BTreeMap<NodeId, Weak<Raft>>,
    /// Directions in which nothing passes.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Whether a sender hears nothing of what is lost.
    silent: bool,
    /// Of a thousand requests or responses, how many are lost.
    lost_permille: u64,
}

impl Network {
    /// A network without nodes. `seed` decides which messages are lost when some are to be.
    pub fn new(seed: u64) -> Self {
        Self {
            wires: Arc::default(),
            random: Arc::new(SeededRandom::new(seed)),
            delivered: Arc::default(),
        }
    }

    /// The way into the network for one node.
    pub fn peers(&self, from: NodeId) -> Arc<dyn Peers> {
        Arc::new(Wire {
            from,
            network: self.clone(),
        })
    }

    /// Makes a node reachable; it replaces an earlier one of the same id.
    pub fn connect(&self, raft: &Arc<Raft>) {
        self.wires().nodes.insert(raft.node(), Arc::downgrade(raft));
    }

    /// Makes a node unreachable, as if its process had ended.
    pub fn disconnect(&self, node: NodeId) {
        self.wires().nodes.remove(&node);
    }

    /// Lets nothing pass from one node to the other. The other direction is not touched.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.wires().cut.insert((from, to));
    }

    /// Splits the network: nothing passes between `side` and all other nodes.
    pub fn partition(&self, side: &[NodeId]) {
        let mut wires = self.wires();
        let nodes: Vec<NodeId> = wires.nodes.keys().copied().collect();
        for one in side {
            for other in nodes.iter().filter(|node| !side.contains(node)) {
                wires.cut.extend([(*one, *other), (*other, *one)]);
            }
        }
    }

    /// From now on what is lost is lost without a word, as on a real network, and
    /// whoever waits for it has to have a limit of its own.
    pub fn fall_silent(&self) {
        self.wires().silent = true;
    }

    /// Loses so many of a thousand requests, and of the responses.
    pub fn lose(&self, permille: u64) {
        self.wires().lost_permille = permille;
    }

    /// Everything passes again.
    pub fn heal(&self) {
        let mut wires = self.wires();
        wires.cut.clear();
        wires.lost_permille = 0;
    }

    /// Requests delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn route(&self, from: NodeId, to: NodeId) -> Result<Arc<Raft>, PeerError> {
        let routed = self.route_now(from, to);
        if routed.is_err() && self.wires().silent {
            std::future::pending::<()>().await;
        }
        routed
    }

    fn route_now(&self, from: NodeId, to: NodeId) -> Result<Arc<Raft>, PeerError> {
        let wires = self.wires();
        let lost = wires.lost_permille > 0 && self.random.below(1000) < wires.lost_permille;
        let node = wires.nodes.get(&to).and_then(Weak::upgrade);
        match node {
            Some(node) if !lost && !wires.cut.contains(&(from, to)) => Ok(node),
            _ => Err(PeerError::Unreachable {
                to,
                reason: "the wire is cut".to_owned(),
            }),
        }
    }
}

#[derive(Debug)]
struct Wire {
    from: NodeId,
    network: Network,
}

#[async_trait]
impl Peers for Wire {
    async fn send(
        &self,
        to: NodeId,
        _address: &str,
        request: PeerRequest,
    ) -> Result<PeerResponse, PeerError> {
        let node = self.network.route(self.from, to).await?;
        let bad = |error: crate::WireError| PeerError::BadResponse {
            to,
            reason: error.to_string(),
        };
        let request = PeerRequest::decode(&request.encode()).map_err(bad)?;
        self.network.delivered.fetch_add(1, Ordering::Relaxed);
        let response = node.receive(self.from, request).await;
        drop(node);
        self.network.route(to, self.from).await?;
        PeerResponse::decode(&response.encode()).map_err(bad)
    }
}
