use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use runtime::Runtime;
use storage_node_api::map::{self, ClusterMap};
use storage_node_api::node::Node;
use storage_node_api::{GroupId, NodeId};

use super::config::Checked;
use super::latency::{Distance, Latencies, Rank};
use super::links::Links;
use super::map::Maps;
use super::pace::{Backoff, Deadline};
use super::put::Stragglers;

/// The storage tier over a set of nodes. It is a
/// [`Storage`](storage_node_api::Storage); share it in an `Arc`.
///
/// Dropping a call that is under way gives it up: of a write, that means that
/// its effect is unknown.
pub struct Client {
    pub(super) links: Arc<dyn Links>,
    pub(super) runtime: Runtime,
    pub(super) config: Checked,
    pub(super) maps: Arc<Maps>,
    /// Who led each group when it was last heard of. As many as there are groups.
    pub(super) leaders: Mutex<BTreeMap<GroupId, NodeId>>,
    /// Of fetching chunks.
    pub(super) bulk: Latencies,
    /// Of reading from replicas.
    pub(super) replicas: Latencies,
    pub(super) stragglers: Stragglers,
}

impl Client {
    /// A client that reaches nodes through `links`. Asks nobody yet.
    pub fn new(links: Arc<dyn Links>, runtime: Runtime, config: Checked) -> Self {
        Self {
            maps: Maps::new(Arc::clone(&links), runtime.clone(), config.clone()),
            links,
            runtime,
            config,
            leaders: Mutex::default(),
            bulk: Latencies::default(),
            replicas: Latencies::default(),
            stragglers: Stragglers::default(),
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(&self.runtime.clock, self.config.deadline)
    }

    pub(super) fn backoff(&self) -> Backoff {
        let (min, max) = (self.config.backoff_min, self.config.backoff_max);
        Backoff::new(&self.runtime, min, max)
    }

    /// How the nodes of a map compare by these observations.
    pub(super) fn ranks(&self, map: &ClusterMap, observed: &Latencies) -> BTreeMap<NodeId, Rank> {
        let now = self.runtime.clock.monotonic();
        let region = self.region(map);
        let nodes = map.nodes.iter();
        nodes
            .map(|node| {
                let distance = if self.is_near(node.id) {
                    Distance::Near
                } else if region.is_some_and(|region| region == node.region) {
                    Distance::SameRegion
                } else {
                    Distance::Elsewhere
                };
                (node.id, observed.rank(node.id, distance, now))
            })
            .collect()
    }

    /// The region that this process is in: as it was told, or that of the node
    /// that is near.
    fn region<'a>(&'a self, map: &'a ClusterMap) -> Option<&'a str> {
        if let Some(region) = &self.config.region {
            return Some(region);
        }
        let near = map.nodes.iter().find(|node| self.is_near(node.id))?;
        Some(&near.region)
    }

    fn is_near(&self, node: NodeId) -> bool {
        match self.config.near {
            Some(near) => node == near,
            None => self.links.is_local(node),
        }
    }

    pub(super) fn link(&self, map: &ClusterMap, node: NodeId) -> Option<Arc<dyn Node>> {
        map.node(node).map(|node: &map::Node| self.links.node(node))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("links", &self.links)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
