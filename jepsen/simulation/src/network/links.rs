use std::sync::Arc;

use storage_node_api::map;
use storage_node_api::node::Node;
use storage_node_api::{NodeId, map::ClusterMap};
use storage_node_client::tier::Links;

use super::remote::Remote;
use super::{Network, Sender};

/// The way from one process to the storage nodes.
#[derive(Clone, Debug)]
pub struct SimulatedLinks {
    network: Network,
    from: Sender,
    seeds: Vec<NodeId>,
}

impl SimulatedLinks {
    /// The way of this process's calls. It knows the nodes of `map` from the
    /// beginning.
    pub fn new(network: Network, from: Sender, map: Option<&ClusterMap>) -> Self {
        let seeds = map.map_or_else(Vec::new, |map| {
            map.nodes.iter().map(|node| node.id).collect()
        });
        Self {
            network,
            from,
            seeds,
        }
    }

    fn remote(&self, to: NodeId) -> Arc<dyn Node> {
        Arc::new(Remote {
            network: self.network.clone(),
            from: self.from,
            to,
        })
    }
}

impl Links for SimulatedLinks {
    fn node(&self, node: &map::Node) -> Arc<dyn Node> {
        self.remote(node.id)
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        self.seeds.iter().map(|node| self.remote(*node)).collect()
    }
}
