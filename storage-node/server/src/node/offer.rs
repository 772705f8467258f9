//! What the node offers, in place; the network puts a frame around it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use raft::Group;
use runtime::run_blocking;
use storage_node_api::collect::{CollectOrder, CollectReport};
use storage_node_api::content::{Receipt, Session};
use storage_node_api::dump::{DumpOrder, DumpPart};
use storage_node_api::health::HealthReport;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::map::{ClusterMap, FIRST_DATA_GROUP, METADATA_GROUP};
use storage_node_api::members::{MembersReport, TransferError};
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{GroupStatus, Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{
    Answer, Command, Committed, ProposeError, Query, ReadError, Request,
};
use storage_node_api::rebuild::{
    RebuildError, RebuildOrder, RebuildReport, ReplicaError, ReplicaOrder, ReplicaPart,
};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{DedupDomain, GroupId, NodeId, ReadPoint, Token};
use storage_node_machine::{decode_reply, encode_request, query};
use storage_node_metadata::{Command as FactsCommand, ReadFailure, Reply as FactsReply};

use super::StorageNode;
use super::dumps::DumpFailure;
use crate::replica::parse_answer;
use crate::volumes::StoreError;

#[async_trait]
impl Node for StorageNode {
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError> {
        self.check_session(session)?;
        if chunks.len() > CHUNK_BATCH {
            return Err(NodeError::Malformed { node: self.id() });
        }
        let held = self
            .parts
            .chunks
            .presence(session.generation, session.domain, chunks)
            .await
            .map_err(|error| self.store_error(&error))?;
        Ok(Presence {
            receipt: self.receipt(session),
            held,
        })
    }

    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError> {
        self.check_session(session)?;
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        if bytes > PUT_BATCH_BYTES && chunks.len() > 1 {
            return Err(NodeError::Malformed { node: self.id() });
        }
        if self.parts.space.is_full() {
            return Err(NodeError::Full { node: self.id() });
        }
        self.parts
            .chunks
            .put(session.generation, session.domain, chunks)
            .await
            .map_err(|error| self.store_error(&error))?;
        Ok(self.receipt(session))
    }

    async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        if chunks.len() > CHUNK_BATCH {
            return Err(NodeError::Malformed { node: self.id() });
        }
        self.parts
            .chunks
            .get(domain, chunks)
            .await
            .map_err(|error| self.store_error(&error))
    }

    async fn propose(
        &self,
        group: GroupId,
        request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        let failed = NodeFailure::Failed;
        if adds(&request.command) && self.parts.space.is_full() {
            return Err(failed(ProposeError::Full));
        }
        let needed = request.command.machine_version();
        if let Some(map) = self.current_map()
            && needed > map.machine_version
        {
            let actual = map.machine_version;
            return Err(failed(ProposeError::TooEarly { needed, actual }));
        }
        let entry = encode_request(&request)
            .map_err(|error| failed(ProposeError::TooLarge { bytes: error.bytes }))?;
        let replica = self
            .group(group)
            .ok_or(NodeFailure::NotLeader { leader: None })?;
        let answer = replica
            .propose(entry)
            .await
            .map_err(|error| refused(group, &error))?;
        // The answer stands; only a peer of another version could make it unreadable.
        let unreadable = || failed(ProposeError::Interrupted { group });
        let (index, reply) = parse_answer(&answer).ok_or_else(unreadable)?;
        let reply = decode_reply(reply).map_err(|_| unreadable())?;
        Ok(Committed {
            token: Token { group, index },
            reply,
        })
    }

    async fn read(
        &self,
        group: GroupId,
        point: ReadPoint,
        asked: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        self.reach(group, point)
            .await
            .map_err(|_| NodeFailure::Failed(ReadError::Unavailable { group }))?;
        let failed = || NodeFailure::Failed(ReadError::ReplicaFailed { group });
        let view = self.view(group).map_err(|_| failed())?;
        run_blocking(&*self.parts.runtime.tasks, "query a group", move || {
            query(&view, &asked)
        })
        .await
        .map_err(|_| failed())?
        .map_err(|fault| {
            tracing::error!(group.id = group.0, error = %fault, "a replica cannot read its state");
            failed()
        })
    }

    async fn query(
        &self,
        point: ReadPoint,
        statement: Statement,
    ) -> Result<Rows, NodeFailure<QueryError>> {
        self.reach(METADATA_GROUP, point)
            .await
            .map_err(|_| NodeFailure::Failed(QueryError::Unavailable))?;
        let facts = self.parts.facts.clone();
        run_blocking(&*self.parts.runtime.tasks, "query the facts", move || {
            facts.query(&statement)
        })
        .await
        .map_err(|_| NodeFailure::Failed(QueryError::Unavailable))?
        .map_err(|failure| {
            NodeFailure::Failed(match failure {
                ReadFailure::Query(error) => error,
                ReadFailure::Fault(fault) => {
                    tracing::error!(error = %fault, "a replica cannot read its facts");
                    QueryError::Unavailable
                }
            })
        })
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        if self.parts.space.is_full() {
            return Err(NodeFailure::Failed(ExecuteError::Full));
        }
        let replica = self
            .group(METADATA_GROUP)
            .ok_or(NodeFailure::NotLeader { leader: None })?;
        let command = FactsCommand::encode(batch).map_err(NodeFailure::Failed)?;
        let reply = replica
            .propose(command)
            .await
            .map_err(|error| not_executed(&error))?;
        FactsReply::decode(&reply)
            .map_err(|_| NodeFailure::Failed(ExecuteError::Interrupted))?
            .into_executed(METADATA_GROUP)
            .map_err(NodeFailure::Failed)
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        let map = self
            .current_map()
            .ok_or(NodeError::Silent { node: self.id() })?;
        Ok((*map).clone())
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        let mut groups = Vec::new();
        for (id, group) in self.groups() {
            groups.push(self.group_status(id, &group).await?);
        }
        let stats = self
            .parts
            .chunks
            .stats()
            .map_err(|_| NodeError::Failing { node: self.id() })?;
        Ok(NodeStatus {
            id: self.id(),
            chunk_bytes: stats.bytes,
            chunks: stats.chunks,
            missing_chunks: self.missing_chunks(),
            corrupt_chunks: stats.corrupt,
            available_bytes: self.parts.space.available_bytes(),
            groups,
        })
    }

    async fn dump(&self, order: DumpOrder) -> Result<DumpPart, NodeFailure<QueryError>> {
        let unavailable = || NodeFailure::Failed(QueryError::Unavailable);
        if order == DumpOrder::Open {
            self.reach(METADATA_GROUP, ReadPoint::Linearizable)
                .await
                .map_err(|_| unavailable())?;
        }
        let (facts, dumps) = (self.parts.facts.clone(), Arc::clone(&self.parts.dumps));
        let work = move || dumps.order(&facts, order);
        let done = run_blocking(&*self.parts.runtime.tasks, "dump the facts", work).await;
        done.map_err(|_| unavailable())?.map_err(|failure| {
            if let DumpFailure::Fault(fault) = failure {
                tracing::error!(error = %fault, "a replica cannot read its facts");
            }
            unavailable()
        })
    }

    async fn scrub(&self, order: ScrubOrder) -> Result<ScrubReport, NodeError> {
        Ok(self.order_scrub(order))
    }

    async fn collect(&self, order: CollectOrder) -> Result<CollectReport, NodeError> {
        Ok(self.order_collection(order))
    }

    async fn members(&self) -> Result<MembersReport, NodeError> {
        Ok(self.members_report())
    }

    async fn health(&self) -> Result<HealthReport, NodeError> {
        Ok(self.health_report())
    }

    async fn rebuild(
        &self,
        order: RebuildOrder,
    ) -> Result<RebuildReport, NodeFailure<RebuildError>> {
        self.order_rebuild(order).await.map_err(NodeFailure::Failed)
    }

    async fn replica(&self, order: ReplicaOrder) -> Result<ReplicaPart, NodeFailure<ReplicaError>> {
        self.give_replica(order).await.map_err(NodeFailure::Failed)
    }

    async fn transfer(&self, group: GroupId, to: NodeId) -> Result<(), NodeFailure<TransferError>> {
        self.hand_over(group, to).await
    }
}

