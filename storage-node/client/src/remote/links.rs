use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::map;
use storage_node_api::node::Node;

use super::node::RemoteNode;
use crate::bulk::{Metrics, Pool, Route};
use crate::control::{Caller, channel};
use crate::identity::{Connector, Identity, IdentityError, Protocol};
use crate::tier::Links;

/// Nodes whose connections are kept; beyond that all are dropped and made again.
const MAX_NODES: usize = 1024;
/// The id of a node that is known by its address only.
const UNKNOWN: NodeId = NodeId(0);

/// The nodes of the cluster that this party belongs to, over the network; those
/// that are in this process, in place.
pub struct RemoteLinks {
    control: Connector,
    bulk: Route,
    local: Arc<dyn Links>,
    seeds: Vec<Arc<dyn Node>>,
    nodes: Mutex<HashMap<NodeId, Known>>,
    runtime: Runtime,
    metrics: Metrics,
}

struct Known {
    control: String,
    bulk: String,
    node: Arc<dyn Node>,
}

impl RemoteLinks {
    /// Links for a party of this identity. `seeds` are control addresses, host
    /// and port, of nodes to ask for a map; `local` links to what is in this
    /// process, or is [`NoPeers`](crate::tier::NoPeers).
    pub fn new(
        identity: &Identity,
        bulk: Route,
        seeds: &[String],
        local: Arc<dyn Links>,
        runtime: Runtime,
        metrics: Metrics,
    ) -> Result<Self, IdentityError> {
        let control = identity.connector(Protocol::Control, Arc::clone(&runtime.clock))?;
        let mut links = Self {
            control,
            bulk,
            local,
            seeds: Vec::new(),
            nodes: Mutex::default(),
            runtime,
            metrics,
        };
        let seed = |address: &String| {
            let caller = links.caller(UNKNOWN, address);
            Arc::new(RemoteNode::new(UNKNOWN, caller, None)) as Arc<dyn Node>
        };
        links.seeds = seeds.iter().map(seed).collect();
        Ok(links)
    }

    fn caller(&self, node: NodeId, address: &str) -> Option<Caller> {
        match channel(self.control.clone(), address, &self.runtime) {
            Ok(channel) => Some(Caller::new(node, channel, self.runtime.clone())),
            Err(error) => {
                tracing::warn!(node.id = %node, %error, "a node has no usable address");
                None
            }
        }
    }

    fn dial(&self, node: &map::Node) -> Known {
        let pool = Pool::new(
            node.id,
            node.bulk.clone(),
            self.bulk.to(&node.region),
            self.runtime.clone(),
            self.metrics.clone(),
        );
        let caller = self.caller(node.id, &node.control);
        Known {
            control: node.control.clone(),
            bulk: node.bulk.clone(),
            node: Arc::new(RemoteNode::new(node.id, caller, Some(pool))),
        }
    }
}

impl Links for RemoteLinks {
    fn node(&self, node: &map::Node) -> Arc<dyn Node> {
        if self.is_local(node.id) {
            return self.local.node(node);
        }
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = nodes.get(&node.id)
            && known.control == node.control
            && known.bulk == node.bulk
        {
            return Arc::clone(&known.node);
        }
        if nodes.len() >= MAX_NODES {
            nodes.clear();
        }
        let known = self.dial(node);
        let dialled = Arc::clone(&known.node);
        nodes.insert(node.id, known);
        dialled
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        let mut seeds = self.local.seeds();
        seeds.extend(self.seeds.iter().cloned());
        seeds
    }

    fn is_local(&self, node: NodeId) -> bool {
        self.local.is_local(node)
    }
}

impl fmt::Debug for RemoteLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteLinks")
            .field("control", &self.control)
            .field("bulk", &self.bulk)
            .field("seeds", &self.seeds.len())
            .finish_non_exhaustive()
    }
}
