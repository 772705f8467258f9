//! What one storage node offers to clients and to its peers.
//!
//! The client builds [`Storage`](crate::Storage) out of nodes: in place for the
//! all-in-one process, over the network for all others. Both kinds pass the
//! same suite.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use serde::{Deserialize, Serialize};

use crate::collect::{CollectOrder, CollectReport};
use crate::content::{Receipt, Session};
use crate::dump::{DumpOrder, DumpPart};
use crate::health::HealthReport;
use crate::map::{ClusterMap, MACHINE_VERSION};
use crate::members::{MembersReport, TransferError};
use crate::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use crate::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use crate::rebuild::{
    RebuildError, RebuildOrder, RebuildReport, ReplicaError, ReplicaOrder, ReplicaPart,
};
use crate::scrub::{ScrubOrder, ScrubReport};
use crate::{DedupDomain, GroupId, NodeId, ReadPoint};

/// One storage node.
#[async_trait]
pub trait Node: Debug + Send + Sync {
    /// Which of these chunks the node holds, synced and intact as far as it
    /// knows. Those it holds are pinned at the session's generation, durably,
    /// before the answer.
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError>;

    /// Verifies, appends and syncs chunks, then answers a receipt for them all.
    /// At most [`limits::PUT_BATCH_BYTES`](crate::limits::PUT_BATCH_BYTES)
    /// unless there is one chunk only.
    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError>;

    /// The bytes of chunks, in order; `None` for one that the node lacks or has
    /// found corrupt. The caller verifies what came over a network.
    async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError>;

    /// Proposes to a group that this node leads.
    async fn propose(
        &self,
        group: GroupId,
        request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>>;

    /// Reads from this node's replica of a group.
    async fn read(
        &self,
        group: GroupId,
        point: ReadPoint,
        query: Query,
    ) -> Result<Answer, NodeFailure<ReadError>>;

    /// Runs a `SELECT` on this node's replica of the facts.
    async fn query(
        &self,
        point: ReadPoint,
        statement: Statement,
    ) -> Result<Rows, NodeFailure<QueryError>>;

    /// Commits a batch, or the migration that it carries, if this node leads the
    /// metadata group.
    async fn execute(&self, batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>>;

    /// The newest cluster map that this node knows.
    async fn map(&self) -> Result<ClusterMap, NodeError>;

    /// How the node and its replicas are, for `cluster status`.
    async fn status(&self) -> Result<NodeStatus, NodeError>;

    /// Orders a pass of the node's scrub, or only asks how it is. A node that
    /// keeps nothing on a disk has nothing to report.
    async fn scrub(&self, _order: ScrubOrder) -> Result<ScrubReport, NodeError> {
        Ok(ScrubReport::default())
    }

    /// Orders something of the node's collector, or only asks how it is. A node
    /// that keeps nothing on a disk has nothing to report.
    async fn collect(&self, _order: CollectOrder) -> Result<CollectReport, NodeError> {
        Ok(CollectReport::default())
    }

    /// Opens, reads or closes a dump of this node's replica of the facts. A
    /// release from before this question has none.
    async fn dump(&self, _order: DumpOrder) -> Result<DumpPart, NodeFailure<QueryError>> {
        Err(NodeFailure::Failed(QueryError::Unavailable))
    }

    /// The newest machine version that the node's release understands. A
    /// release from before this question does not answer it.
    async fn machine_version(&self) -> Result<u32, NodeError> {
        Ok(MACHINE_VERSION)
    }

    /// What the node knows of the members of its groups, and what it still has to
    /// copy. A node that is the only one has nothing to report.
    async fn members(&self) -> Result<MembersReport, NodeError> {
        Ok(MembersReport::default())
    }

    /// How fast the node is, for its peers and for `cluster status`. A release from before this
    /// question does not answer it.
    async fn health(&self) -> Result<HealthReport, NodeError> {
        Ok(HealthReport::default())
    }

    /// Orders that a replica of the node is rebuilt, or only asks which are. A release from before
    /// this question does not answer it.
    async fn rebuild(
        &self,
        _order: RebuildOrder,
    ) -> Result<RebuildReport, NodeFailure<RebuildError>> {
        Err(NodeFailure::Failed(RebuildError::TooOld))
    }

    /// Opens, reads or closes a copy of this node's replica of a group.
    async fn replica(
        &self,
        _order: ReplicaOrder,
    ) -> Result<ReplicaPart, NodeFailure<ReplicaError>> {
        Err(NodeFailure::Failed(ReplicaError::TooOld))
    }

    /// Hands the leadership of a group that this node leads to another node.
    async fn transfer(
        &self,
        group: GroupId,
        _to: NodeId,
    ) -> Result<(), NodeFailure<TransferError>> {
        Err(NodeFailure::Failed(TransferError::NoGroup(group)))
    }
}

/// An answer about chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Valid for those chunks that are held.
    pub receipt: Receipt,
    /// One answer per chunk, in order.
    pub held: Vec<bool>,
}

/// Why a node did not answer as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NodeError {
    /// Nothing was sent.
    #[error("node {node} cannot be reached")]
    Unreachable {
        /// Which.
        node: NodeId,
    },
    /// It was sent, and no answer came.
    #[error("node {node} did not answer")]
    Silent {
        /// Which.
        node: NodeId,
    },
    /// Its disk is nearly full.
    #[error("node {node} is full")]
    Full {
        /// Which.
        node: NodeId,
    },
    /// Its disk failed.
    #[error("node {node} has a failing disk")]
    Failing {
        /// Which.
        node: NodeId,
    },
    /// The request is over a limit or contradicts itself.
    #[error("node {node} refused a malformed request")]
    Malformed {
        /// Which.
        node: NodeId,
    },
    /// The bytes of a chunk are not what its id says.
    #[error("chunk {chunk} has other bytes than its id says")]
    Mismatch {
        /// The id that was claimed.
        chunk: ChunkId,
    },
    /// The session is of a generation or epoch that the node no longer takes.
    #[error("the upload session is too old")]
    SessionExpired,
    /// What was asked for is in its cold store, which it cannot use at the
    /// moment. A release from before this answer takes it for none.
    #[error("node {node} cannot use its cold store; try again")]
    ColdAway {
        /// Which.
        node: NodeId,
    },
}

/// Why a node did not do what was asked of a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NodeFailure<E: std::error::Error + 'static> {
    /// Another node leads the group. Nothing was done.
    #[error("another node leads the group")]
    NotLeader {
        /// Who, if it is known.
        leader: Option<NodeId>,
    },
    /// The node was not reached, or did not answer.
    #[error(transparent)]
    Node(NodeError),
    /// The operation itself failed.
    #[error(transparent)]
    Failed(E),
}

/// A node's own account of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Who.
    pub id: NodeId,
    /// Bytes of chunks that it holds.
    pub chunk_bytes: u64,
    /// How many chunks it holds.
    pub chunks: u64,
    /// Chunks that placement names and it still lacks, as of its last look;
    /// nothing if it has not looked since it started.
    pub missing_chunks: Option<u64>,
    /// Chunks found corrupt since it started.
    pub corrupt_chunks: u64,
    /// Free bytes of its disk.
    pub available_bytes: u64,
    /// Its replicas.
    pub groups: Vec<GroupStatus>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Of which group.
    pub group: GroupId,
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// The Raft term.
    pub term: u64,
    /// The last applied index.
    pub applied: u64,
    /// The last committed index.
    pub committed: u64,
    /// The voters.
    pub voters: Vec<NodeId>,
    /// The hash of the logical state at `applied`.
    pub state_hash: [u8; 32],
}