/// A replica that could not be brought to a read point.
struct NotReached;

impl StorageNode {
    /// A session of another time is told so before it sends anything.
    fn check_session(&self, session: &Session) -> Result<(), NodeError> {
        let map = self
            .current_map()
            .ok_or(NodeError::Silent { node: self.id() })?;
        if session.generation < map.generation {
            return Err(NodeError::SessionExpired);
        }
        Ok(())
    }

    fn receipt(&self, session: &Session) -> Receipt {
        Receipt {
            node: self.id(),
            incarnation: self.parts.incarnation,
            epoch: session.epoch,
            generation: session.generation,
            domain: session.domain,
        }
    }

    fn store_error(&self, error: &StoreError) -> NodeError {
        let node = self.id();
        match error {
            StoreError::Full => NodeError::Full { node },
            StoreError::Failing | StoreError::Index(_) => NodeError::Failing { node },
            StoreError::Mismatch { chunk } => NodeError::Mismatch { chunk: *chunk },
            StoreError::Size { .. } => NodeError::Malformed { node },
            StoreError::Away { .. } => NodeError::ColdAway { node },
            StoreError::ShuttingDown => NodeError::Silent { node },
        }
    }

    /// Waits until the local replica is as new as the read point asks.
    async fn reach(&self, group: GroupId, point: ReadPoint) -> Result<(), NotReached> {
        let replica = self.group(group).ok_or(NotReached)?;
        match point {
            ReadPoint::Linearizable => replica.read_index().await.map(drop),
            ReadPoint::AtLeast(token) if token.group == group => {
                replica.wait_applied(token.index).await
            }
            // Of the group that had the slot before.
            ReadPoint::AtLeast(token) if is_data(token.group) && is_data(group) => {
                replica.read_index().await.map(drop)
            }
            ReadPoint::AtLeast(_) | ReadPoint::Stale => Ok(()),
        }
        .map_err(|_| NotReached)
    }

