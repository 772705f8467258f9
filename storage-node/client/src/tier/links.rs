use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use storage_node_api::content::{Receipt, Session};
use storage_node_api::health::HealthReport;
use storage_node_api::map::{self, ClusterMap};
use storage_node_api::members::MembersReport;
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::rebuild::{
    RebuildError, RebuildOrder, RebuildReport, ReplicaError, ReplicaOrder, ReplicaPart,
};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{DedupDomain, GroupId, NodeId, ReadPoint};

/// How nodes are reached.
pub trait Links: Send + Sync + Debug {
    /// The node that the map describes. Never waits: a node that cannot be
    /// reached says so when it is asked.
    fn node(&self, node: &map::Node) -> Arc<dyn Node>;

    /// Nodes that can be asked for a map before there is one. Only
    /// [`Node::map`] is called on them.
    fn seeds(&self) -> Vec<Arc<dyn Node>>;

    /// Whether the node is in this process, so that what it returns has crossed
    /// no network and was verified by its volumes.
    fn is_local(&self, _node: NodeId) -> bool {
        false
    }
}

/// One node in this process, and no other.
///
/// May be bound after it was handed out, for a node that is made with links
/// that lead back to itself; until then the node is unreachable. A node bound
/// to links that it keeps itself lives as long as the process.
#[derive(Debug)]
pub struct InPlace {
    id: NodeId,
    node: OnceLock<Arc<dyn Node>>,
}

impl InPlace {
    /// Links to this node, whose id is `id`.
    pub fn new(id: NodeId, node: Arc<dyn Node>) -> Self {
        Self {
            id,
            node: OnceLock::from(node),
        }
    }

    /// Links to a node that will be bound later.
    pub fn unbound(id: NodeId) -> Self {
        Self {
            id,
            node: OnceLock::new(),
        }
    }

    /// Binds the node. Only the first call has an effect; whether this was it.
    pub fn bind(&self, node: Arc<dyn Node>) -> bool {
        self.node.set(node).is_ok()
    }
}

impl Links for InPlace {
    fn node(&self, node: &map::Node) -> Arc<dyn Node> {
        match self.node.get() {
            Some(bound) if node.id == self.id => Arc::clone(bound),
            _ => Arc::new(Unreachable(node.id)),
        }
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        self.node.get().cloned().into_iter().collect()
    }

    fn is_local(&self, node: NodeId) -> bool {
        node == self.id
    }
}

/// No node can be reached: the links of a node that is alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

impl Links for NoPeers {
    fn node(&self, node: &map::Node) -> Arc<dyn Node> {
        Arc::new(Unreachable(node.id))
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        Vec::new()
    }
}

/// A node that nothing is ever sent to.
#[derive(Debug)]
struct Unreachable(NodeId);

impl Unreachable {
    fn error(&self) -> NodeError {
        NodeError::Unreachable { node: self.0 }
    }

    fn failure<E: std::error::Error + 'static>(&self) -> NodeFailure<E> {
        NodeFailure::Node(self.error())
    }
}

#[async_trait]
impl Node for Unreachable {
    async fn members(&self) -> Result<MembersReport, NodeError> {
        Err(self.error())
    }

    async fn rebuild(&self, _: RebuildOrder) -> Result<RebuildReport, NodeFailure<RebuildError>> {
        Err(self.failure())
    }

    async fn replica(&self, _: ReplicaOrder) -> Result<ReplicaPart, NodeFailure<ReplicaError>> {
        Err(self.failure())
    }

    async fn presence(&self, _: &Session, _: &[ChunkId]) -> Result<Presence, NodeError> {
        Err(self.error())
    }

    async fn store(&self, _: &Session, _: Vec<Chunk>) -> Result<Receipt, NodeError> {
        Err(self.error())
    }

    async fn fetch(&self, _: DedupDomain, _: &[ChunkRef]) -> Result<Vec<Option<Bytes>>, NodeError> {
        Err(self.error())
    }

    async fn propose(
        &self,
        _: GroupId,
        _: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        Err(self.failure())
    }

    async fn read(
        &self,
        _: GroupId,
        _: ReadPoint,
        _: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        Err(self.failure())
    }

    async fn query(&self, _: ReadPoint, _: Statement) -> Result<Rows, NodeFailure<QueryError>> {
        Err(self.failure())
    }

    async fn execute(&self, _: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        Err(self.failure())
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        Err(self.error())
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        Err(self.error())
    }

    async fn scrub(&self, _: ScrubOrder) -> Result<ScrubReport, NodeError> {
        Err(self.error())
    }

    async fn machine_version(&self) -> Result<u32, NodeError> {
        Err(self.error())
    }

    async fn health(&self) -> Result<HealthReport, NodeError> {
        Err(self.error())
    }
}
