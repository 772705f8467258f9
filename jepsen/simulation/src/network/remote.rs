use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use storage_node_api::collect::{CollectOrder, CollectReport};
use storage_node_api::content::{Receipt, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{
    Answer, Command, Committed, ProposeError, Query, ReadError, Request,
};
use storage_node_api::rebuild::{ReplicaError, ReplicaOrder, ReplicaPart};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{DedupDomain, Generation, GroupId, NodeId, ReadPoint, RequestId};

use super::{Lost, Network, Sender};
use crate::mutation::Mutation;

/// A storage node on the other side of the network.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) network: Network,
    pub(super) from: Sender,
    pub(super) to: NodeId,
}

impl Remote {
    fn error(&self, lost: Lost) -> NodeError {
        let node = self.to;
        match lost {
            Lost::Unsent => NodeError::Unreachable { node },
            Lost::Silent => NodeError::Silent { node },
        }
    }

    fn failure<E: std::error::Error + 'static>(&self, lost: Lost) -> NodeFailure<E> {
        NodeFailure::Node(self.error(lost))
    }

    fn breaks(&self, mutation: Mutation) -> bool {
        self.network.broken() == Some(mutation)
    }

    fn fresh_id(&self) -> RequestId {
        RequestId::random(&*self.network.random)
    }
}

#[async_trait]
impl Node for Remote {
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError> {
        let (session, chunks) = (*session, chunks.to_vec());
        let what = format!("presence of {} chunks", chunks.len());
        let call = self.network.call(self.from, self.to, what, move |node| {
            let chunks = chunks.clone();
            async move { node.presence(&session, &chunks).await }
        });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError> {
        let session = *session;
        let what = format!("store {} chunks", chunks.len());
        let forged = self.breaks(Mutation::ReceiptWithoutChunks) && self.to != NodeId(1);
        let chunks = if forged { Vec::new() } else { chunks };
        let call = self.network.call(self.from, self.to, what, move |node| {
            let chunks = chunks.clone();
            async move { node.store(&session, chunks).await }
        });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        let chunks = chunks.to_vec();
        let what = format!("fetch {} chunks", chunks.len());
        let call = self.network.call(self.from, self.to, what, move |node| {
            let chunks = chunks.clone();
            async move { node.fetch(domain, &chunks).await }
        });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn propose(
        &self,
        group: GroupId,
        mut request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        if self.breaks(Mutation::RetryWithNewId) {
            request.id = self.fresh_id();
        }
        if let Command::Push(push) = &mut request.command
            && self.breaks(Mutation::AtomicIsNot)
        {
            push.atomic = false;
        }
        if self.breaks(Mutation::OldSessionsCommit) {
            forge_receipts(&mut request.command);
        }
        let what = format!("propose {} to group {group}", request.id);
        let call = self.network.call(self.from, self.to, what, move |node| {
            let request = request.clone();
            async move { node.propose(group, request).await }
        });
        call.await.map_err(|lost| self.failure(lost))?
    }

    async fn read(
        &self,
        group: GroupId,
        mut point: ReadPoint,
        query: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        if self.breaks(Mutation::ReadWithoutIndex) {
            point = ReadPoint::Stale;
        }
        let what = format!("read group {group}");
        let call = self.network.call(self.from, self.to, what, move |node| {
            let query = query.clone();
            async move { node.read(group, point, query).await }
        });
        call.await.map_err(|lost| self.failure(lost))?
    }

    async fn query(
        &self,
        mut point: ReadPoint,
        statement: Statement,
    ) -> Result<Rows, NodeFailure<QueryError>> {
        if self.breaks(Mutation::ReadWithoutIndex) {
            point = ReadPoint::Stale;
        }
        let what = "query the facts".to_owned();
        let call = self.network.call(self.from, self.to, what, move |node| {
            let statement = statement.clone();
            async move { node.query(point, statement).await }
        });
        call.await.map_err(|lost| self.failure(lost))?
    }

    async fn execute(&self, mut batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        if self.breaks(Mutation::RetryWithNewId) {
            batch.id = self.fresh_id();
        }
        let what = format!("execute {}", batch.id);
        let call = self.network.call(self.from, self.to, what, move |node| {
            let batch = batch.clone();
            async move { node.execute(batch).await }
        });
        call.await.map_err(|lost| self.failure(lost))?
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        let what = "ask for the map".to_owned();
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.map().await
            });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        let what = "ask for the status".to_owned();
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.status().await
            });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn replica(&self, order: ReplicaOrder) -> Result<ReplicaPart, NodeFailure<ReplicaError>> {
        let what = format!("copy a replica: {order:?}");
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.replica(order).await
            });
        call.await.map_err(|lost| self.failure(lost))?
    }

    async fn scrub(&self, order: ScrubOrder) -> Result<ScrubReport, NodeError> {
        let what = format!("{order:?}");
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.scrub(order).await
            });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn collect(&self, order: CollectOrder) -> Result<CollectReport, NodeError> {
        let what = format!("collect: {order:?}");
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.collect(order).await
            });
        call.await.map_err(|lost| self.error(lost))?
    }

    async fn machine_version(&self) -> Result<u32, NodeError> {
        let what = "ask for the machine version".to_owned();
        let call = self
            .network
            .call(self.from, self.to, what, move |node| async move {
                node.machine_version().await
            });
        call.await.map_err(|lost| self.error(lost))?
    }
}

/// Makes all receipts of a commit look as if they were of the latest generation.
fn forge_receipts(command: &mut Command) {
    let mut blobs = Vec::new();
    match command {
        Command::PutBlob { blob, .. } => blobs.push(blob),
        Command::Push(push) => {
            let packs = push.pack.iter_mut();
            blobs.extend(packs.flat_map(|pack| [&mut pack.pack, &mut pack.index]));
        }
        _ => {}
    }
    for blob in blobs {
        for receipt in &mut blob.certificate.receipts {
            receipt.generation = Generation(u64::MAX);
        }
    }
}
