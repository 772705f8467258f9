use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use storage_node_api::collect::{CollectOrder, CollectReport};
use storage_node_api::content::{Receipt, Session};
use storage_node_api::dump::{DumpOrder, DumpPart};
use storage_node_api::health::HealthReport;
use storage_node_api::map::ClusterMap;
use storage_node_api::members::{MembersReport, TransferError};
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::rebuild::{
    RebuildError, RebuildOrder, RebuildReport, ReplicaError, ReplicaOrder, ReplicaPart,
};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{DedupDomain, GroupId, NodeId, ReadPoint};

use crate::bulk::Pool;
use crate::control::{Call, Caller, Outcome};

/// A node in another process.
///
/// Chunks that it returns are not verified yet. An answer of another kind than
/// the call's counts as none.
#[derive(Debug)]
pub struct RemoteNode {
    id: NodeId,
    control: Option<Caller>,
    bulk: Option<Pool>,
}

impl RemoteNode {
    /// The node that is reached in these ways; without one of them, what needs
    /// it says that the node is unreachable.
    pub fn new(id: NodeId, control: Option<Caller>, bulk: Option<Pool>) -> Self {
        Self { id, control, bulk }
    }

    async fn call(&self, call: Call) -> Result<Outcome, NodeError> {
        match &self.control {
            Some(caller) => caller.call(&call).await,
            None => Err(NodeError::Unreachable { node: self.id }),
        }
    }

    fn bulk(&self) -> Result<&Pool, NodeError> {
        let unreachable = NodeError::Unreachable { node: self.id };
        self.bulk.as_ref().ok_or(unreachable)
    }

    fn silent(&self) -> NodeError {
        NodeError::Silent { node: self.id }
    }
}

#[async_trait]
impl Node for RemoteNode {
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError> {
        self.bulk()?.presence(session, chunks).await
    }

    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError> {
        self.bulk()?.store(session, &chunks).await
    }

    async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        self.bulk()?.fetch(domain, chunks).await
    }

    async fn propose(
        &self,
        group: GroupId,
        request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        let request = Box::new(request);
        match self.call(Call::Propose { group, request }).await {
            Ok(Outcome::Propose(committed)) => committed.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn read(
        &self,
        group: GroupId,
        point: ReadPoint,
        query: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        let call = Call::Read {
            group,
            point,
            query,
        };
        match self.call(call).await {
            Ok(Outcome::Read(answer)) => answer.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn query(
        &self,
        point: ReadPoint,
        statement: Statement,
    ) -> Result<Rows, NodeFailure<QueryError>> {
        match self.call(Call::Query { point, statement }).await {
            Ok(Outcome::Query(rows)) => rows.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        match self.call(Call::Execute(batch)).await {
            Ok(Outcome::Execute(executed)) => executed.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        match self.call(Call::Map).await? {
            Outcome::Map(map) => map,
            _ => Err(self.silent()),
        }
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        match self.call(Call::Status).await? {
            // Another node listens there by now.
            Outcome::Status(Ok(status)) if status.id != self.id => {
                Err(NodeError::Unreachable { node: self.id })
            }
            Outcome::Status(status) => status,
            _ => Err(self.silent()),
        }
    }

    async fn scrub(&self, order: ScrubOrder) -> Result<ScrubReport, NodeError> {
        match self.call(Call::Scrub(order)).await? {
            Outcome::Scrub(report) => report,
            _ => Err(self.silent()),
        }
    }

    async fn collect(&self, order: CollectOrder) -> Result<CollectReport, NodeError> {
        match self.call(Call::Collect(order)).await? {
            Outcome::Collect(report) => report,
            _ => Err(self.silent()),
        }
    }

    async fn dump(&self, order: DumpOrder) -> Result<DumpPart, NodeFailure<QueryError>> {
        match self.call(Call::Dump(order)).await {
            Ok(Outcome::Dump(part)) => part.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn machine_version(&self) -> Result<u32, NodeError> {
        match self.call(Call::MachineVersion).await? {
            Outcome::MachineVersion(version) => version,
            _ => Err(self.silent()),
        }
    }

    async fn members(&self) -> Result<MembersReport, NodeError> {
        match self.call(Call::Members).await? {
            Outcome::Members(report) => report,
            _ => Err(self.silent()),
        }
    }

    async fn health(&self) -> Result<HealthReport, NodeError> {
        match self.call(Call::Health).await? {
            Outcome::Health(report) => report,
            _ => Err(self.silent()),
        }
    }

    async fn rebuild(
        &self,
        order: RebuildOrder,
    ) -> Result<RebuildReport, NodeFailure<RebuildError>> {
        match self.call(Call::Rebuild(order)).await {
            Ok(Outcome::Rebuild(report)) => report.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn replica(&self, order: ReplicaOrder) -> Result<ReplicaPart, NodeFailure<ReplicaError>> {
        match self.call(Call::Replica(order)).await {
            Ok(Outcome::Replica(part)) => part.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }

    async fn transfer(&self, group: GroupId, to: NodeId) -> Result<(), NodeFailure<TransferError>> {
        match self.call(Call::Transfer { group, to }).await {
            Ok(Outcome::Transfer(handed)) => handed.map_err(Into::into),
            Ok(_) => Err(NodeFailure::Node(self.silent())),
            Err(error) => Err(NodeFailure::Node(error)),
        }
    }
}
