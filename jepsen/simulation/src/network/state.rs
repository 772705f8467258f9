use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runtime::Random;
use storage_node_api::NodeId;
use storage_node_server::StorageNode;

use crate::mutation::Mutation;

/// Where messages come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A storage node.
    Node(NodeId),
    /// A client, by its number.
    Client(u64),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Client(client) => write!(f, "client {client}"),
        }
    }
}

/// How messages fare where no way is cut.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The longest that a message takes.
    pub delay: Duration,
    /// Of a thousand messages, how many are lost.
    pub lost_permille: u64,
    /// Of a thousand requests, how many arrive twice.
    pub doubled_permille: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(3),
            lost_permille: 0,
            doubled_permille: 0,
        }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<NodeId, Arc<StorageNode>>,
    /// Which process is the present one at an endpoint.
    pub(super) lives: BTreeMap<Endpoint, u64>,
    /// Directions in which nothing passes.
    pub(super) cut: BTreeSet<(Endpoint, Endpoint)>,
    pub(super) slow: BTreeMap<Endpoint, Duration>,
    pub(super) weather: Weather,
    /// A rule that is broken on purpose.
    pub(super) broken: Option<Mutation>,
}

impl State {
    pub(super) fn begin(&mut self, endpoint: Endpoint) -> u64 {
        let life = self.lives.entry(endpoint).or_default();
        *life += 1;
        *life
    }

    pub(super) fn node(&self, node: NodeId) -> (Option<Arc<StorageNode>>, Option<u64>) {
        let life = self.lives.get(&Endpoint::Node(node)).copied();
        (self.nodes.get(&node).cloned(), life)
    }

    pub(super) fn passage(
        &self,
        from: Endpoint,
        to: Endpoint,
        random: &dyn Random,
    ) -> Option<Duration> {
        if self.cut.contains(&(from, to)) || random.below(1000) < self.weather.lost_permille {
            return None;
        }
        let slow = |endpoint| self.slow.get(&endpoint).copied().unwrap_or_default();
        let longest = self.weather.delay + slow(from) + slow(to);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Some(Duration::from_micros(random.below(micros + 1)))
    }

    pub(super) fn is_doubled(&self, random: &dyn Random) -> bool {
        random.below(1000) < self.weather.doubled_permille
    }
}