    async fn group_status(&self, id: GroupId, group: &Group) -> Result<GroupStatus, NodeError> {
        let status = group.status();
        let (applied, state_hash) = if id == METADATA_GROUP {
            // The hash is of some moment: only if nothing was applied around it is the index its own.
            let facts = self.parts.facts.clone();
            let failing = || NodeError::Failing { node: self.id() };
            let (_, hash) = run_blocking(&*self.parts.runtime.tasks, "hash the facts", move || {
                facts.state_hash()
            })
            .await
            .map_err(|_| failing())?
            .map_err(|_| failing())?;
            (status.applied.unwrap_or(0), hash)
        } else {
            match self
                .view(id)
                .and_then(|view| query(&view, &Query::StateHash))
            {
                Ok(Answer::StateHash { index, hash }) => (index, hash),
                _ => return Err(NodeError::Failing { node: self.id() }),
            }
        };
        Ok(GroupStatus {
            group: id,
            leader: status.leader.map(|node| NodeId(node.0)),
            term: status.term,
            applied,
            committed: status.committed.unwrap_or(0),
            voters: status.voters.keys().map(|node| NodeId(node.0)).collect(),
            state_hash,
        })
    }
}

/// Whether a command may need more space, and so waits while there is little.
fn adds(command: &Command) -> bool {
    matches!(
        command,
        Command::CreateRepository { .. }
            | Command::ForkRepository { .. }
            | Command::Push(_)
            | Command::CheckedPush { .. }
            | Command::ReplacePacks(_)
            | Command::Stage { .. }
            | Command::PutBlob { .. }
            | Command::Restore(_)
    )
}

fn leader_of(error: &raft::ProposeError) -> Option<NodeId> {
    error.leader().map(|leader| NodeId(leader.node.0))
}

fn refused(group: GroupId, error: &raft::ProposeError) -> NodeFailure<ProposeError> {
    match error {
        raft::ProposeError::NotLeader { .. } => NodeFailure::NotLeader {
            leader: leader_of(error),
        },
        raft::ProposeError::TooLarge { bytes, .. } => {
            NodeFailure::Failed(ProposeError::TooLarge { bytes: *bytes })
        }
        raft::ProposeError::Busy { .. } => NodeFailure::Failed(ProposeError::Overloaded { group }),
        raft::ProposeError::LeadershipLost { .. }
        | raft::ProposeError::Timeout { .. }
        | raft::ProposeError::Stopped { .. } => {
            NodeFailure::Failed(ProposeError::Interrupted { group })
        }
    }
}

fn not_executed(error: &raft::ProposeError) -> NodeFailure<ExecuteError> {
    match error {
        raft::ProposeError::NotLeader { .. } => NodeFailure::NotLeader {
            leader: leader_of(error),
        },
        raft::ProposeError::TooLarge { .. } => NodeFailure::Failed(ExecuteError::TooLarge),
        raft::ProposeError::Busy { .. } => NodeFailure::Failed(ExecuteError::NoLeader),
        raft::ProposeError::LeadershipLost { .. }
        | raft::ProposeError::Timeout { .. }
        | raft::ProposeError::Stopped { .. } => NodeFailure::Failed(ExecuteError::Interrupted),
    }
}

fn is_data(group: GroupId) -> bool {
    group >= FIRST_DATA_GROUP
}
